//===- TokenDatasetTest.cpp - The tokens that a run reads -----------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "runtime/data/TokenDataset.h"

#include "runtime/data/TestSupport.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace t6 {
namespace {

using testing::datasetOf;
using ::testing::ElementsAre;
using testing::isError;
using testing::toVector;

TEST(TokenSpan, HoldsEitherWidth) {
  const std::vector<uint16_t> narrow = {1, 2, 65535};
  const std::vector<int32_t> wide = {1, 2, 100000};
  TokenSpan first(narrow), second(wide);
  EXPECT_EQ(first.size(), 3);
  EXPECT_EQ(first[2], 65535);
  EXPECT_EQ(second[2], 100000);
  EXPECT_THAT(toVector(first.subspan(1, 2)), ElementsAre(2, 65535));
  EXPECT_THAT(toVector(second.subspan(1, 2)), ElementsAre(2, 100000));
}

TEST(TokenSpan, FindsTheFirstIdOutOfRange) {
  // In blocks and in what is left of them.
  for (size_t place : {0, 1, 1023, 1024, 2047, 2500, 2998}) {
    std::vector<uint16_t> narrow(3000, 7);
    std::vector<int32_t> wide(3000, 7);
    narrow[place] = wide[place] = 9;
    narrow[place + 1] = wide[place + 1] = 65535;
    for (TokenSpan span : {TokenSpan(narrow), TokenSpan(wide)}) {
      int64_t found = int64_t(place);
      EXPECT_EQ(span.findAtLeast(7), 0);
      EXPECT_EQ(span.findAtLeast(8), found);
      EXPECT_EQ(span.findAtLeast(9), found);
      EXPECT_EQ(span.findAtLeast(10), found + 1);
      EXPECT_EQ(span.findAtLeast(65535), found + 1);
      EXPECT_EQ(span.findAtLeast(65536), -1);
      EXPECT_EQ(span.subspan(0, found).findAtLeast(8), -1);
    }
  }
}

TEST(WindowList, NumbersWindowsThroughTheShards) {
  // 4 tokens have no window of 4, 9 have two, 8 have one.
  WindowList windows(datasetOf({4, 9, 8}), 4);
  ASSERT_EQ(windows.size(), 3);
  EXPECT_EQ(windows[0], (TokenWindow{1, 0}));
  EXPECT_EQ(windows[1], (TokenWindow{1, 4}));
  EXPECT_EQ(windows[2], (TokenWindow{2, 0}));
}

TEST(TokenDataset, AWindowIsInputsAndTheTokensBehindThem) {
  TokenDataset dataset = datasetOf({10, 10});
  EXPECT_EQ(dataset.tokenCount(), 20);
  std::vector<int32_t> inputs(3), targets(3);
  ASSERT_TRUE(
      dataset.read({1, 6}, absl::MakeSpan(inputs), absl::MakeSpan(targets))
          .ok());
  EXPECT_THAT(inputs, ElementsAre(16, 17, 18));
  EXPECT_THAT(targets, ElementsAre(17, 18, 19));
}

TEST(TokenDataset, TokensOutsideTheVocabularyAreNamed) {
  TokenDataset dataset = datasetOf({10, 10}, 18);
  std::vector<int32_t> inputs(3), targets(3);
  auto read = [&](TokenWindow window) {
    return dataset.read(window, absl::MakeSpan(inputs),
                        absl::MakeSpan(targets));
  };
  EXPECT_TRUE(read({1, 4}).ok());
  // Only its last target is out of range.
  EXPECT_TRUE(isError(read({1, 5}), absl::StatusCode::kFailedPrecondition,
                      {"shard 1: token 8 has id 18", "ids 0 to 17"}));
  EXPECT_TRUE(isError(dataset.checkVocabulary(),
                      absl::StatusCode::kFailedPrecondition,
                      {"shard 1: token 8 has id 18"}));
  EXPECT_TRUE(datasetOf({10, 10}, 20).checkVocabulary().ok());
}

TEST(TokenDataset, PositionsCountFromTheBeginningOfTheFile) {
  TokenShard piece = datasetOf({10}).shards()[0];
  piece.start = 6;
  piece.tokens = piece.tokens.subspan(6, 4);
  TokenDataset dataset({piece}, 8);
  EXPECT_TRUE(isError(dataset.checkVocabulary(),
                      absl::StatusCode::kFailedPrecondition,
                      {"token 8 has id 8"}));
  EXPECT_TRUE(isError(dataset.checkWindows(4),
                      absl::StatusCode::kInvalidArgument,
                      {"shard 0 has 4 tokens from token 6 on", "length 4"}));
}

TEST(TokenDataset, EachShardNeedsAWindow) {
  constexpr auto kInvalid = absl::StatusCode::kInvalidArgument;
  EXPECT_TRUE(datasetOf({6, 5}).checkWindows(4).ok());
  EXPECT_TRUE(isError(datasetOf({6, 5}).checkWindows(5), kInvalid,
                      {"shard 1 has 5 tokens"}));
  EXPECT_TRUE(isError(datasetOf({5}).checkWindows(INT64_MAX), kInvalid,
                      {"shard 0 has 5 tokens"}));
  EXPECT_TRUE(
      isError(TokenDataset().checkWindows(1), kInvalid, {"has no shards"}));
}

} // namespace
} // namespace t6
