//===- PythonLiterals.h - Assignments in Python, read, not run --*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The part of Python that configuration files consist of:
//
//   import time                       # of a few modules; has no effect
//   """Text that stands alone."""
//   batch_size = 24
//   name: str = 'a' "b"
//   steps = 120 // batch_size + 2**3  # numbers, and names assigned before
//
// Nothing is executed; whatever else a file contains is an error.
//
//===----------------------------------------------------------------------===//

#ifndef T6_RUNTIME_TRAIN_PYTHONLITERALS_H
#define T6_RUNTIME_TRAIN_PYTHONLITERALS_H

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

#include <cstdint>
#include <optional>
#include <string>
#include <variant>
#include <vector>

namespace t6 {

struct PythonNone {};

/// None, a bool, an int that fits 64 bits, a float or a str (UTF-8).
using PythonValue =
    std::variant<PythonNone, bool, int64_t, double, std::string>;

/// "NoneType", "bool", "int", "float", "str".
absl::string_view pythonType(const PythonValue &value);

/// As repr() spells it.
std::string pythonText(const PythonValue &value);

/// As ast.literal_eval reads it: one literal, a number perhaps with a sign.
/// Nothing where `text` is no such literal.
std::optional<PythonValue> readPythonLiteral(absl::string_view text);

struct PythonAssignment {
  std::string name;
  PythonValue value;
  int64_t line; ///< From 1.
  /// Whether a later expression of the file reads it.
  bool read = false;
};

/// The assignments of `text` in order. `known` gives the values of names that
/// the file does not assign. The first thing that is not understood is an error
/// "<file>:<line>: found ...".
absl::StatusOr<std::vector<PythonAssignment>> readPythonAssignments(
    absl::string_view text, absl::string_view file,
    absl::FunctionRef<std::optional<PythonValue>(absl::string_view)> known);

} // namespace t6

#endif // T6_RUNTIME_TRAIN_PYTHONLITERALS_H
