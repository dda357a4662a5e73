//===- LowerToLinalg.cpp - Lowers tensor operations to linalg -------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "compiler/einsum/LoweringPatterns.h"
#include "compiler/einsum/Passes.h"
#include "dialects/exec/ExecDialect.h"
#include "dialects/t6/T6Dialect.h"
#include "dialects/tpa/TpaDialect.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Bufferization/IR/Bufferization.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Linalg/Transforms/Transforms.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/Matchers.h"
#include "mlir/Transforms/WalkPatternRewriteDriver.h"

using namespace mlir;

namespace tpa {
#define GEN_PASS_DEF_LOWERTOLINALG
#include "compiler/einsum/Passes.h.inc"
} // namespace tpa

using namespace tpa;

static bool isOurs(Operation *op) {
  Dialect *dialect = op->getDialect();
  return isa_and_nonnull<TpaDialect, t6::T6Dialect>(dialect);
}

namespace {
struct LowerToLinalg : tpa::impl::LowerToLinalgBase<LowerToLinalg> {
  using Base::Base;

  void runOnOperation() override {
    ModuleOp module = getOperation();
    module.walk([&](Operation *op) { numLowered += isOurs(op); });
    int64_t longest = positions;
    for (auto entry : module.getOps<exec::EntryOp>())
      for (int64_t maximum : entry.getMaxima())
        longest = std::max(longest, maximum);
    // Rows that begin at zero go as far as they have tokens.
    module.walk([&](RopeOp op) {
      int64_t tokens =
          cast<RankedTensorType>(op.getX().getType()).getDimSize(1);
      if (!ShapedType::isDynamic(tokens) &&
          matchPattern(op.getPositions(), m_Zero()))
        longest = std::max(longest, tokens);
    });

    RewritePatternSet early(&getContext());
    populatePagedReadPattern(early);
    walkAndApplyPatterns(module, std::move(early));
    RewritePatternSet patterns(&getContext());
    populateTpaToLinalgPatterns(patterns, module, longest);
    populateSoftmaxToLinalgPatterns(patterns);
    populateT6ToLinalgPatterns(patterns);
    populateTrainingToLinalgPatterns(patterns);
    populateCacheToLinalgPatterns(patterns);
    populateRecentToLinalgPatterns(patterns);
    linalg::populateElementwiseToLinalgConversionPatterns(patterns);
    walkAndApplyPatterns(module, std::move(patterns));
    // Consumers come first: most take the integers and leave nothing to lower.
    SmallVector<t6::DequantizeOp> unused;
    module.walk([&](t6::DequantizeOp op) {
      if (op->use_empty())
        unused.push_back(op);
    });
    for (t6::DequantizeOp op : unused)
      op.erase();
    RewritePatternSet late(&getContext());
    populateDequantizePattern(late);
    populateAddGradientPattern(late);
    walkAndApplyPatterns(module, std::move(late));

    WalkResult left = module.walk<WalkOrder::PreOrder>([](Operation *op) {
      // Streams stay as they are until code is generated.
      if (isa<StreamOp>(op))
        return WalkResult::skip();
      if (!isOurs(op) || op->hasTrait<OpTrait::IsTerminator>())
        return WalkResult::advance();
      op->emitOpError("cannot be lowered to linalg");
      return WalkResult::interrupt();
    });
    if (left.wasInterrupted())
      signalPassFailure();
  }
};
} // namespace
