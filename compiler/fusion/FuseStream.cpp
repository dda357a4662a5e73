//===- FuseStream.cpp - Chains over the keys to one pass ------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Fuses chains of einsums over the keys into one pass over blocks of them.
//
//===----------------------------------------------------------------------===//

#include "compiler/fusion/Passes.h"
#include "compiler/fusion/StreamChain.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/Remarks.h"

using namespace mlir;

namespace tpa {
#define GEN_PASS_DEF_FUSESTREAM
#include "compiler/fusion/Passes.h.inc"
} // namespace tpa

using namespace tpa;

namespace {
struct FuseStream : tpa::impl::FuseStreamBase<FuseStream> {
  using Base::Base;

  void runOnOperation() override {
    FailureOr<CostModel> target = CostModel::find(getOperation(), targetName);
    if (failed(target))
      return signalPassFailure();
    SmallVector<EinsumOp> roots;
    getOperation().walk([&](EinsumOp op) {
      if (!op->getParentOfType<StreamOp>())
        roots.push_back(op);
    });
    auto opts = remark::RemarkOpts::name("stream").category("tpa");
    for (EinsumOp root : roots) {
      root = splitSum(root);
      if (!nameByRoles(root))
        continue;
      StreamChainOptions options = {{*target, block, queryBlock}, splits};
      StreamChain whole(root, options);
      if (!whole.isCandidate())
        continue;
      if (failed(whole.collect())) {
        refuse(root, whole.refusal);
        continue;
      }
      options.shape.block = whole.blockWithinPages(block);
      root = deferFactors(root, options.shape);
      StreamChain chain(root, options);
      if (failed(chain.collect()) || failed(chain.checkRows())) {
        refuse(root, chain.refusal);
        continue;
      }
      Value result = chain.build();
      ++numStreams;
      remark::passed(root.getLoc(), opts)
          << remark::metric("operations", chain.size())
          << remark::metric("inputs", chain.inputCount());
      root.replaceAllUsesWith(result);
      chain.eraseFused();
    }
  }

  void refuse(EinsumOp root, const StreamRefusal &refusal) {
    ++numRefused;
    remark::missed(root.getLoc(),
                   remark::RemarkOpts::name("stream").category("tpa"))
        << remark::metric("code", refusal.code)
        << remark::reason("{0}", refusal.reason)
        << remark::suggest("{0}", refusal.suggestion);
  }
};
} // namespace
