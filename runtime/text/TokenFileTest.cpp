//===- TokenFileTest.cpp - Corpora of token ids ---------------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "runtime/text/TokenFile.h"

#include "absl/strings/str_cat.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"

#include <cstdlib>
#include <dirent.h>
#include <fstream>
#include <iterator>

namespace t6 {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

class TokenFileTest : public ::testing::Test {
protected:
  void SetUp() override {
    folder = ::testing::TempDir() + "/XXXXXX";
    ASSERT_NE(::mkdtemp(&folder[0]), nullptr);
    path = folder + "/corpus.bin";
  }

  std::string read(const std::string &name) {
    std::ifstream file(name, std::ios::binary);
    return {std::istreambuf_iterator<char>(file), {}};
  }

  void write(const std::string &name, absl::string_view contents) {
    std::ofstream(name, std::ios::binary) << contents;
  }

  /// A corpus file with the given words in its header, then `payload` bytes.
  std::string corpus(int32_t magic, int32_t version, int32_t count,
                     size_t payload) {
    int32_t header[256] = {magic, version, count};
    std::string bytes(reinterpret_cast<const char *>(header), sizeof(header));
    return bytes + std::string(payload, '\1');
  }

  void expectRefused(absl::string_view contents, absl::StatusCode code,
                     const char *message) {
    write(path, contents);
    absl::Status status = TokenFile::open(path).status();
    EXPECT_EQ(status.code(), code) << status;
    EXPECT_THAT(status.message(), HasSubstr(message));
    EXPECT_THAT(status.message(), HasSubstr(path));
    EXPECT_THAT(status.message(), HasSubstr("; HINT: "));
  }

  int filesInFolder() {
    int count = 0;
    DIR *dir = ::opendir(folder.c_str());
    while (dirent *entry = ::readdir(dir))
      count += entry->d_name[0] != '.';
    ::closedir(dir);
    return count;
  }

  std::string folder, path;
};

TEST_F(TokenFileTest, WritesTheFormatOfLlmC) {
  auto writer = TokenFileWriter::create(path);
  ASSERT_TRUE(writer.ok()) << writer.status();
  ASSERT_TRUE((*writer)->append({1, 65535, 258}).ok());
  EXPECT_EQ(filesInFolder(), 0);
  ASSERT_TRUE((*writer)->commit().ok());
  std::string bytes = read(path);
  ASSERT_EQ(bytes.size(), 1024u + 6);
  EXPECT_EQ(bytes.substr(0, 16),
            std::string("\x88\xD8\x34\x01\1\0\0\0\3\0\0\0\0\0\0\0", 16));
  EXPECT_EQ(bytes.substr(1024), std::string("\1\0\xFF\xFF\2\1", 6));
  auto file = TokenFile::open(path);
  ASSERT_TRUE(file.ok()) << file.status();
  EXPECT_TRUE((*file)->hasHeader());
  EXPECT_THAT((*file)->tokens(), ElementsAre(1, 65535, 258));
}

TEST_F(TokenFileTest, ReadsBareTokens) {
  write(path, absl::string_view("\1\0\2\1", 4));
  auto file = TokenFile::open(path);
  ASSERT_TRUE(file.ok()) << file.status();
  EXPECT_FALSE((*file)->hasHeader());
  EXPECT_THAT((*file)->tokens(), ElementsAre(1, 258));
}

TEST_F(TokenFileTest, AnEmptyCorpusHasAHeader) {
  auto writer = TokenFileWriter::create(path);
  ASSERT_TRUE(writer.ok() && (*writer)->commit().ok());
  auto file = TokenFile::open(path);
  ASSERT_TRUE(file.ok()) << file.status();
  EXPECT_TRUE((*file)->tokens().empty());
}

TEST_F(TokenFileTest, DamagedFilesAreRefused) {
  constexpr int32_t kMagic = 20240520;
  constexpr auto kDamaged = absl::StatusCode::kDataLoss;
  constexpr auto kOther = absl::StatusCode::kFailedPrecondition;
  expectRefused("", kDamaged, "is empty");
  expectRefused("abc", kDamaged, "odd number of bytes (3)");
  expectRefused(corpus(kMagic, 1, 5, 8), kDamaged, "promises 5 tokens");
  expectRefused(corpus(kMagic, 1, 5, 12), kDamaged, "promises 5 tokens");
  expectRefused(corpus(kMagic, 1, -1, 8), kDamaged, "promises -1 tokens");
  expectRefused(corpus(kMagic, 1, INT32_MIN, 0), kDamaged, "promises -2147");
  expectRefused(corpus(kMagic, 2, 4, 8), kOther, "version 2");
  expectRefused(corpus(20240801, 7, 4, 16), kOther, "32-bit tokens");
  expectRefused(corpus(20240519, 1, 4, 8), kOther, "magic is 20240519");
  expectRefused(corpus(kMagic, 1, 5, 0).substr(0, 100), kDamaged,
                "ends within its header");
  EXPECT_EQ(TokenFile::open(folder + "/missing").status().code(),
            absl::StatusCode::kNotFound);
}

TEST_F(TokenFileTest, TokensOutsideTheVocabularyAreNamed) {
  write(path, absl::string_view("\1\0\2\1", 4));
  auto file = TokenFile::open(path);
  ASSERT_TRUE(file.ok());
  EXPECT_TRUE((*file)->checkRange(259).ok());
  absl::Status status = (*file)->checkRange(258);
  EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(status.message(), HasSubstr("token 1 has id 258"));
  EXPECT_FALSE(decodeTokenFile(*makeByteTokenizer(), path, folder + "/t").ok());
  EXPECT_EQ(filesInFolder(), 1);
}

TEST_F(TokenFileTest, IdsThatDoNotFitLeaveNothingBehind) {
  write(path, "what was there");
  for (int32_t id : {-1, 65536}) {
    auto writer = TokenFileWriter::create(path);
    ASSERT_TRUE(writer.ok());
    absl::Status status = (*writer)->append({7, id});
    EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition);
    EXPECT_THAT(status.message(), HasSubstr(absl::StrCat("has id ", id)));
  }
  EXPECT_EQ(read(path), "what was there");
  EXPECT_EQ(filesInFolder(), 1);
}

TEST_F(TokenFileTest, PathsThatCannotBeWrittenAreFoundAtOnce) {
  EXPECT_FALSE(TokenFileWriter::create(folder).ok());
  EXPECT_FALSE(TokenFileWriter::create(folder + "/no/such/folder").ok());
}

TEST_F(TokenFileTest, ATextThereAndBack) {
  auto tokenizer = loadTokenizer("tests/data/tokenizer");
  ASSERT_TRUE(tokenizer.ok()) << tokenizer.status();
  // Longer than a chunk, the cuts within words, white space and characters.
  std::string text;
  while (text.size() < 3000000)
    absl::StrAppend(&text, "the heads ", text.size(), "  été\n\n日本 \xFF",
                    "<|endoftext|>");
  write(folder + "/text", text);
  auto encoded = encodeTextFile(**tokenizer, folder + "/text", path,
                                /*allowSpecial=*/true);
  ASSERT_TRUE(encoded.ok()) << encoded.status();
  auto file = TokenFile::open(path);
  ASSERT_TRUE(file.ok()) << file.status();
  std::vector<int32_t> ids = (*tokenizer)->encode(text, true);
  EXPECT_EQ(*encoded, int64_t(ids.size()));
  EXPECT_TRUE(std::equal(ids.begin(), ids.end(), (*file)->tokens().begin(),
                         (*file)->tokens().end()));
  auto decoded = decodeTokenFile(**tokenizer, path, folder + "/back");
  ASSERT_TRUE(decoded.ok()) << decoded.status();
  EXPECT_TRUE(read(folder + "/back") == text);
}

TEST_F(TokenFileTest, AnEmptyTextIsAnEmptyCorpus) {
  write(folder + "/text", "");
  auto count =
      encodeTextFile(*makeByteTokenizer(), folder + "/text", path, true);
  ASSERT_TRUE(count.ok()) << count.status();
  EXPECT_EQ(*count, 0);
  EXPECT_TRUE(decodeTokenFile(*makeByteTokenizer(), path, folder + "/b").ok());
  EXPECT_EQ(read(folder + "/b"), "");
}

} // namespace
} // namespace t6
