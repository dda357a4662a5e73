//===- VocabularyBuilder.cpp - Checked assembly of a byte-level BPE tokenizer
//===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "runtime/text/VocabularyBuilder.h"

#include "runtime/io/Names.h"
#include "runtime/text/Utf8.h"

#include "absl/strings/str_cat.h"

#include <limits>
#include <utility>

namespace t6 {
namespace {

constexpr absl::string_view kExportAgain =
    "HINT: the file is damaged or edited: download or export it again";
constexpr size_t kMaxAddedBytes = 1024;

/// GPT-2's alphabet, inverted: the byte that a code point stands for, or -1.
/// Printable Latin-1 characters stand for themselves; the other 68 bytes, in
/// order, are the code points from U+0100.
class ByteAlphabet {
public:
  ByteAlphabet() {
    bytes.fill(-1);
    int16_t shifted = 256;
    for (int16_t byte = 0; byte < 256; ++byte) {
      bool printable = (byte >= '!' && byte <= '~') ||
                       (byte >= 0xA1 && byte <= 0xAC) || byte >= 0xAE;
      bytes[size_t(printable ? byte : shifted++)] = byte;
    }
  }

  /// Appends the bytes that `spelling` stands for; false if it has another
  /// character.
  bool decode(absl::string_view spelling, std::string &out) const {
    for (size_t pos = 0; pos < spelling.size();) {
      Utf8Char c = decodeUtf8(spelling, pos);
      if (c.codePoint < 0 || size_t(c.codePoint) >= bytes.size() ||
          bytes[size_t(c.codePoint)] < 0)
        return false;
      out.push_back(char(bytes[size_t(c.codePoint)]));
      pos += c.length;
    }
    return true;
  }

private:
  std::array<int16_t, 256 + 68> bytes;
};

const ByteAlphabet &alphabet() {
  static const ByteAlphabet instance;
  return instance;
}

} // namespace

VocabularyBuilder::VocabularyBuilder(absl::string_view name) : name(name) {
  byteIds.fill(-1);
}

int32_t VocabularyBuilder::find(absl::string_view spelling) const {
  auto it = ids.find(spelling);
  return it == ids.end() ? -1 : it->second;
}

absl::Status VocabularyBuilder::addToken(absl::string_view spelling,
                                         int64_t id) {
  if (id < 0 || id > std::numeric_limits<int32_t>::max())
    return absl::DataLossError(
        absl::StrCat(name, ": token ", quoteName(spelling), " has id ", id,
                     ", which is out of range; ", kExportAgain));
  if (!ids.emplace(spelling, int32_t(id)).second)
    return absl::DataLossError(
        absl::StrCat(name, ": token ", quoteName(spelling),
                     " is listed twice; ", kExportAgain));
  entries.push_back({spelling, id});
  return absl::OkStatus();
}

absl::Status VocabularyBuilder::addAdded(absl::string_view text, int64_t id,
                                         bool special) {
  if (text.empty() || text.size() > kMaxAddedBytes)
    return absl::DataLossError(absl::StrCat(
        name, ": the added token with id ", id, " has ", text.size(),
        " bytes, and 1 to ", kMaxAddedBytes, " are allowed; ", kExportAgain));
  if (!addedIds.insert(id).second)
    return absl::DataLossError(absl::StrCat(name, ": two added tokens have id ",
                                            id, "; ", kExportAgain));
  int32_t existing = find(text);
  if (existing >= 0 && existing != id)
    return absl::DataLossError(absl::StrCat(
        name, ": added token ", quoteName(text), " has id ", id,
        ", and the vocabulary has it as ", existing, "; ", kExportAgain));
  if (existing < 0)
    if (absl::Status status = addToken(text, id); !status.ok())
      return status;
  added.push_back({std::string(text), int32_t(id), special});
  return absl::OkStatus();
}

absl::Status
VocabularyBuilder::placeById(std::vector<const Entry *> &byId) const {
  byId.assign(entries.size(), nullptr);
  for (const Entry &entry : entries) {
    if (size_t(entry.id) >= byId.size())
      return absl::DataLossError(absl::StrCat(
          name, ": token ", quoteName(entry.spelling), " has id ", entry.id,
          ", and ", byId.size(), " tokens must have the ids 0 to ",
          byId.size() - 1, " without holes; ", kExportAgain));
    const Entry *&slot = byId[size_t(entry.id)];
    if (slot)
      return absl::DataLossError(
          absl::StrCat(name, ": tokens ", quoteName(slot->spelling), " and ",
                       quoteName(entry.spelling), " both have id ", entry.id,
                       "; ", kExportAgain));
    slot = &entry;
  }
  return absl::OkStatus();
}

absl::Status
VocabularyBuilder::fillTable(const std::vector<const Entry *> &byId) {
  std::vector<bool> literal(byId.size());
  for (const AddedToken &token : added)
    literal[size_t(token.id)] = true;
  std::string bytes;
  for (const Entry *entry : byId) {
    bytes.clear();
    if (literal[size_t(entry->id)]) {
      bytes.assign(entry->spelling.data(), entry->spelling.size());
    } else if (!alphabet().decode(entry->spelling, bytes)) {
      return absl::FailedPreconditionError(absl::StrCat(
          name, ": token ", quoteName(entry->spelling), " (id ", entry->id,
          ") is not spelled in the alphabet of byte-level BPE; HINT: only "
          "byte-level BPE as GPT-2's is supported, not SentencePiece or "
          "WordPiece"));
    } else if (bytes.empty()) {
      return absl::DataLossError(absl::StrCat(name, ": the token with id ",
                                              entry->id, " is empty; ",
                                              kExportAgain));
    }
    if (bytes.size() == 1)
      byteIds[uint8_t(bytes[0])] = int32_t(entry->id);
    table.add(bytes);
  }
  return absl::OkStatus();
}

absl::Status VocabularyBuilder::finishTokens() {
  std::vector<const Entry *> byId;
  if (absl::Status status = placeById(byId); !status.ok())
    return status;
  if (absl::Status status = fillTable(byId); !status.ok())
    return status;
  for (size_t byte = 0; byte < byteIds.size(); ++byte)
    if (byteIds[byte] < 0)
      return absl::FailedPreconditionError(absl::StrCat(
          name, ": no token stands for the byte ", byte,
          ", so that some texts could not be encoded; HINT: train the "
          "vocabulary with all 256 bytes in its initial alphabet"));
  return absl::OkStatus();
}

absl::Status VocabularyBuilder::addMerge(absl::string_view left,
                                         absl::string_view right,
                                         absl::string_view place) {
  std::string whole = absl::StrCat(left, right);
  for (absl::string_view spelling : {left, right, absl::string_view(whole)})
    if (find(spelling) < 0)
      return absl::DataLossError(
          absl::StrCat(place, " merges ", quoteName(left), " and ",
                       quoteName(right), ", and ", quoteName(spelling),
                       " is not in the vocabulary; HINT: the vocabulary and "
                       "the merges must come from the same tokenizer"));
  merges.add(find(left), find(right), find(whole));
  return absl::OkStatus();
}

std::unique_ptr<Tokenizer> VocabularyBuilder::build() {
  return std::make_unique<BpeTokenizer>(std::move(table), std::move(added),
                                        byteIds, std::move(merges));
}

} // namespace t6
