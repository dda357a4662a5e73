//===- TokenizerTest.cpp - Encoding and decoding --------------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "runtime/text/Tokenizer.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"

#include <nlohmann/json.hpp>

#include <cstdlib>
#include <fstream>
#include <random>
#include <string>
#include <vector>

namespace t6 {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using Ids = std::vector<int32_t>;

const std::string kData = "tests/data/tokenizer";
constexpr int32_t kEndOfText = 481;

std::unique_ptr<Tokenizer> load(const std::string &path) {
  auto result = loadTokenizer(path);
  EXPECT_TRUE(result.ok()) << result.status();
  return result.ok() ? *std::move(result) : makeByteTokenizer();
}

Ids encodeInChunks(const Tokenizer &tokenizer, absl::string_view text,
                   size_t chunk) {
  StreamEncoder encoder(tokenizer, /*allowSpecial=*/true);
  Ids ids;
  for (; !text.empty(); text.remove_prefix(std::min(chunk, text.size())))
    encoder.push(text.substr(0, chunk), ids);
  encoder.finish(ids);
  return ids;
}

struct Case {
  std::string text;
  Ids ids;
};

// Computed by a slow independent encoder (GPT-2's pattern in a regular
// expression engine, then the merge of lowest rank over whole lists) and
// confirmed by the library that defines tokenizer.json.
const Case kCases[] = {
    {"", {}},
    {"Hello, world!", {382, 11, 376, 0}},
    {"the tensor product of the factors",
     {83, 256, 257, 346, 266, 332, 267, 259, 370}},
    {"  two  spaces\011and\012\012 a tab \015\012 ",
     {220, 257, 86,  78,  220, 271, 79, 275, 276, 197, 64,
      269, 198, 198, 258, 257, 64,  65, 220, 201, 198, 220}},
    {"It's we're I'll they've he'd I'm don't 'S 'x '",
     {40, 83, 6,   82,  279, 68,  6,  270, 323, 6,  352, 259,
      88, 6,  357, 220, 256, 6,   67, 323, 6,   76, 306, 77,
      6,  83, 220, 6,   50,  220, 6,  87,  220, 6}},
    {"na\303\257ve caf\303\251 \303\234bergr\303\266\303\237e",
     {77, 386, 107, 357, 369, 304, 250, 391, 70, 411, 114, 127, 253, 68}},
    {"\346\227\245\346\234\254\350\252\236 \343\201\250 "
     "\355\225\234\352\265\255\354\226\264",
     {441, 420, 220, 159, 223, 101, 460}},
    {"\360\237\221\251\342\200\215\360\237\221\251\342\200\215\360\237\221\247 "
     "\360\237\230\200 done",
     {320, 419, 419, 100, 220, 448, 306, 285}},
    {"x = foo(a1, b22) * 3.14; // end",
     {87,  456, 263, 78, 78, 7,  64,  16, 11, 289, 17,  17, 8,
      453, 364, 13,  16, 19, 26, 220, 14, 14, 220, 268, 67}},
    {"\331\241\331\242\331\243 \342\205\247 \302\275 \302\262",
     {149, 94, 149, 95, 149, 96, 220, 158, 227, 100, 220, 126, 121, 220, 126,
      110}},
    {"a\302\240b\343\200\200\343\200\200c\302\205d\342\200\213e\341\232\200\342"
     "\200\250f",
     {64,  126, 254, 65,  159, 222, 222, 159, 222, 222, 66, 126,
      227, 67,  278, 233, 68,  157, 248, 222, 278, 101, 69}},
    {"e\314\201 \305\277t \357\254\201 \341\264\254",
     {68, 136, 223, 220, 129, 123, 83, 220, 171, 105, 223, 220, 157, 112, 105}},
    {"<|endoftext|> is text",
     {27, 91, 268, 67, 78, 69, 316, 87, 83, 91, 29, 371, 257, 68, 87, 83}},
    {std::string("\000\034\177", 3), {188, 216, 221}},
    {"aaaaaaaaaaaaaaaaaaaaa", {280, 280, 280, 280, 280, 64}},
    {"    trailing    ", {262, 220, 257, 81, 292, 75, 405, 70, 262, 262}},
};

class SmallVocabulary : public ::testing::TestWithParam<const char *> {};

TEST_P(SmallVocabulary, AgreesWithAnIndependentEncoder) {
  std::unique_ptr<Tokenizer> tokenizer = load(kData + GetParam());
  for (const Case &c : kCases) {
    EXPECT_EQ(tokenizer->encode(c.text, /*allowSpecial=*/false), c.ids)
        << c.text;
    EXPECT_EQ(*tokenizer->decode(c.ids), c.text);
  }
}

INSTANTIATE_TEST_SUITE_P(Forms, SmallVocabulary,
                         ::testing::Values("", "/tokenizer.json",
                                           "/vocab.json"));

TEST(Tokenizer, SpecialTokensOnlyWhereAllowed) {
  std::unique_ptr<Tokenizer> tokenizer = load(kData);
  EXPECT_EQ(tokenizer->vocabSize(), kEndOfText + 2);
  EXPECT_EQ(tokenizer->eosId(), kEndOfText);
  EXPECT_TRUE(tokenizer->isSpecial(kEndOfText));
  EXPECT_FALSE(tokenizer->isSpecial(kEndOfText + 1));
  EXPECT_FALSE(tokenizer->isSpecial(-1));
  EXPECT_FALSE(tokenizer->isSpecial(100000));
  EXPECT_THAT(tokenizer->encode("a<|endoftext|>b[DONE] c", true),
              ElementsAre(64, 481, 65, 482, 284));
  // A token that is added but not special always matches.
  Ids ordinary = tokenizer->encode("a<|endoftext|>b[DONE] c", false);
  EXPECT_THAT(ordinary, ::testing::Contains(482));
  EXPECT_THAT(ordinary, ::testing::Not(::testing::Contains(kEndOfText)));
  EXPECT_EQ(*tokenizer->decode(ordinary), "a<|endoftext|>b[DONE] c");
}

TEST(Tokenizer, VocabAndMergesHaveOneSpecialToken) {
  std::unique_ptr<Tokenizer> tokenizer = load(kData + "/vocab.json");
  EXPECT_EQ(tokenizer->vocabSize(), kEndOfText + 1);
  EXPECT_EQ(tokenizer->eosId(), kEndOfText);
  EXPECT_THAT(tokenizer->encode("<|endoftext|>", true),
              ElementsAre(kEndOfText));
}

TEST(Tokenizer, AnyBytesRoundTripWholeAndInChunks) {
  std::unique_ptr<Tokenizer> bpe = load(kData);
  std::unique_ptr<Tokenizer> bytes = makeByteTokenizer();
  const char *fragments[] = {
      " ",      "  ",   "\n",       "'s",     "'l",
      "the",    "é",    "日",       "0",      "<|endoftext|>",
      "<|en",   "\xFF", "\xE3\x80", "\u3000", "😀",
      "[DONE]", "aaaa", "!"};
  std::mt19937 random(7);
  for (int round = 0; round < 500; ++round) {
    std::string text;
    for (size_t n = random() % 30; n > 0; --n)
      text += random() % 4 ? fragments[random() % std::size(fragments)]
                           : std::string(1, char(random()));
    for (const Tokenizer *tokenizer : {bpe.get(), bytes.get()}) {
      Ids ids = tokenizer->encode(text, true);
      ASSERT_EQ(*tokenizer->decode(ids), text);
      ASSERT_EQ(*tokenizer->decode(tokenizer->encode(text, false)), text);
      for (size_t chunk : {1, 2, 5, 17})
        ASSERT_EQ(encodeInChunks(*tokenizer, text, chunk), ids) << text;
    }
  }
}

// Quadratic work would take minutes.
TEST(Tokenizer, AMegabyteOfOneLetter) {
  std::unique_ptr<Tokenizer> tokenizer = load(kData);
  std::string text(1 << 20, 'a');
  Ids ids = tokenizer->encode(text, false);
  // The longest merge of the vocabulary is "aaaa".
  EXPECT_EQ(ids, Ids(text.size() / 4, tokenizer->encode("aaaa", false).at(0)));
  EXPECT_EQ(encodeInChunks(*tokenizer, text, 16), ids);
}

TEST(Tokenizer, DecodeNamesAnIdOutsideTheVocabulary) {
  std::unique_ptr<Tokenizer> tokenizer = makeByteTokenizer();
  absl::Status status = tokenizer->decode({1, 2, 257}).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kOutOfRange);
  EXPECT_THAT(status.message(), HasSubstr("token 2 has id 257"));
  EXPECT_FALSE(tokenizer->decode({-1}).ok());
  EXPECT_EQ(tokenizer->decodeBytes(257), "");
  EXPECT_EQ(tokenizer->decodeBytes(-1), "");
}

TEST(ByteTokenizer, IdsAreBytes) {
  std::unique_ptr<Tokenizer> tokenizer = load("bytes");
  EXPECT_EQ(tokenizer->vocabSize(), 257);
  EXPECT_EQ(tokenizer->eosId(), 256);
  EXPECT_THAT(tokenizer->encode("a\xFF<|endoftext|>", true),
              ElementsAre(97, 255, 256));
  EXPECT_EQ(tokenizer->encode("<|endoftext|>", false).size(), 13u);
  EXPECT_EQ(tokenizer->decodeBytes(255), "\xFF");
  EXPECT_EQ(tokenizer->decodeBytes(256), "<|endoftext|>");
}

// GPT-2's own files are too large to keep here: with --test_env=T6_GPT2_DIR=D,
// D holding vocab.json, merges.txt and tokenize.json ([{"text", "ids"}]).
TEST(Tokenizer, AgreesOnTheRealGpt2Vocabulary) {
  const char *folder = std::getenv("T6_GPT2_DIR");
  if (!folder)
    GTEST_SKIP() << "T6_GPT2_DIR is not set";
  std::unique_ptr<Tokenizer> tokenizer = load(folder);
  EXPECT_EQ(tokenizer->vocabSize(), 50257);
  EXPECT_EQ(tokenizer->eosId(), 50256);
  std::ifstream file(std::string(folder) + "/tokenize.json");
  nlohmann::json cases = nlohmann::json::parse(file, nullptr, false);
  ASSERT_TRUE(cases.is_array() && !cases.empty());
  for (const nlohmann::json &c : cases) {
    std::string text = c["text"].get<std::string>();
    EXPECT_EQ(tokenizer->encode(text, false), c["ids"].get<Ids>()) << text;
    EXPECT_EQ(encodeInChunks(*tokenizer, text, 3), c["ids"].get<Ids>());
  }
}

} // namespace
} // namespace t6
