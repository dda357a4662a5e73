//===- ZipWriter.cpp - Zips of stored, aligned entries --------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Writes zip files of stored, aligned entries (PKWARE APPNOTE 6.3, 4.3).
//
//===----------------------------------------------------------------------===//

#include "compiler/artifact/ZipWriter.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/CRC.h"
#include "llvm/Support/Endian.h"
#include "llvm/Support/MathExtras.h"

namespace tpa {

static void put16(std::string &out, uint16_t value) {
  char bytes[2];
  llvm::support::endian::write16le(bytes, value);
  out.append(bytes, 2);
}

static void put32(std::string &out, uint32_t value) {
  char bytes[4];
  llvm::support::endian::write32le(bytes, value);
  out.append(bytes, 4);
}

/// What local header and directory entry share, from "version needed" on.
static void putCommon(std::string &out, uint32_t crc, uint32_t size,
                      uint16_t nameSize, uint16_t extraSize) {
  put16(out, 10);   // version 1.0 suffices: stored entries
  put16(out, 0);    // flags
  put16(out, 0);    // method: stored
  put16(out, 0);    // time 00:00, so that equal inputs give equal files
  put16(out, 0x21); // date 1980-01-01
  put32(out, crc);
  put32(out, size);
  put32(out, size);
  put16(out, nameSize);
  put16(out, extraSize);
}

void ZipWriter::add(llvm::StringRef name, llvm::StringRef contents) {
  static constexpr size_t headerSize = 30, extraHeader = 4;
  size_t offset = archive.size();
  size_t start = offset + headerSize + name.size() + extraHeader;
  uint16_t padding = llvm::alignTo(start, alignment) - start;
  uint32_t crc = llvm::crc32(llvm::arrayRefFromStringRef(contents));

  put32(archive, 0x04034b50);
  putCommon(archive, crc, contents.size(), name.size(), extraHeader + padding);
  archive += name;
  put16(archive, 0xd935); // the extra field that Android's zipalign pads with
  put16(archive, padding);
  archive.append(padding, '\0');
  archive += contents;

  put32(directory, 0x02014b50);
  put16(directory, 10); // made by: version 1.0, no attributes
  putCommon(directory, crc, contents.size(), name.size(), 0);
  put16(directory, 0); // comment
  put16(directory, 0); // disk
  put16(directory, 0); // internal attributes
  put32(directory, 0); // external attributes
  put32(directory, offset);
  directory += name;
  ++entries;
}

std::string ZipWriter::finish() {
  uint32_t offset = archive.size();
  archive += directory;
  put32(archive, 0x06054b50);
  put16(archive, 0);
  put16(archive, 0);
  put16(archive, entries);
  put16(archive, entries);
  put32(archive, directory.size());
  put32(archive, offset);
  put16(archive, 0);
  return std::move(archive);
}

} // namespace tpa
