//===- Utf8StreamTest.cpp - Streaming of partial characters ---------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "runtime/text/Utf8Stream.h"

#include "runtime/text/Utf8.h"

#include "gtest/gtest.h"

#include <string>

namespace t6 {
namespace {

const std::string kFffd = "\xEF\xBF\xBD";

std::string whole(absl::string_view bytes) {
  Utf8Stream stream;
  std::string text = stream.push(bytes);
  return text + stream.flush();
}

TEST(Utf8, EveryScalarValueRoundTrips) {
  for (int32_t c = 0; c < 0x110000; ++c) {
    if (c >= 0xD800 && c < 0xE000)
      continue;
    std::string bytes;
    appendUtf8(c, bytes);
    Utf8Char read = decodeUtf8(bytes, 0);
    ASSERT_EQ(read.codePoint, c);
    ASSERT_EQ(read.length, bytes.size());
    ASSERT_FALSE(read.truncated);
  }
}

TEST(Utf8, RefusesOverlongFormsSurrogatesAndLargeValues) {
  for (absl::string_view bytes :
       {"\xC0\x80", "\xC1\xBF", "\xE0\x9F\xBF", "\xF0\x8F\xBF\xBF",
        "\xED\xA0\x80", "\xED\xBF\xBF", "\xF4\x90\x80\x80", "\xF5\x80\x80\x80",
        "\xFF", "\x80"}) {
    Utf8Char c = decodeUtf8(bytes, 0);
    EXPECT_EQ(c.codePoint, -1);
    EXPECT_EQ(c.length, 1);
    EXPECT_FALSE(c.truncated);
  }
}

TEST(Utf8Stream, HoldsBackIncompleteCharacters) {
  Utf8Stream stream;
  EXPECT_EQ(stream.push("a\xF0"), "a");
  EXPECT_EQ(stream.push("\x9F\x98"), "");
  EXPECT_EQ(stream.push("\x80z"), "\xF0\x9F\x98\x80z");
  EXPECT_EQ(stream.flush(), "");
}

TEST(Utf8Stream, ReplacesWhatCannotBecomeACharacter) {
  EXPECT_EQ(whole("a\xFF"
                  "b"),
            "a" + kFffd + "b");
  // One replacement for a maximal prefix, one for each byte that begins none.
  EXPECT_EQ(whole("\xE2\x82z"), kFffd + "z");
  EXPECT_EQ(whole("\xED\xA0\x80"), kFffd + kFffd + kFffd);
  EXPECT_EQ(whole("\xF0\x9F\x98\xF0\x9F\x98\x80"), kFffd + "\xF0\x9F\x98\x80");
}

TEST(Utf8Stream, FlushEndsAnIncompleteCharacterAndStartsAfresh) {
  Utf8Stream stream;
  EXPECT_EQ(stream.push("\xE2\x82"), "");
  EXPECT_EQ(stream.flush(), kFffd);
  EXPECT_EQ(stream.flush(), "");
  EXPECT_EQ(stream.push("\xAC"), kFffd);
}

TEST(Utf8Stream, TheCutDoesNotMatter) {
  std::string bytes = "x\xC3\xA9\xE2\x82\xAC\xF0\x9F\x98\x80\xE2\x28\xA1\xF0"
                      "\x9F\xFF\xED\xA0\x80\xC3";
  std::string expected = whole(bytes);
  for (size_t i = 0; i <= bytes.size(); ++i) {
    for (size_t j = i; j <= bytes.size(); ++j) {
      Utf8Stream stream;
      std::string text = stream.push(bytes.substr(0, i));
      text += stream.push(bytes.substr(i, j - i));
      text += stream.push(bytes.substr(j));
      text += stream.flush();
      ASSERT_EQ(text, expected) << i << " " << j;
    }
  }
}

} // namespace
} // namespace t6
