//===- FuseElementwise.cpp - Fuses pointwise producers --------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Fuses pointwise producers into their only consumer.
//
//===----------------------------------------------------------------------===//

#include "compiler/fusion/Passes.h"
#include "mlir/Dialect/Affine/IR/AffineOps.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Linalg/Transforms/Transforms.h"
#include "mlir/IR/Remarks.h"
#include "mlir/Transforms/GreedyPatternRewriteDriver.h"
#include "llvm/Support/FormatVariadic.h"

using namespace mlir;

namespace tpa {
#define GEN_PASS_DEF_FUSEELEMENTWISE
#include "compiler/fusion/Passes.h.inc"
} // namespace tpa

namespace {

/// Nothing is computed twice: one use, and each element read once. What stands
/// against it; empty if nothing does.
std::string obstacle(OpOperand *use) {
  auto consumer = cast<linalg::GenericOp>(use->getOwner());
  int64_t uses = llvm::range_size(use->get().getUses());
  if (uses > 1)
    return llvm::formatv("its result has {0} uses", uses);
  if (!consumer.getMatchingIndexingMap(use).isPermutation())
    return "its consumer does not read each element once";
  return {};
}

remark::RemarkOpts remarkOptions() {
  return remark::RemarkOpts::name("fuse-elementwise").category("tpa");
}

/// linalg asks this of a use that it is otherwise about to fuse.
bool computesOnce(OpOperand *use) {
  if (!isa<linalg::GenericOp>(use->getOwner()) || !obstacle(use).empty())
    return false;
  Operation *producer = use->get().getDefiningOp();
  int64_t operations =
      producer->getRegion(0).front().getOperations().size() - 1;
  remark::passed(producer->getLoc(), remarkOptions())
      << remark::metric("operations", operations);
  return true;
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
    getOperation().walk(sayWhyApart);
  }

  /// A pointwise producer that is left, with the first thing that keeps it
  /// apart.
  static void sayWhyApart(linalg::GenericOp producer) {
    if (producer.getNumParallelLoops() != producer.getNumLoops())
      return;
    for (OpOperand &use : producer->getUses()) {
      std::string why =
          isa<linalg::GenericOp>(use.getOwner()) ? obstacle(&use) : "";
      if (why.empty())
        continue;
      remark::missed(producer.getLoc(), remarkOptions())
          << remark::reason("{0}", why);
      return;
    }
  }

  int64_t countGenerics() {
    int64_t count = 0;
    getOperation().walk([&](linalg::GenericOp) { ++count; });
    return count;
  }
};

} // namespace
