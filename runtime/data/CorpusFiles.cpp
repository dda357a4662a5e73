//===- CorpusFiles.cpp - Which files make up a corpus ---------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "runtime/data/CorpusFiles.h"

#include "runtime/io/MappedFile.h"

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "absl/strings/string_view.h"

#include <algorithm>
#include <cerrno>
#include <dirent.h>
#include <set>
#include <sys/stat.h>
#include <utility>

namespace t6 {
namespace {

constexpr absl::string_view kShardSuffix = ".bin";

absl::StatusOr<std::vector<std::string>> listFolder(const std::string &path) {
  DIR *folder = ::opendir(path.c_str());
  if (!folder)
    return fileError(errno, "list", path);
  std::vector<std::string> names;
  while (const dirent *entry = ::readdir(folder))
    if (entry->d_name[0] != '.')
      names.push_back(entry->d_name);
  ::closedir(folder);
  std::sort(names.begin(), names.end());
  return names;
}

std::string join(absl::string_view folder, absl::string_view name) {
  return absl::StrCat(folder, absl::EndsWith(folder, "/") ? "" : "/", name);
}

/// Whether `word` stands in `name` between characters that are not letters.
bool hasWord(absl::string_view name, absl::string_view word) {
  std::vector<absl::string_view> words =
      absl::StrSplit(name, absl::ByAnyChar("_-.0123456789 "));
  return std::find(words.begin(), words.end(), word) != words.end();
}

/// Shards of one folder, by the rules of findCorpusFiles().
struct ShardNames {
  std::vector<std::string> training, validation;

  bool empty() const { return training.empty() && validation.empty(); }
};

template <typename IsTraining, typename IsValidation>
ShardNames select(const std::vector<std::string> &names, IsTraining isTraining,
                  IsValidation isValidation) {
  ShardNames result;
  for (const std::string &name : names) {
    if (isValidation(name))
      result.validation.push_back(name);
    else if (isTraining(name))
      result.training.push_back(name);
  }
  return result;
}

ShardNames chooseShards(const std::vector<std::string> &shards) {
  auto startsWith = [](absl::string_view prefix) {
    return [prefix](absl::string_view name) {
      return absl::StartsWith(name, prefix);
    };
  };
  auto is = [](absl::string_view wanted) {
    return [wanted](absl::string_view name) { return name == wanted; };
  };
  ShardNames found =
      select(shards, startsWith("fineweb_train_"), startsWith("fineweb_val_"));
  if (found.empty())
    found = select(shards, is("train.bin"), is("val.bin"));
  if (found.empty())
    found = select(
        shards, [](absl::string_view) { return true; },
        [](absl::string_view name) { return hasWord(name, "val"); });
  if (found.validation.size() > 1)
    found.validation.resize(1);
  return found;
}

/// Collects texts below a folder.
class TextFinder {
public:
  explicit TextFinder(absl::Span<const std::string> suffixes)
      : suffixes(suffixes) {}

  /// `info` is of `folder`.
  absl::Status visit(const std::string &folder, const struct stat &info) {
    // Links may lead back to where they lie.
    if (!visited.insert({info.st_dev, info.st_ino}).second)
      return absl::OkStatus();
    absl::StatusOr<std::vector<std::string>> names = listFolder(folder);
    if (!names.ok())
      return names.status();
    for (const std::string &name : *names) {
      std::string path = join(folder, name);
      struct stat inner;
      if (::stat(path.c_str(), &inner) != 0) {
        // A link to nowhere is no matter where it is not asked for.
        if (wanted(name))
          return fileError(errno, "inspect", path);
      } else if (S_ISDIR(inner.st_mode)) {
        if (absl::Status status = visit(path, inner); !status.ok())
          return status;
      } else if (wanted(name)) {
        texts.push_back(std::move(path));
      }
    }
    return absl::OkStatus();
  }

  std::vector<std::string> texts;

private:
  bool wanted(absl::string_view name) const {
    return suffixes.empty() ||
           std::any_of(suffixes.begin(), suffixes.end(),
                       [&](const std::string &suffix) {
                         return absl::EndsWith(name, suffix);
                       });
  }

  absl::Span<const std::string> suffixes;
  std::set<std::pair<dev_t, ino_t>> visited;
};

/// Shards (`text` false) or texts of one path.
absl::StatusOr<CorpusFiles>
filesOfPath(const std::string &path, absl::Span<const std::string> suffixes) {
  CorpusFiles result;
  struct stat info;
  if (::stat(path.c_str(), &info) != 0)
    return fileError(errno, "open", path);
  if (!S_ISDIR(info.st_mode)) {
    result.text = !absl::EndsWith(path, kShardSuffix);
    result.training = {path};
    return result;
  }
  absl::StatusOr<std::vector<std::string>> names = listFolder(path);
  if (!names.ok())
    return names.status();
  names->erase(std::remove_if(names->begin(), names->end(),
                              [](const std::string &name) {
                                return !absl::EndsWith(name, kShardSuffix);
                              }),
               names->end());
  if (suffixes.empty() && !names->empty()) {
    ShardNames shards = chooseShards(*names);
    for (const std::string &name : shards.training)
      result.training.push_back(join(path, name));
    for (const std::string &name : shards.validation)
      result.validation.push_back(join(path, name));
    return result;
  }
  TextFinder finder(suffixes);
  if (absl::Status status = finder.visit(path, info); !status.ok())
    return status;
  if (finder.texts.empty() && suffixes.empty())
    return absl::NotFoundError(
        absl::StrCat(path, " has neither .bin shards nor texts in it; HINT: "
                           "name the folder that holds them"));
  if (finder.texts.empty())
    return absl::NotFoundError(absl::StrCat(
        path, " has no file whose name ends in ", absl::StrJoin(suffixes, ", "),
        "; HINT: check the suffixes, or leave them out to take every file"));
  result.text = true;
  result.training = std::move(finder.texts);
  return result;
}

} // namespace

absl::StatusOr<CorpusFiles>
findCorpusFiles(absl::Span<const std::string> paths,
                absl::Span<const std::string> suffixes) {
  if (paths.empty())
    return absl::InvalidArgumentError(
        "no corpus is named; HINT: name .bin shards, their folder, or texts");
  CorpusFiles result;
  for (const std::string &path : paths) {
    absl::StatusOr<CorpusFiles> files = filesOfPath(path, suffixes);
    if (!files.ok())
      return files.status();
    if (&path != &paths.front() && files->text != result.text)
      return absl::InvalidArgumentError(
          absl::StrCat(paths.front(), " and ", path,
                       " are a text and a shard; HINT: make "
                       "a shard of the text with t6 tokenize"));
    result.text = files->text;
    auto append = [](std::vector<std::string> &to,
                     std::vector<std::string> &from) {
      to.insert(to.end(), from.begin(), from.end());
    };
    append(result.training, files->training);
    append(result.validation, files->validation);
  }
  return result;
}

} // namespace t6
