//===- Names.cpp - Tensor names in messages -------------------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "runtime/io/Names.h"

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"

#include <algorithm>
#include <cstdint>
#include <numeric>
#include <utility>

namespace t6 {
namespace {

/// Longer names take no part in suggestions: edit distance is quadratic.
constexpr size_t kMaxCompared = 256;
constexpr size_t kMaxQuoted = 120;

size_t editDistance(absl::string_view a, absl::string_view b) {
  std::vector<size_t> row(b.size() + 1);
  std::iota(row.begin(), row.end(), size_t{0});
  for (size_t i = 0; i < a.size(); ++i) {
    size_t diagonal = row[0];
    row[0] = i + 1;
    for (size_t j = 0; j < b.size(); ++j) {
      size_t substituted = diagonal + (a[i] != b[j]);
      diagonal = row[j + 1];
      row[j + 1] = std::min({row[j] + 1, row[j + 1] + 1, substituted});
    }
  }
  return row.back();
}

/// Bytes of the sequence that `lead` opens, 0 if it opens none.
size_t sequenceLength(uint8_t lead) {
  if (lead < 0x80)
    return 1;
  if (lead >= 0xC2 && lead < 0xE0)
    return 2;
  if (lead >= 0xE0 && lead < 0xF0)
    return 3;
  return lead >= 0xF0 && lead < 0xF5 ? 4 : 0;
}

} // namespace

bool isValidUtf8(absl::string_view text) {
  for (size_t i = 0; i < text.size();) {
    auto byteAt = [&](size_t k) { return static_cast<uint8_t>(text[i + k]); };
    size_t length = sequenceLength(byteAt(0));
    if (length == 0 || length > text.size() - i)
      return false;
    for (size_t k = 1; k < length; ++k)
      if ((byteAt(k) & 0xC0) != 0x80)
        return false;
    if (length >= 3) {
      // The second byte tells overlong forms, surrogates and what lies beyond
      // U+10FFFF from the valid ranges.
      uint8_t lead = byteAt(0), second = byteAt(1);
      if ((lead == 0xE0 && second < 0xA0) || (lead == 0xED && second > 0x9F) ||
          (lead == 0xF0 && second < 0x90) || (lead == 0xF4 && second > 0x8F))
        return false;
    }
    i += length;
  }
  return true;
}

std::string quoteName(absl::string_view text) {
  absl::string_view more = text.size() > kMaxQuoted ? "..." : "";
  return absl::StrCat("\"", absl::CHexEscape(text.substr(0, kMaxQuoted)), more,
                      "\"");
}

std::vector<absl::string_view>
closestNames(absl::string_view name, absl::Span<const absl::string_view> names,
             size_t count) {
  std::vector<std::pair<size_t, absl::string_view>> ranked;
  if (name.size() > kMaxCompared)
    return {};
  for (absl::string_view candidate : names) {
    if (candidate.size() > kMaxCompared)
      continue;
    size_t distance = editDistance(name, candidate);
    if (2 * distance < std::max(name.size(), candidate.size()))
      ranked.emplace_back(distance, candidate);
  }
  count = std::min(count, ranked.size());
  std::partial_sort(ranked.begin(), ranked.begin() + count, ranked.end());
  std::vector<absl::string_view> result;
  for (size_t i = 0; i < count; ++i)
    result.push_back(ranked[i].second);
  return result;
}

} // namespace t6
