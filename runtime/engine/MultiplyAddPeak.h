//===- MultiplyAddPeak.h - The most FLOP/s of the CPU -----------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef T6_RUNTIME_ENGINE_MULTIPLYADDPEAK_H
#define T6_RUNTIME_ENGINE_MULTIPLYADDPEAK_H

#include "runtime/engine/ThreadPool.h"

namespace t6 {

/// Floating-point operations a second of all threads of the pool together, in
/// f32 multiply-adds on registers, as wide as the CPU has them: what no kernel
/// in f32 exceeds. Measured in about 50 ms; 0 on a CPU without AVX2.
double measureMultiplyAddPeak(ThreadPool &pool);

} // namespace t6

#endif // T6_RUNTIME_ENGINE_MULTIPLYADDPEAK_H
