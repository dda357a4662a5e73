//===- Tokenizer.cpp - Tokenizers and token files -------------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "runtime/api/Tokenizer.h"

#include "runtime/api/Status.h"
#include "runtime/api/t6.h"
#include "runtime/text/TokenFile.h"

#include <cstdlib>
#include <utility>
#include <vector>

using namespace t6;

t6_status *t6_tokenizer_open(const char *path, t6_tokenizer **tokenizer) {
  if (!path || !tokenizer)
    return nullArgument(path ? "tokenizer" : "path");
  absl::StatusOr<std::unique_ptr<Tokenizer>> loaded = loadTokenizer(path);
  T6_RETURN_IF_ERROR(loaded.status());
  *tokenizer = new t6_tokenizer{*std::move(loaded)};
  return nullptr;
}

void t6_tokenizer_free(t6_tokenizer *tokenizer) { delete tokenizer; }

int32_t t6_tokenizer_vocab_size(const t6_tokenizer *tokenizer) {
  return tokenizer->tokenizer->vocabSize();
}

int32_t t6_tokenizer_eos(const t6_tokenizer *tokenizer) {
  return tokenizer->tokenizer->eosId();
}

t6_status *t6_tokenizer_encode(const t6_tokenizer *tokenizer, const char *text,
                               size_t bytes, int32_t allow_special,
                               int32_t **tokens, size_t *count) {
  if (!tokenizer || (!text && bytes > 0) || !tokens || !count)
    return nullArgument("tokenizer, text, tokens or count");
  std::vector<int32_t> ids =
      tokenizer->tokenizer->encode({text, bytes}, allow_special != 0);
  char *copy = copyString({reinterpret_cast<const char *>(ids.data()),
                           ids.size() * sizeof(int32_t)});
  *tokens = reinterpret_cast<int32_t *>(copy);
  *count = ids.size();
  return nullptr;
}

t6_status *t6_tokenizer_decode(const t6_tokenizer *tokenizer,
                               const int32_t *tokens, size_t count, char **text,
                               size_t *bytes) {
  if (!tokenizer || (!tokens && count > 0) || !text || !bytes)
    return nullArgument("tokenizer, tokens, text or bytes");
  absl::StatusOr<std::string> decoded =
      tokenizer->tokenizer->decode({tokens, count});
  T6_RETURN_IF_ERROR(decoded.status());
  *text = copyString(*decoded);
  *bytes = decoded->size();
  return nullptr;
}

t6_status *t6_tokenize_file(const t6_tokenizer *tokenizer,
                            const char *text_path, const char *token_path,
                            int32_t allow_special, int64_t *count) {
  if (!tokenizer || !text_path || !token_path)
    return nullArgument("tokenizer, text_path or token_path");
  absl::StatusOr<int64_t> written = encodeTextFile(
      *tokenizer->tokenizer, text_path, token_path, allow_special != 0);
  T6_RETURN_IF_ERROR(written.status());
  if (count)
    *count = *written;
  return nullptr;
}

t6_status *t6_detokenize_file(const t6_tokenizer *tokenizer,
                              const char *token_path, const char *text_path,
                              int64_t *count) {
  if (!tokenizer || !text_path || !token_path)
    return nullArgument("tokenizer, token_path or text_path");
  absl::StatusOr<int64_t> read =
      decodeTokenFile(*tokenizer->tokenizer, token_path, text_path);
  T6_RETURN_IF_ERROR(read.status());
  if (count)
    *count = *read;
  return nullptr;
}
