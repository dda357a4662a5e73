//===- Sweep.h - Updates that also add up -----------------------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A sweep is a linalg.generic with several results: updates of every element,
// and sums over the loops that follow the parallel ones. It goes through memory
// once.
//
//===----------------------------------------------------------------------===//

#ifndef TPA_COMPILER_CODEGEN_CPU_SWEEP_H
#define TPA_COMPILER_CODEGEN_CPU_SWEEP_H

#include "compiler/codegen/cpu/BodyEmitter.h"
#include "compiler/codegen/cpu/Nest.h"

namespace tpa::cpu {

inline bool isSweep(const Nest &nest) {
  mlir::linalg::GenericOp op = nest.root;
  return op.getNumDpsInits() > 1;
}

/// Whether an operation with several results is a sweep that can be emitted:
/// parallel loops come first, each result has all loops or the parallel ones,
/// and the latter, where there are others, are sums that start from zero. Says
/// why it is not.
mlir::LogicalResult matchSweep(const Nest &nest);

/// What zeroes the sums, which emission makes superfluous.
llvm::SmallVector<mlir::linalg::FillOp> fillsOf(const Nest &sweep);

/// Chooses the vector loop: the last.
void scheduleSweep(Nest &nest);

/// ```
/// for the parallel loops
///   sums = 0
///   for the others, the last in vectors: store the updates; sums += ...
///   store(sums)
/// ```
/// over [lower, upper) per loop.
void emitSweep(mlir::OpBuilder &builder, const Nest &nest, int64_t lanes,
               llvm::ArrayRef<mlir::Value> lower,
               llvm::ArrayRef<mlir::Value> upper);

} // namespace tpa::cpu

#endif // TPA_COMPILER_CODEGEN_CPU_SWEEP_H
