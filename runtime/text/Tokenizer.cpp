//===- Tokenizer.cpp - Text to token ids and back -------------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "runtime/text/Tokenizer.h"

#include "absl/strings/str_cat.h"

#include <algorithm>
#include <utility>

namespace t6 {

Tokenizer::~Tokenizer() = default;

static int32_t findEos(absl::Span<const AddedToken> added) {
  for (absl::string_view text :
       {"<|endoftext|>", "<|end_of_text|>", "</s>", "<eos>"})
    for (const AddedToken &token : added)
      if (token.special && token.text == text)
        return token.id;
  return -1;
}

Tokenizer::Tokenizer(TokenTable table, std::vector<AddedToken> added)
    : table(std::move(table)), added(std::move(added)),
      allAdded(this->added, /*withSpecial=*/true),
      plainAdded(this->added, /*withSpecial=*/false),
      special(size_t(this->table.size())), eos(findEos(this->added)) {
  for (const AddedToken &token : this->added)
    special[size_t(token.id)] = token.special;
}

std::vector<int32_t> Tokenizer::encode(absl::string_view text,
                                       bool allowSpecial) const {
  std::vector<int32_t> ids;
  encodePrefix(text, allowSpecial, /*final=*/true, ids);
  return ids;
}

size_t Tokenizer::encodePrefix(absl::string_view text, bool allowSpecial,
                               bool final, std::vector<int32_t> &ids) const {
  const AddedTokenMatcher &matcher = allowSpecial ? allAdded : plainAdded;
  // Within the last longest() - 1 bytes a token may begin and end in text that
  // is still to come, or a longer one may win over one that is all there.
  size_t undecided =
      final || matcher.longest() == 0 ? 0 : matcher.longest() - 1;
  size_t limit = text.size() - std::min(text.size(), undecided);
  size_t pos = 0;
  while (pos < limit) {
    AddedTokenMatcher::Match match = matcher.find(text, pos, limit);
    absl::string_view before = text.substr(pos, match.begin - pos);
    if (match.id < 0)
      return pos + encodeOrdinary(before, final, ids);
    encodeOrdinary(before, /*final=*/true, ids);
    ids.push_back(match.id);
    pos = match.end;
  }
  return pos;
}

absl::string_view Tokenizer::decodeBytes(int32_t id) const {
  return id < 0 || id >= table.size() ? absl::string_view() : table[id];
}

absl::StatusOr<std::string>
Tokenizer::decode(absl::Span<const int32_t> ids) const {
  std::string bytes;
  for (size_t i = 0; i < ids.size(); ++i) {
    if (ids[i] < 0 || ids[i] >= table.size())
      return absl::OutOfRangeError(
          absl::StrCat("token ", i, " has id ", ids[i],
                       ", and the vocabulary has ids 0 to ", table.size() - 1,
                       "; HINT: use the tokenizer that made these tokens"));
    absl::StrAppend(&bytes, table[ids[i]]);
  }
  return bytes;
}

bool Tokenizer::isSpecial(int32_t id) const {
  return id >= 0 && id < table.size() && special[size_t(id)];
}

void StreamEncoder::push(absl::string_view bytes, std::vector<int32_t> &ids) {
  pending.append(bytes.data(), bytes.size());
  if (pending.size() < threshold)
    return;
  size_t taken =
      tokenizer.encodePrefix(pending, allowSpecial, /*final=*/false, ids);
  pending.erase(0, taken);
  threshold = 2 * pending.size();
}

void StreamEncoder::finish(std::vector<int32_t> &ids) {
  tokenizer.encodePrefix(pending, allowSpecial, /*final=*/true, ids);
  pending.clear();
  threshold = 0;
}

} // namespace t6
