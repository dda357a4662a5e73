//===- AdjointBuilder.h - Cotangents in the making --------------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Reverse mode over one straight-line block.
//
//===----------------------------------------------------------------------===//

#ifndef TPA_COMPILER_AUTODIFF_ADJOINTBUILDER_H
#define TPA_COMPILER_AUTODIFF_ADJOINTBUILDER_H

#include "mlir/IR/Builders.h"
#include "mlir/IR/BuiltinTypes.h"
#include "llvm/ADT/DenseMap.h"
#include "llvm/ADT/DenseSet.h"
#include "llvm/ADT/MapVector.h"

namespace tpa {

/// The derivative of one number with respect to each value of a block, its
/// cotangent, added up in the reverse order of the block's operations: the
/// order is fixed, so sums are the same in every run.
class AdjointBuilder {
public:
  /// New operations go where `builder` stands, behind the block's own.
  explicit AdjointBuilder(mlir::OpBuilder &builder) : builder(builder) {}

  mlir::OpBuilder &builder;

  /// Marks what is differentiated with respect to; what is computed from it is
  /// active once `findActive` has seen it.
  void activate(mlir::Value value) { active.insert(value); }
  /// Also gives the tensor its cotangent is added to, in place.
  void activate(mlir::Value value, mlir::Value gradient) {
    active.insert(value);
    gradients[value] = gradient;
  }
  void findActive(mlir::Block &block);
  bool isActive(mlir::Value value) const { return active.contains(value); }

  /// Null where nothing depends on the value so far.
  mlir::Value cotangentOf(mlir::Value value) const {
    return cotangents.lookup(value);
  }
  /// The gradient of a value that was activated with one, as it is by now. What
  /// rounds such a value has the same.
  mlir::Value gradientOf(mlir::Value value) const {
    return gradients.lookup(unrounded(value));
  }
  /// Adds to the cotangent of `value`, if it is active: into its gradient where
  /// it has one.
  void add(mlir::Value value, mlir::Value cotangent);
  /// The same by an operation that makes a new gradient of the old one; zeros
  /// are the old one of a value without.
  void update(mlir::Value value,
              llvm::function_ref<mlir::Value(mlir::Value)> newGradient);

  /// Zeros in memory of their own, of a type of static sizes: a constant could
  /// not be updated in place.
  mlir::Value zeros(mlir::Location loc, mlir::RankedTensorType type);

  /// What a called function has made of a gradient.
  void setGradient(mlir::Value value, mlir::Value gradient) {
    gradients[unrounded(value)] = gradient;
  }

  /// Builds the adjoint of one operation, if anything depends on it.
  mlir::LogicalResult reverse(mlir::Operation *op);

private:
  /// The value with a gradient that this one rounds, or the value itself: a
  /// share of the gradient is not added up apart, nor rounded.
  mlir::Value unrounded(mlir::Value value) const;

  llvm::DenseSet<mlir::Value> active;
  llvm::DenseMap<mlir::Value, mlir::Value> cotangents;
  llvm::MapVector<mlir::Value, mlir::Value> gradients;
};

} // namespace tpa

#endif // TPA_COMPILER_AUTODIFF_ADJOINTBUILDER_H
