//===- Console.cpp - Data on stdout, words on stderr ----------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "tools/t6/Console.h"

#include <algorithm>
#include <cerrno>
#include <cstdarg>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <unistd.h>

namespace t6::cli {

/// The error that ended stdout, or 0.
static int outError = 0;

bool writeOut(const std::string &text) {
  const char *data = text.data();
  size_t left = text.size();
  while (left > 0 && outError == 0) {
    ssize_t written = ::write(STDOUT_FILENO, data, left);
    if (written < 0 && errno != EINTR)
      outError = errno;
    if (written > 0) {
      data += written;
      left -= static_cast<size_t>(written);
    }
  }
  return outError == 0;
}

int finishOut(int code) {
  if (outError == 0 || outError == EPIPE || code != 0)
    return code;
  printError(std::string("cannot write to stdout: ") + std::strerror(outError));
  return T6_RUNTIME_ERROR;
}

void printError(const std::string &message) {
  printLine("t6: error: " + message);
}

void printNote(const std::string &message) {
  printLine("t6: note: " + message);
}

void printLine(const std::string &line) {
  // One call, so that lines of several programs do not mix.
  std::string text = line + "\n";
  std::fwrite(text.data(), 1, text.size(), stderr);
}

int fail(t6_status *status) {
  printError(t6_status_message(status));
  int code = t6_status_code(status);
  t6_status_free(status);
  return code;
}

std::string format(const char *pattern, ...) {
  va_list arguments, copy;
  va_start(arguments, pattern);
  va_copy(copy, arguments);
  int size = std::vsnprintf(nullptr, 0, pattern, copy);
  va_end(copy);
  std::string text(static_cast<size_t>(std::max(size, 0)), '\0');
  std::vsnprintf(&text[0], text.size() + 1, pattern, arguments);
  va_end(arguments);
  return text;
}

std::string bytesText(int64_t bytes) {
  const char *units[] = {"B", "KiB", "MiB", "GiB", "TiB"};
  double value = static_cast<double>(bytes);
  size_t unit = 0;
  for (; value >= 1024 && unit + 1 < std::size(units); ++unit)
    value /= 1024;
  return format(unit == 0 ? "%.0f %s" : "%.1f %s", value, units[unit]);
}

std::string countText(int64_t count) {
  double value = static_cast<double>(count);
  if (value >= 1e9)
    return format("%.2f B", value / 1e9);
  if (value >= 1e6)
    return format("%.1f M", value / 1e6);
  if (value >= 1e4)
    return format("%.1f k", value / 1e3);
  return format("%.0f", value);
}

std::string table(const std::vector<std::vector<std::string>> &rows,
                  bool left) {
  std::vector<size_t> widths;
  for (const std::vector<std::string> &row : rows)
    for (size_t i = 0; i < row.size(); ++i) {
      widths.resize(std::max(widths.size(), i + 1));
      widths[i] = std::max(widths[i], row[i].size());
    }
  std::string text;
  for (const std::vector<std::string> &row : rows) {
    std::string line;
    for (size_t i = 0; i < row.size(); ++i) {
      std::string padding(widths[i] - row[i].size(), ' ');
      line += i == 0 ? "" : "  ";
      line += left || i == 0 ? row[i] + padding : padding + row[i];
    }
    line.erase(line.find_last_not_of(' ') + 1);
    text += line + "\n";
  }
  return text;
}

Progress::Progress(std::string what)
    : what(std::move(what)),
      terminal(::isatty(STDERR_FILENO) && !std::getenv("NO_COLOR")),
      last(std::chrono::steady_clock::now()) {}

Progress::~Progress() { clear(); }

void Progress::update(const std::string &state) {
  auto now = std::chrono::steady_clock::now();
  double seconds = std::chrono::duration<double>(now - last).count();
  if (seconds < (terminal ? (shown ? 0.1 : 0.5) : 10))
    return;
  last = now;
  if (!terminal) {
    printLine(what + ": " + state);
    return;
  }
  shown = true;
  std::fprintf(stderr, "\r\033[K%s: %s", what.c_str(), state.c_str());
}

void Progress::clear() {
  if (shown)
    std::fprintf(stderr, "\r\033[K");
  shown = false;
}

} // namespace t6::cli
