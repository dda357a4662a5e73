//===- PytorchFile.cpp - pytorch_model.bin --------------------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "runtime/io/PytorchFile.h"

#include "runtime/io/ShardIndex.h"

#include <utility>

namespace t6 {

absl::StatusOr<std::unique_ptr<PytorchFile>>
PytorchFile::open(absl::string_view path) {
  return fromArchive(PytorchArchive::open(path), path);
}

absl::StatusOr<std::unique_ptr<PytorchFile>>
PytorchFile::parse(absl::Span<const uint8_t> bytes, absl::string_view label) {
  return fromArchive(PytorchArchive::parse(bytes, label), label);
}

absl::StatusOr<std::unique_ptr<PytorchFile>> PytorchFile::fromArchive(
    absl::StatusOr<std::unique_ptr<PytorchArchive>> archive,
    absl::string_view label) {
  if (!archive.ok())
    return archive.status();
  absl::StatusOr<std::vector<StateDictEntry>> entries =
      readStateDict((*archive)->pickle(), label);
  if (!entries.ok())
    return entries.status();
  std::unique_ptr<PytorchFile> file(new PytorchFile);
  for (StateDictEntry &entry : *entries) {
    DType dtype = (*archive)->dtypeOf(entry.tensor);
    file->specs.push_back({{std::move(entry.name), dtype, entry.tensor.shape},
                           std::move(entry.aliasOf)});
    file->views.push_back(std::move(entry.tensor));
  }
  file->archive = *std::move(archive);
  return file;
}

absl::StatusOr<TensorView> PytorchFile::read(size_t index) {
  return archive->read(views[index]);
}

absl::StatusOr<ConvertReport> convertPytorch(absl::string_view in,
                                             absl::string_view out) {
  std::vector<std::string> paths = {std::string(in)};
  if (isShardIndex(in)) {
    absl::StatusOr<ShardIndex> index = readShardIndex(in);
    if (!index.ok())
      return index.status();
    paths = index->files;
  }
  std::vector<std::unique_ptr<PytorchFile>> files;
  std::vector<TensorSpec> specs;
  // Of each spec, its file and its index there.
  std::vector<std::pair<PytorchFile *, size_t>> sources;
  SafetensorsMetadata metadata = {{"format", "pt"}};
  ConvertReport report;
  for (const std::string &path : paths) {
    absl::StatusOr<std::unique_ptr<PytorchFile>> file = PytorchFile::open(path);
    if (!file.ok())
      return file.status();
    files.push_back(*std::move(file));
    absl::Span<const PytorchFile::Tensor> tensors = files.back()->tensors();
    for (size_t i = 0; i < tensors.size(); ++i) {
      if (!tensors[i].aliasOf.empty()) {
        metadata[tensors[i].spec.name] = tensors[i].aliasOf;
        ++report.aliases;
        continue;
      }
      specs.push_back(tensors[i].spec);
      sources.emplace_back(files.back().get(), i);
    }
  }
  auto data = [&](size_t index) -> absl::StatusOr<TensorView> {
    absl::StatusOr<TensorView> tensor =
        sources[index].first->read(sources[index].second);
    if (tensor.ok())
      report.bytes += tensor->bytes;
    return tensor;
  };
  absl::Status written = writeSafetensors(out, specs, data, metadata);
  if (!written.ok())
    return written;
  report.tensors = specs.size();
  return report;
}

} // namespace t6
