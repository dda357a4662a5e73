//===- Safetensors.h - Reader and writer of .safetensors --------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The safetensors format: an 8-byte little-endian header length, a JSON header
// that starts with '{' and may be padded with spaces, then the tensors' bytes,
// contiguous, row-major, little-endian. The reader refuses whatever the format
// forbids: nothing is repaired or guessed.
//
//===----------------------------------------------------------------------===//

#ifndef T6_RUNTIME_IO_SAFETENSORS_H
#define T6_RUNTIME_IO_SAFETENSORS_H

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "runtime/io/MappedFile.h"
#include "runtime/io/Tensor.h"

#include <map>
#include <memory>
#include <string>
#include <vector>

namespace t6 {

/// Key and value pairs of `__metadata__`.
using SafetensorsMetadata = std::map<std::string, std::string>;

struct NamedTensor {
  std::string name;
  TensorView tensor;
};

/// An open file or block of memory; the views of its tensors live as long as
/// it (or as the memory that was parsed). Offsets in a file need not be aligned
/// to the element size.
class SafetensorsFile {
public:
  /// Maps the file. DataLoss if its contents are not valid.
  static absl::StatusOr<std::unique_ptr<SafetensorsFile>>
  open(absl::string_view path);

  /// Reads `bytes`, which must outlive the result; `label` stands for the path
  /// in messages.
  static absl::StatusOr<std::unique_ptr<SafetensorsFile>>
  parse(absl::Span<const uint8_t> bytes, absl::string_view label);

  const std::string &path() const { return filePath; }

  /// In the order of their bytes in the file.
  absl::Span<const NamedTensor> tensors() const { return entries; }

  /// All names, sorted.
  std::vector<absl::string_view> names() const;

  /// nullptr if there is no such tensor.
  const TensorView *find(absl::string_view name) const;

  const SafetensorsMetadata &metadata() const { return attributes; }

private:
  SafetensorsFile() = default;

  std::string filePath;
  /// Null when parsed from memory.
  std::unique_ptr<MappedFile> mapping;
  std::vector<NamedTensor> entries;
  /// Indices into `entries`, by name.
  std::vector<size_t> byName;
  SafetensorsMetadata attributes;
};

/// SafetensorsFile::parse for memory that has no name.
absl::StatusOr<std::unique_ptr<SafetensorsFile>>
parseSafetensors(absl::Span<const uint8_t> bytes);

/// Name, element type and shape of a tensor to be written.
struct TensorSpec {
  std::string name;
  DType dtype;
  std::vector<int64_t> shape;
};

/// Writes a file that appears whole or not at all. `data` is asked for the
/// bytes of specs[index], once each and in an order of the writer's choice; the
/// view need only live until the next call, so one tensor at a time is in
/// memory. The first byte of data is 64-byte aligned, and larger element types
/// come first so that every tensor is aligned to its elements.
absl::Status writeSafetensors(
    absl::string_view path, absl::Span<const TensorSpec> specs,
    absl::FunctionRef<absl::StatusOr<TensorView>(size_t index)> data,
    const SafetensorsMetadata &metadata = {});

/// The same for tensors that are all in memory.
absl::Status writeSafetensors(absl::string_view path,
                              absl::Span<const NamedTensor> tensors,
                              const SafetensorsMetadata &metadata = {});

} // namespace t6

#endif // T6_RUNTIME_IO_SAFETENSORS_H
