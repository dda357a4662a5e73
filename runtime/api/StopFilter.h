//===- StopFilter.h - Streamed text up to a stop text -----------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef T6_RUNTIME_API_STOPFILTER_H
#define T6_RUNTIME_API_STOPFILTER_H

#include "absl/strings/string_view.h"

#include <string>
#include <vector>

namespace t6 {

/// Passes text on, but for what might be the beginning of a stop text: that is
/// held back until it is decided. The result does not depend on how the text
/// was cut.
class StopFilter {
public:
  /// No stop may be empty.
  explicit StopFilter(std::vector<std::string> stops)
      : stops(std::move(stops)) {}

  /// Adds `text` and returns what is certain to come before any stop text.
  std::string push(absl::string_view text);

  /// Returns what is held back: the text ended without a stop text.
  std::string flush();

  /// Whether a stop text has come; what follows it is dropped.
  bool found() const { return stopped; }

private:
  std::vector<std::string> stops;
  std::string held;
  bool stopped = false;
};

} // namespace t6

#endif // T6_RUNTIME_API_STOPFILTER_H
