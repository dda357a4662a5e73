//===- CheckerTest.cpp ----------------------------------------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "runtime/engine/Checker.h"

#include "runtime/artifact/testing/FixtureArtifact.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

using testing::HasSubstr;

namespace t6 {
namespace {

absl::StatusOr<CheckReport> checkBytes(const std::string &bytes,
                                       CheckOptions options = {}) {
  auto artifact = Artifact::fromMemory(bytes, "m.t6x");
  if (!artifact.ok())
    return artifact.status();
  return check(*artifact, options);
}

TEST(Checker, PassesEqualKernels) {
  for (int64_t length : {0, 1, 3, 100}) {
    CheckOptions options;
    options.length = length;
    options.threads = 2;
    absl::StatusOr<CheckReport> report = checkBytes(fixtureArtifact(), options);
    ASSERT_TRUE(report.ok()) << report.status();
    EXPECT_TRUE(report->passed());
    EXPECT_EQ(report->dispatches, 5);
    EXPECT_EQ(report->worstNmse, 0);
  }
}

TEST(Checker, NamesTheFirstWrongDispatch) {
  absl::StatusOr<CheckReport> report =
      checkBytes(fixtureArtifact(FixtureKernels::Wrong));
  ASSERT_TRUE(report.ok()) << report.status();
  ASSERT_EQ(report->divergences.size(), 1u);
  const Divergence &first = report->divergences[0];
  EXPECT_EQ(first.entry, "step");
  EXPECT_EQ(first.dispatch, 1);
  EXPECT_EQ(first.symbol, "fixture_affine");
  EXPECT_EQ(first.label, "test/fixture_affine");
  EXPECT_EQ(first.buffer, "step.y");
  EXPECT_EQ(first.element, 1);
  EXPECT_NEAR(first.actual / first.expected, 1.01, 1e-5);
  EXPECT_GT(first.nmse, first.bound);
  EXPECT_THAT(first.toString(), HasSubstr("kernel 'fixture_affine'"));
}

TEST(Checker, GoesOnFromTheReference) {
  CheckOptions options;
  options.maxNmseF32 = 1;
  absl::StatusOr<CheckReport> report =
      checkBytes(fixtureArtifact(FixtureKernels::Wrong), options);
  ASSERT_TRUE(report.ok()) << report.status();
  EXPECT_TRUE(report->passed());
  EXPECT_EQ(report->dispatches, 5);
  // The dispatches after the wrong one see right values again.
  EXPECT_EQ(report->inexact, 1);
  EXPECT_EQ(report->worstLabel, "step/test/fixture_affine");
}

TEST(Checker, AllowsForRoundedFactors) {
  FixtureFiles files = fixtureFiles(fixtureProgram(), FixtureKernels::Wrong);
  Program program = *parseProgram(files[0].second);
  for (Kernel &kernel : program.kernels)
    kernel.roundsToBf16 = true;
  files[0].second = serializeProgram(program);
  absl::StatusOr<CheckReport> report = checkBytes(zipFiles(files));
  ASSERT_TRUE(report.ok()) << report.status();
  EXPECT_TRUE(report->passed());
  EXPECT_EQ(report->inexact, 1);
  EXPECT_GT(report->worstNmse, CheckOptions().maxNmseF32);
}

TEST(Checker, FindsANan) {
  absl::StatusOr<CheckReport> report =
      checkBytes(fixtureArtifact(FixtureKernels::Nan));
  ASSERT_TRUE(report.ok()) << report.status();
  ASSERT_EQ(report->divergences.size(), 1u);
  EXPECT_TRUE(std::isinf(report->divergences[0].nmse));
}

TEST(Checker, IsReproducible) {
  CheckOptions options;
  options.seed = 42;
  std::string bytes = fixtureArtifact(FixtureKernels::Wrong);
  options.maxNmseF32 = 1;
  double first = checkBytes(bytes, options)->worstNmse;
  EXPECT_GT(first, 0);
  EXPECT_EQ(checkBytes(bytes, options)->worstNmse, first);
  options.seed = 43;
  EXPECT_NE(checkBytes(bytes, options)->worstNmse, first);
}

TEST(Checker, SaysWhatItCannotDo) {
  CheckOptions options;
  options.entry = "nope";
  absl::Status unknown = checkBytes(fixtureArtifact(), options).status();
  EXPECT_EQ(unknown.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(unknown.message()), HasSubstr("'nope'"));
  FixtureFiles files = fixtureFiles(fixtureProgram());
  Program program = *parseProgram(files[0].second);
  program.files.erase(program.files.begin() + 0); // check.so sorts first.
  files[0].second = serializeProgram(program);
  files.erase(files.begin() + 3);
  absl::Status without = checkBytes(zipFiles(files)).status();
  EXPECT_EQ(without.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(std::string(without.message()), HasSubstr("no check.so"));
}

double compare(std::vector<float> actual, std::vector<float> expected,
               std::vector<float> before, int64_t *worst) {
  auto bytes = [](const std::vector<float> &values) {
    return absl::MakeConstSpan(reinterpret_cast<const char *>(values.data()),
                               values.size() * sizeof(float));
  };
  return nmseOfChanged(DType::F32, bytes(actual), bytes(expected),
                       bytes(before), worst);
}

TEST(NmseOfChanged, CountsChangedElementsAlone) {
  int64_t worst = -1;
  // The large element that nobody touched must not hide the error.
  EXPECT_DOUBLE_EQ(compare({1e9f, 1, 3}, {1e9f, 1, 2}, {1e9f, 0, 0}, &worst),
                   1.0 / 5);
  EXPECT_EQ(worst, 2);
  // One that only one of the two changed counts.
  EXPECT_DOUBLE_EQ(compare({0, 1}, {2, 1}, {0, 1}, &worst), 1);
  EXPECT_EQ(worst, 0);
  EXPECT_EQ(compare({4, 5}, {4, 5}, {0, 0}, &worst), 0);
}

TEST(NmseOfChanged, TreatsNanAndInfinityAsValues) {
  const float kNan = std::numeric_limits<float>::quiet_NaN();
  const float kInf = std::numeric_limits<float>::infinity();
  int64_t worst = -1;
  EXPECT_EQ(compare({kNan, -kInf, 1}, {kNan, -kInf, 1}, {0, 0, 0}, &worst), 0);
  EXPECT_TRUE(std::isinf(compare({kNan, 1}, {0, 1}, {0, 0}, &worst)));
  EXPECT_EQ(worst, 0);
  EXPECT_TRUE(std::isinf(compare({1, 1}, {1, kNan}, {0, 0}, &worst)));
  EXPECT_EQ(worst, 1);
  EXPECT_TRUE(std::isinf(compare({kInf}, {-kInf}, {0}, &worst)));
  EXPECT_TRUE(std::isinf(compare({kInf}, {3}, {0}, &worst)));
  EXPECT_TRUE(std::isinf(compare({1e-20f}, {0}, {0}, &worst)));
}

} // namespace
} // namespace t6
