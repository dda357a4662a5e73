//===- LossCurves.h - What metrics.jsonl says of the losses -----*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef T6_RUNTIME_TRAIN_LOSSCURVES_H
#define T6_RUNTIME_TRAIN_LOSSCURVES_H

#include "absl/status/statusor.h"

#include <string>
#include <vector>

namespace t6 {

struct CurvePoint {
  double step;
  double value;
};
using Curve = std::vector<CurvePoint>;

struct LossCurves {
  /// `loss_mean` where a record has it, else `train/loss`. A loss that is not
  /// finite is a NaN.
  Curve training;
  Curve validation;
  Curve learningRate;
};

/// Reads metrics.jsonl of a run that may still be going on: a last line that is
/// cut off is left out. NotFound if there is no loss yet, DataLoss for lines
/// that are no records.
absl::StatusOr<LossCurves> readLossCurves(const std::string &path);

} // namespace t6

#endif // T6_RUNTIME_TRAIN_LOSSCURVES_H
