//===- StopFilter.cpp - Streamed text up to a stop text -------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "runtime/api/StopFilter.h"

#include <algorithm>
#include <utility>

namespace t6 {

std::string StopFilter::push(absl::string_view text) {
  if (stopped)
    return "";
  held.append(text.data(), text.size());
  size_t first = std::string::npos;
  for (const std::string &stop : stops)
    first = std::min(first, held.find(stop));
  if (first != std::string::npos) {
    stopped = true;
    held.resize(first);
    return std::exchange(held, "");
  }
  size_t keep = 0;
  absl::string_view view = held;
  for (const std::string &stop : stops)
    for (size_t size = std::min(stop.size() - 1, held.size()); size > keep;
         --size)
      if (view.substr(view.size() - size) ==
          absl::string_view(stop).substr(0, size))
        keep = size;
  std::string decided = held.substr(0, held.size() - keep);
  held.erase(0, held.size() - keep);
  return decided;
}

std::string StopFilter::flush() { return std::exchange(held, ""); }

} // namespace t6
