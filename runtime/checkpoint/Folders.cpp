//===- Folders.cpp - Folders that change whole or not at all --------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "runtime/checkpoint/Folders.h"

#include "absl/strings/str_cat.h"
#include "runtime/io/MappedFile.h"

#include <cerrno>
#include <cstdio>
#include <fcntl.h>
#include <filesystem>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <system_error>
#include <unistd.h>
#include <utility>

namespace t6 {
namespace {

namespace fs = std::filesystem;

absl::Status statusOf(const std::error_code &error, absl::string_view action,
                      const std::string &path) {
  return error ? fileError(error.value(), action, path) : absl::OkStatus();
}

std::string parentOf(const std::string &path) {
  std::string parent = fs::path(path).parent_path().string();
  return parent.empty() ? "." : parent;
}

} // namespace

std::string withoutSlash(absl::string_view path) {
  while (path.size() > 1 && path.back() == '/')
    path.remove_suffix(1);
  return std::string(path);
}

absl::Status makeFolders(const std::string &path) {
  std::error_code error;
  if (fs::is_directory(path, error))
    return absl::OkStatus();
  std::string parent = parentOf(path);
  if (parent != path) {
    absl::Status made = makeFolders(parent);
    if (!made.ok())
      return made;
  }
  fs::create_directory(path, error);
  if (error)
    return statusOf(error, "make the folder", path);
  return syncFolder(parent);
}

absl::Status syncFolder(const std::string &path) {
  int folder = open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (folder < 0)
    return fileError(errno, "open", path);
  int error = fsync(folder) == 0 ? 0 : errno;
  close(folder);
  // Some network file systems have no fsync of folders.
  if (error == 0 || error == EINVAL || error == ENOTSUP)
    return absl::OkStatus();
  return fileError(error, "write", path);
}

absl::Status removeFolder(const std::string &path) {
  std::error_code error;
  fs::remove_all(path, error);
  return statusOf(error, "remove", path);
}

absl::StatusOr<std::vector<std::string>> listFolder(const std::string &path) {
  std::error_code error;
  std::vector<std::string> names;
  fs::directory_iterator entry(path, error), end;
  for (; !error && entry != end; entry.increment(error))
    names.push_back(entry->path().filename().string());
  if (error)
    return statusOf(error, "list", path);
  return names;
}

absl::Status replaceFolder(const std::string &from, const std::string &to) {
  if (rename(from.c_str(), to.c_str()) == 0)
    return syncFolder(parentOf(to));
  if (errno != ENOTEMPTY && errno != EEXIST)
    return fileError(errno, "rename onto", to);
  if (renameat2(AT_FDCWD, from.c_str(), AT_FDCWD, to.c_str(),
                RENAME_EXCHANGE) != 0) {
    if (errno != EINVAL && errno != ENOSYS)
      return fileError(errno, "rename onto", to);
    return absl::UnknownError(absl::StrCat(
        "cannot replace ", to,
        ": this file system cannot exchange two folders; HINT: move the old "
        "one away, or train on a local disk"));
  }
  absl::Status synced = syncFolder(parentOf(to));
  return synced.ok() ? removeFolder(from) : synced;
}

absl::Status replaceLink(const std::string &folder, absl::string_view name,
                         const std::string &target) {
  std::string link = absl::StrCat(folder, "/", name);
  std::string temporary = absl::StrCat(folder, "/.", name, ".tmp");
  unlink(temporary.c_str());
  if (symlink(target.c_str(), temporary.c_str()) != 0)
    return fileError(errno, "make the link", link);
  if (rename(temporary.c_str(), link.c_str()) != 0) {
    int error = errno;
    unlink(temporary.c_str());
    return fileError(error, "replace the link", link);
  }
  return syncFolder(folder);
}

absl::StatusOr<std::string> readLink(const std::string &path) {
  std::error_code error;
  std::string target = fs::read_symlink(path, error).string();
  // EINVAL: it is something other than a link.
  if (error && error.value() != ENOENT && error.value() != EINVAL)
    return statusOf(error, "read the link", path);
  return error ? std::string() : target;
}

uint64_t freeBytes(const std::string &path) {
  struct statvfs info;
  if (statvfs(path.c_str(), &info) != 0)
    return 0;
  return uint64_t{info.f_bavail} * info.f_frsize;
}

FolderLock::FolderLock(FolderLock &&other) : fd(std::exchange(other.fd, -1)) {}

FolderLock &FolderLock::operator=(FolderLock &&other) {
  std::swap(fd, other.fd);
  return *this;
}

FolderLock::~FolderLock() {
  if (fd >= 0)
    close(fd);
}

absl::StatusOr<FolderLock> FolderLock::acquire(const std::string &folder) {
  // A file, for network file systems lock nothing that is not open for writing.
  std::string path = absl::StrCat(folder, "/.lock");
  FolderLock lock;
  lock.fd = open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0666);
  if (lock.fd < 0)
    return fileError(errno, "write", path);
  if (flock(lock.fd, LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK)
    return absl::FailedPreconditionError(
        absl::StrCat(folder, ": another process saves into this folder; HINT: "
                             "end it, or choose another folder"));
  return lock;
}

} // namespace t6
