//===- Console.h - Data on stdout, words on stderr --------------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef T6_TOOLS_T6_CONSOLE_H
#define T6_TOOLS_T6_CONSOLE_H

#include "runtime/api/t6.h"

#include <chrono>
#include <cstdint>
#include <string>
#include <vector>

namespace t6::cli {

/// Writes to stdout at once. False when that is of no use any more: the reader
/// has gone, or the disk is full.
bool writeOut(const std::string &text);

/// The exit code for a program that is about to end with `code`: stdout that
/// could not be written is an error, a reader that has gone is not.
int finishOut(int code);

/// "t6: error: ...", "t6: note: ..." on stderr.
void printError(const std::string &message);
void printNote(const std::string &message);
/// A plain line on stderr.
void printLine(const std::string &line);

/// Prints the error of `status`, frees it, and gives the exit code.
int fail(t6_status *status);

/// printf to a string.
[[gnu::format(printf, 1, 2)]] std::string format(const char *pattern, ...);

/// "18.4 MiB".
std::string bytesText(int64_t bytes);
/// "124.3 M", "1.55 B".
std::string countText(int64_t count);

/// Rows with columns of equal width, "  " between. The first column is aligned
/// to the left, the others to the right unless `left`.
std::string table(const std::vector<std::vector<std::string>> &rows,
                  bool left = false);

/// How far something is: one line that changes on a terminal, else a line every
/// ten seconds.
class Progress {
public:
  explicit Progress(std::string what);
  ~Progress();
  Progress(const Progress &) = delete;
  Progress &operator=(const Progress &) = delete;

  void update(const std::string &state);
  /// Removes the changing line.
  void clear();

private:
  std::string what;
  bool terminal;
  bool shown = false;
  std::chrono::steady_clock::time_point last;
};

} // namespace t6::cli

#endif // T6_TOOLS_T6_CONSOLE_H
