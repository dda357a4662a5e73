//===- MappedFile.cpp - A file as memory ----------------------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "runtime/io/MappedFile.h"

#include "absl/strings/str_cat.h"

#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

namespace t6 {
namespace {

/// Closes a descriptor on every way out.
struct Descriptor {
  int fd;
  ~Descriptor() {
    if (fd >= 0)
      close(fd);
  }
};

absl::string_view hintFor(int error) {
  switch (error) {
  case ENOENT:
  case ENOTDIR:
    return "; HINT: check the path";
  case EACCES:
  case EPERM:
    return "; HINT: check the permissions of the file and of its folder";
  case ENOSPC:
  case EDQUOT:
    return "; HINT: free space there, or choose a path on another disk";
  case EFBIG:
    return "; HINT: raise the file size limit (ulimit -f)";
  case EISDIR:
    return "; HINT: name a file, not a folder";
  default:
    return "";
  }
}

absl::StatusCode codeFor(int error) {
  switch (error) {
  case ENOENT:
  case ENOTDIR:
    return absl::StatusCode::kNotFound;
  case EACCES:
  case EPERM:
  case EROFS:
    return absl::StatusCode::kPermissionDenied;
  case ENOSPC:
  case EDQUOT:
  case EFBIG:
  case ENOMEM:
    return absl::StatusCode::kResourceExhausted;
  default:
    return absl::StatusCode::kUnknown;
  }
}

} // namespace

absl::Status fileError(int error, absl::string_view action,
                       absl::string_view path) {
  return absl::Status(codeFor(error),
                      absl::StrCat("cannot ", action, " ", path, ": ",
                                   strerror(error), hintFor(error)));
}

absl::StatusOr<std::unique_ptr<MappedFile>>
MappedFile::open(absl::string_view path) {
  std::string owned(path);
  // Without O_NONBLOCK a FIFO without a writer would block here for ever.
  Descriptor file{::open(owned.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK)};
  if (file.fd < 0)
    return fileError(errno, "open", path);
  struct stat info;
  if (fstat(file.fd, &info) != 0)
    return fileError(errno, "inspect", path);
  if (S_ISDIR(info.st_mode))
    return fileError(EISDIR, "read", path);
  if (!S_ISREG(info.st_mode))
    return absl::UnknownError(
        absl::StrCat("cannot map ", path,
                     ": not a regular file; HINT: write it to disk first"));
  size_t size = static_cast<size_t>(info.st_size);
  const uint8_t *data = nullptr;
  if (size != 0) {
    void *mapped = mmap(nullptr, size, PROT_READ, MAP_PRIVATE, file.fd, 0);
    if (mapped == MAP_FAILED)
      return fileError(errno, "map", path);
    data = static_cast<const uint8_t *>(mapped);
  }
  return std::unique_ptr<MappedFile>(
      new MappedFile(std::move(owned), data, size));
}

MappedFile::~MappedFile() {
  if (data)
    munmap(const_cast<uint8_t *>(data), size);
}

} // namespace t6
