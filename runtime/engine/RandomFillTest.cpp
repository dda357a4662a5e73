//===- RandomFillTest.cpp -------------------------------------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "runtime/engine/RandomFill.h"

#include "runtime/io/Half.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <vector>

namespace t6 {
namespace {

// More than one block of a fill, and odd: a normal pair is cut at the end.
constexpr int64_t kElements = 200001;

std::unique_ptr<ThreadPool> makePool(int threads) {
  absl::StatusOr<std::unique_ptr<ThreadPool>> pool =
      ThreadPool::create(threads);
  EXPECT_TRUE(pool.ok()) << pool.status();
  return *std::move(pool);
}

std::vector<float> uniform(uint64_t seed, double bound,
                           int64_t elements = kElements, int threads = 2) {
  std::vector<float> values(elements, NAN);
  fillUniform(*makePool(threads), DType::F32, values.data(), elements, seed,
              bound);
  return values;
}

std::vector<float> normal(uint64_t seed, double deviation,
                          int64_t elements = kElements, int threads = 2) {
  std::vector<float> values(elements, NAN);
  fillNormal(*makePool(threads), DType::F32, values.data(), elements, seed,
             deviation);
  return values;
}

double mean(const std::vector<float> &values) {
  double sum = 0;
  for (float value : values)
    sum += value;
  return sum / double(values.size());
}

double deviation(const std::vector<float> &values) {
  double center = mean(values), sum = 0;
  for (float value : values)
    sum += (value - center) * (value - center);
  return std::sqrt(sum / double(values.size()));
}

/// Of each element with the next.
double correlation(const std::vector<float> &values) {
  double center = mean(values), sum = 0;
  for (size_t i = 1; i < values.size(); ++i)
    sum += (values[i] - center) * (values[i - 1] - center);
  return sum / double(values.size()) / std::pow(deviation(values), 2);
}

double shareBeyond(const std::vector<float> &values, float limit) {
  return double(std::count_if(
             values.begin(), values.end(),
             [=](float value) { return std::fabs(value) > limit; })) /
         double(values.size());
}

// The standard error of a mean of so many is 0.0022 deviations, that of a
// deviation 0.0016: the bounds below are about five of them.
TEST(RandomFill, UniformFillsItsInterval) {
  std::vector<float> values = uniform(7, 0.25);
  auto [least, greatest] = std::minmax_element(values.begin(), values.end());
  EXPECT_GE(*least, -0.25f);
  EXPECT_LT(*least, -0.2499f);
  EXPECT_LT(*greatest, 0.25f);
  EXPECT_GT(*greatest, 0.2499f);
  double expected = 0.25 / std::sqrt(3.0);
  EXPECT_NEAR(mean(values), 0, 0.011 * expected);
  EXPECT_NEAR(deviation(values), expected, 0.008 * expected);
  EXPECT_NEAR(shareBeyond(values, 0.125f), 0.5, 0.006);
  EXPECT_NEAR(correlation(values), 0, 0.012);
}

TEST(RandomFill, NormalHasItsDeviationAndTails) {
  std::vector<float> values = normal(7, 0.02);
  EXPECT_NEAR(mean(values), 0, 0.011 * 0.02);
  EXPECT_NEAR(deviation(values), 0.02, 0.008 * 0.02);
  EXPECT_NEAR(shareBeyond(values, 0.02f), 0.3173, 0.006);
  EXPECT_NEAR(shareBeyond(values, 0.04f), 0.0455, 0.003);
  EXPECT_NEAR(shareBeyond(values, 0.06f), 0.0027, 0.0006);
  EXPECT_EQ(shareBeyond(values, 0.12f), 0);
  EXPECT_NEAR(correlation(values), 0, 0.012);
}

TEST(RandomFill, DependsOnSeedAndIndexAlone) {
  for (auto fill : {uniform, normal}) {
    std::vector<float> values = fill(3, 1, kElements, 1);
    EXPECT_EQ(fill(3, 1, kElements, 3), values);
    EXPECT_EQ(fill(3, 1, 1001, 1),
              std::vector<float>(values.begin(), values.begin() + 1001));
    EXPECT_NE(fill(4, 1, kElements, 1), values);
  }
}

TEST(RandomFill, StaysTheSame) {
  std::vector<float> even = uniform(1, 1, 3), bell = normal(1, 1, 3);
  const float expectedEven[] = {0.13312304f, 0.49156344f, 0.9420054f},
              expectedBell[] = {0.9466404f, -0.4901132f, 0.2217367f};
  for (int i = 0; i < 3; ++i) {
    EXPECT_FLOAT_EQ(even[i], expectedEven[i]) << i;
    EXPECT_NEAR(bell[i], expectedBell[i], 1e-5) << i;
  }
}

TEST(RandomFill, RoundsToBf16) {
  std::vector<float> exact = normal(5, 0.02);
  std::vector<uint16_t> rounded(kElements);
  fillNormal(*makePool(2), DType::BF16, rounded.data(), kElements, 5, 0.02);
  for (int64_t i = 0; i < kElements; ++i)
    ASSERT_EQ(rounded[i], f32ToBf16(exact[i])) << i;
}

Buffer param(std::optional<Init> init) {
  Buffer buffer;
  buffer.kind = BufferKind::Param;
  buffer.dtype = DType::F32;
  buffer.maxBytes = kElements * int64_t(sizeof(float));
  buffer.init = init;
  return buffer;
}

std::vector<float> filled(std::optional<Init> init) {
  std::vector<float> values(kElements, NAN);
  fillParam(*makePool(2), param(init), values.data(), 11);
  return values;
}

TEST(RandomFill, ParamsStartAsTheySay) {
  EXPECT_EQ(filled(Init{Init::Kind::Uniform, 0.5}), uniform(11, 0.5));
  EXPECT_EQ(filled(Init{Init::Kind::Normal, 0.5}), normal(11, 0.5));
  EXPECT_EQ(filled(Init{Init::Kind::Constant, 1}),
            std::vector<float>(kElements, 1));
}

TEST(RandomFill, ParamsAreNeverAllZero) {
  std::vector<float> small = uniform(11, 0.03);
  EXPECT_EQ(filled(Init{Init::Kind::Constant, 0}), small);
  EXPECT_EQ(filled(Init{Init::Kind::Constant, -0.0}), small);
  EXPECT_EQ(filled(std::nullopt), small);
}

} // namespace
} // namespace t6
