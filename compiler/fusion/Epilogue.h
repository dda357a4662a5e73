//===- Epilogue.h - What follows work in its kernel -------------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Finds the contractions and reductions that a pointwise map may follow in
// their kernel.
//
//===----------------------------------------------------------------------===//

#ifndef TPA_COMPILER_FUSION_EPILOGUE_H
#define TPA_COMPILER_FUSION_EPILOGUE_H

#include "mlir/Dialect/Linalg/IR/Linalg.h"

namespace tpa {

bool isPointwise(mlir::Operation *op);

/// What a kernel is called: the name its work was given, or what it does.
std::string labelOf(mlir::Operation *op);

/// The contraction or reduction whose result `op` alone maps, point by point:
/// none, one, or two that run through the same loops and share an operand, as
/// the gate and the up projection of a SwiGLU. These two read what they do not
/// share less than `manyRows` times a value.
llvm::SmallVector<mlir::linalg::GenericOp> epilogueRoots(mlir::Operation *op,
                                                         int64_t manyRows);

} // namespace tpa

#endif // TPA_COMPILER_FUSION_EPILOGUE_H
