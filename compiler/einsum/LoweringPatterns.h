//===- LoweringPatterns.h - Patterns, by dialect ----------------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Pattern sets of tpa-lower-to-linalg, one per dialect.
//
//===----------------------------------------------------------------------===//

#ifndef TPA_COMPILER_EINSUM_LOWERINGPATTERNS_H
#define TPA_COMPILER_EINSUM_LOWERINGPATTERNS_H

#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/PatternMatch.h"

namespace tpa {

/// einsum, map and rope; tables of rope hold `positions` rows.
void populateTpaToLinalgPatterns(mlir::RewritePatternSet &patterns,
                                 mlir::ModuleOp module, int64_t positions);

/// softmax, what it divides by, and the merge of its parts.
void populateSoftmaxToLinalgPatterns(mlir::RewritePatternSet &patterns);

/// The layers of the t6 dialect.
void populateT6ToLinalgPatterns(mlir::RewritePatternSet &patterns);

/// Reads of pages; while there are still appends, which say where rows end.
void populatePagedReadPattern(mlir::RewritePatternSet &patterns);
/// Appends to caches and the other reads of them.
void populateCacheToLinalgPatterns(mlir::RewritePatternSet &patterns);

/// Gathers of earlier tokens, and the rings that hold them between runs.
void populateRecentToLinalgPatterns(mlir::RewritePatternSet &patterns);

/// Gradients and the optimiser.
void populateTrainingToLinalgPatterns(mlir::RewritePatternSet &patterns);
/// t6.add_gradient, once what it adds is linalg.
void populateAddGradientPattern(mlir::RewritePatternSet &patterns);

/// t6.dequantize, for consumers that the other patterns left it to.
void populateDequantizePattern(mlir::RewritePatternSet &patterns);

} // namespace tpa

#endif // TPA_COMPILER_EINSUM_LOWERINGPATTERNS_H
