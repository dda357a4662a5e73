//===- TokenFile.h - Corpora of token ids on disk ---------------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The .bin shards of llm.c: 256 little-endian int32 (magic 20240520, version 1,
// the number of tokens, zeros), then the tokens as uint16. Files of bare uint16
// tokens are read too: a GPT-2 token cannot look like the magic's low half. A
// header that is right but for its magic is told from tokens and refused.
//
//===----------------------------------------------------------------------===//

#ifndef T6_RUNTIME_TEXT_TOKENFILE_H
#define T6_RUNTIME_TEXT_TOKENFILE_H

#include "runtime/io/AtomicFile.h"
#include "runtime/io/MappedFile.h"
#include "runtime/text/Tokenizer.h"

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace t6 {

/// The error for token `position` of `path` whose `id` is not below
/// `vocabSize`.
absl::Status tokenOutsideVocabulary(absl::string_view path, int64_t position,
                                    int64_t id, int64_t vocabSize);

/// A mapped corpus. The file must not be truncated while it is open.
class TokenFile {
public:
  static absl::StatusOr<std::unique_ptr<TokenFile>>
  open(const std::string &path);

  absl::Span<const uint16_t> tokens() const { return ids; }
  const std::string &path() const { return file->path(); }

  /// Whether the file has a header; without one, nothing but its length and
  /// its ids tells whether it is a corpus at all.
  bool hasHeader() const { return header; }

  /// An error that names the first token that is not below `vocabSize`.
  absl::Status checkRange(int32_t vocabSize) const;

private:
  explicit TokenFile(std::unique_ptr<MappedFile> file)
      : file(std::move(file)) {}
  absl::Status readHeader();

  std::unique_ptr<MappedFile> file;
  absl::Span<const uint16_t> ids;
  bool header = false;
};

/// Writes a corpus with a header; the file appears whole at commit(). Until
/// then the tokens lie in an unnamed file in the same folder, because the
/// header states how many there are: the folder needs room for two copies.
class TokenFileWriter {
public:
  static absl::StatusOr<std::unique_ptr<TokenFileWriter>>
  create(const std::string &path);

  TokenFileWriter(const TokenFileWriter &) = delete;
  TokenFileWriter &operator=(const TokenFileWriter &) = delete;
  ~TokenFileWriter();

  /// Ids must be in [0, 65535], and a file holds at most 2^31 - 1 of them.
  absl::Status append(absl::Span<const int32_t> ids);

  absl::Status commit();

  int64_t count() const { return written + int64_t(buffer.size()); }

private:
  TokenFileWriter(std::string path, std::unique_ptr<AtomicFile> output, int fd)
      : path(std::move(path)), output(std::move(output)), fd(fd) {}
  absl::Status flush();
  absl::Status copyTokens();

  std::string path;
  std::unique_ptr<AtomicFile> output;
  int fd; ///< Of the unnamed file.
  std::vector<uint16_t> buffer;
  int64_t written = 0;
};

/// Encodes the file `textPath` to the corpus `tokenPath`, in memory that does
/// not grow with the text (see StreamEncoder). The number of tokens.
absl::StatusOr<int64_t> encodeTextFile(const Tokenizer &tokenizer,
                                       const std::string &textPath,
                                       const std::string &tokenPath,
                                       bool allowSpecial);

/// Decodes the corpus `tokenPath` to the file `textPath`: for what
/// encodeTextFile() wrote, the text it read. The number of tokens.
absl::StatusOr<int64_t> decodeTokenFile(const Tokenizer &tokenizer,
                                        const std::string &tokenPath,
                                        const std::string &textPath);

} // namespace t6

#endif // T6_RUNTIME_TEXT_TOKENFILE_H
