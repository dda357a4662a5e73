//===- AxisFlow.h - Tokens through a function -------------------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Follows tokens and batch rows through an attention function.
//
//===----------------------------------------------------------------------===//

#ifndef TPA_COMPILER_MODEL_AXISFLOW_H
#define TPA_COMPILER_MODEL_AXISFLOW_H

#include "mlir/Dialect/Func/IR/FuncOps.h"

namespace tpa {

/// Whether only the tpa.attention of `function` makes a token depend on others,
/// but for a tpa.recent on those just before it, and nothing a batch row:
/// tokens come in parts of any length, and what is cached of one is computed
/// when it comes. Fails with a diagnostic at the operation that mixes them.
mlir::LogicalResult checkAxes(mlir::func::FuncOp function);

} // namespace tpa

#endif // TPA_COMPILER_MODEL_AXISFLOW_H
