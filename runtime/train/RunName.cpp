//===- RunName.cpp - The name of a run's folder ---------------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "runtime/train/RunName.h"

#include "runtime/io/Names.h"
#include "runtime/train/NumberText.h"

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_replace.h"

#include <utility>
#include <vector>

namespace t6 {

absl::StatusOr<std::string> expandRunName(absl::string_view pattern,
                                          const RunNameFacts &facts) {
  const std::pair<absl::string_view, std::string> words[] = {
      {"model", facts.model},
      {"millions", absl::StrCat(facts.parameters / 1000000)},
      {"optimizer", facts.optimizer},
      {"rate", pythonNumber(facts.learningRate)},
      {"dataset", facts.dataset},
      {"billions", absl::StrFormat("%.2f", facts.tokens / 1e9)},
      {"time", facts.time},
      {"job", facts.job},
  };
  std::string name;
  while (!pattern.empty()) {
    size_t brace = pattern.find('{');
    absl::StrAppend(&name, pattern.substr(0, brace));
    if (brace == absl::string_view::npos)
      break;
    pattern.remove_prefix(brace + 1);
    if (!pattern.empty() && pattern.front() == '{') {
      name += '{';
      pattern.remove_prefix(1);
      continue;
    }
    size_t end = pattern.find('}');
    absl::string_view word = pattern.substr(0, end);
    const std::string *value = nullptr;
    std::vector<std::string> known;
    for (const auto &[key, text] : words) {
      known.push_back(absl::StrCat("{", key, "}"));
      if (end != absl::string_view::npos && key == word)
        value = &text;
    }
    if (!value)
      return absl::InvalidArgumentError(
          absl::StrCat("the name of a run cannot contain ",
                       quoteName(absl::StrCat("{", pattern.substr(0, end),
                                              end == pattern.npos ? "" : "}")),
                       "; HINT: there are ", absl::StrJoin(known, ", "),
                       ", and {{ for a brace"));
    absl::StrAppend(&name, absl::StrReplaceAll(*value, {{"/", "_"}}));
    pattern.remove_prefix(end + 1);
  }
  if (name.empty())
    return absl::InvalidArgumentError(
        "the name of the run is empty; HINT: set out or run-name");
  return name;
}

} // namespace t6
