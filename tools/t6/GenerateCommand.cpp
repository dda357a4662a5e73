//===- GenerateCommand.cpp - t6 generate ----------------------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "tools/t6/Command.h"
#include "tools/t6/Console.h"
#include "tools/t6/ModelArguments.h"

#include <atomic>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <nlohmann/json.hpp>
#include <sys/random.h>

namespace t6::cli {
namespace {

/// When the program started, for the time to the first token.
const auto programStart = std::chrono::steady_clock::now();

double secondsSinceStart() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() -
                                       programStart)
      .count();
}

std::atomic<t6_model *> running{nullptr};
std::atomic<bool> interrupted{false};

void onInterrupt(int) {
  interrupted.store(true);
  if (t6_model *model = running.load())
    t6_model_cancel(model);
}

/// The first Ctrl-C ends the generation, the second one the program.
void catchInterrupt(t6_model *model) {
  running.store(model);
  struct sigaction action = {};
  action.sa_handler = onInterrupt;
  action.sa_flags = static_cast<int>(SA_RESETHAND);
  ::sigaction(SIGINT, &action, nullptr);
}

uint64_t randomSeed() {
  // Small enough to be typed again.
  uint32_t seed = 0;
  if (::getrandom(&seed, sizeof(seed), 0) != sizeof(seed))
    seed = static_cast<uint32_t>(
        std::chrono::steady_clock::now().time_since_epoch().count());
  return seed;
}

const char *finishName(t6_finish finish) {
  switch (finish) {
  case T6_FINISH_STOP:
    return "stop";
  case T6_FINISH_MAX_TOKENS:
    return "max_tokens";
  case T6_FINISH_MAX_LENGTH:
    return "max_length";
  case T6_FINISH_CANCELLED:
    return "cancelled";
  case T6_FINISH_NONE:
    break;
  }
  return "none";
}

/// What one row of the batch has said.
struct RowOutput {
  std::string text;
  std::vector<int32_t> tokens;
  t6_finish finish = T6_FINISH_NONE;
};

/// "5,17,9" to numbers; false for anything else.
bool parseTokens(const std::string &list, std::vector<int32_t> &tokens) {
  const char *next = list.c_str();
  do {
    char *end;
    errno = 0;
    long value = std::strtol(next, &end, 10);
    if (end == next || errno || value < INT32_MIN || value > INT32_MAX ||
        (*end && *end != ','))
      return false;
    tokens.push_back(static_cast<int32_t>(value));
    next = *end ? end + 1 : end;
  } while (*next);
  return list.back() != ',';
}

class GenerateCommand : public Command {
public:
  const char *name() const override { return "generate"; }
  const char *summary() const override {
    return "Continue prompts, as text or as token ids";
  }
  void declare(Options &options) override;
  int run() override;

private:
  int readPrompts();
  int readStops();
  t6_status *generate(t6_model *model, const t6_tokenizer *tokenizer,
                      t6_generate_result &result);
  int onToken(const t6_token_event &event);
  void printRows() const;
  std::string idsOf(const RowOutput &row) const;
  void printSummary(const t6_model *model, const t6_generate_result &result);

  ModelArguments model;
  std::vector<std::string> promptTexts, tokenLists, stopTexts;
  std::vector<int64_t> stopIds;
  std::string tokenizerPath;
  int64_t maxTokens = 128;
  int64_t vocabLimit = 0;
  std::optional<uint64_t> seed;
  double temperature = 1, topP = 1, minP = 0, repetitionPenalty = 1;
  int64_t topK = 0;
  bool ignoreEos = false, json = false, quiet = false;

  std::vector<std::vector<int32_t>> promptTokens;
  std::vector<t6_prompt> prompts;
  std::vector<int32_t> stopTokens;
  std::vector<RowOutput> rows;
  bool streaming = false; ///< Rows are printed as they come.
  bool drawn = false;     ///< The seed is our own, and has to be told.
  double firstToken = 0;
};

void GenerateCommand::declare(Options &options) {
  model.declare(options);
  options.add("-p,--prompt", promptTexts,
              "Text to continue (repeatable: one row of the batch each)");
  options.add("--tokens", tokenLists,
              "Token ids to continue, 5,17,9 (repeatable)");
  options.add("--tokenizer", tokenizerPath,
              "tokenizer.json, vocab.json, their folder, or the word bytes");
  options.add("-n,--max-tokens", maxTokens,
              "New tokens in each row; -1: until the cache is full");
  options.add("-s,--seed", seed, "Seed of the sampling; drawn when absent");
  options.add("--temperature", temperature, "0: the most likely token");
  options.add("--top-k", topK, "Only the k most likely tokens; 0: all");
  options.add("--top-p", topP, "Only the most likely, up to this probability");
  options.add("--min-p", minP, "Only tokens of this share of the likeliest");
  options.add("--repetition-penalty", repetitionPenalty, "1: none");
  options.add("--vocab-limit", vocabLimit,
              "Never sample ids from here on; 0: beyond the tokenizer's");
  options.add("--stop", stopTexts, "Text that ends a row (repeatable)");
  options.add("--stop-token", stopIds, "Token ids that end a row");
  options.flag("--ignore-eos", ignoreEos, "Go on after the end token");
  options.flag("--json", json, "One JSON object for each row");
  options.flag("-q,--quiet", quiet, "No summary");
}

int GenerateCommand::readPrompts() {
  if (promptTexts.empty() == tokenLists.empty())
    return failUsage("give the prompt either with --prompt or with --tokens. "
                     "HINT: t6 generate --help");
  for (const std::string &text : promptTexts)
    prompts.push_back({text.data(), text.size(), nullptr, 0});
  promptTokens.resize(tokenLists.size());
  for (size_t i = 0; i < tokenLists.size(); ++i) {
    if (!parseTokens(tokenLists[i], promptTokens[i]))
      return failUsage("--tokens: '" + tokenLists[i] +
                       "' is not a list of token ids. HINT: --tokens 5,17,9");
    prompts.push_back(
        {nullptr, 0, promptTokens[i].data(), promptTokens[i].size()});
  }
  rows.resize(prompts.size());
  return kFine;
}

int GenerateCommand::readStops() {
  for (int64_t id : stopIds) {
    if (id < 0 || id > INT32_MAX)
      return failUsage(format("--stop-token: %lld is not a token id. HINT: ids "
                              "count from 0",
                              static_cast<long long>(id)));
    stopTokens.push_back(static_cast<int32_t>(id));
  }
  if (topK < 0 || topK > INT32_MAX || vocabLimit < 0 || vocabLimit > INT32_MAX)
    return failUsage("--top-k and --vocab-limit are 0 or more. HINT: 0 keeps "
                     "all tokens");
  return kFine;
}

std::string GenerateCommand::idsOf(const RowOutput &row) const {
  std::string ids;
  for (int32_t token : row.tokens)
    ids += (ids.empty() ? "" : ",") + std::to_string(token);
  return ids;
}

int GenerateCommand::onToken(const t6_token_event &event) {
  if (firstToken == 0 && event.token >= 0) {
    firstToken = secondsSinceStart();
    if (drawn)
      printLine(format("seed: %llu", static_cast<unsigned long long>(*seed)));
  }
  RowOutput &row = rows[event.row];
  row.finish = event.finish;
  row.text.append(event.text, event.text_bytes);
  if (event.token >= 0)
    row.tokens.push_back(event.token);
  if (!streaming)
    return 0;
  std::string text(event.text, event.text_bytes);
  if (tokenizerPath.empty() && event.token >= 0)
    text = (row.tokens.size() > 1 ? "," : "") + std::to_string(event.token);
  if (event.finish != T6_FINISH_NONE)
    text += "\n";
  return writeOut(text) ? 0 : 1;
}

void GenerateCommand::printRows() const {
  for (size_t i = 0; i < rows.size(); ++i) {
    if (!json) {
      writeOut((tokenizerPath.empty() ? idsOf(rows[i]) : rows[i].text) + "\n");
      continue;
    }
    nlohmann::ordered_json object;
    object["row"] = i;
    object["tokens"] = rows[i].tokens;
    if (!tokenizerPath.empty())
      object["text"] = rows[i].text;
    object["finish"] = finishName(rows[i].finish);
    writeOut(object.dump() + "\n");
  }
}

t6_status *GenerateCommand::generate(t6_model *opened,
                                     const t6_tokenizer *tokenizer,
                                     t6_generate_result &result) {
  t6_sampling_options sampling;
  t6_sampling_options_init(&sampling);
  sampling.temperature = static_cast<float>(temperature);
  sampling.top_k = static_cast<int32_t>(topK);
  sampling.top_p = static_cast<float>(topP);
  sampling.min_p = static_cast<float>(minP);
  sampling.repetition_penalty = static_cast<float>(repetitionPenalty);
  sampling.vocab_limit = static_cast<int32_t>(vocabLimit);
  drawn = !seed && temperature != 0;
  if (drawn)
    seed = randomSeed();
  sampling.seed = seed.value_or(0);
  t6_generate_options options;
  t6_generate_options_init(&options);
  options.sampling = &sampling;
  options.tokenizer = tokenizer;
  options.max_tokens = maxTokens;
  options.stop_tokens = stopTokens.data();
  options.stop_token_count = stopTokens.size();
  std::vector<const char *> stops;
  for (const std::string &stop : stopTexts)
    stops.push_back(stop.c_str());
  options.stop_texts = stops.data();
  options.stop_text_count = stops.size();
  options.ignore_eos = ignoreEos;
  options.user = this;
  options.callback = [](void *user, const t6_token_event *event) {
    return static_cast<GenerateCommand *>(user)->onToken(*event);
  };
  return t6_generate(opened, prompts.data(), prompts.size(), &options, &result);
}

void GenerateCommand::printSummary(const t6_model *opened,
                                   const t6_generate_result &result) {
  t6_model_stats stats = statsOf(opened);
  for (size_t i = 0; i < rows.size(); ++i)
    if (rows[i].finish == T6_FINISH_MAX_LENGTH)
      printNote(format("row %zu stopped at the maximum length, %lld tokens. "
                       "HINT: tpa-opt --max-length",
                       i, static_cast<long long>(stats.max_length)));
  if (interrupted.load())
    printNote("interrupted");
  if (quiet)
    return;
  auto rate = [](int64_t tokens, double seconds) {
    return seconds > 0 ? static_cast<double>(tokens) / seconds : 0.0;
  };
  printLine(format("prompt: %lld tokens, %.3f s, %.1f tokens/s",
                   static_cast<long long>(result.prompt_tokens),
                   result.prompt_seconds,
                   rate(result.prompt_tokens, result.prompt_seconds)));
  printLine(format("output: %lld tokens, %.3f s, %.1f tokens/s",
                   static_cast<long long>(result.generated_tokens),
                   result.decode_seconds,
                   rate(result.decoded_tokens, result.decode_seconds)));
  printLine(format(
      "first token %.3f s after the start; cache %s, weights %s mapped and %s "
      "copied, %d threads",
      firstToken, bytesText(result.cache_bytes).c_str(),
      bytesText(stats.mapped_weight_bytes).c_str(),
      bytesText(stats.copied_weight_bytes).c_str(), stats.threads));
}

int GenerateCommand::run() {
  if (int code = readPrompts())
    return code;
  if (int code = readStops())
    return code;
  Tokenizer tokenizer;
  if (!tokenizerPath.empty())
    if (t6_status *status = openTokenizer(tokenizerPath, tokenizer))
      return fail(status);
  Model opened;
  if (t6_status *status = model.open(opened))
    return fail(status);
  streaming = rows.size() == 1 && !json;
  catchInterrupt(opened.get());
  t6_generate_result result = {};
  result.struct_size = sizeof(result);
  t6_status *status = generate(opened.get(), tokenizer.get(), result);
  running.store(nullptr);
  if (status) {
    // What was streamed so far is no whole line.
    if (streaming && !rows[0].tokens.empty() && !rows[0].finish)
      writeOut("\n");
    return fail(status);
  }
  if (!streaming)
    printRows();
  printSummary(opened.get(), result);
  return interrupted.load() ? kInterrupted : kFine;
}

} // namespace

std::unique_ptr<Command> makeGenerateCommand() {
  return std::make_unique<GenerateCommand>();
}

} // namespace t6::cli
