//===- CorpusFilesTest.cpp - Which files make up a corpus -----------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "runtime/data/CorpusFiles.h"

#include "runtime/data/TestSupport.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace t6 {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using testing::isError;
using testing::TemporaryTree;

class CorpusFilesTest : public ::testing::Test {
protected:
  void write(std::initializer_list<absl::string_view> names) {
    for (absl::string_view name : names)
      tree.write(name, "x");
  }

  /// Of the whole folder, which must be a corpus.
  CorpusFiles find(std::vector<std::string> suffixes = {}) {
    auto files = findCorpusFiles({tree.path}, suffixes);
    EXPECT_TRUE(files.ok()) << files.status();
    return files.ok() ? *files : CorpusFiles();
  }

  TemporaryTree tree;
};

TEST_F(CorpusFilesTest, ShardsOfFinewebComeFirst) {
  write({"fineweb_train_000002.bin", "fineweb_train_000001.bin",
         "fineweb_val_000001.bin", "fineweb_val_000000.bin", "train.bin",
         "other.bin", "README.md"});
  CorpusFiles files = find();
  EXPECT_FALSE(files.text);
  EXPECT_THAT(files.training,
              ElementsAre(tree.file("fineweb_train_000001.bin"),
                          tree.file("fineweb_train_000002.bin")));
  EXPECT_THAT(files.validation,
              ElementsAre(tree.file("fineweb_val_000000.bin")));
}

TEST_F(CorpusFilesTest, ThenTrainAndVal) {
  write({"val.bin", "train.bin", "a_val.bin", "other.bin"});
  CorpusFiles files = find();
  EXPECT_THAT(files.training, ElementsAre(tree.file("train.bin")));
  EXPECT_THAT(files.validation, ElementsAre(tree.file("val.bin")));
}

TEST_F(CorpusFilesTest, ThenAllByTheWordVal) {
  write({"stories_val.bin", "stories_train.bin", "interval.bin", "b.bin"});
  CorpusFiles files = find();
  EXPECT_THAT(files.training,
              ElementsAre(tree.file("b.bin"), tree.file("interval.bin"),
                          tree.file("stories_train.bin")));
  EXPECT_THAT(files.validation, ElementsAre(tree.file("stories_val.bin")));
}

TEST_F(CorpusFilesTest, NamedFilesKeepTheirOrder) {
  write({"b.bin", "fineweb_val_000000.bin", "more/a.bin", "more/val.bin"});
  auto files = findCorpusFiles({tree.file("fineweb_val_000000.bin"),
                                tree.file("more"), tree.file("b.bin")},
                               {});
  ASSERT_TRUE(files.ok()) << files.status();
  EXPECT_THAT(files->training, ElementsAre(tree.file("fineweb_val_000000.bin"),
                                           tree.file("b.bin")));
  EXPECT_THAT(files->validation, ElementsAre(tree.file("more/val.bin")));
}

TEST_F(CorpusFilesTest, TextsAreFoundInFoldersInOrder) {
  write(
      {"b.txt", "a/z.txt", "a/b/c.md", "c", "a.txt", ".hidden", ".git/config"});
  CorpusFiles files = find();
  EXPECT_TRUE(files.text);
  EXPECT_THAT(files.training,
              ElementsAre(tree.file("a/b/c.md"), tree.file("a/z.txt"),
                          tree.file("a.txt"), tree.file("b.txt"),
                          tree.file("c")));
  EXPECT_THAT(files.validation, IsEmpty());
  EXPECT_THAT(find({".md", "b.txt"}).training,
              ElementsAre(tree.file("a/b/c.md"), tree.file("b.txt")));
}

TEST_F(CorpusFilesTest, SuffixesAskForTexts) {
  write({"shard.bin", "a.txt"});
  CorpusFiles files = find({".txt"});
  EXPECT_TRUE(files.text);
  EXPECT_THAT(files.training, ElementsAre(tree.file("a.txt")));
}

TEST_F(CorpusFilesTest, LinksThatLeadBackAreNotFollowed) {
  write({"a/text", "b/text"});
  tree.link("a/up", "..");
  tree.link("b/again", "../a");
  tree.link("file", "a/text");
  EXPECT_THAT(
      find().training,
      ElementsAre(tree.file("a/text"), tree.file("b/text"), tree.file("file")));
}

TEST_F(CorpusFilesTest, ALinkToNowhereMattersWhereItIsWanted) {
  write({"a.txt"});
  tree.link("b.md", "missing");
  EXPECT_THAT(find({".txt"}).training, ElementsAre(tree.file("a.txt")));
  EXPECT_TRUE(isError(findCorpusFiles({tree.path}, {}).status(),
                      absl::StatusCode::kNotFound,
                      {"cannot inspect", tree.file("b.md")}));
}

TEST_F(CorpusFilesTest, WhatIsNotACorpusIsRefused) {
  constexpr auto kNotFound = absl::StatusCode::kNotFound;
  constexpr auto kInvalid = absl::StatusCode::kInvalidArgument;
  EXPECT_TRUE(isError(findCorpusFiles({}, {}).status(), kInvalid,
                      {"no corpus is named"}));
  EXPECT_TRUE(isError(findCorpusFiles({tree.path}, {}).status(), kNotFound,
                      {tree.path, "neither .bin shards nor texts"}));
  EXPECT_TRUE(isError(findCorpusFiles({tree.file("missing")}, {}).status(),
                      kNotFound, {tree.file("missing")}));
  write({"shards/a.bin", "a.txt"});
  const std::vector<std::string> suffixes = {".md", ".h"};
  EXPECT_TRUE(isError(findCorpusFiles({tree.path}, suffixes).status(),
                      kNotFound, {tree.path, "ends in .md, .h"}));
  EXPECT_TRUE(isError(
      findCorpusFiles({tree.file("a.txt"), tree.file("shards")}, {}).status(),
      kInvalid,
      {tree.file("a.txt"), tree.file("shards"), "a text and a shard"}));
}

} // namespace
} // namespace t6
