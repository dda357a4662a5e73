//===- TrainingToLinalg.cpp - Lowers gradients and the optimiser ----------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Lowers gradients and the optimiser to linalg. What is updated is the init of
// the operation that updates it, so that it stays in its memory.
//
//===----------------------------------------------------------------------===//

#include "compiler/einsum/LinalgBuilder.h"
#include "compiler/einsum/LoweringPatterns.h"
#include "dialects/t6/T6Dialect.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/Matchers.h"

using namespace mlir;

namespace tpa {
namespace {

/// A pointwise generic that updates `updated` from it, last in the body's
/// arguments, from `inputs` of its shape and from `ones`, of one element each.
Value update(OpBuilder &b, Location loc, Value updated, ValueRange inputs,
             ValueRange ones, BodyBuilder body) {
  auto type = cast<RankedTensorType>(updated.getType());
  AffineMap full = b.getMultiDimIdentityMap(type.getRank());
  AffineMap first =
      AffineMap::get(type.getRank(), 0, b.getAffineConstantExpr(0));
  SmallVector<Value> operands(inputs);
  llvm::append_range(operands, ones);
  SmallVector<AffineMap> maps(inputs.size(), full);
  maps.append(ones.size(), first);
  maps.push_back(full);
  SmallVector<utils::IteratorType> loops(type.getRank(),
                                         utils::IteratorType::parallel);
  auto op = linalg::GenericOp::create(
      b, loc, type, operands, updated, maps, loops,
      [&](OpBuilder &nested, Location, ValueRange arguments) {
        SmallVector<Value> values;
        for (Value argument : arguments) {
          Value value = widen(nested, loc, argument);
          if (value.getType() != type.getElementType())
            value = arith::ExtFOp::create(nested, loc, type.getElementType(),
                                          value);
          values.push_back(value);
        }
        linalg::YieldOp::create(nested, loc, body(nested, values));
      });
  return op.getResult(0);
}

//===----------------------------------------------------------------------===//
// Gradients
//===----------------------------------------------------------------------===//

/// The reduction that computes `value` and nothing else reads: it can start
/// from what its sum is added to.
linalg::GenericOp soleReduction(Value value) {
  auto op = value.getDefiningOp<linalg::GenericOp>();
  if (!op || op.getNumDpsInits() != 1 || !value.hasOneUse() ||
      op.getNumReductionLoops() == 0)
    return {};
  auto fill = op.getDpsInits()[0].getDefiningOp<linalg::FillOp>();
  bool addsFloats =
      isa_and_nonnull<arith::AddFOp>(
          op.getBlock()->getTerminator()->getOperand(0).getDefiningOp()) &&
      fill && matchPattern(fill.getInputs()[0], m_AnyZeroFloat());
  return addsFloats ? op : linalg::GenericOp();
}

struct LowerAddGradient : OpRewritePattern<t6::AddGradientOp> {
  using OpRewritePattern::OpRewritePattern;

  LogicalResult matchAndRewrite(t6::AddGradientOp op,
                                PatternRewriter &rewriter) const override {
    if (linalg::GenericOp sum = soleReduction(op.getX());
        sum && sum->getBlock() == op->getBlock()) {
      // Between sum and addition the gradient may have other additions.
      rewriter.moveOpBefore(sum, op);
      rewriter.modifyOpInPlace(
          sum, [&] { sum.getDpsInitsMutable()[0].set(op.getGradient()); });
      rewriter.replaceOp(op, sum.getResult(0));
      return success();
    }
    Location loc = named(op.getLoc(), "add_gradient");
    rewriter.replaceOp(
        op, update(rewriter, loc, op.getGradient(), op.getX(), {},
                   [&](OpBuilder &b, ValueRange in) -> Value {
                     return arith::AddFOp::create(b, loc, in[1], in[0]);
                   }));
    return success();
  }
};

/// Token by token: two may have the same row.
struct LowerEmbeddingGradient : OpRewritePattern<t6::EmbeddingGradientOp> {
  using OpRewritePattern::OpRewritePattern;

  LogicalResult matchAndRewrite(t6::EmbeddingGradientOp op,
                                PatternRewriter &rewriter) const override {
    Location loc = named(op.getLoc(), "embedding_gradient");
    SmallVector<OpFoldResult> sizes = sizesOf(rewriter, loc, op.getX());
    Value rows = getValueOrCreateConstantIndexOp(rewriter, loc, sizes[0]);
    Value tokens = getValueOrCreateConstantIndexOp(rewriter, loc, sizes[1]);
    Value zero = arith::ConstantIndexOp::create(rewriter, loc, 0);
    Value one = arith::ConstantIndexOp::create(rewriter, loc, 1);
    auto outer = scf::ForOp::create(
        rewriter, loc, zero, rows, one, op.getGradient(),
        [&](OpBuilder &b, Location, Value row, ValueRange tables) {
          auto inner = scf::ForOp::create(
              b, loc, zero, tokens, one, tables,
              [&](OpBuilder &nested, Location, Value token, ValueRange tables) {
                scf::YieldOp::create(
                    nested, loc,
                    addToken(nested, loc, op, row, token, tables[0], sizes[2]));
              });
          scf::YieldOp::create(b, loc, inner.getResults());
        });
    rewriter.replaceOp(op, outer.getResults());
    return success();
  }

private:
  static Value addToken(OpBuilder &b, Location loc, t6::EmbeddingGradientOp op,
                        Value row, Value token, Value table,
                        OpFoldResult width) {
    OpFoldResult zero = b.getIndexAttr(0), one = b.getIndexAttr(1);
    Value id = tensor::ExtractOp::create(b, loc, op.getTokens(),
                                         ValueRange{row, token});
    Value first = arith::ConstantOp::create(b, loc, b.getI32IntegerAttr(0));
    id = arith::MaxSIOp::create(b, loc, id, first);
    Value place = arith::IndexCastOp::create(b, loc, b.getIndexType(), id);
    int64_t size = cast<RankedTensorType>(op.getX().getType()).getDimSize(2);
    auto type = RankedTensorType::get({1, size}, b.getF32Type());
    SmallVector<OpFoldResult> from = {row, token, zero}, to = {place, zero};
    SmallVector<OpFoldResult> fromSizes = {one, one, width},
                              toSizes = {one, width};
    SmallVector<OpFoldResult> fromStrides(3, one), toStrides(2, one);
    Value x = tensor::ExtractSliceOp::create(b, loc, type, op.getX(), from,
                                             fromSizes, fromStrides);
    Value old = tensor::ExtractSliceOp::create(b, loc, type, table, to, toSizes,
                                               toStrides);
    Value sum =
        update(b, loc, old, x, {}, [&](OpBuilder &b, ValueRange in) -> Value {
          return arith::AddFOp::create(b, loc, in[1], in[0]);
        });
    return tensor::InsertSliceOp::create(b, loc, sum, table, to, toSizes,
                                         toStrides);
  }
};

Value isCounted(OpBuilder &b, Location loc, Value target) {
  Value zero = arith::ConstantOp::create(b, loc, b.getI32IntegerAttr(0));
  return arith::CmpIOp::create(b, loc, arith::CmpIPredicate::sge, target, zero);
}

/// How many targets are counted, in a tensor of one element.
Value countOf(OpBuilder &b, Location loc, Value targets) {
  Type f32 = b.getF32Type();
  AffineMap all = b.getMultiDimIdentityMap(3);
  AffineMap token = all.getSubMap({1, 2}), unit = all.getSubMap({0});
  return generic(
      b, loc, targets, {token, unit}, OpFoldResult(b.getIndexAttr(1)), f32, 0.0,
      [&](OpBuilder &b, ValueRange in) -> Value {
        Value counted =
            arith::UIToFPOp::create(b, loc, f32, isCounted(b, loc, in[0]));
        return arith::AddFOp::create(b, loc, in[1], counted);
      });
}

struct LowerCrossEntropyGradient
    : OpRewritePattern<t6::CrossEntropyGradientOp> {
  using OpRewritePattern::OpRewritePattern;

  LogicalResult matchAndRewrite(t6::CrossEntropyGradientOp op,
                                PatternRewriter &rewriter) const override {
    Location loc = named(op.getLoc(), "cross_entropy_gradient");
    Type f32 = rewriter.getF32Type();
    Value share = shareOfToken(rewriter, loc, op);
    AffineMap full = rewriter.getMultiDimIdentityMap(3);
    AffineMap row = full.getSubMap({0, 1});
    AffineMap first = AffineMap::get(3, 0, rewriter.getAffineConstantExpr(0));
    rewriter.replaceOp(
        op, generic(rewriter, loc,
                    {op.getLogits(), op.getLogSumExp(), op.getTargets(), share},
                    {full, row, row, first, full},
                    sizesOf(rewriter, loc, op.getLogits()), f32, std::nullopt,
                    [&](OpBuilder &b, ValueRange in) {
                      return element(b, loc, in[0], in[1], in[2], in[3]);
                    }));
    return success();
  }

private:
  /// scale / count, in a tensor of one element.
  static Value shareOfToken(OpBuilder &b, Location loc,
                            t6::CrossEntropyGradientOp op) {
    Value count = countOf(b, loc, op.getTargets());
    return elementwise(
        b, loc, {op.getScale(), count},
        [&](OpBuilder &b, ValueRange in) -> Value {
          Value one = arith::ConstantOp::create(b, loc, b.getF32FloatAttr(1.0));
          Value atLeastOne = arith::MaximumFOp::create(b, loc, in[1], one);
          return arith::DivFOp::create(b, loc, in[0], atLeastOne);
        });
  }

  static Value element(OpBuilder &b, Location loc, Value logit, Value logSumExp,
                       Value target, Value share) {
    Value shifted = arith::SubFOp::create(b, loc, logit, logSumExp);
    Value weight = math::ExpOp::create(b, loc, shifted);
    Value token = arith::IndexCastOp::create(
        b, loc, b.getI32Type(), linalg::IndexOp::create(b, loc, 2));
    Value isTarget =
        arith::CmpIOp::create(b, loc, arith::CmpIPredicate::eq, token, target);
    Value one = arith::ConstantOp::create(b, loc, b.getF32FloatAttr(1.0));
    Value zero = arith::ConstantOp::create(b, loc, b.getF32FloatAttr(0.0));
    Value hit = arith::SelectOp::create(b, loc, isTarget, one, zero);
    Value difference = arith::SubFOp::create(b, loc, weight, hit);
    Value scaled = arith::MulFOp::create(b, loc, difference, share);
    return arith::SelectOp::create(b, loc, isCounted(b, loc, target), scaled,
                                   zero);
  }
};

struct LowerTargetWeights : OpRewritePattern<t6::TargetWeightsOp> {
  using OpRewritePattern::OpRewritePattern;

  LogicalResult matchAndRewrite(t6::TargetWeightsOp op,
                                PatternRewriter &rewriter) const override {
    Location loc = named(op.getLoc(), "target_weights");
    Value count = countOf(rewriter, loc, op.getTargets());
    AffineMap full = rewriter.getMultiDimIdentityMap(2);
    AffineMap first = AffineMap::get(2, 0, rewriter.getAffineConstantExpr(0));
    rewriter.replaceOp(
        op,
        generic(rewriter, loc, {op.getTargets(), count}, {full, first, full},
                sizesOf(rewriter, loc, op.getTargets()), rewriter.getF32Type(),
                std::nullopt, [&](OpBuilder &b, ValueRange in) -> Value {
                  auto constant = [&](double value) -> Value {
                    return arith::ConstantOp::create(b, loc,
                                                     b.getF32FloatAttr(value));
                  };
                  Value atLeastOne =
                      arith::MaximumFOp::create(b, loc, in[1], constant(1.0));
                  Value share =
                      arith::DivFOp::create(b, loc, constant(1.0), atLeastOne);
                  return arith::SelectOp::create(
                      b, loc, isCounted(b, loc, in[0]), share, constant(0.0));
                }));
    return success();
  }
};

//===----------------------------------------------------------------------===//
// Optimiser
//===----------------------------------------------------------------------===//

/// Each slice of the first dimension is summed alone, so that threads share
/// the work; then the slices' sums.
struct LowerGlobalNorm : OpRewritePattern<t6::GlobalNormOp> {
  using OpRewritePattern::OpRewritePattern;

  LogicalResult matchAndRewrite(t6::GlobalNormOp op,
                                PatternRewriter &rewriter) const override {
    Location loc = named(op.getLoc(), "global_norm");
    Type f32 = rewriter.getF32Type();
    AffineMap line = rewriter.getMultiDimIdentityMap(2);
    Value total;
    for (Value tensor : op.getTensors()) {
      SmallVector<OpFoldResult> sizes = sizesOf(rewriter, loc, tensor);
      AffineMap full = rewriter.getMultiDimIdentityMap(sizes.size());
      Value slices = tensor;
      if (!op.getSquared() || sizes.size() > 1)
        slices = generic(
            rewriter, loc, tensor, {full, full.getSubMap({0})}, sizes[0], f32,
            sizes.size() > 1 ? std::optional(0.0) : std::nullopt,
            [&](OpBuilder &b, ValueRange in) -> Value {
              Value square = in[0];
              if (!op.getSquared())
                square = arith::MulFOp::create(b, loc, square, square);
              return sizes.size() > 1
                         ? arith::AddFOp::create(b, loc, in[1], square)
                               .getResult()
                         : square;
            });
      Value sum = generic(rewriter, loc, slices,
                          {line.getSubMap({1}), line.getSubMap({0})},
                          OpFoldResult(rewriter.getIndexAttr(1)), f32, 0.0,
                          [&](OpBuilder &b, ValueRange in) -> Value {
                            return arith::AddFOp::create(b, loc, in[1], in[0]);
                          });
      total = total ? elementwise(rewriter, loc, {total, sum},
                                  [&](OpBuilder &b, ValueRange in) -> Value {
                                    return arith::AddFOp::create(b, loc, in[0],
                                                                 in[1]);
                                  })
                    : sum;
    }
    rewriter.replaceOp(op,
                       elementwise(rewriter, loc, total,
                                   [&](OpBuilder &b, ValueRange in) -> Value {
                                     return math::SqrtOp::create(b, loc, in[0]);
                                   }));
    return success();
  }
};

struct LowerClipScale : OpRewritePattern<t6::ClipScaleOp> {
  using OpRewritePattern::OpRewritePattern;

  LogicalResult matchAndRewrite(t6::ClipScaleOp op,
                                PatternRewriter &rewriter) const override {
    Location loc = named(op.getLoc(), "clip_scale");
    rewriter.replaceOp(
        op,
        elementwise(
            rewriter, loc, {op.getScale(), op.getNorm(), op.getMaxNorm()},
            [&](OpBuilder &b, ValueRange in) -> Value {
              auto constant = [&](double value) -> Value {
                return arith::ConstantOp::create(b, loc,
                                                 b.getF32FloatAttr(value));
              };
              Value norm = arith::AddFOp::create(b, loc, in[1], constant(1e-6));
              Value ratio = arith::DivFOp::create(b, loc, in[2], norm);
              ratio = arith::MinimumFOp::create(b, loc, ratio, constant(1.0));
              Value clips = arith::CmpFOp::create(
                  b, loc, arith::CmpFPredicate::OGT, in[2], constant(0.0));
              ratio =
                  arith::SelectOp::create(b, loc, clips, ratio, constant(1.0));
              return arith::MulFOp::create(b, loc, in[0], ratio);
            }));
    return success();
  }
};

/// One generic in place, which also adds up the squares of each slice of the
/// first dimension: memory is read and written once.
struct LowerAdamW : OpRewritePattern<t6::AdamWOp> {
  using OpRewritePattern::OpRewritePattern;

  LogicalResult matchAndRewrite(t6::AdamWOp op,
                                PatternRewriter &rewriter) const override {
    Location loc = named(op.getLoc(), "adamw");
    auto type = cast<RankedTensorType>(op.getParam().getType());
    int64_t rank = type.getRank();
    Type element = type.getElementType();
    SmallVector<Value> ones = {op.getGradScale(),   op.getLr(),
                               op.getBeta1(),       op.getBeta2(),
                               op.getEps(),         op.getWeightDecay(),
                               op.getCorrection1(), op.getCorrection2()};
    SmallVector<Value> outs = {op.getParam(), op.getM(), op.getV(),
                               op.getGrad()};
    OpFoldResult slices = sizesOf(rewriter, loc, op.getParam())[0];
    Value zero =
        arith::ConstantOp::create(rewriter, loc, rewriter.getZeroAttr(element));
    for (unsigned i = 0; i < 3; ++i) {
      Value out = tensor::EmptyOp::create(rewriter, loc, slices, element);
      if (rank > 1)
        out = linalg::FillOp::create(rewriter, loc, zero, out).getResult(0);
      outs.push_back(out);
    }
    AffineMap full = rewriter.getMultiDimIdentityMap(rank);
    SmallVector<AffineMap> maps(
        ones.size(),
        AffineMap::get(rank, 0, rewriter.getAffineConstantExpr(0)));
    maps.append(4, full);
    maps.append(3, full.getSubMap({0}));
    SmallVector<utils::IteratorType> loops(rank,
                                           utils::IteratorType::reduction);
    loops[0] = utils::IteratorType::parallel;
    auto generic = linalg::GenericOp::create(
        rewriter, loc, TypeRange(ValueRange(outs)), ones, outs, maps, loops,
        [&](OpBuilder &b, Location, ValueRange arguments) {
          linalg::YieldOp::create(b, loc, step(b, loc, arguments, rank > 1));
        });
    rewriter.replaceOp(op, generic.getResults());
    return success();
  }

  /// From the eight numbers, the old values and the sums so far, of which
  /// `adds` says whether there are any.
  static SmallVector<Value> step(OpBuilder &b, Location loc, ValueRange in,
                                 bool adds) {
    Value param = in[8], grad = in[11];
    Type element = param.getType();
    auto number = [&](unsigned i) {
      return in[i].getType() == element
                 ? in[i]
                 : Value(arith::ExtFOp::create(b, loc, element, in[i]));
    };
    auto times = [&](Value x, Value y) -> Value {
      return arith::MulFOp::create(b, loc, x, y);
    };
    auto over = [&](Value x, Value y) -> Value {
      return arith::DivFOp::create(b, loc, x, y);
    };
    auto plus = [&](Value x, Value y) -> Value {
      return arith::AddFOp::create(b, loc, x, y);
    };
    Value scale = number(0), rate = number(1), epsilon = number(4),
          decay = number(5), correction1 = number(6), correction2 = number(7);
    Value one = arith::ConstantOp::create(b, loc, b.getFloatAttr(element, 1.0));
    Value scaled = times(grad, scale);
    // beta * old + (1 - beta) * x
    auto moment = [&](Value old, Value beta, Value x) {
      Value rest = arith::SubFOp::create(b, loc, one, beta);
      return plus(times(old, beta), times(x, rest));
    };
    Value m = moment(in[9], number(2), scaled);
    Value v = moment(in[10], number(3), times(scaled, scaled));
    Value root = math::SqrtOp::create(b, loc, over(v, correction2));
    Value direction = over(over(m, correction1), plus(root, epsilon));
    Value change = times(rate, plus(times(param, decay), direction));
    param = arith::SubFOp::create(b, loc, param, change);
    // With the sign of what was there: an update that does not read its memory
    // would be given other memory.
    Value zero = arith::ConstantOp::create(b, loc, b.getZeroAttr(element));
    Value cleared = math::CopySignOp::create(b, loc, zero, grad);
    SmallVector<Value> results = {param, m, v, cleared};
    for (unsigned i = 0; i < 3; ++i) {
      Value square = times(results[i], results[i]);
      results.push_back(adds ? plus(in[12 + i], square) : square);
    }
    return results;
  }
};

} // namespace

void populateTrainingToLinalgPatterns(RewritePatternSet &patterns) {
  patterns.add<LowerEmbeddingGradient, LowerCrossEntropyGradient,
               LowerTargetWeights, LowerGlobalNorm, LowerClipScale, LowerAdamW>(
      patterns.getContext());
}

void populateAddGradientPattern(RewritePatternSet &patterns) {
  patterns.add<LowerAddGradient>(patterns.getContext());
}

} // namespace tpa
