//===- ZipWriter.h - Zips of stored, aligned entries ------------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Writes zip files of stored, aligned entries.
//
//===----------------------------------------------------------------------===//

#ifndef TPA_COMPILER_ARTIFACT_ZIPWRITER_H
#define TPA_COMPILER_ARTIFACT_ZIPWRITER_H

#include "llvm/ADT/StringRef.h"
#include <cstdint>
#include <string>

namespace tpa {

/// Entries are stored, not compressed, and their data starts at multiples of 64
/// bytes, so that a reader may map them. At most 4 GiB (no Zip64).
class ZipWriter {
public:
  static constexpr size_t alignment = 64;

  void add(llvm::StringRef name, llvm::StringRef contents);
  /// The archive; nothing may be added afterwards.
  std::string finish();

private:
  std::string archive, directory;
  uint16_t entries = 0;
};

} // namespace tpa

#endif // TPA_COMPILER_ARTIFACT_ZIPWRITER_H
