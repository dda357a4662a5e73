//===- Schedule.cpp - The learning rate of each step ----------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "runtime/train/Schedule.h"

#include "absl/strings/str_cat.h"

#include <cmath>

namespace t6 {

static absl::Status badOption(absl::string_view option,
                              const absl::AlphaNum &value,
                              absl::string_view range, absl::string_view hint) {
  return absl::InvalidArgumentError(absl::StrCat(
      option, " is ", value, ", and must be ", range, "; HINT: ", hint));
}

static int64_t decayStartOf(const ScheduleOptions &options) {
  if (options.kind != ScheduleKind::kWsd)
    return options.warmup;
  return options.decay -
         std::llround(options.decayShare * double(options.decay));
}

absl::StatusOr<ScheduleKind> parseScheduleKind(absl::string_view name) {
  if (name == "constant")
    return ScheduleKind::kConstant;
  if (name == "linear")
    return ScheduleKind::kLinear;
  if (name == "cosine")
    return ScheduleKind::kCosine;
  if (name == "wsd")
    return ScheduleKind::kWsd;
  return absl::InvalidArgumentError(
      absl::StrCat("there is no schedule '", name,
                   "'; HINT: constant, linear, cosine and wsd are the ones "
                   "there are"));
}

absl::StatusOr<Schedule> Schedule::create(const ScheduleOptions &options) {
  const ScheduleOptions &o = options;
  // Written so that NaN fails each of them.
  if (!(o.peak > 0 && std::isfinite(o.peak)))
    return badOption("the learning rate", o.peak, "a number above 0",
                     "6e-4 suits a small model");
  if (!(o.minimum >= 0 && o.minimum <= o.peak))
    return badOption("the minimum learning rate", o.minimum,
                     absl::StrCat("from 0 to the learning rate, ", o.peak),
                     "a tenth or a twentieth of that is usual");
  if (o.warmup < 0)
    return badOption("the number of warm-up steps", o.warmup, "0 or more",
                     "0 begins with the full learning rate");
  if (o.kind == ScheduleKind::kConstant)
    return Schedule(options);
  if (o.decay <= o.warmup)
    return badOption("the step that ends the decay", o.decay,
                     absl::StrCat("more than the warm-up's ", o.warmup),
                     "it is usually the number of steps of the run");
  if (o.kind != ScheduleKind::kWsd)
    return Schedule(options);
  if (!(o.decayShare > 0 && o.decayShare <= 1))
    return badOption("the share of the decay", o.decayShare,
                     "above 0 and at most 1",
                     "0.2 decays over the last fifth of the steps");
  if (decayStartOf(o) < o.warmup)
    return absl::InvalidArgumentError(absl::StrCat(
        "the decay begins at step ", decayStartOf(o),
        ", within the warm-up of ", o.warmup,
        " steps; HINT: choose a smaller share of decay or a shorter warm-up"));
  return Schedule(options);
}

Schedule::Schedule(const ScheduleOptions &options)
    : given(options), decayStart(decayStartOf(options)) {}

double Schedule::rate(int64_t step) const {
  // The order of the operations is the reference's, so that the rates are the
  // same to the last bit.
  if (step < given.warmup) {
    int64_t done = given.warmupKind == WarmupKind::kFromZero ? step : step + 1;
    return given.peak * double(done) / double(given.warmup);
  }
  if (given.kind == ScheduleKind::kConstant || step < decayStart)
    return given.peak;
  if (step >= given.decay)
    return given.minimum;
  double ratio = double(step - decayStart) / double(given.decay - decayStart);
  double share = given.kind == ScheduleKind::kCosine
                     ? 0.5 * (1.0 + std::cos(3.14159265358979323846 * ratio))
                     : 1.0 - ratio;
  return given.minimum + share * (given.peak - given.minimum);
}

} // namespace t6
