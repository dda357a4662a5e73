//===- Passes.h - Passes from tensors to memory -----------------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Passes from dispatches on tensors to dispatches on memory.
//
//===----------------------------------------------------------------------===//

#ifndef TPA_COMPILER_EXEC_PASSES_H
#define TPA_COMPILER_EXEC_PASSES_H

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/PatternMatch.h"
#include "mlir/Pass/Pass.h"

namespace tpa {

#define GEN_PASS_DECL
#define GEN_PASS_REGISTRATION
#include "compiler/exec/Passes.h.inc"

} // namespace tpa

#endif // TPA_COMPILER_EXEC_PASSES_H
