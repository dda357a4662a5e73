//===- Quantize.h - Matrices as 8-bit integers ------------------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Symmetric quantisation: each row as integers from -127 to 127 and one scale.
//
//===----------------------------------------------------------------------===//

#ifndef T6_RUNTIME_ENGINE_QUANTIZE_H
#define T6_RUNTIME_ENGINE_QUANTIZE_H

#include "runtime/engine/ThreadPool.h"
#include "runtime/io/Tensor.h"

#include "absl/status/status.h"
#include "absl/types/span.h"

#include <cstdint>

namespace t6 {

/// scale = max |row| / 127, values[i] = row[i] / scale to the nearest integer,
/// to the even one of two. The scale of zeros is zero. False, and nothing of
/// use written, where an element is not finite.
bool quantizeRow(absl::Span<const float> row, int8_t *values, float *scale);

/// Quantises the rows of `from`, whose first dimension counts them; its type
/// converts to f32. InvalidArgument, a phrase to follow the tensor's name, for
/// the first row with an element that is not finite.
absl::Status quantizeRows(ThreadPool &pool, const TensorView &from,
                          int8_t *values, float *scales);

} // namespace t6

#endif // T6_RUNTIME_ENGINE_QUANTIZE_H
