//===- ForwardCost.cpp - Operations of the forward pass -------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// What it costs to compute a value of the forward pass again.
//
//===----------------------------------------------------------------------===//

#include "compiler/autodiff/ForwardCost.h"
#include "compiler/einsum/ContractionSearch.h"
#include "dialects/t6/T6Dialect.h"
#include "dialects/tpa/TpaDialect.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;

namespace tpa {

static int64_t elements(Value value) {
  auto type = dyn_cast<ShapedType>(value.getType());
  return type && type.hasStaticShape() ? type.getNumElements() : 1;
}

int64_t bytesOf(Value value) {
  return elements(value) *
         llvm::divideCeil(
             getElementTypeOrSelf(value.getType()).getIntOrFloatBitWidth(), 8);
}

/// Floating-point operations of a body, for one element.
static int64_t flopsOfBody(Block &body) {
  return llvm::count_if(body, [](Operation &op) {
    return isa<arith::ArithDialect, math::MathDialect>(op.getDialect()) &&
           op.getNumResults() == 1 &&
           isa<FloatType>(op.getResult(0).getType()) &&
           !isa<arith::ConstantOp, arith::ExtFOp, arith::TruncFOp,
                arith::SelectOp>(op);
  });
}

static int64_t flopsOfEinsum(EinsumOp op) {
  Equation equation = Equation::parseVerified(op.getEquation());
  LabelSizes sizes;
  for (auto [term, operand] : llvm::zip_equal(equation.terms, op.getOperands()))
    if (failed(addLabelSizes(term, operand.getType(), sizes,
                             [&] { return op.emitOpError(); })))
      return 0;
  size_t count = equation.terms.size();
  int64_t scaled =
      op.getScale().isExactlyValue(1.0) ? 0 : elements(op.getResult());
  if (count > 2 && count <= ContractionSearch::mostOperands) {
    FailureOr<CostModel> target = CostModel::find(op, "cpu");
    if (succeeded(target))
      return ContractionSearch(equation, sizes, *target, {}).figures().flops +
             scaled;
  }
  int64_t points = 1;
  for (auto [label, size] : sizes)
    points *= size;
  bool sums = equation.labels().size() > equation.output.size();
  return points * int64_t(count - 1 + sums) + scaled;
}

int64_t flopsOf(Operation *op) {
  constexpr int64_t perScore = 4; // the maximum, the difference, exp, the sum
  return llvm::TypeSwitch<Operation *, int64_t>(op)
      .Case<EinsumOp>(flopsOfEinsum)
      .Case<MapOp>([](MapOp map) {
        return elements(map.getResult()) * flopsOfBody(map.getBody().front());
      })
      .Case<linalg::GenericOp>([](linalg::GenericOp generic) {
        int64_t points = 1;
        for (int64_t size : generic.getStaticLoopRanges())
          points *= ShapedType::isDynamic(size) ? 1 : size;
        return points * flopsOfBody(*generic.getBlock());
      })
      .Case<SoftmaxOp>(
          [](SoftmaxOp op) { return perScore * elements(op.getX()); })
      .Case<LogSumExpOp>([](LogSumExpOp op) -> int64_t {
        // It is of the carry of the softmax of the same scores.
        bool isFree =
            isQuadratic(op.getX()) &&
            llvm::any_of(op.getX().getUsers(), llvm::IsaPred<SoftmaxOp>);
        return isFree ? 0 : perScore * elements(op.getX());
      })
      // Two products of a rotation, their sum and their difference.
      .Case<RopeOp>([](RopeOp op) { return 4 * elements(op.getResult()); })
      // The sum of squares, x / sqrt(sum / width + eps), the weight.
      .Case<t6::RmsNormOp>([](t6::RmsNormOp op) {
        return (op.getWeight() ? 7 : 6) * elements(op.getX());
      })
      // x times 1 / (1 + exp(-x)) times y.
      .Case<t6::SwigluOp>(
          [](t6::SwigluOp op) { return 5 * elements(op->getResult(0)); })
      .Default([](Operation *op) -> int64_t {
        bool isPointwise =
            isa<arith::ArithDialect, math::MathDialect>(op->getDialect()) &&
            !op->hasTrait<OpTrait::ConstantLike>() && op->getNumResults() == 1;
        return isPointwise ? elements(op->getResult(0)) : 0;
      });
}

bool isQuadratic(Value value) {
  constexpr char keyLabel = AttentionOp::streamLabel, queryLabel = 'n';
  Operation *op = value.getDefiningOp();
  auto hasBoth = [](StringRef equation) {
    std::string output = Equation::parseVerified(equation).output;
    return StringRef(output).contains(keyLabel) &&
           StringRef(output).contains(queryLabel);
  };
  if (auto einsum = dyn_cast_or_null<EinsumOp>(op))
    return hasBoth(einsum.getEquation());
  // What maps and softmax are named by may be any letters.
  if (auto map = dyn_cast_or_null<MapOp>(op))
    return hasBoth(map.getEquation()) || isQuadratic(map.getOperands()[0]);
  if (auto softmax = dyn_cast_or_null<SoftmaxOp>(op))
    return isQuadratic(softmax.getX());
  return false;
}

bool isContraction(Operation *op) {
  auto einsum = dyn_cast_or_null<EinsumOp>(op);
  if (!einsum || isQuadratic(einsum.getResult()))
    return false;
  Equation equation = Equation::parseVerified(einsum.getEquation());
  return equation.labels().size() > equation.output.size();
}

} // namespace tpa
