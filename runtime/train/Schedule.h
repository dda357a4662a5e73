//===- Schedule.h - The learning rate of each step --------------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Learning rates as functions of the step alone, so that a run which is taken
// up again has the same.
//
//===----------------------------------------------------------------------===//

#ifndef T6_RUNTIME_TRAIN_SCHEDULE_H
#define T6_RUNTIME_TRAIN_SCHEDULE_H

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

#include <cstdint>

namespace t6 {

/// What follows the warm-up. With x = (step - warmup) / (decay - warmup):
enum class ScheduleKind {
  kConstant, ///< peak
  kLinear,   ///< peak - x (peak - minimum)
  kCosine,   ///< minimum + (1 + cos(pi x)) / 2 (peak - minimum)
  /// Warm-up, stable, decay: peak, and over the last `decayShare` of the decay
  /// steps linearly to the minimum.
  kWsd,
};

/// Of the names "constant", "linear", "cosine" and "wsd".
absl::StatusOr<ScheduleKind> parseScheduleKind(absl::string_view name);

/// Rates of the first `warmup` steps.
enum class WarmupKind {
  kFromFirst, ///< (step + 1) / warmup of the peak
  kFromZero,  ///< step / warmup, as the reference has it: step 0 has no effect.
};

struct ScheduleOptions {
  ScheduleKind kind = ScheduleKind::kCosine;
  double peak = 0;    ///< Above 0. No default.
  double minimum = 0; ///< In [0, peak].
  int64_t warmup = 0; ///< Steps. 0: none.
  WarmupKind warmupKind = WarmupKind::kFromFirst;
  /// The step from which on the rate is the minimum; more than `warmup`. A
  /// constant rate does not look at it.
  int64_t decay = 0;
  /// In (0, 1]. Only for kWsd, whose decay must not begin within the warm-up.
  double decayShare = 0.2;
};

class Schedule {
public:
  /// Fails on the first option that is out of its range.
  static absl::StatusOr<Schedule> create(const ScheduleOptions &options);

  /// `step` counts updates, from 0 on.
  double rate(int64_t step) const;

private:
  explicit Schedule(const ScheduleOptions &options);

  ScheduleOptions given;
  /// The first step of the decay, still at the peak.
  int64_t decayStart;
};

} // namespace t6

#endif // T6_RUNTIME_TRAIN_SCHEDULE_H
