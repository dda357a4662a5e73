//===- ZipReader.cpp - Stored entries of a zip in memory ------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "runtime/io/ZipReader.h"

#include "absl/strings/str_cat.h"
#include "runtime/io/Names.h"

#include <algorithm>
#include <new>
#include <numeric>
#include <zip.h>

namespace t6 {
namespace {

absl::Status damaged(absl::string_view label, absl::string_view what) {
  return absl::DataLossError(
      absl::StrCat(label, ": ", what, "; HINT: fetch or write the file again"));
}

} // namespace

absl::Status OwnedBytes::resize(size_t bytes) {
  if (bytes > size || !data) {
    data.reset();
    data.reset(new (std::nothrow) uint8_t[bytes == 0 ? 1 : bytes]);
  }
  size = data ? bytes : 0;
  if (!data)
    return absl::ResourceExhaustedError(
        absl::StrCat("there is no memory for ", bytes, " bytes"));
  return absl::OkStatus();
}

absl::StatusOr<std::unique_ptr<ZipReader>>
ZipReader::open(absl::Span<const uint8_t> bytes, absl::string_view label) {
  std::unique_ptr<ZipReader> reader(
      new ZipReader(std::string(label), bytes.size()));
  zip_error_t error;
  zip_error_init(&error);
  zip_source_t *source =
      zip_source_buffer_create(bytes.data(), bytes.size(), 0, &error);
  if (source) {
    reader->archive = zip_open_from_source(source, ZIP_RDONLY, &error);
    if (!reader->archive)
      zip_source_free(source);
  }
  std::string message = zip_error_strerror(&error);
  zip_error_fini(&error);
  if (!reader->archive)
    return damaged(label, absl::StrCat("not a readable zip (", message, ")"));

  zip_int64_t count = zip_get_num_entries(reader->archive, 0);
  for (zip_int64_t i = 0; i < count; ++i) {
    const char *name = zip_get_name(reader->archive, i, ZIP_FL_ENC_RAW);
    if (!name)
      return damaged(label, "the zip's directory is broken");
    reader->entryNames.push_back(name);
  }
  reader->byName.resize(reader->entryNames.size());
  std::iota(reader->byName.begin(), reader->byName.end(), uint64_t{0});
  std::sort(reader->byName.begin(), reader->byName.end(),
            [&](uint64_t a, uint64_t b) {
              return reader->entryNames[a] < reader->entryNames[b];
            });
  return reader;
}

ZipReader::~ZipReader() {
  if (archive)
    zip_discard(archive);
}

int64_t ZipReader::find(absl::string_view name) const {
  auto first = std::lower_bound(byName.begin(), byName.end(), name,
                                [&](uint64_t index, absl::string_view key) {
                                  return entryNames[index] < key;
                                });
  if (first == byName.end() || entryNames[*first] != name)
    return -1;
  auto second = first + 1;
  if (second != byName.end() && entryNames[*second] == name)
    return -1;
  return static_cast<int64_t>(*first);
}

absl::Status ZipReader::fail(uint64_t index, absl::string_view what) const {
  return damaged(label, absl::StrCat("the entry ", quoteName(entryNames[index]),
                                     " of the zip ", what));
}

absl::StatusOr<uint64_t> ZipReader::entrySize(uint64_t index) const {
  constexpr zip_uint64_t needed =
      ZIP_STAT_SIZE | ZIP_STAT_COMP_SIZE | ZIP_STAT_COMP_METHOD;
  zip_stat_t info;
  if (zip_stat_index(archive, index, 0, &info) != 0 ||
      (info.valid & needed) != needed)
    return fail(index, "has no valid header");
  if (info.comp_method != ZIP_CM_STORE)
    return fail(index, "is compressed, which PyTorch never does");
  if ((info.valid & ZIP_STAT_ENCRYPTION_METHOD) &&
      info.encryption_method != ZIP_EM_NONE)
    return fail(index, "is encrypted");
  if (info.size != info.comp_size || info.size > fileBytes)
    return fail(index,
                absl::StrCat("claims ", info.size, " bytes (", info.comp_size,
                             " stored) in a file of ", fileBytes));
  return uint64_t{info.size};
}

absl::Status ZipReader::read(uint64_t index, OwnedBytes &out) const {
  absl::StatusOr<uint64_t> size = entrySize(index);
  if (!size.ok())
    return size.status();
  absl::Status room = out.resize(*size);
  if (!room.ok())
    return room;
  zip_file_t *file = zip_fopen_index(archive, index, 0);
  if (!file)
    return fail(index,
                absl::StrCat("cannot be read (", zip_strerror(archive), ")"));
  uint64_t done = 0;
  zip_int64_t count = 0;
  while (done < *size &&
         (count = zip_fread(file, out.data.get() + done, *size - done)) > 0)
    done += static_cast<uint64_t>(count);
  // The CRC is checked when the end is seen, which takes one read more.
  char beyond;
  if (count >= 0)
    count = zip_fread(file, &beyond, 1);
  std::string message = zip_file_strerror(file);
  zip_fclose(file);
  if (count < 0)
    return fail(index, absl::StrCat("is damaged (", message, ")"));
  if (done != *size || count != 0)
    return fail(index, absl::StrCat("does not have the ", *size,
                                    " bytes that it claims"));
  return absl::OkStatus();
}

} // namespace t6
