//===- Evaluate.cpp - Loss and perplexity of a corpus ---------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "runtime/api/EntryPorts.h"
#include "runtime/api/Model.h"
#include "runtime/api/Status.h"
#include "runtime/api/Tokenizer.h"
#include "runtime/data/Corpus.h"
#include "runtime/text/TokenFile.h"

#include "absl/strings/match.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <filesystem>
#include <memory>
#include <utility>
#include <vector>

using namespace t6;

namespace {

/// What a window of text contributes.
struct Window {
  size_t shard = 0;
  int64_t offset = 0; ///< Of its first token.
  double sum = 0;     ///< Of -ln p.
  double sumOfSquares = 0;
  int64_t tokens = 0;
};

class Evaluation {
public:
  Evaluation(t6_model &model, const t6_evaluate_options &options)
      : model(model), options(options) {}

  absl::Status prepare(const std::string &path);
  absl::Status run();
  t6_evaluate_result result() const;

private:
  absl::Status openEntry();
  absl::Status openTokenFile(const std::string &path);
  absl::Status openCorpusAt(const std::string &path);
  void cutWindows();
  absl::Status runBatch(size_t first);
  void fill(size_t first);
  int32_t vocabulary() const;

  t6_model &model;
  const t6_evaluate_options &options;
  EntryPorts ports;
  TokenDataset dataset;
  bool hasHeader = true;
  int64_t batch = 1;
  int64_t runLength = 0; ///< Columns of a run's inputs.
  std::vector<Window> windows;
  int64_t length = 0; ///< Predictions of a full window.
  std::vector<int32_t> inputs, targets;
};

absl::Status Evaluation::prepare(const std::string &path) {
  if (options.length < 0 || options.max_tokens < 0)
    return absl::InvalidArgumentError(
        "a number of tokens to evaluate is negative. HINT: 0 stands for all");
  std::error_code error;
  bool isTokens = !std::filesystem::is_directory(path, error) &&
                  (!options.tokenizer || absl::EndsWith(path, ".bin")) &&
                  options.validation_share == 0;
  // What is wrong with a file is found before the model is loaded.
  absl::Status status = isTokens ? openTokenFile(path) : absl::OkStatus();
  if (status.ok())
    status = model.ready();
  if (status.ok())
    status = openEntry();
  if (status.ok() && !isTokens)
    status = openCorpusAt(path);
  if (status.ok())
    cutWindows();
  return status;
}

/// A single file, whatever its name, of any number of tokens from two on.
absl::Status Evaluation::openTokenFile(const std::string &path) {
  absl::StatusOr<std::unique_ptr<TokenFile>> opened = TokenFile::open(path);
  if (!opened.ok())
    return opened.status();
  std::shared_ptr<TokenFile> file = *std::move(opened);
  if (file->tokens().size() < 2)
    return absl::InvalidArgumentError(
        absl::StrCat(path, ": has ", file->tokens().size(),
                     " tokens, and it takes two to predict one. HINT: write "
                     "one with `t6 tokenize`"));
  if (absl::Status status = file->checkRange(vocabulary()); !status.ok())
    return status;
  hasHeader = file->hasHeader();
  TokenShard shard;
  shard.path = path;
  shard.tokens = TokenSpan(file->tokens());
  shard.memory = std::move(file);
  std::vector<TokenShard> shards;
  shards.push_back(std::move(shard));
  dataset = TokenDataset(std::move(shards), vocabulary());
  return absl::OkStatus();
}

absl::Status Evaluation::openCorpusAt(const std::string &path) {
  CorpusOptions how;
  how.vocabSize = vocabulary();
  how.tokenizer =
      options.tokenizer ? options.tokenizer->tokenizer.get() : nullptr;
  how.validationShare = options.validation_share;
  if (options.validation_share > 0) {
    how.window = length;
    absl::StatusOr<Corpus> corpus =
        openCorpus(absl::MakeConstSpan(&path, 1), how);
    if (!corpus.ok())
      return corpus.status();
    dataset = corpus->validation;
  } else {
    how.window = 1;
    absl::StatusOr<TokenDataset> opened =
        openEvaluationCorpus(absl::MakeConstSpan(&path, 1), how);
    if (!opened.ok())
      return opened.status();
    dataset = *std::move(opened);
  }
  return dataset.checkVocabulary();
}

int32_t Evaluation::vocabulary() const {
  return static_cast<int32_t>(
      std::min<int64_t>(model.program().model.vocabSize, INT32_MAX));
}

absl::Status Evaluation::openEntry() {
  absl::StatusOr<EntryPorts> found = findEntryPorts(
      *model.artifact, "loss", {"tokens", "targets"}, "token_loss");
  if (!found.ok())
    return found.status();
  ports = *std::move(found);
  absl::StatusOr<AxisLimit> limit = lengthLimit(*model.artifact, ports, 0);
  if (!limit.ok())
    return limit.status();
  batch = model.program().options.batch;
  length = limit->max;
  if (options.length > length)
    return absl::InvalidArgumentError(absl::StrCat(
        "a window of ", options.length, " tokens is more than the ", length,
        " that the entry 'loss' of ", model.artifact->path(),
        " takes. HINT: tpa-opt --max-length=", options.length));
  if (options.length > 0)
    length = options.length;
  runLength = limit->isFixed ? limit->max : length;
  return absl::OkStatus();
}

/// Windows follow each other in each shard; its last may be shorter.
void Evaluation::cutWindows() {
  int64_t left = options.max_tokens > 0 ? options.max_tokens : INT64_MAX;
  absl::Span<const TokenShard> shards = dataset.shards();
  for (size_t shard = 0; shard < shards.size(); ++shard) {
    int64_t end = shards[shard].tokens.size() - 1;
    for (int64_t offset = 0; offset < end && left > 0; offset += length) {
      Window window;
      window.shard = shard;
      window.offset = offset;
      window.tokens = std::min({length, end - offset, left});
      left -= window.tokens;
      windows.push_back(window);
    }
  }
}

/// Rows beyond the last window, and columns beyond a short one, are padding:
/// token 0 without a target.
void Evaluation::fill(size_t first) {
  inputs.assign(batch * runLength, 0);
  targets.assign(batch * runLength, -1);
  for (int64_t row = 0; row < batch && first + row < windows.size(); ++row) {
    const Window &window = windows[first + row];
    TokenSpan tokens = dataset.shards()[window.shard].tokens;
    auto copy = [&](int64_t start, std::vector<int32_t> &to) {
      tokens.subspan(start, window.tokens)
          .copyTo(absl::MakeSpan(to.data() + row * runLength,
                                 static_cast<size_t>(window.tokens)));
    };
    copy(window.offset, inputs);
    copy(window.offset + 1, targets);
  }
}

absl::Status Evaluation::runBatch(size_t first) {
  fill(first);
  absl::Status status =
      ports.run(*model.executor, {viewOf(inputs, {batch, runLength}),
                                  viewOf(targets, {batch, runLength})});
  if (!status.ok())
    return status;
  absl::StatusOr<const float *> losses =
      ports.floats(*model.executor, {batch, runLength});
  if (!losses.ok())
    return losses.status();
  for (int64_t row = 0; row < batch && first + row < windows.size(); ++row) {
    Window &window = windows[first + row];
    const TokenShard &shard = dataset.shards()[window.shard];
    for (int64_t i = 0; i < window.tokens; ++i) {
      double loss = (*losses)[row * runLength + i];
      if (!std::isfinite(loss))
        return absl::InternalError(absl::StrCat(
            "the loss of token ", shard.start + window.offset + i + 1, " of ",
            shard.path, " is ", loss,
            ". HINT: `t6 check` finds kernels that diverge; if it passes, the "
            "weights overflow"));
      window.sum += loss;
      window.sumOfSquares += loss * loss;
    }
  }
  return absl::OkStatus();
}

absl::Status Evaluation::run() {
  for (size_t first = 0; first < windows.size(); first += batch) {
    if (model.takeCancel() ||
        (options.progress &&
         options.progress(options.user, first, windows.size()) != 0))
      return absl::CancelledError("the evaluation was interrupted");
    absl::Status status = runBatch(first);
    if (!status.ok())
      return status;
  }
  if (options.progress)
    options.progress(options.user, windows.size(), windows.size());
  return absl::OkStatus();
}

t6_evaluate_result Evaluation::result() const {
  t6_evaluate_result result = {};
  double sum = 0, squares = 0;
  for (const Window &window : windows) {
    sum += window.sum;
    squares += window.sumOfSquares;
    result.tokens += window.tokens;
  }
  double count = static_cast<double>(result.tokens);
  double samples = static_cast<double>(windows.size());
  double mean = sum / count;
  // The loss is a ratio of two sums over windows (the last one is shorter): its
  // variance is that of the residuals, by linearisation.
  double residuals = 0;
  for (const Window &window : windows) {
    double residual = window.sum - mean * static_cast<double>(window.tokens);
    residuals += residual * residual;
  }
  if (windows.size() == 1) {
    samples = count;
    residuals = std::max(0.0, squares - count * mean * mean);
  }
  double correction = samples > 1 ? samples / (samples - 1) : 0;
  result.windows = static_cast<int64_t>(windows.size());
  result.loss = mean;
  result.loss_error = std::sqrt(residuals * correction) / count;
  result.perplexity = std::exp(mean);
  result.perplexity_error = result.perplexity * result.loss_error;
  result.has_header = hasHeader;
  return result;
}

} // namespace

void t6_evaluate_options_init(t6_evaluate_options *options) {
  *options = {};
  options->struct_size = sizeof(*options);
}

t6_status *t6_evaluate(t6_model *model, const char *data,
                       const t6_evaluate_options *given,
                       t6_evaluate_result *result) {
  if (!model || !data)
    return nullArgument(model ? "data" : "model");
  absl::StatusOr<t6_evaluate_options> options =
      readOptions(given, t6_evaluate_options_init);
  T6_RETURN_IF_ERROR(options.status());
  Evaluation evaluation(*model, *options);
  T6_RETURN_IF_ERROR(evaluation.prepare(data));
  auto start = std::chrono::steady_clock::now();
  T6_RETURN_IF_ERROR(evaluation.run());
  t6_evaluate_result value = evaluation.result();
  value.seconds =
      std::chrono::duration<double>(std::chrono::steady_clock::now() - start)
          .count();
  writeResult(value, result);
  return nullptr;
}
