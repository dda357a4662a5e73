//===- CorpusTest.cpp - Opens the corpus of a run -------------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "runtime/data/Corpus.h"

#include "runtime/data/TestSupport.h"

#include "absl/strings/str_replace.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"

#include <limits>
#include <unistd.h>

namespace t6 {
namespace {

using testing::bareTokens;
using testing::counting;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using testing::isError;
using testing::shardBytes;
using testing::TemporaryTree;
using testing::toVector;

constexpr auto kInvalid = absl::StatusCode::kInvalidArgument;
constexpr auto kDamaged = absl::StatusCode::kDataLoss;
constexpr auto kOther = absl::StatusCode::kFailedPrecondition;
constexpr auto kNotFound = absl::StatusCode::kNotFound;

class CorpusTest : public ::testing::Test {
protected:
  CorpusTest() {
    options.window = 4;
    options.vocabSize = 1000;
  }

  absl::StatusOr<Corpus> open() { return openCorpus({tree.path}, options); }

  void expectRefused(absl::string_view name, absl::string_view contents,
                     absl::StatusCode code,
                     std::initializer_list<absl::string_view> parts) {
    std::string path = tree.write(name, contents);
    absl::Status status = openCorpus({path}, options).status();
    EXPECT_TRUE(isError(status, code, parts));
    EXPECT_THAT(status.message(), HasSubstr(path));
  }

  TemporaryTree tree;
  CorpusOptions options;
};

TEST_F(CorpusTest, ShardsOfAFolder) {
  tree.write("fineweb_train_000001.bin", shardBytes(counting(10)));
  tree.write("fineweb_train_000002.bin", shardBytes(counting(6, 10)));
  tree.write("fineweb_val_000000.bin", shardBytes(counting(5, 100)));
  auto corpus = open();
  ASSERT_TRUE(corpus.ok()) << corpus.status();
  ASSERT_EQ(corpus->training.shards().size(), 2u);
  EXPECT_EQ(corpus->training.tokenCount(), 16);
  EXPECT_THAT(toVector(corpus->training.shards()[1].tokens),
              ElementsAre(10, 11, 12, 13, 14, 15));
  ASSERT_EQ(corpus->validation.shards().size(), 1u);
  EXPECT_THAT(toVector(corpus->validation.shards()[0].tokens),
              ElementsAre(100, 101, 102, 103, 104));
  EXPECT_FALSE(corpus->validationIsShare);
  ASSERT_EQ(corpus->files.size(), 3u);
  EXPECT_EQ(corpus->files[1].path, tree.file("fineweb_train_000002.bin"));
  EXPECT_EQ(corpus->files[1].tokens, 6);
}

TEST_F(CorpusTest, TokensOutliveWhateverOpenedThem) {
  tree.write("train.bin", bareTokens(counting(10)));
  tree.write("val.bin", bareTokens(counting(5)));
  TokenDataset copy;
  {
    auto corpus = open();
    ASSERT_TRUE(corpus.ok()) << corpus.status();
    copy = corpus->training;
  }
  EXPECT_EQ(copy.shards()[0].tokens[9], 9);
}

TEST_F(CorpusTest, OneShardGivesItsLastWindowsToValidation) {
  // 10 windows of 4; a fifth of them is 2.
  std::string path = tree.write("a.bin", bareTokens(counting(43)));
  options.validationShare = 0.2;
  auto corpus = openCorpus({path}, options);
  ASSERT_TRUE(corpus.ok()) << corpus.status();
  EXPECT_TRUE(corpus->validationIsShare);
  TokenSpan training = corpus->training.shards()[0].tokens;
  const TokenShard &validation = corpus->validation.shards()[0];
  // The last target of training is the first input of validation.
  EXPECT_EQ(training.size(), 35);
  EXPECT_EQ(training[34], 34);
  EXPECT_EQ(validation.start, 34);
  EXPECT_EQ(validation.tokens[0], 34);
  EXPECT_EQ(validation.tokens.size(), 2 * 4 + 1);
  EXPECT_EQ(validation.tokens[8], 42);
}

TEST_F(CorpusTest, TheShareMayTakeWholeShards) {
  // Windows of 4: two, one, two.
  for (absl::string_view name : {"a.bin", "b.bin", "c.bin"})
    tree.write(name, bareTokens(counting(name == "b.bin" ? 6 : 9)));
  options.validationShare = 0.8;
  auto corpus = open();
  ASSERT_TRUE(corpus.ok()) << corpus.status();
  ASSERT_EQ(corpus->training.shards().size(), 1u);
  EXPECT_EQ(corpus->training.shards()[0].tokens.size(), 5);
  ASSERT_EQ(corpus->validation.shards().size(), 3u);
  EXPECT_EQ(corpus->validation.shards()[0].path, tree.file("a.bin"));
  EXPECT_EQ(corpus->validation.shards()[0].start, 4);
  EXPECT_EQ(corpus->validation.shards()[1].tokens.size(), 6);
  EXPECT_EQ(corpus->validation.shards()[2].path, tree.file("c.bin"));
}

TEST_F(CorpusTest, BothPartsHaveAtLeastOneWindow) {
  std::string path = tree.write("a.bin", bareTokens(counting(9)));
  for (double share : {0.001, 0.999}) {
    options.validationShare = share;
    auto corpus = openCorpus({path}, options);
    ASSERT_TRUE(corpus.ok()) << corpus.status();
    EXPECT_EQ(corpus->training.tokenCount(), 5);
    EXPECT_EQ(corpus->validation.tokenCount(), 5);
  }
  options.validationShare = 0;
  auto corpus = openCorpus({path}, options);
  ASSERT_TRUE(corpus.ok()) << corpus.status();
  EXPECT_EQ(corpus->training.tokenCount(), 9);
  EXPECT_TRUE(corpus->validation.empty());
}

TEST_F(CorpusTest, EvaluationTakesWhatIsSetApart) {
  tree.write("train.bin", bareTokens(counting(9)));
  auto all = openEvaluationCorpus({tree.path}, options);
  ASSERT_TRUE(all.ok()) << all.status();
  EXPECT_EQ(all->tokenCount(), 9);
  tree.write("val.bin", bareTokens(counting(7)));
  auto dataset = openEvaluationCorpus({tree.path}, options);
  ASSERT_TRUE(dataset.ok()) << dataset.status();
  EXPECT_EQ(dataset->tokenCount(), 7);
  options.window = 7;
  EXPECT_TRUE(isError(openEvaluationCorpus({tree.path}, options).status(),
                      kInvalid, {tree.file("val.bin"), "has 7 tokens"}));
}

TEST_F(CorpusTest, DamagedShardsAreRefused) {
  std::vector<uint16_t> ids = counting(10);
  expectRefused("a.bin", shardBytes(ids, 20240519), kOther, {"magic is"});
  expectRefused("fineweb_train_000001.bin", bareTokens(ids), kOther,
                {"does not begin with the magic", "20240520"});
  expectRefused("a.bin", shardBytes(ids, 20240520, 2), kOther, {"version 2"});
  expectRefused("a.bin", shardBytes(ids) + "xx", kDamaged,
                {"22 bytes of tokens", "promises 10 tokens"});
  expectRefused("a.bin", shardBytes(ids).substr(0, 1024 + 18), kDamaged,
                {"18 bytes of tokens", "promises 10 tokens"});
  expectRefused("a.bin", shardBytes(ids) + "x", kDamaged, {"21 bytes"});
  expectRefused("a.bin", "abc", kDamaged, {"odd number of bytes (3)"});
  expectRefused("a.bin", "", kDamaged, {"is empty"});
  expectRefused("a.bin", shardBytes({}), kInvalid, {"has 0 tokens"});
}

TEST_F(CorpusTest, FilesThatCannotBeReadAreNamed) {
  EXPECT_TRUE(isError(openCorpus({tree.file("missing")}, options).status(),
                      kNotFound, {tree.file("missing")}));
  tree.write("train.bin/file", "x");
  EXPECT_TRUE(isError(open().status(), absl::StatusCode::kUnknown,
                      {"cannot read", tree.file("train.bin")}));
  if (::geteuid() == 0)
    return; // Permissions do not bind root.
  std::string path = tree.write("a.bin", bareTokens(counting(10)));
  std::filesystem::permissions(path, std::filesystem::perms::none);
  EXPECT_TRUE(isError(openCorpus({path}, options).status(),
                      absl::StatusCode::kPermissionDenied, {path}));
}

TEST_F(CorpusTest, AFolderWithoutTrainingShards) {
  tree.write("fineweb_val_000000.bin", shardBytes(counting(10)));
  EXPECT_TRUE(isError(
      open().status(), kNotFound,
      {tree.path, "has no shard to train on", "fineweb_val_000000.bin"}));
}

TEST_F(CorpusTest, CorporaShorterThanAWindowAreRefused) {
  expectRefused("a.bin", bareTokens(counting(4)), kInvalid,
                {"has 4 tokens", "length 4"});
  // One window, and validation needs another.
  expectRefused("a.bin", bareTokens(counting(8)), kInvalid,
                {"has 8 tokens, one window of length 4"});
  tree.write("train.bin", bareTokens(counting(9)));
  tree.write("val.bin", bareTokens(counting(4)));
  EXPECT_TRUE(isError(open().status(), kInvalid,
                      {tree.file("val.bin"), "has 4 tokens"}));
}

TEST_F(CorpusTest, TokensOfShardsAreCheckedWhenAskedFor) {
  options.vocabSize = 10;
  tree.write("train.bin", bareTokens(counting(10)));
  tree.write("val.bin", bareTokens(counting(10, 3)));
  auto corpus = open();
  ASSERT_TRUE(corpus.ok()) << corpus.status();
  EXPECT_TRUE(corpus->training.checkVocabulary().ok());
  EXPECT_TRUE(isError(corpus->validation.checkVocabulary(), kOther,
                      {tree.file("val.bin"), "token 7 has id 10"}));
}

TEST_F(CorpusTest, OptionsOutOfRangeAreRefused) {
  tree.write("train.bin", bareTokens(counting(10)));
  auto refused = [&](absl::string_view part) {
    EXPECT_TRUE(isError(open().status(), kInvalid, {part}));
    EXPECT_TRUE(isError(openEvaluationCorpus({tree.path}, options).status(),
                        kInvalid, {part}));
  };
  CorpusOptions good = options;
  options.window = 0;
  refused("length 0");
  options = good;
  options.vocabSize = 0;
  refused("vocabulary of 0");
  for (double share : {-0.1, 1.0, std::numeric_limits<double>::quiet_NaN()}) {
    options = good;
    options.validationShare = share;
    refused("share for validation");
  }
}

class TextCorpusTest : public CorpusTest {
protected:
  TextCorpusTest() : tokenizer(makeByteTokenizer()) {
    options.tokenizer = tokenizer.get();
    options.validationShare = 0;
  }

  /// The text of the one training shard; "|" for the end of a text.
  std::string textOf(const absl::StatusOr<Corpus> &corpus) {
    EXPECT_TRUE(corpus.ok()) << corpus.status();
    if (!corpus.ok() || corpus->training.shards().size() != 1)
      return "";
    std::vector<int32_t> ids = toVector(corpus->training.shards()[0].tokens);
    return absl::StrReplaceAll(*tokenizer->decode(ids),
                               {{"<|endoftext|>", "|"}});
  }

  std::unique_ptr<Tokenizer> tokenizer;
};

TEST_F(TextCorpusTest, TextsFollowEachOther) {
  tree.write("b.txt", "second");
  tree.write("a/a.txt", "first");
  tree.write("empty", "");
  auto corpus = open();
  EXPECT_EQ(textOf(corpus), "|first|second");
  ASSERT_EQ(corpus->files.size(), 3u);
  EXPECT_EQ(corpus->files[0].path, tree.file("a/a.txt"));
  EXPECT_EQ(corpus->files[0].tokens, 6);
  EXPECT_EQ(corpus->files[2].tokens, 0);
  EXPECT_EQ(corpus->training.shards()[0].path, tree.path);
  options.suffixes = {".txt"};
  options.markTexts = false;
  EXPECT_EQ(textOf(open()), "firstsecond");
}

TEST_F(TextCorpusTest, SpecialTokensAreTextUnlessAllowed) {
  std::string path = tree.write("a", "one<|endoftext|>two");
  auto corpus = openCorpus({path}, options);
  EXPECT_EQ(corpus->training.tokenCount(), 1 + 3 + 13 + 3);
  options.allowSpecial = true;
  corpus = openCorpus({path}, options);
  EXPECT_EQ(corpus->training.tokenCount(), 1 + 3 + 1 + 3);
}

/// Gives byte b the id 70000 + b.
class WideTokenizer : public Tokenizer {
public:
  WideTokenizer() : Tokenizer(table(), {}) {}

private:
  static TokenTable table() {
    TokenTable table;
    for (int32_t id = 0; id < 70256; ++id)
      table.add("x");
    return table;
  }
  size_t encodeOrdinary(absl::string_view text, bool,
                        std::vector<int32_t> &ids) const override {
    for (char c : text)
      ids.push_back(70000 + uint8_t(c));
    return text.size();
  }
};

TEST_F(TextCorpusTest, IdsBeyond16BitsAreKept) {
  WideTokenizer wide;
  options.tokenizer = &wide;
  options.vocabSize = wide.vocabSize();
  auto corpus = openCorpus({tree.write("a", "ABCDE")}, options);
  ASSERT_TRUE(corpus.ok()) << corpus.status();
  EXPECT_THAT(toVector(corpus->training.shards()[0].tokens),
              ElementsAre(70065, 70066, 70067, 70068, 70069));
}

TEST_F(TextCorpusTest, LongTextsAreEncodedWhole) {
  // Longer than the chunk that is encoded at a time.
  std::string text;
  while (text.size() < 2500000)
    absl::StrAppend(&text, "the heads ", text.size(), "\n");
  std::string path = tree.write("a", text);
  EXPECT_TRUE(textOf(openCorpus({path}, options)) == "|" + text);
}

TEST_F(TextCorpusTest, AShareIsKeptApart) {
  tree.write("a", "0123456789");
  tree.write("b", "ABCDEFGHI");
  options.validationShare = 0.3;
  auto corpus = open();
  // 21 tokens, five windows of 4, of which two are for validation.
  EXPECT_EQ(textOf(corpus), "|0123456789|A");
  EXPECT_EQ(*tokenizer->decode(toVector(corpus->validation.shards()[0].tokens)),
            "ABCDEFGHI");
  EXPECT_EQ(corpus->validation.shards()[0].start, 12);
}

TEST_F(TextCorpusTest, WhatIsNotATextIsRefused) {
  expectRefused("a", absl::string_view("abc\0def", 7), kOther,
                {"is not a text: byte 3 is 0"});
  expectRefused("shard", shardBytes(counting(10)), kOther, {"is not a text"});
  expectRefused("a", "", kDamaged, {"is empty"});
  expectRefused("a", "abc", kInvalid, {"has 4 tokens"});
}

TEST_F(TextCorpusTest, TextsOfEmptyFilesAreTooShort) {
  tree.write("a", "");
  EXPECT_TRUE(isError(open().status(), kInvalid, {tree.path, "has 0 tokens"}));
}

TEST_F(TextCorpusTest, TextsNeedATokenizer) {
  options.tokenizer = nullptr;
  expectRefused("a", "some text", kInvalid, {"no tokenizer is given"});
}

TEST_F(TextCorpusTest, TokensOutsideTheVocabularyAreNamed) {
  options.vocabSize = 256;
  expectRefused("a", "some text", kOther, {"token 0 has id 256"});
  options.markTexts = false;
  options.vocabSize = 120;
  tree.write("a", "some text");
  tree.write("b", "more zzz");
  // The first in the order of the files, "x" being 120.
  EXPECT_TRUE(
      isError(open().status(), kOther, {tree.file("a"), "token 7 has id 120"}));
  // Beyond what is encoded at a time.
  expectRefused("long", std::string(3000000, 'a') + "x", kOther,
                {"token 3000000 has id 120"});
}

} // namespace
} // namespace t6
