//===- HalfTest.cpp - Tests of the conversions ----------------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "runtime/io/Half.h"

#include "runtime/io/TestSupport.h"
#include "gtest/gtest.h"

#include <cmath>
#include <limits>

namespace t6 {
namespace {

using testing::isError;

constexpr float kInfinity = std::numeric_limits<float>::infinity();

float fromBits(uint32_t bits) {
  float value;
  std::memcpy(&value, &bits, sizeof value);
  return value;
}

uint32_t toBits(float value) {
  uint32_t bits;
  std::memcpy(&bits, &value, sizeof bits);
  return bits;
}

template <typename From, typename To>
std::vector<To> converted(DType from, const std::vector<From> &values,
                          DType to) {
  TensorView view{from,
                  {static_cast<int64_t>(values.size())},
                  values.data(),
                  values.size() * sizeof(From)};
  std::vector<To> out(values.size());
  absl::Status status = convert(view, to, out.data());
  EXPECT_TRUE(status.ok()) << status;
  return out;
}

TEST(Half, Bf16RoundsToNearestEven) {
  // bf16 keeps 7 fraction bits: 0x3F80 is 1, the next are 1/128 apart.
  EXPECT_EQ(f32ToBf16(1.0f), 0x3F80);
  EXPECT_EQ(f32ToBf16(fromBits(0x3F807FFF)), 0x3F80); // Below the tie.
  EXPECT_EQ(f32ToBf16(fromBits(0x3F808000)), 0x3F80); // Tie, to even.
  EXPECT_EQ(f32ToBf16(fromBits(0x3F808001)), 0x3F81); // Above the tie.
  EXPECT_EQ(f32ToBf16(fromBits(0x3F818000)), 0x3F82); // Tie, to even.
  EXPECT_EQ(f32ToBf16(-1.0f), 0xBF80);
  EXPECT_EQ(f32ToBf16(-0.0f), 0x8000);
  EXPECT_EQ(f32ToBf16(kInfinity), 0x7F80);
  EXPECT_EQ(f32ToBf16(std::numeric_limits<float>::max()), 0x7F80);
  EXPECT_EQ(f32ToBf16(fromBits(0x00008001)), 0x0001); // Subnormal.
}

TEST(Half, Bf16KeepsNan) {
  // The payload in the low half alone: truncated, it would be infinity.
  for (uint32_t bits : {0x7F800001u, 0xFF800001u, 0x7FC00000u, 0x7FFFFFFFu}) {
    uint16_t half = f32ToBf16(fromBits(bits));
    EXPECT_TRUE(std::isnan(bf16ToF32(half))) << std::hex << bits;
    EXPECT_EQ(half >> 15, bits >> 31);
  }
}

TEST(Half, EveryBf16RoundTrips) {
  for (uint32_t bits = 0; bits < 0x10000; ++bits) {
    float wide = bf16ToF32(static_cast<uint16_t>(bits));
    if (!std::isnan(wide)) {
      ASSERT_EQ(f32ToBf16(wide), bits);
    }
  }
}

TEST(Half, EveryF16HasItsValue) {
  for (uint32_t bits = 0; bits < 0x10000; ++bits) {
    int exponent = (bits >> 10) & 0x1F;
    int fraction = bits & 0x3FF;
    float magnitude = exponent == 0 ? std::ldexp(fraction, -24)
                      : exponent < 31
                          ? std::ldexp(1024 + fraction, exponent - 25)
                          : kInfinity;
    float value = f16ToF32(static_cast<uint16_t>(bits));
    if (exponent == 31 && fraction != 0)
      ASSERT_TRUE(std::isnan(value)) << bits;
    else
      ASSERT_EQ(toBits(value), toBits(bits >> 15 ? -magnitude : magnitude))
          << bits;
  }
}

TEST(Half, ConvertsInBulk) {
  using Shorts = std::vector<uint16_t>;
  using Floats = std::vector<float>;
  EXPECT_EQ((converted<uint16_t, float>(DType::F16, {0x3C00, 0xC000, 0x0001},
                                        DType::F32)),
            (Floats{1, -2, 0x1p-24f}));
  EXPECT_EQ(
      (converted<uint16_t, float>(DType::BF16, {0x3F80, 0xC000}, DType::F32)),
      (Floats{1, -2}));
  EXPECT_EQ((converted<float, uint16_t>(DType::F32, {1, -2}, DType::BF16)),
            (Shorts{0x3F80, 0xC000}));
  EXPECT_EQ((converted<uint16_t, uint16_t>(DType::F16, {0x3C00, 0xC000},
                                           DType::BF16)),
            (Shorts{0x3F80, 0xC000}));
  EXPECT_EQ((converted<double, float>(DType::F64, {0.5, 1e300}, DType::F32)),
            (Floats{0.5f, kInfinity}));
  EXPECT_EQ((converted<float, float>(DType::F32, {3, 4}, DType::F32)),
            (Floats{3, 4}));
  EXPECT_EQ((converted<int64_t, int32_t>(DType::I64, {-1, 50303}, DType::I32)),
            (std::vector<int32_t>{-1, 50303}));
}

TEST(Half, F64RoundsToBf16Once) {
  // Just above a tie of bf16, by less than f32 can tell: up, not to even.
  double above = 1.0 + 0x1p-8 + 0x1p-40;
  double below = 1.0 + 0x3p-8 - 0x1p-40;
  EXPECT_EQ((converted<double, uint16_t>(
                DType::F64, {above, -above, below, 1.0 + 0x1p-8, 1e300},
                DType::BF16)),
            (std::vector<uint16_t>{0x3F81, 0xBF81, 0x3F81, 0x3F80, 0x7F80}));
}

TEST(Half, UnalignedSourceAndTarget) {
  char source[1 + 8], target[1 + 4];
  float values[2] = {1, -2};
  std::memcpy(source + 1, values, 8);
  TensorView view{DType::F32, {2}, source + 1, 8};
  ASSERT_TRUE(convert(view, DType::BF16, target + 1).ok());
  uint16_t halves[2];
  std::memcpy(halves, target + 1, 4);
  EXPECT_EQ(halves[0], 0x3F80);
  EXPECT_EQ(halves[1], 0xC000);
}

TEST(Half, RefusesWhatItCannotDo) {
  int64_t large[] = {1, int64_t{1} << 31};
  char out[64];
  EXPECT_TRUE(isError(convert({DType::I64, {2}, large, 16}, DType::I32, out),
                      absl::StatusCode::kOutOfRange,
                      {"element 1 is 2147483648"}));
  EXPECT_FALSE(isConvertible(DType::U8, DType::F32));
  EXPECT_TRUE(isError(convert({DType::U8, {2}, large, 2}, DType::F32, out),
                      absl::StatusCode::kFailedPrecondition,
                      {"from U8 to F32", "HINT"}));
  EXPECT_TRUE(isError(convert({DType::F32, {3}, large, 8}, DType::F32, out),
                      absl::StatusCode::kInvalidArgument, {"8 bytes", "[3]"}));
}

} // namespace
} // namespace t6
