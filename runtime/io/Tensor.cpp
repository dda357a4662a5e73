//===- Tensor.cpp - Element types and non-owning tensors ------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "runtime/io/Tensor.h"

#include "absl/status/status.h"
#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"

#include <limits>

namespace t6 {
namespace {

struct DTypeInfo {
  DType dtype;
  absl::string_view name;
  size_t bytes;
};

/// In the order of the enumeration, so that a DType indexes it.
constexpr DTypeInfo kDTypes[] = {
    {DType::F64, "F64", 8},   {DType::F32, "F32", 4}, {DType::F16, "F16", 2},
    {DType::BF16, "BF16", 2}, {DType::I64, "I64", 8}, {DType::I32, "I32", 4},
    {DType::I16, "I16", 2},   {DType::I8, "I8", 1},   {DType::U64, "U64", 8},
    {DType::U32, "U32", 4},   {DType::U16, "U16", 2}, {DType::U8, "U8", 1},
    {DType::BOOL, "BOOL", 1},
};

const DTypeInfo &info(DType dtype) {
  return kDTypes[static_cast<size_t>(dtype)];
}

} // namespace

size_t byteSize(DType dtype) { return info(dtype).bytes; }

absl::string_view name(DType dtype) { return info(dtype).name; }

absl::StatusOr<DType> parseDType(absl::string_view text) {
  for (const DTypeInfo &entry : kDTypes)
    if (text == entry.name || text == absl::AsciiStrToLower(entry.name))
      return entry.dtype;
  return absl::InvalidArgumentError(absl::StrCat(
      "unknown element type \"", text.substr(0, 32), "\"; HINT: use one of ",
      absl::StrJoin(kDTypes, ", ", [](std::string *out, const DTypeInfo &e) {
        absl::StrAppend(out, e.name);
      })));
}

absl::StatusOr<int64_t> checkedElements(absl::Span<const int64_t> shape) {
  int64_t product = 1;
  bool empty = false;
  for (int64_t dim : shape) {
    if (dim < 0)
      return absl::InvalidArgumentError(
          absl::StrCat("negative dimension in shape ", shapeToString(shape)));
    empty |= dim == 0;
    // The non-zero sizes must fit too, so that any partial product does.
    if (dim != 0 && __builtin_mul_overflow(product, dim, &product))
      return absl::InvalidArgumentError(absl::StrCat(
          "the size of shape ", shapeToString(shape), " does not fit 64 bits"));
  }
  return empty ? 0 : product;
}

absl::StatusOr<size_t> checkedBytes(DType dtype,
                                    absl::Span<const int64_t> shape) {
  absl::StatusOr<int64_t> count = checkedElements(shape);
  if (!count.ok())
    return count.status();
  int64_t bytes = 0;
  if (__builtin_mul_overflow(*count, static_cast<int64_t>(byteSize(dtype)),
                             &bytes))
    return absl::InvalidArgumentError(absl::StrCat(
        "the size of shape ", shapeToString(shape), " does not fit 64 bits"));
  return static_cast<size_t>(bytes);
}

std::string shapeToString(absl::Span<const int64_t> shape) {
  // Shapes of hostile files can have millions of dimensions.
  constexpr size_t maxPrinted = 16;
  absl::string_view more = shape.size() > maxPrinted ? ", ..." : "";
  return absl::StrCat("[", absl::StrJoin(shape.subspan(0, maxPrinted), ", "),
                      more, "]");
}

int64_t TensorView::elements() const {
  int64_t product = 1;
  for (int64_t dim : shape)
    product *= dim;
  return product;
}

} // namespace t6
