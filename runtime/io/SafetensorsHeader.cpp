//===- SafetensorsHeader.cpp - The JSON header of .safetensors ------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "runtime/io/SafetensorsHeader.h"

#include "absl/container/flat_hash_set.h"
#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "nlohmann/json.hpp"
#include "runtime/io/Names.h"

#include <limits>
#include <utility>

namespace t6 {
namespace {

using Json = nlohmann::json;

/// Receives the events of the JSON parser. A tree would have forgotten that a
/// key came twice; events have not, and nothing is stored that is not wanted.
class HeaderReader final : public nlohmann::json_sax<Json> {
public:
  SafetensorsHeader header;
  std::string error;

  bool null() override { return unexpected("null"); }
  bool boolean(bool) override { return unexpected("a boolean"); }
  bool number_integer(number_integer_t) override {
    return unexpected("a negative number");
  }
  bool number_float(number_float_t, const string_t &) override {
    return unexpected("a number that is not a 64-bit integer");
  }
  bool binary(binary_t &) override { return unexpected("binary data"); }
  bool number_unsigned(number_unsigned_t value) override;
  bool string(string_t &value) override;
  bool start_object(size_t) override;
  bool key(string_t &value) override;
  bool end_object() override;
  bool start_array(size_t) override;
  bool end_array() override;
  bool parse_error(size_t position, const std::string &,
                   const nlohmann::detail::exception &) override {
    return fail(
        absl::StrCat("the header is not valid JSON at byte ", position));
  }

private:
  enum class Place { Start, Top, Metadata, Tensor, Shape, Offsets, End };
  enum Member : unsigned {
    DTypeMember = 1,
    ShapeMember = 2,
    OffsetsMember = 4
  };

  SafetensorsEntry &tensor() { return header.entries.back(); }
  bool fail(std::string message);
  bool unexpected(absl::string_view what);
  bool tensorKey(const string_t &value);

  Place place = Place::Start;
  /// The last key at the present level.
  std::string lastKey;
  /// Members of the present tensor that have been seen.
  unsigned seen = 0;
  size_t offsetsSeen = 0;
  bool metadataSeen = false;
  absl::flat_hash_set<std::string> tensorNames;
};

bool HeaderReader::fail(std::string message) {
  error = std::move(message);
  return false;
}

bool HeaderReader::unexpected(absl::string_view what) {
  switch (place) {
  case Place::Start:
  case Place::End:
    return fail(absl::StrCat("the header is ", what, ", not an object"));
  case Place::Top:
    return fail(absl::StrCat("tensor ", quoteName(lastKey), " is ", what,
                             ", not an object"));
  case Place::Metadata:
    return fail(absl::StrCat("__metadata__ ", quoteName(lastKey), " is ", what,
                             ", not a string"));
  case Place::Tensor:
  case Place::Shape:
  case Place::Offsets:
    break;
  }
  return fail(absl::StrCat("tensor ", quoteName(tensor().spec.name), " has ",
                           what, " in its ", lastKey));
}

bool HeaderReader::number_unsigned(number_unsigned_t value) {
  if (place == Place::Shape) {
    if (value > static_cast<uint64_t>(std::numeric_limits<int64_t>::max()))
      return unexpected("a number too large");
    tensor().spec.shape.push_back(static_cast<int64_t>(value));
    return true;
  }
  if (place != Place::Offsets)
    return unexpected("a number");
  if (offsetsSeen == 2)
    return unexpected("more than two numbers");
  (offsetsSeen++ == 0 ? tensor().begin : tensor().end) = value;
  return true;
}

bool HeaderReader::string(string_t &value) {
  if (place == Place::Metadata) {
    header.metadata[lastKey] = std::move(value);
    return true;
  }
  if (place != Place::Tensor || lastKey != "dtype")
    return unexpected("a string");
  absl::StatusOr<DType> dtype = parseDType(value);
  // The format spells types in capitals; parseDType is for people too.
  if (!dtype.ok() || name(*dtype) != value)
    return fail(absl::StrCat("tensor ", quoteName(tensor().spec.name),
                             " has the unknown dtype ", quoteName(value)));
  tensor().spec.dtype = *dtype;
  return true;
}

bool HeaderReader::start_object(size_t) {
  if (place == Place::Start) {
    place = Place::Top;
    return true;
  }
  if (place != Place::Top)
    return unexpected("an object");
  if (lastKey == "__metadata__") {
    place = Place::Metadata;
    return true;
  }
  place = Place::Tensor;
  header.entries.emplace_back();
  tensor().spec.name = lastKey;
  seen = 0;
  return true;
}

bool HeaderReader::key(string_t &value) {
  if (place == Place::Tensor)
    return tensorKey(value);
  if (place == Place::Metadata) {
    if (header.metadata.count(value))
      return fail(absl::StrCat("__metadata__ has the key ", quoteName(value),
                               " more than once"));
  } else if (value == "__metadata__" ? std::exchange(metadataSeen, true)
                                     : !tensorNames.insert(value).second) {
    return fail(absl::StrCat("the key ", quoteName(value),
                             " is in the header more than once"));
  }
  lastKey = std::move(value);
  return true;
}

bool HeaderReader::tensorKey(const string_t &value) {
  unsigned member = value == "dtype"          ? DTypeMember
                    : value == "shape"        ? ShapeMember
                    : value == "data_offsets" ? OffsetsMember
                                              : 0u;
  if (member == 0)
    return fail(absl::StrCat("tensor ", quoteName(tensor().spec.name),
                             " has the unknown member ", quoteName(value)));
  if (seen & member)
    return fail(absl::StrCat("tensor ", quoteName(tensor().spec.name), " has ",
                             value, " more than once"));
  seen |= member;
  lastKey = value;
  return true;
}

bool HeaderReader::end_object() {
  if (place == Place::Tensor) {
    absl::string_view missing = !(seen & DTypeMember)     ? "dtype"
                                : !(seen & ShapeMember)   ? "shape"
                                : !(seen & OffsetsMember) ? "data_offsets"
                                                          : "";
    if (!missing.empty())
      return fail(absl::StrCat("tensor ", quoteName(tensor().spec.name),
                               " has no ", missing));
  }
  place = place == Place::Top ? Place::End : Place::Top;
  return true;
}

bool HeaderReader::start_array(size_t) {
  if (place == Place::Tensor && lastKey == "shape") {
    place = Place::Shape;
    return true;
  }
  if (place == Place::Tensor && lastKey == "data_offsets") {
    place = Place::Offsets;
    offsetsSeen = 0;
    return true;
  }
  return unexpected("an array");
}

bool HeaderReader::end_array() {
  if (place == Place::Offsets && offsetsSeen != 2)
    return unexpected("fewer than two numbers");
  place = Place::Tensor;
  return true;
}

/// A JSON string literal of UTF-8 text; bytes that are not UTF-8 are replaced,
/// for the library would end the process otherwise.
std::string jsonString(const std::string &text) {
  return Json(text).dump(-1, ' ', false, Json::error_handler_t::replace);
}

} // namespace

absl::StatusOr<SafetensorsHeader>
parseSafetensorsHeader(absl::string_view json) {
  HeaderReader reader;
  if (!Json::sax_parse(json.begin(), json.end(), &reader))
    return absl::DataLossError(reader.error);
  return std::move(reader.header);
}

std::string printSafetensorsHeader(const SafetensorsHeader &header) {
  std::string text = "{";
  absl::string_view separator;
  if (!header.metadata.empty()) {
    absl::StrAppend(&text, "\"__metadata__\":{");
    for (const auto &[key, value] : header.metadata) {
      absl::StrAppend(&text, separator, jsonString(key), ":",
                      jsonString(value));
      separator = ",";
    }
    absl::StrAppend(&text, "}");
  }
  for (const SafetensorsEntry &entry : header.entries) {
    absl::StrAppend(&text, separator, jsonString(entry.spec.name),
                    ":{\"dtype\":\"", name(entry.spec.dtype), "\",\"shape\":[");
    separator = "";
    for (int64_t dim : entry.spec.shape) {
      absl::StrAppend(&text, separator, dim);
      separator = ",";
    }
    absl::StrAppend(&text, "],\"data_offsets\":[", entry.begin, ",", entry.end,
                    "]}");
    separator = ",";
  }
  absl::StrAppend(&text, "}");
  return text;
}

} // namespace t6
