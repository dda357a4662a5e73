//===- RandomFill.cpp - Reproducible pseudo-random tensors ----------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "runtime/engine/RandomFill.h"

#include "runtime/io/Half.h"

#include <algorithm>
#include <cmath>

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

/// Elements of a parallel step; even, so that no pair is torn.
static constexpr int64_t kBlock = 1 << 16;

static void store(DType dtype, void *data, int64_t i, float value) {
  if (dtype == DType::F32)
    static_cast<float *>(data)[i] = value;
  else if (dtype == DType::BF16)
    static_cast<uint16_t *>(data)[i] = f32ToBf16(value);
  else if (dtype == DType::F16)
    static_cast<_Float16 *>(data)[i] = static_cast<_Float16>(value);
  else if (dtype == DType::I8)
    static_cast<int8_t *>(data)[i] =
        static_cast<int8_t>(std::nearbyint(127 * value));
}

/// Calls `fill(begin, end)` for all blocks.
template <typename Fill>
static void forBlocks(ThreadPool &pool, int64_t elements, Fill fill) {
  pool.parallelFor((elements + kBlock - 1) / kBlock, [&](int64_t block) {
    fill(block * kBlock, std::min(elements, (block + 1) * kBlock));
  });
}

void fillUniform(ThreadPool &pool, DType dtype, void *data, int64_t elements,
                 uint64_t seed, double amplitude) {
  float scale = static_cast<float>(amplitude);
  forBlocks(pool, elements, [=](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i)
      store(dtype, data, i, scale * unit(hashCounter(seed, i)));
  });
}

void fillNormal(ThreadPool &pool, DType dtype, void *data, int64_t elements,
                uint64_t seed, double deviation) {
  constexpr float kTurn = 6.2831853f;
  constexpr float kStep = 1.0f / (1 << 24);
  float scale = static_cast<float>(deviation);
  forBlocks(pool, elements, [=](int64_t begin, int64_t end) {
    // A uniform point in the plane (Box and Muller): two elements of one hash.
    for (int64_t i = begin; i < end; i += 2) {
      uint64_t bits = hashCounter(seed, i);
      // In (0, 1], so that the logarithm is finite, and in [0, 1).
      float distance = float((bits >> 40) + 1) * kStep;
      float angle = kTurn * (float((bits >> 16) & 0xFFFFFF) * kStep);
      float radius = scale * std::sqrt(-2 * std::log(distance));
      store(dtype, data, i, radius * std::cos(angle));
      if (i + 1 < end)
        store(dtype, data, i + 1, radius * std::sin(angle));
    }
  });
}

void fillConstant(ThreadPool &pool, DType dtype, void *data, int64_t elements,
                  double value) {
  forBlocks(pool, elements, [=](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i)
      store(dtype, data, i, static_cast<float>(value));
  });
}

static void fillAs(ThreadPool &pool, const Buffer &param, const Init &init,
                   void *data, uint64_t seed) {
  int64_t elements = param.maxBytes / byteSize(param.dtype);
  switch (init.kind) {
  case Init::Kind::Constant:
    return fillConstant(pool, param.dtype, data, elements, init.value);
  case Init::Kind::Uniform:
    return fillUniform(pool, param.dtype, data, elements, seed, init.value);
  case Init::Kind::Normal:
    return fillNormal(pool, param.dtype, data, elements, seed, init.value);
  }
}

/// The usual spread of an initialised model, so that nothing overflows.
static constexpr Init kUsualInit = {Init::Kind::Uniform, 0.03};

void fillParam(ThreadPool &pool, const Buffer &param, void *data,
               uint64_t seed) {
  bool startsAtZero = param.init && param.init->kind == Init::Kind::Constant &&
                      param.init->value == 0;
  fillAs(pool, param, param.init && !startsAtZero ? *param.init : kUsualInit,
         data, seed);
}

void initializeParam(ThreadPool &pool, const Buffer &param, void *data,
                     uint64_t seed) {
  fillAs(pool, param, param.init.value_or(kUsualInit), data, seed);
}

void fillIntegers(int32_t *data, int64_t elements, uint64_t seed, int64_t low,
                  int64_t high) {
  for (int64_t i = 0; i < elements; ++i)
    data[i] = static_cast<int32_t>(
        low + int64_t(hashCounter(seed, i) % uint64_t(high - low)));
}

void fillBits(uint64_t *data, int64_t elements, uint64_t seed) {
  for (int64_t i = 0; i < elements; ++i)
    data[i] = hashCounter(seed, i);
}

} // namespace t6
