//===- ByteTokenizer.cpp - One token a byte -------------------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "runtime/text/Tokenizer.h"

#include <utility>

namespace t6 {
namespace {

class ByteTokenizer : public Tokenizer {
public:
  ByteTokenizer(TokenTable table, std::vector<AddedToken> added)
      : Tokenizer(std::move(table), std::move(added)) {}

private:
  size_t encodeOrdinary(absl::string_view text, bool,
                        std::vector<int32_t> &ids) const override {
    for (char c : text)
      ids.push_back(uint8_t(c));
    return text.size();
  }
};

} // namespace

std::unique_ptr<Tokenizer> makeByteTokenizer() {
  TokenTable table;
  for (int byte = 0; byte < 256; ++byte) {
    char c = char(byte);
    table.add(absl::string_view(&c, 1));
  }
  std::vector<AddedToken> added{{"<|endoftext|>", 256, /*special=*/true}};
  table.add(added[0].text);
  return std::make_unique<ByteTokenizer>(std::move(table), std::move(added));
}

} // namespace t6
