//===- JsonPlace.h - Checked access to untrusted JSON -----------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A JSON value that knows where in its document it is, so that a reader can be
// written straight through and the first thing wrong is said with its place.
// After an error every access returns a harmless default.
//
//===----------------------------------------------------------------------===//

#ifndef T6_RUNTIME_SCHEMA_JSONPLACE_H
#define T6_RUNTIME_SCHEMA_JSONPLACE_H

#include "absl/status/status.h"
#include "absl/strings/string_view.h"

#include <nlohmann/json.hpp>

#include <cstdint>
#include <string>

namespace t6 {

/// Keeps the first error of a document called `document` ("program.json").
class JsonErrors {
public:
  explicit JsonErrors(std::string document) : document(std::move(document)) {}
  bool ok() const { return first.ok(); }
  const absl::Status &status() const { return first; }
  /// Records "document: message" with the hint of a damaged file.
  void fail(absl::string_view message);

private:
  std::string document;
  absl::Status first;
};

/// One value of a document. Cheap: the path is spelled only for an error. A
/// place refers to its parent, so it must not outlive it.
class JsonPlace {
public:
  JsonPlace(const nlohmann::json &root, JsonErrors &errors)
      : value(&root), errors(&errors) {}

  /// The member `key` of this object; a missing one fails when it is read.
  JsonPlace operator[](const char *key) const;
  /// The element `index` of this array.
  JsonPlace operator[](size_t index) const;
  bool has(const char *key) const;
  bool isString() const { return value->is_string(); }

  /// The number of elements, at most `most`; fails unless this is an array.
  size_t arraySize(size_t most) const;
  /// An integer in [low, high].
  int64_t integer(int64_t low, int64_t high) const;
  /// A number in [low, high], an integer included.
  double number(double low, double high) const;
  /// Text without control characters, at most 1024 bytes.
  std::string string() const;
  /// As string(), and not empty.
  std::string name() const;
  /// The object itself, or an empty one after a failure.
  const nlohmann::json &object() const;

  /// Fails with "<path> <message>".
  void fail(absl::string_view message) const;
  bool ok() const { return errors->ok(); }
  std::string path() const;

private:
  JsonPlace(const nlohmann::json *value, const JsonPlace *parent,
            const char *key, size_t index)
      : value(value), errors(parent->errors), parent(parent), key(key),
        index(index) {}

  const nlohmann::json *value;
  JsonErrors *errors;
  const JsonPlace *parent = nullptr;
  const char *key = nullptr; ///< Null for an array element.
  size_t index = 0;
};

} // namespace t6

#endif // T6_RUNTIME_SCHEMA_JSONPLACE_H
