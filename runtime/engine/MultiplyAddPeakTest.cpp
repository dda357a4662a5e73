//===- MultiplyAddPeakTest.cpp - Tests of measuring the CPU's peak --------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "runtime/engine/MultiplyAddPeak.h"

#include "gtest/gtest.h"

#include <chrono>
#include <vector>

namespace t6 {
namespace {

/// Without optimisation no loop comes near to a peak.
bool canMeasure() {
#ifdef __OPTIMIZE__
  return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
#else
  return false;
#endif
}

TEST(MultiplyAddPeak, IsOfFusedVectorOperations) {
  if (!canMeasure())
    GTEST_SKIP() << "no AVX2, or not optimised";
  auto pool = ThreadPool::create(1);
  ASSERT_TRUE(pool.ok()) << pool.status();
  auto start = std::chrono::steady_clock::now();
  double peak = measureMultiplyAddPeak(**pool);
  double seconds =
      std::chrono::duration<double>(std::chrono::steady_clock::now() - start)
          .count();
  // No CPU with AVX2 is below: two units of 8 floats at 1 GHz have 32, and a
  // busy machine gives at least a third. None is above: 4 units at 8 GHz.
  EXPECT_GT(peak, 10e9);
  EXPECT_LT(peak, 2.0 * 16 * 4 * 8e9);
  EXPECT_LT(seconds, 5);
}

TEST(MultiplyAddPeak, IsOfManyChainsAtOnce) {
  if (!canMeasure())
    GTEST_SKIP() << "no AVX2, or not optimised";
  auto pool = ThreadPool::create(1);
  ASSERT_TRUE(pool.ok()) << pool.status();
  // One float at a time, each waiting for the one before.
  constexpr int64_t kSteps = 1 << 20;
  double best = 0;
  for (int pass = 0; pass < 5; ++pass) {
    volatile float begin = 1;
    float sum = begin;
    auto start = std::chrono::steady_clock::now();
    for (int64_t i = 0; i < kSteps; ++i) {
      sum = sum * 0.5f + 1;
      asm volatile("" : "+x"(sum));
    }
    double seconds =
        std::chrono::duration<double>(std::chrono::steady_clock::now() - start)
            .count();
    volatile float end = sum;
    (void)end;
    best = std::max(best, 2.0 * kSteps / seconds);
  }
  // A quarter of an operation a cycle. A chain of 16 floats would have 8, and
  // two units that are never idle have 32 or 64.
  EXPECT_GT(measureMultiplyAddPeak(**pool), 48 * best);
}

} // namespace
} // namespace t6
