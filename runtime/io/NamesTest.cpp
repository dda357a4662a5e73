//===- NamesTest.cpp - Tests of names in messages -------------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "runtime/io/Names.h"

#include "gmock/gmock.h"

namespace t6 {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

TEST(Names, Utf8) {
  for (absl::string_view good :
       {"", "a.b", "\xC3\xA9", "\xE2\x82\xAC", "\xF0\x9F\x98\x80",
        "\xED\x9F\xBF", "\xEE\x80\x80", "\xF4\x8F\xBF\xBF"})
    EXPECT_TRUE(isValidUtf8(good)) << quoteName(good);
  for (absl::string_view bad :
       {"\x80", "\xC3", "\xC0\x80", "\xC1\xBF", "\xE0\x9F\xBF", "\xED\xA0\x80",
        "\xF0\x8F\xBF\xBF", "\xF4\x90\x80\x80", "\xF5\x80\x80\x80", "\xE2\x82",
        "\xC3z", "a\xFF"})
    EXPECT_FALSE(isValidUtf8(bad)) << quoteName(bad);
}

TEST(Names, QuotesWhatATerminalMustNotSee) {
  EXPECT_EQ(quoteName("a\x1b[31m"), "\"a\\x1b[31m\"");
  EXPECT_LT(quoteName(std::string(100000, 'x')).size(), 200u);
}

TEST(Names, ClosestFirst) {
  std::vector<absl::string_view> names = {
      "lm_head.weight", "transformer.wpe.weight", "transformer.wte.bias",
      "transformer.wte.weight"};
  EXPECT_THAT(closestNames("transformer.wte.weigth", names, 2),
              ElementsAre("transformer.wte.weight", "transformer.wpe.weight"));
  EXPECT_THAT(closestNames("zzz", names), IsEmpty());
  EXPECT_THAT(closestNames(std::string(100000, 'x'), names), IsEmpty());
}

} // namespace
} // namespace t6
