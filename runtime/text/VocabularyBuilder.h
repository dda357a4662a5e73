//===- VocabularyBuilder.h - Checked assembly of a byte-level BPE tokenizer *-
//C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef T6_RUNTIME_TEXT_VOCABULARYBUILDER_H
#define T6_RUNTIME_TEXT_VOCABULARYBUILDER_H

#include "runtime/text/BpeTokenizer.h"

#include "absl/container/flat_hash_map.h"
#include "absl/container/flat_hash_set.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

#include <memory>
#include <string>
#include <vector>

namespace t6 {

/// Takes what a tokenizer's files state, in the order tokens, added tokens,
/// finishTokens(), merges, build(), and refuses what does not hold together.
/// Strings passed in must outlive the builder. Tokens are spelled in GPT-2's
/// alphabet of 256 printable characters, one for each byte.
class VocabularyBuilder {
public:
  /// `name` is what errors call the vocabulary's file.
  explicit VocabularyBuilder(absl::string_view name);

  absl::Status addToken(absl::string_view spelling, int64_t id);

  /// Allowed for a token that the vocabulary has under the same id, and for one
  /// that it does not have.
  absl::Status addAdded(absl::string_view text, int64_t id, bool special);

  /// Whether a token of this spelling was added; its id, else -1.
  int32_t find(absl::string_view spelling) const;

  /// Checks that ids are 0 .. n - 1, each once, and that every byte has a
  /// token, without which some texts could not be encoded.
  absl::Status finishTokens();

  /// `place` names the merge in errors: "merges.txt line 7".
  absl::Status addMerge(absl::string_view left, absl::string_view right,
                        absl::string_view place);

  std::unique_ptr<Tokenizer> build();

private:
  struct Entry {
    absl::string_view spelling;
    int64_t id;
  };

  absl::Status placeById(std::vector<const Entry *> &byId) const;
  absl::Status fillTable(const std::vector<const Entry *> &byId);

  std::string name;
  std::vector<Entry> entries;
  absl::flat_hash_map<absl::string_view, int32_t> ids;
  std::vector<AddedToken> added;
  absl::flat_hash_set<int64_t> addedIds;
  TokenTable table;
  std::array<int32_t, 256> byteIds;
  BpeMerges merges;
};

} // namespace t6

#endif // T6_RUNTIME_TEXT_VOCABULARYBUILDER_H
