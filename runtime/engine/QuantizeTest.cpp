//===- QuantizeTest.cpp - Matrices as 8-bit integers ----------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// What rounding, zeros, extremes and values that are no numbers become.
//
//===----------------------------------------------------------------------===//

#include "runtime/engine/Quantize.h"

#include "runtime/io/Half.h"

#include <cmath>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <limits>
#include <vector>

namespace t6 {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

constexpr float kInfinity = std::numeric_limits<float>::infinity();

std::vector<int8_t> quantized(const std::vector<float> &row, float &scale) {
  std::vector<int8_t> values(row.size(), 99);
  EXPECT_TRUE(quantizeRow(row, values.data(), &scale));
  return values;
}

TEST(QuantizeTest, LargestMagnitudeIs127) {
  float scale;
  EXPECT_THAT(quantized({127, -1, 64}, scale), ElementsAre(127, -1, 64));
  EXPECT_EQ(scale, 1);
  EXPECT_THAT(quantized({-0.3f, 0.1f}, scale), ElementsAre(-127, 42));
}

TEST(QuantizeTest, TiesGoToTheEvenInteger) {
  float scale;
  EXPECT_THAT(quantized({127, 0.5f, 1.5f, 2.5f, -2.5f, -3.5f}, scale),
              ElementsAre(127, 0, 2, 2, -2, -4));
}

TEST(QuantizeTest, ZerosHaveScaleZero) {
  float scale = 5;
  EXPECT_THAT(quantized({0, -0.0f, 0}, scale), ElementsAre(0, 0, 0));
  EXPECT_EQ(scale, 0);
}

TEST(QuantizeTest, ExtremesStayInRange) {
  float scale;
  float most = std::numeric_limits<float>::max();
  EXPECT_THAT(quantized({most, -most, most / 4}, scale),
              ElementsAre(127, -127, 32));
  EXPECT_TRUE(std::isfinite(scale * 127));
  // Too small for a scale of full precision: as good as zero.
  float least = std::numeric_limits<float>::denorm_min();
  EXPECT_THAT(quantized({least, -least}, scale), ElementsAre(0, 0));
  EXPECT_EQ(scale, 0);
}

TEST(QuantizeTest, ErrorIsAtMostHalfAStep) {
  std::vector<float> row;
  for (int i = 0; i < 1001; ++i)
    row.push_back(std::sin(0.37f * i) * (1 + i % 7));
  float scale;
  std::vector<int8_t> values = quantized(row, scale);
  for (size_t i = 0; i < row.size(); ++i)
    EXPECT_LE(std::fabs(row[i] - values[i] * scale), 0.5001f * scale) << i;
}

TEST(QuantizeTest, RefusesWhatIsNotFinite) {
  int8_t values[2];
  float scale;
  for (float bad : {kInfinity, -kInfinity, std::nanf("")})
    EXPECT_FALSE(quantizeRow({1, bad}, values, &scale));
}

class QuantizeRowsTest : public ::testing::Test {
protected:
  void SetUp() override {
    auto made = ThreadPool::create(2);
    ASSERT_TRUE(made.ok());
    pool = *std::move(made);
  }
  std::unique_ptr<ThreadPool> pool;
};

TEST_F(QuantizeRowsTest, EachRowHasItsScale) {
  // More rows than a block, an odd number of columns, in bf16.
  constexpr int64_t rows = 131, columns = 3;
  std::vector<uint16_t> data;
  for (int64_t i = 0; i < rows; ++i)
    for (float value : {0.5f, -2.0f, 0.0f})
      data.push_back(f32ToBf16(value * float(i)));
  TensorView view{DType::BF16, {rows, columns}, data.data(), data.size() * 2};
  std::vector<int8_t> values(rows * columns);
  std::vector<float> scales(rows, -1);
  ASSERT_TRUE(quantizeRows(*pool, view, values.data(), scales.data()).ok());
  for (int64_t i = 0; i < rows; ++i) {
    float expected = 2 * bf16ToF32(f32ToBf16(float(i))) / 127;
    EXPECT_FLOAT_EQ(scales[i], expected) << i;
    EXPECT_EQ(values[i * columns], i ? 32 : 0) << i;
    EXPECT_EQ(values[i * columns + 1], i ? -127 : 0) << i;
    EXPECT_EQ(values[i * columns + 2], 0) << i;
  }
}

TEST_F(QuantizeRowsTest, NamesTheRowThatIsNotFinite) {
  std::vector<float> data(200, 1.0f);
  data[2 * 70 + 1] = kInfinity;
  TensorView view{DType::F32, {100, 2}, data.data(), data.size() * 4};
  std::vector<int8_t> values(200);
  std::vector<float> scales(100);
  absl::Status status = quantizeRows(*pool, view, values.data(), scales.data());
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(status.message()), HasSubstr("row 70"));
}

} // namespace
} // namespace t6
