//===- StepNames.h - Names of checkpoint folders ----------------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// What the writer and the reader of a run folder agree on.
//
//===----------------------------------------------------------------------===//

#ifndef T6_RUNTIME_CHECKPOINT_STEPNAMES_H
#define T6_RUNTIME_CHECKPOINT_STEPNAMES_H

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace t6 {

inline constexpr absl::string_view kCheckpointsFolder = "checkpoints";
inline constexpr absl::string_view kLatestLink = "latest";
inline constexpr absl::string_view kBestLink = "best";
/// Of the links to checkpoints that stay; the reference's name for them.
inline constexpr absl::string_view kMilestonePrefix = "checkpoint-";
inline constexpr absl::string_view kModelFile = "model.safetensors";
inline constexpr absl::string_view kOptimizerFile = "optimizer.safetensors";
inline constexpr absl::string_view kStateFile = "state.json";
inline constexpr absl::string_view kConfigFile = "config.json";

/// "step-000100".
std::string stepName(int64_t step);

/// The inverse; nothing for other names.
std::optional<int64_t> stepOfName(absl::string_view name);

/// Steps of the checkpoints in the folder, those saved last first as seen at
/// step `now`: descending up to it, then those beyond it, which are of a future
/// that was given up when the run went back to `now`.
absl::StatusOr<std::vector<int64_t>> stepsIn(const std::string &checkpoints,
                                             int64_t now);

} // namespace t6

#endif // T6_RUNTIME_CHECKPOINT_STEPNAMES_H
