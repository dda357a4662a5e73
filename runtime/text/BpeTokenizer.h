//===- BpeTokenizer.h - Byte-level byte-pair encoding -----------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef T6_RUNTIME_TEXT_BPETOKENIZER_H
#define T6_RUNTIME_TEXT_BPETOKENIZER_H

#include "runtime/text/Tokenizer.h"

#include "absl/container/flat_hash_map.h"

#include <array>
#include <utility>

namespace t6 {

/// The ordered merges of a vocabulary.
class BpeMerges {
public:
  struct Merge {
    int32_t rank;   ///< Lower ranks are applied first.
    int32_t result; ///< The token that the pair becomes.
  };

  /// A pair that is added again takes its last rank.
  void add(int32_t left, int32_t right, int32_t result) {
    merges[key(left, right)] = Merge{next++, result};
  }

  /// The merge of two neighbours, or null.
  const Merge *find(int32_t left, int32_t right) const {
    auto it = merges.find(key(left, right));
    return it == merges.end() ? nullptr : &it->second;
  }

private:
  static uint64_t key(int32_t left, int32_t right) {
    return (uint64_t(uint32_t(left)) << 32) | uint32_t(right);
  }

  absl::flat_hash_map<uint64_t, Merge> merges;
  int32_t next = 0;
};

/// GPT-2's encoding: nextPieceEnd() cuts the text, and within a piece the merge
/// of lowest rank, the leftmost of equals, is applied until none is left.
class BpeTokenizer : public Tokenizer {
public:
  /// `byteIds[b]` is the token that is the single byte b.
  BpeTokenizer(TokenTable table, std::vector<AddedToken> added,
               const std::array<int32_t, 256> &byteIds, BpeMerges merges)
      : Tokenizer(std::move(table), std::move(added)), byteIds(byteIds),
        merges(std::move(merges)) {}

private:
  size_t encodeOrdinary(absl::string_view text, bool final,
                        std::vector<int32_t> &ids) const override;

  std::array<int32_t, 256> byteIds;
  BpeMerges merges;
};

} // namespace t6

#endif // T6_RUNTIME_TEXT_BPETOKENIZER_H
