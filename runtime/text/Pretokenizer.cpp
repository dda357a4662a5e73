//===- Pretokenizer.cpp - GPT-2's split of a text into pieces -------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "runtime/text/Pretokenizer.h"

#include "runtime/text/Utf8.h"

#include <utf8proc.h>

namespace t6 {
namespace {

struct Classified {
  CharClass charClass;
  uint8_t length;
};

Classified classAt(absl::string_view text, size_t pos) {
  Utf8Char c = decodeUtf8(text, pos);
  return {c.codePoint < 0 ? CharClass::Other : classify(c.codePoint), c.length};
}

/// The length of a contraction ('s 't 're 've 'm 'll 'd) at `pos`, or 0.
size_t contractionLength(absl::string_view text, size_t pos) {
  if (text[pos] != '\'' || pos + 1 >= text.size())
    return 0;
  char first = text[pos + 1];
  if (first == 's' || first == 't' || first == 'm' || first == 'd')
    return 2;
  if (pos + 2 >= text.size())
    return 0;
  char second = text[pos + 2];
  bool three = (first == 'r' && second == 'e') ||
               (first == 'v' && second == 'e') ||
               (first == 'l' && second == 'l');
  return three ? 3 : 0;
}

/// The end of the run of `charClass` that begins at `pos`.
size_t runEnd(absl::string_view text, size_t pos, CharClass charClass) {
  while (pos < text.size()) {
    Classified c = classAt(text, pos);
    if (c.charClass != charClass)
      break;
    pos += c.length;
  }
  return pos;
}

/// \s+(?!\S)|\s+ : all of the run at the text's end, else all but its last
/// character, which belongs to what follows, unless the run is only that one.
size_t spaceEnd(absl::string_view text, size_t pos) {
  size_t last = pos, end = pos;
  while (end < text.size()) {
    Classified c = classAt(text, end);
    if (c.charClass != CharClass::Space)
      return last > pos ? last : end;
    last = end;
    end += c.length;
  }
  return end;
}

} // namespace

CharClass classify(int32_t c) {
  if (c < 0x80) {
    if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'))
      return CharClass::Letter;
    if (c >= '0' && c <= '9')
      return CharClass::Number;
    return c == ' ' || (c >= '\t' && c <= '\r') ? CharClass::Space
                                                : CharClass::Other;
  }
  // White_Space is a stable property of 25 characters, which utf8proc does not
  // offer; the general categories alone differ from it (U+0085 is a control).
  if (c == 0x85 || c == 0xA0 || c == 0x1680 || (c >= 0x2000 && c <= 0x200A) ||
      c == 0x2028 || c == 0x2029 || c == 0x202F || c == 0x205F || c == 0x3000)
    return CharClass::Space;
  switch (utf8proc_category(c)) {
  case UTF8PROC_CATEGORY_LU:
  case UTF8PROC_CATEGORY_LL:
  case UTF8PROC_CATEGORY_LT:
  case UTF8PROC_CATEGORY_LM:
  case UTF8PROC_CATEGORY_LO:
    return CharClass::Letter;
  case UTF8PROC_CATEGORY_ND:
  case UTF8PROC_CATEGORY_NL:
  case UTF8PROC_CATEGORY_NO:
    return CharClass::Number;
  default:
    return CharClass::Other;
  }
}

size_t nextPieceEnd(absl::string_view text, size_t pos) {
  if (size_t length = contractionLength(text, pos))
    return pos + length;
  size_t start = pos;
  if (text[start] == ' ' && start + 1 < text.size())
    ++start;
  CharClass charClass = classAt(text, start).charClass;
  if (charClass == CharClass::Space)
    return spaceEnd(text, pos);
  return runEnd(text, start, charClass);
}

} // namespace t6
