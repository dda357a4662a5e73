//===- PytorchArchive.h - A zip that torch.save wrote -----------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The pickle and the storages of a file that torch.save wrote (the zip format,
// PyTorch 1.6 and later), whatever object was saved. Runs no code from the
// file.
//
//===----------------------------------------------------------------------===//

#ifndef T6_RUNTIME_IO_PYTORCHARCHIVE_H
#define T6_RUNTIME_IO_PYTORCHARCHIVE_H

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "runtime/io/MappedFile.h"
#include "runtime/io/Pickle.h"
#include "runtime/io/ZipReader.h"

#include <memory>
#include <string>
#include <vector>

namespace t6 {

class PytorchArchive {
public:
  static absl::StatusOr<std::unique_ptr<PytorchArchive>>
  open(absl::string_view path);

  /// Reads `bytes`, which must outlive the result; `label` opens messages.
  static absl::StatusOr<std::unique_ptr<PytorchArchive>>
  parse(absl::Span<const uint8_t> bytes, absl::string_view label);

  const Pickle &pickle() const { return contents; }

  DType dtypeOf(const PickledTensor &view) const {
    return contents.storages()[view.storage].dtype;
  }

  /// Reads a tensor of the pickle, row-major whatever its strides are. The view
  /// is valid until the next call.
  absl::StatusOr<TensorView> read(const PickledTensor &view);

private:
  PytorchArchive() = default;
  absl::Status checkContainer(absl::string_view prefix) const;
  absl::Status locateStorages(absl::string_view prefix);

  std::string label;
  /// Null when parsed from memory.
  std::unique_ptr<MappedFile> mapping;
  std::unique_ptr<ZipReader> zip;
  /// The pickle's strings live here.
  OwnedBytes text;
  Pickle contents;
  /// Zip entry of each storage of the pickle.
  std::vector<uint64_t> storageEntries;

  /// The storage read last (tensors of one storage tend to follow each other)
  /// and the gathered tensor.
  int64_t cachedStorage = -1;
  OwnedBytes storageBytes;
  OwnedBytes gathered;
};

} // namespace t6

#endif // T6_RUNTIME_IO_PYTORCHARCHIVE_H
