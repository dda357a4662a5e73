//===- RecentToLinalg.cpp - Lowers gathers of earlier tokens --------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Lowers tpa.recent and t6.ring_append, which read and write the last tokens of
// each row, and t6.accumulate, which adds to what stands for all of them, to
// linalg.
//
//===----------------------------------------------------------------------===//

#include "compiler/einsum/LinalgBuilder.h"
#include "compiler/einsum/LoweringPatterns.h"
#include "dialects/t6/T6Dialect.h"
#include "dialects/tpa/TpaDialect.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Arith/Utils/Utils.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"

using namespace mlir;

namespace tpa {
namespace {

Value constant(OpBuilder &b, Location loc, int64_t value) {
  return arith::ConstantIndexOp::create(b, loc, value);
}

/// values[row], one integer a row, as an index.
Value ofRow(OpBuilder &b, Location loc, Value values, Value row) {
  return arith::IndexCastOp::create(
      b, loc, b.getIndexType(), tensor::ExtractOp::create(b, loc, values, row));
}

Value isNegative(OpBuilder &b, Location loc, Value index) {
  return arith::CmpIOp::create(b, loc, arith::CmpIPredicate::slt, index,
                               constant(b, loc, 0));
}

/// An element is read wherever it stands: what a select does not take must be
/// inside the tensor all the same.
Value notNegative(OpBuilder &b, Location loc, Value index) {
  return arith::MaxSIOp::create(b, loc, index, constant(b, loc, 0));
}

/// The loops' indices, with the one of dimension 1 replaced.
SmallVector<Value> indicesAt(OpBuilder &b, Location loc, int64_t rank,
                             Value token, unsigned firstFeature) {
  SmallVector<Value> indices = {linalg::IndexOp::create(b, loc, 0), token};
  for (int64_t i = firstFeature; i < rank; ++i)
    indices.push_back(linalg::IndexOp::create(b, loc, i));
  return indices;
}

struct LowerRecent : OpRewritePattern<RecentOp> {
  using OpRewritePattern::OpRewritePattern;

  LogicalResult matchAndRewrite(RecentOp op,
                                PatternRewriter &rewriter) const override {
    Location loc = named(op.getLoc(), "recent");
    auto type = cast<RankedTensorType>(op.getType());
    int64_t rank = type.getRank();
    SmallVector<OpFoldResult> sizes = sizesOf(rewriter, loc, op.getX());
    sizes.insert(sizes.begin() + 2, rewriter.getIndexAttr(op.getTokens()));
    AffineMap full = rewriter.getMultiDimIdentityMap(rank);
    auto body = [&](OpBuilder &b, ValueRange) -> Value {
      Value n = linalg::IndexOp::create(b, loc, 1);
      Value j = linalg::IndexOp::create(b, loc, 2);
      Value at = arith::SubIOp::create(b, loc, n, j);
      Value own = widen(b, loc,
                        tensor::ExtractOp::create(
                            b, loc, op.getX(),
                            indicesAt(b, loc, rank, notNegative(b, loc, at),
                                      /*firstFeature=*/3)));
      return arith::SelectOp::create(b, loc, isNegative(b, loc, at),
                                     earlier(b, loc, op, at, own.getType()),
                                     own);
    };
    rewriter.replaceOp(op, generic(rewriter, loc, op.getPositions(),
                                   {full.getSubMap({0}), full}, sizes,
                                   type.getElementType(), std::nullopt, body));
    return success();
  }

private:
  /// The token `at`, which is negative, of what came before x.
  static Value earlier(OpBuilder &b, Location loc, RecentOp op, Value at,
                       Type element) {
    Value zero =
        arith::ConstantOp::create(b, loc, b.getFloatAttr(element, 0.0));
    if (!op.getRing())
      return zero;
    Value first =
        ofRow(b, loc, op.getPositions(), linalg::IndexOp::create(b, loc, 0));
    Value position = arith::AddIOp::create(b, loc, first, at);
    Value place = arith::RemSIOp::create(b, loc, notNegative(b, loc, position),
                                         constant(b, loc, op.getTokens()));
    int64_t rank = cast<RankedTensorType>(op.getType()).getRank();
    Value kept = widen(b, loc,
                       tensor::ExtractOp::create(
                           b, loc, op.getRing(),
                           indicesAt(b, loc, rank, place, /*firstFeature=*/3)));
    return arith::SelectOp::create(b, loc, isNegative(b, loc, position), zero,
                                   kept);
  }
};

struct LowerRingAppend : OpRewritePattern<t6::RingAppendOp> {
  using OpRewritePattern::OpRewritePattern;

  LogicalResult matchAndRewrite(t6::RingAppendOp op,
                                PatternRewriter &rewriter) const override {
    Location loc = named(op.getLoc(), "ring_append");
    auto type = cast<RankedTensorType>(op.getType());
    int64_t rank = type.getRank(), tokens = type.getDimSize(1);
    Value count = getValueOrCreateConstantIndexOp(
        rewriter, loc, sizesOf(rewriter, loc, op.getX())[1]);
    SmallVector<utils::IteratorType> loops(rank, utils::IteratorType::parallel);
    // The ring is read where it is written, so that it can stay in place.
    auto kept = linalg::GenericOp::create(
        rewriter, loc, type, ValueRange(), op.getRing(),
        rewriter.getMultiDimIdentityMap(rank), loops,
        [&](OpBuilder &b, Location, ValueRange in) {
          Value row = linalg::IndexOp::create(b, loc, 0);
          Value place = linalg::IndexOp::create(b, loc, 1);
          Value last =
              op.getLast()
                  ? ofRow(b, loc, op.getLast(), row)
                  : arith::SubIOp::create(b, loc, count, constant(b, loc, 1));
          // The newest valid token that belongs to this place.
          Value end = arith::AddIOp::create(
              b, loc, ofRow(b, loc, op.getPositions(), row), last);
          Value behind = arith::RemSIOp::create(
              b, loc,
              arith::AddIOp::create(
                  b, loc,
                  arith::SubIOp::create(
                      b, loc,
                      arith::RemSIOp::create(b, loc, end,
                                             constant(b, loc, tokens)),
                      place),
                  constant(b, loc, tokens)),
              constant(b, loc, tokens));
          Value token = arith::SubIOp::create(b, loc, last, behind);
          Value value = tensor::ExtractOp::create(
              b, loc, op.getX(),
              indicesAt(b, loc, rank, notNegative(b, loc, token),
                        /*firstFeature=*/2));
          Type element = type.getElementType();
          if (value.getType() != element)
            value = arith::TruncFOp::create(b, loc, element, value);
          value = arith::SelectOp::create(b, loc, isNegative(b, loc, token),
                                          in[0], value);
          linalg::YieldOp::create(b, loc, value);
        });
    rewriter.replaceOp(op, kept.getResults());
    return success();
  }
};

struct LowerAccumulate : OpRewritePattern<t6::AccumulateOp> {
  using OpRewritePattern::OpRewritePattern;

  LogicalResult matchAndRewrite(t6::AccumulateOp op,
                                PatternRewriter &rewriter) const override {
    Location loc = named(op.getLoc(), "accumulate");
    auto type = cast<RankedTensorType>(op.getType());
    SmallVector<AffineMap> maps(
        2, rewriter.getMultiDimIdentityMap(type.getRank()));
    SmallVector<utils::IteratorType> loops(type.getRank(),
                                           utils::IteratorType::parallel);
    // The state is read where it is written, so that it can stay in place.
    auto sum = linalg::GenericOp::create(
        rewriter, loc, type, op.getX(), op.getState(), maps, loops,
        [&](OpBuilder &b, Location, ValueRange in) {
          Value first = ofRow(b, loc, op.getPositions(),
                              linalg::IndexOp::create(b, loc, 0));
          Value isFirst = arith::CmpIOp::create(
              b, loc, arith::CmpIPredicate::eq, first, constant(b, loc, 0));
          Value both = arith::AddFOp::create(b, loc, in[1], in[0]);
          linalg::YieldOp::create(
              b, loc,
              arith::SelectOp::create(b, loc, isFirst, in[0], both)
                  .getResult());
        });
    rewriter.replaceOp(op, sum.getResults());
    return success();
  }
};

} // namespace

void populateRecentToLinalgPatterns(RewritePatternSet &patterns) {
  patterns.add<LowerRecent, LowerRingAppend, LowerAccumulate>(
      patterns.getContext());
}

} // namespace tpa
