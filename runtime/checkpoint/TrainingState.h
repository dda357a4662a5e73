//===- TrainingState.h - Where a training run stands ------------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// What a run has to know, beside its tensors, to go on as if it had never
// stopped.
//
//===----------------------------------------------------------------------===//

#ifndef T6_RUNTIME_CHECKPOINT_TRAININGSTATE_H
#define T6_RUNTIME_CHECKPOINT_TRAININGSTATE_H

#include <nlohmann/json.hpp>

#include <cstdint>
#include <optional>

namespace t6 {

struct TrainingState {
  /// Updates done. Not negative.
  int64_t step = 0;
  /// Tokens seen in all of them. Not negative.
  int64_t tokensTrained = 0;
  uint64_t seed = 0;
  /// The counter of the sampler: all that it has to know.
  uint64_t samplerPosition = 0;
  /// The lowest validation loss, finite; none before the first evaluation.
  std::optional<double> bestLoss;
  /// What the run was started with, an object.
  nlohmann::json options = nlohmann::json::object();
  /// Whatever else the trainer counts (steps clipped, averages), an object.
  nlohmann::json counters = nlohmann::json::object();
};

} // namespace t6

#endif // T6_RUNTIME_CHECKPOINT_TRAININGSTATE_H
