//===- ApproximateMath.cpp - Computes elementary functions by polynomials -===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "compiler/codegen/cpu/Passes.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/Math/Transforms/Passes.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "mlir/Transforms/GreedyPatternRewriteDriver.h"

using namespace mlir;

namespace tpa::cpu {
#define GEN_PASS_DEF_APPROXIMATEMATH
#include "compiler/codegen/cpu/Passes.h.inc"
} // namespace tpa::cpu

namespace {

/// exp on AVX-512, in half of the instructions of the general form: x = n ln 2
/// + r with |r| <= ln 2 / 2, a polynomial in r of degree 6 (minimax in relative
/// error, 0.87 ulp over [-87, 0]), and a scale by 2^n that knows how to
/// overflow, to underflow and to keep NaN.
struct ExpByScale : OpRewritePattern<math::ExpOp> {
  explicit ExpByScale(MLIRContext *context)
      : OpRewritePattern(context, /*benefit=*/10) {}

  LogicalResult matchAndRewrite(math::ExpOp op,
                                PatternRewriter &rewriter) const override {
    auto type = dyn_cast<VectorType>(op.getType());
    if (!type || type.getShape() != ArrayRef<int64_t>{16} ||
        !type.getElementType().isF32())
      return rewriter.notifyMatchFailure(op, "is not a register of f32");
    Location loc = op.getLoc();
    auto constant = [&](float value) -> Value {
      return arith::ConstantOp::create(
          rewriter, loc,
          DenseElementsAttr::get(type, rewriter.getF32FloatAttr(value)));
    };
    auto fma = [&](Value a, Value b, Value c) -> Value {
      return math::FmaOp::create(rewriter, loc, a, b, c);
    };
    // The comparisons keep x where it is NaN. Beyond the bounds results are 0
    // and infinity, but r would be NaN.
    Value x = op.getOperand();
    for (auto [bound, predicate] :
         {std::pair(-104.0f, arith::CmpFPredicate::OGT),
          std::pair(89.0f, arith::CmpFPredicate::OLT)}) {
      Value limit = constant(bound);
      Value isBeyond =
          arith::CmpFOp::create(rewriter, loc, predicate, limit, x);
      x = arith::SelectOp::create(rewriter, loc, isBeyond, limit, x);
    }
    constexpr float log2e = 1.44269504f, ln2High = 0.693145751953125f,
                    ln2Low = 1.42860677e-6f;
    Value n = arith::MulFOp::create(rewriter, loc, x, constant(log2e));
    n = math::RoundEvenOp::create(rewriter, loc, n);
    Value r = fma(n, constant(-ln2High), x);
    r = fma(n, constant(-ln2Low), r);
    Value y = constant(0.00138145406f);
    for (float coefficient : {0.00836874545f, 0.0416683890f, 0.166665211f,
                              0.499999940f, 1.0f, 1.0f})
      y = fma(y, r, constant(coefficient));
    Value all = arith::ConstantOp::create(
        rewriter, loc, rewriter.getIntegerAttr(rewriter.getI16Type(), -1));
    // Rounding as MXCSR says. Not x86vector's operation: in LLVM 22 it hands
    // its operands over in another order than it documents.
    Value rounding =
        arith::ConstantOp::create(rewriter, loc, rewriter.getI32IntegerAttr(4));
    rewriter.replaceOpWithNewOp<LLVM::CallIntrinsicOp>(
        op, type, rewriter.getStringAttr("llvm.x86.avx512.mask.scalef.ps.512"),
        ValueRange{y, n, y, all, rounding});
    return success();
  }
};

struct ApproximateMath : tpa::cpu::impl::ApproximateMathBase<ApproximateMath> {
  using Base::Base;

  void runOnOperation() override {
    RewritePatternSet patterns(&getContext());
    if (scalef)
      patterns.add<ExpByScale>(&getContext());
    MathPolynomialApproximationOptions options;
    populateMathPolynomialApproximationPatterns(patterns, options);
    if (failed(applyPatternsGreedily(getOperation(), std::move(patterns))))
      signalPassFailure();
  }
};
} // namespace
