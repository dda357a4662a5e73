//===- MappedFile.h - A file as memory --------------------------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Read-only memory mapping of a regular file, and the errors of the file system
// as statuses.
//
//===----------------------------------------------------------------------===//

#ifndef T6_RUNTIME_IO_MAPPEDFILE_H
#define T6_RUNTIME_IO_MAPPEDFILE_H

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"

#include <cstdint>
#include <memory>
#include <string>

namespace t6 {

/// "cannot <action> <path>: <strerror(error)>" with a hint where one is known.
/// The code is NotFound, PermissionDenied, ResourceExhausted or Unknown: never
/// one that blames the command line or an artifact.
absl::Status fileError(int error, absl::string_view action,
                       absl::string_view path);

/// The bytes of a regular file, paged in on use and shared with every other
/// process that maps it. The file must not be truncated while it is mapped
/// (reading a page that is gone ends the process).
class MappedFile {
public:
  static absl::StatusOr<std::unique_ptr<MappedFile>>
  open(absl::string_view path);

  MappedFile(const MappedFile &) = delete;
  MappedFile &operator=(const MappedFile &) = delete;
  ~MappedFile();

  absl::Span<const uint8_t> bytes() const { return {data, size}; }
  const std::string &path() const { return filePath; }

private:
  MappedFile(std::string path, const uint8_t *data, size_t size)
      : filePath(std::move(path)), data(data), size(size) {}

  std::string filePath;
  const uint8_t *data;
  size_t size;
};

} // namespace t6

#endif // T6_RUNTIME_IO_MAPPEDFILE_H
