//===- TrainOptions.h - What a training run is told -------------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Every choice of a run in one struct. Each has one name (`min-rate`), which is
// its flag, its key in a configuration, and its key in the state file.
//
// "The reference" is the trainer of the paper's authors. The preset `reference`
// behaves as it does; `fixed` is the same recipe without its mistakes. Four of
// them change no result of a run that goes well, and no preset brings them
// back: shards are read without a check, checkpoints are not written
// atomically, norms are computed apart from the update, and weights are tied
// again by hand.
//
//===----------------------------------------------------------------------===//

#ifndef T6_RUNTIME_TRAIN_TRAINOPTIONS_H
#define T6_RUNTIME_TRAIN_TRAINOPTIONS_H

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"

#include <nlohmann/json.hpp>

#include <cstdint>
#include <string>
#include <vector>

namespace t6 {

/// What the gradient of a step is, of the losses of its micro-batches.
enum class GradientReduction {
  Mean,
  /// The reference's: the sum over the micro-batches of a rank, and the mean
  /// over ranks.
  Sum
};

/// Which parameters weight decay shrinks.
enum class DecayedParameters {
  Matrices, ///< Those of two or more dimensions.
  All
};

/// What products of the step multiply, which compiling decides: Compiled takes
/// it as it is. Weights and optimizer state are f32 always.
enum class TrainPrecision { Compiled, F32, BF16 };

/// What a checkpoint that cannot be written does to the run.
enum class SaveFailure { Stop, Continue };

/// The defaults are those of a small run on one machine.
struct TrainOptions {
  // Data.

  /// A corpus: a folder of shards, a file of tokens, or text.
  std::string data;
  /// The corpus to evaluate on. Empty: the validation part of `data`.
  std::string validationData;
  /// For a corpus of text. Empty: it must consist of tokens.
  std::string tokenizer;
  /// Of a `data` without a validation part, the share that is kept apart.
  double validationShare = 0.05;
  /// `epochs`: every window once an epoch. `random-window`: any offset, with
  /// replacement, as the reference.
  std::string sampler = "epochs";
  /// Of the initial weights, and with the rank added, of the data's order.
  int64_t seed = 5000;

  // A step.

  /// Sequences of a micro-batch on one rank. 0: as the model was compiled.
  int64_t batch = 0;
  /// Tokens of a sequence. 0: as the model was compiled.
  int64_t length = 0;
  /// Micro-batches of a step on each rank. 0: what `tokensPerStep` asks for.
  int64_t accumulation = 0;
  /// Tokens of a step over all ranks. 0: what `accumulation` gives.
  int64_t tokensPerStep = 0;
  /// Without a launcher, `accumulation` is multiplied by this. The reference's
  /// 8 simulates eight GPUs, whatever number of them the run is later given.
  int64_t loneAccumulationFactor = 1;
  GradientReduction gradientReduction = GradientReduction::Mean;
  TrainPrecision precision = TrainPrecision::Compiled;

  // The optimizer.

  int64_t steps = 1000;
  /// One update more than `steps`, as the reference.
  bool extraStep = false;
  double learningRate = 6e-4;
  /// At the end of the decay. Below 0: a tenth of `learningRate`.
  double minRate = -1;
  /// Steps. -1: a twentieth of those of the schedule.
  int64_t warmup = -1;
  /// Whether step 0 has the rate 0, so that it changes nothing, as in the
  /// reference: rate(i) = i / warmup, else (i + 1) / warmup.
  bool zeroFirstRate = false;
  /// The step at which `minRate` is reached. 0: `steps`.
  int64_t decaySteps = 0;
  /// `cosine`, `linear`, `constant`, or `wsd`: warm-up, stable, decay.
  std::string schedule = "cosine";
  /// Of `wsd`, the share of the steps in which the rate falls.
  double decayShare = 0.2;
  double beta1 = 0.9;
  double beta2 = 0.95;
  double epsilon = 1e-8;
  double weightDecay = 0.1;
  DecayedParameters decayedParameters = DecayedParameters::Matrices;
  /// The largest global norm of a gradient. 0: no clipping.
  double clip = 1;

  // Evaluation.

  /// Steps between evaluations, the first before step 0. 0: none.
  int64_t evalInterval = 100;
  /// 0: the whole corpus.
  int64_t evalBatches = 20;
  /// Also on batches of the training corpus.
  bool evalTraining = false;
  /// The same batches each time, or else batches drawn anew.
  bool evalFixedSet = true;
  /// Whether evaluation draws from the stream of the training batches, so that
  /// its interval changes their order, as in the reference.
  bool evalSharesStream = false;

  // Checkpoints.

  /// The folder of the run. Empty: named after `runName`.
  std::string out;
  /// See expandRunName().
  std::string runName = "runs/{model}_{time}";
  /// Steps between checkpoints. 0: at each evaluation but the first.
  int64_t saveInterval = 0;
  /// Also when the validation loss is not the lowest so far.
  bool alwaysSave = true;
  /// How many of the latest checkpoints stay. 0: all.
  int64_t keepLast = 2;
  /// Whether the one with the lowest validation loss stays too.
  bool keepBest = true;
  /// Every so many evaluations a checkpoint that stays. 0: none.
  int64_t milestones = 0;
  SaveFailure saveFailure = SaveFailure::Stop;
  /// `never`, `auto` (the latest checkpoint of the run's folder, if there is
  /// one), or the folder of a checkpoint, of ours or of the reference.
  std::string resume = "never";
  /// Whether resuming brings back the position in the data, the tokens trained
  /// and the counters. The reference starts them again.
  bool resumePosition = true;

  // Reports.

  int64_t logInterval = 10;
  /// Whether `loss` is that of rank 0's last micro-batch, as in the reference,
  /// or the mean over the step.
  bool logLastLoss = false;
  /// FLOP/s of one rank at its best, for the MFU. 0: measured at the start, in
  /// f32 on its threads.
  double peakFlops = 0;
  /// A picture of the losses at the end.
  bool plot = true;
};

/// The options that stand for others, resolved: the step at which the decay
/// ends, the steps of the warm-up, the rate at the end.
int64_t decayEnd(const TrainOptions &options);
int64_t warmupSteps(const TrainOptions &options);
double endRate(const TrainOptions &options);

/// What a value of an option looks like.
enum class TrainOptionKind { Flag, Integer, Number, Text, Choice };

/// One option, for a command line to declare.
struct TrainOptionInfo {
  absl::string_view name;
  TrainOptionKind kind;
  absl::string_view help;
  /// Of a Choice, all its values.
  absl::Span<const absl::string_view> choices;
};

/// All options, in the order of the struct.
std::vector<TrainOptionInfo> trainOptions();

/// `reference` or `fixed`.
absl::StatusOr<TrainOptions> trainPreset(absl::string_view name);

/// Sets the option `name` (a '_' in it is a '-') to what `value` spells.
/// InvalidArgument for an unknown name, with the nearest as a hint, and for a
/// value of another type or out of range.
absl::Status setTrainOption(TrainOptions &options, absl::string_view name,
                            absl::string_view value);

/// The value of the option, as setTrainOption() reads it; `name` must exist.
std::string trainOptionText(const TrainOptions &options,
                            absl::string_view name);

/// One flat object of all options. Text that is not UTF-8 is refused.
absl::StatusOr<nlohmann::json> toJson(const TrainOptions &options);

/// The inverse. What `object` does not mention is as in `base`.
absl::StatusOr<TrainOptions>
trainOptionsFromJson(const nlohmann::json &object,
                     const TrainOptions &base = {});

/// Everything that can be wrong without knowing the model or the data: ranges,
/// and options that contradict each other.
absl::Status checkTrainOptions(const TrainOptions &options);

/// How a step is divided.
struct StepShape {
  int64_t microBatches; ///< On each rank.
  int64_t tokens;       ///< Over all ranks.
};

/// The step of `ranks` ranks; with `launched`, a launcher started them. `batch`
/// and `length` are those of the compiled model. Fails where `tokensPerStep`
/// cannot be met exactly.
absl::StatusOr<StepShape> stepShape(const TrainOptions &options, int64_t batch,
                                    int64_t length, int64_t ranks,
                                    bool launched);

} // namespace t6

#endif // T6_RUNTIME_TRAIN_TRAINOPTIONS_H
