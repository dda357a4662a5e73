//===- TrainingProgram.h - The entries of a training step -------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// What tpa-opt --train compiles, by names instead of by numbers: gradients,
// the optimiser, and the memory that both work on.
//
//===----------------------------------------------------------------------===//

#ifndef T6_RUNTIME_TRAIN_TRAININGPROGRAM_H
#define T6_RUNTIME_TRAIN_TRAININGPROGRAM_H

#include "runtime/checkpoint/ReferenceCheckpoint.h"
#include "runtime/checkpoint/TrainingCheckpoint.h"
#include "runtime/distributed/Communicator.h"
#include "runtime/engine/Executor.h"
#include "runtime/io/Safetensors.h"

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

namespace t6 {

/// The numbers of one update; see t6.adamw for what they do.
struct AdamwStep {
  double learningRate = 0;
  double beta1 = 0, beta2 = 0, epsilon = 0;
  double matrixDecay = 0; ///< Of parameters of two or more dimensions.
  double vectorDecay = 0; ///< Of the others.
  double gradientScale = 1;
  double maxNorm = 0; ///< 0: no clipping.
  int64_t number = 1; ///< Of the update, from 1: for the bias correction.
};

/// L2 norms over all parameters.
struct StepNorms {
  double gradient = 0;  ///< Scaled, before it was clipped.
  double parameter = 0; ///< After the update, as the next two.
  double moment = 0;
  double secondMoment = 0;
};

class TrainingProgram {
public:
  /// `executor`, which must outlive the result, has weights in memory of its
  /// own. FailedPrecondition if the artifact has no training step.
  static absl::StatusOr<std::unique_ptr<TrainingProgram>>
  create(Executor &executor);

  int64_t batch() const { return rows; }
  /// What products of a step multiply.
  DType compute() const { return executor.program().options.compute; }
  int64_t length() const { return columns; }
  int threads() const { return executor.threadPool().threads(); }
  /// FLOP/s of this rank's threads at their best; 0: not known.
  double measurePeakFlops();
  /// Of a micro-batch, forward and reverse, by the compiler's account; what is
  /// computed again does not count.
  int64_t flops() const { return flopCount; }

  /// Adds the gradient of the mean loss of inputs and targets, [batch, length]
  /// each, and returns the loss. A target of -1 is not counted.
  absl::StatusOr<float> accumulate(absl::Span<const int32_t> inputs,
                                   absl::Span<const int32_t> targets);
  /// The mean loss alone.
  absl::StatusOr<float> evaluate(absl::Span<const int32_t> inputs,
                                 absl::Span<const int32_t> targets);
  /// The same, and makes the accumulated gradients their sums over all ranks,
  /// each part as soon as the entry has written it for the last time.
  absl::StatusOr<float> accumulateAndSum(absl::Span<const int32_t> inputs,
                                         absl::Span<const int32_t> targets,
                                         Communicator &ranks);
  /// What is summed in which order, which must be the same on all ranks.
  std::vector<std::string> sumOrder() const;
  /// Steps all parameters along the gradient, which is zero afterwards.
  absl::StatusOr<StepNorms> apply(const AdamwStep &step);

  /// The parameters as a checkpoint has them, and `adamw.m.<parameter>`,
  /// `adamw.v.<parameter>`. Views of memory that apply() changes.
  absl::Span<const NamedTensor> parameters() const { return params; }
  absl::Span<const NamedTensor> optimizer() const { return moments; }
  /// Other names of parameters.
  const std::map<std::string, std::string> &aliases() const { return tied; }
  /// What tells this model from others, for fingerprints of checkpoints.
  nlohmann::json config() const;
  /// The keys of a config.json that describe the model, for other programs; an
  /// empty object where none do.
  nlohmann::json description() const;
  const std::string &modelName() const { return executor.program().model.name; }

  /// Makes parameters and moments those of a checkpoint of this model.
  absl::Status restore(const TrainingCheckpoint &checkpoint);
  absl::Status restore(ReferenceCheckpoint &checkpoint);
  /// Makes parameters and moments those of rank 0.
  absl::Status broadcast(Communicator &ranks);
  /// The name of the first parameter or else gradient with an element that is
  /// not finite; empty if all are.
  std::string firstNotFinite() const;

private:
  explicit TrainingProgram(Executor &executor) : executor(executor) {}
  absl::Status initialize();
  void fillBuckets();
  absl::StatusOr<float> lossOf(const char *entry,
                               absl::Span<const int32_t> inputs,
                               absl::Span<const int32_t> targets);

  /// Gradients side by side in memory, which are summed together.
  struct Bucket {
    float *data = nullptr;
    size_t elements = 0; ///< Those of the padding between gradients included.
    int readyAfter = 0;  ///< The last dispatch of the entry that uses one.
    std::string names;
  };

  Executor &executor;
  int64_t rows = 0, columns = 0, flopCount = 0;
  std::vector<NamedTensor> params, moments, gradients;
  std::vector<Bucket> buckets; ///< In the order in which they are ready.
  std::map<std::string, std::string> tied;
};

} // namespace t6

#endif // T6_RUNTIME_TRAIN_TRAININGPROGRAM_H
