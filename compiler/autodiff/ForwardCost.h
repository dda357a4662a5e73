//===- ForwardCost.h - Operations of the forward pass -----------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// What it costs to compute a value of the forward pass again.
//
//===----------------------------------------------------------------------===//

#ifndef TPA_COMPILER_AUTODIFF_FORWARDCOST_H
#define TPA_COMPILER_AUTODIFF_FORWARDCOST_H

#include "mlir/IR/Operation.h"

namespace tpa {

/// Floating-point operations of `op`, as the costs of dispatches count them: a
/// multiplication and an addition are two. All sizes are static.
int64_t flopsOf(mlir::Operation *op);

/// Bytes of a tensor.
int64_t bytesOf(mlir::Value value);

/// Whether a value has a number for each query and each key.
bool isQuadratic(mlir::Value value);

/// Whether `op` is an einsum that sums over a label, and no score of a query
/// and a key.
bool isContraction(mlir::Operation *op);

} // namespace tpa

#endif // TPA_COMPILER_AUTODIFF_FORWARDCOST_H
