//===- StopFilterTest.cpp - Tests of StopFilter ---------------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "runtime/api/StopFilter.h"

#include <gtest/gtest.h>

namespace t6 {
namespace {

TEST(StopFilter, PassesEverythingWithoutStops) {
  StopFilter filter({});
  EXPECT_EQ(filter.push("abc"), "abc");
  EXPECT_EQ(filter.flush(), "");
  EXPECT_FALSE(filter.found());
}

TEST(StopFilter, HoldsBackWhatMayBeAStop) {
  StopFilter filter({"END"});
  EXPECT_EQ(filter.push("xE"), "x");
  EXPECT_EQ(filter.push("N"), "");
  EXPECT_EQ(filter.push("x"), "ENx");
  EXPECT_EQ(filter.push("E"), "");
  EXPECT_EQ(filter.flush(), "E");
}

TEST(StopFilter, StopsAtTheEarliest) {
  StopFilter filter({"cd", "bcde", "z"});
  EXPECT_EQ(filter.push("abcdz"), "ab");
  EXPECT_TRUE(filter.found());
  EXPECT_EQ(filter.push("more"), "");
  EXPECT_EQ(filter.flush(), "");
}

TEST(StopFilter, DoesNotDependOnCuts) {
  const std::string text = "aababac aab";
  for (size_t first = 0; first <= text.size(); ++first)
    for (size_t second = first; second <= text.size(); ++second) {
      StopFilter filter({"abac"});
      std::string out = filter.push(text.substr(0, first)) +
                        filter.push(text.substr(first, second - first)) +
                        filter.push(text.substr(second)) + filter.flush();
      EXPECT_EQ(out, "aab") << first << " " << second;
      EXPECT_TRUE(filter.found());
    }
}

} // namespace
} // namespace t6
