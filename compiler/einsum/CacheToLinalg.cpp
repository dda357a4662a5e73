//===- CacheToLinalg.cpp - Lowers caches to linalg ------------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Lowers appends to caches and reads of them to linalg: of rows in one piece,
// and of pools of pages.
//
//===----------------------------------------------------------------------===//

#include "compiler/einsum/LinalgBuilder.h"
#include "compiler/einsum/LoweringPatterns.h"
#include "dialects/t6/T6Dialect.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"

using namespace mlir;

namespace tpa {
namespace {

Value toIndex(OpBuilder &b, Location loc, Value value) {
  return arith::IndexCastOp::create(b, loc, b.getIndexType(), value);
}

/// Where token `m` of `row` is in a pool of pages: the page, then the place in
/// it.
std::pair<Value, Value> pagedPlace(OpBuilder &b, Location loc, Value pool,
                                   Value pages, Value row, Value m) {
  int64_t tokens = cast<RankedTensorType>(pool.getType()).getDimSize(1);
  Value size = arith::ConstantIndexOp::create(b, loc, tokens);
  // Positions are not negative: a shift and a mask.
  Value slot = arith::DivUIOp::create(b, loc, m, size);
  Value page = tensor::ExtractOp::create(b, loc, pages, ValueRange{row, slot});
  return {toIndex(b, loc, page), arith::RemUIOp::create(b, loc, m, size)};
}

struct LowerCacheRead : OpRewritePattern<t6::CacheReadOp> {
  using OpRewritePattern::OpRewritePattern;

  LogicalResult matchAndRewrite(t6::CacheReadOp op,
                                PatternRewriter &rewriter) const override {
    if (op.getPages())
      return rewriter.notifyMatchFailure(op, "is a gather");
    SmallVector<OpFoldResult> sizes =
        sizesOf(rewriter, op.getLoc(), op.getCache());
    sizes[1] = op.getLength();
    SmallVector<OpFoldResult> offsets(sizes.size(), rewriter.getIndexAttr(0));
    SmallVector<OpFoldResult> strides(sizes.size(), rewriter.getIndexAttr(1));
    rewriter.replaceOpWithNewOp<tensor::ExtractSliceOp>(
        op, cast<RankedTensorType>(op.getType()), op.getCache(), offsets, sizes,
        strides);
    return success();
  }
};

/// A gather of tokens from their pages.
struct LowerPagedRead : OpRewritePattern<t6::CacheReadOp> {
  using OpRewritePattern::OpRewritePattern;

  LogicalResult matchAndRewrite(t6::CacheReadOp op,
                                PatternRewriter &rewriter) const override {
    if (!op.getPages())
      return rewriter.notifyMatchFailure(op, "is a slice");
    Location loc = named(op.getLoc(), "cache_read");
    auto type = cast<RankedTensorType>(op.getType());
    SmallVector<OpFoldResult> sizes = sizesOf(rewriter, loc, op.getCache());
    sizes[0] = tensor::getMixedSize(rewriter, loc, op.getPages(), 0);
    sizes[1] = op.getLength();
    int64_t rank = type.getRank();
    auto append = op.getCache().getDefiningOp<t6::CacheAppendOp>();
    bool knowsEnds = append && append.getPages() == op.getPages();
    Value added;
    if (knowsEnds)
      added = getValueOrCreateConstantIndexOp(
          rewriter, loc, tensor::getMixedSize(rewriter, loc, append.getX(), 1));
    auto body = [&](OpBuilder &b, ValueRange) -> Value {
      SmallVector<Value> at;
      for (int64_t i = 0; i < rank; ++i)
        at.push_back(linalg::IndexOp::create(b, loc, i));
      Value row = at[0], m = at[1];
      std::tie(at[0], at[1]) =
          pagedPlace(b, loc, op.getCache(), op.getPages(), row, m);
      Value value = tensor::ExtractOp::create(b, loc, op.getCache(), at);
      if (!knowsEnds)
        return value;
      // Beyond a row's end, a page holds what another row left there. Weights
      // of zero do not hide that where it is no number.
      Value start =
          tensor::ExtractOp::create(b, loc, append.getPositions(), row);
      Value end = arith::AddIOp::create(b, loc, toIndex(b, loc, start), added);
      Value isThere =
          arith::CmpIOp::create(b, loc, arith::CmpIPredicate::ult, m, end);
      Value zero = arith::ConstantOp::create(
          b, loc, b.getFloatAttr(type.getElementType(), 0.0));
      return arith::SelectOp::create(b, loc, isThere, value, zero);
    };
    rewriter.replaceOp(
        op, generic(rewriter, loc, {}, {rewriter.getMultiDimIdentityMap(rank)},
                    sizes, type.getElementType(), std::nullopt, body));
    return success();
  }
};

/// Row by row, since each row starts at a position of its own.
struct LowerCacheAppend : OpRewritePattern<t6::CacheAppendOp> {
  using OpRewritePattern::OpRewritePattern;

  LogicalResult matchAndRewrite(t6::CacheAppendOp op,
                                PatternRewriter &rewriter) const override {
    Location loc = named(op.getLoc(), "cache_append");
    auto type = cast<RankedTensorType>(op.getType());
    auto constant = [&](int64_t value) -> Value {
      return arith::ConstantIndexOp::create(rewriter, loc, value);
    };
    SmallVector<OpFoldResult> sizes = sizesOf(rewriter, loc, op.getX());
    Value rows = getValueOrCreateConstantIndexOp(rewriter, loc, sizes[0]);
    sizes[0] = rewriter.getIndexAttr(1);
    if (op.getPages()) {
      rewriter.replaceOp(op, appendPaged(rewriter, loc, op, rows, sizes));
      return success();
    }
    auto loop = scf::ForOp::create(
        rewriter, loc, constant(0), rows, constant(1), op.getCache(),
        [&](OpBuilder &b, Location, Value row, ValueRange caches) {
          SmallVector<OpFoldResult> strides(sizes.size(), b.getIndexAttr(1));
          SmallVector<OpFoldResult> offsets(sizes.size(), b.getIndexAttr(0));
          offsets[0] = row;
          Value x = tensor::ExtractSliceOp::create(b, loc, op.getX(), offsets,
                                                   sizes, strides);
          Value start =
              tensor::ExtractOp::create(b, loc, op.getPositions(), row);
          offsets[1] = toIndex(b, loc, start);
          Value place = tensor::ExtractSliceOp::create(b, loc, caches[0],
                                                       offsets, sizes, strides);
          Value written = write(b, loc, x, place, type.getElementType());
          Value updated = tensor::InsertSliceOp::create(
              b, loc, written, caches[0], offsets, sizes, strides);
          scf::YieldOp::create(b, loc, updated);
        });
    rewriter.replaceOp(op, loop.getResults());
    return success();
  }

private:
  /// Token by token: neighbours may be on different pages.
  static Value appendPaged(OpBuilder &builder, Location loc,
                           t6::CacheAppendOp op, Value rows,
                           SmallVector<OpFoldResult> sizes) {
    auto type = cast<RankedTensorType>(op.getType());
    Value zero = arith::ConstantIndexOp::create(builder, loc, 0);
    Value one = arith::ConstantIndexOp::create(builder, loc, 1);
    Value count = getValueOrCreateConstantIndexOp(builder, loc, sizes[1]);
    sizes[1] = builder.getIndexAttr(1);
    SmallVector<OpFoldResult> strides(sizes.size(), builder.getIndexAttr(1));
    auto appendToken = [&](OpBuilder &b, Value row, Value token,
                           Value pool) -> Value {
      SmallVector<OpFoldResult> from(sizes.size(), b.getIndexAttr(0));
      SmallVector<OpFoldResult> to = from;
      from[0] = row;
      from[1] = token;
      Value x = tensor::ExtractSliceOp::create(b, loc, op.getX(), from, sizes,
                                               strides);
      Value start = toIndex(
          b, loc, tensor::ExtractOp::create(b, loc, op.getPositions(), row));
      Value position = arith::AddIOp::create(b, loc, start, token);
      std::tie(to[0], to[1]) =
          pagedPlace(b, loc, pool, op.getPages(), row, position);
      Value place =
          tensor::ExtractSliceOp::create(b, loc, pool, to, sizes, strides);
      Value written = write(b, loc, x, place, type.getElementType());
      return tensor::InsertSliceOp::create(b, loc, written, pool, to, sizes,
                                           strides);
    };
    auto outer = scf::ForOp::create(
        builder, loc, zero, rows, one, op.getCache(),
        [&](OpBuilder &b, Location, Value row, ValueRange pools) {
          auto inner = scf::ForOp::create(
              b, loc, zero, count, one, pools,
              [&](OpBuilder &nested, Location, Value token, ValueRange pools) {
                scf::YieldOp::create(nested, loc,
                                     appendToken(nested, row, token, pools[0]));
              });
          scf::YieldOp::create(b, loc, inner.getResults());
        });
    return outer.getResult(0);
  }

  /// Copies x over the slice `place` of the cache, rounding as needed.
  static Value write(OpBuilder &b, Location loc, Value x, Value place,
                     Type element) {
    int64_t rank = cast<RankedTensorType>(x.getType()).getRank();
    SmallVector<AffineMap> maps(2, b.getMultiDimIdentityMap(rank));
    SmallVector<utils::IteratorType> iterators(rank,
                                               utils::IteratorType::parallel);
    auto op = linalg::GenericOp::create(
        b, loc, place.getType(), x, place, maps, iterators,
        [&](OpBuilder &nested, Location, ValueRange in) {
          Value value = in[0];
          if (value.getType() != element)
            value = arith::TruncFOp::create(nested, loc, element, value);
          linalg::YieldOp::create(nested, loc, value);
        });
    return op.getResult(0);
  }
};

} // namespace

void populatePagedReadPattern(RewritePatternSet &patterns) {
  patterns.add<LowerPagedRead>(patterns.getContext());
}

void populateCacheToLinalgPatterns(RewritePatternSet &patterns) {
  patterns.add<LowerCacheRead, LowerCacheAppend>(patterns.getContext());
}

} // namespace tpa
