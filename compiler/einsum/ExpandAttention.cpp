//===- ExpandAttention.cpp - Attention as einsums -------------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Writes attention as einsums, a mask and a softmax, and sugar as einsums.
//
//===----------------------------------------------------------------------===//

#include "compiler/einsum/LinalgBuilder.h"
#include "compiler/einsum/Passes.h"
#include "dialects/t6/T6Dialect.h"
#include "dialects/tpa/Equation.h"
#include "dialects/tpa/TpaDialect.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/Transforms/WalkPatternRewriteDriver.h"

using namespace mlir;

namespace tpa {
#define GEN_PASS_DEF_EXPANDATTENTION
#include "compiler/einsum/Passes.h.inc"
} // namespace tpa

using namespace tpa;

/// Where the labels of an operand stand among those of the scores.
template <typename Int = unsigned>
static SmallVector<Int> dimsOf(StringRef labels, StringRef operand) {
  SmallVector<Int> dims;
  for (char label : operand)
    dims.push_back(labels.find(label));
  return dims;
}

static Value indexOf(OpBuilder &b, Location loc, StringRef labels, char label) {
  return linalg::IndexOp::create(b, loc, labels.find(label));
}

/// positions[b] + n, inside a generic over the scores.
static Value queryPosition(OpBuilder &b, Location loc, AttentionOp op,
                           StringRef labels) {
  Value start32 = tensor::ExtractOp::create(b, loc, op.getPositions(),
                                            indexOf(b, loc, labels, 'b'));
  Value start = arith::IndexCastOp::create(b, loc, b.getIndexType(), start32);
  return arith::AddIOp::create(b, loc, start, indexOf(b, loc, labels, 'n'));
}

/// Whether key m is visible to query n, inside a generic over the scores.
static Value isVisible(OpBuilder &b, Location loc, AttentionOp op,
                       StringRef labels) {
  Value query = queryPosition(b, loc, op, labels);
  Value key = indexOf(b, loc, labels, AttentionOp::streamLabel);
  Value visible =
      arith::CmpIOp::create(b, loc, arith::CmpIPredicate::sle, key, query);
  if (!op.getWindow())
    return visible;
  Value window = arith::ConstantIndexOp::create(b, loc, *op.getWindow());
  Value end = arith::AddIOp::create(b, loc, key, window);
  Value inWindow =
      arith::CmpIOp::create(b, loc, arith::CmpIPredicate::sgt, end, query);
  return arith::AndIOp::create(b, loc, visible, inWindow);
}

/// slope * (m - positions[b] - n), inside a generic over the scores.
static Value distanceBias(OpBuilder &b, Location loc, AttentionOp op,
                          StringRef labels, Value slope, Type type) {
  Value query = queryPosition(b, loc, op, labels);
  Value key = indexOf(b, loc, labels, AttentionOp::streamLabel);
  Value distance = arith::SubIOp::create(b, loc, key, query);
  Value asInteger =
      arith::IndexCastOp::create(b, loc, b.getI32Type(), distance);
  Value asFloat = arith::SIToFPOp::create(b, loc, type, asInteger);
  return arith::MulFOp::create(b, loc, slope, asFloat);
}

/// Everything pointwise between the score einsums and the softmax.
static Value finishScores(OpBuilder &b, Location loc, AttentionOp op,
                          Value scores, StringRef labels) {
  AffineMap full = b.getMultiDimIdentityMap(labels.size());
  SmallVector<Value> inputs = {scores};
  SmallVector<AffineMap> maps = {full};
  if (op.getSlopes()) {
    inputs.push_back(op.getSlopes());
    maps.push_back(full.getSubMap(dimsOf(labels, *op.getSlopeLabels())));
  }
  maps.push_back(full);
  Type element = cast<RankedTensorType>(scores.getType()).getElementType();
  return generic(
      b, loc, inputs, maps, sizesOf(b, loc, scores), element, std::nullopt,
      [&](OpBuilder &b, ValueRange in) {
        Type type = in[0].getType();
        auto constant = [&](double value) -> Value {
          return arith::ConstantOp::create(b, loc, b.getFloatAttr(type, value));
        };
        Value x = in[0];
        double scale = op.getScale().convertToDouble();
        if (scale != 1.0)
          x = arith::MulFOp::create(b, loc, x, constant(scale));
        if (op.getSlopes())
          x = arith::AddFOp::create(
              b, loc, x, distanceBias(b, loc, op, labels, in[1], type));
        if (op.getSoftcap()) {
          double cap = op.getSoftcap()->convertToDouble();
          x = arith::MulFOp::create(b, loc, x, constant(1.0 / cap));
          x = math::TanhOp::create(b, loc, x);
          x = arith::MulFOp::create(b, loc, x, constant(cap));
        }
        bool isSoftmax = op.getNormalizer() == Normalizer::Softmax;
        if (op.getNormalizer() == Normalizer::Sigmoid)
          x = sigmoid(b, loc, x);
        if (op.getCausal())
          x = arith::SelectOp::create(
              b, loc, isVisible(b, loc, op, labels), x,
              constant(isSoftmax ? -std::numeric_limits<double>::infinity()
                                 : 0.0));
        return x;
      });
}

namespace {

struct Expand : OpRewritePattern<AttentionOp> {
  using OpRewritePattern::OpRewritePattern;

  LogicalResult matchAndRewrite(AttentionOp op,
                                PatternRewriter &rewriter) const override {
    if (op.getPerSqrt())
      return op.emitOpError("has a scale that depends on a named size: run "
                            "t6-instantiate-model first");
    Location loc = named(op.getLoc(), "scores");
    Value scores;
    std::string labels;
    for (unsigned i = 0; i < op.getScores().size(); ++i) {
      auto [equation, factors] = op.scoreTerm(i);
      labels = Equation::parseVerified(equation).output;
      Value term =
          EinsumOp::create(rewriter, loc, equation, factors, APFloat(1.0));
      scores = scores ? elementwise(rewriter, loc, {scores, term},
                                    [&](OpBuilder &b, ValueRange in) -> Value {
                                      return arith::AddFOp::create(
                                          b, loc, in[0], in[1]);
                                    })
                      : term;
    }
    Value weight = finishScores(rewriter, loc, op, scores, labels);
    if (op.getNormalizer() == Normalizer::Softmax)
      weight = normalize(rewriter, op, weight, labels);
    SmallVector<Value> operands = {weight};
    llvm::append_range(operands, op.getValueFactors());
    Location valueLoc = named(op.getLoc(), "values");
    Value result = EinsumOp::create(rewriter, valueLoc, op.getValue(), operands,
                                    APFloat(1.0));
    rewriter.replaceOp(op, result);
    return success();
  }

private:
  static Value normalize(OpBuilder &b, AttentionOp op, Value scores,
                         StringRef labels);
};

/// The softmax over the keys, with sinks in the order in which it reads them.
Value Expand::normalize(OpBuilder &b, AttentionOp op, Value scores,
                        StringRef labels) {
  Location loc = named(op.getLoc(), "softmax");
  if (!op.getSinks())
    return SoftmaxOp::create(b, loc, scores, Value(), DenseI64ArrayAttr());
  std::string order = op.getSinkLabels()->str();
  llvm::sort(order,
             [&](char a, char b) { return labels.find(a) < labels.find(b); });
  Value sinks = op.getSinks();
  if (order != *op.getSinkLabels())
    sinks = EinsumOp::create(b, loc, op.getSinkLabels()->str() + "->" + order,
                             ValueRange(sinks), APFloat(1.0));
  return SoftmaxOp::create(
      b, loc, scores, sinks,
      b.getDenseI64ArrayAttr(dimsOf<int64_t>(labels, order)));
}

struct ExpandFactorize : OpRewritePattern<FactorizeOp> {
  using OpRewritePattern::OpRewritePattern;

  LogicalResult matchAndRewrite(FactorizeOp op,
                                PatternRewriter &rewriter) const override {
    Location loc = named(op.getLoc(), "factors");
    Value a = EinsumOp::create(rewriter, loc, "bnc,hrc->bnrh",
                               ValueRange{op.getX(), op.getWA()}, APFloat(1.0));
    Value b = EinsumOp::create(rewriter, loc, "bnc,rdc->bnrd",
                               ValueRange{op.getX(), op.getWB()}, APFloat(1.0));
    rewriter.replaceOp(op, {a, b});
    return success();
  }
};

struct ExpandMaterialize : OpRewritePattern<MaterializeOp> {
  using OpRewritePattern::OpRewritePattern;

  LogicalResult matchAndRewrite(MaterializeOp op,
                                PatternRewriter &rewriter) const override {
    auto type = cast<RankedTensorType>(op.getA().getType());
    if (type.isDynamicDim(2))
      return op.emitOpError("has a dynamic rank: its mean is unknown");
    rewriter.replaceOpWithNewOp<EinsumOp>(op, "bnrh,bnrd->bnhd",
                                          ValueRange{op.getA(), op.getB()},
                                          APFloat(1.0 / type.getDimSize(2)));
    return success();
  }
};

struct ExpandLinear : OpRewritePattern<t6::LinearOp> {
  using OpRewritePattern::OpRewritePattern;

  LogicalResult matchAndRewrite(t6::LinearOp op,
                                PatternRewriter &rewriter) const override {
    Value result =
        EinsumOp::create(rewriter, named(op.getLoc(), "linear"), "bnc,oc->bno",
                         ValueRange{op.getX(), op.getWeight()}, APFloat(1.0));
    rewriter.replaceOp(op, result);
    return success();
  }
};

struct ExpandAttention : tpa::impl::ExpandAttentionBase<ExpandAttention> {
  using Base::Base;

  void runOnOperation() override {
    getOperation().walk([&](Operation *op) {
      numExpanded +=
          isa<AttentionOp, FactorizeOp, MaterializeOp, t6::LinearOp>(op);
    });
    RewritePatternSet patterns(&getContext());
    patterns.add<Expand, ExpandFactorize, ExpandMaterialize, ExpandLinear>(
        &getContext());
    walkAndApplyPatterns(getOperation(), std::move(patterns));
    // A pattern that refuses has said why.
    WalkResult left = getOperation().walk([](Operation *op) {
      return isa<AttentionOp, FactorizeOp, MaterializeOp, t6::LinearOp>(op)
                 ? WalkResult::interrupt()
                 : WalkResult::advance();
    });
    if (left.wasInterrupted())
      signalPassFailure();
  }
};
} // namespace
