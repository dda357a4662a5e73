//===- AddedTokens.cpp - Tokens that are matched in the text itself -------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "runtime/text/AddedTokens.h"

#include <algorithm>
#include <functional>

namespace t6 {

AddedTokenMatcher::AddedTokenMatcher(absl::Span<const AddedToken> tokens,
                                     bool withSpecial) {
  for (const AddedToken &token : tokens) {
    if ((token.special && !withSpecial) || token.text.empty())
      continue;
    ids.emplace(token.text, token.id);
    lengths[uint8_t(token.text[0])].push_back(token.text.size());
    longestBytes = std::max(longestBytes, token.text.size());
  }
  for (std::vector<size_t> &list : lengths) {
    std::sort(list.begin(), list.end(), std::greater<size_t>());
    list.erase(std::unique(list.begin(), list.end()), list.end());
  }
}

AddedTokenMatcher::Match AddedTokenMatcher::find(absl::string_view text,
                                                 size_t from,
                                                 size_t limit) const {
  if (longestBytes == 0)
    return {limit, limit, -1};
  for (size_t pos = from; pos < limit; ++pos) {
    for (size_t length : lengths[uint8_t(text[pos])]) {
      if (length > text.size() - pos)
        continue;
      auto it = ids.find(text.substr(pos, length));
      if (it != ids.end())
        return {pos, pos + length, it->second};
    }
  }
  return {limit, limit, -1};
}

} // namespace t6
