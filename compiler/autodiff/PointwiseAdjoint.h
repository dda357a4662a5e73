//===- PointwiseAdjoint.h - Adjoints of pointwise operations ----*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The adjoint of what computes each element from elements under the same
// labels.
//
//===----------------------------------------------------------------------===//

#ifndef TPA_COMPILER_AUTODIFF_POINTWISEADJOINT_H
#define TPA_COMPILER_AUTODIFF_POINTWISEADJOINT_H

#include "compiler/autodiff/AdjointBuilder.h"
#include "dialects/tpa/Equation.h"

namespace tpa {

/// Letters for the dimensions of a tensor of this rank.
std::string lettersOf(int64_t rank);

/// Adds the cotangents of the operands of `op`, which computes its one result
/// from them by `body`, a clone of its scalar computation: a map per active
/// operand, summed over the labels that the operand lacks.
mlir::LogicalResult addPointwiseAdjoint(
    AdjointBuilder &adjoint, mlir::Operation *op, const Equation &equation,
    llvm::function_ref<mlir::Value(mlir::OpBuilder &, mlir::ValueRange)> body);

} // namespace tpa

#endif // TPA_COMPILER_AUTODIFF_POINTWISEADJOINT_H
