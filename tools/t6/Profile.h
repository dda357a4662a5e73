//===- Profile.h - Time of dispatches, against the machine ------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef T6_TOOLS_T6_PROFILE_H
#define T6_TOOLS_T6_PROFILE_H

#include "runtime/api/t6.h"

#include <cstdint>
#include <map>
#include <string>
#include <utility>
#include <vector>

namespace t6::cli {

/// Sums what the dispatches of a run took and moved.
class Profile {
public:
  /// `bandwidth`: bytes a second that this machine reads.
  explicit Profile(double bandwidth) : bandwidth(bandwidth) {}

  void add(const t6_dispatch_event &event);

  /// A table for people; dispatches whose labels differ in numbers only (the
  /// layers) are one row, the slowest first.
  std::string markdown() const;
  /// A JSON object a line for each label, `test` being a member of each.
  std::string jsonLines(const std::string &test) const;

private:
  struct Sum {
    int64_t calls = 0;
    double seconds = 0;
    double bytes = 0;
    double flops = 0;
    void add(const Sum &other);
  };
  /// By entry and label.
  std::map<std::pair<std::string, std::string>, Sum> sums;
  double bandwidth;
};

} // namespace t6::cli

#endif // T6_TOOLS_T6_PROFILE_H
