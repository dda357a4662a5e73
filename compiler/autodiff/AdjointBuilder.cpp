//===- AdjointBuilder.cpp - Cotangents in the making ----------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Reverse mode over one straight-line block.
//
//===----------------------------------------------------------------------===//

#include "compiler/autodiff/DifferentiableOpInterface.h"
#include "dialects/t6/T6Dialect.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/TypeUtilities.h"
#include "mlir/Transforms/RegionUtils.h"
#include "llvm/ADT/SetVector.h"

using namespace mlir;

#include "compiler/autodiff/DifferentiableOpInterface.cpp.inc"

namespace tpa {

static bool isFloat(Value value) {
  return isa<FloatType>(getElementTypeOrSelf(value.getType()));
}

void AdjointBuilder::findActive(Block &block) {
  for (Operation &op : block) {
    llvm::SetVector<Value> used(op.operand_begin(), op.operand_end());
    getUsedValuesDefinedAbove(op.getRegions(), used);
    bool reads =
        llvm::any_of(used, [&](Value value) { return isActive(value); });
    for (Value result : op.getResults())
      if (reads && isFloat(result))
        active.insert(result);
  }
}

Value AdjointBuilder::unrounded(Value value) const {
  auto rounded = value.getDefiningOp<arith::TruncFOp>();
  return rounded && gradients.contains(rounded.getIn()) ? rounded.getIn()
                                                        : value;
}

void AdjointBuilder::add(Value value, Value cotangent) {
  if (!isActive(value))
    return;
  value = unrounded(value);
  Location loc = cotangent.getLoc();
  if (auto known = gradients.find(value); known != gradients.end()) {
    known->second =
        t6::AddGradientOp::create(builder, loc, known->second, cotangent);
    return;
  }
  Value &sum = cotangents[value];
  sum = sum ? Value(arith::AddFOp::create(builder, loc, sum, cotangent))
            : cotangent;
}

void AdjointBuilder::update(Value value,
                            function_ref<Value(Value)> newGradient) {
  if (!isActive(value))
    return;
  value = unrounded(value);
  if (auto known = gradients.find(value); known != gradients.end()) {
    known->second = newGradient(known->second);
    return;
  }
  add(value, newGradient(zeros(value.getLoc(),
                               cast<RankedTensorType>(value.getType()))));
}

Value AdjointBuilder::zeros(Location loc, RankedTensorType type) {
  Value empty = tensor::EmptyOp::create(builder, loc, type.getShape(),
                                        type.getElementType());
  SmallVector<utils::IteratorType> loops(type.getRank(),
                                         utils::IteratorType::parallel);
  // A fill is not a kernel on its own.
  return linalg::GenericOp::create(
             builder, loc, type, ValueRange(), empty,
             builder.getMultiDimIdentityMap(type.getRank()), loops,
             [&](OpBuilder &b, Location, ValueRange) {
               Value zero = arith::ConstantOp::create(
                   b, loc,
                   cast<TypedAttr>(b.getZeroAttr(type.getElementType())));
               linalg::YieldOp::create(b, loc, zero);
             })
      .getResult(0);
}

LogicalResult AdjointBuilder::reverse(Operation *op) {
  if (llvm::none_of(op->getResults(),
                    [&](Value result) { return cotangentOf(result); }))
    return success();
  auto differentiable = dyn_cast<DifferentiableOpInterface>(op);
  if (!differentiable)
    return op->emitOpError(
        "has no adjoint: no gradient flows through it to a parameter");
  return differentiable.buildAdjoint(*this);
}

} // namespace tpa
