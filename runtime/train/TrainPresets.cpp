//===- TrainPresets.cpp - Recipes, and how a step is divided --------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "runtime/io/Names.h"
#include "runtime/train/TrainOptions.h"

#include "absl/strings/str_cat.h"

namespace t6 {

/// The recipe of the reference's small model, in all that is no mistake.
static TrainOptions recipe() {
  TrainOptions options;
  options.sampler = "random-window";
  options.batch = 24;
  options.length = 1024;
  options.precision = TrainPrecision::BF16;
  options.steps = 100000;
  options.learningRate = 6e-4;
  options.minRate = 3e-5;
  options.warmup = 2000;
  options.decaySteps = 100000;
  options.weightDecay = 0.1;
  options.decayedParameters = DecayedParameters::All;
  options.evalInterval = 1000;
  options.evalBatches = 200;
  options.evalTraining = true;
  options.runName = "output/out_{model}_{millions}m_Opt_{optimizer}_LR_{rate}"
                    "_D_{dataset}_T_{billions}B_time_{time}_jobid_{job}";
  options.milestones = 5;
  return options;
}

static TrainOptions referencePreset() {
  TrainOptions options = recipe();
  options.accumulation = 5;
  options.loneAccumulationFactor = 8;
  options.gradientReduction = GradientReduction::Sum;
  options.extraStep = true;
  options.zeroFirstRate = true;
  options.evalFixedSet = false;
  options.evalSharesStream = true;
  options.keepLast = 1;
  options.keepBest = false;
  options.resumePosition = false;
  options.logLastLoss = true;
  return options;
}

static TrainOptions fixedPreset() {
  TrainOptions options = recipe();
  // What the reference's launch commands amount to: 480 sequences, on any
  // number of ranks.
  options.tokensPerStep = 480 * 1024;
  return options;
}

absl::StatusOr<TrainOptions> trainPreset(absl::string_view name) {
  if (name == "reference")
    return referencePreset();
  if (name == "fixed")
    return fixedPreset();
  return absl::InvalidArgumentError(
      absl::StrCat("no preset is called ", quoteName(name),
                   "; HINT: the presets are reference and fixed"));
}

absl::StatusOr<StepShape> stepShape(const TrainOptions &options, int64_t batch,
                                    int64_t length, int64_t ranks,
                                    bool launched) {
  batch = options.batch == 0 ? batch : options.batch;
  length = options.length == 0 ? length : options.length;
  int64_t wave; // The tokens of one micro-batch on every rank.
  if (batch <= 0 || length <= 0 || ranks <= 0 ||
      __builtin_mul_overflow(batch, length, &wave) ||
      __builtin_mul_overflow(wave, ranks, &wave))
    return absl::InvalidArgumentError(
        absl::StrCat("a step cannot consist of ", batch, " sequences of ",
                     length, " tokens on ", ranks, " ranks"));
  int64_t wanted = options.tokensPerStep;
  StepShape shape;
  if (options.accumulation == 0 && wanted != 0) {
    shape.microBatches = wanted / wave;
    shape.tokens = wanted;
    if (shape.microBatches == 0 || wanted % wave != 0)
      return absl::InvalidArgumentError(absl::StrCat(
          "tokens-per-step is ", wanted, ", no multiple of the ", wave,
          " tokens that ", ranks, ranks == 1 ? " rank takes" : " ranks take",
          " at a time (", batch, " sequences of ", length,
          " tokens each); HINT: ", (shape.microBatches + 1) * wave,
          " would do"));
    return shape;
  }
  shape.microBatches = options.accumulation == 0 ? 1 : options.accumulation;
  if ((!launched && __builtin_mul_overflow(shape.microBatches,
                                           options.loneAccumulationFactor,
                                           &shape.microBatches)) ||
      __builtin_mul_overflow(shape.microBatches, wave, &shape.tokens))
    return absl::InvalidArgumentError(
        absl::StrCat("a step of ", options.accumulation,
                     " micro-batches has more tokens than can be counted"));
  if (wanted != 0 && wanted != shape.tokens)
    return absl::InvalidArgumentError(
        absl::StrCat("tokens-per-step is ", wanted, ", and accumulation gives ",
                     shape.tokens, "; HINT: set one of them to 0"));
  return shape;
}

} // namespace t6
