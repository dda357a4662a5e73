//===- PythonArithmetic.cpp - Numbers computed as Python does -------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "runtime/train/PythonArithmetic.h"

#include "absl/strings/str_cat.h"

#include <cmath>
#include <limits>

namespace t6 {
namespace {

constexpr absl::string_view kTooLarge =
    "a number too large for 64 bits or a float";

/// Nothing on overflow. `right` is not 0 in a division, not negative in a
/// power.
std::optional<int64_t> integerBinary(absl::string_view op, int64_t left,
                                     int64_t right) {
  int64_t result = 0;
  bool overflow = false;
  if (op == "+") {
    overflow = __builtin_add_overflow(left, right, &result);
  } else if (op == "-") {
    overflow = __builtin_sub_overflow(left, right, &result);
  } else if (op == "*") {
    overflow = __builtin_mul_overflow(left, right, &result);
  } else if (op == "**") {
    result = 1;
    // 0, 1 and -1 have powers of any height.
    if (left >= -1 && left <= 1)
      right = right == 0 ? 0 : 2 - right % 2;
    for (int64_t i = 0; i < right && !overflow; ++i)
      overflow = __builtin_mul_overflow(result, left, &result);
  } else if (right == -1) {
    // The one quotient that overflows.
    if (op == "//")
      overflow = __builtin_sub_overflow(int64_t(0), left, &result);
  } else {
    int64_t rest = left % right;
    bool down = rest != 0 && (rest < 0) != (right < 0);
    result = op == "//" ? left / right - down : rest + (down ? right : 0);
  }
  if (overflow)
    return std::nullopt;
  return result;
}

double floatBinary(absl::string_view op, double left, double right) {
  if (op == "+")
    return left + right;
  if (op == "-")
    return left - right;
  if (op == "*")
    return left * right;
  if (op == "**")
    return std::pow(left, right);
  if (op == "/")
    return left / right;
  double rest = std::fmod(left, right);
  if (rest == 0)
    rest = std::copysign(0.0, right);
  else if ((rest < 0) != (right < 0))
    rest += right;
  if (op == "%")
    return rest;
  double quotient = std::round((left - rest) / right);
  return quotient == 0 ? std::copysign(0.0, left / right) : quotient;
}

std::optional<double> asFloat(const PythonValue &value) {
  if (auto *integer = std::get_if<int64_t>(&value))
    return static_cast<double>(*integer);
  if (auto *number = std::get_if<double>(&value))
    return *number;
  return std::nullopt;
}

} // namespace

std::optional<PythonValue> pythonBinary(absl::string_view op,
                                        const PythonValue &left,
                                        const PythonValue &right,
                                        std::string &error) {
  std::optional<double> leftFloat = asFloat(left), rightFloat = asFloat(right);
  if (!leftFloat || !rightFloat) {
    error = absl::StrCat("'", op, "' between ", pythonType(left), " and ",
                         pythonType(right));
    return std::nullopt;
  }
  bool divides = op == "/" || op == "//" || op == "%";
  if (*rightFloat == 0 && divides) {
    error = "a division by zero";
    return std::nullopt;
  }
  auto *leftInt = std::get_if<int64_t>(&left);
  auto *rightInt = std::get_if<int64_t>(&right);
  if (leftInt && rightInt && op != "/" && (op != "**" || *rightInt >= 0)) {
    std::optional<int64_t> result = integerBinary(op, *leftInt, *rightInt);
    if (!result) {
      error = std::string(kTooLarge);
      return std::nullopt;
    }
    return PythonValue(*result);
  }
  double result = floatBinary(op, *leftFloat, *rightFloat);
  // 0 ** -1, a negative number to a broken power, overflow.
  if (!std::isfinite(result)) {
    error = absl::StrCat(std::isinf(result) && !(op == "**" && *leftFloat == 0)
                             ? std::string(kTooLarge)
                             : absl::StrCat("'", op, "' without a result"));
    return std::nullopt;
  }
  return PythonValue(result);
}

bool pythonSign(absl::string_view sign, PythonValue &value,
                std::string &error) {
  if (!asFloat(value)) {
    error = absl::StrCat("'", sign, "' before ", pythonType(value));
    return false;
  }
  if (sign == "+")
    return true;
  if (auto *integer = std::get_if<int64_t>(&value)) {
    if (*integer == std::numeric_limits<int64_t>::min()) {
      error = std::string(kTooLarge);
      return false;
    }
    value = -*integer;
    return true;
  }
  value = -std::get<double>(value);
  return true;
}

} // namespace t6
