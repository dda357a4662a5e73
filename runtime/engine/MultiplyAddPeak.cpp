//===- MultiplyAddPeak.cpp - The most FLOP/s of the CPU -------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "runtime/engine/MultiplyAddPeak.h"

#include <algorithm>
#include <chrono>
#include <vector>

namespace t6 {
namespace {

/// Independent chains, so that none waits for the one before: two units of a
/// latency of four or five need ten.
constexpr int kChains = 12;

template <typename Vector>
[[gnu::always_inline]] inline float run(int64_t steps, float start) {
  Vector sums[kChains];
  for (int chain = 0; chain < kChains; ++chain)
    sums[chain] = Vector{} + (start + static_cast<float>(chain));
  // Below one, so that the sums converge and none becomes subnormal.
  Vector factor = Vector{} + 0.5f, addend = Vector{} + 1.0f;
  for (int64_t step = 0; step < steps; ++step)
    for (int chain = 0; chain < kChains; ++chain)
      sums[chain] = sums[chain] * factor + addend;
  // What nothing reads would not be computed.
  Vector total = Vector{};
  for (int chain = 0; chain < kChains; ++chain)
    total += sums[chain];
  return total[0];
}

[[gnu::target("avx2,fma")]] float run256(int64_t steps, float start) {
  using Vector [[gnu::vector_size(32)]] = float;
  return run<Vector>(steps, start);
}

[[gnu::target("avx512f")]] float run512(int64_t steps, float start) {
  using Vector [[gnu::vector_size(64)]] = float;
  return run<Vector>(steps, start);
}

} // namespace

double measureMultiplyAddPeak(ThreadPool &pool) {
  if (!__builtin_cpu_supports("avx2") || !__builtin_cpu_supports("fma"))
    return 0;
  bool isWide = __builtin_cpu_supports("avx512f");
  constexpr int64_t kSteps = 4000;
  constexpr double kSeconds = 0.05;
  double operations = 2.0 * kChains * (isWide ? 16 : 8) * kSteps;
  // Several pieces a thread, so that one that is interrupted delays less.
  int64_t pieces = int64_t{8} * pool.threads();
  std::vector<float> results(static_cast<size_t>(pieces));
  auto now = std::chrono::steady_clock::now;
  auto begin = now();
  double best = 0, spent = 0;
  while (spent < kSeconds) {
    auto start = now();
    pool.parallelFor(pieces, [&](int64_t piece) {
      auto seed = static_cast<float>(piece);
      results[static_cast<size_t>(piece)] =
          isWide ? run512(kSteps, seed) : run256(kSteps, seed);
    });
    auto end = now();
    double seconds = std::chrono::duration<double>(end - start).count();
    best = std::max(best, operations * static_cast<double>(pieces) / seconds);
    spent = std::chrono::duration<double>(end - begin).count();
  }
  return best;
}

} // namespace t6
