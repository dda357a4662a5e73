//===- EvaluationSetTest.cpp - Fixed windows to evaluate on ---------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "runtime/data/EvaluationSet.h"

#include "runtime/data/TestSupport.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace t6 {
namespace {

using testing::datasetOf;
using ::testing::ElementsAre;
using testing::isError;

constexpr auto kInvalid = absl::StatusCode::kInvalidArgument;

EvaluationSet make(TokenDataset dataset, int64_t batch, int64_t length,
                   int64_t maxWindows) {
  auto set =
      EvaluationSet::create(std::move(dataset), {batch, length, maxWindows});
  EXPECT_TRUE(set.ok()) << set.status();
  return *std::move(set);
}

/// First inputs of all windows of a set of batches of 1.
std::vector<int32_t> firstInputs(const EvaluationSet &set, size_t length) {
  std::vector<int32_t> first, inputs(length), targets(length);
  for (int64_t batch = 0; batch < set.batches(); ++batch) {
    absl::Status status =
        set.fill(batch, absl::MakeSpan(inputs), absl::MakeSpan(targets));
    EXPECT_TRUE(status.ok()) << status;
    first.push_back(inputs[0]);
    EXPECT_EQ(targets[length - 1], inputs[0] + int32_t(length));
  }
  return first;
}

TEST(EvaluationSet, WindowsAreSpreadEvenly) {
  // Ten windows: four in the first shard, six in the second.
  TokenDataset dataset = datasetOf({18, 26});
  EXPECT_THAT(firstInputs(make(dataset, 1, 4, 0), 4),
              ElementsAre(0, 4, 8, 12, 18, 22, 26, 30, 34, 38));
  EXPECT_THAT(firstInputs(make(dataset, 1, 4, 10), 4),
              ElementsAre(0, 4, 8, 12, 18, 22, 26, 30, 34, 38));
  EXPECT_THAT(firstInputs(make(dataset, 1, 4, 5), 4),
              ElementsAre(0, 8, 18, 26, 34));
  // Numbers 0, 3 and 6.
  EXPECT_THAT(firstInputs(make(dataset, 1, 4, 3), 4), ElementsAre(0, 12, 26));
  EXPECT_THAT(firstInputs(make(dataset, 1, 4, 1), 4), ElementsAre(0));
  EXPECT_EQ(make(dataset, 1, 4, 1000).windows(), 10);
}

TEST(EvaluationSet, RowsWithoutAWindowAreNotCounted) {
  EvaluationSet set = make(datasetOf({7}), 2, 2, 0);
  ASSERT_EQ(set.windows(), 3);
  ASSERT_EQ(set.batches(), 2);
  EXPECT_EQ(set.rows(0), 2);
  EXPECT_EQ(set.rows(1), 1);
  std::vector<int32_t> inputs(4, 9), targets(4, 9);
  auto fill = [&](int64_t batch) {
    return set.fill(batch, absl::MakeSpan(inputs), absl::MakeSpan(targets));
  };
  ASSERT_TRUE(fill(0).ok());
  EXPECT_THAT(inputs, ElementsAre(0, 1, 2, 3));
  EXPECT_THAT(targets, ElementsAre(1, 2, 3, 4));
  ASSERT_TRUE(fill(1).ok());
  EXPECT_THAT(inputs, ElementsAre(4, 5, 0, 0));
  EXPECT_THAT(targets, ElementsAre(5, 6, -1, -1));
  EXPECT_TRUE(isError(fill(2), kInvalid, {"no evaluation batch 2", "0 to 1"}));
  EXPECT_TRUE(isError(fill(-1), kInvalid, {"no evaluation batch -1"}));
  std::vector<int32_t> few(3);
  EXPECT_EQ(set.fill(0, absl::MakeSpan(few), absl::MakeSpan(targets)).code(),
            absl::StatusCode::kInternal);
}

TEST(EvaluationSet, BadOptionsAreRefused) {
  auto refused = [](TokenDataset dataset, EvaluationOptions options,
                    absl::string_view part) {
    EXPECT_TRUE(
        isError(EvaluationSet::create(std::move(dataset), options).status(),
                kInvalid, {part}));
  };
  refused(datasetOf({9}), {0, 4, 0}, "a batch of 0 windows");
  refused(datasetOf({9}), {1, 0, 0}, "of length 0");
  refused(datasetOf({9}), {INT64_MAX, 4, 0}, "cannot be made");
  refused(datasetOf({9}), {1, 4, -1}, "is -1");
  refused(datasetOf({9}), {1, 9, 0}, "shard 0 has 9 tokens");
  refused(TokenDataset(), {1, 4, 0}, "no shards");
}

TEST(EvaluationSet, TokensOutsideTheVocabularyAreNamed) {
  EvaluationSet set = make(datasetOf({9}, 8), 1, 4, 0);
  std::vector<int32_t> inputs(4), targets(4);
  auto fill = [&](int64_t batch) {
    return set.fill(batch, absl::MakeSpan(inputs), absl::MakeSpan(targets));
  };
  EXPECT_TRUE(fill(0).ok());
  EXPECT_TRUE(isError(fill(1), absl::StatusCode::kFailedPrecondition,
                      {"shard 0: token 8 has id 8"}));
}

} // namespace
} // namespace t6
