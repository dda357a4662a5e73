//===- NumberText.cpp - Numbers as Python prints them ---------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "runtime/train/NumberText.h"

#include <charconv>
#include <cmath>

namespace t6 {

std::string pythonNumber(double value) {
  if (std::isnan(value))
    return "nan";
  double size = std::fabs(value);
  bool fixed = size == 0 || (size >= 1e-4 && size < 1e16);
  // 17 digits, sign, point, and four zeros or an exponent.
  char buffer[40];
  std::to_chars_result end = std::to_chars(
      buffer, buffer + sizeof(buffer), value,
      fixed ? std::chars_format::fixed : std::chars_format::scientific);
  std::string text(buffer, end.ptr);
  if (fixed && text.find('.') == std::string::npos)
    text += ".0";
  return text;
}

} // namespace t6
