//===- RunNameTest.cpp - Tests of names of runs and of numbers ------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "runtime/train/RunName.h"

#include "runtime/train/NumberText.h"
#include "runtime/train/TrainOptions.h"

#include "gmock/gmock.h"

#include <cmath>
#include <limits>

namespace t6 {
namespace {

using ::testing::HasSubstr;

RunNameFacts facts() {
  return {"T6",      124276224,         "adamw", 6e-4, "fineweb-edu100B",
          4.9152e10, "20250131_235959", "0"};
}

std::string nameOf(absl::string_view pattern,
                   const RunNameFacts &facts = ::t6::facts()) {
  auto name = expandRunName(pattern, facts);
  return name.ok() ? *name : std::string(name.status().message());
}

TEST(RunName, OfTheReference) {
  EXPECT_EQ(nameOf(trainPreset("reference")->runName),
            "output/out_T6_124m_Opt_adamw_LR_0.0006_D_fineweb-edu100B_T_49.15B"
            "_time_20250131_235959_jobid_0");
}

TEST(RunName, OfTheDefault) {
  EXPECT_EQ(nameOf(TrainOptions().runName), "runs/T6_20250131_235959");
}

TEST(RunName, Braces) {
  EXPECT_EQ(nameOf("a{{b}c{model}"), "a{b}cT6");
  EXPECT_EQ(nameOf("plain"), "plain");
}

TEST(RunName, AValueLeadsIntoNoOtherFolder) {
  RunNameFacts other = facts();
  other.dataset = "../up";
  EXPECT_EQ(nameOf("runs/{dataset}", other), "runs/.._up");
}

TEST(RunName, Errors) {
  EXPECT_EQ(nameOf("a{modle}b"),
            "the name of a run cannot contain \"{modle}\"; HINT: there are "
            "{model}, {millions}, {optimizer}, {rate}, {dataset}, {billions}, "
            "{time}, {job}, and {{ for a brace");
  EXPECT_THAT(nameOf("a{model"), HasSubstr("cannot contain \"{model\""));
  EXPECT_EQ(nameOf(""),
            "the name of the run is empty; HINT: set out or run-name");
}

TEST(NumberText, AsPython) {
  EXPECT_EQ(pythonNumber(0.0006), "0.0006");
  EXPECT_EQ(pythonNumber(3e-5), "3e-05");
  EXPECT_EQ(pythonNumber(1e-4), "0.0001");
  EXPECT_EQ(pythonNumber(0.1 + 0.2), "0.30000000000000004");
  EXPECT_EQ(pythonNumber(1), "1.0");
  EXPECT_EQ(pythonNumber(-0.0), "-0.0");
  EXPECT_EQ(pythonNumber(1e15), "1000000000000000.0");
  EXPECT_EQ(pythonNumber(1e16), "1e+16");
  EXPECT_EQ(pythonNumber(5e-324), "5e-324");
  EXPECT_EQ(pythonNumber(std::numeric_limits<double>::max()),
            "1.7976931348623157e+308");
  EXPECT_EQ(pythonNumber(-std::nan("")), "nan");
  EXPECT_EQ(pythonNumber(-std::numeric_limits<double>::infinity()), "-inf");
}

} // namespace
} // namespace t6
