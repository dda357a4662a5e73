//===- AtomicFile.h - Files that appear whole or not at all -----*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Output that is written beside its destination and renamed onto it.
//
//===----------------------------------------------------------------------===//

#ifndef T6_RUNTIME_IO_ATOMICFILE_H
#define T6_RUNTIME_IO_ATOMICFILE_H

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"

#include <cstddef>
#include <memory>
#include <string>
#include <vector>

namespace t6 {

/// A file under construction. Until commit() succeeds the destination is as it
/// was, and when the object dies uncommitted nothing stays behind; where the
/// file system has unnamed files, not even after a kill signal. A program that
/// wants an error and not a signal under `ulimit -f` ignores SIGXFSZ.
class AtomicFile {
public:
  /// `path` may exist (it will be replaced; through a symbolic link, the file
  /// that it points to) but must not be a folder or a device.
  static absl::StatusOr<std::unique_ptr<AtomicFile>>
  create(absl::string_view path);

  AtomicFile(const AtomicFile &) = delete;
  AtomicFile &operator=(const AtomicFile &) = delete;
  ~AtomicFile();

  absl::Status append(const void *data, size_t bytes);

  /// Flushes to the disk and renames. Nothing may be appended afterwards.
  absl::Status commit();

private:
  AtomicFile(std::string path) : path(std::move(path)) {}
  absl::Status openTemporary();
  absl::Status flush();
  absl::Status giveName();

  static constexpr size_t kBufferBytes = 1 << 16;

  std::string path;
  /// Empty while the file has no name yet.
  std::string temporary;
  std::vector<char> buffer;
  int fd = -1;
};

/// Creates, appends `bytes` and commits.
absl::Status writeFileAtomically(absl::string_view path,
                                 absl::string_view bytes);

} // namespace t6

#endif // T6_RUNTIME_IO_ATOMICFILE_H
