//===- InputReader.h - Checks and copies an entry's inputs ------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef T6_RUNTIME_ENGINE_INPUTREADER_H
#define T6_RUNTIME_ENGINE_INPUTREADER_H

#include "runtime/io/Tensor.h"
#include "runtime/schema/Program.h"

#include "absl/status/status.h"
#include "absl/types/span.h"

namespace t6 {

/// Checks `inputs` against `entry`, copies each to the address of its buffer in
/// `addresses`, and derives the entry's scalars. InvalidArgument says which
/// input is wrong and how. Allocates only on failure.
absl::Status readInputs(const Program &program, const Entry &entry,
                        absl::Span<const TensorView> inputs,
                        absl::Span<void *const> addresses,
                        absl::Span<int64_t> scalars);

} // namespace t6

#endif // T6_RUNTIME_ENGINE_INPUTREADER_H
