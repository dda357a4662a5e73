//===- ShardIndex.cpp - The *.index.json of a sharded checkpoint ----------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "runtime/io/ShardIndex.h"

#include "absl/container/flat_hash_set.h"
#include "absl/status/status.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "nlohmann/json.hpp"
#include "runtime/io/MappedFile.h"
#include "runtime/io/Names.h"

#include <set>

namespace t6 {
namespace {

using Json = nlohmann::json;

constexpr size_t kMaxIndexBytes = 100'000'000;

absl::Status damaged(absl::string_view path, absl::string_view what) {
  return absl::DataLossError(
      absl::StrCat(path, ": ", what, "; HINT: fetch the index again"));
}

/// The tree, or discarded; `duplicate` becomes the first name that weight_map
/// has twice, which the tree would not show.
Json parseIndex(absl::Span<const uint8_t> bytes, std::string &duplicate) {
  absl::flat_hash_set<std::string> names;
  std::string topKey;
  auto observe = [&](int depth, Json::parse_event_t event, Json &parsed) {
    if (event != Json::parse_event_t::key)
      return true;
    const std::string &key = *parsed.get_ptr<const std::string *>();
    if (depth == 1)
      topKey = key;
    else if (depth == 2 && topKey == "weight_map" && !names.insert(key).second)
      duplicate = key;
    return true;
  };
  return Json::parse(bytes.begin(), bytes.end(), observe,
                     /*allow_exceptions=*/false);
}

bool isPlainFileName(absl::string_view file) {
  return !file.empty() && file != "." && file != ".." &&
         !absl::StrContains(file, '/') &&
         !absl::StrContains(file, absl::string_view("\0", 1));
}

} // namespace

bool isShardIndex(absl::string_view path) {
  return absl::EndsWith(path, ".index.json");
}

absl::StatusOr<ShardIndex> readShardIndex(absl::string_view path) {
  absl::StatusOr<std::unique_ptr<MappedFile>> file = MappedFile::open(path);
  if (!file.ok())
    return file.status();
  if ((*file)->bytes().size() > kMaxIndexBytes)
    return damaged(path, "too large for an index");
  std::string duplicate;
  Json tree = parseIndex((*file)->bytes(), duplicate);
  if (tree.is_discarded())
    return damaged(path, "not valid JSON");
  if (!duplicate.empty())
    return damaged(path, absl::StrCat("weight_map has ", quoteName(duplicate),
                                      " more than once"));
  if (!tree.is_object() || !tree.contains("weight_map") ||
      !tree["weight_map"].is_object())
    return damaged(path, "there is no object \"weight_map\"");

  ShardIndex index;
  std::string folder(path.substr(0, path.rfind('/') + 1));
  std::set<std::string> files;
  for (const auto &entry : tree["weight_map"].items()) {
    const std::string *name = entry.value().get_ptr<const std::string *>();
    if (!name)
      return damaged(path, absl::StrCat("the file of ", quoteName(entry.key()),
                                        " is not a string"));
    if (!isPlainFileName(*name))
      return absl::DataLossError(absl::StrCat(
          path, ": the file ", quoteName(*name), " of ", quoteName(entry.key()),
          " is not a plain file name; HINT: keep the files beside the index"));
    std::string shard = folder + *name;
    files.insert(shard);
    index.fileOf[entry.key()] = std::move(shard);
  }
  if (files.empty())
    return damaged(path, "\"weight_map\" is empty");
  index.files.assign(files.begin(), files.end());
  return index;
}

} // namespace t6
