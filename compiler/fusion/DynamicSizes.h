//===- DynamicSizes.h - Sizes from an entry ---------------------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Where dynamic sizes come from: the scalars of an entry.
//
//===----------------------------------------------------------------------===//

#ifndef TPA_COMPILER_FUSION_DYNAMICSIZES_H
#define TPA_COMPILER_FUSION_DYNAMICSIZES_H

#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/Value.h"

namespace tpa {

/// The scalar that dimension `dim` of a tensor is, followed through the
/// operations that shape it; null where it is not a scalar.
mlir::Value resolveSize(mlir::Value tensor, int64_t dim);

/// Replaces every tensor.dim by the scalar or constant that it is.
mlir::LogicalResult resolveDims(mlir::ModuleOp module);

} // namespace tpa

#endif // TPA_COMPILER_FUSION_DYNAMICSIZES_H
