//===- Folders.h - Folders that change whole or not at all ------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The few operations on folders and links that the checkpoints of a run need.
// Private to this library; what holds after a crash is said at each.
//
//===----------------------------------------------------------------------===//

#ifndef T6_RUNTIME_CHECKPOINT_FOLDERS_H
#define T6_RUNTIME_CHECKPOINT_FOLDERS_H

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

#include <cstdint>
#include <string>
#include <vector>

namespace t6 {

/// `path` without slashes at its end.
std::string withoutSlash(absl::string_view path);

/// Makes `path` and the folders above it, each of them on the disk on return.
absl::Status makeFolders(const std::string &path);

/// Writes a folder's list of names to the disk. A file system that cannot is no
/// error.
absl::Status syncFolder(const std::string &path);

/// Deletes a folder and what is in it; one that is not there is no error. A
/// crash leaves part of it, so give it a name that nobody reads first.
absl::Status removeFolder(const std::string &path);

/// Names of the entries, in no order.
absl::StatusOr<std::vector<std::string>> listFolder(const std::string &path);

/// Gives the folder `from` the name `to`; a folder that had it is replaced in
/// one step and deleted.
absl::Status replaceFolder(const std::string &from, const std::string &to);

/// Makes `folder`/`name` a symbolic link to `target`, replacing a link in one
/// step.
absl::Status replaceLink(const std::string &folder, absl::string_view name,
                         const std::string &target);

/// What the link says, or "" if there is no such entry or it is no link.
absl::StatusOr<std::string> readLink(const std::string &path);

/// Bytes that this user may still write where `path` is; 0 if unknown.
uint64_t freeBytes(const std::string &path);

/// A folder that one process at a time works in.
class FolderLock {
public:
  FolderLock() = default;
  FolderLock(FolderLock &&other);
  FolderLock &operator=(FolderLock &&other);
  ~FolderLock();

  /// FailedPrecondition if another process holds it. A file system without
  /// locks gives one that excludes nobody.
  static absl::StatusOr<FolderLock> acquire(const std::string &folder);

private:
  int fd = -1;
};

} // namespace t6

#endif // T6_RUNTIME_CHECKPOINT_FOLDERS_H
