//===- Utf8Stream.h - Bytes in pieces to valid UTF-8 text -------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef T6_RUNTIME_TEXT_UTF8STREAM_H
#define T6_RUNTIME_TEXT_UTF8STREAM_H

#include "absl/strings/string_view.h"

#include <string>

namespace t6 {

/// Makes printable text of tokens that may end in the middle of a character.
/// Bytes that could still become a character are held back (three at most);
/// bytes that cannot are replaced by U+FFFD, one for each maximal prefix of a
/// well-formed sequence. The concatenation of all results does not depend on
/// how the bytes were cut, and is always valid UTF-8.
class Utf8Stream {
public:
  /// Adds `bytes` and returns the text that is now decided.
  std::string push(absl::string_view bytes);

  /// Ends the text: what was held back becomes one U+FFFD, or nothing. The
  /// stream is then ready for another text.
  std::string flush();

private:
  std::string held;
};

} // namespace t6

#endif // T6_RUNTIME_TEXT_UTF8STREAM_H
