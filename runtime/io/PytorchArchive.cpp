//===- PytorchArchive.cpp - A zip that torch.save wrote -------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "runtime/io/PytorchArchive.h"

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "runtime/io/Names.h"

#include <cstring>

namespace t6 {
namespace {

constexpr absl::string_view kPickleEntry = "data.pkl";

absl::Status damaged(absl::string_view label, absl::string_view what) {
  return absl::DataLossError(
      absl::StrCat(label, ": ", what, "; HINT: save it again with torch.save"));
}

/// Tells the zip format from its predecessor, a plain sequence of pickles.
absl::Status checkMagic(absl::Span<const uint8_t> bytes,
                        absl::string_view label) {
  if (bytes.size() >= 2 && bytes[0] == 'P' && bytes[1] == 'K')
    return absl::OkStatus();
  if (bytes.size() >= 2 && bytes[0] == 0x80 && bytes[1] <= 5)
    return absl::FailedPreconditionError(absl::StrCat(
        label, ": this is the format of PyTorch before 1.6, which is not read; "
               "HINT: load it and torch.save it again with PyTorch 1.6 or "
               "later"));
  return absl::FailedPreconditionError(
      absl::StrCat(label, ": this is not a file that torch.save wrote; HINT: "
                          "pass a pytorch_model.bin"));
}

/// The folder of data.pkl, with its slash. PyTorch names it after the file.
absl::StatusOr<std::string> findPrefix(const ZipReader &zip,
                                       absl::string_view label) {
  const std::string *found = nullptr;
  for (const std::string &name : zip.names()) {
    absl::string_view folder = name;
    if (!absl::ConsumeSuffix(&folder, kPickleEntry) ||
        (!folder.empty() && folder.find('/') != folder.size() - 1))
      continue;
    if (found)
      return damaged(label, "the zip holds more than one data.pkl");
    found = &name;
  }
  if (!found)
    return absl::FailedPreconditionError(absl::StrCat(
        label, ": the zip holds no data.pkl, so torch.save did not write it; "
               "HINT: pass a pytorch_model.bin"));
  return found->substr(0, found->size() - kPickleEntry.size());
}

template <size_t kBytes>
void gatherElements(const uint8_t *storage, const PickledTensor &view,
                    int64_t count, uint8_t *out) {
  size_t rank = view.shape.size();
  std::vector<int64_t> index(rank, 0);
  int64_t at = view.offset;
  for (int64_t i = 0; i < count; ++i) {
    std::memcpy(out + i * kBytes, storage + at * kBytes, kBytes);
    // Counts up from the last dimension; a dimension that wraps takes back what
    // it added to the offset.
    for (size_t d = rank; d-- > 0;) {
      at += view.strides[d];
      if (++index[d] < view.shape[d])
        break;
      at -= view.strides[d] * view.shape[d];
      index[d] = 0;
    }
  }
}

void gather(const uint8_t *storage, const PickledTensor &view, size_t bytes,
            int64_t count, uint8_t *out) {
  switch (bytes) {
  case 1:
    return gatherElements<1>(storage, view, count, out);
  case 2:
    return gatherElements<2>(storage, view, count, out);
  case 4:
    return gatherElements<4>(storage, view, count, out);
  default:
    return gatherElements<8>(storage, view, count, out);
  }
}

bool isContiguous(const PickledTensor &view) {
  int64_t expected = 1;
  for (size_t d = view.shape.size(); d-- > 0;) {
    if (view.shape[d] != 1 && view.strides[d] != expected)
      return false;
    expected *= view.shape[d];
  }
  return true;
}

} // namespace

absl::StatusOr<std::unique_ptr<PytorchArchive>>
PytorchArchive::open(absl::string_view path) {
  absl::StatusOr<std::unique_ptr<MappedFile>> mapping = MappedFile::open(path);
  if (!mapping.ok())
    return mapping.status();
  absl::StatusOr<std::unique_ptr<PytorchArchive>> archive =
      parse((*mapping)->bytes(), path);
  if (archive.ok())
    (*archive)->mapping = *std::move(mapping);
  return archive;
}

absl::StatusOr<std::unique_ptr<PytorchArchive>>
PytorchArchive::parse(absl::Span<const uint8_t> bytes,
                      absl::string_view label) {
  absl::Status magic = checkMagic(bytes, label);
  if (!magic.ok())
    return magic;
  absl::StatusOr<std::unique_ptr<ZipReader>> zip =
      ZipReader::open(bytes, label);
  if (!zip.ok())
    return zip.status();
  std::unique_ptr<PytorchArchive> archive(new PytorchArchive);
  archive->label = std::string(label);
  archive->zip = *std::move(zip);
  absl::StatusOr<std::string> prefix = findPrefix(*archive->zip, label);
  if (!prefix.ok())
    return prefix.status();
  absl::Status status = archive->checkContainer(*prefix);
  if (status.ok())
    status = archive->zip->read(
        archive->zip->find(absl::StrCat(*prefix, kPickleEntry)), archive->text);
  if (!status.ok())
    return status;
  absl::StatusOr<Pickle> pickle = Pickle::parse(archive->text.span(), label);
  if (!pickle.ok())
    return pickle.status();
  archive->contents = *std::move(pickle);
  status = archive->locateStorages(*prefix);
  if (!status.ok())
    return status;
  return archive;
}

absl::Status PytorchArchive::checkContainer(absl::string_view prefix) const {
  int64_t entry = zip->find(absl::StrCat(prefix, "byteorder"));
  if (entry < 0)
    return absl::OkStatus();
  OwnedBytes order;
  absl::Status status = zip->read(entry, order);
  if (!status.ok())
    return status;
  absl::string_view text(reinterpret_cast<const char *>(order.data.get()),
                         order.size);
  if (absl::StripAsciiWhitespace(text) == "little")
    return absl::OkStatus();
  return absl::FailedPreconditionError(
      absl::StrCat(label, ": the byte order is ", quoteName(text),
                   "; HINT: save it on a little-endian machine"));
}

absl::Status PytorchArchive::locateStorages(absl::string_view prefix) {
  uint64_t left = zip->fileSize();
  for (const PickledStorage &storage : contents.storages()) {
    std::string name = absl::StrCat(prefix, "data/", storage.key);
    int64_t entry = zip->find(name);
    if (entry < 0)
      return damaged(label, absl::StrCat("the storage ", quoteName(name),
                                         " is not in the zip, or is twice"));
    absl::StatusOr<uint64_t> size = zip->entrySize(entry);
    if (!size.ok())
      return size.status();
    uint64_t wanted =
        static_cast<uint64_t>(storage.elements) * byteSize(storage.dtype);
    if (*size != wanted)
      return damaged(label,
                     absl::StrCat("the storage ", quoteName(name), " has ",
                                  *size, " bytes instead of ", wanted));
    // Entries that overlap in the file would sum up to more than it has.
    if (*size > left)
      return damaged(label, "the storages are larger than the file");
    left -= *size;
    storageEntries.push_back(static_cast<uint64_t>(entry));
  }
  return absl::OkStatus();
}

absl::StatusOr<TensorView> PytorchArchive::read(const PickledTensor &view) {
  if (cachedStorage != int64_t{view.storage}) {
    cachedStorage = -1;
    absl::Status status = zip->read(storageEntries[view.storage], storageBytes);
    if (!status.ok())
      return status;
    cachedStorage = view.storage;
  }
  DType dtype = dtypeOf(view);
  absl::StatusOr<size_t> bytes = checkedBytes(dtype, view.shape);
  if (!bytes.ok())
    return bytes.status();
  size_t elementBytes = byteSize(dtype);
  if (*bytes == 0 || isContiguous(view))
    return TensorView{dtype, view.shape,
                      storageBytes.data.get() + view.offset * elementBytes,
                      *bytes};
  absl::Status room = gathered.resize(*bytes);
  if (!room.ok())
    return room;
  gather(storageBytes.data.get(), view, elementBytes,
         static_cast<int64_t>(*bytes / elementBytes), gathered.data.get());
  return TensorView{dtype, view.shape, gathered.data.get(), *bytes};
}

} // namespace t6
