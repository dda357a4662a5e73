//===- ProgressBar.cpp - How far a run is, in one line --------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "runtime/train/ProgressBar.h"

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"

#include <algorithm>
#include <cmath>

namespace t6 {

static constexpr size_t kMinBar = 8;
static constexpr size_t kMaxBar = 40;

static std::string rateText(double rate) {
  if (!(rate >= 0))
    return "? tokens/s";
  if (rate >= 999.5e3)
    return absl::StrFormat("%.2fM tokens/s", rate / 1e6);
  if (rate >= 999.5)
    return absl::StrFormat("%.1fk tokens/s", rate / 1e3);
  return absl::StrFormat("%.0f tokens/s", rate);
}

std::string durationText(double seconds) {
  if (!(seconds >= 0) || seconds > 1e12)
    return "?";
  int64_t whole = std::llround(seconds);
  int64_t minutes = whole / 60, hours = minutes / 60, days = hours / 24;
  if (days > 0)
    return absl::StrFormat("%dd%02dh", days, hours % 24);
  if (hours > 0)
    return absl::StrFormat("%dh%02dm", hours, minutes % 60);
  if (minutes > 0)
    return absl::StrFormat("%dm%02ds", minutes, whole % 60);
  return absl::StrCat(whole, "s");
}

std::string progressBar(const ProgressFacts &facts, size_t width) {
  double fraction = facts.total <= 0
                        ? 1
                        : std::clamp(static_cast<double>(facts.done) /
                                         static_cast<double>(facts.total),
                                     0.0, 1.0);
  // Rounded down, so that 100 % is the end.
  std::string percent =
      absl::StrFormat("%3d%%", static_cast<int64_t>(fraction * 100));
  std::string count = absl::StrCat(" ", facts.done, "/", facts.total);
  std::string loss = absl::StrFormat("  loss %.4f", std::isnan(facts.loss)
                                                        ? std::fabs(facts.loss)
                                                        : facts.loss);
  std::string rate = absl::StrCat("  ", rateText(facts.tokensPerSecond));
  std::string left = absl::StrCat("  ETA ", durationText(facts.secondsLeft));

  size_t words =
      percent.size() + count.size() + loss.size() + rate.size() + left.size();
  // Its brackets and the blank before them.
  if (words + 3 + kMinBar <= width) {
    size_t length = std::min(width - words - 3, kMaxBar);
    auto full = static_cast<size_t>(fraction * static_cast<double>(length));
    absl::StrAppend(&percent, " [", std::string(full, '#'),
                    std::string(length - full, '.'), "]");
  } else {
    for (std::string *part : {&rate, &loss, &left}) {
      if (words <= width)
        break;
      words -= part->size();
      part->clear();
    }
  }
  std::string text = absl::StrCat(percent, count, loss, rate, left);
  return text.substr(0, width);
}

void TimeLeft::add(double seconds, int64_t steps) {
  if (!(seconds >= 0) || steps <= 0)
    return;
  // Twenty steps ago counts about a third.
  double fade = std::pow(0.95, static_cast<double>(steps));
  fadedSeconds = fade * fadedSeconds + seconds;
  fadedSteps = fade * fadedSteps + static_cast<double>(steps);
}

double TimeLeft::seconds(int64_t steps) const {
  if (fadedSteps <= 0)
    return -1;
  return fadedSeconds / fadedSteps *
         static_cast<double>(std::max<int64_t>(steps, 0));
}

} // namespace t6
