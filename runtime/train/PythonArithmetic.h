//===- PythonArithmetic.h - Numbers computed as Python does -----*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef T6_RUNTIME_TRAIN_PYTHONARITHMETIC_H
#define T6_RUNTIME_TRAIN_PYTHONARITHMETIC_H

#include "runtime/train/PythonLiterals.h"

#include "absl/strings/string_view.h"

#include <optional>
#include <string>

namespace t6 {

/// `left op right` of ints and floats, for + - * / // % **: / gives a float, //
/// and % round down. Nothing, and what is wrong in `error`, for other types, a
/// division by zero, and results that fit neither 64 bits nor a float.
std::optional<PythonValue> pythonBinary(absl::string_view op,
                                        const PythonValue &left,
                                        const PythonValue &right,
                                        std::string &error);

/// Applies a sign to a number.
bool pythonSign(absl::string_view sign, PythonValue &value, std::string &error);

} // namespace t6

#endif // T6_RUNTIME_TRAIN_PYTHONARITHMETIC_H
