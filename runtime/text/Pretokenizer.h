//===- Pretokenizer.h - GPT-2's split of a text into pieces -----*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef T6_RUNTIME_TEXT_PRETOKENIZER_H
#define T6_RUNTIME_TEXT_PRETOKENIZER_H

#include "absl/strings/string_view.h"

#include <cstddef>
#include <cstdint>

namespace t6 {

/// The classes that the pattern tells apart: \p{L}, \p{N}, \s (the Unicode
/// property White_Space), and the rest. A byte that is not UTF-8 is Other.
enum class CharClass : uint8_t { Letter, Number, Space, Other };

/// The class of a Unicode scalar value.
CharClass classify(int32_t codePoint);

/// The end (a byte offset > pos) of the piece that begins at `pos`, which must
/// be less than `text.size()`, by the first alternative that matches of
///   's|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+
/// Pieces cover any byte string without gaps.
size_t nextPieceEnd(absl::string_view text, size_t pos);

/// How many bytes past a piece's end can have decided where it ends: the last
/// white space of a run, which the piece gives back when a word follows, and
/// the first character of that word. A piece that ends at least this far before
/// the end of a text ends there whatever is appended to the text.
constexpr size_t kPieceLookahead = 8;

} // namespace t6

#endif // T6_RUNTIME_TEXT_PRETOKENIZER_H
