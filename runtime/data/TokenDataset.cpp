//===- TokenDataset.cpp - The tokens that a run reads ---------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "runtime/data/TokenDataset.h"

#include "runtime/text/TokenFile.h"

#include "absl/strings/str_cat.h"

#include <algorithm>
#include <iterator>

namespace t6 {

/// The first element that is not below `limit`, or the end. Blocks are looked
/// at whole, which compilers make vectors of.
template <typename T>
static const T *findAtLeast(const T *begin, const T *end, T limit) {
  constexpr ptrdiff_t kBlock = 1024;
  while (end - begin >= kBlock) {
    bool found = false;
    for (ptrdiff_t i = 0; i < kBlock; ++i)
      found |= begin[i] >= limit;
    if (found)
      break;
    begin += kBlock;
  }
  return std::find_if(begin, end, [=](T id) { return id >= limit; });
}

TokenSpan TokenSpan::subspan(int64_t start, int64_t length) const {
  if (wide)
    return TokenSpan(absl::MakeConstSpan(wide + start, size_t(length)));
  return TokenSpan(absl::MakeConstSpan(narrow + start, size_t(length)));
}

void TokenSpan::copyTo(absl::Span<int32_t> out) const {
  if (wide)
    std::copy_n(wide, count, out.begin());
  else
    std::copy_n(narrow, count, out.begin());
}

int64_t TokenSpan::findAtLeast(int32_t limit) const {
  int64_t found = count;
  if (wide)
    found = t6::findAtLeast(wide, wide + count, limit) - wide;
  else if (limit <= UINT16_MAX)
    found =
        t6::findAtLeast(narrow, narrow + count, uint16_t(std::max(limit, 0))) -
        narrow;
  return found == count ? -1 : found;
}

int64_t TokenDataset::tokenCount() const {
  int64_t count = 0;
  for (const TokenShard &shard : list)
    count += shard.tokens.size();
  return count;
}

absl::Status TokenDataset::checkWindows(int64_t length) const {
  if (list.empty())
    return absl::InvalidArgumentError(
        "the corpus has no shards; HINT: name .bin shards, their folder, or "
        "texts");
  for (const TokenShard &shard : list)
    // Not length + 1, which may overflow.
    if (shard.tokens.size() <= length)
      return absl::InvalidArgumentError(absl::StrCat(
          shard.path, " has ", shard.tokens.size(), " tokens",
          shard.start ? absl::StrCat(" from token ", shard.start, " on") : "",
          ", and a window of length ", length,
          " takes one more than its length; HINT: choose shorter windows, or "
          "leave the file out"));
  return absl::OkStatus();
}

absl::Status TokenDataset::checkVocabulary(size_t shard, int64_t start,
                                           int64_t length) const {
  const TokenShard &from = list[shard];
  TokenSpan tokens = from.tokens.subspan(start, length);
  int64_t bad = tokens.findAtLeast(vocabSize);
  if (bad < 0)
    return absl::OkStatus();
  return tokenOutsideVocabulary(from.path, from.start + start + bad,
                                tokens[bad], vocabSize);
}

absl::Status TokenDataset::checkVocabulary() const {
  for (size_t shard = 0; shard < list.size(); ++shard)
    if (absl::Status status =
            checkVocabulary(shard, 0, list[shard].tokens.size());
        !status.ok())
      return status;
  return absl::OkStatus();
}

absl::Status TokenDataset::read(TokenWindow window, absl::Span<int32_t> inputs,
                                absl::Span<int32_t> targets) const {
  int64_t length = int64_t(inputs.size());
  if (absl::Status status =
          checkVocabulary(window.shard, window.offset, length + 1);
      !status.ok())
    return status;
  TokenSpan tokens = list[window.shard].tokens;
  tokens.subspan(window.offset, length).copyTo(inputs);
  tokens.subspan(window.offset + 1, length).copyTo(targets);
  return absl::OkStatus();
}

WindowList::WindowList(const TokenDataset &dataset, int64_t length)
    : length(length) {
  int64_t count = 0;
  for (const TokenShard &shard : dataset.shards()) {
    count += std::max<int64_t>(0, (shard.tokens.size() - 1) / length);
    ends.push_back(count);
  }
}

TokenWindow WindowList::operator[](int64_t index) const {
  auto end = std::upper_bound(ends.begin(), ends.end(), index);
  int64_t begin = end == ends.begin() ? 0 : *std::prev(end);
  return {size_t(end - ends.begin()), (index - begin) * length};
}

} // namespace t6
