//===- Checkpoint.h - The weights of a model, by name -----------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// One or more .safetensors files seen as one set of named tensors. Knows no
// model: whether names and shapes fit a program is the caller's to check.
//
//===----------------------------------------------------------------------===//

#ifndef T6_RUNTIME_IO_CHECKPOINT_H
#define T6_RUNTIME_IO_CHECKPOINT_H

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "runtime/io/Safetensors.h"

#include <map>
#include <memory>
#include <string>
#include <vector>

namespace t6 {

/// The tensors live as long as the checkpoint.
class Checkpoint {
public:
  /// Each path is a .safetensors file, a `*.index.json` (its shards lie beside
  /// it), or a folder (its index if it has one, else all its .safetensors). A
  /// name that two files have is an error.
  static absl::StatusOr<std::unique_ptr<Checkpoint>>
  open(absl::Span<const std::string> paths);

  /// nullptr if there is no such tensor. A name that the metadata of a file
  /// maps to a tensor of the same file is that tensor: so are tied weights
  /// recorded by `t6 convert` and by the Python library.
  const TensorView *find(absl::string_view name) const;

  /// find(), or an error that lists the names most like `name`.
  absl::StatusOr<TensorView> tensor(absl::string_view name) const;

  /// All names, sorted, without the aliases of the metadata.
  std::vector<absl::string_view> names() const;

  /// The file that holds the tensor that find(name) gives; "" if none does.
  absl::string_view fileOf(absl::string_view name) const;

  /// The files, in the order opened.
  absl::Span<const std::unique_ptr<SafetensorsFile>> files() const {
    return opened;
  }

private:
  struct Entry {
    const TensorView *tensor;
    const SafetensorsFile *file;
  };

  Checkpoint() = default;
  absl::Status addPath(const std::string &path);
  absl::Status addFolder(const std::string &path);
  absl::Status addIndex(const std::string &path);
  absl::StatusOr<const SafetensorsFile *> addFile(const std::string &path);
  const Entry *entryOf(absl::string_view name) const;

  std::vector<std::unique_ptr<SafetensorsFile>> opened;
  /// Keys live in `opened`.
  std::map<absl::string_view, Entry> tensors;
};

} // namespace t6

#endif // T6_RUNTIME_IO_CHECKPOINT_H
