//===- InputReader.cpp - Checks and copies an entry's inputs --------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "runtime/engine/InputReader.h"

#include "absl/strings/str_cat.h"

#include <algorithm>
#include <cstring>
#include <limits>

namespace t6 {
namespace {

class InputReader {
public:
  InputReader(const Program &program, const Entry &entry,
              absl::Span<const TensorView> inputs,
              absl::Span<void *const> addresses, absl::Span<int64_t> scalars)
      : program(program), entry(entry), inputs(inputs), addresses(addresses),
        scalars(scalars) {}

  absl::Status run();

private:
  const Buffer &buffer(size_t input) const {
    return program.buffers[entry.inputs[input].buffer];
  }
  absl::Span<const int32_t> integers(size_t input) const;
  absl::Status failure(size_t input, absl::string_view what) const;
  absl::Status checkForm(size_t input) const;
  absl::Status copy(size_t input) const;
  absl::Status deriveDim(const Scalar &scalar, int64_t &value) const;
  absl::Status deriveEnd(const Scalar &scalar, int64_t &value) const;
  absl::Status checkShape(size_t input) const;
  absl::Status checkRange(size_t input) const;

  const Program &program;
  const Entry &entry;
  absl::Span<const TensorView> inputs;
  absl::Span<void *const> addresses;
  absl::Span<int64_t> scalars;
};

absl::Status InputReader::failure(size_t input, absl::string_view what) const {
  return absl::InvalidArgumentError(
      absl::StrCat("entry '", entry.name, "': input '",
                   entry.inputs[input].name, "' ", what));
}

/// Valid once the input has been copied.
absl::Span<const int32_t> InputReader::integers(size_t input) const {
  return absl::MakeConstSpan(
      static_cast<const int32_t *>(addresses[entry.inputs[input].buffer]),
      inputs[input].elements());
}

absl::Status InputReader::checkForm(size_t input) const {
  const TensorView &view = inputs[input];
  const Buffer &target = buffer(input);
  bool narrows = target.dtype == DType::I32 && view.dtype == DType::I64;
  if (view.dtype != target.dtype && !narrows)
    return failure(input, absl::StrCat("has the type ", name(view.dtype),
                                       " and not ", name(target.dtype)));
  if (view.shape.size() != target.shape.size())
    return failure(input, absl::StrCat("has the shape ",
                                       shapeToString(view.shape), " and not ",
                                       target.shape.size(), " dimensions"));
  absl::StatusOr<size_t> bytes = checkedBytes(view.dtype, view.shape);
  if (!bytes.ok() || *bytes != view.bytes || (*bytes > 0 && !view.data))
    return failure(input, "has another number of bytes than its shape says");
  return absl::OkStatus();
}

absl::Status InputReader::deriveDim(const Scalar &scalar,
                                    int64_t &value) const {
  value = inputs[scalar.input].shape[scalar.axis];
  if (value >= 1 && value <= scalar.max)
    return absl::OkStatus();
  return failure(scalar.input,
                 absl::StrCat("has the shape ",
                              shapeToString(inputs[scalar.input].shape),
                              ", but dimension ", scalar.axis,
                              " must be in [1, ", scalar.max, "]"));
}

absl::Status InputReader::copy(size_t input) const {
  const TensorView &view = inputs[input];
  void *target = addresses[entry.inputs[input].buffer];
  size_t bytes = view.elements() * byteSize(buffer(input).dtype);
  if (bytes > size_t(buffer(input).maxBytes))
    return failure(input,
                   absl::StrCat("has the shape ", shapeToString(view.shape),
                                ", larger than the entry allows"));
  if (view.dtype == buffer(input).dtype) {
    if (bytes)
      std::memcpy(target, view.data, bytes);
    return absl::OkStatus();
  }
  const char *source = static_cast<const char *>(view.data);
  int32_t *narrow = static_cast<int32_t *>(target);
  for (int64_t i = 0, count = view.elements(); i < count; ++i) {
    int64_t wide;
    std::memcpy(&wide, source + i * sizeof(wide), sizeof(wide));
    if (wide != int32_t(wide))
      return failure(input, absl::StrCat("has the value ", wide, " at index ",
                                         i, ", which does not fit 32 bits"));
    narrow[i] = static_cast<int32_t>(wide);
  }
  return absl::OkStatus();
}

absl::Status InputReader::deriveEnd(const Scalar &scalar,
                                    int64_t &value) const {
  absl::Span<const int32_t> elements = integers(scalar.input);
  if (elements.empty())
    return failure(scalar.input, "is empty");
  auto [least, most] = std::minmax_element(elements.begin(), elements.end());
  if (*least < 0)
    return failure(scalar.input,
                   absl::StrCat("has the negative value ", *least, " at index ",
                                least - elements.begin()));
  int64_t plus = scalar.plus.at(scalars);
  value = *most + plus;
  if (value >= 1 && value <= scalar.max)
    return absl::OkStatus();
  return failure(scalar.input,
                 absl::StrCat("has the value ", *most, ", so that ", plus,
                              " more end at ", value,
                              ": the sequence is longer than the "
                              "maximum length, ",
                              scalar.max,
                              ". HINT: recompile with a larger --max-length"));
}

absl::Status InputReader::checkShape(size_t input) const {
  const Buffer &target = buffer(input);
  for (size_t axis = 0; axis < target.shape.size(); ++axis) {
    int64_t wanted = target.shape[axis].at(scalars);
    if (inputs[input].shape[axis] != wanted)
      return failure(input, absl::StrCat("has the shape ",
                                         shapeToString(inputs[input].shape),
                                         ", but dimension ", axis, " must be ",
                                         wanted));
  }
  return absl::OkStatus();
}

absl::Status InputReader::checkRange(size_t input) const {
  const Buffer &target = buffer(input);
  if (!target.hasRange)
    return absl::OkStatus();
  int64_t low = target.rangeLow, high = target.rangeHigh.at(scalars);
  absl::Span<const int32_t> elements = integers(input);
  for (size_t i = 0; i < elements.size(); ++i)
    if (elements[i] < low || elements[i] >= high)
      return failure(input,
                     absl::StrCat("has the value ", elements[i], " at index ",
                                  i, ", not in [", low, ", ", high, ")"));
  return absl::OkStatus();
}

absl::Status InputReader::run() {
  if (inputs.size() != entry.inputs.size())
    return absl::InvalidArgumentError(
        absl::StrCat("entry '", entry.name, "' takes ", entry.inputs.size(),
                     " inputs, not ", inputs.size()));
  absl::Status status;
  for (size_t i = 0; i < inputs.size() && status.ok(); ++i)
    status = checkForm(i);
  for (size_t i = 0; i < entry.scalars.size() && status.ok(); ++i)
    if (entry.scalars[i].source == Scalar::Source::Dim)
      status = deriveDim(entry.scalars[i], scalars[i]);
  for (size_t i = 0; i < inputs.size() && status.ok(); ++i)
    status = copy(i);
  for (size_t i = 0; i < entry.scalars.size() && status.ok(); ++i)
    if (entry.scalars[i].source == Scalar::Source::End)
      status = deriveEnd(entry.scalars[i], scalars[i]);
  for (size_t i = 0; i < inputs.size() && status.ok(); ++i)
    status = checkShape(i);
  for (size_t i = 0; i < inputs.size() && status.ok(); ++i)
    status = checkRange(i);
  return status;
}

} // namespace

absl::Status readInputs(const Program &program, const Entry &entry,
                        absl::Span<const TensorView> inputs,
                        absl::Span<void *const> addresses,
                        absl::Span<int64_t> scalars) {
  return InputReader(program, entry, inputs, addresses, scalars).run();
}

} // namespace t6
