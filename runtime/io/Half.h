//===- Half.h - Conversion between element types ----------------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// 16-bit floats to and from f32, one value and in bulk. No rounding but to
// nearest, ties to even; NaN stays NaN.
//
//===----------------------------------------------------------------------===//

#ifndef T6_RUNTIME_IO_HALF_H
#define T6_RUNTIME_IO_HALF_H

#include "absl/status/status.h"
#include "runtime/io/Tensor.h"

#include <cstdint>
#include <cstring>

namespace t6 {

inline float bf16ToF32(uint16_t bits) {
  uint32_t wide = static_cast<uint32_t>(bits) << 16;
  float value;
  std::memcpy(&value, &wide, sizeof value);
  return value;
}

inline uint16_t f32ToBf16(float value) {
  uint32_t bits;
  std::memcpy(&bits, &value, sizeof bits);
  // Adds just under half a unit, plus one where the result would be odd; a
  // carry out of the mantissa is the right exponent, and the largest one is
  // infinity.
  uint32_t rounded = (bits + 0x7FFF + ((bits >> 16) & 1)) >> 16;
  // A NaN keeps its sign and high payload, and its quiet bit is set so that a
  // payload in the low half alone does not turn into infinity.
  uint32_t quieted = (bits >> 16) | 0x40;
  bool isNan = (bits & 0x7FFFFFFF) > 0x7F800000;
  return static_cast<uint16_t>(isNan ? quieted : rounded);
}

float f16ToF32(uint16_t bits);

/// Whether convert() knows the pair: equal types; F64, F32, F16 or BF16 to F32
/// or BF16; I64 to I32.
bool isConvertible(DType from, DType to);

/// Writes `from.elements() * byteSize(to)` bytes to `out`, which needs no
/// alignment and must not overlap `from`. An I64 that does not fit I32 is an
/// error naming its index.
absl::Status convert(const TensorView &from, DType to, void *out);

} // namespace t6

#endif // T6_RUNTIME_IO_HALF_H
