//===- PackedProduct.cpp - Large matrix products --------------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Recognises nests that are large matrix products and decides their blocks.
//
//===----------------------------------------------------------------------===//

#include "compiler/codegen/cpu/PackedProduct.h"
#include "mlir/Dialect/Arith/IR/Arith.h"

using namespace mlir;

namespace tpa::cpu {

static Type elementType(OpOperand *operand) {
  return getElementTypeOrSelf(operand->get().getType());
}

bool PackedProduct::packsLeft() const {
  return sumsPairs || !leftAlongSum || !leftRowsAreOne ||
         !elementType(left).isF32();
}

//===----------------------------------------------------------------------===//
// Recognition
//===----------------------------------------------------------------------===//

/// The body argument behind a factor, widened or not.
static BlockArgument factorOf(Value value) {
  if (auto widened = value.getDefiningOp<arith::ExtFOp>())
    value = widened.getIn();
  else if (auto integer = value.getDefiningOp<arith::SIToFPOp>())
    value = integer.getIn();
  return dyn_cast<BlockArgument>(value);
}

/// Whether the body is sum + left * right in f32, factors at most widened.
static bool isProductBody(linalg::GenericOp root) {
  if (root.getNumDpsInputs() != 2)
    return false;
  Value yielded = root.getBlock()->getTerminator()->getOperand(0);
  auto sum = yielded.getDefiningOp<arith::AddFOp>();
  if (!sum || !sum.getType().isF32())
    return false;
  BlockArgument old = root.getRegionOutputArgs()[0];
  Value other = sum.getLhs() == old   ? sum.getRhs()
                : sum.getRhs() == old ? sum.getLhs()
                                      : Value();
  auto product = other ? other.getDefiningOp<arith::MulFOp>() : nullptr;
  if (!product)
    return false;
  BlockArgument left = factorOf(product.getLhs()),
                right = factorOf(product.getRhs());
  return left && right && left != right && left != old && right != old;
}

SmallVector<unsigned> loopsOf(const Nest &nest, AffineMap map) {
  SmallVector<unsigned> loops;
  for (AffineExpr expr : map.getResults()) {
    unsigned loop = cast<AffineDimExpr>(expr).getPosition();
    if (!nest.extents[loop].isStatic() || nest.extents[loop].constant != 1)
      loops.push_back(loop);
  }
  return loops;
}

/// Whether `last` are the last of `loops`, in the same order: neighbours along
/// them, counted as one, are neighbours in memory.
static bool endsWith(ArrayRef<unsigned> loops, ArrayRef<unsigned> last) {
  return loops.size() >= last.size() && loops.take_back(last.size()) == last;
}

/// Row-major memory whose dimensions are loops.
static bool isPlain(OpOperand *operand, AffineMap map) {
  auto type = dyn_cast<MemRefType>(operand->get().getType());
  return type && type.getLayout().isIdentity() && map.isProjectedPermutation();
}

/// For decisions only.
static int64_t estimate(const Nest &nest, ArrayRef<unsigned> loops) {
  int64_t product = 1;
  for (unsigned loop : loops)
    product *= nest.extents[loop].estimate();
  return product;
}

static bool isStatic(const Nest &nest, ArrayRef<unsigned> loops) {
  return llvm::all_of(
      loops, [&](unsigned loop) { return nest.extents[loop].isStatic(); });
}

/// The product of the extents that are known.
static int64_t knownFactor(const Nest &nest, ArrayRef<unsigned> loops) {
  int64_t product = 1;
  for (unsigned loop : loops)
    if (nest.extents[loop].isStatic())
      product *= nest.extents[loop].constant;
  return product;
}

/// Divides the loops among rows, columns and the sum; returns why not.
static StringRef divide(PackedProduct &product, const Nest &nest) {
  linalg::GenericOp root = nest.root;
  OpOperand *out = root.getDpsInitOperand(0);
  AffineMap outMap = root.getMatchingIndexingMap(out);
  for (OpOperand &operand : root->getOpOperands())
    if (!isPlain(&operand, root.getMatchingIndexingMap(&operand)))
      return "an operand is not row-major memory along the loops";
  SmallVector<unsigned> results = loopsOf(nest, outMap);
  if (results.empty())
    return "it has one result";
  product.left = root.getDpsInputOperand(0);
  product.right = root.getDpsInputOperand(1);
  if (root.getMatchingIndexingMap(product.left).isFunctionOfDim(results.back()))
    std::swap(product.left, product.right);
  AffineMap leftMap = root.getMatchingIndexingMap(product.left),
            rightMap = root.getMatchingIndexingMap(product.right);
  SmallVector<unsigned> left = loopsOf(nest, leftMap),
                        right = loopsOf(nest, rightMap);
  for (unsigned loop : results) {
    bool inLeft = leftMap.isFunctionOfDim(loop),
         inRight = rightMap.isFunctionOfDim(loop);
    if (inLeft && inRight)
      return "it is a batch of products";
    (inLeft ? product.rows : product.columns).push_back(loop);
  }
  auto isSummed = [&](unsigned loop) { return !outMap.isFunctionOfDim(loop); };
  SmallVector<unsigned> inRight;
  llvm::copy_if(left, std::back_inserter(product.summed), isSummed);
  llvm::copy_if(right, std::back_inserter(inRight), isSummed);
  if (product.summed.size() != inRight.size() ||
      !std::is_permutation(inRight.begin(), inRight.end(),
                           product.summed.begin()))
    return "a sum runs over one factor alone";
  // `left` is read where it lies only along its own order.
  if (!endsWith(left, product.summed))
    product.summed = inRight;
  product.leftAlongSum = endsWith(left, product.summed);
  product.rightAlongSum = endsWith(right, product.summed);
  product.leftRowsAreOne =
      product.leftAlongSum &&
      endsWith(ArrayRef(left).drop_back(product.summed.size()), product.rows);
  if (!endsWith(results, product.columns))
    return "the result's columns are not neighbours in memory";
  if (!product.leftAlongSum && !endsWith(left, product.rows))
    return "the left factor has neither rows nor the sum as neighbours";
  if (!product.rightAlongSum && !endsWith(right, product.columns))
    return "the right factor has neither columns nor the sum as neighbours";
  if (nest.epilogue ? !nest.fill : !elementType(out).isF32())
    return "the result is not in f32";
  return {};
}

/// A grid counts workgroups by the quotient of one scalar.
static StringRef variesTooMuch(const PackedProduct &product, const Nest &nest) {
  auto varying = [&](ArrayRef<unsigned> loops) {
    return llvm::count_if(
        loops, [&](unsigned loop) { return !nest.extents[loop].isStatic(); });
  };
  if (varying(product.rows) > 1)
    return "two extents of its rows vary";
  if (varying(product.columns) > 0 && product.columns.size() > 1)
    return "several loops of its columns vary";
  return {};
}

/// Packing pays where each packed value is used often enough; a number of rows
/// that varies counts as large.
static StringRef tooSmall(const PackedProduct &product, const Nest &nest,
                          const Target &target) {
  if (product.summed.empty() || estimate(nest, product.summed) < target.lanes)
    return "the sum is short";
  if (!nest.twins.empty())
    return "another product shares its loops";
  if (isStatic(nest, product.rows) &&
      estimate(nest, product.rows) < PackedProduct::leastRows)
    return "there are few rows";
  if (estimate(nest, product.columns) < 2 * target.lanes)
    return "there are few columns";
  return {};
}

//===----------------------------------------------------------------------===//
// Blocks
//===----------------------------------------------------------------------===//

// Packed columns stay in the second-level cache, beside what streams through.
static constexpr int64_t rightBytes = 400 << 10, partBytes = 256 << 10;
// Of rows: the more, the more often a packed value is used.
static constexpr int64_t mostRows = 1024, fewestRows = 128;
// Workgroups for as many rows, to share the work out evenly.
static constexpr int64_t leastGroups = 8;
// Of the sum: long blocks save visits to the result, but rows that are packed
// too have to fit beside the columns.
static constexpr int64_t mostSteps = 1024, mostPackedSteps = 256;

/// Vectors of a tile: three leave registers for a row of them and a broadcast
/// value; others where they fit the number of columns better.
static int64_t vectorsOf(const PackedProduct &product, const Nest &nest,
                         const Target &target) {
  if (target.registers < 32)
    return 2;
  if (!isStatic(nest, product.columns))
    return 3;
  int64_t columns = estimate(nest, product.columns), vectors = 3;
  double best = 0;
  for (int64_t candidate : {3, 4, 2}) {
    int64_t computed = llvm::alignTo(columns, candidate * target.lanes);
    double share = double(columns) / computed * (candidate == 3 ? 1 : 0.97);
    if (share > best) {
      best = share;
      vectors = candidate;
    }
  }
  return vectors;
}

/// Where a factor is bf16 already, the CPU multiplies pairs and none is left
/// alone: the other factor is rounded to bf16.
static bool canSumPairs(const PackedProduct &product, const Nest &nest,
                        const Target &target) {
  Type left = elementType(product.left), right = elementType(product.right);
  auto isFloat = [](Type type) { return type.isF32() || type.isBF16(); };
  return target.bf16Dot && isFloat(left) && isFloat(right) &&
         (left.isBF16() || right.isBF16()) && isStatic(nest, product.summed) &&
         estimate(nest, product.summed) % 2 == 0;
}

static void chooseBlocks(PackedProduct &product, const Nest &nest,
                         const Target &target) {
  int64_t vectors = vectorsOf(product, nest, target);
  product.tileColumns = vectors * target.lanes;
  product.tileRows = (target.registers >= 32 ? 24 : 12) / vectors;

  bool isKnown = isStatic(nest, product.summed);
  int64_t word = product.stepsPerWord();
  int64_t most = product.packsLeft() ? mostPackedSteps * word : mostSteps;
  int64_t sumBlocks = 0; // any number
  product.sumBlock = most;
  if (isKnown) {
    // Equal shares.
    int64_t steps = estimate(nest, product.summed);
    sumBlocks = llvm::divideCeil(steps, most);
    product.sumBlock =
        llvm::alignTo(llvm::divideCeil(steps, sumBlocks), target.lanes * word);
  }
  product.keepsParts = nest.epilogue && sumBlocks != 1;

  product.rowBlock = product.keepsParts ? mostRows / 2 : mostRows;
  int64_t panel = product.tileColumns * int64_t(sizeof(float));
  int64_t panels =
      std::max<int64_t>(1, rightBytes * word / (product.sumBlock * panel));
  if (product.keepsParts)
    panels =
        std::clamp<int64_t>(partBytes / (product.rowBlock * panel), 1, panels);
  int64_t columns = estimate(nest, product.columns), columnBlocks = 1;
  if (isStatic(nest, product.columns)) {
    int64_t all = llvm::divideCeil(columns, product.tileColumns);
    columnBlocks = llvm::divideCeil(all, panels);
    panels = llvm::divideCeil(all, columnBlocks);
  }
  product.columnBlock = panels * product.tileColumns;

  while (columnBlocks * (mostRows / product.rowBlock) < leastGroups &&
         product.rowBlock > fewestRows)
    product.rowBlock /= 2;
  if (isStatic(nest, product.rows)) {
    int64_t rows = estimate(nest, product.rows);
    product.rowBlock = llvm::alignTo(
        llvm::divideCeil(rows, llvm::divideCeil(rows, product.rowBlock)),
        std::max(target.lanes, product.tileRows));
  } else {
    // The grid counts what varies: a block is whole numbers of the rest.
    int64_t known = knownFactor(nest, product.rows);
    product.rowBlock = std::max<int64_t>(1, product.rowBlock / known) * known;
  }
  product.rowsFastest =
      !isStatic(nest, product.rows) || estimate(nest, product.rows) <= columns;
}

std::optional<PackedProduct>
matchProduct(const Nest &nest, const Target &target, std::string &why) {
  linalg::GenericOp root = nest.root;
  if (!nest.isReduction() || !isProductBody(root))
    return std::nullopt;
  PackedProduct product;
  StringRef reason = divide(product, nest);
  if (reason.empty())
    reason = variesTooMuch(product, nest);
  if (reason.empty())
    reason = tooSmall(product, nest, target);
  why = reason.str();
  if (!reason.empty())
    return std::nullopt;
  product.sumsPairs = canSumPairs(product, nest, target);
  chooseBlocks(product, nest, target);
  return product;
}

AffineMap gridOf(const PackedProduct &product, const Nest &nest,
                 func::FuncOp kernel) {
  MLIRContext *context = kernel.getContext();
  auto count = [&](ArrayRef<unsigned> loops, int64_t block) {
    Value scalar;
    for (unsigned loop : loops)
      if (!nest.extents[loop].isStatic())
        scalar = nest.extents[loop].scalar;
    int64_t known = knownFactor(nest, loops);
    if (!scalar)
      return getAffineConstantExpr(llvm::divideCeil(known, block), context);
    AffineExpr size = getAffineSymbolExpr(
        cast<BlockArgument>(scalar).getArgNumber(), context);
    return size.ceilDiv(block / known);
  };
  AffineExpr rows = count(product.rows, product.rowBlock),
             columns = count(product.columns, product.columnBlock);
  SmallVector<AffineExpr> counts = {rows, columns};
  if (product.rowsFastest)
    std::swap(counts[0], counts[1]);
  return AffineMap::get(0, kernel.getNumArguments(), counts, context);
}

} // namespace tpa::cpu
