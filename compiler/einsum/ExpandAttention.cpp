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

/// The position of label `label` in a map, as an index.
static Value indexOf(OpBuilder &b, Location loc, char label) {
  return IndexOp::create(b, loc, StringRef(&label, 1));
}

/// positions[b], inside a map over the scores.
static Value firstPosition(OpBuilder &b, Location loc, AttentionOp op) {
  Value start = tensor::ExtractOp::create(b, loc, op.getPositions(),
                                          indexOf(b, loc, 'b'));
  return arith::IndexCastOp::create(b, loc, b.getIndexType(), start);
}

/// positions[b] + n, inside a map over the scores.
static Value queryPosition(OpBuilder &b, Location loc, AttentionOp op) {
  return arith::AddIOp::create(b, loc, firstPosition(b, loc, op),
                               indexOf(b, loc, 'n'));
}

/// Whether key m is older than the tree of queries, or an ancestor of query n.
static Value isAncestor(OpBuilder &b, Location loc, AttentionOp op, Value key) {
  Value first = firstPosition(b, loc, op);
  Value isOlder =
      arith::CmpIOp::create(b, loc, arith::CmpIPredicate::slt, key, first);
  // Bits of keys outside of the tree are never asked for, but are computed.
  Value node = arith::SubIOp::create(b, loc, key, first);
  node = arith::MaxSIOp::create(b, loc, node,
                                arith::ConstantIndexOp::create(b, loc, 0));
  node = arith::MinSIOp::create(b, loc, node,
                                arith::ConstantIndexOp::create(b, loc, 63));
  Value shift = arith::IndexCastOp::create(b, loc, b.getI64Type(), node);
  Value mask = tensor::ExtractOp::create(
      b, loc, op.getAncestors(),
      ValueRange{indexOf(b, loc, 'b'), indexOf(b, loc, 'n')});
  Value bit = arith::TruncIOp::create(
      b, loc, b.getI1Type(), arith::ShRUIOp::create(b, loc, mask, shift));
  return arith::OrIOp::create(b, loc, isOlder, bit);
}

/// Whether key m is visible to query n, inside a map over the scores.
static Value isVisible(OpBuilder &b, Location loc, AttentionOp op) {
  Value query = queryPosition(b, loc, op);
  Value key = indexOf(b, loc, AttentionOp::streamLabel);
  Value visible =
      arith::CmpIOp::create(b, loc, arith::CmpIPredicate::sle, key, query);
  if (op.getAncestors())
    return arith::AndIOp::create(b, loc, visible, isAncestor(b, loc, op, key));
  if (!op.getWindow())
    return visible;
  Value window = arith::ConstantIndexOp::create(b, loc, *op.getWindow());
  Value end = arith::AddIOp::create(b, loc, key, window);
  Value inWindow =
      arith::CmpIOp::create(b, loc, arith::CmpIPredicate::sgt, end, query);
  return arith::AndIOp::create(b, loc, visible, inWindow);
}

/// slope * (m - positions[b] - n), inside a map over the scores.
static Value distanceBias(OpBuilder &b, Location loc, AttentionOp op,
                          Value slope) {
  Value query = queryPosition(b, loc, op);
  Value key = indexOf(b, loc, AttentionOp::streamLabel);
  Value distance = arith::SubIOp::create(b, loc, key, query);
  Value asInteger =
      arith::IndexCastOp::create(b, loc, b.getI32Type(), distance);
  Value asFloat = arith::SIToFPOp::create(b, loc, slope.getType(), asInteger);
  return arith::MulFOp::create(b, loc, slope, asFloat);
}

/// What lies between the score einsums and the normaliser, for one score.
static Value finishScore(OpBuilder &b, Location loc, AttentionOp op, Value x,
                         Value slope) {
  auto constant = [&](double value) -> Value {
    return arith::ConstantOp::create(b, loc,
                                     b.getFloatAttr(x.getType(), value));
  };
  double scale = op.getScale().convertToDouble();
  if (scale != 1.0)
    x = arith::MulFOp::create(b, loc, x, constant(scale));
  if (slope)
    x = arith::AddFOp::create(b, loc, x, distanceBias(b, loc, op, slope));
  if (op.getSoftcap()) {
    double cap = op.getSoftcap()->convertToDouble();
    x = arith::MulFOp::create(b, loc, x, constant(1.0 / cap));
    x = math::TanhOp::create(b, loc, x);
    x = arith::MulFOp::create(b, loc, x, constant(cap));
  }
  bool isSoftmax = op.getNormalizer() == Normalizer::Softmax;
  if (op.getNormalizer() == Normalizer::Sigmoid)
    x = sigmoid(b, loc, x);
  if (op.getCausal()) {
    double hidden = isSoftmax ? -std::numeric_limits<double>::infinity() : 0.0;
    x = arith::SelectOp::create(b, loc, isVisible(b, loc, op), x,
                                constant(hidden));
  }
  return x;
}

/// A map over the scores that applies it all, where there is anything.
static Value finishScores(OpBuilder &b, Location loc, AttentionOp op,
                          Value scores, StringRef labels) {
  Equation equation{{labels.str()}, labels.str()};
  SmallVector<Value> operands = {scores};
  if (op.getSlopes()) {
    equation.terms.push_back(op.getSlopeLabels()->str());
    operands.push_back(op.getSlopes());
  }
  return MapOp::create(
      b, loc, equation, operands, [&](OpBuilder &b, ValueRange in) {
        return finishScore(b, loc, op, in[0], op.getSlopes() ? in[1] : Value());
      });
}

/// Where the labels of an operand stand among those of the scores.
static SmallVector<int64_t> dimsOf(StringRef labels, StringRef operand) {
  SmallVector<int64_t> dims;
  for (char label : operand)
    dims.push_back(labels.find(label));
  return dims;
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
      scores = scores ? add(rewriter, loc, scores, term, labels) : term;
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
  static Value add(OpBuilder &b, Location loc, Value x, Value y,
                   StringRef labels) {
    return MapOp::create(b, loc,
                         Equation{{labels.str(), labels.str()}, labels.str()},
                         {x, y}, [&](OpBuilder &b, ValueRange in) -> Value {
                           return arith::AddFOp::create(b, loc, in[0], in[1]);
                         });
  }

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
  return SoftmaxOp::create(b, loc, scores, sinks,
                           b.getDenseI64ArrayAttr(dimsOf(labels, order)));
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
    int64_t rankDim = type.getRank() - 2;
    if (type.isDynamicDim(rankDim))
      return op.emitOpError("has a dynamic rank: its mean is unknown");
    rewriter.replaceOpWithNewOp<EinsumOp>(
        op, op.getEquation(), ValueRange{op.getA(), op.getB()},
        APFloat(1.0 / type.getDimSize(rankDim)));
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
