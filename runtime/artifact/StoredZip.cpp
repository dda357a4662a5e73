//===- StoredZip.cpp - Stored entries of an untrusted zip -----------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "runtime/artifact/StoredZip.h"

#include "absl/container/flat_hash_set.h"
#include "absl/status/status.h"
#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"

#include <zip.h>

#include <cerrno>
#include <cstring>
#include <sys/stat.h>

namespace t6 {

static constexpr int64_t kMaxEntries = 4096;
static constexpr size_t kMaxNameBytes = 256;

static absl::Status damaged(absl::string_view source, absl::string_view what) {
  return absl::DataLossError(
      absl::StrCat(source, ": ", what,
                   ". HINT: the file is damaged or not an artifact; compile it "
                   "again with tpa-opt"));
}

void StoredZip::Closer::operator()(zip *archive) const { zip_discard(archive); }

absl::StatusOr<StoredZip> StoredZip::open(const std::string &path) {
  struct stat info;
  if (stat(path.c_str(), &info) != 0)
    return absl::ErrnoToStatus(errno, absl::StrCat(path, ": cannot be opened"));
  if (!S_ISREG(info.st_mode))
    return absl::InvalidArgumentError(
        absl::StrCat(path, ": is not a regular file"));
  int code = 0;
  errno = 0;
  zip *archive = zip_open(path.c_str(), ZIP_RDONLY | ZIP_CHECKCONS, &code);
  if (!archive) {
    if (code == ZIP_ER_OPEN && errno != 0)
      return absl::ErrnoToStatus(errno,
                                 absl::StrCat(path, ": cannot be opened"));
    zip_error_t error;
    zip_error_init_with_code(&error, code);
    absl::Status status = damaged(
        path, absl::StrCat("is not a zip (", zip_error_strerror(&error), ")"));
    zip_error_fini(&error);
    return status;
  }
  StoredZip reader(archive, path);
  absl::Status status = reader.listEntries(info.st_size);
  if (!status.ok())
    return status;
  return reader;
}

absl::StatusOr<StoredZip> StoredZip::fromMemory(absl::string_view bytes,
                                                std::string name) {
  zip_error_t error;
  zip_error_init(&error);
  zip *archive = nullptr;
  zip_source_t *source =
      zip_source_buffer_create(bytes.data(), bytes.size(), 0, &error);
  if (source) {
    archive = zip_open_from_source(source, ZIP_RDONLY | ZIP_CHECKCONS, &error);
    if (!archive)
      zip_source_free(source);
  }
  if (!archive) {
    absl::Status status = damaged(
        name, absl::StrCat("is not a zip (", zip_error_strerror(&error), ")"));
    zip_error_fini(&error);
    return status;
  }
  zip_error_fini(&error);
  StoredZip reader(archive, std::move(name));
  absl::Status status = reader.listEntries(bytes.size());
  if (!status.ok())
    return status;
  return reader;
}

absl::Status StoredZip::listEntries(int64_t archiveBytes) {
  int64_t count = zip_get_num_entries(archive.get(), 0);
  if (count > kMaxEntries)
    return damaged(source, absl::StrCat("has ", count, " entries, more than ",
                                        kMaxEntries));
  absl::flat_hash_set<std::string> seen;
  int64_t total = 0;
  for (int64_t i = 0; i < count; ++i) {
    zip_stat_t info;
    zip_stat_init(&info);
    constexpr zip_uint64_t kNeeded = ZIP_STAT_NAME | ZIP_STAT_SIZE |
                                     ZIP_STAT_COMP_SIZE | ZIP_STAT_COMP_METHOD |
                                     ZIP_STAT_ENCRYPTION_METHOD;
    if (zip_stat_index(archive.get(), i, ZIP_FL_ENC_RAW, &info) != 0 ||
        (info.valid & kNeeded) != kNeeded)
      return damaged(source, absl::StrCat("entry ", i, " cannot be read"));
    if (std::strlen(info.name) > kMaxNameBytes)
      return damaged(source, absl::StrCat("entry ", i, " has too long a name"));
    std::string shown = absl::CHexEscape(info.name);
    if (info.encryption_method != ZIP_EM_NONE)
      return damaged(source, absl::StrCat("entry '", shown, "' is encrypted"));
    if (info.comp_method != ZIP_CM_STORE || info.comp_size != info.size)
      return damaged(source, absl::StrCat("entry '", shown,
                                          "' is compressed, not stored"));
    if (!seen.insert(info.name).second)
      return damaged(source, absl::StrCat("entry '", shown, "' occurs twice"));
    // Entries that share their bytes would ask for more memory than the file.
    if (info.size > zip_uint64_t(archiveBytes - total))
      return damaged(source,
                     absl::StrCat("entry '", shown, "' claims ", info.size,
                                  " bytes, more than the file has"));
    total += info.size;
    list.push_back({info.name, static_cast<int64_t>(info.size), i});
  }
  return absl::OkStatus();
}

const StoredZip::Entry *StoredZip::find(absl::string_view name) const {
  for (const Entry &entry : list)
    if (entry.name == name)
      return &entry;
  return nullptr;
}

absl::Status StoredZip::readInto(const Entry &entry, void *data,
                                 int64_t bytes) const {
  auto failure = [&](absl::string_view why) {
    return damaged(source, absl::StrCat("entry '", absl::CHexEscape(entry.name),
                                        "' cannot be read (", why, ")"));
  };
  zip_file_t *file = zip_fopen_index(archive.get(), entry.index, 0);
  if (!file)
    return failure(zip_strerror(archive.get()));
  int64_t done = 0;
  while (done < bytes) {
    int64_t got = zip_fread(file, static_cast<char *>(data) + done,
                            static_cast<zip_uint64_t>(bytes - done));
    if (got <= 0) {
      std::string why = got < 0 ? zip_file_strerror(file) : "it ends early";
      zip_fclose(file);
      return failure(why);
    }
    done += got;
  }
  // One read past the end makes libzip compare the CRC.
  char extra;
  int64_t got = zip_fread(file, &extra, 1);
  std::string why = got < 0 ? zip_file_strerror(file) : "it is too long";
  zip_fclose(file);
  return got == 0 ? absl::OkStatus() : failure(why);
}

absl::StatusOr<std::string> StoredZip::read(const Entry &entry) const {
  std::string bytes(entry.bytes, '\0');
  absl::Status status = readInto(entry, &bytes[0], entry.bytes);
  if (!status.ok())
    return status;
  return bytes;
}

} // namespace t6
