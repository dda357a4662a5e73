//===- Utf8.h - Strict UTF-8, one character at a time -----------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef T6_RUNTIME_TEXT_UTF8_H
#define T6_RUNTIME_TEXT_UTF8_H

#include "absl/strings/string_view.h"

#include <cstddef>
#include <cstdint>
#include <string>

namespace t6 {

/// What stands at one place of a byte string.
struct Utf8Char {
  /// The code point, or -1 where the bytes are not UTF-8 (overlong forms,
  /// surrogates and values past U+10FFFF are not).
  int32_t codePoint;
  /// Bytes taken. For invalid bytes this is the longest prefix of a well-formed
  /// sequence, at least one: what Unicode recommends to replace by one U+FFFD.
  uint8_t length;
  /// The text ends within a sequence that more bytes could complete; then
  /// codePoint is -1 and length reaches to the end of the text.
  bool truncated;
};

/// The character at byte `pos`, which must be less than `text.size()`.
Utf8Char decodeUtf8(absl::string_view text, size_t pos);

/// Appends `codePoint`, a Unicode scalar value, to `out`.
void appendUtf8(int32_t codePoint, std::string &out);

} // namespace t6

#endif // T6_RUNTIME_TEXT_UTF8_H
