//===- Utf8Stream.cpp - Bytes in pieces to valid UTF-8 text ---------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "runtime/text/Utf8Stream.h"

#include "runtime/text/Utf8.h"

namespace t6 {

static constexpr absl::string_view kReplacement = "\xEF\xBF\xBD";

std::string Utf8Stream::push(absl::string_view bytes) {
  held.append(bytes.data(), bytes.size());
  std::string text;
  size_t pos = 0;
  while (pos < held.size()) {
    Utf8Char c = decodeUtf8(held, pos);
    if (c.truncated)
      break;
    if (c.codePoint < 0)
      text.append(kReplacement.data(), kReplacement.size());
    else
      text.append(held, pos, c.length);
    pos += c.length;
  }
  held.erase(0, pos);
  return text;
}

std::string Utf8Stream::flush() {
  bool incomplete = !held.empty();
  held.clear();
  return incomplete ? std::string(kReplacement) : std::string();
}

} // namespace t6
