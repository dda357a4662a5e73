//===- Epilogue.cpp - What follows work in its kernel ---------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Finds the contractions and reductions that a pointwise map may follow in
// their kernel.
//
//===----------------------------------------------------------------------===//

#include "compiler/fusion/Epilogue.h"
#include "dialects/tpa/TpaDialect.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/Remarks.h"

using namespace mlir;

bool tpa::isPointwise(Operation *op) {
  auto generic = dyn_cast<linalg::GenericOp>(op);
  return generic && generic.getNumParallelLoops() == generic.getNumLoops();
}

std::string tpa::labelOf(Operation *op) {
  Location loc = op->getLoc();
  if (auto fused = dyn_cast<FusedLoc>(loc))
    loc = fused.getLocations().back();
  if (auto name = dyn_cast<NameLoc>(loc))
    return name.getName().str();
  if (isa<tensor::InsertSliceOp, scf::ForOp>(op))
    return "cache_append";
  if (isa<StreamOp>(op))
    return "attention";
  return isPointwise(op) ? "elementwise" : "contraction";
}

/// Whether `consumer` may be the epilogue of the contraction or reduction
/// `root`, which its operand comes from: what stands against it, empty if
/// nothing does.
static StringRef epilogueObstacle(linalg::GenericOp root,
                                  linalg::GenericOp consumer,
                                  OpOperand *operand) {
  if (!root->hasOneUse())
    return "the result has another use";
  if (root->getNumResults() != 1)
    return "the work has more than one result";
  if (root->getBlock() != consumer->getBlock())
    return "the map is inside another operation";
  if (!consumer.getMatchingIndexingMap(operand).isPermutation())
    return "the map does not read each element once";
  return {};
}

/// How often each element of an operand is read; dynamic if that varies.
static int64_t readsOfEach(linalg::GenericOp op, OpOperand *operand) {
  AffineMap map = op.getMatchingIndexingMap(operand);
  int64_t count = 1;
  for (auto [loop, extent] : llvm::enumerate(op.getStaticLoopRanges())) {
    if (map.isFunctionOfDim(loop))
      continue;
    if (ShapedType::isDynamic(extent))
      return ShapedType::kDynamic;
    count *= extent;
  }
  return count;
}

/// Whether a map that follows `first` may follow `second` as well, so that each
/// step of one nest of loops makes a point of both: what stands against it.
static StringRef twinObstacle(linalg::GenericOp first, linalg::GenericOp second,
                              AffineMap firstRead, AffineMap secondRead,
                              int64_t manyRows) {
  const StringRef others = "the map follows other work already";
  auto mapsOf = [](linalg::GenericOp op) { return op.getIndexingMapsArray(); };
  if (first.getIteratorTypesArray() != second.getIteratorTypesArray() ||
      mapsOf(first) != mapsOf(second) || firstRead != secondRead ||
      first.getStaticLoopRanges() != second.getStaticLoopRanges())
    return others;
  bool isShared = false;
  for (auto [left, right] : llvm::zip_equal(first.getDpsInputOperands(),
                                            second.getDpsInputOperands())) {
    if (left->get() == right->get()) {
      isShared = true;
      continue;
    }
    int64_t reads = readsOfEach(first, left);
    if (ShapedType::isDynamic(reads) || reads >= manyRows)
      return manyRows > 0 ? "the map follows other work already, and there are "
                            "many rows"
                          : others;
  }
  return isShared ? StringRef() : others;
}

SmallVector<linalg::GenericOp> tpa::epilogueRoots(Operation *op,
                                                  int64_t manyRows) {
  if (!isPointwise(op))
    return {};
  auto consumer = cast<linalg::GenericOp>(op);
  SmallVector<linalg::GenericOp> chosen;
  AffineMap firstRead;
  for (OpOperand *operand : consumer.getDpsInputOperands()) {
    auto root = operand->get().getDefiningOp<linalg::GenericOp>();
    if (!root || isPointwise(root))
      continue;
    AffineMap read = consumer.getMatchingIndexingMap(operand);
    StringRef why = epilogueObstacle(root, consumer, operand);
    if (why.empty() && !chosen.empty())
      why = twinObstacle(chosen.front(), root, firstRead, read, manyRows);
    auto options = remark::RemarkOpts::name("epilogue").category("tpa");
    if (why.empty()) {
      if (chosen.empty())
        firstRead = read;
      chosen.push_back(root);
      remark::passed(op->getLoc(), options)
          << remark::metric("work", labelOf(root));
    } else {
      remark::missed(op->getLoc(), options)
          << remark::metric("work", labelOf(root))
          << remark::reason("{0}", why);
    }
  }
  return chosen;
}
