//===- LinalgBuilder.h - Builds linalg.generic ------------------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Shorthands to build linalg.generic on tensors.
//
//===----------------------------------------------------------------------===//

#ifndef TPA_COMPILER_EINSUM_LINALGBUILDER_H
#define TPA_COMPILER_EINSUM_LINALGBUILDER_H

#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/IR/Builders.h"

namespace tpa {

using BodyBuilder =
    llvm::function_ref<mlir::Value(mlir::OpBuilder &, mlir::ValueRange)>;

/// A location that names what is computed: kernels are called after it.
mlir::Location named(mlir::Location loc, llvm::StringRef name);

/// Sizes of a tensor, static ones as attributes.
llvm::SmallVector<mlir::OpFoldResult>
sizesOf(mlir::OpBuilder &b, mlir::Location loc, mlir::Value tensor);

/// A generic over the shape of inputs[0], inputs alike, all loops parallel; the
/// body sees f32 or f64 and so does the result.
mlir::Value elementwise(mlir::OpBuilder &b, mlir::Location loc,
                        mlir::ValueRange inputs, BodyBuilder body);

/// A generic with one result of `sizes`. `maps` has one map per input, then the
/// result's. Loops that the result's map lacks are summed by `combine`, which
/// also takes the accumulator, last; `init` is its neutral element.
mlir::Value generic(mlir::OpBuilder &b, mlir::Location loc,
                    mlir::ValueRange inputs,
                    llvm::ArrayRef<mlir::AffineMap> maps,
                    llvm::ArrayRef<mlir::OpFoldResult> sizes,
                    mlir::Type elementType, std::optional<double> init,
                    BodyBuilder body);

/// The map from loops, a letter each, to the dimensions of a term.
mlir::AffineMap mapOf(llvm::StringRef term, llvm::StringRef loops,
                      mlir::MLIRContext *context);

/// `value` in f32, if it is a narrower float or an 8-bit integer.
mlir::Value widen(mlir::OpBuilder &b, mlir::Location loc, mlir::Value value);

/// 1 / (1 + exp(-x))
mlir::Value sigmoid(mlir::OpBuilder &b, mlir::Location loc, mlir::Value x);

} // namespace tpa

#endif // TPA_COMPILER_EINSUM_LINALGBUILDER_H
