//===- FunctionGradient.h - The reverse of a function -----------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A function's forward pass and its reverse, as functions of their own.
//
//===----------------------------------------------------------------------===//

#ifndef TPA_COMPILER_AUTODIFF_FUNCTIONGRADIENT_H
#define TPA_COMPILER_AUTODIFF_FUNCTIONGRADIENT_H

#include "mlir/Dialect/Func/IR/FuncOps.h"

namespace tpa {

/// What the reverse does about an argument.
enum class ArgumentRole {
  Constant,  ///< nothing
  Cotangent, ///< returns its cotangent
  Gradient   ///< adds to its gradient, in place
};

struct FunctionGradient {
  /// The function, which also returns what is saved, last.
  mlir::func::FuncOp forward;
  /// Takes the arguments that `arguments` counts, what is saved, a cotangent
  /// per result of the function and a gradient per argument with that role;
  /// returns the cotangents of arguments with that role, then the gradients.
  mlir::func::FuncOp backward;
  llvm::SmallVector<unsigned> arguments;
  unsigned numSaved = 0;
};

/// Adds these functions to the module of `function`, which stays.
mlir::FailureOr<FunctionGradient>
differentiate(mlir::func::FuncOp function, llvm::ArrayRef<ArgumentRole> roles);

} // namespace tpa

#endif // TPA_COMPILER_AUTODIFF_FUNCTIONGRADIENT_H
