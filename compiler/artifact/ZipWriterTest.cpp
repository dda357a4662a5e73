//===- ZipWriterTest.cpp - Archives of the writer, read by libzip ---------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "compiler/artifact/ZipWriter.h"
#include <gtest/gtest.h>
#include <map>
#include <zip.h>

namespace {

using tpa::ZipWriter;

/// Names and contents as libzip reads them, with its consistency checks.
std::map<std::string, std::string> entriesOf(const std::string &archive) {
  std::map<std::string, std::string> entries;
  zip_error_t error;
  zip_error_init(&error);
  zip_source_t *source = zip_source_buffer_create(
      archive.data(), archive.size(), /*freep=*/0, &error);
  zip_t *zip = zip_open_from_source(source, ZIP_RDONLY | ZIP_CHECKCONS, &error);
  EXPECT_NE(zip, nullptr) << zip_error_strerror(&error);
  if (!zip) {
    zip_source_free(source);
    return entries;
  }
  for (zip_int64_t i = 0; i < zip_get_num_entries(zip, 0); ++i) {
    zip_stat_t stat;
    EXPECT_EQ(zip_stat_index(zip, i, 0, &stat), 0);
    EXPECT_EQ(stat.comp_method, ZIP_CM_STORE) << stat.name;
    std::string contents(stat.size, '\0');
    zip_file_t *file = zip_fopen_index(zip, i, 0);
    EXPECT_NE(file, nullptr) << zip_strerror(zip);
    // Reading to the end compares the checksum.
    EXPECT_EQ(zip_fread(file, contents.data(), contents.size()),
              zip_int64_t(stat.size));
    char more;
    EXPECT_EQ(zip_fread(file, &more, 1), 0) << stat.name;
    zip_fclose(file);
    EXPECT_TRUE(entries.emplace(stat.name, contents).second) << stat.name;
  }
  zip_close(zip);
  return entries;
}

TEST(ZipWriter, WritesAnEmptyArchive) {
  std::string archive = ZipWriter().finish();
  EXPECT_EQ(archive.size(), 22u); // the end record alone
  EXPECT_TRUE(entriesOf(archive).empty());
}

TEST(ZipWriter, IsReadByLibzip) {
  std::map<std::string, std::string> contents = {
      {"program.json", "{\"schema\": 1}"},
      {"empty", ""},
      {"ir/input.mlir", std::string(100000, 'x')},
      {"kernels.so", std::string("\0\x7f"
                                 "ELF\xff",
                                 6)},
  };
  for (size_t size : {1, 63, 64, 65})
    contents["size" + std::to_string(size)] = std::string(size, char(size));
  ZipWriter writer;
  for (const auto &[name, text] : contents)
    writer.add(name, text);
  EXPECT_EQ(entriesOf(writer.finish()), contents);
}

// A reader may map contents: they start at multiples of 64 whatever the name's
// length.
TEST(ZipWriter, AlignsContents) {
  ZipWriter writer;
  for (size_t length = 1; length <= 130; ++length)
    writer.add(std::string(length, 'n'),
               "start" + std::to_string(length) + "end");
  std::string archive = writer.finish();
  EXPECT_EQ(entriesOf(archive).size(), 130u);
  for (size_t length = 1; length <= 130; ++length) {
    size_t at = archive.find("start" + std::to_string(length) + "end");
    ASSERT_NE(at, std::string::npos);
    EXPECT_EQ(at % ZipWriter::alignment, 0u) << length;
  }
}

// Equal inputs give equal files: no times, no order of a hash table.
TEST(ZipWriter, IsDeterministic) {
  auto write = [] {
    ZipWriter writer;
    writer.add("b", "1");
    writer.add("a", "2");
    return writer.finish();
  };
  std::string archive = write();
  EXPECT_EQ(archive, write());
  EXPECT_LT(archive.find('b'), archive.find('a'));
}

// The test of the test: libzip does notice damage.
TEST(ZipWriter, DamageIsNoticed) {
  ZipWriter writer;
  writer.add("a", "contents");
  std::string archive = writer.finish();
  archive[archive.find("contents")] = 'C';
  zip_error_t error;
  zip_error_init(&error);
  zip_source_t *source =
      zip_source_buffer_create(archive.data(), archive.size(), 0, &error);
  zip_t *zip = zip_open_from_source(source, ZIP_RDONLY, &error);
  ASSERT_NE(zip, nullptr);
  zip_file_t *file = zip_fopen_index(zip, 0, 0);
  char text[16];
  zip_int64_t first = zip_fread(file, text, sizeof text);
  EXPECT_TRUE(first < 0 || zip_fread(file, text, sizeof text) < 0);
  zip_fclose(file);
  zip_discard(zip);
}

} // namespace
