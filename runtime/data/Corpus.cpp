//===- Corpus.cpp - Opens the corpus of a run -----------------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "runtime/data/Corpus.h"

#include "runtime/data/CorpusFiles.h"
#include "runtime/io/MappedFile.h"
#include "runtime/text/TokenFile.h"

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <type_traits>
#include <utility>

namespace t6 {
namespace {

constexpr size_t kChunkBytes = size_t(1) << 20;

absl::string_view fileName(absl::string_view path) {
  size_t slash = path.rfind('/');
  return slash == absl::string_view::npos ? path : path.substr(slash + 1);
}

absl::StatusOr<TokenShard> openShard(const std::string &path) {
  absl::StatusOr<std::unique_ptr<TokenFile>> file = TokenFile::open(path);
  if (!file.ok())
    return file.status();
  // Without the header they would be read as tokens, nearly all of them valid.
  if (absl::StartsWith(fileName(path), "fineweb_") && !(*file)->hasHeader())
    return absl::FailedPreconditionError(absl::StrCat(
        path, " does not begin with the magic of a corpus (20240520), as a "
              "shard of this name must; HINT: download it again, or rename it "
              "if it holds bare 16-bit tokens"));
  TokenShard shard;
  shard.path = path;
  shard.tokens = TokenSpan((*file)->tokens());
  shard.memory = *std::move(file);
  return shard;
}

/// The tokens of texts. 16 bits are enough for most vocabularies.
class EncodedText {
public:
  EncodedText(const CorpusOptions &options, bool mayBeEmpty)
      : options(options), tokenizer(*options.tokenizer), mayBeEmpty(mayBeEmpty),
        isNarrow(options.vocabSize <= UINT16_MAX + 1) {}

  /// The number of tokens.
  absl::StatusOr<int64_t> append(const std::string &path);

  /// One shard with all of it.
  TokenShard finish(std::string name) &&;

private:
  absl::Status store(const std::string &path, int64_t position);

  const CorpusOptions &options;
  const Tokenizer &tokenizer;
  bool mayBeEmpty;
  bool isNarrow;
  std::vector<int32_t> ids; ///< Of the chunk.
  std::vector<uint16_t> narrow;
  std::vector<int32_t> wide;
};

absl::StatusOr<int64_t> EncodedText::append(const std::string &path) {
  absl::StatusOr<std::unique_ptr<MappedFile>> file = MappedFile::open(path);
  if (!file.ok())
    return file.status();
  absl::Span<const uint8_t> bytes = (*file)->bytes();
  if (bytes.empty() && mayBeEmpty)
    return 0;
  if (bytes.empty())
    return absl::DataLossError(
        absl::StrCat(path, " is empty; HINT: name a text to train on"));
  if (const void *zero = std::memchr(bytes.data(), 0, bytes.size()))
    return absl::FailedPreconditionError(absl::StrCat(
        path, " is not a text: byte ",
        static_cast<const uint8_t *>(zero) - bytes.data(),
        " is 0; HINT: choose the texts of a folder by their suffixes; shards "
        "have names that end in .bin"));
  int64_t count = 0;
  if (options.markTexts && tokenizer.eosId() >= 0)
    ids.push_back(tokenizer.eosId());
  StreamEncoder encoder(tokenizer, options.allowSpecial);
  absl::string_view rest(reinterpret_cast<const char *>(bytes.data()),
                         bytes.size());
  while (!rest.empty()) {
    absl::string_view chunk = rest.substr(0, kChunkBytes);
    rest.remove_prefix(chunk.size());
    encoder.push(chunk, ids);
    if (rest.empty())
      encoder.finish(ids);
    if (absl::Status status = store(path, count); !status.ok())
      return status;
    count += int64_t(ids.size());
    ids.clear();
  }
  return count;
}

/// `position` is that of the chunk's first token in `path`.
absl::Status EncodedText::store(const std::string &path, int64_t position) {
  TokenSpan chunk(absl::MakeConstSpan(ids));
  if (int64_t bad = chunk.findAtLeast(options.vocabSize); bad >= 0)
    return tokenOutsideVocabulary(path, position + bad, chunk[bad],
                                  options.vocabSize);
  if (isNarrow)
    narrow.insert(narrow.end(), ids.begin(), ids.end());
  else
    wide.insert(wide.end(), ids.begin(), ids.end());
  return absl::OkStatus();
}

TokenShard EncodedText::finish(std::string name) && {
  TokenShard shard;
  shard.path = std::move(name);
  auto hold = [&](auto &&tokens) {
    using Tokens = std::decay_t<decltype(tokens)>;
    auto memory = std::make_shared<const Tokens>(std::move(tokens));
    shard.tokens = TokenSpan(absl::MakeConstSpan(*memory));
    shard.memory = std::move(memory);
  };
  if (isNarrow)
    hold(std::move(narrow));
  else
    hold(std::move(wide));
  return shard;
}

absl::StatusOr<std::vector<TokenShard>>
readTexts(absl::Span<const std::string> paths,
          const std::vector<std::string> &texts, const CorpusOptions &options,
          std::vector<Corpus::File> &files) {
  if (!options.tokenizer)
    return absl::InvalidArgumentError(absl::StrCat(
        texts.front(), " is a text, and no tokenizer is given; HINT: name one, "
                       "or make a .bin shard with t6 tokenize"));
  bool isNamed = paths.size() == texts.size() &&
                 std::equal(paths.begin(), paths.end(), texts.begin());
  EncodedText encoded(options, /*mayBeEmpty=*/!isNamed);
  for (const std::string &path : texts) {
    absl::StatusOr<int64_t> count = encoded.append(path);
    if (!count.ok())
      return count.status();
    files.push_back({path, *count});
  }
  std::vector<TokenShard> shards;
  shards.push_back(std::move(encoded).finish(
      paths.size() == 1
          ? paths.front()
          : absl::StrCat(paths.front(), " and ", paths.size() - 1, " more")));
  return shards;
}

absl::StatusOr<std::vector<TokenShard>>
openShards(const std::vector<std::string> &paths,
           std::vector<Corpus::File> &files) {
  std::vector<TokenShard> shards;
  for (const std::string &path : paths) {
    absl::StatusOr<TokenShard> shard = openShard(path);
    if (!shard.ok())
      return shard.status();
    files.push_back({path, shard->tokens.size()});
    shards.push_back(*std::move(shard));
  }
  return shards;
}

/// Moves the last `windows` windows of `length` from `shards` to the result. A
/// cut shard keeps the first token of the first of them, as its last target.
std::vector<TokenShard> takeLast(std::vector<TokenShard> &shards,
                                 int64_t windows, int64_t length) {
  std::vector<TokenShard> taken;
  while (windows > 0) {
    TokenShard &last = shards.back();
    int64_t inLast = (last.tokens.size() - 1) / length;
    TokenShard piece = last;
    if (windows < inLast) {
      int64_t cut = last.tokens.size() - windows * length - 1;
      piece.start += cut;
      piece.tokens = last.tokens.subspan(cut, windows * length + 1);
      last.tokens = last.tokens.subspan(0, cut + 1);
    } else {
      shards.pop_back();
    }
    windows -= std::min(windows, inLast);
    taken.push_back(std::move(piece));
  }
  std::reverse(taken.begin(), taken.end());
  return taken;
}

absl::Status checkOptions(const CorpusOptions &options) {
  if (options.window < 1)
    return absl::InvalidArgumentError(
        absl::StrCat("windows of length ", options.window,
                     " cannot be read; HINT: choose a length of 1 or more"));
  if (options.vocabSize < 1)
    return absl::InvalidArgumentError(
        absl::StrCat("a vocabulary of ", options.vocabSize,
                     " ids has no tokens; HINT: give the size of the model's"));
  // Written so that NaN fails.
  if (!(options.validationShare >= 0 && options.validationShare < 1))
    return absl::InvalidArgumentError(absl::StrCat(
        "the share for validation is ", options.validationShare,
        ", and must be 0 or more and below 1; HINT: 0.05 keeps the last 5 % of "
        "the corpus apart, 0 nothing"));
  return absl::OkStatus();
}

} // namespace

absl::StatusOr<Corpus> openCorpus(absl::Span<const std::string> paths,
                                  const CorpusOptions &options) {
  if (absl::Status status = checkOptions(options); !status.ok())
    return status;
  absl::StatusOr<CorpusFiles> found = findCorpusFiles(paths, options.suffixes);
  if (!found.ok())
    return found.status();
  if (found->training.empty())
    return absl::NotFoundError(absl::StrCat(
        paths.front(), " has no shard to train on, only ",
        fileName(found->validation.front()),
        " for validation; HINT: training shards are named fineweb_train_*.bin "
        "or train.bin, or name the files themselves"));
  Corpus corpus;
  auto shards = found->text
                    ? readTexts(paths, found->training, options, corpus.files)
                    : openShards(found->training, corpus.files);
  if (!shards.ok())
    return shards.status();
  auto validation = openShards(found->validation, corpus.files);
  if (!validation.ok())
    return validation.status();
  corpus.training = TokenDataset(*shards, options.vocabSize);
  if (absl::Status status = corpus.training.checkWindows(options.window);
      !status.ok())
    return status;
  if (validation->empty() && options.validationShare > 0) {
    int64_t windows = WindowList(corpus.training, options.window).size();
    if (windows < 2)
      return absl::InvalidArgumentError(absl::StrCat(
          shards->front().path, " has ", shards->front().tokens.size(),
          " tokens, one window of length ", options.window,
          ", and validation needs one too; HINT: choose shorter windows, or a "
          "share for validation of 0"));
    int64_t share = std::llround(double(windows) * options.validationShare);
    *validation = takeLast(*shards, std::clamp<int64_t>(share, 1, windows - 1),
                           options.window);
    corpus.training = TokenDataset(*std::move(shards), options.vocabSize);
    corpus.validationIsShare = true;
  }
  corpus.validation = TokenDataset(*std::move(validation), options.vocabSize);
  if (!corpus.validation.empty())
    if (absl::Status status = corpus.validation.checkWindows(options.window);
        !status.ok())
      return status;
  return corpus;
}

absl::StatusOr<TokenDataset>
openEvaluationCorpus(absl::Span<const std::string> paths,
                     const CorpusOptions &options) {
  if (absl::Status status = checkOptions(options); !status.ok())
    return status;
  absl::StatusOr<CorpusFiles> found = findCorpusFiles(paths, options.suffixes);
  if (!found.ok())
    return found.status();
  std::vector<Corpus::File> files;
  auto shards = found->text
                    ? readTexts(paths, found->training, options, files)
                    : openShards(found->validation.empty() ? found->training
                                                           : found->validation,
                                 files);
  if (!shards.ok())
    return shards.status();
  TokenDataset dataset(*std::move(shards), options.vocabSize);
  if (absl::Status status = dataset.checkWindows(options.window); !status.ok())
    return status;
  return dataset;
}

} // namespace t6
