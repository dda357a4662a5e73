//===- PickleWriter.cpp - Dicts of tensors as a pickle --------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "runtime/checkpoint/PickleWriter.h"

#include "absl/strings/str_cat.h"

#include <cstring>
#include <utility>
#include <vector>

namespace t6 {
namespace {

std::vector<int64_t> rowMajorStrides(absl::Span<const int64_t> shape) {
  std::vector<int64_t> strides(shape.size());
  int64_t stride = 1;
  for (size_t d = shape.size(); d-- > 0;) {
    strides[d] = stride;
    // As PyTorch has it for tensors without elements.
    stride *= shape[d] == 0 ? 1 : shape[d];
  }
  return strides;
}

} // namespace

PickleWriter::PickleWriter() {
  text = "\x80\x02"; // PROTO 2
}

absl::string_view PickleWriter::storageType(DType dtype) {
  switch (dtype) {
  case DType::F64:
    return "DoubleStorage";
  case DType::F32:
    return "FloatStorage";
  case DType::F16:
    return "HalfStorage";
  case DType::BF16:
    return "BFloat16Storage";
  case DType::I64:
    return "LongStorage";
  case DType::I32:
    return "IntStorage";
  case DType::I16:
    return "ShortStorage";
  case DType::I8:
    return "CharStorage";
  case DType::U8:
    return "ByteStorage";
  case DType::BOOL:
    return "BoolStorage";
  case DType::U64:
  case DType::U32:
  case DType::U16:
    return "";
  }
  return "";
}

void PickleWriter::littleEndian(uint64_t value, size_t bytes) {
  for (size_t i = 0; i < bytes; ++i)
    text += static_cast<char>(value >> (8 * i));
}

void PickleWriter::string(absl::string_view value) {
  text += 'X'; // BINUNICODE
  littleEndian(value.size(), 4);
  absl::StrAppend(&text, value);
}

void PickleWriter::integer(int64_t value) {
  if (value >= 0 && value < 256) {
    text += 'K'; // BININT1
    littleEndian(static_cast<uint64_t>(value), 1);
    return;
  }
  absl::StrAppend(&text, "\x8a\x08"); // LONG1 of eight bytes
  littleEndian(static_cast<uint64_t>(value), 8);
}

void PickleWriter::real(double value) {
  uint64_t bits;
  std::memcpy(&bits, &value, sizeof bits);
  text += 'G'; // BINFLOAT, which is big-endian
  for (int shift = 56; shift >= 0; shift -= 8)
    text += static_cast<char>(bits >> shift);
}

void PickleWriter::boolean(bool value) {
  text += value ? '\x88' : '\x89'; // NEWTRUE, NEWFALSE
}

void PickleWriter::none() { text += 'N'; }

void PickleWriter::beginDict() {
  text += "}("; // EMPTY_DICT, MARK
}

void PickleWriter::beginOrderedDict() {
  emptyOrderedDict();
  text += '('; // MARK
}

void PickleWriter::endDict() {
  text += 'u'; // SETITEMS
}

void PickleWriter::beginList() {
  text += "]("; // EMPTY_LIST, MARK
}

void PickleWriter::endList() {
  text += 'e'; // APPENDS
}

void PickleWriter::beginTuple() {
  text += '('; // MARK
}

void PickleWriter::endTuple() {
  text += 't'; // TUPLE
}

void PickleWriter::global(absl::string_view module, absl::string_view name) {
  absl::StrAppend(&text, "c", module, "\n", name, "\n");
}

void PickleWriter::integers(absl::Span<const int64_t> values) {
  beginTuple();
  for (int64_t value : values)
    integer(value);
  endTuple();
}

void PickleWriter::emptyOrderedDict() {
  global("collections", "OrderedDict");
  text += ")R"; // EMPTY_TUPLE, REDUCE
}

void PickleWriter::tensor(const TensorView &tensor,
                          absl::string_view storageKey) {
  global("torch._utils", "_rebuild_tensor_v2");
  text += "(("; // Its arguments, of which the first is a storage.
  string("storage");
  global("torch", storageType(tensor.dtype));
  string(storageKey);
  string("cpu");
  integer(tensor.elements());
  text += "tQ"; // TUPLE, BINPERSID
  integer(0);   // The offset.
  integers(tensor.shape);
  integers(rowMajorStrides(tensor.shape));
  text += '\x89';     // No gradient is required,
  emptyOrderedDict(); // and there are no hooks.
  text += "tR";       // TUPLE, REDUCE
}

std::string PickleWriter::finish() {
  text += '.'; // STOP
  return std::move(text);
}

} // namespace t6
