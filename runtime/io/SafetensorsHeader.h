//===- SafetensorsHeader.h - The JSON header of .safetensors ----*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The header's text to and from structs. Knows nothing of the bytes that follow
// the header: Safetensors.cpp checks offsets against them.
//
//===----------------------------------------------------------------------===//

#ifndef T6_RUNTIME_IO_SAFETENSORSHEADER_H
#define T6_RUNTIME_IO_SAFETENSORSHEADER_H

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "runtime/io/Safetensors.h"

#include <string>
#include <vector>

namespace t6 {

/// One tensor of the header; [begin, end) in bytes after the header.
struct SafetensorsEntry {
  TensorSpec spec;
  uint64_t begin = 0;
  uint64_t end = 0;
};

struct SafetensorsHeader {
  /// In the order of the text.
  std::vector<SafetensorsEntry> entries;
  SafetensorsMetadata metadata;
};

/// Reads the JSON strictly: every member known and present once, keys unique at
/// every level, shapes and offsets non-negative integers. Errors say what and
/// where in the header; the caller adds the file.
absl::StatusOr<SafetensorsHeader>
parseSafetensorsHeader(absl::string_view json);

/// The inverse, unpadded. Names and metadata must be UTF-8.
std::string printSafetensorsHeader(const SafetensorsHeader &header);

} // namespace t6

#endif // T6_RUNTIME_IO_SAFETENSORSHEADER_H
