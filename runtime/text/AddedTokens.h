//===- AddedTokens.h - Tokens that are matched in the text itself *- C++
//-*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef T6_RUNTIME_TEXT_ADDEDTOKENS_H
#define T6_RUNTIME_TEXT_ADDEDTOKENS_H

#include "absl/container/flat_hash_map.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace t6 {

/// A token that stands for one literal string, found before the text is split
/// into pieces.
struct AddedToken {
  std::string text;
  int32_t id;
  /// Control tokens, such as <|endoftext|>, match only where the caller allows
  /// it, so that data cannot forge them; other added tokens always match.
  bool special;
};

/// Finds the leftmost match of a set of added tokens, the longest at one place.
class AddedTokenMatcher {
public:
  /// Matches the special tokens of `tokens` only if `withSpecial`.
  AddedTokenMatcher(absl::Span<const AddedToken> tokens, bool withSpecial);

  struct Match {
    size_t begin;
    size_t end;
    int32_t id; ///< -1: no match; then begin and end are `limit`.
  };

  /// The first match that begins in [from, limit); it may end past `limit`.
  Match find(absl::string_view text, size_t from, size_t limit) const;

  /// Bytes of the longest token, 0 if there is none.
  size_t longest() const { return longestBytes; }

private:
  absl::flat_hash_map<std::string, int32_t> ids;
  /// By first byte: the lengths of the tokens that begin with it, falling.
  std::array<std::vector<size_t>, 256> lengths;
  size_t longestBytes = 0;
};

} // namespace t6

#endif // T6_RUNTIME_TEXT_ADDEDTOKENS_H
