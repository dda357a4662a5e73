//===- RandomFill.h - Reproducible pseudo-random tensors --------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Element i of a tensor depends on its seed and i alone, so a tensor can be
// filled by any number of threads and always comes out the same.
//
//===----------------------------------------------------------------------===//

#ifndef T6_RUNTIME_ENGINE_RANDOMFILL_H
#define T6_RUNTIME_ENGINE_RANDOMFILL_H

#include "runtime/engine/ThreadPool.h"
#include "runtime/io/Tensor.h"
#include "runtime/schema/Program.h"

#include "absl/strings/string_view.h"

#include <cstdint>

namespace t6 {

/// 64 bits that look random, from a counter.
uint64_t hashCounter(uint64_t seed, uint64_t counter);

/// A seed for the tensor called `name`.
uint64_t seedFor(uint64_t seed, absl::string_view name);

/// Uniform in [-amplitude, amplitude); `dtype` is F32, BF16 or F16, or I8 with
/// 127 for one and an amplitude of no more; anything else is left as it is.
void fillUniform(ThreadPool &pool, DType dtype, void *data, int64_t elements,
                 uint64_t seed, double amplitude);

/// Normal with mean zero, no further from it than six deviations; types as
/// above.
void fillNormal(ThreadPool &pool, DType dtype, void *data, int64_t elements,
                uint64_t seed, double deviation);

/// Every element `value`; types as above.
void fillConstant(ThreadPool &pool, DType dtype, void *data, int64_t elements,
                  double value);

/// Fills `data`, the memory of `param`, as its init says. Where it says
/// nothing, or zero, with small uniform values: zeros would hide what is
/// computed with them.
void fillParam(ThreadPool &pool, const Buffer &param, void *data,
               uint64_t seed);

/// Fills `data` as training starts: as the param's init says, zeros included;
/// as fillParam() where it says nothing.
void initializeParam(ThreadPool &pool, const Buffer &param, void *data,
                     uint64_t seed);

/// Uniform integers in [low, high).
void fillIntegers(int32_t *data, int64_t elements, uint64_t seed, int64_t low,
                  int64_t high);

/// Words of random bits, as masks are.
void fillBits(uint64_t *data, int64_t elements, uint64_t seed);

} // namespace t6

#endif // T6_RUNTIME_ENGINE_RANDOMFILL_H
