//===- Passes.h - Passes from attention to linalg ---------------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Passes from attention to pairwise contractions to linalg.
//
//===----------------------------------------------------------------------===//

#ifndef TPA_COMPILER_EINSUM_PASSES_H
#define TPA_COMPILER_EINSUM_PASSES_H

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/PatternMatch.h"
#include "mlir/Pass/Pass.h"

namespace tpa {

#define GEN_PASS_DECL
#define GEN_PASS_REGISTRATION
#include "compiler/einsum/Passes.h.inc"

} // namespace tpa

#endif // TPA_COMPILER_EINSUM_PASSES_H
