//===- Safetensors.cpp - Reader and writer of .safetensors ----------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "runtime/io/Safetensors.h"

#include "absl/container/flat_hash_set.h"
#include "absl/strings/str_cat.h"
#include "runtime/io/AtomicFile.h"
#include "runtime/io/Names.h"
#include "runtime/io/SafetensorsHeader.h"

#include <algorithm>
#include <cstring>
#include <numeric>
#include <tuple>

namespace t6 {
namespace {

constexpr size_t kLengthBytes = 8;
/// The limit of the reference implementation.
constexpr uint64_t kMaxHeaderBytes = 100'000'000;
constexpr size_t kDataAlignment = 64;

absl::Status damaged(absl::string_view label, absl::string_view what) {
  return absl::DataLossError(
      absl::StrCat(label, ": ", what, "; HINT: fetch or write the file again"));
}

/// The header's text.
absl::StatusOr<absl::string_view> headerOf(absl::Span<const uint8_t> bytes,
                                           absl::string_view label) {
  if (bytes.size() < kLengthBytes)
    return damaged(label, absl::StrCat("a safetensors file has at least 8 "
                                       "bytes, this one has ",
                                       bytes.size()));
  uint64_t length;
  std::memcpy(&length, bytes.data(), sizeof length);
  if (length > kMaxHeaderBytes)
    return damaged(label,
                   absl::StrCat("the header length ", length,
                                " is beyond the limit of ", kMaxHeaderBytes,
                                " bytes, or this is no safetensors "
                                "file"));
  if (length > bytes.size() - kLengthBytes)
    return damaged(label, absl::StrCat("the header of ", length,
                                       " bytes is cut off: the file has ",
                                       bytes.size(), " bytes"));
  absl::string_view text(
      reinterpret_cast<const char *>(bytes.data()) + kLengthBytes, length);
  if (text.empty() || text.front() != '{')
    return damaged(label, "the header does not start with '{'");
  return text;
}

/// Offsets in order, without holes or overlaps, up to the end of the data, each
/// range as large as its tensor. Sorts `entries` by offset.
absl::Status checkLayout(std::vector<SafetensorsEntry> &entries,
                         uint64_t dataBytes) {
  std::sort(entries.begin(), entries.end(),
            [](const SafetensorsEntry &a, const SafetensorsEntry &b) {
              return std::tie(a.begin, a.end, a.spec.name) <
                     std::tie(b.begin, b.end, b.spec.name);
            });
  uint64_t position = 0;
  for (const SafetensorsEntry &entry : entries) {
    auto wrong = [&](auto... what) {
      return absl::DataLossError(
          absl::StrCat("tensor ", quoteName(entry.spec.name), " at bytes [",
                       entry.begin, ", ", entry.end, ") ", what...));
    };
    if (entry.end < entry.begin)
      return wrong("ends before it begins");
    if (entry.end > dataBytes)
      return wrong("lies outside of the data, which has ", dataBytes, " bytes");
    if (entry.begin < position)
      return wrong("overlaps the tensor before it, which ends at ", position);
    if (entry.begin > position)
      return wrong("leaves a hole after byte ", position);
    absl::StatusOr<size_t> bytes =
        checkedBytes(entry.spec.dtype, entry.spec.shape);
    if (!bytes.ok())
      return wrong("is invalid: ", bytes.status().message());
    if (*bytes != entry.end - entry.begin)
      return wrong("should have ", *bytes, " bytes for shape ",
                   shapeToString(entry.spec.shape), " of ",
                   name(entry.spec.dtype));
    position = entry.end;
  }
  if (position != dataBytes)
    return absl::DataLossError(
        absl::StrCat("the last tensor ends at byte ", position,
                     " of the data, which has ", dataBytes, " bytes"));
  return absl::OkStatus();
}

} // namespace

absl::StatusOr<std::unique_ptr<SafetensorsFile>>
SafetensorsFile::open(absl::string_view path) {
  absl::StatusOr<std::unique_ptr<MappedFile>> mapping = MappedFile::open(path);
  if (!mapping.ok())
    return mapping.status();
  absl::StatusOr<std::unique_ptr<SafetensorsFile>> file =
      parse((*mapping)->bytes(), path);
  if (file.ok())
    (*file)->mapping = *std::move(mapping);
  return file;
}

absl::StatusOr<std::unique_ptr<SafetensorsFile>>
SafetensorsFile::parse(absl::Span<const uint8_t> bytes,
                       absl::string_view label) {
  absl::StatusOr<absl::string_view> text = headerOf(bytes, label);
  if (!text.ok())
    return text.status();
  absl::StatusOr<SafetensorsHeader> header = parseSafetensorsHeader(*text);
  if (!header.ok())
    return damaged(label, header.status().message());
  absl::Span<const uint8_t> data = bytes.subspan(kLengthBytes + text->size());
  absl::Status layout = checkLayout(header->entries, data.size());
  if (!layout.ok())
    return damaged(label, layout.message());

  std::unique_ptr<SafetensorsFile> file(new SafetensorsFile);
  file->filePath = std::string(label);
  file->attributes = std::move(header->metadata);
  file->entries.reserve(header->entries.size());
  for (SafetensorsEntry &entry : header->entries)
    file->entries.push_back(
        {std::move(entry.spec.name),
         {entry.spec.dtype, std::move(entry.spec.shape),
          data.data() + entry.begin, entry.end - entry.begin}});
  file->byName.resize(file->entries.size());
  std::iota(file->byName.begin(), file->byName.end(), size_t{0});
  std::sort(file->byName.begin(), file->byName.end(), [&](size_t a, size_t b) {
    return file->entries[a].name < file->entries[b].name;
  });
  return file;
}

absl::StatusOr<std::unique_ptr<SafetensorsFile>>
parseSafetensors(absl::Span<const uint8_t> bytes) {
  return SafetensorsFile::parse(bytes, "<memory>");
}

std::vector<absl::string_view> SafetensorsFile::names() const {
  std::vector<absl::string_view> sorted;
  sorted.reserve(byName.size());
  for (size_t index : byName)
    sorted.push_back(entries[index].name);
  return sorted;
}

const TensorView *SafetensorsFile::find(absl::string_view name) const {
  auto position = std::lower_bound(byName.begin(), byName.end(), name,
                                   [&](size_t index, absl::string_view key) {
                                     return entries[index].name < key;
                                   });
  if (position == byName.end() || entries[*position].name != name)
    return nullptr;
  return &entries[*position].tensor;
}

namespace {

absl::Status checkWritable(absl::Span<const TensorSpec> specs,
                           const SafetensorsMetadata &metadata) {
  absl::flat_hash_set<absl::string_view> names;
  for (const TensorSpec &spec : specs) {
    if (spec.name == "__metadata__" || !isValidUtf8(spec.name))
      return absl::InvalidArgumentError(
          absl::StrCat("the safetensors format cannot hold a tensor named ",
                       quoteName(spec.name)));
    if (!names.insert(spec.name).second)
      return absl::InvalidArgumentError(
          absl::StrCat("two tensors are named ", quoteName(spec.name)));
  }
  for (const auto &[key, value] : metadata)
    if (!isValidUtf8(key) || !isValidUtf8(value))
      return absl::InvalidArgumentError(absl::StrCat(
          "the metadata of ", quoteName(key), " is not valid UTF-8"));
  return absl::OkStatus();
}

/// The header's entries in file order and, beside them, the index of each spec.
absl::StatusOr<SafetensorsHeader> layOut(absl::Span<const TensorSpec> specs,
                                         std::vector<size_t> &order) {
  order.resize(specs.size());
  std::iota(order.begin(), order.end(), size_t{0});
  std::sort(order.begin(), order.end(), [&](size_t a, size_t b) {
    size_t sizeA = byteSize(specs[a].dtype), sizeB = byteSize(specs[b].dtype);
    return sizeA != sizeB ? sizeA > sizeB : a < b;
  });
  SafetensorsHeader header;
  uint64_t position = 0;
  for (size_t index : order) {
    const TensorSpec &spec = specs[index];
    absl::StatusOr<size_t> bytes = checkedBytes(spec.dtype, spec.shape);
    if (!bytes.ok())
      return bytes.status();
    uint64_t end;
    if (__builtin_add_overflow(position, uint64_t{*bytes}, &end))
      return absl::InvalidArgumentError("the tensors do not fit one file");
    header.entries.push_back({spec, position, end});
    position = end;
  }
  return header;
}

} // namespace

absl::Status writeSafetensors(
    absl::string_view path, absl::Span<const TensorSpec> specs,
    absl::FunctionRef<absl::StatusOr<TensorView>(size_t index)> data,
    const SafetensorsMetadata &metadata) {
  absl::Status writable = checkWritable(specs, metadata);
  if (!writable.ok())
    return writable;
  std::vector<size_t> order;
  absl::StatusOr<SafetensorsHeader> header = layOut(specs, order);
  if (!header.ok())
    return header.status();
  header->metadata = metadata;
  std::string text = printSafetensorsHeader(*header);
  size_t partial = (kLengthBytes + text.size()) % kDataAlignment;
  text.append((kDataAlignment - partial) % kDataAlignment, ' ');
  if (text.size() > kMaxHeaderBytes)
    return absl::InvalidArgumentError(
        absl::StrCat("the header of ", text.size(), " bytes is beyond the ",
                     "format's limit of ", kMaxHeaderBytes));

  absl::StatusOr<std::unique_ptr<AtomicFile>> file = AtomicFile::create(path);
  if (!file.ok())
    return file.status();
  uint64_t length = text.size();
  absl::Status status = (*file)->append(&length, sizeof length);
  if (status.ok())
    status = (*file)->append(text.data(), text.size());
  for (size_t i = 0; i < order.size() && status.ok(); ++i) {
    absl::StatusOr<TensorView> tensor = data(order[i]);
    if (!tensor.ok())
      return tensor.status();
    const SafetensorsEntry &entry = header->entries[i];
    if (tensor->dtype != entry.spec.dtype ||
        tensor->shape != entry.spec.shape ||
        tensor->bytes != entry.end - entry.begin)
      return absl::InvalidArgumentError(
          absl::StrCat("the data of tensor ", quoteName(entry.spec.name),
                       " is not of the type and shape announced"));
    status = (*file)->append(tensor->data, tensor->bytes);
  }
  return status.ok() ? (*file)->commit() : status;
}

absl::Status writeSafetensors(absl::string_view path,
                              absl::Span<const NamedTensor> tensors,
                              const SafetensorsMetadata &metadata) {
  std::vector<TensorSpec> specs;
  specs.reserve(tensors.size());
  for (const NamedTensor &entry : tensors)
    specs.push_back({entry.name, entry.tensor.dtype, entry.tensor.shape});
  auto data = [&](size_t index) -> absl::StatusOr<TensorView> {
    return tensors[index].tensor;
  };
  return writeSafetensors(path, specs, data, metadata);
}

} // namespace t6
