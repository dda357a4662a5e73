//===- ProcessForTest.h - Runs t6 and looks at what it says -----*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef T6_TOOLS_T6_PROCESSFORTEST_H
#define T6_TOOLS_T6_PROCESSFORTEST_H

#include <string>
#include <utility>
#include <vector>

namespace t6 {

struct Outcome {
  int exitCode = -1; ///< 128 + the signal, as in shells.
  std::string out;
  std::string err;
};

struct ProcessOptions {
  std::vector<std::pair<std::string, std::string>> environment;
  /// Files may not become longer than this; -1: as long as they like.
  long maxFileBytes = -1;
  /// Where stdout goes; a pipe to Outcome::out if -1.
  int out = -1;
  /// If not empty: SIGINT is sent when stderr shows this, and then `out`, which
  /// is a full pipe, is emptied from this descriptor.
  std::string interruptAt;
  int drain = -1;
};

/// Runs t6 to its end.
Outcome runT6(const std::vector<std::string> &arguments,
              const ProcessOptions &options = {});

/// A path in the test's folder; nothing is there yet.
std::string freshPath(const std::string &name);

/// The contents of a file; "" if there is none.
std::string readFile(const std::string &path);
bool exists(const std::string &path);

} // namespace t6

#endif // T6_TOOLS_T6_PROCESSFORTEST_H
