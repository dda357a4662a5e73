//===- PackedProductEmitter.cpp - Products to vector loops ----------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Emits a packed matrix product as scf loops around vector operations.
//
//===----------------------------------------------------------------------===//

#include "compiler/codegen/cpu/PackedProductEmitter.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "mlir/Dialect/X86Vector/X86VectorDialect.h"

using namespace mlir;

namespace tpa::cpu {

/// Of `left`, packed at a time: so many that a visit to a far step pays.
static constexpr int64_t leftPanels = 4;

PackedProductEmitter::PackedProductEmitter(OpBuilder &builder, const Nest &nest,
                                           const PackedProduct &product,
                                           int64_t lanes, Value workgroup)
    : b(builder), nest(nest), product(product), root(nest.root),
      loc(root.getLoc()), lanes(lanes),
      vectorType(VectorType::get({lanes}, builder.getF32Type())) {
  left = factor(product.left, product.rows, product.leftAlongSum);
  right = factor(product.right, product.columns, product.rightAlongSum);
  Value rowBlocks = arith::CeilDivUIOp::create(b, loc, left.count,
                                               constant(product.rowBlock)),
        columnBlocks = arith::CeilDivUIOp::create(
            b, loc, right.count, constant(product.columnBlock));
  Value fast = product.rowsFastest ? rowBlocks : columnBlocks;
  Value inner = arith::RemUIOp::create(b, loc, workgroup, fast),
        outer = arith::DivUIOp::create(b, loc, workgroup, fast);
  rowBegin =
      mul(product.rowsFastest ? inner : outer, constant(product.rowBlock));
  rowEnd = min(add(rowBegin, constant(product.rowBlock)), left.count);
  columnBegin =
      mul(product.rowsFastest ? outer : inner, constant(product.columnBlock));
  columnEnd = min(add(columnBegin, constant(product.columnBlock)), right.count);
  columnGroup = product.rowsFastest ? outer : inner;
  columnGroups = columnBlocks;
  wordsPerBlock = product.sumBlock / product.stepsPerWord();
  rightPanels = scratch(wordsPerBlock * product.columnBlock);
  tile = scratch(product.tileRows * product.tileColumns);
  if (product.packsLeft())
    leftPanel = scratch(wordsPerBlock * leftPanels * lanes);
  if (product.keepsParts)
    parts = scratch(product.rowBlock * product.columnBlock);
}

//===----------------------------------------------------------------------===//
// Few rows
//===----------------------------------------------------------------------===//

Value PackedProductEmitter::hasFewRows() {
  if (getConstantIntValue(left.count))
    return {};
  return arith::CmpIOp::create(b, loc, arith::CmpIPredicate::ult, left.count,
                               constant(PackedProduct::leastRows));
}

/// Few rows are one block, so workgroups differ in columns alone: each takes a
/// share of the outermost loop over them.
void PackedProductEmitter::fewRowsBounds(SmallVectorImpl<Value> &lower,
                                         SmallVectorImpl<Value> &upper) {
  for (unsigned loop = 0; loop < nest.extents.size(); ++loop) {
    lower[loop] = constant(0);
    upper[loop] = extent(loop);
  }
  unsigned shared = product.columns.front();
  // Whole register tiles of the nest.
  int64_t grain = nest.unroll[shared] * (nest.vectorLoop == shared ? lanes : 1);
  Value tiles = mul(columnGroups, constant(grain));
  Value share = arith::CeilDivUIOp::create(b, loc, extent(shared), tiles);
  share = mul(share, constant(grain));
  lower[shared] = min(mul(columnGroup, share), extent(shared));
  upper[shared] = min(add(lower[shared], share), extent(shared));
}

//===----------------------------------------------------------------------===//
// Index arithmetic
//===----------------------------------------------------------------------===//

Value PackedProductEmitter::constant(int64_t value) {
  return arith::ConstantIndexOp::create(b, loc, value);
}

Value PackedProductEmitter::add(Value left, Value right) {
  return b.createOrFold<arith::AddIOp>(loc, left, right);
}

Value PackedProductEmitter::mul(Value left, Value right) {
  return b.createOrFold<arith::MulIOp>(loc, left, right);
}

Value PackedProductEmitter::min(Value left, Value right) {
  return b.createOrFold<arith::MinUIOp>(loc, left, right);
}

Value PackedProductEmitter::extent(unsigned loop) {
  const Extent &extent = nest.extents[loop];
  return extent.isStatic() ? constant(extent.constant) : extent.scalar;
}

Value PackedProductEmitter::extent(ArrayRef<unsigned> loops) {
  Value all = constant(1);
  for (unsigned loop : loops)
    all = mul(all, extent(loop));
  return all;
}

/// The index of each loop where together they count to `flat`.
SmallVector<Value> PackedProductEmitter::split(Value flat,
                                               ArrayRef<unsigned> loops) {
  SmallVector<Value> indices(loops.size());
  for (size_t i = loops.size(); i-- > 0;) {
    Value size = extent(loops[i]);
    indices[i] =
        i == 0 ? flat : b.createOrFold<arith::RemUIOp>(loc, flat, size);
    if (i > 0)
      flat = b.createOrFold<arith::DivUIOp>(loc, flat, size);
  }
  return indices;
}

/// What `loops` at `flat` add to the place of an element.
Value PackedProductEmitter::offset(AffineMap map, ArrayRef<unsigned> loops,
                                   Value flat) {
  SmallVector<unsigned> all = loopsOf(nest, map);
  auto strideAfter = [&](unsigned loop) {
    auto *at = llvm::find(all, loop);
    return extent(ArrayRef<unsigned>(at + 1, all.end()));
  };
  auto *first = llvm::find(all, loops.front());
  if (ArrayRef<unsigned>(first, all.end()).take_front(loops.size()) == loops)
    return mul(flat, strideAfter(loops.back()));
  Value sum = constant(0);
  for (auto [loop, index] : llvm::zip_equal(loops, split(flat, loops)))
    sum = add(sum, mul(index, strideAfter(loop)));
  return sum;
}

void PackedProductEmitter::loop(Value from, Value to, int64_t step, Body body) {
  auto op = scf::ForOp::create(b, loc, from, to, constant(step));
  OpBuilder::InsertionGuard guard(b);
  b.setInsertionPointToStart(op.getBody());
  body(op.getInductionVar());
}

//===----------------------------------------------------------------------===//
// Memory
//===----------------------------------------------------------------------===//

Value PackedProductEmitter::flatten(Value memref) {
  int64_t rank = cast<MemRefType>(memref.getType()).getRank();
  if (rank == 1)
    return memref;
  auto all = llvm::to_vector<2>(llvm::seq<int64_t>(0, rank));
  return memref::CollapseShapeOp::create(
      b, loc, memref, SmallVector<ReassociationIndices>(1, all));
}

Value PackedProductEmitter::scratch(int64_t elements) {
  return memref::AllocaOp::create(b, loc,
                                  MemRefType::get({elements}, b.getF32Type()),
                                  b.getI64IntegerAttr(64));
}

PackedProductEmitter::Factor
PackedProductEmitter::factor(OpOperand *operand, ArrayRef<unsigned> lines,
                             bool alongSum) {
  return {flatten(operand->get()), root.getMatchingIndexingMap(operand), lines,
          extent(lines), alongSum};
}

Value PackedProductEmitter::maskUpTo(Value count) {
  return vector::CreateMaskOp::create(
      b, loc, VectorType::get({lanes}, b.getI1Type()), count);
}

/// What a packed factor holds of one line, or of `count` neighbours in memory.
/// `next`, if any, is where their second steps lie, of pairs that do not lie
/// along the sum.
Value PackedProductEmitter::load(const Factor &factor, Value at, Value next,
                                 int64_t count) {
  if (product.sumsPairs)
    return loadPairs(factor, at, next, count);
  Type element = cast<MemRefType>(factor.memory.getType()).getElementType();
  auto widened = [&](Value value, Type type) -> Value {
    if (element.isF32())
      return value;
    if (element.isInteger())
      return arith::SIToFPOp::create(b, loc, type, value);
    return arith::ExtFOp::create(b, loc, type, value);
  };
  if (count == 1)
    return widened(memref::LoadOp::create(b, loc, factor.memory, at),
                   b.getF32Type());
  return widened(vector::LoadOp::create(b, loc,
                                        VectorType::get({count}, element),
                                        factor.memory, at),
                 vectorType);
}

/// Pairs of bf16, each as the bits of one f32.
Value PackedProductEmitter::loadPairs(const Factor &factor, Value at,
                                      Value next, int64_t count) {
  Type element = cast<MemRefType>(factor.memory.getType()).getElementType();
  auto narrow = [&](Value from, int64_t width) -> Value {
    Value read = vector::LoadOp::create(
        b, loc, VectorType::get({width}, element), factor.memory, from);
    if (element.isBF16())
      return read;
    return arith::TruncFOp::create(
        b, loc, VectorType::get({width}, b.getBF16Type()), read);
  };
  Value pairs = factor.alongSum
                    ? narrow(at, 2 * count)
                    : vector::InterleaveOp::create(b, loc, narrow(at, count),
                                                   narrow(next, count))
                          .getResult();
  Value words = vector::BitCastOp::create(
      b, loc, VectorType::get({count}, b.getF32Type()), pairs);
  return count == 1 ? vector::ExtractOp::create(b, loc, words, 0).getResult()
                    : words;
}

//===----------------------------------------------------------------------===//
// Product
//===----------------------------------------------------------------------===//

void PackedProductEmitter::emit() {
  Value all = extent(product.summed);
  auto block = [&](Value begin) {
    stepBegin = begin;
    steps = min(b.createOrFold<arith::SubIOp>(loc, all, begin),
                constant(product.sumBlock));
    words = b.createOrFold<arith::DivUIOp>(loc, steps,
                                           constant(product.stepsPerWord()));
    pack(right, columnBegin, columnEnd, rightPanels, product.tileColumns,
         product.tileColumns);
    emitRows();
  };
  auto whole = getConstantIntValue(all);
  if (whole && *whole <= product.sumBlock)
    return block(constant(0));
  loop(constant(0), all, product.sumBlock, [&](Value begin) {
    Value end = add(begin, constant(product.sumBlock));
    isFirst = arith::CmpIOp::create(b, loc, arith::CmpIPredicate::eq, begin,
                                    constant(0));
    isLast = arith::CmpIOp::create(b, loc, arith::CmpIPredicate::uge, end, all);
    block(begin);
  });
}

void PackedProductEmitter::emitRows() {
  int64_t tileRows = product.tileRows;
  if (product.packsLeft()) {
    int64_t lines = lanes / tileRows * tileRows;
    int64_t rows = leftPanels * lines;
    loop(rowBegin, rowEnd, rows, [&](Value group) {
      Value end = min(add(group, constant(rows)), rowEnd);
      pack(left, group, end, leftPanel, lines, lanes);
      loop(group, end, tileRows, [&](Value row) {
        Value first = arith::SubIOp::create(b, loc, row, group);
        Value panel = arith::DivUIOp::create(b, loc, first, constant(lines)),
              place = arith::RemUIOp::create(b, loc, first, constant(lines));
        place = add(place, mul(panel, constant(wordsPerBlock * lanes)));
        SmallVector<Value> at;
        for (int64_t i = 0; i < tileRows; ++i)
          at.push_back(add(place, constant(i)));
        Value ahead = left.alongSum ? Value() : add(row, constant(rows));
        emitTiles(row, row, leftPanel, at, lanes, ahead);
      });
    });
    return;
  }
  // The last tile begins early enough to be whole.
  Value last =
      b.createOrFold<arith::SubIOp>(loc, left.count, constant(tileRows));
  loop(rowBegin, rowEnd, tileRows, [&](Value row) {
    Value base = min(row, last);
    Value first = add(offset(left.map, left.lines, base), stepBegin),
          stride = offset(left.map, left.lines, constant(1));
    SmallVector<Value> at;
    for (int64_t i = 0; i < tileRows; ++i)
      at.push_back(add(first, mul(constant(i), stride)));
    emitTiles(row, base, left.memory, at, 1, {});
  });
}

/// All tiles of the rows from `base` on, of which those from `row` on are new;
/// word k of the tile's row i lies at leftAt[i] + k * leftStep.
/// `ahead`, if any, is the row of `left` to ask for meanwhile.
void PackedProductEmitter::emitTiles(Value row, Value base, Value leftMemory,
                                     ArrayRef<Value> leftAt, int64_t leftStep,
                                     Value ahead) {
  loop(columnBegin, columnEnd, product.tileColumns, [&](Value column) {
    Value panel = mul(b.createOrFold<arith::SubIOp>(loc, column, columnBegin),
                      constant(wordsPerBlock));
    prefetchResult(row, column);
    emitTile(panel, leftMemory, leftAt, leftStep, ahead);
    finishTile(row, base, column);
  });
}

void PackedProductEmitter::prefetch(Value memory, Value at) {
  memref::PrefetchOp::create(b, loc, memory, at, /*isWrite=*/false,
                             /*localityHint=*/3, /*isDataCache=*/true);
}

/// Asks for what the tile is added or stored to, while it is computed.
void PackedProductEmitter::prefetchResult(Value row, Value column) {
  if (nest.epilogue)
    return;
  OpOperand *out = root.getDpsInitOperand(0);
  Value memory = flatten(out->get());
  loop(constant(0), constant(product.tileRows), 1, [&](Value i) {
    Value at =
        add(offset(root.getMatchingIndexingMap(out), product.rows, add(row, i)),
            column);
    for (int64_t k = 0; k < product.tileColumns; k += lanes)
      prefetch(memory, add(at, constant(k)));
  });
}

void PackedProductEmitter::emitTile(Value panel, Value leftMemory,
                                    ArrayRef<Value> leftAt, int64_t leftStep,
                                    Value ahead) {
  int64_t vectors = product.tileColumns / lanes;
  Value zero = arith::ConstantOp::create(b, loc, b.getZeroAttr(vectorType));
  SmallVector<Value> sums(product.tileRows * vectors, zero);
  auto op = scf::ForOp::create(b, loc, constant(0), words, constant(1), sums);
  {
    OpBuilder::InsertionGuard guard(b);
    b.setInsertionPointToStart(op.getBody());
    Value step = op.getInductionVar();
    sums.assign(op.getRegionIterArgs().begin(), op.getRegionIterArgs().end());
    Value from = add(panel, mul(step, constant(product.tileColumns)));
    if (ahead)
      prefetch(left.memory,
               add(offset(left.map, product.summed,
                          add(stepBegin,
                              mul(step, constant(product.stepsPerWord())))),
                   ahead));
    SmallVector<Value> columns;
    for (int64_t i = 0; i < vectors; ++i)
      columns.push_back(vector::LoadOp::create(b, loc, vectorType, rightPanels,
                                               add(from, constant(i * lanes))));
    for (auto [i, at] : llvm::enumerate(leftAt)) {
      Value element = memref::LoadOp::create(
          b, loc, leftMemory, add(at, mul(step, constant(leftStep))));
      Value row = vector::BroadcastOp::create(b, loc, vectorType, element);
      for (int64_t k = 0; k < vectors; ++k) {
        Value &sum = sums[i * vectors + k];
        sum = multiplyAdd(row, columns[k], sum);
      }
    }
    scf::YieldOp::create(b, loc, sums);
  }
  for (auto [i, sum] : llvm::enumerate(op.getResults()))
    vector::StoreOp::create(b, loc, sum, tile, constant(i * lanes));
}

/// sum + row * column, of words that packed factors hold.
Value PackedProductEmitter::multiplyAdd(Value row, Value column, Value sum) {
  if (!product.sumsPairs)
    return vector::FMAOp::create(b, loc, row, column, sum);
  auto pairs = [&](Value words) -> Value {
    return vector::BitCastOp::create(
        b, loc, VectorType::get({2 * lanes}, b.getBF16Type()), words);
  };
  return x86vector::DotBF16Op::create(b, loc, vectorType, sum, pairs(row),
                                      pairs(column));
}

/// Takes the new rows and the columns that exist to where they belong.
void PackedProductEmitter::finishTile(Value row, Value base, Value column) {
  Value end = min(add(row, constant(product.tileRows)), rowEnd);
  Value left = arith::SubIOp::create(b, loc, columnEnd, column);
  Value columns = min(left, constant(product.tileColumns));
  loop(row, end, 1, [&](Value at) {
    Value tileRow = arith::SubIOp::create(b, loc, at, base),
          partRow = arith::SubIOp::create(b, loc, at, rowBegin),
          partColumn = arith::SubIOp::create(b, loc, column, columnBegin);
    Value from = mul(tileRow, constant(product.tileColumns)),
          part = add(mul(partRow, constant(product.columnBlock)), partColumn);
    loop(constant(0), columns, lanes, [&](Value k) {
      Value value =
          vector::LoadOp::create(b, loc, vectorType, tile, add(from, k));
      finishVector(at, add(column, k), value, add(part, k));
    });
  });
}

/// `part` is where a part of the sum waits.
void PackedProductEmitter::finishVector(Value row, Value column, Value value,
                                        Value part) {
  Value mask = maskUpTo(arith::SubIOp::create(b, loc, columnEnd, column));
  OpOperand *out = root.getDpsInitOperand(0);
  AffineMap outMap = root.getMatchingIndexingMap(out);
  Value outMemory, outAt;
  if (!nest.epilogue) {
    outMemory = flatten(out->get());
    outAt = add(offset(outMap, product.rows, row), column);
  }
  Value zero = arith::ConstantOp::create(b, loc, b.getZeroAttr(vectorType));
  auto old = [&]() -> Value {
    if (product.keepsParts)
      return vector::LoadOp::create(b, loc, vectorType, parts, part);
    return vector::MaskedLoadOp::create(b, loc, vectorType, outMemory, outAt,
                                        mask, zero);
  };
  linalg::FillOp fill = nest.fill;
  auto initial = [&]() -> Value {
    if (!fill)
      return old();
    Value start = b.clone(*fill.getInputs()[0].getDefiningOp())->getResult(0);
    return vector::BroadcastOp::create(b, loc, vectorType, start);
  };
  Value start;
  if (!isFirst || !fill) {
    start = initial();
  } else {
    auto choice = scf::IfOp::create(b, loc, vectorType, isFirst, true);
    OpBuilder::InsertionGuard guard(b);
    b.setInsertionPointToStart(choice.thenBlock());
    scf::YieldOp::create(b, loc, initial());
    b.setInsertionPointToStart(choice.elseBlock());
    scf::YieldOp::create(b, loc, old());
    start = choice.getResult(0);
  }
  value = arith::AddFOp::create(b, loc, value, start);
  if (!nest.epilogue) {
    vector::MaskedStoreOp::create(b, loc, outMemory, outAt, mask, value);
    return;
  }
  auto finish = [&] { finishEpilogue(row, column, value, mask); };
  if (!product.keepsParts)
    return finish();
  auto branch = scf::IfOp::create(b, loc, isLast, /*withElseRegion=*/true);
  OpBuilder::InsertionGuard guard(b);
  b.setInsertionPointToStart(branch.thenBlock());
  finish();
  b.setInsertionPointToStart(branch.elseBlock());
  vector::StoreOp::create(b, loc, value, parts, part);
}

/// Columns of several loops are neighbours in memory, but a vector of them may
/// run beyond the last loop: then each is finished alone.
void PackedProductEmitter::finishEpilogue(Value row, Value column, Value value,
                                          Value mask) {
  unsigned last = product.columns.back();
  Point point;
  point.indices.assign(nest.extents.size(), constant(0));
  for (auto [loop, index] :
       llvm::zip_equal(product.rows, split(row, product.rows)))
    point.indices[loop] = index;
  auto finish = [&](Value at, Value part, bool isVector) {
    for (auto [loop, index] :
         llvm::zip_equal(product.columns, split(at, product.columns)))
      point.indices[loop] = index;
    if (isVector) {
      point.vectorLoop = last;
      point.lanes = lanes;
      point.mask = mask;
      point.last =
          b.createOrFold<arith::SubIOp>(loc, extent(last), constant(1));
    }
    SmallVector<Value> bounds(nest.extents.size());
    NestEmitter(b, nest, lanes, bounds, bounds).finish(point, part);
  };
  if (product.columns.size() == 1)
    return finish(column, value, /*isVector=*/true);
  Value end = min(add(column, constant(lanes)), columnEnd);
  Value inner = split(column, product.columns).back();
  Value fits = arith::CmpIOp::create(
      b, loc, arith::CmpIPredicate::ule,
      add(inner, b.createOrFold<arith::SubIOp>(loc, end, column)),
      extent(last));
  auto branch = scf::IfOp::create(b, loc, fits, /*withElseRegion=*/true);
  OpBuilder::InsertionGuard guard(b);
  Point scalar = point;
  b.setInsertionPointToStart(branch.thenBlock());
  finish(column, value, /*isVector=*/true);
  point = scalar;
  b.setInsertionPointToStart(branch.elseBlock());
  loop(column, end, 1, [&](Value at) {
    Value lane = arith::SubIOp::create(b, loc, at, column);
    Value part = vector::ExtractOp::create(b, loc, value, OpFoldResult(lane));
    finish(at, part, /*isVector=*/false);
  });
}

} // namespace tpa::cpu
