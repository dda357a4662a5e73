//===- TestSupport.h - Files made in tests ----------------------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Builders of valid and broken inputs for the tests of this folder.
//
//===----------------------------------------------------------------------===//

#ifndef T6_RUNTIME_IO_TESTSUPPORT_H
#define T6_RUNTIME_IO_TESTSUPPORT_H

#include "absl/status/status.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "gmock/gmock.h"

#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <dirent.h>
#include <fstream>
#include <initializer_list>
#include <iterator>
#include <string>
#include <unistd.h>
#include <utility>
#include <vector>
#include <zip.h>

namespace t6 {
namespace testing {

/// A folder that goes away with the object, with all files in it.
class TemporaryFolder {
public:
  TemporaryFolder() {
    path = absl::StrCat(::testing::TempDir(), "/t6_XXXXXX");
    if (!mkdtemp(&path[0]))
      abort();
  }
  ~TemporaryFolder() {
    for (const std::string &name : list())
      unlink(file(name).c_str());
    rmdir(path.c_str());
  }

  std::string file(absl::string_view name) const {
    return absl::StrCat(path, "/", name);
  }
  std::string write(absl::string_view name, absl::string_view bytes) const {
    std::ofstream(file(name), std::ios::binary) << bytes;
    return file(name);
  }
  std::vector<std::string> list() const {
    std::vector<std::string> names;
    DIR *folder = opendir(path.c_str());
    while (const dirent *entry = readdir(folder))
      if (entry->d_name[0] != '.')
        names.push_back(entry->d_name);
    closedir(folder);
    return names;
  }

  std::string path;
};

inline std::string readFile(const std::string &path) {
  std::ifstream file(path, std::ios::binary);
  return std::string(std::istreambuf_iterator<char>(file), {});
}

inline absl::Span<const uint8_t> asBytes(absl::string_view text) {
  return {reinterpret_cast<const uint8_t *>(text.data()), text.size()};
}

/// The bytes of `values`, as they lie in memory.
template <typename T> std::string bytesOf(std::initializer_list<T> values) {
  return std::string(reinterpret_cast<const char *>(values.begin()),
                     values.size() * sizeof(T));
}

/// `value` as `count` little-endian bytes.
inline std::string littleEndian(uint64_t value, size_t count) {
  return std::string(reinterpret_cast<const char *>(&value), count);
}

/// A safetensors file of this header, right or wrong, and data.
inline std::string safetensors(absl::string_view header,
                               absl::string_view data = "") {
  return absl::StrCat(littleEndian(header.size(), 8), header, data);
}

/// A status with this code whose message has all of `parts`.
::testing::AssertionResult inline isError(
    const absl::Status &status, absl::StatusCode code,
    std::initializer_list<absl::string_view> parts) {
  if (status.code() != code)
    return ::testing::AssertionFailure() << "the status is " << status;
  for (absl::string_view part : parts)
    if (!absl::StrContains(status.message(), part))
      return ::testing::AssertionFailure()
             << "no \"" << part << "\" in: " << status.message();
  return ::testing::AssertionSuccess();
}

/// Opcodes of pickle protocol 2, by hand.
namespace pickle {

inline std::string utf8(absl::string_view text) {
  return absl::StrCat("X", littleEndian(text.size(), 4), text);
}
inline std::string integer(int32_t value) {
  return absl::StrCat("J", littleEndian(static_cast<uint32_t>(value), 4));
}
inline std::string long1(int64_t value) {
  return absl::StrCat("\x8a\x08", littleEndian(value, 8));
}
inline std::string global(absl::string_view module, absl::string_view name) {
  return absl::StrCat("c", module, "\n", name, "\n");
}
inline std::string tuple(std::initializer_list<std::string> items) {
  std::string text = "(";
  for (const std::string &item : items)
    text += item;
  return text + "t";
}
inline std::string integers(std::initializer_list<int64_t> values) {
  std::string text = "(";
  for (int64_t value : values)
    text += long1(value);
  return text + "t";
}
inline std::string emptyOrderedDict() {
  return global("collections", "OrderedDict") + ")R";
}
inline std::string storage(absl::string_view type, absl::string_view key,
                           int64_t elements) {
  return tuple({utf8("storage"), global("torch", type), utf8(key), utf8("cpu"),
                long1(elements)}) +
         "Q";
}
inline std::string tensor(const std::string &storage, int64_t offset,
                          std::initializer_list<int64_t> shape,
                          std::initializer_list<int64_t> strides) {
  return global("torch._utils", "_rebuild_tensor_v2") +
         tuple({storage, long1(offset), integers(shape), integers(strides),
                "\x89", emptyOrderedDict()}) +
         "R";
}
/// {name: value, ...}
inline std::string
dict(std::initializer_list<std::pair<absl::string_view, std::string>> items) {
  std::string text = "}(";
  for (const auto &[name, value] : items)
    text += utf8(name) + value;
  return text + "u";
}
/// The opcodes between PROTO 2 and STOP.
inline std::string program(absl::string_view body) {
  return absl::StrCat("\x80\x02", body, ".");
}

} // namespace pickle

/// A zip of these entries, stored unless `compressed`.
inline std::string
zipOf(const std::vector<std::pair<std::string, std::string>> &entries,
      bool compressed = false) {
  zip_source_t *sink = zip_source_buffer_create(nullptr, 0, 0, nullptr);
  zip_source_keep(sink);
  zip_t *archive = zip_open_from_source(sink, ZIP_TRUNCATE, nullptr);
  for (const auto &[name, bytes] : entries) {
    zip_source_t *source =
        zip_source_buffer(archive, bytes.data(), bytes.size(), 0);
    zip_int64_t index = zip_file_add(archive, name.c_str(), source, 0);
    zip_set_file_compression(archive, index,
                             compressed ? ZIP_CM_DEFLATE : ZIP_CM_STORE, 0);
  }
  zip_close(archive);
  zip_source_open(sink);
  zip_source_seek(sink, 0, SEEK_END);
  std::string result(static_cast<size_t>(zip_source_tell(sink)), '\0');
  zip_source_seek(sink, 0, SEEK_SET);
  zip_source_read(sink, &result[0], result.size());
  zip_source_close(sink);
  zip_source_free(sink);
  return result;
}

} // namespace testing
} // namespace t6

#endif // T6_RUNTIME_IO_TESTSUPPORT_H
