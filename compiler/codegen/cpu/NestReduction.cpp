//===- NestReduction.cpp - Reductions of nests ---------------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The reduction loops of a nest around the points of a register tile.
//
//===----------------------------------------------------------------------===//

#include "compiler/codegen/cpu/NestEmitter.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Linalg/Transforms/Transforms.h"
#include "mlir/Dialect/Linalg/Utils/Utils.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "mlir/Dialect/X86Vector/X86VectorDialect.h"
#include "mlir/IR/Matchers.h"

using namespace mlir;

namespace tpa::cpu {

/// Bodies of a reduction, over all its loops and the points of the tile, that
/// are emitted one after the other.
static constexpr int64_t mostUnrolledBodies = 128;

/// Whether the reduction loops from `position` on are short enough to unroll.
bool NestEmitter::unrolls(unsigned position) const {
  if (!nest.unrollsReductions)
    return false;
  int64_t bodies = 1;
  if (nest.vectorLoop && stridedInputs(nest, *nest.vectorLoop) > 0)
    bodies = lanes;
  for (int64_t count : factor)
    bodies *= count;
  for (unsigned index : ArrayRef(reduction).drop_front(position)) {
    const Extent &extent = nest.extents[index];
    if (!extent.isStatic() || nest.tile[index])
      return false;
    bodies *= index == nest.vectorLoop
                  ? llvm::divideCeil(extent.constant, lanes)
                  : extent.constant;
    if (bodies > mostUnrolledBodies)
      return false;
  }
  return true;
}

bool NestEmitter::vectorReduction() const {
  return nest.vectorLoop && !nest.isParallel(*nest.vectorLoop);
}

/// What the accumulator starts from: the fill, else the result's old value.
Value NestEmitter::initial() {
  linalg::FillOp fill = nest.fill;
  return fill ? b.clone(*fill.getInputs()[0].getDefiningOp())->getResult(0)
              : Value();
}

NestEmitter::Values NestEmitter::reduce(ArrayRef<Point> points) {
  Values accumulators;
  OpOperand *out = root.getDpsInitOperand(0);
  for (const Point &point : points) {
    BodyEmitter body(b, loc, point);
    Value start = initial();
    if (!start)
      start = body.load(out->get(), root.getMatchingIndexingMap(out));
    if (vectorReduction()) {
      Value neutral = arith::ConstantOp::create(
          b, loc, *arith::getNeutralElement(combiner));
      Type type = VectorType::get({lanes}, neutral.getType());
      accumulators.push_back(
          vector::BroadcastOp::create(b, loc, type, neutral));
    } else {
      accumulators.push_back(body.toVector(start));
    }
  }
  if (nest.partials > 1) {
    Value neutral = accumulators.front();
    accumulators.append(points.size() * (nest.partials - 1), neutral);
  }
  accumulators = reduceLoops(0, accumulators);
  if (!vectorReduction())
    return accumulators;
  vector::CombiningKind kind = *linalg::getCombinerOpKind(combiner);
  for (unsigned i = points.size(); i < accumulators.size(); ++i)
    accumulators[i % points.size()] = vector::makeArithReduction(
        b, loc, kind, accumulators[i % points.size()], accumulators[i]);
  accumulators.truncate(points.size());
  for (auto [point, accumulator] : llvm::zip_equal(points, accumulators)) {
    Value start = initial();
    if (!start)
      start = BodyEmitter(b, loc, point)
                  .load(out->get(), root.getMatchingIndexingMap(out));
    accumulator = combine(accumulator, start);
  }
  return accumulators;
}

/// The partial sums of `lanes` points, before lanes are combined.
NestEmitter::Values NestEmitter::reduceLanes(ArrayRef<Point> points) {
  Value zero = arith::ConstantOp::create(
      b, loc, b.getZeroAttr(VectorType::get({lanes}, b.getF32Type())));
  return reduceLoops(0, Values(points.size(), zero));
}

/// Transposes while adding: lane k of the result is the sum over the lanes of
/// partial result k. A level halves the vectors; in each lane one of a pair
/// stays and the other's partner lane is added.
void NestEmitter::finishGathered(Point point, Values partial) {
  for (int64_t half = lanes / 2; half > 0; half /= 2) {
    SmallVector<int64_t> kept, moved;
    for (int64_t lane = 0; lane < lanes; ++lane) {
      int64_t source = lane & half ? lanes : 0;
      kept.push_back(source + lane);
      moved.push_back(source + (lane ^ half));
    }
    for (int64_t k = 0; k < half; ++k) {
      Value left = partial[k], right = partial[k + half];
      Value a = vector::ShuffleOp::create(b, loc, left, right, kept);
      Value c = vector::ShuffleOp::create(b, loc, left, right, moved);
      partial[k] = arith::AddFOp::create(b, loc, a, c);
    }
    partial.truncate(half);
  }
  point.vectorLoop = nest.gatherLoop;
  point.lanes = lanes;
  point.mask = point.last = {};
  Value value = partial[0];
  if (!nest.fill) {
    OpOperand *out = root.getDpsInitOperand(0);
    Value start = BodyEmitter(b, loc, point)
                      .load(out->get(), root.getMatchingIndexingMap(out));
    value = arith::AddFOp::create(b, loc, value, start);
  }
  finish(point, value);
}

/// Combines the lanes of a partial result with the value it started from.
Value NestEmitter::combine(Value partial, Value init) {
  vector::CombiningKind kind = *linalg::getCombinerOpKind(combiner);
  Value reduced = vector::ReductionOp::create(
      b, loc, kind, partial,
      kind == vector::CombiningKind::ADD ? arith::FastMathFlags::reassoc
                                         : arith::FastMathFlags::none);
  return vector::makeArithReduction(b, loc, kind, reduced, init);
}

NestEmitter::Values NestEmitter::reduceLoops(unsigned position,
                                             Values accumulators) {
  if (position == reduction.size())
    return step(tilePoints(), accumulators);
  unsigned index = reduction[position];
  if (index == nest.vectorLoop)
    return reduceVector(index, accumulators);
  // A few steps are not worth a loop.
  if (unrolls(position)) {
    for (int64_t k = 0; k < nest.extents[index].constant; ++k) {
      current.indices[index] = constant(k);
      accumulators = reduceLoops(position + 1, accumulators);
    }
    return accumulators;
  }
  auto op = scf::ForOp::create(b, loc, lower[index], upper[index], constant(1),
                               accumulators);
  OpBuilder::InsertionGuard guard(b);
  b.setInsertionPointToStart(op.getBody());
  current.indices[index] = op.getInductionVar();
  Values next = reduceLoops(position + 1, Values(op.getRegionIterArgs()));
  scf::YieldOp::create(b, loc, next);
  return Values(op.getResults());
}

NestEmitter::Values NestEmitter::reduceVector(unsigned index,
                                              Values accumulators) {
  current.vectorLoop = index;
  if (nest.sumsPairs)
    return reducePairs(index, accumulators);
  current.lanes = lanes;
  Value start = lower[index];
  Values others; // of which the rest of the loop has no need
  if (nest.partials > 1) {
    start = wholeSteps(start, upper[index], nest.partials * lanes);
    accumulators = reducePartials(index, start, accumulators);
    unsigned points = accumulators.size() / nest.partials;
    others.assign(accumulators.begin() + points, accumulators.end());
    accumulators.truncate(points);
  }
  Value boundary = wholeSteps(start, upper[index], lanes);
  auto run = [&](Value from, Value to, bool masked) {
    APInt low, high;
    if (matchPattern(from, m_ConstantInt(&low)) &&
        matchPattern(to, m_ConstantInt(&high)) && low.sge(high))
      return;
    if (!masked && matchPattern(from, m_Zero()) &&
        matchPattern(to, m_ConstantInt(&high)) &&
        unrolls(reduction.size() - 1)) {
      for (int64_t at = 0; at < high.getSExtValue(); at += lanes) {
        current.indices[index] = constant(at);
        accumulators = step(tilePoints(), accumulators);
      }
      return;
    }
    auto op =
        scf::ForOp::create(b, loc, from, to, constant(lanes), accumulators);
    OpBuilder::InsertionGuard guard(b);
    b.setInsertionPointToStart(op.getBody());
    Value at = op.getInductionVar();
    current.indices[index] = at;
    if (masked) {
      Value count = arith::SubIOp::create(b, loc, to, at);
      current.mask = vector::CreateMaskOp::create(
          b, loc, VectorType::get({lanes}, b.getI1Type()), count);
      current.last = arith::SubIOp::create(b, loc, to, constant(1));
    }
    scf::YieldOp::create(b, loc, step(tilePoints(), op.getRegionIterArgs()));
    accumulators = Values(op.getResults());
    current.mask = current.last = {};
  };
  run(start, boundary, /*masked=*/false);
  run(boundary, upper[index], /*masked=*/true);
  current.vectorLoop.reset();
  current.lanes = 1;
  accumulators.append(others);
  return accumulators;
}

/// Two products a lane and step, of whole vectors.
NestEmitter::Values NestEmitter::reducePairs(unsigned index,
                                             Values accumulators) {
  current.lanes = 2 * lanes;
  auto add = [&](Value at) {
    current.indices[index] = at;
    for (auto [point, sum] : llvm::zip_equal(tilePoints(), accumulators)) {
      Values factors;
      for (OpOperand *input : root.getDpsInputOperands())
        factors.push_back(
            BodyEmitter(b, loc, point)
                .load(input->get(), root.getMatchingIndexingMap(input)));
      sum = x86vector::DotBF16Op::create(b, loc, sum.getType(), sum, factors[0],
                                         factors[1]);
    }
  };
  if (unrolls(reduction.size() - 1)) {
    for (int64_t at = 0; at < nest.extents[index].constant; at += 2 * lanes)
      add(constant(at));
  } else {
    auto op = scf::ForOp::create(b, loc, lower[index], upper[index],
                                 constant(2 * lanes), accumulators);
    OpBuilder::InsertionGuard guard(b);
    b.setInsertionPointToStart(op.getBody());
    accumulators = Values(op.getRegionIterArgs());
    add(op.getInductionVar());
    scf::YieldOp::create(b, loc, accumulators);
    accumulators = Values(op.getResults());
  }
  current.vectorLoop.reset();
  current.lanes = 1;
  return accumulators;
}

/// Whole steps of several vectors up to `to`, each with a sum of its own.
NestEmitter::Values NestEmitter::reducePartials(unsigned index, Value to,
                                                Values accumulators) {
  unsigned points = accumulators.size() / nest.partials;
  auto op = scf::ForOp::create(b, loc, lower[index], to,
                               constant(nest.partials * lanes), accumulators);
  OpBuilder::InsertionGuard guard(b);
  b.setInsertionPointToStart(op.getBody());
  current.indices[index] = op.getInductionVar();
  prefetchAhead(index);
  Values next;
  for (int64_t part = 0; part < nest.partials; ++part) {
    current.indices[index] = b.createOrFold<arith::AddIOp>(
        loc, op.getInductionVar(), constant(part * lanes));
    next.append(step(tilePoints(),
                     op.getRegionIterArgs().slice(part * points, points)));
  }
  scf::YieldOp::create(b, loc, next);
  return Values(op.getResults());
}

/// Asks for what a stream of memory gives a little later, beyond the end of a
/// row for the next one.
void NestEmitter::prefetchAhead(unsigned index) {
  static constexpr int64_t line = 64; // bytes
  if (nest.prefetchBytes == 0)
    return;
  for (OpOperand *input : root.getDpsInputOperands()) {
    AffineMap map = root.getMatchingIndexingMap(input);
    auto type = dyn_cast<MemRefType>(input->get().getType());
    // What no other loop moves along is in the cache.
    if (!type || accessAlong(map, input->get(), index) != Access::Contiguous ||
        !isStreamed(nest, *input))
      continue;
    int64_t bytes = type.getElementTypeBitWidth() / 8;
    for (int64_t at = 0; at < nest.partials * lanes * bytes; at += line) {
      Point ahead = current;
      ahead.indices[index] =
          arith::AddIOp::create(b, loc, current.indices[index],
                                constant((nest.prefetchBytes + at) / bytes));
      BodyEmitter(b, loc, ahead).prefetch(input->get(), map);
    }
  }
}

} // namespace tpa::cpu
