//===- TokenizeCommand.cpp - t6 tokenize ----------------------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "tools/t6/Command.h"
#include "tools/t6/Console.h"
#include "tools/t6/ModelArguments.h"

namespace t6::cli {
namespace {

class TokenizeCommand : public Command {
public:
  const char *name() const override { return "tokenize"; }
  const char *summary() const override {
    return "Encode a text file to a token file, or decode one";
  }
  void declare(Options &options) override {
    options.positional(
        "tokenizer", tokenizerPath,
        "tokenizer.json, vocab.json, their folder, or the word bytes");
    options.positional("input", input, "Text file (--decode: token file)");
    options.positional("output", output, "Token file (--decode: text file)");
    options.flag("--decode", decode, "From tokens to text");
    options.flag("--special", special,
                 "Encode the text of special tokens as these tokens");
  }
  int run() override {
    Tokenizer tokenizer;
    if (t6_status *status = openTokenizer(tokenizerPath, tokenizer))
      return fail(status);
    int64_t count = 0;
    t6_status *status = decode
                            ? t6_detokenize_file(tokenizer.get(), input.c_str(),
                                                 output.c_str(), &count)
                            : t6_tokenize_file(tokenizer.get(), input.c_str(),
                                               output.c_str(), special, &count);
    if (status)
      return fail(status);
    printLine(format("%lld tokens", static_cast<long long>(count)));
    return kFine;
  }

private:
  std::string tokenizerPath, input, output;
  bool decode = false, special = false;
};

} // namespace

std::unique_ptr<Command> makeTokenizeCommand() {
  return std::make_unique<TokenizeCommand>();
}

} // namespace t6::cli
