//===- SamplerTest.cpp - Every sampling option, alone and together --------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "runtime/sampling/Sampler.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"

#include <cmath>
#include <limits>
#include <random>
#include <set>
#include <vector>

namespace t6 {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using Logits = std::vector<float>;

constexpr float kInf = std::numeric_limits<float>::infinity();

Sampler make(const SamplingOptions &options) {
  auto sampler = Sampler::create(options);
  EXPECT_TRUE(sampler.ok()) << sampler.status();
  return *sampler;
}

/// How often each token comes in `draws` positions.
std::vector<int> histogram(const SamplingOptions &options, const Logits &logits,
                           int draws = 20000,
                           const std::vector<int32_t> &history = {}) {
  Sampler sampler = make(options);
  std::vector<int> counts(logits.size());
  for (int i = 0; i < draws; ++i) {
    auto id = sampler.sample(logits, history, uint64_t(i));
    EXPECT_TRUE(id.ok()) << id.status();
    ++counts[size_t(*id)];
  }
  return counts;
}

std::set<int> support(const SamplingOptions &options, const Logits &logits,
                      const std::vector<int32_t> &history = {}) {
  std::vector<int> counts = histogram(options, logits, 4000, history);
  std::set<int> ids;
  for (size_t i = 0; i < counts.size(); ++i)
    if (counts[i])
      ids.insert(int(i));
  return ids;
}

/// Pearson's statistic against `expected`, which need not be normalised.
double chiSquare(const std::vector<int> &counts,
                 const std::vector<double> &expected) {
  double draws = 0, total = 0, statistic = 0;
  for (size_t i = 0; i < counts.size(); ++i) {
    draws += counts[i];
    total += expected[i];
  }
  for (size_t i = 0; i < counts.size(); ++i) {
    double mean = draws * expected[i] / total;
    if (mean > 0)
      statistic += (counts[i] - mean) * (counts[i] - mean) / mean;
    else
      EXPECT_EQ(counts[i], 0);
  }
  return statistic;
}

Logits logsOf(const std::vector<double> &probabilities) {
  Logits logits;
  for (double p : probabilities)
    logits.push_back(float(std::log(p)) + 3);
  return logits;
}

TEST(Sampler, TemperatureZeroTakesTheLargestAndTheLowestIdOfEquals) {
  SamplingOptions options;
  options.temperature = 0;
  options.topK = 1;
  Sampler sampler = make(options);
  EXPECT_EQ(*sampler.sample({1, 3, 2, 3}, {}, 0), 1);
  EXPECT_EQ(*sampler.sample({-kInf, -5, -kInf}, {}, 0), 1);
  EXPECT_EQ(*sampler.sample({-0.0f, 0.0f}, {}, 0), 0);
}

// Long enough for several chunks and a rest; the largest twice, anywhere.
TEST(Sampler, TemperatureZeroSearchesAllOfALongRow) {
  SamplingOptions options;
  options.temperature = 0;
  Sampler sampler = make(options);
  options.vocabLimit = 2000;
  Sampler limited = make(options);
  std::mt19937 random(1);
  Logits logits(3 * 1024 + 21);
  for (float &logit : logits)
    logit = float(random() % 1000) - 1000;
  for (size_t first : {0, 15, 16, 1023, 1024, 1999, 2000, 3071, 3077, 3092})
    for (size_t second :
         {first, first + (logits.size() - first) / 2, logits.size() - 1}) {
      Logits row = logits;
      row[first] = row[second] = 1;
      EXPECT_EQ(*sampler.sample(row, {}, 0), int32_t(first));
      if (first < 2000)
        EXPECT_EQ(*limited.sample(row, {}, 0), int32_t(first));
      row[second] = std::nanf("");
      EXPECT_THAT(std::string(sampler.sample(row, {}, 0).status().message()),
                  HasSubstr("the logit of token " + std::to_string(second)));
    }
}

// Quantiles of chi-square with 5 and 3 degrees of freedom at 0.9999: a wrong
// distribution is far beyond them, and the seed is fixed.
constexpr double kLimitOf5 = 25.7;
constexpr double kLimitOf3 = 21.1;

TEST(Sampler, DrawsFromTheSoftmax) {
  std::vector<double> p = {0.4, 0.05, 0.3, 0.15, 0.02, 0.08};
  for (uint64_t seed : {1, 2, 3}) {
    SamplingOptions options;
    options.seed = seed;
    EXPECT_LT(chiSquare(histogram(options, logsOf(p)), p), kLimitOf5);
  }
}

TEST(Sampler, TemperatureIsAPowerOfTheProbabilities) {
  std::vector<double> p = {0.4, 0.05, 0.3, 0.15, 0.02, 0.08};
  for (double temperature : {0.5, 2.0}) {
    SamplingOptions options;
    options.temperature = float(temperature);
    std::vector<double> expected;
    for (double x : p)
      expected.push_back(std::pow(x, 1 / temperature));
    EXPECT_LT(chiSquare(histogram(options, logsOf(p)), expected), kLimitOf5);
    EXPECT_GT(chiSquare(histogram(options, logsOf(p)), p), 1000);
  }
}

TEST(Sampler, TopKKeepsTheLargestAndTheLowestIdsOfEquals) {
  SamplingOptions options;
  options.topK = 3;
  EXPECT_THAT(support(options, {1, 2, 1, 3, 1, 1}), ElementsAre(0, 1, 3));
  std::vector<double> p = {0.4, 0.05, 0.3, 0.25};
  EXPECT_LT(chiSquare(histogram(options, logsOf(p)), {0.4, 0, 0.3, 0.25}),
            kLimitOf3);
  options.topK = 1;
  EXPECT_THAT(support(options, {2, 2, 2}), ElementsAre(0));
  options.topK = 100;
  EXPECT_THAT(support(options, {2, 2, 2}), ElementsAre(0, 1, 2));
}

TEST(Sampler, TopPKeepsTheShortestPrefixThatReachesP) {
  SamplingOptions options;
  Logits logits = logsOf({0.2, 0.5, 0.1, 0.2});
  options.topP = 0.45f;
  EXPECT_THAT(support(options, logits), ElementsAre(1));
  options.topP = 0.65f; // Of the two with 0.2, the lower id.
  EXPECT_THAT(support(options, logits), ElementsAre(0, 1));
  options.topP = 0.85f;
  EXPECT_THAT(support(options, logits), ElementsAre(0, 1, 3));
  options.topP = 0.95f;
  EXPECT_THAT(support(options, logits), ElementsAre(0, 1, 2, 3));
  options.topP = 1e-30f;
  EXPECT_THAT(support(options, logits), ElementsAre(1));
  options.topP = 0.85f;
  EXPECT_LT(chiSquare(histogram(options, logits), {0.2, 0.5, 0, 0.2}),
            kLimitOf3);
}

TEST(Sampler, TopPCountsWhatTopKLeft) {
  SamplingOptions options;
  Logits logits = logsOf({0.4, 0.3, 0.2, 0.1});
  options.topP = 0.55f;
  EXPECT_THAT(support(options, logits), ElementsAre(0, 1));
  options.topK = 2; // 0.4 of 0.7 is 0.57.
  EXPECT_THAT(support(options, logits), ElementsAre(0));
}

TEST(Sampler, TopPFollowsTheTemperature) {
  SamplingOptions options;
  Logits logits = logsOf({0.4, 0.3, 0.2, 0.1});
  options.topP = 0.5f;
  EXPECT_THAT(support(options, logits), ElementsAre(0, 1));
  options.temperature = 0.5f; // 0.16 of 0.30 is 0.53.
  EXPECT_THAT(support(options, logits), ElementsAre(0));
}

TEST(Sampler, MinPIsRelativeToTheMostLikely) {
  SamplingOptions options;
  Logits logits = logsOf({0.4, 0.3, 0.2, 0.1});
  options.minP = 0.4f;
  EXPECT_THAT(support(options, logits), ElementsAre(0, 1, 2));
  options.temperature = 0.5f; // The ratios are squared: 1, 0.56, 0.25, 0.06.
  EXPECT_THAT(support(options, logits), ElementsAre(0, 1));
  options.minP = 1;
  EXPECT_THAT(support(options, logits), ElementsAre(0));
  EXPECT_THAT(support(options, {1, 2, 2}), ElementsAre(1, 2));
}

TEST(Sampler, TopPComesBeforeMinP) {
  SamplingOptions options;
  Logits logits = logsOf({0.4, 0.3, 0.2, 0.1});
  options.topP = 0.75f; // 0.4 + 0.3 is less; it would reach 0.75 of 0.9.
  options.minP = 0.4f;
  EXPECT_THAT(support(options, logits), ElementsAre(0, 1, 2));
}

TEST(Sampler, TheRepetitionPenaltyLowersLogitsOfEitherSign) {
  SamplingOptions options;
  options.repetitionPenalty = 2;
  options.temperature = 0;
  Sampler sampler = make(options);
  EXPECT_EQ(*sampler.sample({3, 2}, {}, 0), 0);
  EXPECT_EQ(*sampler.sample({3, 2}, {0}, 0), 1);
  EXPECT_EQ(*sampler.sample({-3, -4}, {0}, 0), 1);
  EXPECT_EQ(*sampler.sample({-3, -7}, {0}, 0), 0);
  EXPECT_EQ(*sampler.sample({0, -1}, {0}, 0), 0);
  // Once, however often the token occurs; ids without a logit do nothing.
  EXPECT_EQ(*sampler.sample({5, 2}, {0, 0, 0, -1, 2, 1 << 30}, 0), 0);
  options.repetitionPenalty = 0.5f;
  sampler = make(options);
  EXPECT_EQ(*sampler.sample({2, 3}, {0}, 0), 0);
  EXPECT_EQ(*sampler.sample({-3, -2}, {0}, 0), 0);
}

TEST(Sampler, ThePenaltyComesBeforeTheTemperature) {
  SamplingOptions options;
  options.repetitionPenalty = 2;
  options.temperature = 2;
  EXPECT_LT(chiSquare(histogram(options, {2, 1, -1, 0}, 20000, {0, 2}),
                      {std::exp(0.5), std::exp(0.5), std::exp(-1.0), 1}),
            kLimitOf3);
}

TEST(Sampler, PaddingIdsAreNeverTaken) {
  SamplingOptions options;
  options.vocabLimit = 2;
  Logits logits = {0, 0, 50, kInf, std::nanf("")};
  EXPECT_THAT(support(options, logits), ElementsAre(0, 1));
  EXPECT_THAT(support(options, logits, {3}), ElementsAre(0, 1));
  options.temperature = 0;
  EXPECT_EQ(*make(options).sample(logits, {}, 0), 0);
  options.vocabLimit = 100;
  EXPECT_EQ(*make(options).sample({1, 2}, {}, 0), 1);
}

TEST(Sampler, MinusInfinityIsNeverTaken) {
  SamplingOptions options;
  EXPECT_THAT(support(options, {-kInf, 1, -kInf, 1}), ElementsAre(1, 3));
  options.repetitionPenalty = 0.5f;
  options.topP = 0.99f;
  EXPECT_THAT(support(options, {-kInf, 1, -kInf, 1}, {0}), ElementsAre(1, 3));
}

TEST(Sampler, ExtremesNeitherOverflowNorFail) {
  SamplingOptions options;
  options.temperature = 1e-38f;
  options.repetitionPenalty = 1e-38f;
  const float big = std::numeric_limits<float>::max();
  EXPECT_THAT(support(options, {big, -big, 0}, {0, 1}), ElementsAre(0));
  options.temperature = big;
  EXPECT_THAT(support(options, {1, 2, 3}), ElementsAre(0, 1, 2));
}

TEST(Sampler, TheSameArgumentsGiveTheSameToken) {
  std::mt19937 random(3);
  Logits logits(1000);
  for (float &logit : logits)
    logit = float(random() % 1000) / 100;
  SamplingOptions options;
  options.seed = 42;
  options.topP = 0.9f;
  options.topK = 200;
  Sampler a = make(options), b = make(options);
  std::vector<int32_t> first, again, otherRow, otherSeed;
  for (uint64_t i = 0; i < 100; ++i)
    first.push_back(*a.sample(logits, {}, i));
  for (uint64_t i = 100; i-- > 0;)
    again.insert(again.begin(), *b.sample(logits, {}, i, 0));
  options.seed = 43;
  Sampler c = make(options);
  for (uint64_t i = 0; i < 100; ++i) {
    otherRow.push_back(*a.sample(logits, {}, i, 1));
    otherSeed.push_back(*c.sample(logits, {}, i));
  }
  EXPECT_EQ(first, again);
  EXPECT_NE(first, otherRow);
  EXPECT_NE(first, otherSeed);
}

TEST(Sampler, DamagedLogitsAreNamed) {
  for (float temperature : {0.0f, 1.0f}) {
    SamplingOptions options;
    options.temperature = temperature;
    Sampler sampler = make(options);
    absl::Status nan = sampler.sample({0, std::nanf("")}, {}, 17).status();
    EXPECT_EQ(nan.code(), absl::StatusCode::kInternal);
    EXPECT_THAT(nan.message(), HasSubstr("token 1 for position 17 is nan"));
    EXPECT_THAT(sampler.sample({kInf}, {}, 17).status().message(),
                HasSubstr("is inf"));
    absl::Status none = sampler.sample({-kInf, -kInf}, {}, 18).status();
    EXPECT_THAT(none.message(), HasSubstr("position 18: all 2 logits"));
    EXPECT_FALSE(sampler.sample({}, {}, 0).ok());
  }
}

TEST(Sampler, OptionsOutOfRangeAreRefused) {
  const float nan = std::nanf("");
  auto refused = [](const char *message, auto change) {
    SamplingOptions options;
    change(options);
    absl::Status status = Sampler::create(options).status();
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << message;
    EXPECT_THAT(status.message(), HasSubstr(message));
    EXPECT_THAT(status.message(), HasSubstr("; HINT: "));
  };
  for (float v : {-1.0f, nan, kInf})
    refused("the temperature is", [&](auto &o) { o.temperature = v; });
  for (float v : {0.0f, -1.0f, nan, kInf})
    refused("repetition penalty", [&](auto &o) { o.repetitionPenalty = v; });
  for (float v : {0.0f, -0.5f, 1.5f, nan})
    refused("top-p is", [&](auto &o) { o.topP = v; });
  for (float v : {-0.5f, 1.5f, nan})
    refused("min-p is", [&](auto &o) { o.minP = v; });
  refused("top-k is -1", [](auto &o) { o.topK = -1; });
  refused("vocabulary limit is -1", [](auto &o) { o.vocabLimit = -1; });
}

} // namespace
} // namespace t6
