//===- TpaAdjoints.cpp - Adjoints of the tpa dialect ----------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Adjoints of einsums, maps, softmax and rotations. That of an einsum is an
// einsum, so the reverse of an attention is a chain of the same kind.
//
//===----------------------------------------------------------------------===//

#include "compiler/autodiff/DifferentiableOpInterface.h"
#include "compiler/autodiff/PointwiseAdjoint.h"
#include "dialects/tpa/TpaDialect.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/IR/IRMapping.h"
#include "mlir/IR/Matchers.h"
#include "mlir/Transforms/RegionUtils.h"

using namespace mlir;

namespace tpa {
namespace {

/// d operand = scale * einsum of the cotangent and the other operands.
struct EinsumAdjoint
    : DifferentiableOpInterface::ExternalModel<EinsumAdjoint, EinsumOp> {
  LogicalResult buildAdjoint(Operation *op, AdjointBuilder &adjoint) const {
    auto einsum = cast<EinsumOp>(op);
    Equation equation = Equation::parseVerified(einsum.getEquation());
    for (auto [i, operand] : llvm::enumerate(einsum.getOperands())) {
      if (!adjoint.isActive(operand))
        continue;
      Equation reverse{{equation.output}, equation.terms[i]};
      SmallVector<Value> operands = {adjoint.cotangentOf(einsum.getResult())};
      std::string known = equation.output;
      for (auto [k, other] : llvm::enumerate(einsum.getOperands())) {
        if (k == i)
          continue;
        reverse.terms.push_back(equation.terms[k]);
        operands.push_back(other);
        known += equation.terms[k];
      }
      FailureOr<Value> share =
          spread(adjoint, einsum, i, known, reverse, operands);
      if (failed(share))
        return failure();
      adjoint.add(operand, *share);
    }
    return success();
  }

private:
  /// The share of operand i by the equation `reverse`. What only this operand
  /// is summed over, its share is the same along: it is multiplied by ones.
  static FailureOr<Value> spread(AdjointBuilder &adjoint, EinsumOp op,
                                 unsigned i, StringRef known, Equation reverse,
                                 ValueRange operands) {
    OpBuilder &b = adjoint.builder;
    auto type = cast<RankedTensorType>(op.getOperands()[i].getType());
    Equation whole{{""}, reverse.output};
    SmallVector<Value> factors = {Value()};
    for (auto [label, size] :
         llvm::zip_equal(reverse.output, type.getShape())) {
      if (known.contains(label)) {
        whole.terms[0] += label;
        continue;
      }
      if (ShapedType::isDynamic(size))
        return op.emitOpError("sums an operand over a dynamic dimension '")
               << StringRef(&label, 1) << "' that nothing else has";
      auto ones = RankedTensorType::get({size}, b.getF32Type());
      whole.terms.push_back(std::string(1, label));
      factors.push_back(arith::ConstantOp::create(
          b, op.getLoc(),
          DenseElementsAttr::get(ones, b.getF32FloatAttr(1.0))));
    }
    // A number alone is no tensor that a kernel writes: one sum comes later.
    if (whole.terms[0].empty())
      whole.terms[0] = known.take_front();
    reverse.output = whole.terms[0];
    factors[0] = EinsumOp::create(b, op.getLoc(), reverse.str(), operands,
                                  op.getScale());
    if (factors.size() == 1)
      return factors[0];
    return Value(
        EinsumOp::create(b, op.getLoc(), whole.str(), factors, APFloat(1.0)));
  }
};

struct MapAdjoint
    : DifferentiableOpInterface::ExternalModel<MapAdjoint, MapOp> {
  LogicalResult buildAdjoint(Operation *op, AdjointBuilder &adjoint) const {
    auto map = cast<MapOp>(op);
    llvm::SetVector<Value> captured;
    getUsedValuesDefinedAbove(map.getBody(), captured);
    for (Value value : captured)
      if (adjoint.isActive(value))
        return map.emitOpError("captures a value of which a gradient is asked: "
                               "pass it as an operand");
    Equation equation = Equation::parseVerified(map.getEquation());
    return addPointwiseAdjoint(
        adjoint, op, equation, [&](OpBuilder &b, ValueRange in) {
          Block &body = map.getBody().front();
          IRMapping inner;
          inner.map(body.getArguments(), in);
          for (Operation &child : body.without_terminator())
            b.clone(child, inner);
          return inner.lookupOrDefault(body.getTerminator()->getOperand(0));
        });
  }
};

/// d x = w (d w - D), D = sum over the row of w d w.
struct SoftmaxAdjoint
    : DifferentiableOpInterface::ExternalModel<SoftmaxAdjoint, SoftmaxOp> {
  LogicalResult buildAdjoint(Operation *op, AdjointBuilder &adjoint) const {
    auto softmax = cast<SoftmaxOp>(op);
    OpBuilder &b = adjoint.builder;
    Location loc = op->getLoc();
    Value weights = softmax.getResult();
    Value cotangent = adjoint.cotangentOf(weights);
    std::string labels =
        lettersOf(cast<RankedTensorType>(weights.getType()).getRank());
    std::string row = StringRef(labels).drop_back().str();
    Value mean = meanFromResult(adjoint, softmax);
    if (!mean)
      mean = EinsumOp::create(b, loc, labels + "," + labels + "->" + row,
                              ValueRange{weights, cotangent}, APFloat(1.0));
    Equation equation{{labels, labels, row}, labels};
    adjoint.add(softmax.getX(),
                MapOp::create(b, loc, equation, {weights, cotangent, mean},
                              [&](OpBuilder &b, ValueRange in) -> Value {
                                Value excess =
                                    arith::SubFOp::create(b, loc, in[1], in[2]);
                                return arith::MulFOp::create(b, loc, in[0],
                                                             excess);
                              }));
    if (softmax.getSinks() && adjoint.isActive(softmax.getSinks()))
      addSinks(adjoint, softmax, row, mean);
    return success();
  }

private:
  /// D where the weights' one use is a sum over the row that keeps the rest:
  /// what is summed is linear in them, so D is the inner product of the sum and
  /// its cotangent (FlashAttention, appendix B.2). Null elsewhere.
  static Value meanFromResult(AdjointBuilder &adjoint, SoftmaxOp op) {
    // What has no cotangent is of the reverse, or nothing depends on it.
    SmallVector<OpOperand *> uses;
    for (OpOperand &use : op->getUses())
      if (llvm::any_of(use.getOwner()->getResults(), [&](Value result) {
            return bool(adjoint.cotangentOf(result));
          }))
        uses.push_back(&use);
    if (uses.size() != 1)
      return {};
    auto sum = dyn_cast<EinsumOp>(uses[0]->getOwner());
    if (!sum)
      return {};
    Equation equation = Equation::parseVerified(sum.getEquation());
    StringRef term = equation.terms[uses[0]->getOperandNumber()];
    StringRef row = term.drop_back();
    for (char label : row)
      if (!StringRef(equation.output).contains(label))
        return {};
    if (StringRef(equation.output).contains(term.back()))
      return {};
    const std::string &all = equation.output;
    return EinsumOp::create(
        adjoint.builder, op.getLoc(), all + "," + all + "->" + row.str(),
        ValueRange{adjoint.cotangentOf(sum.getResult()), sum.getResult()},
        APFloat(1.0));
  }

  /// A sink weighs exp(sink - log-sum-exp) and has no value: its cotangent is
  /// -D times that, summed over all rows that share it.
  static void addSinks(AdjointBuilder &adjoint, SoftmaxOp op, StringRef row,
                       Value mean) {
    OpBuilder &b = adjoint.builder;
    Location loc = op.getLoc();
    std::string sink;
    for (int64_t dim : op.getAlongAttr().asArrayRef())
      sink += row[dim];
    Value logSumExp = LogSumExpOp::create(b, loc, op.getX(), op.getSinks(),
                                          op.getAlongAttr());
    Equation equation{{row.str(), row.str(), sink}, row.str()};
    Value share = MapOp::create(
        b, loc, equation, {mean, logSumExp, op.getSinks()},
        [&](OpBuilder &b, ValueRange in) -> Value {
          Value shifted = arith::SubFOp::create(b, loc, in[2], in[1]);
          Value weight = math::ExpOp::create(b, loc, shifted);
          Value product = arith::MulFOp::create(b, loc, in[0], weight);
          return arith::NegFOp::create(b, loc, product);
        });
    adjoint.add(op.getSinks(),
                EinsumOp::create(b, loc, row.str() + "->" + sink,
                                 ValueRange(share), APFloat(1.0)));
  }
};

/// d x = exp(x - result) d result.
struct LogSumExpAdjoint
    : DifferentiableOpInterface::ExternalModel<LogSumExpAdjoint, LogSumExpOp> {
  LogicalResult buildAdjoint(Operation *op, AdjointBuilder &adjoint) const {
    auto sum = cast<LogSumExpOp>(op);
    if (sum.getSinks())
      return sum.emitOpError("is differentiated without sinks only");
    Location loc = op->getLoc();
    std::string all =
        lettersOf(cast<RankedTensorType>(sum.getX().getType()).getRank());
    std::string row = StringRef(all).drop_back().str();
    adjoint.add(
        sum.getX(),
        MapOp::create(
            adjoint.builder, loc, Equation{{all, row, row}, all},
            {sum.getX(), sum.getResult(), adjoint.cotangentOf(sum.getResult())},
            [&](OpBuilder &b, ValueRange in) -> Value {
              Value shifted = arith::SubFOp::create(b, loc, in[0], in[1]);
              Value weight = math::ExpOp::create(b, loc, shifted);
              return arith::MulFOp::create(b, loc, weight, in[2]);
            }));
    return success();
  }
};

/// A rotation's transpose is the rotation back; what decays, decays alike.
struct RopeAdjoint
    : DifferentiableOpInterface::ExternalModel<RopeAdjoint, RopeOp> {
  LogicalResult buildAdjoint(Operation *op, AdjointBuilder &adjoint) const {
    auto rope = cast<RopeOp>(op);
    RopeAttr how = rope.getRope();
    auto back =
        RopeAttr::get(op->getContext(), how.getTheta(), how.getFraction(),
                      how.getPairs(), !how.getTransposed(), how.getTable(),
                      how.getDecay(), how.getDecayBase(), how.getReciprocal());
    adjoint.add(rope.getX(),
                RopeOp::create(adjoint.builder, op->getLoc(),
                               adjoint.cotangentOf(rope.getResult()),
                               rope.getPositions(), back));
    return success();
  }
};

} // namespace

void registerTpaAdjoints(DialectRegistry &registry) {
  registry.addExtension(+[](MLIRContext *context, TpaDialect *) {
    EinsumOp::attachInterface<EinsumAdjoint>(*context);
    MapOp::attachInterface<MapAdjoint>(*context);
    SoftmaxOp::attachInterface<SoftmaxAdjoint>(*context);
    LogSumExpOp::attachInterface<LogSumExpAdjoint>(*context);
    RopeOp::attachInterface<RopeAdjoint>(*context);
  });
}

} // namespace tpa
