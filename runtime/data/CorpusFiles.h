//===- CorpusFiles.h - Which files make up a corpus -------------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Finds the shards or the texts that a path stands for. Opens none of them.
//
//===----------------------------------------------------------------------===//

#ifndef T6_RUNTIME_DATA_CORPUSFILES_H
#define T6_RUNTIME_DATA_CORPUSFILES_H

#include "absl/status/statusor.h"
#include "absl/types/span.h"

#include <string>
#include <vector>

namespace t6 {

/// The files of a corpus, in the order in which they are read.
struct CorpusFiles {
  /// Plain texts; otherwise shards of token ids.
  bool text = false;
  std::vector<std::string> training;
  /// Shards that their names set apart for validation. Never texts.
  std::vector<std::string> validation;
};

/// The files of `paths`, in the order given. Each is
///  - a file: a shard if its name ends in .bin, a text otherwise;
///  - a folder with .bin files in it: those shards, sorted. The first of these
///    rules that finds any decides:
///     1. fineweb_train_*.bin, and fineweb_val_*.bin for validation;
///     2. train.bin, and val.bin for validation;
///     3. all of them, for validation where a word of the name is "val";
///    of several shards for validation only the first is taken;
///  - any other folder: the texts in it and in its folders, sorted by name at
///    each level. Names that begin with a dot are left out, and with `suffixes`
///    those that end in none of them.
/// With `suffixes` a folder is always one of texts. Shards and texts cannot be
/// mixed.
absl::StatusOr<CorpusFiles>
findCorpusFiles(absl::Span<const std::string> paths,
                absl::Span<const std::string> suffixes);

} // namespace t6

#endif // T6_RUNTIME_DATA_CORPUSFILES_H
