//===- PackFactor.cpp - Packing the factors of products -------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Emits the packing of a product's factors into scratch memory, widened to f32.
//
//===----------------------------------------------------------------------===//

#include "compiler/codegen/cpu/PackedProductEmitter.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"

using namespace mlir;

namespace tpa::cpu {

/// Steps that lie far apart are asked for before they are read.
static constexpr int64_t stepsAhead = 8;

/// Transposes `lanes` vectors: neighbours change places in pairs, then pairs in
/// quarters of a register, then quarters.
static void transpose(OpBuilder &b, Location loc, SmallVector<Value> &rows) {
  int64_t lanes = rows.size();
  auto shuffle = [&](Value left, Value right,
                     function_ref<int64_t(int64_t)> source) {
    SmallVector<int64_t> mask;
    for (int64_t lane = 0; lane < lanes; ++lane)
      mask.push_back(source(lane));
    return vector::ShuffleOp::create(b, loc, left, right, mask);
  };
  // Within each 128 bits: elements of two rows side by side, then pairs of two
  // pairs of rows.
  for (int64_t size : {1, 2}) {
    SmallVector<Value> next(lanes);
    for (int64_t i = 0; i < lanes; i += 2 * size)
      for (int64_t k = 0; k < size; ++k)
        for (int64_t half : {0, 1})
          next[i + 2 * k + half] =
              shuffle(rows[i + k], rows[i + size + k], [&](int64_t lane) {
                int64_t quarter = lane & ~3, at = (lane & 3) / size;
                int64_t source =
                    quarter + 2 * half + (size == 1 ? at / 2 : lane & 1);
                return (at & 1) * lanes + source;
              });
    rows = next;
  }
  // Row 4 i + c now holds in its 128 bits q the rows 4 i to 4 i + 3 of column
  // 4 q + c. Even and odd 128 bits of two vectors part until one column is
  // left.
  int64_t quarters = lanes / 4;
  for (int64_t size = 4; size < lanes; size *= 2) {
    SmallVector<Value> next(lanes);
    for (int64_t i = 0; i < lanes; i += 2 * size)
      for (int64_t k = 0; k < size; ++k)
        for (int64_t odd : {0, 1})
          next[i + k + odd * size] =
              shuffle(rows[i + k], rows[i + size + k], [&](int64_t lane) {
                int64_t source = 2 * (lane / 4) + odd;
                return (source / quarters) * lanes + (source % quarters) * 4 +
                       lane % 4;
              });
    rows = next;
  }
}

/// Lines [first, end) in panels of `lines`, of which a step takes `width`
/// places.
void PackedProductEmitter::pack(const Factor &factor, Value first, Value end,
                                Value target, int64_t lines, int64_t width) {
  Value length = b.createOrFold<arith::SubIOp>(loc, end, first);
  Value panels =
      b.createOrFold<arith::CeilDivUIOp>(loc, length, constant(lines));
  auto place = [&](Value panel, Value step) {
    return add(mul(panel, constant(product.sumBlock * width)),
               mul(step, constant(width)));
  };
  if (factor.alongSum) {
    loop(constant(0), panels, 1, [&](Value panel) {
      Value line = add(first, mul(panel, constant(lines)));
      loop(constant(0), constant(width), lanes, [&](Value group) {
        transposeLines(factor, add(line, group), target,
                       add(place(panel, constant(0)), group), width);
      });
    });
    return;
  }
  // All panels at each step: they are neighbours in memory, steps are far.
  loop(constant(0), steps, 1, [&](Value step) {
    Value at = add(stepBegin, step);
    Value from = offset(factor.map, product.summed, at);
    Value next =
        offset(factor.map, product.summed, add(at, constant(stepsAhead)));
    loop(constant(0), panels, 1, [&](Value panel) {
      Value line = add(first, mul(panel, constant(lines)));
      Value left = arith::SubIOp::create(b, loc, factor.count, line);
      Value source = add(from, line), to = place(panel, step);
      for (int64_t i = 0; i < width; i += lanes) {
        prefetch(factor.memory, add(add(next, line), constant(i)));
        copyLines(factor, add(source, constant(i)), left, i, target,
                  add(to, constant(i)));
      }
    });
  });
}

/// Copies `lanes` neighbours, or those that exist: `left` from `i` places
/// before. Others are zero, for chance values can be slow to compute with.
void PackedProductEmitter::copyLines(const Factor &factor, Value from,
                                     Value left, int64_t i, Value target,
                                     Value to) {
  Value isWhole = arith::CmpIOp::create(b, loc, arith::CmpIPredicate::sge, left,
                                        constant(i + lanes));
  auto branch = scf::IfOp::create(b, loc, isWhole, /*withElseRegion=*/true);
  OpBuilder::InsertionGuard guard(b);
  b.setInsertionPointToStart(branch.thenBlock());
  vector::StoreOp::create(b, loc, load(factor, from, lanes), target, to);
  b.setInsertionPointToStart(branch.elseBlock());
  Value zero = arith::ConstantOp::create(b, loc, b.getZeroAttr(vectorType));
  vector::StoreOp::create(b, loc, zero, target, to);
  loop(constant(i), left, 1, [&](Value line) {
    Value at = arith::SubIOp::create(b, loc, line, constant(i));
    memref::StoreOp::create(b, loc, load(factor, add(from, at), 1), target,
                            add(to, at));
  });
}

/// The block's steps of `lanes` lines; those that do not exist repeat the last.
void PackedProductEmitter::transposeLines(const Factor &factor, Value first,
                                          Value target, Value at,
                                          int64_t width) {
  Value last = b.createOrFold<arith::SubIOp>(loc, factor.count, constant(1));
  SmallVector<Value> from;
  for (int64_t i = 0; i < lanes; ++i) {
    Value line = min(add(first, constant(i)), last);
    from.push_back(add(offset(factor.map, factor.lines, line), stepBegin));
  }
  Value rest = b.createOrFold<arith::RemUIOp>(loc, steps, constant(lanes)),
        whole = b.createOrFold<arith::SubIOp>(loc, steps, rest);
  loop(constant(0), whole, lanes, [&](Value step) {
    SmallVector<Value> rows;
    for (Value line : from)
      rows.push_back(load(factor, add(line, step), lanes));
    transpose(b, loc, rows);
    Value to = add(at, mul(step, constant(width)));
    for (auto [i, row] : llvm::enumerate(rows))
      vector::StoreOp::create(b, loc, row, target,
                              add(to, constant(i * width)));
  });
  loop(whole, steps, 1, [&](Value step) {
    Value to = add(at, mul(step, constant(width)));
    for (auto [i, line] : llvm::enumerate(from))
      memref::StoreOp::create(b, loc, load(factor, add(line, step), 1), target,
                              add(to, constant(i)));
  });
}

} // namespace tpa::cpu
