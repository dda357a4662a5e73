//===- PretokenizerTest.cpp - The split into pieces, character classes ----===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "runtime/text/Pretokenizer.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"

#include <utf8proc.h>

#include <string>
#include <vector>

namespace t6 {
namespace {

using ::testing::ElementsAre;

std::vector<std::string> pieces(absl::string_view text) {
  std::vector<std::string> result;
  for (size_t pos = 0; pos < text.size();) {
    size_t end = nextPieceEnd(text, pos);
    result.emplace_back(text.substr(pos, end - pos));
    pos = end;
  }
  return result;
}

TEST(Pretokenizer, WordsTakeOneSpaceBefore) {
  EXPECT_THAT(
      pieces("ab cd  ef12 3!? .x"),
      ElementsAre("ab", " cd", " ", " ef", "12", " 3", "!?", " .", "x"));
}

TEST(Pretokenizer, Contractions) {
  EXPECT_THAT(pieces("I'm he's we're they've I'll he'd can't"),
              ElementsAre("I", "'m", " he", "'s", " we", "'re", " they", "'ve",
                          " I", "'ll", " he", "'d", " can", "'t"));
  // Lower case only, at a piece's start only, and never across its parts.
  EXPECT_THAT(pieces("I'M 's 'r'v'l!'s"),
              ElementsAre("I", "'", "M", " '", "s", " '", "r", "'", "v", "'",
                          "l", "!'", "s"));
  EXPECT_THAT(pieces("'sun"), ElementsAre("'s", "un"));
}

TEST(Pretokenizer, WhiteSpaceGivesItsLastCharacterToWhatFollows) {
  EXPECT_THAT(pieces("a \n b"), ElementsAre("a", " \n", " b"));
  EXPECT_THAT(pieces("a\n\nb"), ElementsAre("a", "\n", "\n", "b"));
  EXPECT_THAT(pieces("a\n\n"), ElementsAre("a", "\n\n"));
  EXPECT_THAT(pieces("   "), ElementsAre("   "));
  EXPECT_THAT(pieces("a\u3000\u3000b"),
              ElementsAre("a", "\u3000", "\u3000", "b"));
}

TEST(Pretokenizer, InvalidBytesAreOtherCharacters) {
  EXPECT_THAT(pieces("a\xFF\xC3 \x80z\xE2\x82"),
              ElementsAre("a", "\xFF\xC3", " \x80", "z", "\xE2\x82"));
}

TEST(CharClass, WhiteSpaceIsTheUnicodeProperty) {
  std::vector<int32_t> spaces;
  for (int32_t c = 0; c < 0x110000; ++c)
    if (classify(c) == CharClass::Space)
      spaces.push_back(c);
  EXPECT_THAT(spaces,
              ElementsAre(0x09, 0x0A, 0x0B, 0x0C, 0x0D, 0x20, 0x85, 0xA0,
                          0x1680, 0x2000, 0x2001, 0x2002, 0x2003, 0x2004,
                          0x2005, 0x2006, 0x2007, 0x2008, 0x2009, 0x200A,
                          0x2028, 0x2029, 0x202F, 0x205F, 0x3000));
}

TEST(CharClass, LettersAndNumbersAreTheGeneralCategories) {
  for (int32_t c : {int32_t('a'), int32_t('Z'), 0xAA, 0xE9, 0x1C5, 0x2B0,
                    0x65E5, 0xD55C, 0x10FFD /* unassigned */, 0x20000})
    EXPECT_EQ(classify(c), c == 0x10FFD ? CharClass::Other : CharClass::Letter)
        << c;
  for (int32_t c : {int32_t('0'), 0xB2, 0xBD, 0x661, 0x2167, 0x3007, 0x1D7D8})
    EXPECT_EQ(classify(c), CharClass::Number) << c;
  for (int32_t c : {0, 0x1C, int32_t('_'), 0x301, 0x200B, 0x200D, 0xFFFD,
                    0x1F600, 0x10FFFF})
    EXPECT_EQ(classify(c), CharClass::Other) << c;
}

// The totals of UnicodeData.txt 15.0.0.
TEST(CharClass, CountsOfUnicode15) {
  if (std::string(utf8proc_unicode_version()) != "15.0.0")
    GTEST_SKIP() << "utf8proc has Unicode " << utf8proc_unicode_version();
  int letters = 0, numbers = 0;
  for (int32_t c = 0; c < 0x110000; ++c) {
    letters += classify(c) == CharClass::Letter;
    numbers += classify(c) == CharClass::Number;
  }
  EXPECT_EQ(letters, 136104);
  EXPECT_EQ(numbers, 1831);
}

} // namespace
} // namespace t6
