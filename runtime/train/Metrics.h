//===- Metrics.h - What a run reports of its steps --------------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The log lines of the reference's trainer, for scripts that search them, and
// metrics.jsonl: one JSON object a line, under the names that the reference
// gives its values in wandb.
//
//===----------------------------------------------------------------------===//

#ifndef T6_RUNTIME_TRAIN_METRICS_H
#define T6_RUNTIME_TRAIN_METRICS_H

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

#include <nlohmann/json.hpp>

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

namespace t6 {

/// What is known of a step once it is done. Losses and norms may be NaN or
/// infinite.
struct StepFacts {
  int64_t iteration = 0; ///< Of the run, from 0.
  double lastLoss = 0;   ///< Of rank 0's last micro-batch.
  double meanLoss = 0;   ///< Over all micro-batches and ranks.
  double seconds = 0;
  int64_t tokens = 0;        ///< Of this step, over all ranks.
  int64_t tokensTrained = 0; ///< Of the run, this step included.
  /// FLOP/s as a fraction of the peak, on average (see MfuAverage); below 0:
  /// not known.
  double mfu = -1;
  /// The same by the reference's formula and for its device; below 0: not
  /// asked for.
  double referenceMfu = -1;
  double learningRate = 0;
  double parameterNorm = 0;
  double momentNorm = 0;
  double secondMomentNorm = 0;
  /// Of the gradient that was clipped: a sum or a mean over micro-batches.
  double gradientNorm = 0;
  double meanGradientNorm = 0;
  int64_t clippedSteps = 0; ///< Of the run.
  /// Memory of a GPU in use, now and at most; below 0: there is none.
  int64_t deviceBytes = -1;
  int64_t peakDeviceBytes = -1;
};

/// What is known after an evaluation, which precedes the step of its number.
struct EvaluationFacts {
  int64_t iteration = 0;
  std::optional<double> trainingLoss;
  double validationLoss = 0;
  double learningRate = 0;
  double mfu = -1;
};

/// "iter 10: loss 3.2100, time 123.45ms, mfu 12.34%, tps (M) 0.01, tokens
/// trained 0.00B", letter by letter what the reference prints (an unknown MFU
/// is -100.00%), then ", loss_mean 3.2145, grad_norm 0.8123, lr 6.00e-04,
/// tokens/s 5230". `loss` is the last loss if `lastLoss`, else the mean.
std::string stepLine(const StepFacts &facts, bool lastLoss);

/// "step 1000: train loss 3.2100, val loss 3.2500", as the reference; without
/// the training loss if there is none.
std::string evaluationLine(const EvaluationFacts &facts);

/// The reference's keys (iter, train/loss, lr, param_norm, ...), and loss_mean,
/// grad_norm_mean, tokens_per_sec, mfu_ref. What was not asked for or is not
/// there (mfu_ref, gpu/memory_allocated_MB) is left out. An unknown MFU is
/// null; a NaN or an infinity is the string "NaN", "Infinity" or "-Infinity",
/// which Python's float() reads.
nlohmann::ordered_json stepRecord(const StepFacts &facts, bool lastLoss);

/// iter, train/loss (if known), val/loss, lr, mfu.
nlohmann::ordered_json evaluationRecord(const EvaluationFacts &facts);

/// The fraction of `peakFlops` per second that is reached; below 0 where the
/// peak is not known.
double modelFlopsUse(double flopsPerToken, double tokens, double seconds,
                     double peakFlops);

/// What the reference takes a token's training step to cost, and the peak of
/// the device that it knows. The first leaves out that attention is factored.
double referenceFlopsPerToken(int64_t parameters, int64_t layers, int64_t heads,
                              int64_t width, int64_t length);
constexpr double kReferencePeakFlops = 312e12;

/// The reference's running average of the MFU at logged steps: a new value
/// counts a tenth, and the first five steps of a process do not.
class MfuAverage {
public:
  /// Goes on from `start`, an average of earlier; below 0: there is none.
  explicit MfuAverage(double start = -1) : average(start) {}

  /// `localIteration` counts from the start of the process. Returns value().
  double update(int64_t localIteration, double mfu);
  /// -1: none yet.
  double value() const { return average; }

private:
  double average;
};

/// The file metrics.jsonl of a run, open for more lines. Each line is with the
/// operating system when append() returns.
class MetricsFile {
public:
  /// Where a resumed run goes on.
  struct Resumption {
    int64_t iteration = 0; ///< The next step.
    /// Whether the evaluation before that step is over and will not be
    /// repeated.
    bool evaluated = false;
  };

  /// The file must not exist or be empty.
  static absl::StatusOr<std::unique_ptr<MetricsFile>>
  create(const std::string &path);

  /// Drops what an existing file says of steps from `from` on, and a last line
  /// that was cut off; the file is replaced at once or stays as it is. A line
  /// that is no record is an error, DataLoss.
  static absl::StatusOr<std::unique_ptr<MetricsFile>>
  resume(const std::string &path, Resumption from);

  MetricsFile(const MetricsFile &) = delete;
  MetricsFile &operator=(const MetricsFile &) = delete;
  ~MetricsFile();

  /// On failure nothing is left of the line.
  absl::Status append(const nlohmann::ordered_json &record);

private:
  MetricsFile(std::string path, int fd) : path(std::move(path)), fd(fd) {}
  static absl::StatusOr<std::unique_ptr<MetricsFile>>
  open(const std::string &path);

  std::string path;
  int fd;
};

} // namespace t6

#endif // T6_RUNTIME_TRAIN_METRICS_H
