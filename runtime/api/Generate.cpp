//===- Generate.cpp - Prompts in, tokens and text out ---------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "runtime/api/Decoder.h"
#include "runtime/api/Model.h"
#include "runtime/api/Status.h"
#include "runtime/api/StopFilter.h"
#include "runtime/api/Tokenizer.h"
#include "runtime/sampling/Sampler.h"
#include "runtime/text/Utf8Stream.h"

#include <chrono>
#include <memory>
#include <string>
#include <utility>
#include <vector>

using namespace t6;

namespace {

double now() {
  return std::chrono::duration<double>(
             std::chrono::steady_clock::now().time_since_epoch())
      .count();
}

/// One sequence.
struct Row {
  std::vector<int32_t> history; ///< The prompt and what was generated.
  Utf8Stream utf8;
  StopFilter filter;
  int64_t generated = 0;
  t6_finish finish = T6_FINISH_NONE;
};

class Generation {
public:
  Generation(t6_model &model, const t6_generate_options &options)
      : model(model), options(options),
        tokenizer(options.tokenizer ? options.tokenizer->tokenizer.get()
                                    : nullptr) {}

  /// Takes options and prompts; after success nothing of the caller's is wrong.
  absl::Status prepare(absl::Span<const t6_prompt> prompts);
  absl::Status run(t6_generate_result &result);

private:
  absl::Status prepareSampler();
  absl::Status prepareRow(size_t index, const t6_prompt &prompt);
  absl::Status checkPages() const;
  bool active() const;
  absl::Status chooseTokens();
  void accept(size_t index, int32_t token);
  bool isStop(int32_t token) const;
  void emit(size_t index, int32_t token, const std::string &text);
  void cancelRest();

  t6_model &model;
  const t6_generate_options &options;
  const Tokenizer *tokenizer;
  std::unique_ptr<Decoder> decoder;
  std::unique_ptr<Sampler> sampler;
  std::vector<Row> rows;
  bool cancelled = false;
};

absl::Status Generation::prepareSampler() {
  absl::StatusOr<t6_sampling_options> read =
      readOptions(options.sampling, t6_sampling_options_init);
  if (!read.ok())
    return read.status();
  SamplingOptions sampling;
  sampling.repetitionPenalty = read->repetition_penalty;
  sampling.temperature = read->temperature;
  sampling.topK = read->top_k;
  sampling.topP = read->top_p;
  sampling.minP = read->min_p;
  sampling.seed = read->seed;
  sampling.vocabLimit = read->vocab_limit;
  if (sampling.vocabLimit == 0 && tokenizer)
    sampling.vocabLimit = tokenizer->vocabSize();
  absl::StatusOr<Sampler> made = Sampler::create(sampling);
  if (!made.ok())
    return made.status();
  sampler = std::make_unique<Sampler>(*std::move(made));
  return absl::OkStatus();
}

absl::Status Generation::prepareRow(size_t index, const t6_prompt &prompt) {
  if (prompt.text && !tokenizer)
    return absl::InvalidArgumentError(
        "a prompt of text needs a tokenizer. HINT: give --tokenizer "
        "tokenizer.json, or token ids with --tokens");
  std::vector<std::string> stops(options.stop_texts,
                                 options.stop_texts + options.stop_text_count);
  rows.push_back({{}, {}, StopFilter(std::move(stops))});
  std::vector<int32_t> &tokens = rows.back().history;
  if (prompt.text)
    tokens = tokenizer->encode({prompt.text, prompt.text_bytes}, true);
  else
    tokens.assign(prompt.tokens, prompt.tokens + prompt.token_count);
  if (tokens.empty())
    return absl::InvalidArgumentError(
        absl::StrCat("prompt ", index,
                     " is empty. HINT: to begin a text from nothing, give "
                     "the end-of-text token as the prompt"));
  for (size_t i = 0; i < tokens.size(); ++i)
    if (tokens[i] < 0 || tokens[i] >= decoder->vocabSize())
      return absl::InvalidArgumentError(absl::StrCat(
          "prompt ", index, " has the token ", tokens[i], " at index ", i,
          ", and the ids of ", model.artifact->path(), " are 0 to ",
          decoder->vocabSize() - 1,
          prompt.text ? ". HINT: this tokenizer belongs to another model"
                      : ". HINT: `t6 info` states the vocabulary's size"));
  if (int64_t(tokens.size()) > decoder->maxLength())
    return absl::InvalidArgumentError(
        absl::StrCat("prompt ", index, " has ", tokens.size(),
                     " tokens, more than the maximum length ",
                     decoder->maxLength(), " of ", model.artifact->path(),
                     ". HINT: tpa-opt --max-length=", tokens.size() + 1,
                     " or more, if the model's context allows it"));
  return absl::OkStatus();
}

/// Prompts that are too long for one another's pages can never be run.
absl::Status Generation::checkPages() const {
  const PageTable *pages = decoder->pageTable();
  if (!pages)
    return absl::OkStatus();
  int64_t wanted = 0;
  for (const Row &row : rows)
    wanted += pages->pagesFor(row.history.size());
  if (wanted <= pages->pageCount())
    return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat(
      "the prompts take ", wanted, " pages of ", pages->tokensOfPage(),
      " tokens, and the cache of ", model.artifact->path(), " has ",
      pages->pageCount(),
      ". HINT: give fewer or shorter ones, or tpa-opt --cache-tokens=",
      wanted * pages->tokensOfPage(), " or more"));
}

absl::Status Generation::prepare(absl::Span<const t6_prompt> prompts) {
  if (options.max_tokens < -1)
    return absl::InvalidArgumentError(
        absl::StrCat("the number of tokens to generate is ", options.max_tokens,
                     ". HINT: -1 stands for as many as fit"));
  if (options.stop_text_count > 0 && !tokenizer)
    return absl::InvalidArgumentError(
        "stop texts need a tokenizer. HINT: give --tokenizer tokenizer.json, "
        "or stop at token ids with --stop-token");
  for (size_t i = 0; i < options.stop_text_count; ++i)
    if (!*options.stop_texts[i])
      return absl::InvalidArgumentError(
          "a stop text is empty. HINT: leave it out");
  absl::Status status = prepareSampler();
  if (!status.ok())
    return status;
  status = model.ready();
  if (!status.ok())
    return status;
  absl::StatusOr<Decoder> made =
      Decoder::create(*model.artifact, *model.executor);
  if (!made.ok())
    return made.status();
  decoder = std::make_unique<Decoder>(*std::move(made));
  if (prompts.empty())
    return absl::InvalidArgumentError(
        "there is no prompt. HINT: give one with --prompt or --tokens");
  if (int64_t(prompts.size()) > decoder->batch())
    return absl::InvalidArgumentError(absl::StrCat(
        "there are ", prompts.size(), " prompts, and ", model.artifact->path(),
        " was compiled for a batch of ", decoder->batch(),
        ". HINT: tpa-opt --batch=", prompts.size()));
  for (size_t i = 0; i < prompts.size() && status.ok(); ++i)
    status = prepareRow(i, prompts[i]);
  return status.ok() ? checkPages() : status;
}

bool Generation::active() const {
  for (const Row &row : rows)
    if (row.finish == T6_FINISH_NONE)
      return true;
  return false;
}

bool Generation::isStop(int32_t token) const {
  if (tokenizer && !options.ignore_eos && token == tokenizer->eosId())
    return true;
  for (size_t i = 0; i < options.stop_token_count; ++i)
    if (options.stop_tokens[i] == token)
      return true;
  return false;
}

void Generation::emit(size_t index, int32_t token, const std::string &text) {
  if (!options.callback)
    return;
  t6_token_event event = {index, token, text.data(), text.size(),
                          rows[index].finish};
  if (options.callback(options.user, &event) != 0)
    cancelled = true;
}

/// Adds a token to its row, decides whether the row goes on, and reports it.
void Generation::accept(size_t index, int32_t token) {
  Row &row = rows[index];
  row.history.push_back(token);
  ++row.generated;
  std::string text;
  bool stop = isStop(token);
  if (!stop && tokenizer && !tokenizer->isSpecial(token))
    text = row.filter.push(row.utf8.push(tokenizer->decodeBytes(token)));
  if (stop || row.filter.found())
    row.finish = T6_FINISH_STOP;
  else if (row.generated == options.max_tokens)
    row.finish = T6_FINISH_MAX_TOKENS;
  else if (int64_t(row.history.size()) > decoder->maxLength())
    row.finish = T6_FINISH_MAX_LENGTH; // The new token has no place to stand.
  if (row.finish != T6_FINISH_NONE) {
    text += row.filter.push(row.utf8.flush()) + row.filter.flush();
    decoder->end(index);
  }
  emit(index, token, text);
}

absl::Status Generation::chooseTokens() {
  for (size_t i = 0; i < rows.size() && !cancelled; ++i) {
    Row &row = rows[i];
    if (row.finish != T6_FINISH_NONE)
      continue;
    absl::StatusOr<int32_t> token =
        sampler->sample(decoder->logits(i), row.history, row.history.size(), i);
    if (!token.ok())
      return token.status();
    accept(i, *token);
  }
  return absl::OkStatus();
}

/// Ends the rows that are still going, after their last whole token.
void Generation::cancelRest() {
  for (size_t i = 0; i < rows.size(); ++i)
    if (Row &row = rows[i]; row.finish == T6_FINISH_NONE) {
      row.finish = T6_FINISH_CANCELLED;
      emit(i, -1, row.filter.push(row.utf8.flush()) + row.filter.flush());
    }
}

absl::Status Generation::run(t6_generate_result &result) {
  double start = now();
  model.executor->resetState();
  std::vector<absl::Span<const int32_t>> prompts;
  for (const Row &row : rows) {
    prompts.push_back(row.history);
    result.prompt_tokens += row.history.size();
  }
  absl::StatusOr<bool> prefilled =
      decoder->prefill(prompts, [&] { return model.takeCancel(); });
  if (!prefilled.ok())
    return prefilled.status();
  result.prompt_seconds = now() - start;
  result.cache_bytes = model.executor->stateBytes();
  cancelled = !*prefilled;
  for (size_t i = 0; i < rows.size() && options.max_tokens == 0; ++i) {
    rows[i].finish = T6_FINISH_MAX_TOKENS;
    emit(i, -1, "");
  }
  start = now();
  absl::Status status = cancelled ? absl::OkStatus() : chooseTokens();
  std::vector<int32_t> next(rows.size());
  while (status.ok() && active() && !cancelled) {
    if (model.takeCancel()) {
      cancelled = true;
      break;
    }
    for (size_t i = 0; i < rows.size(); ++i)
      next[i] = rows[i].finish == T6_FINISH_NONE ? rows[i].history.back() : -1;
    status = decoder->step(next);
    if (status.ok())
      status = chooseTokens();
  }
  result.decode_seconds = now() - start;
  cancelRest();
  for (const Row &row : rows) {
    result.generated_tokens += row.generated;
    result.decoded_tokens += row.generated > 0 ? row.generated - 1 : 0;
  }
  return status;
}

} // namespace

void t6_sampling_options_init(t6_sampling_options *options) {
  *options = {};
  options->struct_size = sizeof(*options);
  options->repetition_penalty = 1;
  options->temperature = 1;
  options->top_p = 1;
}

void t6_generate_options_init(t6_generate_options *options) {
  *options = {};
  options->struct_size = sizeof(*options);
  options->max_tokens = -1;
}

t6_status *t6_generate(t6_model *model, const t6_prompt *prompts, size_t count,
                       const t6_generate_options *given,
                       t6_generate_result *result) {
  if (!model || (!prompts && count > 0))
    return nullArgument(model ? "prompts" : "model");
  absl::StatusOr<t6_generate_options> options =
      readOptions(given, t6_generate_options_init);
  T6_RETURN_IF_ERROR(options.status());
  Generation generation(*model, *options);
  T6_RETURN_IF_ERROR(generation.prepare({prompts, count}));
  t6_generate_result value = {};
  T6_RETURN_IF_ERROR(generation.run(value));
  writeResult(value, result);
  return nullptr;
}
