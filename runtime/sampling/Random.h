//===- Random.h - A counter-based random generator --------------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef T6_RUNTIME_SAMPLING_RANDOM_H
#define T6_RUNTIME_SAMPLING_RANDOM_H

#include <array>
#include <cstdint>

namespace t6 {

/// Philox4x32-10 (Salmon, Moraes, Dror, Shaw: Parallel random numbers: as easy
/// as 1, 2, 3; SC 2011): a bijection of 128-bit counters, one for each key.
inline std::array<uint32_t, 4> philox4x32(std::array<uint32_t, 4> counter,
                                          std::array<uint32_t, 2> key) {
  for (int round = 0; round < 10; ++round) {
    uint64_t product0 = uint64_t(0xD2511F53) * counter[0];
    uint64_t product1 = uint64_t(0xCD9E8D57) * counter[2];
    counter = {
        uint32_t(product1 >> 32) ^ counter[1] ^ key[0], uint32_t(product1),
        uint32_t(product0 >> 32) ^ counter[3] ^ key[1], uint32_t(product0)};
    key[0] += 0x9E3779B9;
    key[1] += 0xBB67AE85;
  }
  return counter;
}

/// Numbers that depend on nothing but (seed, stream, position), so that a row
/// of a batch draws the same whatever the other rows are, and a generation can
/// be taken up in its middle.
class Random {
public:
  Random(uint64_t seed, uint64_t stream) : seed(seed), stream(stream) {}

  /// 128 random bits for `position`.
  std::array<uint32_t, 4> bits(uint64_t position) const {
    return philox4x32({uint32_t(position), uint32_t(position >> 32),
                       uint32_t(stream), uint32_t(stream >> 32)},
                      {uint32_t(seed), uint32_t(seed >> 32)});
  }

  /// A multiple of 2^-53, uniform in [0, 1).
  double uniform(uint64_t position) const {
    std::array<uint32_t, 4> words = bits(position);
    uint64_t mantissa = ((uint64_t(words[1]) << 32) | words[0]) >> 11;
    return double(mantissa) * 0x1p-53;
  }

private:
  uint64_t seed;
  uint64_t stream;
};

} // namespace t6

#endif // T6_RUNTIME_SAMPLING_RANDOM_H
