//===- RankUpdate.h - Sums of outer products --------------------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// `out[r, c] += sum over k of x[k, r] y[k, c]` as a register tile over r and c:
// where a stream's weights meet its values, and most of its arithmetic.
//
//===----------------------------------------------------------------------===//

#ifndef TPA_COMPILER_CODEGEN_CPU_RANKUPDATE_H
#define TPA_COMPILER_CODEGEN_CPU_RANKUPDATE_H

#include "compiler/codegen/cpu/Nest.h"

namespace tpa::cpu {

/// Operands have constant sizes and neighbours along their last dimension; c
/// comes in whole vectors.
struct RankUpdate {
  mlir::Value x;   ///< memref<K x R x f32>, or pairs
  mlir::Value y;   ///< memref<K x C x f32>, or pairs
  mlir::Value out; ///< memref<R x C x f32>
  /// Memory that comes next, each a memref<? x T>: lines of it are asked for
  /// between the products, so that memory and arithmetic overlap.
  llvm::ArrayRef<mlir::Value> ahead;
};

void emitRankUpdate(mlir::OpBuilder &b, mlir::Location loc,
                    const RankUpdate &update, const Target &target);

/// The form that dot products of two take: `pairs[k / 2, 2 w + k % 2] =
/// rows[k, w]` in bf16, from f32 (rounded to nearest even) or bf16.
void emitPairs(mlir::OpBuilder &b, mlir::Location loc, mlir::Value rows,
               mlir::Value pairs, const Target &target);

} // namespace tpa::cpu

#endif // TPA_COMPILER_CODEGEN_CPU_RANKUPDATE_H
