//===- ShardIndex.h - The *.index.json of a sharded checkpoint --*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Which file of a sharded checkpoint holds which tensor.
//
//===----------------------------------------------------------------------===//

#ifndef T6_RUNTIME_IO_SHARDINDEX_H
#define T6_RUNTIME_IO_SHARDINDEX_H

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

#include <map>
#include <string>
#include <vector>

namespace t6 {

struct ShardIndex {
  /// Tensor name to the path of its file, always beside the index.
  std::map<std::string, std::string> fileOf;
  /// The files, each once, sorted.
  std::vector<std::string> files;
};

/// Whether the name says that the file is an index ("*.index.json").
bool isShardIndex(absl::string_view path);

/// Reads `weight_map`. A file name with a folder in it is refused, so that an
/// index reaches nothing outside of its own folder.
absl::StatusOr<ShardIndex> readShardIndex(absl::string_view path);

} // namespace t6

#endif // T6_RUNTIME_IO_SHARDINDEX_H
