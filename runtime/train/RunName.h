//===- RunName.h - The name of a run's folder -------------------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef T6_RUNTIME_TRAIN_RUNNAME_H
#define T6_RUNTIME_TRAIN_RUNNAME_H

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

#include <cstdint>
#include <string>

namespace t6 {

/// What a name can say about its run.
struct RunNameFacts {
  std::string model;     ///< {model}: "T6".
  int64_t parameters;    ///< {millions}: of these, rounded down.
  std::string optimizer; ///< {optimizer}: "adamw".
  double learningRate;   ///< {rate}: as Python prints it, "0.0006".
  std::string dataset;   ///< {dataset}: "fineweb-edu100B".
  double tokens;         ///< {billions}: of the whole run's, "49.15".
  std::string time;      ///< {time}: "20250131_235959".
  std::string job;       ///< {job}: SLURM_JOB_ID, or "0".
};

/// `pattern` with each {word} of above replaced; "{{" stands for a brace. What
/// is replaced cannot lead into another folder: a '/' in it becomes '_'.
absl::StatusOr<std::string> expandRunName(absl::string_view pattern,
                                          const RunNameFacts &facts);

} // namespace t6

#endif // T6_RUNTIME_TRAIN_RUNNAME_H
