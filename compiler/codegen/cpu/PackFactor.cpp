//===- PackFactor.cpp - Packing the factors of products -------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Emits the packing of a product's factors into scratch memory, as words:
// widened to f32, or two steps of the sum in bf16.
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

/// Lines [first, end) in panels of `lines`, of which a word of each takes
/// `width` places.
void PackedProductEmitter::pack(const Factor &factor, Value first, Value end,
                                Value target, int64_t lines, int64_t width) {
  Value length = b.createOrFold<arith::SubIOp>(loc, end, first);
  Value panels =
      b.createOrFold<arith::CeilDivUIOp>(loc, length, constant(lines));
  auto place = [&](Value panel, Value word) {
    return add(mul(panel, constant(wordsPerBlock * width)),
               mul(word, constant(width)));
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
  loop(constant(0), words, 1, [&](Value word) {
    Value at = add(stepBegin, mul(word, constant(product.stepsPerWord())));
    auto far = [&](int64_t steps) {
      return offset(factor.map, product.summed, add(at, constant(steps)));
    };
    Value from = far(0), second = far(1), ahead = far(stepsAhead);
    loop(constant(0), panels, 1, [&](Value panel) {
      Value line = add(first, mul(panel, constant(lines)));
      Value left = arith::SubIOp::create(b, loc, factor.count, line);
      Value to = place(panel, word);
      for (int64_t i = 0; i < width; i += lanes) {
        Value at = add(line, constant(i));
        prefetch(factor.memory, add(ahead, at));
        copyLines(factor, add(from, at), add(second, at), left, i, target,
                  add(to, constant(i)));
      }
    });
  });
}

/// Copies `lanes` neighbours, or those that exist: `left` from `i` places
/// before; `next` is where the second step of pairs lies. Others are zero, for
/// chance values can be slow to compute with.
void PackedProductEmitter::copyLines(const Factor &factor, Value from,
                                     Value next, Value left, int64_t i,
                                     Value target, Value to) {
  Value isWhole = arith::CmpIOp::create(b, loc, arith::CmpIPredicate::sge, left,
                                        constant(i + lanes));
  auto branch = scf::IfOp::create(b, loc, isWhole, /*withElseRegion=*/true);
  OpBuilder::InsertionGuard guard(b);
  b.setInsertionPointToStart(branch.thenBlock());
  vector::StoreOp::create(b, loc, load(factor, from, next, lanes), target, to);
  b.setInsertionPointToStart(branch.elseBlock());
  Value zero = arith::ConstantOp::create(b, loc, b.getZeroAttr(vectorType));
  vector::StoreOp::create(b, loc, zero, target, to);
  loop(constant(i), left, 1, [&](Value line) {
    Value at = arith::SubIOp::create(b, loc, line, constant(i));
    memref::StoreOp::create(b, loc,
                            load(factor, add(from, at), add(next, at), 1),
                            target, add(to, at));
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
  Value rest = b.createOrFold<arith::RemUIOp>(loc, words, constant(lanes)),
        whole = b.createOrFold<arith::SubIOp>(loc, words, rest);
  auto read = [&](Value line, Value word, int64_t count) {
    Value step = mul(word, constant(product.stepsPerWord()));
    return load(factor, add(line, step), {}, count);
  };
  loop(constant(0), whole, lanes, [&](Value word) {
    SmallVector<Value> rows;
    for (Value line : from)
      rows.push_back(read(line, word, lanes));
    transpose(b, loc, rows);
    Value to = add(at, mul(word, constant(width)));
    for (auto [i, row] : llvm::enumerate(rows))
      vector::StoreOp::create(b, loc, row, target,
                              add(to, constant(i * width)));
  });
  loop(whole, words, 1, [&](Value word) {
    Value to = add(at, mul(word, constant(width)));
    for (auto [i, line] : llvm::enumerate(from))
      memref::StoreOp::create(b, loc, read(line, word, 1), target,
                              add(to, constant(i)));
  });
}

} // namespace tpa::cpu
