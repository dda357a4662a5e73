//===- VectorizeKernels.cpp - Kernels to vector loops ---------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Turns kernels into loops around vector operations.
//
//===----------------------------------------------------------------------===//

#include "compiler/codegen/cpu/Nest.h"
#include "compiler/codegen/cpu/NestEmitter.h"
#include "compiler/codegen/cpu/PackedProductEmitter.h"
#include "compiler/codegen/cpu/Passes.h"
#include "compiler/codegen/cpu/Sweep.h"
#include "dialects/exec/ExecDialect.h"
#include "mlir/Dialect/Affine/IR/AffineOps.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Linalg/Transforms/Transforms.h"
#include "mlir/Dialect/Linalg/Utils/Utils.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "mlir/Dialect/X86Vector/X86VectorDialect.h"
#include "mlir/IR/Remarks.h"

using namespace mlir;

namespace tpa::cpu {
#define GEN_PASS_DEF_VECTORIZEKERNELS
#include "compiler/codegen/cpu/Passes.h.inc"
} // namespace tpa::cpu

using namespace tpa;
using namespace tpa::cpu;

static Value valueOf(OpBuilder &b, Location loc, const Extent &extent) {
  return extent.isStatic()
             ? Value(arith::ConstantIndexOp::create(b, loc, extent.constant))
             : extent.scalar;
}

/// Bounds of the workgroup's tile: the workgroup counts the tiles of the
/// distributed loops, the last of them fastest; of a stream, in its order.
static void tileBounds(OpBuilder &b, const Nest &nest, Value workgroup,
                       SmallVector<Value> &lower, SmallVector<Value> &upper) {
  linalg::GenericOp root = nest.root;
  Location loc = root.getLoc();
  SmallVector<unsigned> loops =
      llvm::to_vector(llvm::seq<unsigned>(0, nest.extents.size()));
  sortByMemory(nest, loops);
  for (unsigned loop : llvm::reverse(loops)) {
    lower[loop] = arith::ConstantIndexOp::create(b, loc, 0);
    upper[loop] = valueOf(b, loc, nest.extents[loop]);
    if (!nest.tile[loop])
      continue;
    Value tile = arith::ConstantIndexOp::create(b, loc, nest.tile[loop]);
    Value count = arith::CeilDivUIOp::create(b, loc, upper[loop], tile);
    Value coordinate = arith::RemUIOp::create(b, loc, workgroup, count);
    workgroup = arith::DivUIOp::create(b, loc, workgroup, count);
    lower[loop] = arith::MulIOp::create(b, loc, coordinate, tile);
    Value end = arith::AddIOp::create(b, loc, lower[loop], tile);
    bool whole = nest.extents[loop].isStatic() &&
                 nest.extents[loop].constant % nest.tile[loop] == 0;
    upper[loop] =
        whole ? end
              : arith::MinUIOp::create(b, loc, end, upper[loop]).getResult();
  }
}

/// Copies that bufferization left become pointwise nests.
static void lowerCopies(func::FuncOp kernel) {
  kernel.walk([](memref::CopyOp op) {
    OpBuilder builder(op);
    linalg::makeMemRefCopyOp(builder, op.getLoc(), op.getSource(),
                             op.getTarget());
    op.erase();
  });
}

/// Loops of a reduction that every operand runs through as one become one: its
/// steps are then as long as memory allows. Results do not have these loops.
static void collapseReductions(func::FuncOp kernel) {
  SmallVector<linalg::GenericOp> ops;
  kernel.walk([&](linalg::GenericOp op) { ops.push_back(op); });
  IRRewriter rewriter(kernel.getContext());
  for (linalg::GenericOp op : ops) {
    if (op.hasIndexSemantics() || op.hasDynamicShape() ||
        op.getNumDpsInits() != 1 || op->getParentOp() != kernel)
      continue;
    SmallVector<utils::IteratorType> iterators = op.getIteratorTypesArray();
    SmallVector<ReassociationIndices> groups;
    for (unsigned loop = 0; loop < op.getNumLoops(); ++loop) {
      ReassociationIndices joined;
      if (loop > 0)
        joined = groups.back();
      joined.push_back(loop);
      bool joins =
          loop > 0 &&
          llvm::all_of(joined,
                       [&](int64_t member) {
                         return iterators[member] ==
                                utils::IteratorType::reduction;
                       }) &&
          linalg::areDimSequencesPreserved(op.getIndexingMapsArray(), {joined});
      if (joins)
        groups.back().push_back(loop);
      else
        groups.push_back({loop});
    }
    if (groups.size() == op.getNumLoops())
      continue;
    rewriter.setInsertionPoint(op);
    FailureOr<linalg::CollapseResult> collapsed =
        linalg::collapseOpIterationDims(op, groups, rewriter);
    if (succeeded(collapsed))
      rewriter.eraseOp(op);
  }
}

static void remarkOnSchedule(const Nest &nest) {
  linalg::GenericOp root = nest.root;
  auto options = remark::RemarkOpts::name("vector-loop").category("tpa");
  if (!nest.vectorLoop) {
    remark::missed(root.getLoc(), options)
        << remark::reason("no loop is long enough for a vector");
    return;
  }
  int64_t points = 1;
  for (int64_t factor : nest.unroll)
    points *= factor;
  remark::detail::InFlightRemark remark =
      remark::passed(root.getLoc(), options);
  remark << remark::metric("loop", *nest.vectorLoop)
         << remark::metric("iterator", nest.isParallel(*nest.vectorLoop)
                                           ? "parallel"
                                           : "reduction")
         << remark::metric("registerTile", points);
  if (nest.sumsPairs)
    remark << remark::metric("products", "bf16 pairs");
}

/// Says of a product how it is packed, or why not; null where it is none.
static void remarkOnProduct(const Nest &nest,
                            const std::optional<PackedProduct> &product,
                            StringRef why) {
  linalg::GenericOp root = nest.root;
  auto options = remark::RemarkOpts::name("packed-product").category("tpa");
  if (product)
    remark::passed(root.getLoc(), options)
        << remark::metric("tileRows", product->tileRows)
        << remark::metric("tileColumns", product->tileColumns)
        << remark::metric("rowBlock", product->rowBlock)
        << remark::metric("columnBlock", product->columnBlock)
        << remark::metric("sumBlock", product->sumBlock)
        << remark::metric("products",
                          product->sumsPairs ? "bf16 pairs" : "f32");
  else if (!why.empty())
    remark::missed(root.getLoc(), options) << remark::reason("{0}", why);
}

static void remarkOnGrid(func::FuncOp kernel, ArrayRef<Nest> nests,
                         AffineMap grid) {
  auto options = remark::RemarkOpts::name("workgroups").category("tpa");
  if (grid.getNumResults() > 0) {
    remark::passed(kernel.getLoc(), options)
        << remark::metric("grid", Attribute(AffineMapAttr::get(grid)));
    return;
  }
  StringRef why = nests.size() != 1 ? "the kernel is not one loop nest"
                  : nests.front().root->getParentOp() != kernel
                      ? "the loop nest is inside another loop"
                      : "the work is too little to share";
  remark::missed(kernel.getLoc(), options) << remark::reason("{0}", why);
}

/// The binding behind a memref.
static Value bindingOf(Value memref) {
  while (auto view = memref.getDefiningOp<ViewLikeOpInterface>())
    memref = view.getViewSource();
  return memref;
}

/// What a nest reads or writes, of its epilogue too.
static SmallVector<Value> memoryOf(const Nest &nest, bool written) {
  SmallVector<Value> memory;
  for (linalg::GenericOp op : nest.operations())
    for (OpOperand &operand : op->getOpOperands())
      if (op.isDpsInit(&operand) == written)
        memory.push_back(bindingOf(operand.get()));
  return memory;
}

/// Whether nests are work of their own, side by side: none reads or writes what
/// another writes, and nothing is inside a loop.
static bool areIndependent(func::FuncOp kernel, ArrayRef<Nest> nests) {
  for (const Nest &nest : nests) {
    linalg::GenericOp root = nest.root;
    if (root->getParentOp() != kernel ||
        !llvm::all_of(nest.extents,
                      [](const Extent &extent) { return extent.isStatic(); }))
      return false;
    for (const Nest &other : nests)
      if (&other != &nest)
        for (bool written : {false, true})
          for (Value memory : memoryOf(other, written))
            if (llvm::is_contained(memoryOf(nest, /*written=*/true), memory))
              return false;
  }
  return true;
}

/// Workgroups of a nest whose extents are constants.
static int64_t workgroupsOf(const Nest &nest) {
  int64_t count = 1;
  for (auto [extent, tile] : llvm::zip_equal(nest.extents, nest.tile))
    if (tile)
      count *= llvm::divideCeil(extent.constant, tile);
  return count;
}

namespace {
struct VectorizeKernels : cpu::impl::VectorizeKernelsBase<VectorizeKernels> {
  using Base::Base;

  void runOnOperation() override {
    for (auto kernel : getOperation().getOps<func::FuncOp>())
      if (kernel->hasAttr(exec::kernelAttrName) && failed(vectorize(kernel)))
        return signalPassFailure();
  }

  LogicalResult vectorize(func::FuncOp kernel) {
    if (failed(checkIsOverMemory(kernel)))
      return failure();
    lowerCopies(kernel);
    if (!kernel->hasAttr(exec::gridAttrName))
      collapseReductions(kernel);
    FailureOr<SmallVector<Nest>> nests = findNests(kernel);
    if (failed(nests))
      return failure();
    // Streams are cut into workgroups already; of the others, kernels that are
    // one nest.
    bool hasGrid = kernel->hasAttr(exec::gridAttrName);
    bool distributed = !hasGrid && nests->size() == 1 &&
                       nests->front().root->getParentOp() == kernel;
    bool sideBySide =
        !hasGrid && nests->size() > 1 && areIndependent(kernel, *nests);
    AffineMap grid =
        AffineMap::get(0, kernel.getNumArguments(), kernel.getContext());
    Target target{lanes, registers, /*inCache=*/hasGrid, prefetchBytes,
                  bf16Dot};
    std::optional<PackedProduct> product;
    if (distributed && pack) {
      std::string why;
      product = matchProduct(nests->front(), target, why);
      remarkOnProduct(nests->front(), product, why);
    }
    if (product) {
      grid = gridOf(*product, nests->front(), kernel);
      ++numPacked;
    }
    for (Nest &nest : *nests) {
      chooseSchedule(nest, target);
      if (product && product->sumsPairs)
        kernel->setAttr(exec::roundsAttrName, UnitAttr::get(&getContext()));
      if (product)
        break;
      ++(nest.vectorLoop ? numVector : numScalar);
      remarkOnSchedule(nest);
      if (distributed || sideBySide)
        grid = distribute(nest, kernel);
    }
    if (sideBySide) {
      int64_t total = 0;
      for (const Nest &nest : *nests)
        total += workgroupsOf(nest);
      grid = AffineMap::get(0, kernel.getNumArguments(),
                            getAffineConstantExpr(total, kernel.getContext()));
    }
    if (!hasGrid) {
      remarkOnGrid(kernel, *nests, grid);
      Type index = IndexType::get(kernel.getContext());
      (void)kernel.insertArgument(kernel.getNumArguments(), index, {},
                                  kernel.getLoc());
      kernel->setAttr(exec::gridAttrName, AffineMapAttr::get(grid));
    }
    Value workgroup = kernel.getArguments().back();
    int64_t before = 0;
    for (Nest &nest : *nests) {
      int64_t count = sideBySide ? workgroupsOf(nest) : 0;
      if (failed(sideBySide ? emitShare(nest, workgroup, before, count)
                            : emit(nest, product, workgroup)))
        return failure();
      before += count;
    }
    // A kernel that allocated would never free.
    WalkResult walk = kernel.walk([](memref::AllocOp op) {
      op.emitOpError("leaves an intermediate result in memory: kernels have "
                     "none");
      return WalkResult::interrupt();
    });
    return failure(walk.wasInterrupted());
  }

  /// Emits a nest for the workgroups [before, before + count) alone.
  LogicalResult emitShare(Nest &nest, Value workgroup, int64_t before,
                          int64_t count) {
    OpBuilder builder(nest.epilogue ? nest.epilogue : nest.root);
    Location loc = nest.root.getLoc();
    Value first = arith::ConstantIndexOp::create(builder, loc, before);
    Value own = arith::SubIOp::create(builder, loc, workgroup, first);
    Value end = arith::ConstantIndexOp::create(builder, loc, count);
    // Workgroups before are beyond the end, too, without a sign.
    Value isOwn = arith::CmpIOp::create(builder, loc, arith::CmpIPredicate::ult,
                                        own, end);
    auto branch =
        scf::IfOp::create(builder, loc, isOwn, /*withElseRegion=*/false);
    for (linalg::GenericOp op : nest.operations())
      op->moveBefore(branch.thenBlock()->getTerminator());
    return emit(nest, std::nullopt, own);
  }

  /// A product whose rows may turn out to be few is a nest then.
  LogicalResult emitProduct(OpBuilder &builder, const Nest &nest,
                            const PackedProduct &product, Value workgroup) {
    PackedProductEmitter emitter(builder, nest, product, lanes, workgroup);
    Value isFew = emitter.hasFewRows();
    if (!isFew) {
      emitter.emit();
      return success();
    }
    linalg::GenericOp root = nest.root;
    auto branch = scf::IfOp::create(builder, root.getLoc(), isFew,
                                    /*withElseRegion=*/true);
    OpBuilder::InsertionGuard guard(builder);
    builder.setInsertionPointToStart(branch.elseBlock());
    emitter.emit();
    builder.setInsertionPointToStart(branch.thenBlock());
    SmallVector<Value> lower(nest.extents.size()), upper(nest.extents.size());
    emitter.fewRowsBounds(lower, upper);
    return NestEmitter(builder, nest, lanes, lower, upper).emit();
  }

  LogicalResult emit(Nest &nest, const std::optional<PackedProduct> &product,
                     Value workgroup) {
    OpBuilder builder(nest.epilogue ? nest.epilogue : nest.root);
    SmallVector<Value> lower(nest.extents.size()), upper(nest.extents.size());
    if (product) {
      if (failed(emitProduct(builder, nest, *product, workgroup)))
        return failure();
    } else {
      tileBounds(builder, nest, workgroup, lower, upper);
      if (isSweep(nest))
        emitSweep(builder, nest, lanes, lower, upper);
      else if (failed(NestEmitter(builder, nest, lanes, lower, upper).emit()))
        return failure();
    }
    SmallVector<linalg::FillOp> fills;
    if (isSweep(nest))
      fills = fillsOf(nest);
    SmallVector<linalg::GenericOp> emitted = nest.operations();
    for (linalg::GenericOp op : llvm::reverse(emitted))
      op.erase();
    eraseMemory(nest.fill, nest.intermediate);
    for (linalg::FillOp fill : fills)
      fill.erase();
    for (const Twin &twin : nest.twins)
      eraseMemory(twin.fill, twin.intermediate);
    return success();
  }

  /// What a root that is emitted leaves behind.
  static void eraseMemory(linalg::FillOp fill, memref::AllocOp intermediate) {
    if (fill)
      fill.erase();
    if (!intermediate)
      return;
    for (Operation *user : llvm::make_early_inc_range(intermediate->getUsers()))
      user->erase();
    intermediate.erase();
  }
};
} // namespace
