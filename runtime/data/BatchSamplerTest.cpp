//===- BatchSamplerTest.cpp - Batches of windows of a corpus --------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "runtime/data/BatchSampler.h"

#include "runtime/data/TestSupport.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"

#include <algorithm>
#include <iterator>
#include <map>
#include <set>

namespace t6 {
namespace {

using ::testing::AllOf;
using testing::datasetOf;
using ::testing::Each;
using ::testing::ElementsAre;
using ::testing::Gt;
using testing::isError;
using ::testing::Lt;

constexpr auto kInvalid = absl::StatusCode::kInvalidArgument;

SamplerOptions optionsOf(SamplerKind kind, int64_t batch, int64_t length,
                         uint64_t seed = 1) {
  SamplerOptions options;
  options.kind = kind;
  options.batch = batch;
  options.length = length;
  options.seed = seed;
  return options;
}

BatchSampler make(TokenDataset dataset, SamplerOptions options) {
  auto sampler = BatchSampler::create(std::move(dataset), std::move(options));
  EXPECT_TRUE(sampler.ok()) << sampler.status();
  return *std::move(sampler);
}

struct Batch {
  std::vector<int32_t> inputs, targets;

  bool operator==(const Batch &other) const {
    return inputs == other.inputs && targets == other.targets;
  }
  bool operator<(const Batch &other) const { return inputs < other.inputs; }
};

Batch batchOf(const BatchSampler &sampler, int64_t number) {
  size_t size = size_t(sampler.options().batch * sampler.options().length);
  Batch batch = {std::vector<int32_t>(size, -7), std::vector<int32_t>(size)};
  absl::Status status = sampler.fill(number, absl::MakeSpan(batch.inputs),
                                     absl::MakeSpan(batch.targets));
  EXPECT_TRUE(status.ok()) << status;
  return batch;
}

class EveryKind : public ::testing::TestWithParam<SamplerKind> {};

INSTANTIATE_TEST_SUITE_P(Kinds, EveryKind,
                         ::testing::Values(SamplerKind::kRandomWindow,
                                           SamplerKind::kEpochs));

TEST_P(EveryKind, TargetsAreInputsOneTokenLaterInTheSameShard) {
  // The ids are positions through both shards, which meet at 100.
  BatchSampler sampler =
      make(datasetOf({100, 57}), optionsOf(GetParam(), 3, 8));
  for (int64_t number = 0; number < 200; ++number) {
    Batch batch = batchOf(sampler, number);
    for (size_t row = 0; row < 3; ++row) {
      int32_t first = batch.inputs[row * 8];
      TokenWindow window = sampler.window(number, int64_t(row));
      EXPECT_EQ(first, int32_t(window.shard) * 100 + window.offset);
      EXPECT_TRUE(first + 8 < 100 || first >= 100);
      EXPECT_LT(first + 8, 157);
      for (size_t i = 0; i < 8; ++i) {
        EXPECT_EQ(batch.inputs[row * 8 + i], first + int32_t(i));
        EXPECT_EQ(batch.targets[row * 8 + i], first + int32_t(i) + 1);
      }
    }
  }
}

TEST_P(EveryKind, ABatchFollowsFromItsNumber) {
  SamplerOptions options = optionsOf(GetParam(), 2, 5);
  BatchSampler forwards = make(datasetOf({300, 200}), options);
  BatchSampler backwards = make(datasetOf({300, 200}), options);
  std::vector<Batch> first, second;
  for (int64_t i = 0; i < 40; ++i)
    first.push_back(batchOf(forwards, i));
  for (int64_t i = 39; i >= 0; --i)
    second.push_back(batchOf(backwards, i));
  std::reverse(second.begin(), second.end());
  EXPECT_EQ(first, second);
}

TEST_P(EveryKind, SeedsAndStreamsDrawIndependently) {
  SamplerOptions options = optionsOf(GetParam(), 2, 5, 1);
  BatchSampler sampler = make(datasetOf({4000}), options);
  options.seed = uint64_t(1) << 32;
  BatchSampler otherSeed = make(datasetOf({4000}), options);
  options.seed = 1;
  options.stream = "evaluate";
  BatchSampler otherStream = make(datasetOf({4000}), options);
  int sameSeed = 0, sameStream = 0;
  for (int64_t i = 0; i < 50; ++i) {
    sameSeed += batchOf(sampler, i) == batchOf(otherSeed, i);
    sameStream += batchOf(sampler, i) == batchOf(otherStream, i);
  }
  EXPECT_EQ(sameSeed, 0);
  EXPECT_EQ(sameStream, 0);
}

TEST_P(EveryKind, RanksSeeTogetherWhatOneSeesThatAccumulates) {
  BatchSampler sampler =
      make(datasetOf({500, 300}), optionsOf(GetParam(), 2, 5));
  BatchNumbering one{1, 6};
  for (BatchNumbering many :
       {BatchNumbering{2, 3}, BatchNumbering{3, 2}, BatchNumbering{6, 1}}) {
    EXPECT_EQ(many.perStep(), one.perStep());
    for (int64_t step = 0; step < 5; ++step) {
      std::multiset<Batch> expected, got;
      for (int64_t micro = 0; micro < 6; ++micro)
        expected.insert(
            batchOf(sampler, one.number(one.position(step), micro, 0)));
      for (int64_t micro = 0; micro < many.accumulation; ++micro)
        for (int64_t rank = 0; rank < many.ranks; ++rank)
          got.insert(
              batchOf(sampler, many.number(many.position(step), micro, rank)));
      EXPECT_EQ(got, expected);
    }
  }
}

TEST(BatchNumbering, IsAsDocumented) {
  BatchNumbering numbering{2, 3};
  std::vector<int64_t> numbers;
  for (int64_t step : {0, 1})
    for (int64_t micro : {0, 1, 2})
      numbers.push_back(
          numbering.number(numbering.position(step), micro, /*rank=*/1));
  EXPECT_THAT(numbers, ElementsAre(1, 3, 5, 7, 9, 11));
}

TEST_P(EveryKind, TokensOutsideTheVocabularyAreNamed) {
  BatchSampler sampler = make(datasetOf({9}, 8), optionsOf(GetParam(), 1, 8));
  std::vector<int32_t> inputs(8), targets(8);
  EXPECT_TRUE(isError(
      sampler.fill(0, absl::MakeSpan(inputs), absl::MakeSpan(targets)),
      absl::StatusCode::kFailedPrecondition, {"shard 0: token 8 has id 8"}));
}

TEST_P(EveryKind, WhatCannotBeSampledIsRefused) {
  auto refused = [&](TokenDataset dataset, int64_t batch, int64_t length,
                     absl::string_view part) {
    EXPECT_TRUE(
        isError(BatchSampler::create(std::move(dataset),
                                     optionsOf(GetParam(), batch, length))
                    .status(),
                kInvalid, {part}));
  };
  refused(datasetOf({9}), 0, 8, "a batch of 0 windows");
  refused(datasetOf({9}), 1, 0, "of length 0");
  refused(datasetOf({9}), INT64_MAX, 8, "cannot be made");
  refused(datasetOf({20, 8}), 1, 8, "shard 1 has 8 tokens");
  refused(TokenDataset(), 1, 8, "no shards");
}

TEST_P(EveryKind, NumbersOutOfRangeAreRefused) {
  BatchSampler sampler = make(datasetOf({300}), optionsOf(GetParam(), 3, 2));
  std::vector<int32_t> inputs(6), targets(6), few(5);
  auto fill = [&](int64_t number) {
    return sampler.fill(number, absl::MakeSpan(inputs),
                        absl::MakeSpan(targets));
  };
  EXPECT_TRUE(fill(sampler.numberLimit() - 1).ok());
  EXPECT_TRUE(isError(fill(sampler.numberLimit()), kInvalid,
                      {"no micro-batch 2305843009213693951"}));
  EXPECT_TRUE(isError(fill(-1), kInvalid, {"no micro-batch -1"}));
  EXPECT_EQ(sampler.fill(0, absl::MakeSpan(inputs), absl::MakeSpan(few)).code(),
            absl::StatusCode::kInternal);
}

TEST(RandomWindow, ABatchIsOfOneShardAndAllAreHit) {
  BatchSampler sampler = make(datasetOf({2000, 20, 200}),
                              optionsOf(SamplerKind::kRandomWindow, 4, 8));
  std::map<size_t, int> batches;
  for (int64_t number = 0; number < 900; ++number) {
    size_t shard = sampler.window(number, 0).shard;
    ++batches[shard];
    for (int64_t row = 1; row < 4; ++row)
      EXPECT_EQ(sampler.window(number, row).shard, shard);
  }
  // Equally likely whatever their sizes; 300 +- 6 standard deviations.
  ASSERT_EQ(batches.size(), 3u);
  for (auto [shard, count] : batches) {
    EXPECT_GT(count, 215) << shard;
    EXPECT_LT(count, 385) << shard;
  }
}

TEST(RandomWindow, OffsetsDoNotDependOnTheShard) {
  BatchSampler sampler = make(datasetOf({1008, 1008}),
                              optionsOf(SamplerKind::kRandomWindow, 2, 8));
  // Batches by the shard and by the halves that the two rows begin in.
  int batches[2][2][2] = {};
  for (int64_t number = 0; number < 800; ++number) {
    TokenWindow first = sampler.window(number, 0);
    TokenWindow second = sampler.window(number, 1);
    ++batches[first.shard][first.offset >= 500][second.offset >= 500];
  }
  // 100 +- 5 standard deviations.
  for (auto &ofShard : batches)
    for (auto &ofHalf : ofShard)
      EXPECT_THAT(ofHalf, Each(AllOf(Gt(53), Lt(147))));
}

TEST(RandomWindow, EveryLegalOffsetIsReached) {
  // 12 tokens and windows of 8 + 1: offsets 0 to 3.
  BatchSampler sampler =
      make(datasetOf({12}), optionsOf(SamplerKind::kRandomWindow, 2, 8));
  std::set<int64_t> offsets;
  for (int64_t number = 0; number < 100; ++number)
    for (int64_t row : {0, 1})
      offsets.insert(sampler.window(number, row).offset);
  EXPECT_THAT(offsets, ElementsAre(0, 1, 2, 3));
}

TEST(RandomWindow, OneWindowIsTakenAgainAndAgain) {
  BatchSampler sampler =
      make(datasetOf({9}), optionsOf(SamplerKind::kRandomWindow, 3, 8));
  for (int64_t number = 0; number < 20; ++number)
    EXPECT_EQ(sampler.window(number, 2), (TokenWindow{0, 0}));
}

/// The offsets, in tokens through all shards of 1 << 20, of an epoch.
std::vector<int64_t> epochOf(const BatchSampler &sampler, int64_t epoch) {
  int64_t count = sampler.windowsPerEpoch(), batch = sampler.options().batch;
  std::vector<int64_t> order;
  for (int64_t sample = epoch * count; sample < (epoch + 1) * count; ++sample) {
    TokenWindow window = sampler.window(sample / batch, sample % batch);
    order.push_back(int64_t(window.shard << 20) + window.offset);
  }
  return order;
}

TEST(Epochs, EveryWindowOnceAnEpoch) {
  constexpr int64_t kLength = 4;
  for (int64_t count : {1, 2, 3, 4, 5, 17, 64, 65, 1000})
    for (int64_t batch : {1, 3, 8}) {
      BatchSampler sampler =
          make(datasetOf({size_t(count * kLength + 1)}),
               optionsOf(SamplerKind::kEpochs, batch, kLength));
      ASSERT_EQ(sampler.windowsPerEpoch(), count);
      for (int64_t epoch : {0, 1, 2, 1000}) {
        std::vector<int64_t> order = epochOf(sampler, epoch);
        std::sort(order.begin(), order.end());
        for (int64_t i = 0; i < count; ++i)
          ASSERT_EQ(order[size_t(i)], i * kLength)
              << "epoch " << epoch << " of " << count << " windows";
      }
    }
}

TEST(Epochs, EveryWindowOfEveryShard) {
  // 1, 7 and 3 windows; what is left of a shard has none.
  BatchSampler sampler =
      make(datasetOf({8, 32, 13}), optionsOf(SamplerKind::kEpochs, 2, 4));
  ASSERT_EQ(sampler.windowsPerEpoch(), 11);
  std::vector<int64_t> order = epochOf(sampler, 5);
  std::sort(order.begin(), order.end());
  constexpr int64_t kShard = 1 << 20;
  EXPECT_THAT(order, ElementsAre(0, kShard, kShard + 4, kShard + 8, kShard + 12,
                                 kShard + 16, kShard + 20, kShard + 24,
                                 2 * kShard, 2 * kShard + 4, 2 * kShard + 8));
}

TEST(Epochs, EachHasAnOrderOfItsOwn) {
  BatchSampler sampler =
      make(datasetOf({4001}), optionsOf(SamplerKind::kEpochs, 4, 4));
  std::set<std::vector<int64_t>> orders;
  for (int64_t epoch = 0; epoch < 8; ++epoch) {
    std::vector<int64_t> order = epochOf(sampler, epoch);
    // Of a random order, one window in expectation stays where it was, and
    // half of all neighbours ascend.
    int64_t inPlace = 0, ascending = 0;
    for (size_t i = 0; i < order.size(); ++i) {
      inPlace += order[i] == int64_t(i) * 4;
      ascending += i > 0 && order[i] > order[i - 1];
    }
    EXPECT_LT(inPlace, 10);
    EXPECT_GT(ascending, 430);
    EXPECT_LT(ascending, 570);
    orders.insert(std::move(order));
  }
  EXPECT_EQ(orders.size(), 8u);
}

TEST(Epochs, TwoWindowsComeInEitherOrder) {
  BatchSampler sampler =
      make(datasetOf({9}), optionsOf(SamplerKind::kEpochs, 1, 4));
  int swapped = 0;
  for (int64_t epoch = 0; epoch < 200; ++epoch)
    swapped += sampler.window(2 * epoch, 0).offset == 4;
  EXPECT_GT(swapped, 60);
  EXPECT_LT(swapped, 140);
}

TEST(SamplerKind, Names) {
  EXPECT_EQ(*parseSamplerKind("random-window"), SamplerKind::kRandomWindow);
  EXPECT_EQ(*parseSamplerKind("epochs"), SamplerKind::kEpochs);
  EXPECT_TRUE(isError(parseSamplerKind("epoch").status(), kInvalid,
                      {"no sampler 'epoch'", "random-window and epochs"}));
}

} // namespace
} // namespace t6
