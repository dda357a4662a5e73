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
#include "mlir/IR/TypeUtilities.h"

using namespace mlir;

#include "compiler/autodiff/DifferentiableOpInterface.cpp.inc"

namespace tpa {

static bool isFloat(Value value) {
  return isa<FloatType>(getElementTypeOrSelf(value.getType()));
}

void AdjointBuilder::findActive(Block &block) {
  for (Operation &op : block) {
    bool reads = llvm::any_of(op.getOperands(),
                              [&](Value value) { return isActive(value); });
    for (Value result : op.getResults())
      if (reads && isFloat(result))
        active.insert(result);
  }
}

void AdjointBuilder::add(Value value, Value cotangent) {
  if (!isActive(value))
    return;
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
  if (auto known = gradients.find(value); known != gradients.end()) {
    known->second = newGradient(known->second);
    return;
  }
  auto type = cast<RankedTensorType>(value.getType());
  Value zeros = arith::ConstantOp::create(
      builder, value.getLoc(), cast<TypedAttr>(builder.getZeroAttr(type)));
  add(value, newGradient(zeros));
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
