//===- StoredZip.h - Stored entries of an untrusted zip ---------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Reads the zip files that this project writes: entries stored without
// compression or encryption, each name once. Anything else is refused on
// opening, so that a small file can never ask for much memory.
//
//===----------------------------------------------------------------------===//

#ifndef T6_RUNTIME_ARTIFACT_STOREDZIP_H
#define T6_RUNTIME_ARTIFACT_STOREDZIP_H

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

struct zip;

namespace t6 {

class StoredZip {
public:
  struct Entry {
    std::string name;
    int64_t bytes = 0;
    int64_t index = 0; ///< Position in the zip.
  };

  /// Opens a file. NotFound or PermissionDenied when it cannot be read,
  /// DataLoss when it is not a zip that this class accepts.
  static absl::StatusOr<StoredZip> open(const std::string &path);
  /// Reads a zip in memory, which must outlive the reader; `name` is for
  /// messages.
  static absl::StatusOr<StoredZip> fromMemory(absl::string_view bytes,
                                              std::string name);

  const std::vector<Entry> &entries() const { return list; }
  const Entry *find(absl::string_view name) const;
  /// Reads an entry, checking its CRC, into `bytes` bytes at `data`; `bytes`
  /// must be the entry's size.
  absl::Status readInto(const Entry &entry, void *data, int64_t bytes) const;
  absl::StatusOr<std::string> read(const Entry &entry) const;

private:
  struct Closer {
    void operator()(zip *archive) const;
  };
  StoredZip(zip *archive, std::string name)
      : archive(archive), source(std::move(name)) {}
  absl::Status listEntries(int64_t archiveBytes);

  std::unique_ptr<zip, Closer> archive;
  std::string source;
  std::vector<Entry> list;
};

} // namespace t6

#endif // T6_RUNTIME_ARTIFACT_STOREDZIP_H
