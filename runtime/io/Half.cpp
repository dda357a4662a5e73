//===- Half.cpp - Conversion between element types ------------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "runtime/io/Half.h"

#include "absl/strings/str_cat.h"

#include <limits>

namespace t6 {
namespace {

template <typename To, typename From> To bitCast(From from) {
  static_assert(sizeof(To) == sizeof(From));
  To to;
  std::memcpy(&to, &from, sizeof to);
  return to;
}

} // namespace

float f16ToF32(uint16_t bits) {
  constexpr uint32_t exponentMask = 0x1F << 23;
  uint32_t sign = static_cast<uint32_t>(bits & 0x8000) << 16;
  uint32_t magnitude = static_cast<uint32_t>(bits & 0x7FFF) << 13;
  uint32_t exponent = magnitude & exponentMask;
  uint32_t normal = magnitude + ((127 - 15) << 23);
  // Infinity and NaN have the largest exponent in both formats.
  uint32_t special = magnitude | 0x7F800000;
  // A subnormal m·2^-24 is read as 2^-14 + m·2^-24, a normal f32, less 2^-14.
  uint32_t shifted = magnitude + ((127 - 14) << 23);
  uint32_t subnormal = bitCast<uint32_t>(bitCast<float>(shifted) - 0x1p-14f);
  uint32_t result = exponent == exponentMask ? special
                    : exponent == 0          ? subnormal
                                             : normal;
  return bitCast<float>(result | sign);
}

namespace {

// Every lambda below is branch-free per element, so that the loop vectorises.
template <typename From, typename To, typename Fn>
void convertEach(const TensorView &from, void *out, Fn fn) {
  const char *source = static_cast<const char *>(from.data);
  char *target = static_cast<char *>(out);
  int64_t count = from.elements();
  for (int64_t i = 0; i < count; ++i) {
    From value;
    std::memcpy(&value, source + i * sizeof(From), sizeof value);
    To converted = fn(value);
    std::memcpy(target + i * sizeof(To), &converted, sizeof converted);
  }
}

/// f64 to bf16 through f32 rounded to odd: two roundings to nearest could round
/// a value just above a tie down.
uint16_t f64ToBf16(double value) {
  float near = static_cast<float>(value);
  uint32_t bits = bitCast<uint32_t>(near);
  bool inexact = static_cast<double>(near) != value && value == value;
  if (inexact) {
    // The magnitude's bits order floats, so one less is the next towards zero
    // (from infinity, the largest finite value).
    double nearMagnitude = near < 0 ? -static_cast<double>(near) : near;
    double magnitude = value < 0 ? -value : value;
    bits = (nearMagnitude > magnitude ? bits - 1 : bits) | 1;
  }
  return f32ToBf16(bitCast<float>(bits));
}

absl::Status narrowToI32(const TensorView &from, void *out) {
  const char *source = static_cast<const char *>(from.data);
  for (int64_t i = 0, count = from.elements(); i < count; ++i) {
    int64_t value;
    std::memcpy(&value, source + i * sizeof value, sizeof value);
    if (value < std::numeric_limits<int32_t>::min() ||
        value > std::numeric_limits<int32_t>::max())
      return absl::OutOfRangeError(absl::StrCat("element ", i, " is ", value,
                                                ", which does not fit I32"));
  }
  convertEach<int64_t, int32_t>(
      from, out, [](int64_t value) { return static_cast<int32_t>(value); });
  return absl::OkStatus();
}

void convertToF32(const TensorView &from, void *out) {
  if (from.dtype == DType::F64)
    convertEach<double, float>(
        from, out, [](double value) { return static_cast<float>(value); });
  else if (from.dtype == DType::F16)
    convertEach<uint16_t, float>(from, out,
                                 [](uint16_t bits) { return f16ToF32(bits); });
  else
    convertEach<uint16_t, float>(from, out,
                                 [](uint16_t bits) { return bf16ToF32(bits); });
}

void convertToBf16(const TensorView &from, void *out) {
  if (from.dtype == DType::F64)
    convertEach<double, uint16_t>(from, out, f64ToBf16);
  else if (from.dtype == DType::F16)
    convertEach<uint16_t, uint16_t>(
        from, out, [](uint16_t bits) { return f32ToBf16(f16ToF32(bits)); });
  else
    convertEach<float, uint16_t>(from, out,
                                 [](float value) { return f32ToBf16(value); });
}

bool isFloat(DType dtype) {
  return dtype == DType::F64 || dtype == DType::F32 || dtype == DType::F16 ||
         dtype == DType::BF16;
}

} // namespace

bool isConvertible(DType from, DType to) {
  return from == to || (from == DType::I64 && to == DType::I32) ||
         (isFloat(from) && (to == DType::F32 || to == DType::BF16));
}

absl::Status convert(const TensorView &from, DType to, void *out) {
  absl::StatusOr<size_t> bytes = checkedBytes(from.dtype, from.shape);
  if (!bytes.ok())
    return bytes.status();
  if (*bytes != from.bytes)
    return absl::InvalidArgumentError(
        absl::StrCat("a tensor of ", from.bytes, " bytes cannot have shape ",
                     shapeToString(from.shape), " of ", name(from.dtype)));
  if (!isConvertible(from.dtype, to))
    return absl::FailedPreconditionError(
        absl::StrCat("no conversion from ", name(from.dtype), " to ", name(to),
                     "; HINT: store the tensor as ", name(to)));
  if (from.dtype == to) {
    if (from.bytes != 0)
      std::memcpy(out, from.data, from.bytes);
    return absl::OkStatus();
  }
  if (to == DType::I32)
    return narrowToI32(from, out);
  if (to == DType::F32)
    convertToF32(from, out);
  else
    convertToBf16(from, out);
  return absl::OkStatus();
}

} // namespace t6
