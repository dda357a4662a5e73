//===- ScalarAdjoint.h - Reverse mode over scalars --------------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Reverse mode over the scalar operations of a pointwise body.
//
//===----------------------------------------------------------------------===//

#ifndef TPA_COMPILER_AUTODIFF_SCALARADJOINT_H
#define TPA_COMPILER_AUTODIFF_SCALARADJOINT_H

#include "mlir/IR/Builders.h"

namespace tpa {

/// `cotangent` times the derivative of `value` by `argument`, `value` computed
/// from it by the float operations of arith and math in the builder's block.
/// Zero where it does not depend on it; fails, with a diagnostic, at an
/// operation without a rule.
mlir::FailureOr<mlir::Value>
scalarAdjoint(mlir::OpBuilder &builder, mlir::Location loc, mlir::Value value,
              mlir::Value argument, mlir::Value cotangent);

} // namespace tpa

#endif // TPA_COMPILER_AUTODIFF_SCALARADJOINT_H
