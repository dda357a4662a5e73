//===- RecomputePolicy.cpp - What the reverse computes again --------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Policies of what is saved for the reverse, by name or as bytes.
//
//===----------------------------------------------------------------------===//

#include "compiler/autodiff/RecomputePolicy.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/ADT/StringSwitch.h"

using namespace llvm;

namespace tpa {

/// A number, then nothing or a unit. Whole bytes come of it, fewer than 2^63.
static std::optional<int64_t> parseBytes(StringRef text) {
  StringRef number =
      text.take_while([](char c) { return isDigit(c) || c == '.'; });
  double unit = StringSwitch<double>(text.drop_front(number.size()))
                    .Cases({"", "B"}, 1)
                    .Case("kB", 1e3)
                    .Case("MB", 1e6)
                    .Case("GB", 1e9)
                    .Case("TB", 1e12)
                    .Case("KiB", 0x1p10)
                    .Case("MiB", 0x1p20)
                    .Case("GiB", 0x1p30)
                    .Case("TiB", 0x1p40)
                    .Default(0);
  double count;
  if (unit == 0 || number.getAsDouble(count) || count * unit >= 0x1p63)
    return std::nullopt;
  return int64_t(count * unit);
}

std::optional<RecomputePolicy> RecomputePolicy::parse(StringRef text,
                                                      std::string &error) {
  auto kind = StringSwitch<std::optional<Kind>>(text)
                  .Case("none", None)
                  .Case("full", Full)
                  .Case("dots", Dots)
                  .Case("factors", Factors)
                  .Default(std::nullopt);
  if (kind)
    return RecomputePolicy{*kind};
  bool isNumber = !text.empty() && (isDigit(text[0]) || text[0] == '.' ||
                                    text[0] == '-' || text[0] == '+');
  if (!isNumber) {
    error = "is no policy. HINT: use none, full, dots, factors, or the bytes "
            "that may be saved, as 64MB";
    return std::nullopt;
  }
  if (std::optional<int64_t> bytes = parseBytes(text))
    return RecomputePolicy{Budget, *bytes};
  error = "is no number of bytes. HINT: write it as 64MB or 1.5GiB: a number "
          "and B, kB, MB, GB, TB, KiB, MiB, GiB or TiB";
  return std::nullopt;
}

std::string RecomputePolicy::str() const {
  switch (kind) {
  case None:
    return "none";
  case Full:
    return "full";
  case Dots:
    return "dots";
  case Factors:
    return "factors";
  case Budget:
    return std::to_string(budget) + "B";
  }
  return {};
}

} // namespace tpa
