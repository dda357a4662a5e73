//===- ShapeChecks.h - Ranks and sizes of operands --------------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// What verifiers of t6 operations ask of the shapes of operands.
//
//===----------------------------------------------------------------------===//

#ifndef TPA_DIALECTS_T6_SHAPECHECKS_H
#define TPA_DIALECTS_T6_SHAPECHECKS_H

#include "mlir/IR/BuiltinTypes.h"
#include "mlir/IR/Diagnostics.h"
#include "mlir/IR/Value.h"

namespace tpa::t6 {

using EmitError = llvm::function_ref<mlir::InFlightDiagnostic()>;

inline mlir::LogicalResult checkRank(mlir::Value value, llvm::StringRef name,
                                     int64_t rank, EmitError emitError) {
  auto type = llvm::dyn_cast<mlir::RankedTensorType>(value.getType());
  if (!type || type.getRank() != rank)
    return emitError() << name << " must have rank " << rank << ", but is "
                       << value.getType();
  return mlir::success();
}

/// Both sizes where static; a dynamic size agrees with any.
inline mlir::LogicalResult checkSize(mlir::Value a, int64_t dimA,
                                     llvm::StringRef nameA, mlir::Value b,
                                     int64_t dimB, llvm::StringRef nameB,
                                     EmitError emitError) {
  int64_t sizeA = llvm::cast<mlir::ShapedType>(a.getType()).getDimSize(dimA);
  int64_t sizeB = llvm::cast<mlir::ShapedType>(b.getType()).getDimSize(dimB);
  if (mlir::ShapedType::isDynamic(sizeA) ||
      mlir::ShapedType::isDynamic(sizeB) || sizeA == sizeB)
    return mlir::success();
  return emitError() << "dimension " << dimA << " of " << nameA << " is "
                     << sizeA << ", but dimension " << dimB << " of " << nameB
                     << " is " << sizeB;
}

inline mlir::RankedTensorType f32Tensor(mlir::MLIRContext *context,
                                        llvm::ArrayRef<int64_t> shape) {
  return mlir::RankedTensorType::get(shape, mlir::Float32Type::get(context));
}

inline int64_t dim(mlir::Value value, int64_t i) {
  return llvm::cast<mlir::ShapedType>(value.getType()).getDimSize(i);
}

} // namespace tpa::t6

#endif // TPA_DIALECTS_T6_SHAPECHECKS_H
