//===- Passes.h - Passes from kernels to CPU code ---------------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Passes from kernels over memory to code for the CPU.
//
//===----------------------------------------------------------------------===//

#ifndef TPA_COMPILER_CODEGEN_CPU_PASSES_H
#define TPA_COMPILER_CODEGEN_CPU_PASSES_H

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/PatternMatch.h"
#include "mlir/Pass/Pass.h"

namespace tpa::cpu {

#define GEN_PASS_DECL
#define GEN_PASS_REGISTRATION
#include "compiler/codegen/cpu/Passes.h.inc"

} // namespace tpa::cpu

#endif // TPA_COMPILER_CODEGEN_CPU_PASSES_H
