//===- T6ToLinalg.cpp - Lowers the t6 dialect to linalg -------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Lowers the layers of the t6 dialect to linalg.
//
//===----------------------------------------------------------------------===//

#include "compiler/einsum/LinalgBuilder.h"
#include "compiler/einsum/LoweringPatterns.h"
#include "dialects/t6/T6Dialect.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"

using namespace mlir;

namespace tpa {
namespace {

Value toIndex(OpBuilder &b, Location loc, Value value) {
  return arith::IndexCastOp::create(b, loc, b.getIndexType(), value);
}

/// Maps of a generic over `rank` loops: of all loops, and without the last.
std::pair<AffineMap, AffineMap> rowMaps(OpBuilder &b, int64_t rank) {
  AffineMap full = b.getMultiDimIdentityMap(rank);
  return {full, full.dropResult(rank - 1)};
}

struct LowerEmbedding : OpRewritePattern<t6::EmbeddingOp> {
  using OpRewritePattern::OpRewritePattern;

  LogicalResult matchAndRewrite(t6::EmbeddingOp op,
                                PatternRewriter &rewriter) const override {
    Location loc = named(op.getLoc(), "embedding");
    auto [full, row] = rowMaps(rewriter, 3);
    SmallVector<OpFoldResult> sizes = sizesOf(rewriter, loc, op.getTokens());
    sizes.push_back(tensor::getMixedSize(rewriter, loc, op.getTable(), 1));
    // Of a table of integers a row is dequantised, not the table.
    auto matrix = op.getTable().getDefiningOp<t6::DequantizeOp>();
    Value table = matrix ? matrix.getQ() : op.getTable();
    rewriter.replaceOp(
        op, generic(rewriter, loc, op.getTokens(), {row, full}, sizes,
                    rewriter.getF32Type(), std::nullopt,
                    [&](OpBuilder &b, ValueRange in) -> Value {
                      Value zero = arith::ConstantOp::create(
                          b, loc, b.getI32IntegerAttr(0));
                      Value token = toIndex(
                          b, loc, arith::MaxSIOp::create(b, loc, in[0], zero));
                      Value feature = linalg::IndexOp::create(b, loc, 2);
                      Value value =
                          widen(b, loc,
                                tensor::ExtractOp::create(
                                    b, loc, table, ValueRange{token, feature}));
                      if (!matrix)
                        return value;
                      Value scale = tensor::ExtractOp::create(
                          b, loc, matrix.getScale(), token);
                      return arith::MulFOp::create(b, loc, value, scale);
                    }));
    return success();
  }
};

/// Where a consumer has not taken the integers: a producer like any other.
struct LowerDequantize : OpRewritePattern<t6::DequantizeOp> {
  using OpRewritePattern::OpRewritePattern;

  LogicalResult matchAndRewrite(t6::DequantizeOp op,
                                PatternRewriter &rewriter) const override {
    Location loc = named(op.getLoc(), "dequantize");
    auto type = cast<RankedTensorType>(op.getType());
    int64_t channels =
        cast<RankedTensorType>(op.getScale().getType()).getRank();
    AffineMap full = rewriter.getMultiDimIdentityMap(type.getRank());
    AffineMap row = full.dropResults(
        llvm::to_vector(llvm::seq<int64_t>(channels, type.getRank())));
    rewriter.replaceOp(
        op,
        generic(rewriter, loc, {op.getQ(), op.getScale()}, {full, row, full},
                sizesOf(rewriter, loc, op.getQ()), type.getElementType(),
                std::nullopt, [&](OpBuilder &b, ValueRange in) -> Value {
                  return arith::MulFOp::create(b, loc, in[0], in[1]);
                }));
    return success();
  }
};

struct LowerSelectToken : OpRewritePattern<t6::SelectTokenOp> {
  using OpRewritePattern::OpRewritePattern;

  LogicalResult matchAndRewrite(t6::SelectTokenOp op,
                                PatternRewriter &rewriter) const override {
    Location loc = named(op.getLoc(), "select_token");
    AffineMap full = rewriter.getMultiDimIdentityMap(3);
    AffineMap batch = full.getSubMap({0});
    SmallVector<OpFoldResult> sizes = sizesOf(rewriter, loc, op.getX());
    sizes[1] = rewriter.getIndexAttr(1);
    rewriter.replaceOp(
        op, generic(rewriter, loc, op.getIndex(), {batch, full}, sizes,
                    rewriter.getF32Type(), std::nullopt,
                    [&](OpBuilder &b, ValueRange in) {
                      Value row = linalg::IndexOp::create(b, loc, 0);
                      Value token = toIndex(b, loc, in[0]);
                      Value feature = linalg::IndexOp::create(b, loc, 2);
                      return widen(b, loc,
                                   tensor::ExtractOp::create(
                                       b, loc, op.getX(),
                                       ValueRange{row, token, feature}));
                    }));
    return success();
  }
};

struct LowerRmsNorm : OpRewritePattern<t6::RmsNormOp> {
  using OpRewritePattern::OpRewritePattern;

  LogicalResult matchAndRewrite(t6::RmsNormOp op,
                                PatternRewriter &rewriter) const override {
    Location loc = named(op.getLoc(), "rms_norm");
    auto type = cast<RankedTensorType>(op.getType());
    int64_t rank = type.getRank(), width = type.getShape().back();
    if (ShapedType::isDynamic(width))
      return op.emitOpError("has a dynamic last dimension");
    auto [full, row] = rowMaps(rewriter, rank);
    SmallVector<OpFoldResult> sizes = sizesOf(rewriter, loc, op.getX());
    Type element = type.getElementType();
    Value squares = generic(
        rewriter, loc, op.getX(), {full, row}, ArrayRef(sizes).drop_back(),
        element, 0.0, [&](OpBuilder &b, ValueRange in) -> Value {
          Value square = arith::MulFOp::create(b, loc, in[0], in[0]);
          return arith::AddFOp::create(b, loc, in[1], square);
        });
    SmallVector<Value> inputs = {op.getX(), squares};
    SmallVector<AffineMap> maps = {full, row, full};
    if (op.getWeight()) {
      inputs.push_back(op.getWeight());
      maps.insert(maps.end() - 1, full.getSubMap({unsigned(rank - 1)}));
    }
    auto normalize = [&](OpBuilder &b, ValueRange in) -> Value {
      auto constant = [&](double value) -> Value {
        return arith::ConstantOp::create(b, loc,
                                         b.getFloatAttr(element, value));
      };
      Value mean = arith::MulFOp::create(b, loc, in[1], constant(1.0 / width));
      Value shifted = arith::AddFOp::create(
          b, loc, mean, constant(op.getEps().convertToDouble()));
      Value root = math::SqrtOp::create(b, loc, shifted);
      Value y = arith::DivFOp::create(b, loc, in[0], root);
      return op.getWeight()
                 ? arith::MulFOp::create(b, loc, y, in[2]).getResult()
                 : y;
    };
    rewriter.replaceOp(op, generic(rewriter, loc, inputs, maps, sizes, element,
                                   std::nullopt, normalize));
    return success();
  }
};

struct LowerSwiglu : OpRewritePattern<t6::SwigluOp> {
  using OpRewritePattern::OpRewritePattern;

  LogicalResult matchAndRewrite(t6::SwigluOp op,
                                PatternRewriter &rewriter) const override {
    Location loc = named(op.getLoc(), "swiglu");
    rewriter.replaceOp(
        op, elementwise(rewriter, loc, {op.getGate(), op.getUp()},
                        [&](OpBuilder &b, ValueRange in) -> Value {
                          Value gate = arith::MulFOp::create(
                              b, loc, in[0], sigmoid(b, loc, in[0]));
                          return arith::MulFOp::create(b, loc, gate, in[1]);
                        }));
    return success();
  }
};

struct LowerCrossEntropy : OpRewritePattern<t6::CrossEntropyOp> {
  using OpRewritePattern::OpRewritePattern;

  LogicalResult matchAndRewrite(t6::CrossEntropyOp op,
                                PatternRewriter &rewriter) const override {
    Location loc = named(op.getLoc(), "cross_entropy");
    auto [full, row] = rowMaps(rewriter, 3);
    SmallVector<OpFoldResult> sizes = sizesOf(rewriter, loc, op.getLogits());
    ArrayRef<OpFoldResult> rows = ArrayRef(sizes).drop_back();
    Type f32 = rewriter.getF32Type();
    Value maximum =
        generic(rewriter, loc, op.getLogits(), {full, row}, rows, f32,
                -std::numeric_limits<double>::infinity(),
                [&](OpBuilder &b, ValueRange in) -> Value {
                  return arith::MaximumFOp::create(b, loc, in[1], in[0]);
                });
    Value sum =
        generic(rewriter, loc, {op.getLogits(), maximum}, {full, row, row},
                rows, f32, 0.0, [&](OpBuilder &b, ValueRange in) -> Value {
                  Value shifted = arith::SubFOp::create(b, loc, in[0], in[1]);
                  Value power = math::ExpOp::create(b, loc, shifted);
                  return arith::AddFOp::create(b, loc, in[2], power);
                });
    AffineMap flat = rewriter.getMultiDimIdentityMap(2);
    Value logSumExp =
        elementwise(rewriter, loc, {maximum, sum},
                    [&](OpBuilder &b, ValueRange in) -> Value {
                      Value log = math::LogOp::create(b, loc, in[1]);
                      return arith::AddFOp::create(b, loc, in[0], log);
                    });
    Value tokenLoss =
        generic(rewriter, loc, {op.getTargets(), logSumExp}, {flat, flat, flat},
                rows, f32, std::nullopt, [&](OpBuilder &b, ValueRange in) {
                  return surprise(b, loc, op.getLogits(), in[0], in[1]);
                });
    rewriter.replaceOp(
        op, {meanOverTargets(rewriter, loc, tokenLoss, op.getTargets()),
             tokenLoss, logSumExp});
    return success();
  }

private:
  static Value isCounted(OpBuilder &b, Location loc, Value target) {
    Value zero = arith::ConstantOp::create(b, loc, b.getI32IntegerAttr(0));
    return arith::CmpIOp::create(b, loc, arith::CmpIPredicate::sge, target,
                                 zero);
  }

  static Value surprise(OpBuilder &b, Location loc, Value logits, Value target,
                        Value logSumExp) {
    Value zero32 = arith::ConstantOp::create(b, loc, b.getI32IntegerAttr(0));
    Value safe = arith::MaxSIOp::create(b, loc, target, zero32);
    Value row = linalg::IndexOp::create(b, loc, 0);
    Value token = linalg::IndexOp::create(b, loc, 1);
    Value logit = tensor::ExtractOp::create(
        b, loc, logits, ValueRange{row, token, toIndex(b, loc, safe)});
    Value loss = arith::SubFOp::create(b, loc, logSumExp, logit);
    Value zero = arith::ConstantOp::create(b, loc, b.getF32FloatAttr(0.0));
    return arith::SelectOp::create(b, loc, isCounted(b, loc, target), loss,
                                   zero);
  }

  /// The loop d0 has size one: it gives the scalar result a dimension.
  static Value meanOverTargets(OpBuilder &b, Location loc, Value tokenLoss,
                               Value targets) {
    Type f32 = b.getF32Type();
    AffineMap all = b.getMultiDimIdentityMap(3);
    AffineMap token = all.getSubMap({1, 2}), unit = all.getSubMap({0});
    SmallVector<OpFoldResult> one = {b.getIndexAttr(1)};
    Value total = generic(b, loc, tokenLoss, {token, unit}, one, f32, 0.0,
                          [&](OpBuilder &b, ValueRange in) -> Value {
                            return arith::AddFOp::create(b, loc, in[1], in[0]);
                          });
    Value count =
        generic(b, loc, targets, {token, unit}, one, f32, 0.0,
                [&](OpBuilder &b, ValueRange in) -> Value {
                  Value counted = arith::UIToFPOp::create(
                      b, loc, f32, isCounted(b, loc, in[0]));
                  return arith::AddFOp::create(b, loc, in[1], counted);
                });
    return elementwise(
        b, loc, {total, count}, [&](OpBuilder &b, ValueRange in) -> Value {
          Value one = arith::ConstantOp::create(b, loc, b.getF32FloatAttr(1.0));
          Value atLeastOne = arith::MaximumFOp::create(b, loc, in[1], one);
          return arith::DivFOp::create(b, loc, in[0], atLeastOne);
        });
  }
};

struct LowerSplit : OpRewritePattern<t6::SplitOp> {
  using OpRewritePattern::OpRewritePattern;

  LogicalResult matchAndRewrite(t6::SplitOp op,
                                PatternRewriter &rewriter) const override {
    int64_t axis = op.getAxis(), offset = 0;
    int64_t rank = cast<RankedTensorType>(op.getX().getType()).getRank();
    SmallVector<Value> parts;
    for (Value result : op.getResults()) {
      int64_t size = cast<RankedTensorType>(result.getType()).getDimSize(axis);
      if (ShapedType::isDynamic(size))
        return op.emitOpError("has parts of unknown size: run "
                              "t6-instantiate-model first");
      SmallVector<OpFoldResult> offsets(rank, rewriter.getIndexAttr(0));
      SmallVector<OpFoldResult> strides(rank, rewriter.getIndexAttr(1));
      SmallVector<OpFoldResult> sizes =
          sizesOf(rewriter, op.getLoc(), op.getX());
      offsets[axis] = rewriter.getIndexAttr(offset);
      sizes[axis] = rewriter.getIndexAttr(size);
      parts.push_back(tensor::ExtractSliceOp::create(
          rewriter, op.getLoc(), op.getX(), offsets, sizes, strides));
      offset += size;
    }
    rewriter.replaceOp(op, parts);
    return success();
  }
};

} // namespace

void populateDequantizePattern(RewritePatternSet &patterns) {
  patterns.add<LowerDequantize>(patterns.getContext());
}

void populateT6ToLinalgPatterns(RewritePatternSet &patterns) {
  patterns.add<LowerEmbedding, LowerSelectToken, LowerRmsNorm, LowerSwiglu,
               LowerCrossEntropy, LowerSplit>(patterns.getContext());
}

} // namespace tpa
