//===- LinalgBuilder.cpp - Shorthands to build linalg.generic on tensors --===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "compiler/einsum/LinalgBuilder.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"

using namespace mlir;

namespace tpa {

Location named(Location loc, StringRef name) {
  return NameLoc::get(StringAttr::get(loc.getContext(), name), loc);
}

SmallVector<OpFoldResult> sizesOf(OpBuilder &b, Location loc, Value tensor) {
  return tensor::getMixedSizes(b, loc, tensor);
}

AffineMap mapOf(StringRef term, StringRef loops, MLIRContext *context) {
  SmallVector<AffineExpr> results;
  for (char label : term)
    results.push_back(getAffineDimExpr(loops.find(label), context));
  return AffineMap::get(loops.size(), 0, results, context);
}

Value widen(OpBuilder &b, Location loc, Value value) {
  if (value.getType().isInteger(8))
    return arith::SIToFPOp::create(b, loc, b.getF32Type(), value);
  if (!isa<FloatType>(value.getType()) ||
      value.getType().getIntOrFloatBitWidth() >= 32)
    return value;
  return arith::ExtFOp::create(b, loc, b.getF32Type(), value);
}

Value generic(OpBuilder &b, Location loc, ValueRange inputs,
              ArrayRef<AffineMap> maps, ArrayRef<OpFoldResult> sizes,
              Type elementType, std::optional<double> init, BodyBuilder body) {
  Value out = tensor::EmptyOp::create(b, loc, sizes, elementType);
  if (init) {
    Value value =
        arith::ConstantOp::create(b, loc, b.getFloatAttr(elementType, *init));
    out = linalg::FillOp::create(b, loc, value, out).getResult(0);
  }
  AffineMap result = maps.back();
  SmallVector<utils::IteratorType> iterators(result.getNumDims(),
                                             utils::IteratorType::reduction);
  for (AffineExpr expr : result.getResults())
    iterators[cast<AffineDimExpr>(expr).getPosition()] =
        utils::IteratorType::parallel;
  auto op = linalg::GenericOp::create(
      b, loc, out.getType(), inputs, out, maps, iterators,
      [&](OpBuilder &nested, Location, ValueRange arguments) {
        SmallVector<Value> values;
        for (Value argument : arguments)
          values.push_back(widen(nested, loc, argument));
        Value yielded = body(nested, ValueRange(values));
        if (yielded.getType() != elementType)
          yielded = arith::TruncFOp::create(nested, loc, elementType, yielded);
        linalg::YieldOp::create(nested, loc, yielded);
      });
  return op.getResult(0);
}

Value elementwise(OpBuilder &b, Location loc, ValueRange inputs,
                  BodyBuilder body) {
  auto type = cast<RankedTensorType>(inputs[0].getType());
  Type element = type.getElementType().isF64() ? Type(b.getF64Type())
                                               : Type(b.getF32Type());
  SmallVector<AffineMap> maps(inputs.size() + 1,
                              b.getMultiDimIdentityMap(type.getRank()));
  return generic(b, loc, inputs, maps, sizesOf(b, loc, inputs[0]), element,
                 std::nullopt, body);
}

Value sigmoid(OpBuilder &b, Location loc, Value x) {
  Value one =
      arith::ConstantOp::create(b, loc, b.getFloatAttr(x.getType(), 1.0));
  Value negated = arith::NegFOp::create(b, loc, x);
  Value power = math::ExpOp::create(b, loc, negated);
  Value sum = arith::AddFOp::create(b, loc, one, power);
  return arith::DivFOp::create(b, loc, one, sum);
}

} // namespace tpa
