//===- ProgressBar.h - How far a run is, in one line ------------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Text only. Where it goes, and whether that is a terminal, is its caller's
// business.
//
//===----------------------------------------------------------------------===//

#ifndef T6_RUNTIME_TRAIN_PROGRESSBAR_H
#define T6_RUNTIME_TRAIN_PROGRESSBAR_H

#include <cstddef>
#include <cstdint>
#include <string>

namespace t6 {

struct ProgressFacts {
  int64_t done = 0;  ///< Steps.
  int64_t total = 0; ///< Steps.
  double loss = 0;
  double tokensPerSecond = 0;
  double secondsLeft = -1; ///< Below 0: not known.
};

/// " 12% [###.......] 120/1000  loss 3.2100  5.2k tokens/s  ETA 1h02m", never
/// longer than `width` columns: in a narrow terminal first the bar goes, then
/// the rate, the loss, and the time left.
std::string progressBar(const ProgressFacts &facts, size_t width);

/// "45s", "12m05s", "3h07m", "2d04h"; "?" below 0 and for a NaN.
std::string durationText(double seconds);

/// How long the rest of a run takes, from its recent steps; old ones fade, so
/// that a slow start or a pause is forgotten.
class TimeLeft {
public:
  /// The time since the last call, of so many steps.
  void add(double seconds, int64_t steps = 1);
  /// For `steps` more; below 0 before the first add().
  double seconds(int64_t steps) const;

private:
  double fadedSeconds = 0;
  double fadedSteps = 0;
};

} // namespace t6

#endif // T6_RUNTIME_TRAIN_PROGRESSBAR_H
