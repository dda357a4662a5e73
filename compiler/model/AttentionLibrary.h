//===- AttentionLibrary.h - Built-in attentions -----------------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The attention functions of models/attention, carried inside the compiler.
//
//===----------------------------------------------------------------------===//

#ifndef TPA_COMPILER_MODEL_ATTENTIONLIBRARY_H
#define TPA_COMPILER_MODEL_ATTENTIONLIBRARY_H

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/BuiltinOps.h"

namespace tpa {

/// Names of the library's functions, sorted.
llvm::SmallVector<llvm::StringRef> attentionLibraryNames();

/// Parses the library's function `name` into `module`; null if there is none.
mlir::func::FuncOp importAttention(mlir::ModuleOp module, llvm::StringRef name);

/// Normalises each head of the attention's result, of the named size, with
/// weights: the reference's `using_groupnorm`.
void insertSubln(mlir::func::FuncOp function, llvm::StringRef size);

/// Gives all rotations of the function this base.
void setRopeTheta(mlir::func::FuncOp function, double theta);

} // namespace tpa

#endif // TPA_COMPILER_MODEL_ATTENTIONLIBRARY_H
