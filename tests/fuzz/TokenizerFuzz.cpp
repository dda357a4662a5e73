//===- TokenizerFuzz.cpp - Hostile tokenizers and hostile texts -----------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "runtime/text/Tokenizer.h"
#include "runtime/text/Utf8.h"
#include "runtime/text/Utf8Stream.h"

#include "absl/strings/str_cat.h"

#include <cstdio>
#include <cstdlib>

namespace {

using namespace t6;

void check(bool condition, const char *what) {
  if (condition)
    return;
  std::fprintf(stderr, "violated: %s\n", what);
  std::abort();
}

/// GPT-2's character for a byte.
std::string spelling(int byte) {
  bool printable = (byte >= '!' && byte <= '~') ||
                   (byte >= 0xA1 && byte <= 0xAC) || byte >= 0xAE;
  int shifted = byte <= ' ' ? 0x100 + byte : 0x100 + 33 + byte - 0x7F;
  std::string text;
  appendUtf8(printable ? byte : byte == 0xAD ? 0x143 : shifted, text);
  return text;
}

std::unique_ptr<Tokenizer> tinyTokenizer() {
  std::string vocab, merges;
  int next = 0;
  auto add = [&](const std::string &token) {
    bool escaped = token == "\"" || token == "\\";
    absl::StrAppend(&vocab, next ? "," : "", "\"", escaped ? "\\" : "", token,
                    "\":", next);
    ++next;
  };
  for (int byte = 0; byte < 256; ++byte)
    add(spelling(byte));
  const std::string pairs[][2] = {
      {"a", "a"},      {"aa", "aa"}, {"t", "h"},           {"th", "e"},
      {"\u0120", "t"}, {"e", "t"},   {"\u00C3", "\u00A9"}, {"'", "s"}};
  for (const auto &pair : pairs) {
    add(pair[0] + pair[1]);
    absl::StrAppend(&merges, merges.empty() ? "" : ",", "[\"", pair[0], "\",\"",
                    pair[1], "\"]");
  }
  std::string json = absl::StrCat(
      "{\"added_tokens\":[{\"content\":\"<|endoftext|>\",\"id\":", next,
      ",\"special\":true},{\"content\":\"[D]\",\"id\":", next + 1,
      "}],\"pre_tokenizer\":{\"type\":\"ByteLevel\",\"add_prefix_space\":false}"
      ",\"model\":{\"vocab\":{",
      vocab, "},\"merges\":[", merges, "]}}");
  auto tokenizer = parseTokenizerJson(json, "tiny");
  check(tokenizer.ok(), tokenizer.status().ToString().c_str());
  return *std::move(tokenizer);
}

/// Decoding gives back what was encoded, whole or in chunks.
void roundTrip(const Tokenizer &tokenizer, absl::string_view text,
               size_t chunk) {
  for (bool allowSpecial : {false, true}) {
    std::vector<int32_t> ids = tokenizer.encode(text, allowSpecial);
    auto bytes = tokenizer.decode(ids);
    check(bytes.ok() && *bytes == text, "decode(encode(text)) == text");
    StreamEncoder encoder(tokenizer, allowSpecial);
    std::vector<int32_t> streamed;
    for (size_t pos = 0; pos < text.size(); pos += chunk)
      encoder.push(text.substr(pos, chunk), streamed);
    encoder.finish(streamed);
    check(streamed == ids, "encoding in chunks gives the same ids");
    Utf8Stream all, pieces;
    std::string expected = all.push(text) + all.flush(), shown;
    for (int32_t id : ids)
      shown += pieces.push(tokenizer.decodeBytes(id));
    check(shown + pieces.flush() == expected, "text does not depend on cuts");
  }
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  static const std::unique_ptr<Tokenizer> tiny = tinyTokenizer();
  static const std::unique_ptr<Tokenizer> bytes = makeByteTokenizer();
  absl::string_view input(reinterpret_cast<const char *>(data), size);
  size_t chunk = size == 0 ? 1 : 1 + data[size - 1] % 16;
  roundTrip(*tiny, input, chunk);
  roundTrip(*bytes, input, chunk);
  auto fromJson = parseTokenizerJson(input, "fuzz");
  if (fromJson.ok())
    roundTrip(**fromJson, input, chunk);
  // A vocab.json, a zero byte, a merges.txt.
  size_t zero = input.find('\0');
  if (zero == absl::string_view::npos)
    return 0;
  auto fromVocab = parseVocabAndMerges(
      input.substr(0, zero), input.substr(zero + 1), "vocab", "merges");
  if (fromVocab.ok())
    roundTrip(**fromVocab, input, chunk);
  return 0;
}
