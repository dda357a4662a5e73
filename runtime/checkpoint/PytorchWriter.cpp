//===- PytorchWriter.cpp - What torch.load reads, written -----------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "runtime/checkpoint/PytorchWriter.h"

#include "absl/container/flat_hash_map.h"
#include "absl/strings/str_cat.h"
#include "runtime/checkpoint/PickleWriter.h"
#include "runtime/io/AtomicFile.h"
#include "runtime/io/MappedFile.h"
#include "runtime/io/Names.h"

#include <cerrno>
#include <cstdio>
#include <fcntl.h>
#include <unistd.h>
#include <utility>
#include <vector>
#include <zip.h>

namespace t6 {
namespace {

/// Where torch.load looks; any folder would do.
constexpr absl::string_view kPrefix = "archive/";

struct Entry {
  std::string name;
  absl::string_view bytes;
};

absl::StatusOr<std::string> pickleOf(absl::Span<const NamedTensor> tensors,
                                     absl::Span<const TensorAlias> aliases) {
  PickleWriter pickle;
  pickle.beginOrderedDict();
  absl::flat_hash_map<absl::string_view, size_t> indices;
  auto add = [&](absl::string_view name, size_t index) -> absl::Status {
    if (!isValidUtf8(name))
      return absl::InvalidArgumentError(absl::StrCat(
          "the name ", quoteName(name), " of a tensor is not valid UTF-8"));
    if (!indices.try_emplace(name, index).second)
      return absl::InvalidArgumentError(
          absl::StrCat("two tensors are named ", quoteName(name)));
    pickle.string(name);
    pickle.tensor(tensors[index].tensor, absl::StrCat(index));
    return absl::OkStatus();
  };
  for (size_t i = 0; i < tensors.size(); ++i) {
    DType dtype = tensors[i].tensor.dtype;
    if (PickleWriter::storageType(dtype).empty())
      return absl::InvalidArgumentError(
          absl::StrCat("PyTorch has no storage for tensor ",
                       quoteName(tensors[i].name), " of ", name(dtype)));
    absl::Status added = add(tensors[i].name, i);
    if (!added.ok())
      return added;
  }
  for (const TensorAlias &alias : aliases) {
    auto target = indices.find(alias.target);
    if (target == indices.end())
      return absl::InvalidArgumentError(absl::StrCat(
          "there is no tensor ", quoteName(alias.target), ", which ",
          quoteName(alias.name), " is to be another name of"));
    absl::Status added = add(alias.name, target->second);
    if (!added.ok())
      return added;
  }
  pickle.endDict();
  return pickle.finish();
}

/// A pickle, and the storages that it calls 0, 1, ...
struct Pickled {
  std::string pickle;
  std::vector<absl::string_view> storages;
};

absl::string_view bytesOf(const TensorView &tensor) {
  return {static_cast<const char *>(tensor.data), tensor.bytes};
}

class OptimizerPickler {
public:
  /// `step` must outlive what is returned.
  OptimizerPickler(const AdamwState &state, const float &step)
      : state(state), step(step) {}

  Pickled pickle() && {
    out.beginDict();
    out.string("optimizer");
    out.beginDict();
    out.string("state");
    addMoments();
    out.string("param_groups");
    out.beginList();
    addGroup();
    out.endList();
    out.endDict();
    out.string("iter_num");
    out.integer(state.iterations);
    out.string("best_val_loss");
    out.real(state.bestLoss);
    out.endDict();
    result.pickle = out.finish();
    return std::move(result);
  }

private:
  void tensor(absl::string_view key, const TensorView &view) {
    out.string(key);
    out.tensor(view, absl::StrCat(result.storages.size()));
    result.storages.push_back(bytesOf(view));
  }

  void addMoments() {
    out.beginDict();
    for (size_t i = 0; state.updates > 0 && i < state.moments.size(); ++i) {
      out.integer(static_cast<int64_t>(i));
      out.beginDict();
      // Each has a storage of its own: PyTorch counts it up in place.
      tensor("step", {DType::F32, {}, &step, sizeof step});
      tensor("exp_avg", state.moments[i]);
      tensor("exp_avg_sq", state.secondMoments[i]);
      out.endDict();
    }
    out.endDict();
  }

  void addGroup() {
    out.beginDict();
    for (auto [key, value] :
         {std::pair("lr", state.learningRate), std::pair("eps", state.epsilon),
          std::pair("weight_decay", state.weightDecay)}) {
      out.string(key);
      out.real(value);
    }
    out.string("betas");
    out.beginTuple();
    out.real(state.beta1);
    out.real(state.beta2);
    out.endTuple();
    for (const char *key :
         {"amsgrad", "maximize", "capturable", "differentiable"}) {
      out.string(key);
      out.boolean(false);
    }
    for (const char *key : {"foreach", "fused"}) {
      out.string(key);
      out.none();
    }
    out.string("params");
    out.beginList();
    for (size_t i = 0; i < state.moments.size(); ++i)
      out.integer(static_cast<int64_t>(i));
    out.endList();
    out.endDict();
  }

  const AdamwState &state;
  const float &step;
  PickleWriter out;
  Pickled result;
};

/// The system's error behind a failure of libzip, or EIO.
int systemError(zip_error_t *error) {
  bool isSystem = zip_error_system_type(error) == ZIP_ET_SYS;
  int code = zip_error_code_system(error);
  return isSystem && code != 0 ? code : EIO;
}

absl::Status writeZip(const std::string &path,
                      absl::Span<const Entry> entries) {
  int code = 0;
  zip_t *archive = zip_open(path.c_str(), ZIP_CREATE | ZIP_TRUNCATE, &code);
  if (!archive)
    return fileError(errno != 0 ? errno : EIO, "write", path);
  bool added = true;
  for (const Entry &entry : entries) {
    zip_source_t *source =
        zip_source_buffer(archive, entry.bytes.data(), entry.bytes.size(), 0);
    zip_int64_t index =
        source ? zip_file_add(archive, entry.name.c_str(), source, 0) : -1;
    if (index < 0 && source)
      zip_source_free(source);
    // A fixed time, so that equal weights make equal files.
    constexpr zip_uint16_t time = 0, date = (1 << 5) | 1; // 1 January 1980
    added = added && index >= 0 &&
            zip_set_file_compression(archive, index, ZIP_CM_STORE, 0) == 0 &&
            zip_file_set_dostime(archive, index, time, date, 0) == 0;
  }
  if (added && zip_close(archive) == 0)
    return absl::OkStatus();
  absl::Status status =
      fileError(systemError(zip_get_error(archive)), "write", path);
  zip_discard(archive);
  return status;
}

absl::Status syncFile(const std::string &path) {
  int fd = open(path.c_str(), O_RDONLY | O_CLOEXEC);
  int error = fd < 0 || fsync(fd) != 0 ? errno : 0;
  if (fd >= 0)
    close(fd);
  return error == 0 ? absl::OkStatus() : fileError(error, "write", path);
}

absl::Status writeArchive(absl::string_view path, const Pickled &contents) {
  std::vector<Entry> entries = {
      {absl::StrCat(kPrefix, "data.pkl"), contents.pickle},
      {absl::StrCat(kPrefix, "byteorder"), "little"}};
  for (size_t i = 0; i < contents.storages.size(); ++i)
    entries.push_back(
        {absl::StrCat(kPrefix, "data/", i), contents.storages[i]});
  entries.push_back({absl::StrCat(kPrefix, "version"), "3\n"});
  // A destination that must not be replaced is refused; libzip renames too, but
  // syncs nothing before.
  absl::StatusOr<std::unique_ptr<AtomicFile>> replaceable =
      AtomicFile::create(path);
  if (!replaceable.ok())
    return replaceable.status();
  std::string temporary = absl::StrCat(path, ".", getpid(), ".tmp");
  absl::Status status = writeZip(temporary, entries);
  if (status.ok())
    status = syncFile(temporary);
  if (status.ok() && rename(temporary.c_str(), std::string(path).c_str()) != 0)
    status = fileError(errno, "rename onto", path);
  if (!status.ok())
    unlink(temporary.c_str());
  return status;
}

} // namespace

absl::Status writePytorchFile(absl::string_view path,
                              absl::Span<const NamedTensor> tensors,
                              absl::Span<const TensorAlias> aliases) {
  absl::StatusOr<std::string> pickle = pickleOf(tensors, aliases);
  if (!pickle.ok())
    return pickle.status();
  Pickled contents{*std::move(pickle), {}};
  for (const NamedTensor &entry : tensors)
    contents.storages.push_back(bytesOf(entry.tensor));
  return writeArchive(path, contents);
}

absl::Status writeOptimizerFile(absl::string_view path,
                                const AdamwState &state) {
  auto step = static_cast<float>(state.updates);
  return writeArchive(path, OptimizerPickler(state, step).pickle());
}

} // namespace t6
