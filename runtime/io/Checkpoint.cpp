//===- Checkpoint.cpp - The weights of a model, by name -------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "runtime/io/Checkpoint.h"

#include "absl/status/status.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "runtime/io/Names.h"
#include "runtime/io/ShardIndex.h"

#include <algorithm>
#include <cerrno>
#include <dirent.h>
#include <sys/stat.h>

namespace t6 {
namespace {

bool isPytorchName(absl::string_view path) {
  return absl::EndsWith(path, ".bin") || absl::EndsWith(path, ".pt") ||
         absl::EndsWith(path, ".pth");
}

absl::Status convertFirst(absl::string_view path) {
  return absl::FailedPreconditionError(absl::StrCat(
      path, ": this is PyTorch's own format; HINT: run `t6 convert ", path,
      " model.safetensors` and pass the result"));
}

absl::StatusOr<std::vector<std::string>> listFolder(const std::string &path) {
  DIR *folder = opendir(path.c_str());
  if (!folder)
    return fileError(errno, "list", path);
  std::vector<std::string> names;
  while (const dirent *entry = readdir(folder))
    names.push_back(entry->d_name);
  closedir(folder);
  std::sort(names.begin(), names.end());
  return names;
}

bool isFolder(const std::string &path) {
  struct stat info;
  return stat(path.c_str(), &info) == 0 && S_ISDIR(info.st_mode);
}

} // namespace

absl::StatusOr<std::unique_ptr<Checkpoint>>
Checkpoint::open(absl::Span<const std::string> paths) {
  if (paths.empty())
    return absl::InvalidArgumentError(
        "no weights are named; HINT: pass a .safetensors file or its folder");
  std::unique_ptr<Checkpoint> checkpoint(new Checkpoint);
  for (const std::string &path : paths) {
    absl::Status added = checkpoint->addPath(path);
    if (!added.ok())
      return added;
  }
  return checkpoint;
}

absl::Status Checkpoint::addPath(const std::string &path) {
  if (isFolder(path))
    return addFolder(path);
  if (isShardIndex(path))
    return addIndex(path);
  if (isPytorchName(path))
    return convertFirst(path);
  return addFile(path).status();
}

absl::Status Checkpoint::addFolder(const std::string &path) {
  absl::StatusOr<std::vector<std::string>> names = listFolder(path);
  if (!names.ok())
    return names.status();
  std::vector<std::string> files, indices;
  const std::string *pytorch = nullptr;
  for (const std::string &name : *names) {
    if (absl::EndsWith(name, ".safetensors"))
      files.push_back(absl::StrCat(path, "/", name));
    else if (absl::EndsWith(name, ".safetensors.index.json"))
      indices.push_back(absl::StrCat(path, "/", name));
    else if (isPytorchName(name))
      pytorch = &name;
  }
  if (indices.size() > 1)
    return absl::FailedPreconditionError(absl::StrCat(
        path, ": there is more than one index (", absl::StrJoin(indices, ", "),
        "); HINT: name one of them"));
  if (indices.size() == 1)
    return addIndex(indices.front());
  if (files.empty() && pytorch)
    return convertFirst(absl::StrCat(path, "/", *pytorch));
  if (files.empty())
    return absl::NotFoundError(absl::StrCat(
        path, ": no .safetensors file in this folder; HINT: check the path"));
  for (const std::string &file : files) {
    absl::Status added = addFile(file).status();
    if (!added.ok())
      return added;
  }
  return absl::OkStatus();
}

absl::Status Checkpoint::addIndex(const std::string &path) {
  absl::StatusOr<ShardIndex> index = readShardIndex(path);
  if (!index.ok())
    return index.status();
  if (isPytorchName(index->files.front()))
    return convertFirst(path);
  for (const std::string &file : index->files) {
    absl::Status added = addFile(file).status();
    if (!added.ok())
      return added;
  }
  for (const auto &[name, file] : index->fileOf) {
    const Entry *entry = entryOf(name);
    if (!entry || entry->file->path() != file)
      return absl::DataLossError(absl::StrCat(
          path, ": tensor ", quoteName(name), " should be in ", file,
          " but is not; HINT: fetch the checkpoint's files again"));
  }
  return absl::OkStatus();
}

absl::StatusOr<const SafetensorsFile *>
Checkpoint::addFile(const std::string &path) {
  absl::StatusOr<std::unique_ptr<SafetensorsFile>> file =
      SafetensorsFile::open(path);
  if (!file.ok())
    return file.status();
  for (const NamedTensor &entry : (*file)->tensors()) {
    auto [position, isNew] =
        tensors.insert({entry.name, {&entry.tensor, file->get()}});
    if (!isNew)
      return absl::FailedPreconditionError(
          absl::StrCat("tensor ", quoteName(entry.name), " is both in ",
                       position->second.file->path(), " and in ", path,
                       "; HINT: pass only the files of one checkpoint"));
  }
  opened.push_back(*std::move(file));
  return opened.back().get();
}

const Checkpoint::Entry *Checkpoint::entryOf(absl::string_view name) const {
  auto direct = tensors.find(name);
  if (direct != tensors.end())
    return &direct->second;
  for (const std::unique_ptr<SafetensorsFile> &file : opened) {
    auto alias = file->metadata().find(std::string(name));
    if (alias == file->metadata().end())
      continue;
    auto target = tensors.find(alias->second);
    if (target != tensors.end() && target->second.file == file.get())
      return &target->second;
  }
  return nullptr;
}

const TensorView *Checkpoint::find(absl::string_view name) const {
  const Entry *entry = entryOf(name);
  return entry ? entry->tensor : nullptr;
}

absl::StatusOr<TensorView> Checkpoint::tensor(absl::string_view name) const {
  if (const TensorView *found = find(name))
    return *found;
  std::vector<absl::string_view> nearest = closestNames(name, names());
  std::string hint =
      nearest.empty()
          ? "is this the checkpoint of another model?"
          : absl::StrCat(
                "the nearest names are ",
                absl::StrJoin(nearest, ", ",
                              [](std::string *out, absl::string_view near) {
                                out->append(quoteName(near));
                              }));
  std::string place = opened.front()->path();
  if (opened.size() > 1)
    absl::StrAppend(&place, " and ", opened.size() - 1, " more");
  return absl::FailedPreconditionError(absl::StrCat(
      "there is no tensor ", quoteName(name), " in ", place, "; HINT: ", hint));
}

std::vector<absl::string_view> Checkpoint::names() const {
  std::vector<absl::string_view> sorted;
  sorted.reserve(tensors.size());
  for (const auto &entry : tensors)
    sorted.push_back(entry.first);
  return sorted;
}

absl::string_view Checkpoint::fileOf(absl::string_view name) const {
  const Entry *entry = entryOf(name);
  return entry ? absl::string_view(entry->file->path()) : "";
}

} // namespace t6
