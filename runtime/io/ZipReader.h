//===- ZipReader.h - Stored entries of a zip in memory ----------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A zip as PyTorch writes it: entries stored, none compressed. That a
// compressed entry is refused is what keeps every size below the file's own.
//
//===----------------------------------------------------------------------===//

#ifndef T6_RUNTIME_IO_ZIPREADER_H
#define T6_RUNTIME_IO_ZIPREADER_H

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

struct zip;

namespace t6 {

/// Bytes on the heap; an allocation that fails is a status, not an abort.
struct OwnedBytes {
  std::unique_ptr<uint8_t[]> data;
  size_t size = 0;

  /// Makes room for `bytes`, uninitialised; keeps nothing of the old contents.
  absl::Status resize(size_t bytes);
  absl::Span<const uint8_t> span() const { return {data.get(), size}; }
};

class ZipReader {
public:
  /// `bytes` must outlive the reader; `label` opens messages.
  static absl::StatusOr<std::unique_ptr<ZipReader>>
  open(absl::Span<const uint8_t> bytes, absl::string_view label);

  ZipReader(const ZipReader &) = delete;
  ZipReader &operator=(const ZipReader &) = delete;
  ~ZipReader();

  /// Bytes of the whole file.
  uint64_t fileSize() const { return fileBytes; }

  /// All entries' names, in the order of the central directory.
  absl::Span<const std::string> names() const { return entryNames; }

  /// Index into names(), or -1. A name that is there twice is found nowhere.
  int64_t find(absl::string_view name) const;

  /// The size of a stored, unencrypted entry; an error for any other.
  absl::StatusOr<uint64_t> entrySize(uint64_t index) const;

  /// The entry's bytes, checked against its CRC.
  absl::Status read(uint64_t index, OwnedBytes &out) const;

private:
  ZipReader(std::string label, uint64_t fileBytes)
      : label(std::move(label)), fileBytes(fileBytes) {}
  absl::Status fail(uint64_t index, absl::string_view what) const;

  std::string label;
  uint64_t fileBytes;
  struct zip *archive = nullptr;
  std::vector<std::string> entryNames;
  /// Indices into entryNames, by name.
  std::vector<uint64_t> byName;
};

} // namespace t6

#endif // T6_RUNTIME_IO_ZIPREADER_H
