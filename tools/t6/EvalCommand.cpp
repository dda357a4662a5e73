//===- EvalCommand.cpp - t6 eval ------------------------------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "tools/t6/Command.h"
#include "tools/t6/Console.h"
#include "tools/t6/ModelArguments.h"

#include <nlohmann/json.hpp>

namespace t6::cli {
namespace {

class EvalCommand : public Command {
public:
  const char *name() const override { return "eval"; }
  const char *summary() const override {
    return "Loss and perplexity of a corpus, with their standard errors";
  }
  void declare(Options &options) override {
    model.declare(options);
    options.add("--data", data,
                "Corpus, as for t6 train: file of tokens, folder of shards (of "
                "which those for validation, if any), or text");
    options.add("--tokenizer", tokenizer, "Tokenizer of a corpus of text");
    options.add("--validation-share", validationShare,
                "Only the last share of --data, which t6 train keeps apart at "
                "the same --length; 0: all");
    options.add("--length", length,
                "Tokens in a window; 0: as many as the model takes");
    options.add("--max-tokens", maxTokens, "Only so many tokens; 0: all");
    options.flag("--json", json, "Print a JSON object");
    options.require("data");
  }
  int run() override;

private:
  void print(const t6_evaluate_result &result) const;

  ModelArguments model;
  std::string data, tokenizer;
  double validationShare = 0;
  int64_t length = 0, maxTokens = 0;
  bool json = false;
};

void EvalCommand::print(const t6_evaluate_result &result) const {
  if (json) {
    nlohmann::ordered_json object;
    object["loss"] = result.loss;
    object["loss_error"] = result.loss_error;
    object["perplexity"] = result.perplexity;
    object["perplexity_error"] = result.perplexity_error;
    object["tokens"] = result.tokens;
    object["windows"] = result.windows;
    object["seconds"] = result.seconds;
    writeOut(object.dump() + "\n");
    return;
  }
  writeOut(format("loss        %.5f ± %.5f\nperplexity  %.4f ± %.4f\n"
                  "tokens      %lld\n",
                  result.loss, result.loss_error, result.perplexity,
                  result.perplexity_error,
                  static_cast<long long>(result.tokens)));
}

int EvalCommand::run() {
  Tokenizer encoder;
  if (!tokenizer.empty())
    if (t6_status *status = openTokenizer(tokenizer, encoder))
      return fail(status);
  Model opened;
  if (t6_status *status = model.open(opened))
    return fail(status);
  Progress progress("eval");
  t6_evaluate_options options;
  t6_evaluate_options_init(&options);
  options.length = length;
  options.max_tokens = maxTokens;
  options.tokenizer = encoder.get();
  options.validation_share = validationShare;
  options.user = &progress;
  options.progress = [](void *user, int64_t done, int64_t total) {
    static_cast<Progress *>(user)->update(
        format("%lld of %lld windows", static_cast<long long>(done),
               static_cast<long long>(total)));
    return 0;
  };
  t6_evaluate_result result = {};
  result.struct_size = sizeof(result);
  t6_status *status =
      t6_evaluate(opened.get(), data.c_str(), &options, &result);
  progress.clear();
  if (status)
    return fail(status);
  if (!result.has_header)
    printNote(data + " has no header and was read as bare 16-bit token ids");
  print(result);
  printLine(format("%lld tokens in %lld windows, %.3f s, %.1f tokens/s",
                   static_cast<long long>(result.tokens),
                   static_cast<long long>(result.windows), result.seconds,
                   static_cast<double>(result.tokens) / result.seconds));
  return kFine;
}

} // namespace

std::unique_ptr<Command> makeEvalCommand() {
  return std::make_unique<EvalCommand>();
}

} // namespace t6::cli
