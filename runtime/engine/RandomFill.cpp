//===- RandomFill.cpp - Reproducible pseudo-random tensors ----------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "runtime/engine/RandomFill.h"

#include "runtime/io/Half.h"

#include <algorithm>

namespace t6 {

uint64_t hashCounter(uint64_t seed, uint64_t counter) {
  // Two rounds of multiply and xor-shift (the SplitMix64 finalizer) on a Weyl
  // sequence: full period, and neighbouring counters share no visible pattern.
  uint64_t bits = seed + (counter + 1) * 0x9E3779B97F4A7C15u;
  bits = (bits ^ (bits >> 30)) * 0xBF58476D1CE4E5B9u;
  bits = (bits ^ (bits >> 27)) * 0x94D049BB133111EBu;
  return bits ^ (bits >> 31);
}

uint64_t seedFor(uint64_t seed, absl::string_view name) {
  uint64_t state = hashCounter(seed, name.size());
  for (unsigned char c : name)
    state = hashCounter(state, c);
  return state;
}

/// Uniform in [-1, 1), from the upper 24 bits: every value is exact in f32.
static float unit(uint64_t bits) {
  return float(int32_t(bits >> 40) - (1 << 23)) * (1.0f / (1 << 23));
}

void fillUniform(ThreadPool &pool, DType dtype, void *data, int64_t elements,
                 uint64_t seed, double amplitude) {
  constexpr int64_t kBlock = 1 << 16;
  float scale = static_cast<float>(amplitude);
  pool.parallelFor((elements + kBlock - 1) / kBlock, [&](int64_t block) {
    int64_t end = std::min(elements, (block + 1) * kBlock);
    for (int64_t i = block * kBlock; i < end; ++i) {
      float value = scale * unit(hashCounter(seed, i));
      if (dtype == DType::F32)
        static_cast<float *>(data)[i] = value;
      else if (dtype == DType::BF16)
        static_cast<uint16_t *>(data)[i] = f32ToBf16(value);
      else if (dtype == DType::F16)
        static_cast<_Float16 *>(data)[i] = static_cast<_Float16>(value);
    }
  });
}

void fillIntegers(int32_t *data, int64_t elements, uint64_t seed, int64_t low,
                  int64_t high) {
  for (int64_t i = 0; i < elements; ++i)
    data[i] = static_cast<int32_t>(
        low + int64_t(hashCounter(seed, i) % uint64_t(high - low)));
}

} // namespace t6
