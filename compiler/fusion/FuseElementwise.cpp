// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Fuses pointwise producers into their only consumer.

#include "compiler/fusion/Passes.h"
#include "mlir/Dialect/Affine/IR/AffineOps.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Linalg/Transforms/Transforms.h"
#include "mlir/Transforms/GreedyPatternRewriteDriver.h"

using namespace mlir;

namespace tpa {
#define GEN_PASS_DEF_FUSEELEMENTWISE
#include "compiler/fusion/Passes.h.inc"
} // namespace tpa

namespace {

/// Nothing is computed twice: one use, and each element read once.
bool computesOnce(OpOperand *use) {
  auto consumer = dyn_cast<linalg::GenericOp>(use->getOwner());
  return consumer && use->get().hasOneUse() &&
         consumer.getMatchingIndexingMap(use).isPermutation();
}

struct FuseElementwise : tpa::impl::FuseElementwiseBase<FuseElementwise> {
  using Base::Base;

  void runOnOperation() override {
    int64_t before = countGenerics();
    RewritePatternSet patterns(&getContext());
    linalg::populateElementwiseOpsFusionPatterns(patterns, computesOnce);
    linalg::populateEraseUnusedOperandsAndResultsPatterns(patterns);
    if (failed(applyPatternsGreedily(getOperation(), std::move(patterns))))
      return signalPassFailure();
    numFused += before - countGenerics();
  }

  int64_t countGenerics() {
    int64_t count = 0;
    getOperation().walk([&](linalg::GenericOp) { ++count; });
    return count;
  }
};

} // namespace
