//===- TokenDataset.h - The tokens that a run reads -------------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Shards of tokens, wherever they come from (see Corpus.h), and access to them
// that checks their ids.
//
//===----------------------------------------------------------------------===//

#ifndef T6_RUNTIME_DATA_TOKENDATASET_H
#define T6_RUNTIME_DATA_TOKENDATASET_H

#include "absl/status/status.h"
#include "absl/types/span.h"

#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace t6 {

/// Consecutive tokens as they lie in memory, in 16 or in 32 bits. A view.
class TokenSpan {
public:
  TokenSpan() = default;
  explicit TokenSpan(absl::Span<const uint16_t> ids)
      : narrow(ids.data()), count(int64_t(ids.size())) {}
  explicit TokenSpan(absl::Span<const int32_t> ids)
      : wide(ids.data()), count(int64_t(ids.size())) {}

  int64_t size() const { return count; }
  int32_t operator[](int64_t i) const { return wide ? wide[i] : narrow[i]; }

  /// [start, start + length), which must lie within the span.
  TokenSpan subspan(int64_t start, int64_t length) const;

  /// `out` must have size() elements.
  void copyTo(absl::Span<int32_t> out) const;

  /// The first position whose id is `limit` or more; -1 if there is none.
  int64_t findAtLeast(int32_t limit) const;

private:
  const uint16_t *narrow = nullptr; ///< One of the two is null.
  const int32_t *wide = nullptr;
  int64_t count = 0;
};

/// A piece of a corpus. Windows do not cross from one shard to the next.
struct TokenShard {
  /// The file; for a text of several files, what was named.
  std::string path;
  /// Of the first token within that: positions in messages count from there.
  int64_t start = 0;
  TokenSpan tokens;
  /// What the tokens lie in, if it is to live as long as this.
  std::shared_ptr<const void> memory;
};

/// T inputs from `offset` of a shard on, and the T targets one token later.
struct TokenWindow {
  size_t shard;
  int64_t offset;

  bool operator==(const TokenWindow &other) const {
    return shard == other.shard && offset == other.offset;
  }
};

/// Shards to draw windows from. A window of length T takes T + 1 tokens. Copies
/// share the tokens.
class TokenDataset {
public:
  TokenDataset() = default;
  /// Ids must be below `vocabSize`, which is checked where they are read.
  TokenDataset(std::vector<TokenShard> shards, int32_t vocabSize)
      : list(std::move(shards)), vocabSize(vocabSize) {}

  absl::Span<const TokenShard> shards() const { return list; }
  bool empty() const { return list.empty(); }
  int64_t tokenCount() const;

  /// An error unless there are shards and each has a window of `length`, which
  /// must be positive.
  absl::Status checkWindows(int64_t length) const;

  /// Copies the inputs and the targets of a window of this dataset, as many as
  /// the two, which are of one size, have room for. An id outside of the
  /// vocabulary is an error that names the place.
  absl::Status read(TokenWindow window, absl::Span<int32_t> inputs,
                    absl::Span<int32_t> targets) const;

  /// Looks at every token, that is, reads all files from the disk.
  absl::Status checkVocabulary() const;

private:
  absl::Status checkVocabulary(size_t shard, int64_t start,
                               int64_t length) const;

  std::vector<TokenShard> list;
  int32_t vocabSize = 0;
};

/// The windows of a dataset that begin at multiples of their length, numbered
/// through its shards.
class WindowList {
public:
  WindowList(const TokenDataset &dataset, int64_t length);

  int64_t size() const { return ends.empty() ? 0 : ends.back(); }
  /// `index` must be in [0, size()).
  TokenWindow operator[](int64_t index) const;

private:
  int64_t length;
  std::vector<int64_t> ends; ///< Windows up to and with each shard's.
};

} // namespace t6

#endif // T6_RUNTIME_DATA_TOKENDATASET_H
