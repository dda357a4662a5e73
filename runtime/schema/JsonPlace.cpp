//===- JsonPlace.cpp - Checked access to untrusted JSON -------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "runtime/schema/JsonPlace.h"

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"

#include <limits>

namespace t6 {

using nlohmann::json;

static constexpr size_t kMaxStringBytes = 1024;

static const json &nullJson() {
  static const json value;
  return value;
}

static const json &emptyObject() {
  static const json value = json::object();
  return value;
}

void JsonErrors::fail(absl::string_view message) {
  if (first.ok())
    first = absl::DataLossError(
        absl::StrCat(document, ": ", message,
                     ". HINT: the file is damaged or was written by something "
                     "else; compile it again with tpa-opt"));
}

JsonPlace JsonPlace::operator[](const char *key) const {
  const json *member = &nullJson();
  if (value->is_object()) {
    auto found = value->find(key);
    if (found != value->end())
      member = &*found;
  }
  return JsonPlace(member, this, key, 0);
}

JsonPlace JsonPlace::operator[](size_t index) const {
  const json *element = &nullJson();
  if (value->is_array() && index < value->size())
    element = &(*value)[index];
  return JsonPlace(element, this, nullptr, index);
}

bool JsonPlace::has(const char *key) const {
  return value->is_object() && value->contains(key);
}

size_t JsonPlace::arraySize(size_t most) const {
  if (!value->is_array()) {
    fail(value->is_null() ? "is missing" : "is not a list");
    return 0;
  }
  if (value->size() > most) {
    fail(absl::StrCat("has ", value->size(), " elements, more than ", most));
    return 0;
  }
  return value->size();
}

int64_t JsonPlace::integer(int64_t low, int64_t high) const {
  if (!value->is_number_integer()) {
    fail(value->is_null() ? "is missing" : "is not an integer");
    return low;
  }
  if (value->is_number_unsigned() &&
      value->get<uint64_t>() > uint64_t(std::numeric_limits<int64_t>::max())) {
    fail(absl::StrCat("is ", value->get<uint64_t>(), ", not in [", low, ", ",
                      high, "]"));
    return low;
  }
  int64_t result = value->get<int64_t>();
  if (result < low || result > high) {
    fail(absl::StrCat("is ", result, ", not in [", low, ", ", high, "]"));
    return low;
  }
  return result;
}

double JsonPlace::number(double low, double high) const {
  if (!value->is_number()) {
    fail(value->is_null() ? "is missing" : "is not a number");
    return low;
  }
  double result = value->get<double>();
  if (!(result >= low && result <= high)) {
    fail(absl::StrCat("is ", result, ", not in [", low, ", ", high, "]"));
    return low;
  }
  return result;
}

std::string JsonPlace::string() const {
  const std::string *text = value->get_ptr<const std::string *>();
  if (!text) {
    fail(value->is_null() ? "is missing" : "is not a string");
    return "";
  }
  if (text->size() > kMaxStringBytes) {
    fail(absl::StrCat("is longer than ", kMaxStringBytes, " bytes"));
    return "";
  }
  // Names end up in messages on a terminal and in C strings.
  for (unsigned char c : *text)
    if (c < 0x20 || c == 0x7f) {
      fail("has a control character in it");
      return "";
    }
  return *text;
}

std::string JsonPlace::name() const {
  std::string text = string();
  if (text.empty())
    fail("is empty");
  return text;
}

const json &JsonPlace::object() const {
  if (value->is_object())
    return *value;
  fail(value->is_null() ? "is missing" : "is not an object");
  return emptyObject();
}

void JsonPlace::fail(absl::string_view message) const {
  if (ok())
    errors->fail(absl::StrCat(path(), " ", message));
}

std::string JsonPlace::path() const {
  if (!parent)
    return "the document";
  std::string prefix = parent->parent ? parent->path() : "";
  if (!key)
    return absl::StrCat(prefix, "[", index, "]");
  std::string member = absl::Utf8SafeCEscape(key);
  return prefix.empty() ? member : absl::StrCat(prefix, ".", member);
}

} // namespace t6
