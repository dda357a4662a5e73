//===- Specialize.h - Shapes of a function ----------------------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Shape inference over a function: argument types decide all others.
//
//===----------------------------------------------------------------------===//

#ifndef TPA_COMPILER_MODEL_SPECIALIZE_H
#define TPA_COMPILER_MODEL_SPECIALIZE_H

#include "mlir/Dialect/Func/IR/FuncOps.h"

namespace tpa {

/// Sets the function's argument types and infers the types of everything in it
/// anew, the function's results included. Types of operations that do not infer
/// theirs (t6.param) are kept. Fails with a diagnostic at the operation whose
/// operands no longer fit.
mlir::LogicalResult specialize(mlir::func::FuncOp function,
                               mlir::TypeRange arguments);

} // namespace tpa

#endif // TPA_COMPILER_MODEL_SPECIALIZE_H
