//===- Utf8.cpp - Strict UTF-8, one character at a time -------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "runtime/text/Utf8.h"

namespace t6 {
namespace {

/// What a lead byte asks of the bytes that follow. The second byte's range
/// excludes overlong forms, surrogates and values past U+10FFFF, so that the
/// later bytes need no such check.
struct Lead {
  uint8_t length;
  uint8_t payload;
  uint8_t secondLow;
  uint8_t secondHigh;
};

Lead leadOf(uint8_t byte) {
  if (byte >= 0xC2 && byte <= 0xDF)
    return {2, uint8_t(byte & 0x1F), 0x80, 0xBF};
  if (byte >= 0xE0 && byte <= 0xEF)
    return {3, uint8_t(byte & 0x0F), uint8_t(byte == 0xE0 ? 0xA0 : 0x80),
            uint8_t(byte == 0xED ? 0x9F : 0xBF)};
  if (byte >= 0xF0 && byte <= 0xF4)
    return {4, uint8_t(byte & 0x07), uint8_t(byte == 0xF0 ? 0x90 : 0x80),
            uint8_t(byte == 0xF4 ? 0x8F : 0xBF)};
  return {1, 0, 0, 0};
}

} // namespace

Utf8Char decodeUtf8(absl::string_view text, size_t pos) {
  uint8_t first = uint8_t(text[pos]);
  if (first < 0x80)
    return {first, 1, false};
  Lead lead = leadOf(first);
  if (lead.length == 1)
    return {-1, 1, false};
  int32_t value = lead.payload;
  uint8_t low = lead.secondLow, high = lead.secondHigh;
  for (uint8_t i = 1; i < lead.length; ++i) {
    if (pos + i >= text.size())
      return {-1, i, true};
    uint8_t byte = uint8_t(text[pos + i]);
    if (byte < low || byte > high)
      return {-1, i, false};
    value = (value << 6) | (byte & 0x3F);
    low = 0x80;
    high = 0xBF;
  }
  return {value, lead.length, false};
}

void appendUtf8(int32_t codePoint, std::string &out) {
  uint32_t c = uint32_t(codePoint);
  if (c < 0x80) {
    out.push_back(char(c));
    return;
  }
  if (c < 0x800) {
    out.push_back(char(0xC0 | (c >> 6)));
  } else {
    if (c < 0x10000) {
      out.push_back(char(0xE0 | (c >> 12)));
    } else {
      out.push_back(char(0xF0 | (c >> 18)));
      out.push_back(char(0x80 | ((c >> 12) & 0x3F)));
    }
    out.push_back(char(0x80 | ((c >> 6) & 0x3F)));
  }
  out.push_back(char(0x80 | (c & 0x3F)));
}

} // namespace t6
