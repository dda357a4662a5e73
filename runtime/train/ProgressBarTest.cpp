//===- ProgressBarTest.cpp - Tests of the progress bar --------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "runtime/train/ProgressBar.h"

#include "gmock/gmock.h"

#include <cmath>

namespace t6 {
namespace {

using ::testing::DoubleEq;
using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::StartsWith;

ProgressFacts facts() {
  ProgressFacts facts;
  facts.done = 250;
  facts.total = 1000;
  facts.loss = 3.21;
  facts.tokensPerSecond = 5230;
  facts.secondsLeft = 3725;
  return facts;
}

TEST(ProgressBar, FillsTheWidth) {
  std::string words = " 250/1000  loss 3.2100  5.2k tokens/s  ETA 1h02m";
  EXPECT_EQ(progressBar(facts(), 80),
            " 25% [######...................]" + words);
  EXPECT_EQ(progressBar(facts(), 80).size(), 80u);
  // No longer than forty.
  EXPECT_EQ(progressBar(facts(), 200),
            " 25% [##########..............................]" + words);
}

TEST(ProgressBar, ANarrowTerminalLosesWords) {
  EXPECT_EQ(progressBar(facts(), 63),
            " 25% [##......] 250/1000  loss 3.2100  5.2k tokens/s  ETA 1h02m");
  EXPECT_EQ(progressBar(facts(), 62),
            " 25% 250/1000  loss 3.2100  5.2k tokens/s  ETA 1h02m");
  EXPECT_EQ(progressBar(facts(), 51), " 25% 250/1000  loss 3.2100  ETA 1h02m");
  EXPECT_EQ(progressBar(facts(), 30), " 25% 250/1000  ETA 1h02m");
  EXPECT_EQ(progressBar(facts(), 14), " 25% 250/1000");
  EXPECT_EQ(progressBar(facts(), 6), " 25% 2");
  EXPECT_EQ(progressBar(facts(), 0), "");
}

TEST(ProgressBar, HundredPercentIsTheEnd) {
  ProgressFacts nearly = facts();
  nearly.done = 999;
  EXPECT_THAT(progressBar(nearly, 80), StartsWith(" 99% ["));
  nearly.done = 1000;
  EXPECT_THAT(progressBar(nearly, 80), StartsWith("100% [#"));
  EXPECT_THAT(progressBar(nearly, 80), ::testing::Not(HasSubstr(".]")));
  nearly.done = 1001;
  EXPECT_THAT(progressBar(nearly, 80), StartsWith("100% ["));
  nearly.total = 0;
  EXPECT_THAT(progressBar(nearly, 80), StartsWith("100% ["));
}

TEST(ProgressBar, UnknownValues) {
  ProgressFacts unknown = facts();
  unknown.secondsLeft = -1;
  unknown.loss = -std::nan("");
  unknown.tokensPerSecond = std::nan("");
  EXPECT_THAT(progressBar(unknown, 80),
              EndsWith("  loss nan  ? tokens/s  ETA ?"));
}

TEST(ProgressBar, Rates) {
  ProgressFacts some = facts();
  some.tokensPerSecond = 999;
  EXPECT_THAT(progressBar(some, 80), HasSubstr("  999 tokens/s"));
  some.tokensPerSecond = 999.6;
  EXPECT_THAT(progressBar(some, 80), HasSubstr("  1.0k tokens/s"));
  some.tokensPerSecond = 3.75e6;
  EXPECT_THAT(progressBar(some, 80), HasSubstr("  3.75M tokens/s"));
}

TEST(ProgressBar, Durations) {
  EXPECT_EQ(durationText(0), "0s");
  EXPECT_EQ(durationText(59.4), "59s");
  EXPECT_EQ(durationText(59.6), "1m00s");
  EXPECT_EQ(durationText(725), "12m05s");
  EXPECT_EQ(durationText(11220), "3h07m");
  EXPECT_EQ(durationText(2 * 86400 + 4 * 3600), "2d04h");
  EXPECT_EQ(durationText(-1), "?");
  EXPECT_EQ(durationText(std::nan("")), "?");
  EXPECT_EQ(durationText(1e300), "?");
}

TEST(TimeLeft, FromTheStepsSoFar) {
  TimeLeft left;
  EXPECT_LT(left.seconds(10), 0);
  left.add(2);
  EXPECT_THAT(left.seconds(10), DoubleEq(20));
  left.add(4, 2);
  EXPECT_THAT(left.seconds(10), DoubleEq(20));
  EXPECT_EQ(left.seconds(-1), 0);
}

TEST(TimeLeft, ForgetsASlowStart) {
  TimeLeft left;
  left.add(1000);
  for (int i = 0; i < 300; ++i)
    left.add(1);
  EXPECT_NEAR(left.seconds(100), 100, 0.1);
}

TEST(TimeLeft, IgnoresWhatIsNoTime) {
  TimeLeft left;
  left.add(1);
  left.add(-5);
  left.add(std::nan(""));
  left.add(5, 0);
  EXPECT_THAT(left.seconds(3), DoubleEq(3));
}

} // namespace
} // namespace t6
