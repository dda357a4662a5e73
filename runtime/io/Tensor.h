//===- Tensor.h - Element types and non-owning tensors ----------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The element types that the runtime knows and a row-major view of memory that
// someone else owns. No arithmetic here.
//
//===----------------------------------------------------------------------===//

#ifndef T6_RUNTIME_IO_TENSOR_H
#define T6_RUNTIME_IO_TENSOR_H

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace t6 {

/// The element types of the safetensors format that have a whole number of
/// bytes per element and that a checkpoint of this project can hold.
enum class DType {
  F64,
  F32,
  F16,
  BF16,
  I64,
  I32,
  I16,
  I8,
  U64,
  U32,
  U16,
  U8,
  BOOL,
};

/// Bytes of one element.
size_t byteSize(DType dtype);

/// The safetensors spelling, "F32".
absl::string_view name(DType dtype);

/// Accepts the safetensors spelling and its lower-case form ("F32", "f32").
absl::StatusOr<DType> parseDType(absl::string_view text);

/// The number of elements of `shape`, or an error if a dimension is negative or
/// the product does not fit. A rank-0 shape has one element.
absl::StatusOr<int64_t> checkedElements(absl::Span<const int64_t> shape);

/// checkedElements × byteSize, or an error if it does not fit.
absl::StatusOr<size_t> checkedBytes(DType dtype,
                                    absl::Span<const int64_t> shape);

/// "[2, 3]"; "[]" for a scalar.
std::string shapeToString(absl::Span<const int64_t> shape);

/// A dense row-major little-endian tensor in memory owned by someone else.
/// `data` may be unaligned: a view into a file begins where the file says.
struct TensorView {
  DType dtype = DType::F32;
  std::vector<int64_t> shape;
  const void *data = nullptr;
  size_t bytes = 0;

  /// Product of the shape; valid views have been overflow-checked.
  int64_t elements() const;
};

} // namespace t6

#endif // T6_RUNTIME_IO_TENSOR_H
