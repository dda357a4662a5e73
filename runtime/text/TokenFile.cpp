//===- TokenFile.cpp - Corpora of token ids on disk -----------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "runtime/text/TokenFile.h"

#include "absl/strings/str_cat.h"

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <fcntl.h>
#include <limits>
#include <unistd.h>
#include <utility>

namespace t6 {
namespace {

#if defined(__BYTE_ORDER__) && __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "corpora are little-endian and used in place"
#endif

constexpr size_t kHeaderWords = 256;
constexpr size_t kHeaderBytes = kHeaderWords * sizeof(int32_t);
constexpr int32_t kMagic = 20240520;
/// llm.c's shards of uint32 tokens, for larger vocabularies.
constexpr int32_t kMagicOf32Bits = 20240801;
constexpr int32_t kVersion = 1;
constexpr size_t kChunkBytes = size_t(1) << 20;
constexpr size_t kBufferTokens = size_t(1) << 16;

int32_t wordAt(absl::Span<const uint8_t> bytes, size_t index) {
  int32_t word;
  std::memcpy(&word, bytes.data() + index * sizeof(word), sizeof(word));
  return word;
}

/// Whether the file is a header and as many tokens as that states, whatever its
/// magic. Bare tokens that begin with a count of themselves do not happen.
bool hasHeaderOfAnotherKind(absl::Span<const uint8_t> bytes) {
  return bytes.size() > kHeaderBytes && wordAt(bytes, 1) == kVersion &&
         wordAt(bytes, 2) > 0 &&
         uint64_t(wordAt(bytes, 2)) * sizeof(uint16_t) ==
             bytes.size() - kHeaderBytes;
}

/// An unnamed file in the folder of `path`, or in the system's temporary folder
/// where the file system has no such files; -1 with errno on failure.
int openUnnamed(const std::string &path) {
  size_t slash = path.rfind('/');
  std::string folder = slash == std::string::npos ? "."
                       : slash == 0               ? "/"
                                                  : path.substr(0, slash);
  int fd = ::open(folder.c_str(), O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
  if (fd >= 0 || (errno != EOPNOTSUPP && errno != EISDIR && errno != EINVAL))
    return fd;
  std::FILE *file = std::tmpfile();
  if (!file)
    return -1;
  fd = ::dup(::fileno(file));
  std::fclose(file);
  return fd;
}

} // namespace

absl::Status tokenOutsideVocabulary(absl::string_view path, int64_t position,
                                    int64_t id, int64_t vocabSize) {
  return absl::FailedPreconditionError(
      absl::StrCat(path, ": token ", position, " has id ", id,
                   ", and the vocabulary has ids 0 to ", vocabSize - 1,
                   "; HINT: make the corpus with the tokenizer of this model"));
}

absl::StatusOr<std::unique_ptr<TokenFile>>
TokenFile::open(const std::string &path) {
  auto mapped = MappedFile::open(path);
  if (!mapped.ok())
    return mapped.status();
  std::unique_ptr<TokenFile> result(new TokenFile(*std::move(mapped)));
  if (absl::Status status = result->readHeader(); !status.ok())
    return status;
  return result;
}

absl::Status TokenFile::readHeader() {
  absl::Span<const uint8_t> bytes = file->bytes();
  const std::string &path = file->path();
  if (bytes.empty())
    return absl::DataLossError(
        absl::StrCat(path, " is empty; HINT: make a corpus with t6 tokenize"));
  int32_t magic = bytes.size() >= sizeof(magic) ? wordAt(bytes, 0) : 0;
  if (magic == kMagicOf32Bits)
    return absl::FailedPreconditionError(absl::StrCat(
        path, " holds 32-bit tokens (magic ", magic,
        "); HINT: make a corpus of 16-bit tokens with t6 tokenize"));
  header = magic == kMagic;
  if (!header && hasHeaderOfAnotherKind(bytes))
    return absl::FailedPreconditionError(absl::StrCat(
        path, " begins with a corpus header whose magic is ", magic, ", not ",
        kMagic, "; HINT: make it again with t6 tokenize"));
  if (header && bytes.size() < kHeaderBytes)
    return absl::DataLossError(absl::StrCat(
        path, " ends within its header of ", kHeaderBytes, " bytes, at byte ",
        bytes.size(), "; HINT: download it or make it again"));
  if (header && wordAt(bytes, 1) != kVersion)
    return absl::FailedPreconditionError(absl::StrCat(
        path, " is a corpus of version ", wordAt(bytes, 1), ", and version ",
        kVersion, " is needed; HINT: make it again with t6 tokenize"));
  size_t start = header ? kHeaderBytes : 0;
  size_t payload = bytes.size() - start;
  if (header && (wordAt(bytes, 2) < 0 ||
                 uint64_t(wordAt(bytes, 2)) * sizeof(uint16_t) != payload))
    return absl::DataLossError(absl::StrCat(
        path, " has ", payload, " bytes of tokens, and its header promises ",
        wordAt(bytes, 2),
        " tokens of 2 bytes; HINT: the file is cut off or damaged: download it "
        "or make it again"));
  if (payload % sizeof(uint16_t) != 0)
    return absl::DataLossError(absl::StrCat(
        path, " has no corpus header and an odd number of bytes (", payload,
        "), so that it does not hold 16-bit tokens; HINT: make a corpus of a "
        "text with t6 tokenize"));
  // Pages and the header have even sizes, so that the tokens are aligned.
  ids = {reinterpret_cast<const uint16_t *>(bytes.data() + start),
         payload / sizeof(uint16_t)};
  return absl::OkStatus();
}

absl::Status TokenFile::checkRange(int32_t vocabSize) const {
  auto bad = std::find_if(ids.begin(), ids.end(),
                          [&](uint16_t id) { return id >= vocabSize; });
  if (bad == ids.end())
    return absl::OkStatus();
  return tokenOutsideVocabulary(path(), bad - ids.begin(), *bad, vocabSize);
}

absl::StatusOr<std::unique_ptr<TokenFileWriter>>
TokenFileWriter::create(const std::string &path) {
  // Opened first: that finds a path that cannot be written before the work.
  auto output = AtomicFile::create(path);
  if (!output.ok())
    return output.status();
  int fd = openUnnamed(path);
  if (fd < 0)
    return fileError(errno, "write", path);
  return std::unique_ptr<TokenFileWriter>(
      new TokenFileWriter(path, *std::move(output), fd));
}

TokenFileWriter::~TokenFileWriter() { ::close(fd); }

absl::Status TokenFileWriter::append(absl::Span<const int32_t> ids) {
  constexpr int64_t kMaxCount = std::numeric_limits<int32_t>::max();
  for (int32_t id : ids) {
    if (id < 0 || id > std::numeric_limits<uint16_t>::max())
      return absl::FailedPreconditionError(absl::StrCat(
          path, ": token ", count(), " has id ", id,
          ", and a corpus holds ids 0 to 65535; HINT: use a tokenizer with at "
          "most 65536 tokens"));
    if (count() == kMaxCount)
      return absl::FailedPreconditionError(
          absl::StrCat(path, " would have more than ", kMaxCount,
                       " tokens; HINT: split the text into several corpora"));
    buffer.push_back(uint16_t(id));
    if (buffer.size() == kBufferTokens)
      if (absl::Status status = flush(); !status.ok())
        return status;
  }
  return absl::OkStatus();
}

absl::Status TokenFileWriter::flush() {
  const char *data = reinterpret_cast<const char *>(buffer.data());
  size_t left = buffer.size() * sizeof(uint16_t);
  while (left > 0) {
    ssize_t done = ::write(fd, data, left);
    if (done < 0 && errno == EINTR)
      continue;
    if (done < 0)
      return fileError(errno, "write", path);
    data += done;
    left -= size_t(done);
  }
  written += int64_t(buffer.size());
  buffer.clear();
  return absl::OkStatus();
}

absl::Status TokenFileWriter::copyTokens() {
  if (::lseek(fd, 0, SEEK_SET) < 0)
    return fileError(errno, "write", path);
  std::vector<char> chunk(kChunkBytes);
  uint64_t left = uint64_t(written) * sizeof(uint16_t);
  while (left > 0) {
    ssize_t got = ::read(fd, chunk.data(),
                         size_t(std::min<uint64_t>(left, chunk.size())));
    if (got < 0 && errno == EINTR)
      continue;
    if (got <= 0)
      return fileError(got < 0 ? errno : EIO, "write", path);
    if (absl::Status status = output->append(chunk.data(), size_t(got));
        !status.ok())
      return status;
    left -= uint64_t(got);
  }
  return absl::OkStatus();
}

absl::Status TokenFileWriter::commit() {
  if (absl::Status status = flush(); !status.ok())
    return status;
  int32_t words[kHeaderWords] = {kMagic, kVersion, int32_t(written)};
  if (absl::Status status = output->append(words, sizeof(words)); !status.ok())
    return status;
  if (absl::Status status = copyTokens(); !status.ok())
    return status;
  return output->commit();
}

absl::StatusOr<int64_t> encodeTextFile(const Tokenizer &tokenizer,
                                       const std::string &textPath,
                                       const std::string &tokenPath,
                                       bool allowSpecial) {
  auto text = MappedFile::open(textPath);
  if (!text.ok())
    return text.status();
  auto writer = TokenFileWriter::create(tokenPath);
  if (!writer.ok())
    return writer.status();
  absl::string_view rest(
      reinterpret_cast<const char *>((*text)->bytes().data()),
      (*text)->bytes().size());
  StreamEncoder encoder(tokenizer, allowSpecial);
  std::vector<int32_t> ids;
  while (!rest.empty()) {
    absl::string_view chunk = rest.substr(0, kChunkBytes);
    rest.remove_prefix(chunk.size());
    ids.clear();
    encoder.push(chunk, ids);
    if (rest.empty())
      encoder.finish(ids);
    if (absl::Status status = (*writer)->append(ids); !status.ok())
      return status;
  }
  if (absl::Status status = (*writer)->commit(); !status.ok())
    return status;
  return (*writer)->count();
}

absl::StatusOr<int64_t> decodeTokenFile(const Tokenizer &tokenizer,
                                        const std::string &tokenPath,
                                        const std::string &textPath) {
  auto corpus = TokenFile::open(tokenPath);
  if (!corpus.ok())
    return corpus.status();
  if (absl::Status status = (*corpus)->checkRange(tokenizer.vocabSize());
      !status.ok())
    return status;
  auto output = AtomicFile::create(textPath);
  if (!output.ok())
    return output.status();
  for (uint16_t id : (*corpus)->tokens()) {
    absl::string_view bytes = tokenizer.decodeBytes(id);
    if (absl::Status status = (*output)->append(bytes.data(), bytes.size());
        !status.ok())
      return status;
  }
  if (absl::Status status = (*output)->commit(); !status.ok())
    return status;
  return int64_t((*corpus)->tokens().size());
}

} // namespace t6
