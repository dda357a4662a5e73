//===- RecomputePolicy.h - What the reverse computes again ------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Policies of what is saved for the reverse, and what it computes again.
//
//===----------------------------------------------------------------------===//

#ifndef TPA_COMPILER_AUTODIFF_RECOMPUTEPOLICY_H
#define TPA_COMPILER_AUTODIFF_RECOMPUTEPOLICY_H

#include "llvm/ADT/StringRef.h"
#include <optional>
#include <string>

namespace tpa {

struct RecomputePolicy {
  enum Kind {
    None,    ///< all that the reverse reads is saved
    Full,    ///< nothing but the arguments of functions is
    Dots,    ///< results of contractions are
    Factors, ///< what attentions read and yield is
    Budget   ///< what spares most operations, within bytes
  };
  Kind kind = None;
  int64_t budget = 0; ///< bytes of a whole training step

  /// Of none, full, dots, factors or bytes as 64MB; else `error` says what is
  /// wrong, and a hint.
  static std::optional<RecomputePolicy> parse(llvm::StringRef text,
                                              std::string &error);
  std::string str() const;
};

} // namespace tpa

#endif // TPA_COMPILER_AUTODIFF_RECOMPUTEPOLICY_H
