//===- StepNames.cpp - Names of checkpoint folders ------------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "runtime/checkpoint/StepNames.h"

#include "absl/strings/numbers.h"
#include "absl/strings/str_format.h"
#include "absl/strings/strip.h"
#include "runtime/checkpoint/Folders.h"

#include <algorithm>

namespace t6 {

std::string stepName(int64_t step) {
  return absl::StrFormat("step-%06d", step);
}

std::optional<int64_t> stepOfName(absl::string_view name) {
  int64_t step;
  absl::string_view digits = name;
  if (!absl::ConsumePrefix(&digits, "step-") ||
      !absl::SimpleAtoi(digits, &step) || stepName(step) != name)
    return std::nullopt;
  return step;
}

absl::StatusOr<std::vector<int64_t>> stepsIn(const std::string &checkpoints,
                                             int64_t now) {
  absl::StatusOr<std::vector<std::string>> names = listFolder(checkpoints);
  if (!names.ok())
    return names.status();
  std::vector<int64_t> steps;
  for (const std::string &name : *names)
    if (std::optional<int64_t> step = stepOfName(name))
      steps.push_back(*step);
  std::sort(steps.begin(), steps.end(), [now](int64_t a, int64_t b) {
    return (a > now) != (b > now) ? b > now : a > b;
  });
  return steps;
}

} // namespace t6
