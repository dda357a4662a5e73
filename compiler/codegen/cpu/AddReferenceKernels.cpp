//===- AddReferenceKernels.cpp - Plain copies of kernels ------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Keeps a plain copy of every kernel to check the generated code against.
//
//===----------------------------------------------------------------------===//

#include "compiler/codegen/cpu/LowerStream.h"
#include "compiler/codegen/cpu/Passes.h"
#include "dialects/exec/ExecDialect.h"
#include "mlir/Conversion/MathToLibm/MathToLibm.h"
#include "mlir/Dialect/Affine/IR/AffineOps.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Linalg/Transforms/Transforms.h"
#include "mlir/Dialect/Linalg/Utils/Utils.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/Math/Transforms/Passes.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "mlir/Transforms/GreedyPatternRewriteDriver.h"

using namespace mlir;

namespace tpa::cpu {
#define GEN_PASS_DEF_ADDREFERENCEKERNELS
#include "compiler/codegen/cpu/Passes.h.inc"
} // namespace tpa::cpu

using namespace tpa;

/// Linalg as the nested scalar loops that define it.
static LogicalResult lowerToLoops(func::FuncOp kernel) {
  kernel.walk([](memref::CopyOp op) {
    OpBuilder builder(op);
    linalg::makeMemRefCopyOp(builder, op.getLoc(), op.getSource(),
                             op.getTarget());
    op.erase();
  });
  SmallVector<linalg::LinalgOp> ops;
  kernel.walk([&](linalg::LinalgOp op) { ops.push_back(op); });
  IRRewriter rewriter(kernel.getContext());
  for (linalg::LinalgOp op : ops) {
    rewriter.setInsertionPoint(op);
    if (failed(linalg::linalgOpToLoops(rewriter, op)))
      return op.emitOpError("cannot be lowered to loops");
    rewriter.eraseOp(op);
  }
  SmallVector<memref::AllocOp> intermediates(kernel.getOps<memref::AllocOp>());
  rewriter.setInsertionPoint(kernel.front().getTerminator());
  for (memref::AllocOp intermediate : intermediates)
    memref::DeallocOp::create(rewriter, kernel.getLoc(), intermediate);
  return success();
}

/// The grid is the generated kernel's: its first workgroup does all the work.
static void runInFirstWorkgroup(func::FuncOp kernel) {
  Block &body = kernel.front();
  OpBuilder builder = OpBuilder::atBlockBegin(&body);
  Location loc = kernel.getLoc();
  (void)kernel.insertArgument(kernel.getNumArguments(), builder.getIndexType(),
                              {}, loc);
  Value zero = arith::ConstantIndexOp::create(builder, loc, 0);
  Value isFirst = arith::CmpIOp::create(builder, loc, arith::CmpIPredicate::eq,
                                        body.getArguments().back(), zero);
  SmallVector<Operation *> moved;
  for (Operation &op : body.without_terminator())
    if (!isa<exec::BindingOp>(op) && &op != zero.getDefiningOp() &&
        &op != isFirst.getDefiningOp())
      moved.push_back(&op);
  builder.setInsertionPoint(body.getTerminator());
  auto branch =
      scf::IfOp::create(builder, loc, isFirst, /*withElseRegion=*/false);
  for (Operation *op : moved)
    op->moveBefore(branch.thenBlock()->getTerminator());
}

namespace {
struct AddReferenceKernels
    : cpu::impl::AddReferenceKernelsBase<AddReferenceKernels> {
  using Base::Base;

  void runOnOperation() override {
    ModuleOp module = getOperation();
    OpBuilder builder = OpBuilder::atBlockEnd(module.getBody());
    auto reference =
        ModuleOp::create(builder, module.getLoc(), exec::referenceModuleName);
    OpBuilder inside = OpBuilder::atBlockEnd(reference.getBody());
    // The constants that kernels read.
    for (auto global : module.getOps<memref::GlobalOp>())
      inside.clone(*global);
    for (auto kernel : module.getOps<func::FuncOp>()) {
      if (!kernel->hasAttr(exec::kernelAttrName))
        continue;
      auto copy = cast<func::FuncOp>(inside.clone(*kernel));
      cpu::StreamLoweringOptions plain;
      plain.distribute = plain.epilogues = false;
      if (failed(cpu::lowerStream(copy, plain)) || failed(lowerToLoops(copy)))
        return signalPassFailure();
      runInFirstWorkgroup(copy);
      ++numKernels;
    }
    RewritePatternSet roots(&getContext()), patterns(&getContext());
    // libm has no reciprocal of a root.
    math::populateExpansionPatterns(roots, {"rsqrt"});
    if (failed(applyPatternsGreedily(reference, std::move(roots))))
      return signalPassFailure();
    populateMathToLibmConversionPatterns(patterns);
    if (failed(applyPatternsGreedily(reference, std::move(patterns))))
      signalPassFailure();
  }
};
} // namespace
