//===- AtomicFile.cpp - Files that appear whole or not at all -------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "runtime/io/AtomicFile.h"

#include "absl/strings/str_cat.h"
#include "runtime/io/MappedFile.h"

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstdlib>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

namespace t6 {
namespace {

std::string folderOf(const std::string &path) {
  size_t slash = path.rfind('/');
  if (slash == std::string::npos)
    return ".";
  return slash == 0 ? "/" : path.substr(0, slash);
}

/// A name beside `path` that no other writer uses: process and counter keep
/// them apart, and a leftover of a killed process with the same id is nobody's.
std::string temporaryName(const std::string &path) {
  static std::atomic<unsigned> counter{0};
  return absl::StrCat(path, ".", getpid(), ".", counter++, ".tmp");
}

absl::Status writeAll(int fd, const char *next, size_t bytes,
                      const std::string &path) {
  while (bytes != 0) {
    // Linux writes at most about 2 GiB a call; smaller pieces also notice a
    // full disk soon.
    size_t piece = std::min<size_t>(bytes, 64u << 20);
    ssize_t written = write(fd, next, piece);
    if (written < 0 && errno == EINTR)
      continue;
    if (written < 0)
      return fileError(errno, "write", path);
    next += written;
    bytes -= static_cast<size_t>(written);
  }
  return absl::OkStatus();
}

/// A destination that a rename may replace: absent, or a regular file.
absl::Status checkReplaceable(const std::string &path) {
  struct stat info;
  if (stat(path.c_str(), &info) != 0)
    return errno == ENOENT ? absl::OkStatus() : fileError(errno, "write", path);
  if (S_ISDIR(info.st_mode))
    return fileError(EISDIR, "write", path);
  if (!S_ISREG(info.st_mode))
    return absl::UnknownError(
        absl::StrCat("cannot write ", path,
                     ": not a regular file; HINT: name a file on disk"));
  return absl::OkStatus();
}

} // namespace

absl::StatusOr<std::unique_ptr<AtomicFile>>
AtomicFile::create(absl::string_view path) {
  std::string destination(path);
  if (destination.empty() || destination.back() == '/')
    return fileError(destination.empty() ? ENOENT : EISDIR, "write", path);
  absl::Status replaceable = checkReplaceable(destination);
  if (!replaceable.ok())
    return replaceable;
  // Keeps a symbolic link and replaces what it points to.
  if (char *resolved = realpath(destination.c_str(), nullptr)) {
    destination = resolved;
    free(resolved);
  }
  std::unique_ptr<AtomicFile> file(new AtomicFile(std::move(destination)));
  absl::Status opened = file->openTemporary();
  if (!opened.ok())
    return opened;
  return file;
}

absl::Status AtomicFile::openTemporary() {
  buffer.reserve(kBufferBytes);
  std::string folder = folderOf(path);
  fd = open(folder.c_str(), O_TMPFILE | O_WRONLY | O_CLOEXEC, 0666);
  if (fd >= 0)
    return absl::OkStatus();
  // Not every file system has unnamed files, and kernels differ in how they say
  // so; any real trouble with the folder shows again in what follows.
  temporary = temporaryName(path);
  unlink(temporary.c_str());
  fd = open(temporary.c_str(), O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0666);
  if (fd < 0) {
    temporary.clear();
    return fileError(errno, "write", path);
  }
  return absl::OkStatus();
}

AtomicFile::~AtomicFile() {
  if (fd >= 0)
    close(fd);
  if (!temporary.empty())
    unlink(temporary.c_str());
}

absl::Status AtomicFile::append(const void *data, size_t bytes) {
  const char *begin = static_cast<const char *>(data);
  if (bytes <= kBufferBytes - buffer.size()) {
    buffer.insert(buffer.end(), begin, begin + bytes);
    return absl::OkStatus();
  }
  absl::Status flushed = flush();
  if (!flushed.ok())
    return flushed;
  return writeAll(fd, begin, bytes, path);
}

absl::Status AtomicFile::flush() {
  absl::Status written = writeAll(fd, buffer.data(), buffer.size(), path);
  buffer.clear();
  return written;
}

absl::Status AtomicFile::giveName() {
  std::string source = absl::StrCat("/proc/self/fd/", fd);
  std::string link = temporaryName(path);
  unlink(link.c_str());
  if (linkat(AT_FDCWD, source.c_str(), AT_FDCWD, link.c_str(),
             AT_SYMLINK_FOLLOW) != 0)
    return fileError(errno, "write", path);
  temporary = link;
  return absl::OkStatus();
}

absl::Status AtomicFile::commit() {
  absl::Status flushed = flush();
  if (!flushed.ok())
    return flushed;
  if (fsync(fd) != 0)
    return fileError(errno, "write", path);
  if (temporary.empty()) {
    absl::Status named = giveName();
    if (!named.ok())
      return named;
  }
  if (rename(temporary.c_str(), path.c_str()) != 0)
    return fileError(errno, "rename onto", path);
  temporary.clear();
  int closed = close(fd);
  fd = -1;
  if (closed != 0)
    return fileError(errno, "close", path);
  // The rename itself must reach the disk; a folder that cannot be opened or
  // synced (some network file systems) does not make the file less whole.
  int folder = open(folderOf(path).c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (folder >= 0) {
    fsync(folder);
    close(folder);
  }
  return absl::OkStatus();
}

absl::Status writeFileAtomically(absl::string_view path,
                                 absl::string_view bytes) {
  absl::StatusOr<std::unique_ptr<AtomicFile>> file = AtomicFile::create(path);
  if (!file.ok())
    return file.status();
  absl::Status appended = (*file)->append(bytes.data(), bytes.size());
  if (!appended.ok())
    return appended;
  return (*file)->commit();
}

} // namespace t6
