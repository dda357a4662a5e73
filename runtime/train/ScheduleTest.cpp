//===- ScheduleTest.cpp - The learning rate of each step ------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "runtime/train/Schedule.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"

#include <cmath>
#include <limits>

namespace t6 {
namespace {

using ::testing::HasSubstr;

/// 4 steps of warm-up, then down from 1 to 0.5 at step 12.
ScheduleOptions optionsOf(ScheduleKind kind) {
  ScheduleOptions options;
  options.kind = kind;
  options.peak = 1;
  options.minimum = 0.5;
  options.warmup = 4;
  options.decay = 12;
  options.decayShare = 0.5;
  return options;
}

Schedule make(const ScheduleOptions &options) {
  auto schedule = Schedule::create(options);
  EXPECT_TRUE(schedule.ok()) << schedule.status();
  return *std::move(schedule);
}

TEST(Schedule, Constant) {
  Schedule schedule = make(optionsOf(ScheduleKind::kConstant));
  EXPECT_EQ(schedule.rate(0), 0.25);
  EXPECT_EQ(schedule.rate(3), 1);
  EXPECT_EQ(schedule.rate(4), 1);
  EXPECT_EQ(schedule.rate(1000000), 1);
}

TEST(Schedule, Linear) {
  Schedule schedule = make(optionsOf(ScheduleKind::kLinear));
  EXPECT_EQ(schedule.rate(2), 0.75);
  EXPECT_EQ(schedule.rate(4), 1);
  EXPECT_EQ(schedule.rate(6), 0.875);
  EXPECT_EQ(schedule.rate(8), 0.75);
  EXPECT_EQ(schedule.rate(12), 0.5);
  EXPECT_EQ(schedule.rate(13), 0.5);
}

TEST(Schedule, Cosine) {
  Schedule schedule = make(optionsOf(ScheduleKind::kCosine));
  EXPECT_EQ(schedule.rate(3), 1);
  EXPECT_EQ(schedule.rate(4), 1);
  // cos(pi / 4) = 1 / sqrt(2)
  EXPECT_DOUBLE_EQ(schedule.rate(6), 0.75 + 0.25 * std::sqrt(0.5));
  EXPECT_DOUBLE_EQ(schedule.rate(8), 0.75);
  EXPECT_DOUBLE_EQ(schedule.rate(10), 0.75 - 0.25 * std::sqrt(0.5));
  EXPECT_EQ(schedule.rate(12), 0.5);
  EXPECT_EQ(schedule.rate(INT64_MAX), 0.5);
}

TEST(Schedule, WarmUpStableDecay) {
  // The last half of 12 steps decays.
  Schedule schedule = make(optionsOf(ScheduleKind::kWsd));
  EXPECT_EQ(schedule.rate(0), 0.25);
  EXPECT_EQ(schedule.rate(5), 1);
  EXPECT_EQ(schedule.rate(6), 1);
  EXPECT_EQ(schedule.rate(9), 0.75);
  EXPECT_EQ(schedule.rate(12), 0.5);
  EXPECT_EQ(schedule.rate(20), 0.5);
  // The decay may begin where the warm-up ends, and be no step long.
  ScheduleOptions options = optionsOf(ScheduleKind::kWsd);
  options.warmup = 6;
  EXPECT_EQ(make(options).rate(6), 1);
  options.decayShare = 1e-9;
  EXPECT_EQ(make(options).rate(11), 1);
  EXPECT_EQ(make(options).rate(12), 0.5);
}

TEST(Schedule, NoWarmUp) {
  ScheduleOptions options = optionsOf(ScheduleKind::kCosine);
  options.warmup = 0;
  for (WarmupKind kind : {WarmupKind::kFromFirst, WarmupKind::kFromZero}) {
    options.warmupKind = kind;
    EXPECT_EQ(make(options).rate(0), 1);
  }
}

// lr * it / 2000, then the cosine from 6e-4 to 3e-5 at 100000, as doubles of
// Python's write them: learning_rate * it / warmup_iters, and
// min_lr + 0.5 * (1.0 + math.cos(math.pi * ratio)) * (learning_rate - min_lr).
TEST(Schedule, RatesOfTheReference) {
  ScheduleOptions options;
  options.peak = 6e-4;
  options.minimum = 3e-5;
  options.warmup = 2000;
  options.warmupKind = WarmupKind::kFromZero;
  options.decay = 100000;
  Schedule schedule = make(options);
  EXPECT_EQ(schedule.rate(0), 0);
  EXPECT_EQ(schedule.rate(1), 3e-7);
  EXPECT_EQ(schedule.rate(777), 0.00023309999999999997);
  EXPECT_EQ(schedule.rate(1999), 0.0005996999999999999);
  EXPECT_EQ(schedule.rate(2000), 0.0006);
  EXPECT_DOUBLE_EQ(schedule.rate(2001), 0.000599999999853559);
  EXPECT_DOUBLE_EQ(schedule.rate(26500), 0.000516525432638166);
  EXPECT_DOUBLE_EQ(schedule.rate(51000), 0.000315);
  EXPECT_DOUBLE_EQ(schedule.rate(99999), 3.000000014644091e-05);
  EXPECT_EQ(schedule.rate(100000), 3e-5);
  EXPECT_EQ(schedule.rate(100001), 3e-5);
  options.warmupKind = WarmupKind::kFromFirst;
  EXPECT_EQ(make(options).rate(0), 3e-7);
  EXPECT_EQ(make(options).rate(1999), 6e-4);
  EXPECT_EQ(make(options).rate(51000), schedule.rate(51000));
}

TEST(Schedule, BadOptionsAreRefused) {
  constexpr double kNan = std::numeric_limits<double>::quiet_NaN();
  constexpr double kInfinity = std::numeric_limits<double>::infinity();
  auto refused = [](ScheduleKind kind, auto change, const char *part) {
    ScheduleOptions options = optionsOf(kind);
    change(options);
    absl::Status status = Schedule::create(options).status();
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << part;
    EXPECT_THAT(status.message(), HasSubstr(part));
    EXPECT_THAT(status.message(), HasSubstr("; HINT: "));
  };
  using Options = ScheduleOptions;
  for (ScheduleKind kind : {ScheduleKind::kConstant, ScheduleKind::kLinear,
                            ScheduleKind::kCosine, ScheduleKind::kWsd}) {
    for (double rate : {0.0, -1.0, kNan, kInfinity})
      refused(
          kind, [&](Options &o) { o.peak = rate; }, "the learning rate is");
    for (double rate : {-1e-9, 1.5, kNan, kInfinity})
      refused(
          kind, [&](Options &o) { o.minimum = rate; },
          "the minimum learning rate is");
    refused(
        kind, [](Options &o) { o.warmup = -1; },
        "the number of warm-up steps is -1");
  }
  for (ScheduleKind kind :
       {ScheduleKind::kLinear, ScheduleKind::kCosine, ScheduleKind::kWsd})
    for (int64_t decay : {-1, 0, 4})
      refused(
          kind, [&](Options &o) { o.decay = decay; },
          "must be more than the warm-up's 4");
  for (double share : {0.0, -0.5, 1.01, kNan})
    refused(
        ScheduleKind::kWsd, [&](Options &o) { o.decayShare = share; },
        "the share of the decay is");
  refused(
      ScheduleKind::kWsd, [](Options &o) { o.decayShare = 0.75; },
      "the decay begins at step 3, within the warm-up of 4 steps");
}

TEST(ScheduleKind, Names) {
  EXPECT_EQ(*parseScheduleKind("constant"), ScheduleKind::kConstant);
  EXPECT_EQ(*parseScheduleKind("linear"), ScheduleKind::kLinear);
  EXPECT_EQ(*parseScheduleKind("cosine"), ScheduleKind::kCosine);
  EXPECT_EQ(*parseScheduleKind("wsd"), ScheduleKind::kWsd);
  absl::Status status = parseScheduleKind("sine").status();
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(status.message(), HasSubstr("no schedule 'sine'; HINT: "));
}

} // namespace
} // namespace t6
