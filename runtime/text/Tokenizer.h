//===- Tokenizer.h - Text to token ids and back -----------------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The interface of all tokenizers, the loaders, and encoding by pieces for
// texts that do not fit in memory. Printable text of single tokens: Utf8Stream.
//
//===----------------------------------------------------------------------===//

#ifndef T6_RUNTIME_TEXT_TOKENIZER_H
#define T6_RUNTIME_TEXT_TOKENIZER_H

#include "runtime/text/AddedTokens.h"

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace t6 {

/// The bytes of every token, by id.
class TokenTable {
public:
  void add(absl::string_view bytes) {
    arena.append(bytes.data(), bytes.size());
    ends.push_back(arena.size());
  }
  int32_t size() const { return int32_t(ends.size()); }
  /// `id` must be in [0, size()).
  absl::string_view operator[](int32_t id) const {
    size_t begin = id == 0 ? 0 : ends[size_t(id) - 1];
    return absl::string_view(arena).substr(begin, ends[size_t(id)] - begin);
  }

private:
  std::string arena;
  std::vector<size_t> ends;
};

/// Maps byte strings to token ids. Texts are UTF-8 by custom only: whatever the
/// bytes, decoding what was encoded gives the same bytes back. Immutable, so
/// one tokenizer serves many threads.
class Tokenizer {
public:
  virtual ~Tokenizer();

  /// The ids of `text`. With `allowSpecial`, the text of a special token
  /// ("<|endoftext|>") becomes that token; without, it is ordinary text.
  /// No token is put before or after the text.
  std::vector<int32_t> encode(absl::string_view text, bool allowSpecial) const;

  /// Appends the ids of a prefix of `text` and returns the prefix's length: as
  /// much as stays the same whatever is appended to `text`, or all of it if
  /// `final`. Encoding the rest later, with more text behind it, gives the ids
  /// that the whole would have.
  size_t encodePrefix(absl::string_view text, bool allowSpecial, bool final,
                      std::vector<int32_t> &ids) const;

  /// The bytes of one token, perhaps part of a character; empty for an id that
  /// is not in the vocabulary (padding ids of a model with a larger one).
  absl::string_view decodeBytes(int32_t id) const;

  /// The bytes of all of `ids`; an id outside the vocabulary is an error.
  absl::StatusOr<std::string> decode(absl::Span<const int32_t> ids) const;

  /// Ids are 0 .. vocabSize() - 1.
  int32_t vocabSize() const { return table.size(); }

  /// The token that ends a text, or -1 if the vocabulary has none: the first
  /// special token among <|endoftext|>, <|end_of_text|>, </s>, <eos>.
  int32_t eosId() const { return eos; }

  absl::Span<const AddedToken> addedTokens() const { return added; }

  /// Whether `id` is a control token, which is not shown in generated text.
  bool isSpecial(int32_t id) const;

protected:
  Tokenizer(TokenTable table, std::vector<AddedToken> added);

  /// encodePrefix() for text in which no added token is looked for.
  virtual size_t encodeOrdinary(absl::string_view text, bool final,
                                std::vector<int32_t> &ids) const = 0;

private:
  TokenTable table;
  std::vector<AddedToken> added;
  AddedTokenMatcher allAdded;
  AddedTokenMatcher plainAdded;
  std::vector<bool> special; ///< By id.
  int32_t eos = -1;
};

/// Encodes a text that comes in chunks, cut anywhere, to the ids that the whole
/// has. Memory: the chunk and the longest piece (a run of letters, of digits,
/// of white space or of other characters), which a merge cannot cross.
class StreamEncoder {
public:
  StreamEncoder(const Tokenizer &tokenizer, bool allowSpecial)
      : tokenizer(tokenizer), allowSpecial(allowSpecial) {}

  /// Adds `bytes` to the text and appends the ids that are now decided.
  void push(absl::string_view bytes, std::vector<int32_t> &ids);

  /// Ends the text and appends its last ids.
  void finish(std::vector<int32_t> &ids);

private:
  const Tokenizer &tokenizer;
  bool allowSpecial;
  std::string pending;
  /// Pending bytes below which nothing is tried: it doubles while one piece
  /// fills all of `pending`, so that the total work stays linear.
  size_t threshold = 0;
};

/// The tokenizer that `path` names:
///  - the word `bytes`: makeByteTokenizer();
///  - a Hugging Face tokenizer.json with a byte-level BPE model;
///  - a vocab.json of GPT-2's form, with merges.txt beside it;
///  - a directory with either of these (tokenizer.json first).
/// A file that is not of such a form is refused with the reason.
absl::StatusOr<std::unique_ptr<Tokenizer>>
loadTokenizer(const std::string &path);

/// Ids 0 .. 255 are the bytes, 256 is <|endoftext|>.
std::unique_ptr<Tokenizer> makeByteTokenizer();

/// Reads the contents of a tokenizer.json; `name` is what errors call it.
absl::StatusOr<std::unique_ptr<Tokenizer>>
parseTokenizerJson(absl::string_view contents, absl::string_view name);

/// Reads the contents of vocab.json and merges.txt. <|endoftext|>, if the
/// vocabulary has it, is special; the format has no other special tokens.
absl::StatusOr<std::unique_ptr<Tokenizer>>
parseVocabAndMerges(absl::string_view vocab, absl::string_view merges,
                    absl::string_view vocabName, absl::string_view mergesName);

} // namespace t6

#endif // T6_RUNTIME_TEXT_TOKENIZER_H
