//===- SoftmaxToLinalg.cpp - Lowers softmax and its parts to linalg -------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Lowers softmax, what it divides by, and the merge of its parts to linalg.
//
//===----------------------------------------------------------------------===//

#include "compiler/einsum/LinalgBuilder.h"
#include "compiler/einsum/LoweringPatterns.h"
#include "dialects/tpa/Equation.h"
#include "dialects/tpa/TpaDialect.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Math/IR/Math.h"

using namespace mlir;

namespace tpa {
namespace {

/// exp(x - max); a row of -inf has no maximum to subtract: zero.
Value shiftedExp(OpBuilder &b, Location loc, Value x, Value max) {
  auto constant = [&](double v) -> Value {
    return arith::ConstantOp::create(b, loc, b.getFloatAttr(x.getType(), v));
  };
  Value isEmpty =
      arith::CmpFOp::create(b, loc, arith::CmpFPredicate::OEQ, max,
                            constant(-std::numeric_limits<double>::infinity()));
  Value shift = arith::SelectOp::create(b, loc, isEmpty, constant(0.0), max);
  Value difference = arith::SubFOp::create(b, loc, x, shift);
  return math::ExpOp::create(b, loc, difference);
}

/// x / sum; an empty sum weighs nothing: zero.
Value quotient(OpBuilder &b, Location loc, Value x, Value sum) {
  Value zero =
      arith::ConstantOp::create(b, loc, b.getFloatAttr(x.getType(), 0.0));
  Value isEmpty =
      arith::CmpFOp::create(b, loc, arith::CmpFPredicate::OEQ, sum, zero);
  Value result = arith::DivFOp::create(b, loc, x, sum);
  return arith::SelectOp::create(b, loc, isEmpty, zero, result);
}

/// Parts are few: a reduction over them for each of maximum, sum and values.
struct LowerMerge : OpRewritePattern<MergeOp> {
  using OpRewritePattern::OpRewritePattern;

  LogicalResult matchAndRewrite(MergeOp op,
                                PatternRewriter &rewriter) const override {
    Location loc = named(op.getLoc(), "merge");
    Equation equation = Equation::parseVerified(op.getEquation());
    StringRef rows = equation.terms[0], values = equation.output;
    Value maxima = op.getOperands()[0], sums = op.getOperands()[1];
    Type element = getElementTypeOrSelf(op.getType());
    MLIRContext *context = op.getContext();
    // The parts' loop comes last: it is reduced over. Letters may be any, so
    // it is known by its place.
    auto withParts = [&](StringRef term, StringRef loops) {
      AffineMap map = mapOf(term, loops, context);
      SmallVector<AffineExpr> results = {
          getAffineDimExpr(loops.size(), context)};
      llvm::append_range(results, map.getResults());
      return AffineMap::get(loops.size() + 1, 0, results, context);
    };
    auto without = [&](StringRef term, StringRef loops) {
      return AffineMap::get(loops.size() + 1, 0,
                            mapOf(term, loops, context).getResults(), context);
    };
    auto sizesBehindParts = [&](Value value) {
      SmallVector<OpFoldResult> sizes = sizesOf(rewriter, loc, value);
      sizes.erase(sizes.begin());
      return sizes;
    };
    auto infinity = std::numeric_limits<double>::infinity();
    SmallVector<OpFoldResult> rowSizes = sizesBehindParts(maxima);
    Value maximum =
        generic(rewriter, loc, maxima,
                {withParts(rows, rows), without(rows, rows)}, rowSizes, element,
                -infinity, [&](OpBuilder &b, ValueRange in) -> Value {
                  return arith::MaximumFOp::create(b, loc, in[1], in[0]);
                });
    bool hasSinks = op.getOperands().size() == 4;
    auto withSinks = [&](ValueRange inputs, BodyBuilder body) {
      SmallVector<Value> operands(inputs);
      operands.push_back(op.getOperands()[3]);
      SmallVector<AffineMap> maps(inputs.size(), mapOf(rows, rows, context));
      maps.push_back(mapOf(equation.terms[3], rows, context));
      maps.push_back(mapOf(rows, rows, context));
      return generic(rewriter, loc, operands, maps, rowSizes, element,
                     std::nullopt, body);
    };
    if (hasSinks)
      maximum = withSinks(maximum, [&](OpBuilder &b, ValueRange in) -> Value {
        return arith::MaximumFOp::create(b, loc, in[0], in[1]);
      });
    Value sum = generic(rewriter, loc, {sums, maxima, maximum},
                        {withParts(rows, rows), withParts(rows, rows),
                         without(rows, rows), without(rows, rows)},
                        rowSizes, element, 0.0,
                        [&](OpBuilder &b, ValueRange in) -> Value {
                          Value part = arith::MulFOp::create(
                              b, loc, in[0], shiftedExp(b, loc, in[1], in[2]));
                          return arith::AddFOp::create(b, loc, in[3], part);
                        });
    if (hasSinks)
      sum =
          withSinks({sum, maximum}, [&](OpBuilder &b, ValueRange in) -> Value {
            return arith::AddFOp::create(b, loc, in[0],
                                         shiftedExp(b, loc, in[2], in[1]));
          });
    SmallVector<OpFoldResult> sizes = sizesBehindParts(op.getOperands()[2]);
    Value total =
        generic(rewriter, loc, {op.getOperands()[2], maxima, maximum},
                {withParts(values, values), withParts(rows, values),
                 without(rows, values), without(values, values)},
                sizes, element, 0.0, [&](OpBuilder &b, ValueRange in) -> Value {
                  Value part = arith::MulFOp::create(
                      b, loc, in[0], shiftedExp(b, loc, in[1], in[2]));
                  return arith::AddFOp::create(b, loc, in[3], part);
                });
    AffineMap same = mapOf(values, values, context);
    rewriter.replaceOp(op, generic(rewriter, loc, {total, sum},
                                   {same, mapOf(rows, values, context), same},
                                   sizes, element, std::nullopt,
                                   [&](OpBuilder &b, ValueRange in) {
                                     return quotient(b, loc, in[0], in[1]);
                                   }));
    return success();
  }
};

/// What the softmax of rows divides by: exp(x - maximum) / sum.
struct RowStatistics {
  Value maximum, sum;
};

/// Two passes over each row. A sink joins after the keys, so that both
/// reductions stay what vectors reduce.
template <typename Op> RowStatistics statisticsOf(OpBuilder &b, Op op) {
  Location loc = op.getLoc();
  auto type = cast<RankedTensorType>(op.getX().getType());
  AffineMap full = b.getMultiDimIdentityMap(type.getRank());
  AffineMap row = full.dropResult(type.getRank() - 1);
  SmallVector<OpFoldResult> rows = sizesOf(b, loc, op.getX());
  rows.pop_back();
  Type element = type.getElementType();
  Value maximum =
      generic(b, loc, op.getX(), {full, row}, rows, element,
              -std::numeric_limits<double>::infinity(),
              [&](OpBuilder &b, ValueRange in) -> Value {
                return arith::MaximumFOp::create(b, loc, in[1], in[0]);
              });
  auto withSinks = [&](ValueRange inputs, BodyBuilder body) {
    AffineMap point = b.getMultiDimIdentityMap(rows.size());
    SmallVector<Value> operands(inputs);
    SmallVector<AffineMap> maps(inputs.size(), point);
    operands.push_back(op.getSinks());
    maps.push_back(point.getSubMap(llvm::to_vector_of<unsigned>(
        llvm::make_range(op.getAlong()->begin(), op.getAlong()->end()))));
    maps.push_back(point);
    return generic(b, loc, operands, maps, rows, element, std::nullopt, body);
  };
  if (op.getSinks())
    maximum = withSinks(maximum, [&](OpBuilder &b, ValueRange in) -> Value {
      return arith::MaximumFOp::create(b, loc, in[0], in[1]);
    });
  Value sum = generic(b, loc, {op.getX(), maximum}, {full, row, row}, rows,
                      element, 0.0, [&](OpBuilder &b, ValueRange in) -> Value {
                        return arith::AddFOp::create(
                            b, loc, in[2], shiftedExp(b, loc, in[0], in[1]));
                      });
  if (op.getSinks())
    sum = withSinks({sum, maximum}, [&](OpBuilder &b, ValueRange in) -> Value {
      return arith::AddFOp::create(b, loc, in[0],
                                   shiftedExp(b, loc, in[2], in[1]));
    });
  return {maximum, sum};
}

/// Three passes over a row: its maximum, the sum of exponentials, the quotient.
struct LowerSoftmax : OpRewritePattern<SoftmaxOp> {
  using OpRewritePattern::OpRewritePattern;

  LogicalResult matchAndRewrite(SoftmaxOp op,
                                PatternRewriter &rewriter) const override {
    Location loc = op.getLoc();
    auto type = cast<RankedTensorType>(op.getType());
    AffineMap full = rewriter.getMultiDimIdentityMap(type.getRank());
    AffineMap row = full.dropResult(type.getRank() - 1);
    RowStatistics rows = statisticsOf(rewriter, op);
    Value result = generic(
        rewriter, loc, {op.getX(), rows.maximum, rows.sum},
        {full, row, row, full}, sizesOf(rewriter, loc, op.getX()),
        type.getElementType(), std::nullopt,
        [&](OpBuilder &b, ValueRange in) -> Value {
          return quotient(b, loc, shiftedExp(b, loc, in[0], in[1]), in[2]);
        });
    rewriter.replaceOp(op, result);
    return success();
  }
};

/// maximum + log sum; of an empty row both are what makes it -inf.
struct LowerLogSumExp : OpRewritePattern<LogSumExpOp> {
  using OpRewritePattern::OpRewritePattern;

  LogicalResult matchAndRewrite(LogSumExpOp op,
                                PatternRewriter &rewriter) const override {
    Location loc = op.getLoc();
    RowStatistics rows = statisticsOf(rewriter, op);
    rewriter.replaceOp(
        op, elementwise(rewriter, loc, {rows.maximum, rows.sum},
                        [&](OpBuilder &b, ValueRange in) -> Value {
                          Value log = math::LogOp::create(b, loc, in[1]);
                          return arith::AddFOp::create(b, loc, in[0], log);
                        }));
    return success();
  }
};

} // namespace

void populateSoftmaxToLinalgPatterns(RewritePatternSet &patterns) {
  patterns.add<LowerMerge, LowerSoftmax, LowerLogSumExp>(patterns.getContext());
}

} // namespace tpa
