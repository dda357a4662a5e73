//===- TokenizerFilesTest.cpp - Tokenizer files, good and bad -------------===//
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
#include <functional>
#include <iterator>
#include <string>

namespace t6 {
namespace {

using ::testing::HasSubstr;
using Json = nlohmann::json;

std::string readFile(const std::string &path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

void writeFile(const std::string &path, absl::string_view contents) {
  std::ofstream(path, std::ios::binary) << contents;
}

const Json &goodJson() {
  static const Json json = Json::parse(
      readFile("tests/data/tokenizer/tokenizer.json"), nullptr, false);
  return json;
}

absl::Status statusOf(const Json &json) {
  return parseTokenizerJson(json.dump(), "t.json").status();
}

/// The status after `change`, which must say `message` and give a hint.
void expectRefused(absl::StatusCode code, const std::string &message,
                   const std::function<void(Json &)> &change) {
  Json json = goodJson();
  change(json);
  absl::Status status = statusOf(json);
  EXPECT_EQ(status.code(), code) << status;
  EXPECT_THAT(status.message(), HasSubstr(message));
  EXPECT_THAT(status.message(), HasSubstr("t.json"));
  EXPECT_THAT(status.message(), HasSubstr("; HINT: "));
}

constexpr absl::StatusCode kDamaged = absl::StatusCode::kDataLoss;
constexpr absl::StatusCode kUnsupported = absl::StatusCode::kFailedPrecondition;

TEST(TokenizerJson, MergesAsStringsAndAsPairsAreTheSame) {
  Json json = goodJson();
  for (Json &merge : json["model"]["merges"])
    merge = merge[0].get<std::string>() + " " + merge[1].get<std::string>();
  auto strings = parseTokenizerJson(json.dump(), "t.json");
  auto pairs = parseTokenizerJson(goodJson().dump(), "t.json");
  ASSERT_TRUE(strings.ok() && pairs.ok()) << strings.status();
  for (absl::string_view text :
       {"the products of the heads", "été 日本語 \xFF"})
    EXPECT_EQ((*strings)->encode(text, true), (*pairs)->encode(text, true));
}

TEST(TokenizerJson, ASequenceOfOneByteLevelIsAccepted) {
  Json json = goodJson();
  json["pre_tokenizer"] = {{"type", "Sequence"},
                           {"pretokenizers", {json["pre_tokenizer"]}}};
  EXPECT_TRUE(statusOf(json).ok()) << statusOf(json);
}

TEST(TokenizerJson, OtherModelsAreRefusedByName) {
  for (const char *type : {"Unigram", "WordPiece", "WordLevel"})
    expectRefused(kUnsupported, type,
                  [&](Json &j) { j["model"]["type"] = type; });
  for (const char *key : {"byte_fallback", "ignore_merges", "fuse_unk"})
    expectRefused(kUnsupported, key, [&](Json &j) { j["model"][key] = true; });
  expectRefused(kUnsupported, "end_of_word_suffix",
                [](Json &j) { j["model"]["end_of_word_suffix"] = "</w>"; });
  expectRefused(kUnsupported, "dropout",
                [](Json &j) { j["model"]["dropout"] = 0.1; });
}

TEST(TokenizerJson, OtherSplittingIsRefusedByName) {
  expectRefused(kUnsupported, "NFC", [](Json &j) {
    j["normalizer"] = {{"type", "NFC"}};
  });
  expectRefused(kUnsupported, "Whitespace",
                [](Json &j) { j["pre_tokenizer"]["type"] = "Whitespace"; });
  expectRefused(kUnsupported, "no pre_tokenizer",
                [](Json &j) { j["pre_tokenizer"] = nullptr; });
  expectRefused(kUnsupported, "use_regex",
                [](Json &j) { j["pre_tokenizer"]["use_regex"] = false; });
  expectRefused(kUnsupported, "add_prefix_space",
                [](Json &j) { j["pre_tokenizer"]["add_prefix_space"] = true; });
  expectRefused(kUnsupported, "add_prefix_space",
                [](Json &j) { j["pre_tokenizer"].erase("add_prefix_space"); });
  expectRefused(kUnsupported, "lstrip",
                [](Json &j) { j["added_tokens"][0]["lstrip"] = true; });
}

TEST(TokenizerJson, IdsMustBeConsecutiveAndUnique) {
  auto setId = [](const char *token, const Json &id) {
    return [=](Json &j) { j["model"]["vocab"][token] = id; };
  };
  expectRefused(kDamaged, "both have id 64", setId("b", 64));
  expectRefused(kDamaged, "has id 1000, and 483 tokens", setId("b", 1000));
  expectRefused(kDamaged, "out of range", setId("b", -1));
  expectRefused(kDamaged, "out of range", setId("b", int64_t(1) << 32));
  expectRefused(kDamaged, "out of range", setId("b", UINT64_MAX));
  expectRefused(kDamaged, "out of range", setId("b", 1.5));
  expectRefused(kDamaged, "out of range", setId("b", "64"));
  expectRefused(kDamaged, "out of range", setId("b", nullptr));
}

TEST(TokenizerJson, TheVocabularyMustBeByteLevelAndComplete) {
  expectRefused(kUnsupported, "not spelled in the alphabet", [](Json &j) {
    j["model"]["vocab"].erase("aa");
    j["model"]["vocab"]["\u2581a"] = goodJson()["model"]["vocab"]["aa"];
  });
  // The id of "b" goes to another token: nothing stands for that byte.
  expectRefused(kUnsupported, "no token stands for the byte 98", [](Json &j) {
    j["model"]["vocab"].erase("b");
    j["model"]["vocab"]["zzzz"] = goodJson()["model"]["vocab"]["b"];
  });
  expectRefused(kDamaged, "is empty", [](Json &j) {
    j["model"]["vocab"].erase("aa");
    j["model"]["vocab"][""] = goodJson()["model"]["vocab"]["aa"];
  });
  expectRefused(kUnsupported, "no model.vocab",
                [](Json &j) { j["model"]["vocab"] = Json::array({"a"}); });
  expectRefused(kUnsupported, "no object \"model\"",
                [](Json &j) { j.erase("model"); });
}

TEST(TokenizerJson, MergesMustNameTokens) {
  auto set = [](const Json &merge) {
    return [=](Json &j) { j["model"]["merges"][3] = merge; };
  };
  const std::string place = "model.merges[3]";
  expectRefused(kDamaged, place + " merges \"Q\" and \"Q\"",
                set(Json::array({"Q", "Q"})));
  expectRefused(kDamaged, "\"\" is not in the vocabulary", set(" a"));
  for (const Json &merge :
       {Json("ab"), Json("a b c"), Json(7), Json::array({"a"}),
        Json::array({"a", "b", "c"}), Json::array({"a", 1}), Json(nullptr)})
    expectRefused(kDamaged, place + " is not two tokens", set(merge));
  expectRefused(kUnsupported, "model.merges",
                [](Json &j) { j["model"]["merges"] = "a b"; });
}

TEST(TokenizerJson, AddedTokensMustAgreeWithTheVocabulary) {
  auto set = [](const char *key, const Json &value) {
    return [=](Json &j) { j["added_tokens"][1][key] = value; };
  };
  expectRefused(kDamaged, "two added tokens have id 481", set("id", 481));
  expectRefused(kDamaged, "both have id 480", set("id", 480));
  expectRefused(kDamaged, "the vocabulary has it as", set("content", "aa"));
  expectRefused(kDamaged, "has 0 bytes", set("content", ""));
  expectRefused(kDamaged, "has 0 bytes", set("content", 3));
  expectRefused(kDamaged, "has 2000 bytes",
                set("content", std::string(2000, 'x')));
  expectRefused(kDamaged, "out of range", set("id", "481"));
  expectRefused(kDamaged, "added_tokens is not a list", [](Json &j) {
    j["added_tokens"] = {{"a", 1}};
  });
  expectRefused(kDamaged, "has 0 bytes",
                [](Json &j) { j["added_tokens"][0] = 17; });
}

TEST(TokenizerJson, WhatIsNotJsonIsRefusedWithItsPlace) {
  auto message = [](absl::string_view contents) {
    return std::string(
        parseTokenizerJson(contents, "t.json").status().message());
  };
  EXPECT_THAT(message("{\"model\": ]"),
              HasSubstr("t.json is not JSON at byte 11"));
  EXPECT_THAT(message(""), HasSubstr("is not JSON"));
  EXPECT_THAT(message("{\"a\": \"\xFF\"}"), HasSubstr("is not JSON at byte"));
  EXPECT_THAT(message("[1, 2]"), HasSubstr("is not a JSON object"));
  EXPECT_THAT(message(std::string(100000, '[')), HasSubstr("nested more than"));
  EXPECT_THAT(message(std::string((64 << 20) + 1, ' ')),
              HasSubstr("bytes, more"));
  std::string good = goodJson().dump();
  EXPECT_THAT(message(good.substr(0, good.size() / 2)), HasSubstr("not JSON"));
}

class Folder : public ::testing::Test {
protected:
  void SetUp() override {
    folder = ::testing::TempDir() + "/XXXXXX";
    ASSERT_NE(::mkdtemp(&folder[0]), nullptr);
  }

  absl::Status load(const std::string &name = "") {
    return loadTokenizer(folder + name).status();
  }

  std::string folder;
};

TEST_F(Folder, WithoutATokenizerIsRefused) {
  EXPECT_EQ(load().code(), absl::StatusCode::kNotFound);
  EXPECT_THAT(load().message(), HasSubstr("neither tokenizer.json nor"));
  EXPECT_EQ(load("/missing.json").code(), absl::StatusCode::kNotFound);
}

TEST_F(Folder, VocabNeedsMergesBesideIt) {
  std::string vocab = readFile("tests/data/tokenizer/vocab.json");
  writeFile(folder + "/vocab.json", vocab);
  EXPECT_EQ(load().code(), absl::StatusCode::kNotFound);
  EXPECT_THAT(load().message(), HasSubstr("merges.txt"));
  writeFile(folder + "/merges.txt", "#version: 0.2\r\na a\r\n\r\n# #\n");
  EXPECT_THAT(load().message(), HasSubstr("merges.txt line 4 merges"));
  writeFile(folder + "/merges.txt", "#version: 0.2\r\na a\r\n\r\n");
  EXPECT_TRUE(load().ok()) << load();
  EXPECT_TRUE(load("/vocab.json").ok());
  writeFile(folder + "/merges.txt", "a a\nb\n");
  EXPECT_THAT(load().message(), HasSubstr("merges.txt line 2 is not two"));
  writeFile(folder + "/merges.txt", "a a\n#version: 0.2\n");
  EXPECT_THAT(load().message(), HasSubstr("merges.txt line 2 merges"));
}

TEST(VocabAndMerges, ATokenNamedModelIsNoTokenizerJson) {
  std::string vocab = readFile("tests/data/tokenizer/vocab.json");
  Json json = Json::parse(vocab, nullptr, false);
  json["model"] = json.size();
  auto result =
      parseVocabAndMerges(json.dump(), "", "vocab.json", "merges.txt");
  ASSERT_TRUE(result.ok()) << result.status();
  EXPECT_EQ((*result)->vocabSize(), 483);
}

} // namespace
} // namespace t6
