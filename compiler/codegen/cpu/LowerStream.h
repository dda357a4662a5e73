//===- LowerStream.h - Streams to loops over blocks -------------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Lowers tpa.stream over memrefs to loops of linalg over blocks of keys.
//
//===----------------------------------------------------------------------===//

#ifndef TPA_COMPILER_CODEGEN_CPU_LOWERSTREAM_H
#define TPA_COMPILER_CODEGEN_CPU_LOWERSTREAM_H

#include "compiler/codegen/cpu/Nest.h"
#include "dialects/tpa/TpaDialect.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"

namespace tpa::cpu {

struct StreamLoweringOptions {
  /// Queries of a workgroup, where their number varies or is more than
  /// `fewQueries`.
  int64_t queryBlock = 16;
  static constexpr int64_t fewQueries = 64;
  /// Give each batch row, query block and split a workgroup; else loop over
  /// them.
  bool distribute = true;
  /// Leave results that one map alone reads to code generation, which need not
  /// store them.
  bool epilogues = true;
  /// The CPU adds two products of bf16 to a sum in f32.
  bool bf16Dot = false;
  Target target;
};

/// Replaces the kernel's stream, if it has one. With `distribute` the kernel
/// gets its grid and its last argument, the workgroup.
mlir::LogicalResult lowerStream(mlir::func::FuncOp kernel,
                                const StreamLoweringOptions &options);

} // namespace tpa::cpu

#endif // TPA_COMPILER_CODEGEN_CPU_LOWERSTREAM_H
