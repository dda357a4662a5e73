//===- Metrics.cpp - What a run reports of its steps ----------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "runtime/train/Metrics.h"

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"

#include <cmath>

namespace t6 {

using nlohmann::ordered_json;

/// printf writes the sign of a NaN, Python does not.
static double unsignedNan(double value) {
  return std::isnan(value) ? std::fabs(value) : value;
}

static double lossOf(const StepFacts &facts, bool lastLoss) {
  return lastLoss ? facts.lastLoss : facts.meanLoss;
}

static double tokensPerSecond(const StepFacts &facts) {
  return static_cast<double>(facts.tokens) / facts.seconds;
}

/// The reference starts its average at -1.
static double mfuPercent(double mfu) { return mfu < 0 ? -100 : mfu * 100; }

std::string stepLine(const StepFacts &facts, bool lastLoss) {
  double rate = tokensPerSecond(facts);
  return absl::StrFormat(
      "iter %d: loss %.4f, time %.2fms, mfu %.2f%%, tps (M) %.2f, tokens "
      "trained %.2fB, loss_mean %.4f, grad_norm %.4f, lr %.2e, tokens/s %.0f",
      facts.iteration, unsignedNan(lossOf(facts, lastLoss)),
      facts.seconds * 1000, mfuPercent(facts.mfu), unsignedNan(rate / 1e6),
      static_cast<double>(facts.tokensTrained) / 1e9,
      unsignedNan(facts.meanLoss), unsignedNan(facts.gradientNorm),
      facts.learningRate, unsignedNan(rate));
}

std::string evaluationLine(const EvaluationFacts &facts) {
  std::string line = absl::StrFormat("step %d: ", facts.iteration);
  if (facts.trainingLoss)
    absl::StrAppendFormat(&line, "train loss %.4f, ",
                          unsignedNan(*facts.trainingLoss));
  absl::StrAppendFormat(&line, "val loss %.4f",
                        unsignedNan(facts.validationLoss));
  return line;
}

/// JSON has no numbers that are not finite.
static ordered_json jsonNumber(double value) {
  if (std::isnan(value))
    return "NaN";
  if (std::isinf(value))
    return value > 0 ? "Infinity" : "-Infinity";
  return value;
}

static ordered_json jsonMfu(double mfu) {
  return mfu < 0 ? ordered_json() : jsonNumber(mfu * 100);
}

ordered_json stepRecord(const StepFacts &facts, bool lastLoss) {
  double rate = tokensPerSecond(facts);
  double deviation =
      facts.momentNorm / (std::sqrt(facts.secondMomentNorm) + 1e-8);
  double steps = static_cast<double>(facts.iteration) + 1;
  ordered_json record = ordered_json::object();
  record["iter"] = facts.iteration;
  record["train/loss"] = jsonNumber(lossOf(facts, lastLoss));
  record["lr"] = jsonNumber(facts.learningRate);
  record["param_norm"] = jsonNumber(facts.parameterNorm);
  record["momentum_norm"] = jsonNumber(facts.momentNorm);
  record["momentum_norm_sq"] = jsonNumber(facts.secondMomentNorm);
  record["momentum_div"] = jsonNumber(deviation);
  record["train/clip_rate"] =
      jsonNumber(static_cast<double>(facts.clippedSteps) / steps);
  record["train/grad_norm"] = jsonNumber(facts.gradientNorm);
  record["train/iter_time_ms"] = jsonNumber(facts.seconds * 1000);
  record["train/mfu"] = jsonMfu(facts.mfu);
  record["train/tokens_per_sec_M"] = jsonNumber(rate / 1e6);
  record["train/tokens_trained_B"] =
      static_cast<double>(facts.tokensTrained) / 1e9;
  record["loss_mean"] = jsonNumber(facts.meanLoss);
  record["grad_norm_mean"] = jsonNumber(facts.meanGradientNorm);
  record["tokens_per_sec"] = jsonNumber(rate);
  constexpr double kMebibyte = 1 << 20;
  if (facts.deviceBytes >= 0)
    record["gpu/memory_allocated_MB"] =
        static_cast<double>(facts.deviceBytes) / kMebibyte;
  if (facts.peakDeviceBytes >= 0)
    record["gpu/max_memory_allocated_MB"] =
        static_cast<double>(facts.peakDeviceBytes) / kMebibyte;
  if (facts.referenceMfu >= 0)
    record["mfu_ref"] = jsonMfu(facts.referenceMfu);
  return record;
}

ordered_json evaluationRecord(const EvaluationFacts &facts) {
  ordered_json record = ordered_json::object();
  record["iter"] = facts.iteration;
  if (facts.trainingLoss)
    record["train/loss"] = jsonNumber(*facts.trainingLoss);
  record["val/loss"] = jsonNumber(facts.validationLoss);
  record["lr"] = jsonNumber(facts.learningRate);
  record["mfu"] = jsonMfu(facts.mfu);
  return record;
}

double modelFlopsUse(double flopsPerToken, double tokens, double seconds,
                     double peakFlops) {
  if (!(peakFlops > 0) || !(seconds > 0))
    return -1;
  return flopsPerToken * tokens / seconds / peakFlops;
}

double referenceFlopsPerToken(int64_t parameters, int64_t layers, int64_t heads,
                              int64_t width, int64_t length) {
  // Its heads are narrower than the model's, because it divides the width.
  int64_t headWidth = heads == 0 ? 0 : width / heads;
  return 6.0 * static_cast<double>(parameters) +
         12.0 * static_cast<double>(layers) * static_cast<double>(heads) *
             static_cast<double>(headWidth) * static_cast<double>(length);
}

double MfuAverage::update(int64_t localIteration, double mfu) {
  if (localIteration >= 5 && mfu >= 0)
    average = average < 0 ? mfu : 0.9 * average + 0.1 * mfu;
  return average;
}

} // namespace t6
