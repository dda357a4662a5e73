//===- TpaCanonicalize.cpp - Canonical forms of tpa operations ------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Canonical forms of the tpa operations: one einsum instead of nested ones, no
// summed unit dimensions, constants in the scale, rotations and gathers on the
// factors.
//
//===----------------------------------------------------------------------===//

#include "dialects/tpa/Equation.h"
#include "dialects/tpa/TpaDialect.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/Matchers.h"
#include "mlir/IR/PatternMatch.h"

using namespace mlir;
using namespace tpa;

namespace {

/// einsum(einsum(a, b), c) -> einsum(a, b, c): the order of contraction is the
/// compiler's choice, not the author's.
struct ComposeEinsums : OpRewritePattern<EinsumOp> {
  // Before unit dimensions collapse: a collapse between two einsums would keep
  // them apart.
  explicit ComposeEinsums(MLIRContext *context)
      : OpRewritePattern(context, /*benefit=*/2) {}

  LogicalResult matchAndRewrite(EinsumOp op,
                                PatternRewriter &rewriter) const override {
    if (op->getParentOfType<StreamOp>())
      return rewriter.notifyMatchFailure(op, "a stream's order is chosen");
    unsigned position = 0;
    EinsumOp inner;
    for (; position < op.getOperands().size(); ++position) {
      inner = op.getOperands()[position].getDefiningOp<EinsumOp>();
      if (inner && inner->hasOneUse())
        break;
      inner = {};
    }
    if (!inner)
      return rewriter.notifyMatchFailure(op,
                                         "no operand is an einsum used once");

    Equation outer = Equation::parseVerified(op.getEquation());
    Equation nested = Equation::parseVerified(inner.getEquation());
    std::string used = outer.labels();
    if (used.size() + nested.labels().size() > Equation::maxLabels)
      return rewriter.notifyMatchFailure(op, "runs out of letters");
    Equation renamed = nested.renamed(outer.terms[position], used);
    SmallVector<std::string> terms(outer.terms.begin(),
                                   outer.terms.begin() + position);
    llvm::append_range(terms, renamed.terms);
    terms.append(outer.terms.begin() + position + 1, outer.terms.end());

    SmallVector<Value> operands(op.getOperands());
    operands.erase(operands.begin() + position);
    operands.insert(operands.begin() + position, inner.getOperands().begin(),
                    inner.getOperands().end());
    double scale =
        op.getScale().convertToDouble() * inner.getScale().convertToDouble();
    rewriter.replaceOpWithNewOp<EinsumOp>(
        op, Equation{terms, outer.output}.str(), operands, APFloat(scale));
    return success();
  }
};

/// A label of size one that the output lacks says nothing: collapse it away.
struct DropSummedUnitLabels : OpRewritePattern<EinsumOp> {
  using OpRewritePattern::OpRewritePattern;

  LogicalResult matchAndRewrite(EinsumOp op,
                                PatternRewriter &rewriter) const override {
    if (op->getParentOfType<StreamOp>())
      return rewriter.notifyMatchFailure(op, "a stream's labels are its own");
    Equation equation = Equation::parseVerified(op.getEquation());
    SmallVector<Value> operands(op.getOperands());
    bool changed = false;
    for (auto [term, operand] : llvm::zip_equal(equation.terms, operands)) {
      auto type = cast<RankedTensorType>(operand.getType());
      SmallVector<bool> dropped;
      std::string kept;
      for (auto [label, size] : llvm::zip_equal(term, type.getShape())) {
        dropped.push_back(size == 1 &&
                          !llvm::is_contained(equation.output, label));
        if (!dropped.back())
          kept += label;
      }
      if (kept.size() == term.size() || kept.empty())
        continue;
      operand = collapse(rewriter, op.getLoc(), operand, dropped);
      term = kept;
      changed = true;
    }
    if (!changed)
      return rewriter.notifyMatchFailure(op, "no summed unit dimension");
    rewriter.replaceOpWithNewOp<EinsumOp>(op, equation.str(), operands,
                                          op.getScale());
    return success();
  }

private:
  /// Joins each dropped dimension to a kept neighbour.
  static Value collapse(OpBuilder &builder, Location loc, Value value,
                        ArrayRef<bool> dropped) {
    SmallVector<ReassociationIndices> groups(1);
    bool groupHasKept = false;
    for (auto [i, drop] : llvm::enumerate(dropped)) {
      if (!drop && groupHasKept) {
        groups.emplace_back();
        groupHasKept = false;
      }
      groups.back().push_back(i);
      groupHasKept |= !drop;
    }
    return tensor::CollapseShapeOp::create(builder, loc, value, groups);
  }
};

/// A splat constant whose labels other terms bind is a number: scale by it.
struct FoldSplatIntoScale : OpRewritePattern<EinsumOp> {
  using OpRewritePattern::OpRewritePattern;

  LogicalResult matchAndRewrite(EinsumOp op,
                                PatternRewriter &rewriter) const override {
    Equation equation = Equation::parseVerified(op.getEquation());
    for (unsigned i = 0; i < op.getOperands().size(); ++i) {
      DenseFPElementsAttr constant;
      if (!matchPattern(op.getOperands()[i], m_Constant(&constant)) ||
          !constant.isSplat())
        continue;
      auto boundElsewhere = [&](char label) {
        for (auto [k, term] : llvm::enumerate(equation.terms))
          if (k != i && llvm::is_contained(term, label))
            return true;
        return false;
      };
      if (!llvm::all_of(equation.terms[i], boundElsewhere) ||
          equation.terms.size() == 1)
        continue;
      SmallVector<Value> operands(op.getOperands());
      operands.erase(operands.begin() + i);
      if (!determines(op, equation, i, operands))
        continue;
      double factor = constant.getSplatValue<APFloat>().convertToDouble();
      equation.terms.erase(equation.terms.begin() + i);
      rewriter.replaceOpWithNewOp<EinsumOp>(
          op, equation.str(), operands,
          APFloat(op.getScale().convertToDouble() * factor));
      return success();
    }
    return rewriter.notifyMatchFailure(op, "no operand is a bound splat");
  }

private:
  /// Whether `op` without the term `removed` still has its type: the
  /// constant may be what says a static size, or that sums are in f64.
  static bool determines(EinsumOp op, Equation equation, unsigned removed,
                         ValueRange operands) {
    equation.terms.erase(equation.terms.begin() + removed);
    LabelSizes sizes;
    for (auto [term, operand] : llvm::zip_equal(equation.terms, operands))
      if (failed(addLabelSizes(term, operand.getType(), sizes,
                               [&] { return op.emitOpError(); })))
        return false;
    return inferredType(equation.output, sizes, operands.getTypes()) ==
           op.getType();
  }
};

/// An einsum that renames nothing and scales by one is its operand.
struct DropIdentityEinsum : OpRewritePattern<EinsumOp> {
  using OpRewritePattern::OpRewritePattern;

  LogicalResult matchAndRewrite(EinsumOp op,
                                PatternRewriter &rewriter) const override {
    Equation equation = Equation::parseVerified(op.getEquation());
    if (equation.terms.size() != 1 || equation.terms[0] != equation.output ||
        !op.getScale().isExactlyValue(1.0) ||
        op.getOperands()[0].getType() != op.getType())
      return rewriter.notifyMatchFailure(op, "not an identity");
    rewriter.replaceOp(op, op.getOperands()[0]);
    return success();
  }
};

/// rope(materialize(A, B)) -> materialize(A, rope(B)) (paper, Theorem 3.1).
struct RotateFactor : OpRewritePattern<RopeOp> {
  using OpRewritePattern::OpRewritePattern;

  LogicalResult matchAndRewrite(RopeOp op,
                                PatternRewriter &rewriter) const override {
    auto materialize = op.getX().getDefiningOp<MaterializeOp>();
    if (!materialize || !materialize->hasOneUse())
      return rewriter.notifyMatchFailure(op,
                                         "x is not a materialize used once");
    auto factor = cast<RankedTensorType>(materialize.getB().getType());
    if (factor.getRank() != 4)
      return rewriter.notifyMatchFailure(
          op, "B does not carry the token and one feature dimension");
    Value b = RopeOp::create(rewriter, op.getLoc(), materialize.getB(),
                             op.getPositions(), op.getRope());
    rewriter.replaceOpWithNewOp<MaterializeOp>(op, materialize.getA(), b);
    return success();
  }
};

/// The same for any einsum of which one operand alone carries the feature
/// dimension, and carries batch and token too.
struct RotateEinsumOperand : OpRewritePattern<RopeOp> {
  using OpRewritePattern::OpRewritePattern;

  LogicalResult matchAndRewrite(RopeOp op,
                                PatternRewriter &rewriter) const override {
    auto einsum = op.getX().getDefiningOp<EinsumOp>();
    if (!einsum || !einsum->hasOneUse())
      return rewriter.notifyMatchFailure(op, "x is not an einsum used once");
    Equation equation = Equation::parseVerified(einsum.getEquation());
    StringRef token = StringRef(equation.output).take_front(2);
    char feature = equation.output.back();
    std::optional<unsigned> rotated;
    for (auto [i, term] : llvm::enumerate(equation.terms)) {
      if (!llvm::is_contained(term, feature))
        continue;
      if (rotated || term.size() < 3 || term.back() != feature ||
          StringRef(term).take_front(2) != token)
        return rewriter.notifyMatchFailure(op, "no operand alone can rotate");
      rotated = i;
    }
    SmallVector<Value> operands(einsum.getOperands());
    operands[*rotated] =
        RopeOp::create(rewriter, op.getLoc(), operands[*rotated],
                       op.getPositions(), op.getRope());
    rewriter.replaceOpWithNewOp<EinsumOp>(op, einsum.getEquation(), operands,
                                          einsum.getScale());
    return success();
  }
};

/// recent(materialize(A, B)) -> an einsum of recent(A) and recent(B): what has
/// to be kept of earlier tokens, and what may be cached of each, are factors. A
/// factor that is the same for all tokens stays as it is.
struct GatherFactors : OpRewritePattern<RecentOp> {
  using OpRewritePattern::OpRewritePattern;

  LogicalResult matchAndRewrite(RecentOp op,
                                PatternRewriter &rewriter) const override {
    auto materialize = op.getX().getDefiningOp<MaterializeOp>();
    if (!materialize || !materialize->hasOneUse())
      return rewriter.notifyMatchFailure(op,
                                         "x is not a materialize used once");
    if (op.getRing())
      return rewriter.notifyMatchFailure(op, "the ring holds what x is");
    auto type = cast<RankedTensorType>(materialize.getA().getType());
    int64_t rankDim = type.getRank() - 2;
    if (type.isDynamicDim(rankDim))
      return rewriter.notifyMatchFailure(op, "the mean is over unknown ranks");
    Equation equation = Equation::parseVerified(materialize.getEquation());
    std::string used = equation.labels();
    char recent = Equation::freshLabel(used, 'j');
    SmallVector<Value> operands(materialize->getOperands());
    for (auto [term, operand] : llvm::zip_equal(equation.terms, operands)) {
      if (!StringRef(term).starts_with("bn"))
        continue;
      term.insert(2, 1, recent);
      operand = RecentOp::create(rewriter, op.getLoc(), operand,
                                 op.getPositions(), Value(), op.getTokens());
    }
    equation.output.insert(2, 1, recent);
    rewriter.replaceOpWithNewOp<EinsumOp>(
        op, equation.str(), operands, APFloat(1.0 / type.getDimSize(rankDim)));
    return success();
  }
};

} // namespace

void RecentOp::getCanonicalizationPatterns(RewritePatternSet &patterns,
                                           MLIRContext *context) {
  patterns.add<GatherFactors>(context);
}

void EinsumOp::getCanonicalizationPatterns(RewritePatternSet &patterns,
                                           MLIRContext *context) {
  patterns.add<ComposeEinsums, DropSummedUnitLabels, FoldSplatIntoScale,
               DropIdentityEinsum>(context);
}

void RopeOp::getCanonicalizationPatterns(RewritePatternSet &patterns,
                                         MLIRContext *context) {
  patterns.add<RotateFactor, RotateEinsumOperand>(context);
}
