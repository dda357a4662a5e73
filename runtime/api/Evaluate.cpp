//===- Evaluate.cpp - Loss and perplexity of a token file -----------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "runtime/api/EntryPorts.h"
#include "runtime/api/Model.h"
#include "runtime/api/Status.h"
#include "runtime/text/TokenFile.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <memory>
#include <utility>
#include <vector>

using namespace t6;

namespace {

/// What a window of text contributes.
struct Window {
  double sum = 0; ///< Of -ln p.
  double sumOfSquares = 0;
  int64_t tokens = 0;
};

class Evaluation {
public:
  Evaluation(t6_model &model, const t6_evaluate_options &options)
      : model(model), options(options) {}

  absl::Status prepare(const char *path);
  absl::Status run();
  t6_evaluate_result result() const;

private:
  absl::Status runBatch(size_t first);
  void fill(size_t first);

  t6_model &model;
  const t6_evaluate_options &options;
  EntryPorts ports;
  std::unique_ptr<TokenFile> file;
  absl::Span<const uint16_t> tokens;
  int64_t batch = 1;
  int64_t runLength = 0; ///< Columns of a run's inputs.
  std::vector<Window> windows;
  int64_t length = 0; ///< Predictions of a full window.
  std::vector<int32_t> inputs, targets;
};

absl::Status Evaluation::prepare(const char *path) {
  if (options.length < 0 || options.max_tokens < 0)
    return absl::InvalidArgumentError(
        "a number of tokens to evaluate is negative. HINT: 0 stands for all");
  absl::StatusOr<std::unique_ptr<TokenFile>> opened = TokenFile::open(path);
  if (!opened.ok())
    return opened.status();
  file = *std::move(opened);
  tokens = file->tokens();
  if (tokens.size() < 2)
    return absl::InvalidArgumentError(
        absl::StrCat(path, ": has ", tokens.size(),
                     " tokens, and it takes two to predict one. HINT: write "
                     "one with `t6 tokenize`"));
  const Program &program = model.program();
  int32_t vocab =
      static_cast<int32_t>(std::min<int64_t>(program.model.vocabSize, 1 << 16));
  absl::Status status = file->checkRange(vocab);
  if (!status.ok())
    return status;
  status = model.ready();
  if (!status.ok())
    return status;
  absl::StatusOr<EntryPorts> found = findEntryPorts(
      *model.artifact, "loss", {"tokens", "targets"}, "token_loss");
  if (!found.ok())
    return found.status();
  ports = *std::move(found);
  absl::StatusOr<AxisLimit> limit = lengthLimit(*model.artifact, ports, 0);
  if (!limit.ok())
    return limit.status();
  batch = program.options.batch;
  length = limit->max;
  if (options.length > length)
    return absl::InvalidArgumentError(absl::StrCat(
        "a window of ", options.length, " tokens is more than the ", length,
        " that the entry 'loss' of ", model.artifact->path(),
        " takes. HINT: tpa-opt --max-length=", options.length));
  if (options.length > 0)
    length = options.length;
  runLength = limit->isFixed ? limit->max : length;
  int64_t predictions = static_cast<int64_t>(tokens.size()) - 1;
  if (options.max_tokens > 0)
    predictions = std::min(predictions, options.max_tokens);
  windows.resize((predictions + length - 1) / length);
  for (Window &window : windows) {
    window.tokens = std::min(length, predictions);
    predictions -= window.tokens;
  }
  return absl::OkStatus();
}

/// Rows beyond the last window, and columns beyond a short one, are padding:
/// token 0 without a target.
void Evaluation::fill(size_t first) {
  inputs.assign(batch * runLength, 0);
  targets.assign(batch * runLength, -1);
  for (int64_t row = 0; row < batch && first + row < windows.size(); ++row) {
    const uint16_t *begin = tokens.data() + (first + row) * length;
    int64_t count = windows[first + row].tokens;
    std::copy_n(begin, count, inputs.begin() + row * runLength);
    std::copy_n(begin + 1, count, targets.begin() + row * runLength);
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
    for (int64_t i = 0; i < window.tokens; ++i) {
      double loss = (*losses)[row * runLength + i];
      if (!std::isfinite(loss))
        return absl::InternalError(absl::StrCat(
            "the loss of token ", (first + row) * length + i + 1, " is ", loss,
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
  result.has_header = file->hasHeader();
  return result;
}

} // namespace

void t6_evaluate_options_init(t6_evaluate_options *options) {
  *options = {};
  options->struct_size = sizeof(*options);
}

t6_status *t6_evaluate(t6_model *model, const char *token_path,
                       const t6_evaluate_options *given,
                       t6_evaluate_result *result) {
  if (!model || !token_path)
    return nullArgument(model ? "token_path" : "model");
  absl::StatusOr<t6_evaluate_options> options =
      readOptions(given, t6_evaluate_options_init);
  T6_RETURN_IF_ERROR(options.status());
  Evaluation evaluation(*model, *options);
  T6_RETURN_IF_ERROR(evaluation.prepare(token_path));
  auto start = std::chrono::steady_clock::now();
  T6_RETURN_IF_ERROR(evaluation.run());
  t6_evaluate_result value = evaluation.result();
  value.seconds =
      std::chrono::duration<double>(std::chrono::steady_clock::now() - start)
          .count();
  writeResult(value, result);
  return nullptr;
}
