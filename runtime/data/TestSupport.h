//===- TestSupport.h - Corpora made in tests --------------------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Files and datasets for the tests of this folder.
//
//===----------------------------------------------------------------------===//

#ifndef T6_RUNTIME_DATA_TESTSUPPORT_H
#define T6_RUNTIME_DATA_TESTSUPPORT_H

#include "runtime/data/TokenDataset.h"

#include "absl/status/status.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "gtest/gtest.h"

#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <initializer_list>
#include <memory>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

namespace t6 {
namespace testing {

/// A folder that goes away with the object, with all that is in it.
class TemporaryTree {
public:
  TemporaryTree() {
    path = absl::StrCat(::testing::TempDir(), "/t6_XXXXXX");
    if (!mkdtemp(&path[0]))
      abort();
  }
  ~TemporaryTree() {
    std::error_code ignored;
    std::filesystem::remove_all(path, ignored);
  }

  std::string file(absl::string_view name) const {
    return absl::StrCat(path, "/", name);
  }

  /// Makes the folders that are missing.
  std::string write(absl::string_view name, absl::string_view bytes) const {
    std::string full = file(name);
    std::error_code ignored;
    std::filesystem::create_directories(
        std::filesystem::path(full).parent_path(), ignored);
    std::ofstream(full, std::ios::binary) << bytes;
    return full;
  }

  void link(absl::string_view name, absl::string_view target) const {
    std::error_code error;
    std::filesystem::create_symlink(std::string(target), file(name), error);
    if (error)
      abort();
  }

  std::string path;
};

inline std::string bareTokens(absl::Span<const uint16_t> ids) {
  return std::string(reinterpret_cast<const char *>(ids.data()),
                     ids.size() * sizeof(uint16_t));
}

/// A shard with its header.
inline std::string shardBytes(absl::Span<const uint16_t> ids,
                              int32_t magic = 20240520, int32_t version = 1) {
  int32_t header[256] = {magic, version, int32_t(ids.size())};
  return std::string(reinterpret_cast<const char *>(header), sizeof(header)) +
         bareTokens(ids);
}

/// first, first + 1, ...
inline std::vector<uint16_t> counting(size_t count, uint16_t first = 0) {
  std::vector<uint16_t> ids(count);
  for (size_t i = 0; i < count; ++i)
    ids[i] = uint16_t(first + i);
  return ids;
}

/// Shards in memory of `sizes` tokens; the ids are positions, counted through
/// all shards.
inline TokenDataset datasetOf(std::initializer_list<size_t> sizes,
                              int32_t vocabSize = 65536) {
  std::vector<TokenShard> shards;
  size_t position = 0;
  for (size_t size : sizes) {
    auto ids = std::make_shared<const std::vector<uint16_t>>(
        counting(size, uint16_t(position)));
    position += size;
    TokenShard shard;
    shard.path = absl::StrCat("shard ", shards.size());
    shard.tokens = TokenSpan(absl::MakeConstSpan(*ids));
    shard.memory = std::move(ids);
    shards.push_back(std::move(shard));
  }
  return TokenDataset(std::move(shards), vocabSize);
}

inline std::vector<int32_t> toVector(TokenSpan tokens) {
  std::vector<int32_t> ids(size_t(tokens.size()));
  tokens.copyTo(absl::MakeSpan(ids));
  return ids;
}

/// A status with this code and a hint, whose message has all of `parts`.
inline ::testing::AssertionResult
isError(const absl::Status &status, absl::StatusCode code,
        std::initializer_list<absl::string_view> parts) {
  if (status.code() != code)
    return ::testing::AssertionFailure() << "the status is " << status;
  std::vector<absl::string_view> all(parts);
  all.push_back("; HINT: ");
  for (absl::string_view part : all)
    if (!absl::StrContains(status.message(), part))
      return ::testing::AssertionFailure()
             << "no \"" << part << "\" in: " << status.message();
  return ::testing::AssertionSuccess();
}

} // namespace testing
} // namespace t6

#endif // T6_RUNTIME_DATA_TESTSUPPORT_H
