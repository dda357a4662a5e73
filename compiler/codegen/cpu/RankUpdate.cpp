//===- RankUpdate.cpp - Sums of outer products ----------------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Emits sums of outer products as register tiles, and the pairs of rows that
// two-term dot products read.
//
//===----------------------------------------------------------------------===//

#include "compiler/codegen/cpu/RankUpdate.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "mlir/Dialect/X86Vector/X86VectorDialect.h"

using namespace mlir;
using namespace tpa::cpu;

namespace {

class Emitter {
public:
  Emitter(OpBuilder &b, Location loc, const RankUpdate &update,
          const Target &target)
      : b(b), loc(loc), update(update), lanes(target.lanes),
        isPaired(elementOf(update.x).isBF16()) {
    ArrayRef<int64_t> shape = cast<MemRefType>(update.out.getType()).getShape();
    steps = cast<MemRefType>(update.x.getType()).getDimSize(0);
    rows = shape[0];
    columns = shape[1] / lanes;
    // Three quarters of the registers hold sums; the rest holds operands.
    int64_t sums = target.registers * 3 / 4;
    tileColumns = std::min<int64_t>(columns, target.registers >= 32 ? 4 : 2);
    tileRows = std::min(rows, sums / tileColumns);
    unroll = steps % 2 == 0 ? 2 : 1;
  }

  void emit() {
    cut(columns, tileColumns, [&](Value column, int64_t columnCount) {
      cut(rows, tileRows, [&](Value row, int64_t rowCount) {
        tile(row, rowCount, column, columnCount);
      });
    });
  }

private:
  static Type elementOf(Value memref) {
    return cast<MemRefType>(memref.getType()).getElementType();
  }
  Value constant(int64_t value) {
    return arith::ConstantIndexOp::create(b, loc, value);
  }
  Value plus(Value value, int64_t offset) {
    return offset ? arith::AddIOp::create(b, loc, value, constant(offset))
                  : value;
  }
  Value times(Value value, int64_t factor) {
    return arith::MulIOp::create(b, loc, value, constant(factor));
  }

  /// Runs `body` for whole steps of [0, total), then for what is left.
  void cut(int64_t total, int64_t step,
           function_ref<void(Value, int64_t)> body) {
    int64_t whole = total - total % step;
    if (whole == step) {
      body(constant(0), step);
    } else if (whole > 0) {
      auto loop = scf::ForOp::create(b, loc, constant(0), constant(whole),
                                     constant(step));
      OpBuilder::InsertionGuard guard(b);
      b.setInsertionPointToStart(loop.getBody());
      body(loop.getInductionVar(), step);
    }
    if (whole < total)
      body(constant(whole), total - whole);
  }

  void tile(Value row, int64_t rowCount, Value column, int64_t columnCount);
  SmallVector<Value> step(ValueRange sums, Value k, Value row, int64_t rowCount,
                          Value element, int64_t columnCount);
  Value loadX(Value k, Value row);
  void prefetch(Value k, Value row, Value column);

  OpBuilder &b;
  Location loc;
  const RankUpdate &update;
  int64_t lanes;
  bool isPaired; ///< operands are pairs: a step adds two products
  int64_t steps, rows, columns, tileRows, tileColumns, unroll;
};

} // namespace

void Emitter::tile(Value row, int64_t rowCount, Value column,
                   int64_t columnCount) {
  auto type = VectorType::get({lanes}, b.getF32Type());
  Value element = times(column, lanes);
  SmallVector<Value> sums;
  auto forEach = [&](function_ref<void(Value, Value)> body) {
    for (int64_t i = 0; i < rowCount; ++i)
      for (int64_t j = 0; j < columnCount; ++j)
        body(plus(row, i), plus(element, j * lanes));
  };
  forEach([&](Value r, Value c) {
    sums.push_back(
        vector::LoadOp::create(b, loc, type, update.out, ValueRange{r, c}));
  });
  auto loop = scf::ForOp::create(b, loc, constant(0), constant(steps),
                                 constant(unroll), sums);
  {
    OpBuilder::InsertionGuard guard(b);
    b.setInsertionPointToStart(loop.getBody());
    Value k = loop.getInductionVar();
    prefetch(k, row, column);
    SmallVector<Value> next(loop.getRegionIterArgs());
    for (int64_t u = 0; u < unroll; ++u)
      next = step(next, plus(k, u), row, rowCount, element, columnCount);
    scf::YieldOp::create(b, loc, next);
  }
  auto result = loop.getResults().begin();
  forEach([&](Value r, Value c) {
    vector::StoreOp::create(b, loc, *result++, update.out, ValueRange{r, c});
  });
}

/// One element of x, or one pair, in every lane.
Value Emitter::loadX(Value k, Value row) {
  if (!isPaired) {
    auto type = VectorType::get({lanes}, b.getF32Type());
    Value x = memref::LoadOp::create(b, loc, update.x, ValueRange{k, row});
    return vector::BroadcastOp::create(b, loc, type, x);
  }
  auto pair = VectorType::get({2}, b.getBF16Type());
  auto word = VectorType::get({1}, b.getI32Type());
  Value x = vector::LoadOp::create(b, loc, pair, update.x,
                                   ValueRange{k, times(row, 2)});
  x = vector::BitCastOp::create(b, loc, word, x);
  x = vector::ExtractOp::create(b, loc, x, 0);
  x = vector::BroadcastOp::create(b, loc,
                                  VectorType::get({lanes}, b.getI32Type()), x);
  return vector::BitCastOp::create(
      b, loc, VectorType::get({2 * lanes}, b.getBF16Type()), x);
}

SmallVector<Value> Emitter::step(ValueRange sums, Value k, Value row,
                                 int64_t rowCount, Value element,
                                 int64_t columnCount) {
  int64_t width = isPaired ? 2 : 1;
  auto type = VectorType::get({width * lanes}, elementOf(update.y));
  Value first = isPaired ? times(element, 2) : element;
  SmallVector<Value> y, next;
  for (int64_t j = 0; j < columnCount; ++j)
    y.push_back(vector::LoadOp::create(
        b, loc, type, update.y, ValueRange{k, plus(first, j * width * lanes)}));
  for (int64_t i = 0; i < rowCount; ++i) {
    Value x = loadX(k, plus(row, i));
    for (int64_t j = 0; j < columnCount; ++j) {
      Value sum = sums[next.size()];
      next.push_back(
          isPaired ? x86vector::DotBF16Op::create(b, loc, sum.getType(), sum, x,
                                                  y[j])
                         .getResult()
                   : vector::FMAOp::create(b, loc, x, y[j], sum).getResult());
    }
  }
  return next;
}

/// An iteration's share of the lines that come next.
void Emitter::prefetch(Value k, Value row, Value column) {
  if (update.ahead.empty())
    return;
  int64_t rowTiles = llvm::divideCeil(rows, tileRows);
  int64_t iterations = rowTiles * llvm::divideCeil(columns, tileColumns) *
                       llvm::divideCeil(steps, unroll);
  Value at = arith::DivUIOp::create(b, loc, column, constant(tileColumns));
  at = times(at, rowTiles);
  at = arith::AddIOp::create(
      b, loc, at, arith::DivUIOp::create(b, loc, row, constant(tileRows)));
  at = arith::AddIOp::create(b, loc, times(at, steps), k);
  at = arith::DivUIOp::create(b, loc, at, constant(unroll));
  for (Value memory : update.ahead) {
    auto type = cast<MemRefType>(memory.getType());
    int64_t line = 64 / (type.getElementTypeBitWidth() / 8);
    int64_t share = llvm::divideCeil(type.getNumElements(), iterations);
    Value first = times(at, share);
    for (int64_t offset = 0; offset < share; offset += line)
      memref::PrefetchOp::create(b, loc, memory, plus(first, offset),
                                 /*isWrite=*/false, /*localityHint=*/2,
                                 /*isDataCache=*/true);
  }
}

void tpa::cpu::emitRankUpdate(OpBuilder &b, Location loc,
                              const RankUpdate &update, const Target &target) {
  Emitter(b, loc, update, target).emit();
}

void tpa::cpu::emitPairs(OpBuilder &b, Location loc, Value rows, Value pairs,
                         const Target &target) {
  auto type = cast<MemRefType>(rows.getType());
  int64_t steps = type.getDimSize(0), width = type.getDimSize(1);
  auto constant = [&](int64_t value) -> Value {
    return arith::ConstantIndexOp::create(b, loc, value);
  };
  auto vectorOf = [&](int64_t lanes, Type element) {
    return VectorType::get({lanes}, element);
  };
  auto loop =
      scf::ForOp::create(b, loc, constant(0), constant(steps / 2), constant(1));
  OpBuilder::InsertionGuard guard(b);
  b.setInsertionPointToStart(loop.getBody());
  Value pair = loop.getInductionVar();
  Value first = arith::MulIOp::create(b, loc, pair, constant(2));
  for (int64_t at = 0; at < width; at += target.lanes) {
    int64_t left = width - at;
    bool isWhole = left >= target.lanes;
    auto mask = [&](int64_t lanes, int64_t count) -> Value {
      return vector::CreateMaskOp::create(
          b, loc, vectorOf(lanes, b.getI1Type()), constant(count));
    };
    SmallVector<Value> halves;
    for (int64_t k = 0; k < 2; ++k) {
      Value row = k ? arith::AddIOp::create(b, loc, first, constant(1)) : first;
      VectorType loaded = vectorOf(target.lanes, type.getElementType());
      Value half;
      if (isWhole) {
        half = vector::LoadOp::create(b, loc, loaded, rows,
                                      ValueRange{row, constant(at)});
      } else {
        Value zero = arith::ConstantOp::create(b, loc, b.getZeroAttr(loaded));
        half = vector::MaskedLoadOp::create(b, loc, loaded, rows,
                                            ValueRange{row, constant(at)},
                                            mask(target.lanes, left), zero);
      }
      if (!type.getElementType().isBF16())
        half = arith::TruncFOp::create(
            b, loc, vectorOf(target.lanes, b.getBF16Type()), half);
      // Integers: a shuffle moves bits, whatever they mean.
      halves.push_back(vector::BitCastOp::create(
          b, loc, vectorOf(target.lanes, b.getI16Type()), half));
    }
    Value both = vector::InterleaveOp::create(b, loc, halves[0], halves[1]);
    both = vector::BitCastOp::create(
        b, loc, vectorOf(2 * target.lanes, b.getBF16Type()), both);
    SmallVector<Value> indices = {pair, constant(2 * at)};
    if (isWhole)
      vector::StoreOp::create(b, loc, both, pairs, indices);
    else
      vector::MaskedStoreOp::create(b, loc, pairs, indices,
                                    mask(2 * target.lanes, 2 * left), both);
  }
}
