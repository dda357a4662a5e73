//===- PythonLexer.h - The tokens of a Python file --------------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef T6_RUNTIME_TRAIN_PYTHONLEXER_H
#define T6_RUNTIME_TRAIN_PYTHONLEXER_H

#include "runtime/train/PythonLiterals.h"

#include "absl/status/status.h"
#include "absl/strings/string_view.h"

#include <cstdint>
#include <string>

namespace t6 {

struct PythonToken {
  enum Kind { Name, Literal, Operator, Newline, End };
  Kind kind = End;
  absl::string_view text; ///< As the file spells it.
  PythonValue value;      ///< Of a Literal: int, float or str.
  int64_t line = 1;

  bool is(absl::string_view op) const { return kind == Operator && text == op; }
  /// "the name 'x'", "the end of the line": for messages.
  std::string description() const;
};

/// Splits valid UTF-8 into tokens. Lines are joined inside of brackets and
/// after a backslash; lines of nothing but a comment give no token.
class PythonLexer {
public:
  PythonLexer(absl::string_view text, absl::string_view file)
      : rest(text), file(file) {}

  /// Fails on what is no token, on an indented line, and on the literals that
  /// PythonValue has no room for.
  absl::Status next(PythonToken &token);

  /// "<file>:<line>: found <what>" and what is allowed.
  absl::Status found(absl::string_view what, int64_t atLine) const;

private:
  absl::Status skipBlanks(bool &atLineEnd);
  absl::Status lexNumber(PythonToken &token);
  absl::Status lexString(PythonToken &token);
  absl::Status lexEscape(std::string &text);
  void lexOperator(PythonToken &token);
  absl::string_view take(size_t bytes) {
    absl::string_view taken = rest.substr(0, bytes);
    rest.remove_prefix(taken.size());
    return taken;
  }

  absl::string_view rest;
  absl::string_view file;
  int64_t line = 1;
  int64_t brackets = 0;
  bool lineStart = true;
};

} // namespace t6

#endif // T6_RUNTIME_TRAIN_PYTHONLEXER_H
