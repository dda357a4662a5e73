//===- Corpus.h - Opens the corpus of a run ---------------------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// From paths to the tokens of training and of validation: shards that are
// mapped from token files, or texts that are encoded and held in memory.
//
//===----------------------------------------------------------------------===//

#ifndef T6_RUNTIME_DATA_CORPUS_H
#define T6_RUNTIME_DATA_CORPUS_H

#include "runtime/data/TokenDataset.h"
#include "runtime/text/Tokenizer.h"

#include "absl/status/statusor.h"
#include "absl/types/span.h"

#include <cstdint>
#include <string>
#include <vector>

namespace t6 {

struct CorpusOptions {
  /// T, the length of a window. No default.
  int64_t window = 0;
  /// Ids are below it. No default.
  int32_t vocabSize = 0;

  /// The share of the windows that is kept apart for validation, where no files
  /// are: the last of the corpus. In [0, 1); 0 gives no validation corpus.
  double validationShare = 0.05;

  /// For texts; shards need none. It is not kept.
  const Tokenizer *tokenizer = nullptr;
  /// Of texts in folders (".md"). None: every file.
  std::vector<std::string> suffixes;
  /// Begins each text with the tokenizer's token for the end of a text, if it
  /// has one, as the documents of the fineweb shards begin.
  bool markTexts = true;
  /// Whether the text of a special token in a text stands for that token.
  bool allowSpecial = false;
};

struct Corpus {
  TokenDataset training;
  /// Empty where there are neither files nor a share for it.
  TokenDataset validation;
  /// The validation corpus is a share of the files, not files of their own.
  bool validationIsShare = false;

  struct File {
    std::string path;
    int64_t tokens;
  };
  /// All that was read, in order, validation files last.
  std::vector<File> files;
};

/// Opens the corpus that findCorpusFiles() finds at `paths`. Every shard of
/// either part has at least one window. A token that validation predicts is
/// never one that training predicts.
///
/// Shards named fineweb_* need the header of llm.c; others may be bare uint16
/// tokens. Their ids are not checked here (see checkVocabulary()), those of
/// texts are. Texts follow each other as one shard; one of a folder may be
/// empty.
absl::StatusOr<Corpus> openCorpus(absl::Span<const std::string> paths,
                                  const CorpusOptions &options);

/// Opens a corpus that is for evaluation alone: the validation files of
/// `paths`, or all where none are set apart. No share is taken.
absl::StatusOr<TokenDataset>
openEvaluationCorpus(absl::Span<const std::string> paths,
                     const CorpusOptions &options);

} // namespace t6

#endif // T6_RUNTIME_DATA_CORPUS_H
