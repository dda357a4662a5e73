//===- BufferizeKernels.cpp - Lets kernels read and write memory ----------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "compiler/exec/Passes.h"
#include "compiler/exec/SeparateResults.h"
#include "dialects/exec/ExecDialect.h"
#include "dialects/tpa/TpaDialect.h"
#include "mlir/Dialect/Bufferization/IR/Bufferization.h"
#include "mlir/Dialect/Bufferization/Transforms/OneShotAnalysis.h"
#include "mlir/Dialect/Bufferization/Transforms/Transforms.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Transforms/GreedyPatternRewriteDriver.h"

using namespace mlir;

namespace tpa {
#define GEN_PASS_DEF_BUFFERIZEKERNELS
#include "compiler/exec/Passes.h.inc"
} // namespace tpa

using namespace tpa;

/// Replaces the kernel's tensor arguments by bindings and its results by writes
/// to the last of them.
static void bindOperands(func::FuncOp kernel) {
  Block &body = kernel.front();
  OpBuilder builder = OpBuilder::atBlockBegin(&body);
  Location loc = kernel.getLoc();
  auto results = body.getTerminator();
  unsigned tensors = 0;
  while (tensors < body.getNumArguments() &&
         isa<RankedTensorType>(body.getArgument(tensors).getType()))
    ++tensors;
  unsigned reads = tensors - results->getNumOperands();

  SmallVector<Value> memrefs;
  for (unsigned i = 0; i < tensors; ++i) {
    BlockArgument argument = body.getArgument(i);
    auto type = cast<RankedTensorType>(argument.getType());
    SmallVector<Value> sizes;
    if (auto scalars =
            kernel.getArgAttrOfType<DenseI64ArrayAttr>(i, exec::sizesAttrName))
      for (int64_t scalar : scalars.asArrayRef())
        sizes.push_back(body.getArgument(tensors + scalar));
    auto memref = MemRefType::get(type.getShape(), type.getElementType());
    memrefs.push_back(exec::BindingOp::create(builder, loc, memref, i, sizes));
    Value tensor = bufferization::ToTensorOp::create(
        builder, loc, type, memrefs.back(), /*restrict=*/true,
        /*writable=*/i >= reads);
    argument.replaceAllUsesWith(tensor);
  }
  builder.setInsertionPoint(results);
  for (auto [result, memref] : llvm::zip_equal(
           results->getOperands(), ArrayRef(memrefs).drop_front(reads))) {
    auto write = bufferization::MaterializeInDestinationOp::create(
        builder, loc, /*result=*/Type(), result, memref);
    write.setRestrict(true);
    write.setWritable(true);
  }
  results->setOperands({});
  body.eraseArguments(0, tensors);
  SmallVector<Type> scalars(body.getArgumentTypes());
  kernel.removeArgAttrsAttr();
  kernel.setType(FunctionType::get(kernel.getContext(), scalars, {}));
}

namespace {

/// Work in place leaves copies of a buffer onto itself behind.
struct EraseSelfCopy : OpRewritePattern<memref::CopyOp> {
  using OpRewritePattern::OpRewritePattern;

  LogicalResult matchAndRewrite(memref::CopyOp op,
                                PatternRewriter &rewriter) const override {
    Value from = op.getSource(), to = op.getTarget();
    auto strip = [](Value value) {
      while (auto cast = value.getDefiningOp<memref::CastOp>())
        value = cast.getSource();
      return value;
    };
    auto a = strip(from).getDefiningOp<memref::SubViewOp>();
    auto b = strip(to).getDefiningOp<memref::SubViewOp>();
    bool sameView = a && b && a.getSource() == b.getSource() &&
                    a.getMixedOffsets() == b.getMixedOffsets() &&
                    a.getMixedSizes() == b.getMixedSizes() &&
                    a.getMixedStrides() == b.getMixedStrides();
    if (strip(from) != strip(to) && !sameView)
      return rewriter.notifyMatchFailure(op, "copies between two places");
    rewriter.eraseOp(op);
    return success();
  }
};

struct BufferizeKernels : tpa::impl::BufferizeKernelsBase<BufferizeKernels> {
  using Base::Base;

  void runOnOperation() override {
    bufferization::OneShotBufferizationOptions options;
    // A stream's body is on blocks, whose memory is the target's business.
    options.opFilter.denyOperation(
        [](Operation *op) { return bool(op->getParentOfType<StreamOp>()); });
    options.setFunctionBoundaryTypeConversion(
        bufferization::LayoutMapOption::IdentityLayoutMap);
    RewritePatternSet set(&getContext());
    set.add<EraseSelfCopy>(&getContext());
    memref::CastOp::getCanonicalizationPatterns(set, &getContext());
    memref::SubViewOp::getCanonicalizationPatterns(set, &getContext());
    FrozenRewritePatternSet patterns(std::move(set));
    for (auto kernel : getOperation().getOps<func::FuncOp>()) {
      if (!kernel->hasAttr(exec::kernelAttrName) ||
          llvm::none_of(kernel.getArgumentTypes(),
                        llvm::IsaPred<RankedTensorType>))
        continue;
      kernel.walk([](DestinationStyleOpInterface op) {
        if (!isa<linalg::FillOp>(op))
          separateResults(op);
      });
      bindOperands(kernel);
      bufferization::BufferizationState state;
      if (failed(bufferization::runOneShotBufferize(kernel, options, state)) ||
          failed(applyPatternsGreedily(kernel, patterns)))
        return signalPassFailure();
      ++numKernels;
    }
  }
};
} // namespace
