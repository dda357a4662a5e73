//===- RopeTableTest.cpp - Rotary tables against double precision ---------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "compiler/artifact/RopeTable.h"
#include "mlir/IR/Builders.h"
#include "mlir/IR/MLIRContext.h"
#include <cmath>
#include <cstring>
#include <gtest/gtest.h>

using namespace mlir;

namespace {

class RopeTable : public ::testing::Test {
protected:
  RopeTable() { context.loadDialect<tpa::TpaDialect>(); }

  tpa::RopeAttr rope(double theta, bool toBf16 = false, double decay = 0.0,
                     bool reciprocal = false) {
    Builder builder(&context);
    return tpa::RopeAttr::get(
        &context, builder.getF64FloatAttr(theta), builder.getF64FloatAttr(1.0),
        tpa::RopePairs::Half, /*transposed=*/false,
        toBf16 ? Type(builder.getBF16Type()) : Type(builder.getF32Type()),
        decay > 0.0 ? builder.getF64FloatAttr(decay) : FloatAttr(),
        builder.getF64FloatAttr(512.0), reciprocal);
  }

  MLIRContext context;
};

uint32_t bitsOf(float value) {
  uint32_t bits;
  std::memcpy(&bits, &value, sizeof bits);
  return bits;
}

TEST_F(RopeTable, HoldsCosinesThenSinesOfEachPosition) {
  constexpr int64_t positions = 300, pairs = 32;
  constexpr double theta = 10000.0;
  std::vector<float> table = tpa::ropeTable(rope(theta), positions, pairs);
  ASSERT_EQ(table.size(), size_t(positions * 2 * pairs));
  for (int64_t position = 0; position < positions; ++position)
    for (int64_t pair = 0; pair < pairs; ++pair) {
      double angle = position * std::pow(theta, -double(pair) / pairs);
      // Three roundings to f32 on the way to the angle, one of the result.
      double bound = angle * 4 * 0x1p-24 + 0x1p-24;
      const float *row = &table[position * 2 * pairs];
      EXPECT_NEAR(row[pair], std::cos(angle), bound) << position << " " << pair;
      EXPECT_NEAR(row[pairs + pair], std::sin(angle), bound)
          << position << " " << pair;
    }
}

TEST_F(RopeTable, TurnsByOtherThetas) {
  std::vector<float> table = tpa::ropeTable(rope(5.0e5), 2, 2);
  // Position 1, pair 1: 1 / sqrt(500000).
  EXPECT_NEAR(table[4 + 2 + 1], std::sin(1 / std::sqrt(5.0e5)), 1e-9);
}

TEST_F(RopeTable, DecaysQueriesAndTheReciprocalOfKeys) {
  constexpr int64_t positions = 600, pairs = 4;
  std::vector<float> plain = tpa::ropeTable(rope(1.0e4), positions, pairs);
  std::vector<float> query =
      tpa::ropeTable(rope(1.0e4, false, 0.4), positions, pairs);
  std::vector<float> key =
      tpa::ropeTable(rope(1.0e4, false, 0.4, true), positions, pairs);
  for (int64_t position : {0, 1, 512, 599})
    for (int64_t pair = 0; pair < pairs; ++pair) {
      double zeta = (double(pair) / pairs + 0.4) / 1.4;
      double scale = std::pow(zeta, position / 512.0);
      for (int64_t part : {0, 1}) {
        int64_t at = (position * 2 + part) * pairs + pair;
        EXPECT_NEAR(query[at], plain[at] * scale, 1e-6) << position;
        EXPECT_NEAR(key[at], plain[at] / scale, 1e-6 / scale) << position;
      }
    }
}

TEST_F(RopeTable, DoesNotTurnPositionZero) {
  std::vector<float> table = tpa::ropeTable(rope(10000.0), 1, 3);
  EXPECT_EQ(table, (std::vector<float>{1, 1, 1, 0, 0, 0}));
}

TEST_F(RopeTable, RoundsToBf16) {
  constexpr int64_t positions = 64, pairs = 8;
  std::vector<float> exact = tpa::ropeTable(rope(10000.0), positions, pairs);
  std::vector<float> table =
      tpa::ropeTable(rope(10000.0, true), positions, pairs);
  ASSERT_EQ(table.size(), exact.size());
  for (size_t i = 0; i < table.size(); ++i) {
    EXPECT_EQ(bitsOf(table[i]) & 0xffff, 0u) << i;
    // Half a unit in the last of eight significant places, to nearest.
    EXPECT_LE(std::abs(table[i] - exact[i]), std::abs(exact[i]) * 0x1p-8) << i;
  }
  // cos(1) = 0.5403 lies between 138 / 256 and 139 / 256, sin(1) = 0.8415
  // between 215 and 216.
  EXPECT_EQ(table[2 * pairs], 138.0f / 256);
  EXPECT_EQ(table[3 * pairs], 215.0f / 256);
}

} // namespace
