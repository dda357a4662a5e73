//===- Layout.h - Layouts of parameters -------------------------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Parameter layouts such as "(H R_Q) C": named sizes, grouped as stored.
//
//===----------------------------------------------------------------------===//

#ifndef TPA_DIALECTS_T6_LAYOUT_H
#define TPA_DIALECTS_T6_LAYOUT_H

#include "mlir/IR/BuiltinAttributes.h"
#include "mlir/Support/LLVM.h"
#include <string>

namespace tpa::t6 {

/// Dimensions in order; `groups` counts how many of them each stored dimension
/// holds.
struct Layout {
  llvm::SmallVector<std::string> dims;
  llvm::SmallVector<unsigned> groups;

  /// Parses names (sums of names) separated by spaces, groups in parentheses;
  /// `error` receives what is wrong.
  static mlir::FailureOr<Layout> parse(llvm::StringRef text,
                                       std::string &error);

  /// The shape in the checkpoint, given the shape that is read.
  llvm::SmallVector<int64_t> storedShape(llvm::ArrayRef<int64_t> shape) const;
};

/// Evaluates a name or a sum of names, "D+E", or fails with the unknown name
/// in `error`.
mlir::FailureOr<int64_t> evaluateSize(llvm::StringRef expression,
                                      mlir::DictionaryAttr sizes,
                                      std::string &error);

} // namespace tpa::t6

#endif // TPA_DIALECTS_T6_LAYOUT_H
