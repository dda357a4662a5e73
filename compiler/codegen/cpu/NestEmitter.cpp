//===- NestEmitter.cpp - Nests to vector loops ----------------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Emits a scheduled nest as scf loops around vector operations.
//
//===----------------------------------------------------------------------===//

#include "compiler/codegen/cpu/NestEmitter.h"
#include "mlir/Analysis/SliceAnalysis.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Linalg/Transforms/Transforms.h"
#include "mlir/Dialect/Linalg/Utils/Utils.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "mlir/Dialect/X86Vector/X86VectorDialect.h"
#include "mlir/IR/Matchers.h"

using namespace mlir;

namespace tpa::cpu {

NestEmitter::NestEmitter(OpBuilder &builder, const Nest &nest, int64_t lanes,
                         ArrayRef<Value> lower, ArrayRef<Value> upper)
    : b(builder), nest(nest), root(nest.root), loc(root.getLoc()), lanes(lanes),
      lower(lower), upper(upper) {
  for (unsigned loop = 0; loop < nest.extents.size(); ++loop)
    if (loop != nest.vectorLoop)
      (nest.isParallel(loop) ? parallel : reduction).push_back(loop);
  if (nest.vectorLoop)
    (nest.isParallel(*nest.vectorLoop) ? parallel : reduction)
        .push_back(*nest.vectorLoop);
  sortByMemory(nest, parallel);
  sortByMemory(nest, reduction);
  current.indices.assign(lower.begin(), lower.end());
  factor.assign(nest.extents.size(), 1);
}

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

Value NestEmitter::constant(int64_t value) {
  return arith::ConstantIndexOp::create(b, loc, value);
}

/// `to - from`, where both are known.
static std::optional<int64_t> constantDistance(Value from, Value to) {
  std::optional<int64_t> low = getConstantIntValue(from),
                         high = getConstantIntValue(to);
  if (!low || !high)
    return std::nullopt;
  return *high - *low;
}

/// A loop of known single trip is no loop.
void NestEmitter::loop(Value from, Value to, int64_t step,
                       function_ref<void(Value)> body) {
  if (std::optional<int64_t> distance = constantDistance(from, to)) {
    int64_t trips = (*distance + step - 1) / step;
    if (trips <= 0)
      return;
    if (trips == 1)
      return body(from);
  }
  auto op = scf::ForOp::create(b, loc, from, to, constant(step));
  OpBuilder::InsertionGuard guard(b);
  b.setInsertionPointToStart(op.getBody());
  body(op.getInductionVar());
}

/// Splits [from, to) into whole steps and a rest; returns the boundary.
static Value wholeSteps(OpBuilder &b, Location loc, Value from, Value to,
                        int64_t step) {
  Value size = arith::ConstantIndexOp::create(b, loc, step);
  Value length = b.createOrFold<arith::SubIOp>(loc, to, from);
  Value rest = b.createOrFold<arith::RemUIOp>(loc, length, size);
  return b.createOrFold<arith::SubIOp>(loc, to, rest);
}

LogicalResult NestEmitter::findCombiner() {
  if (!nest.isReduction())
    return success();
  SmallVector<Operation *> combiners;
  if (!matchReduction(root.getRegionOutputArgs(), 0, combiners) ||
      combiners.size() != 1)
    return root.emitOpError("reduces by more than one operation");
  combiner = combiners.front();
  if (!linalg::getCombinerOpKind(combiner) ||
      !arith::getNeutralElement(combiner))
    return root.emitOpError("reduces by ")
           << combiner->getName() << ", for which there is no vector reduction";
  return success();
}

LogicalResult NestEmitter::emit() {
  if (failed(findCombiner()))
    return failure();
  SmallVector<Nest> nests;
  for (const Twin &twin : nest.twins)
    nests.push_back(nest.ofTwin(twin));
  for (const Nest &other : nests) {
    twins.emplace_back(b, other, lanes, lower, upper);
    if (failed(twins.back().findCombiner()))
      return failure();
  }
  emitParallel(0);
  twins.clear();
  return success();
}

void NestEmitter::emitParallel(unsigned position) {
  if (position == parallel.size())
    return emitTile();
  unsigned index = parallel[position];
  if (index == nest.vectorLoop)
    return emitVectorParallel(index);
  auto run = [&](Value from, Value to, int64_t step) {
    factor[index] = step;
    loop(from, to, step, [&](Value at) {
      current.indices[index] = at;
      emitParallel(position + 1);
    });
    factor[index] = 1;
  };
  int64_t unroll = nest.unroll[index];
  // Workgroup tiles are multiples of the register tile: whole extents stay
  // whole.
  const Extent &extent = nest.extents[index];
  if (extent.isStatic() && extent.constant % unroll == 0)
    return run(lower[index], upper[index], unroll);
  Value boundary = wholeSteps(b, loc, lower[index], upper[index], unroll);
  run(lower[index], boundary, unroll);
  // A known rest is one smaller tile.
  bool isWhole = !nest.tile[index] && extent.isStatic();
  run(boundary, upper[index], isWhole ? extent.constant % unroll : 1);
}

void NestEmitter::emitVectorParallel(unsigned index) {
  current.vectorLoop = index;
  current.lanes = lanes;
  auto run = [&](Value from, Value to, int64_t vectors) {
    factor[index] = vectors;
    loop(from, to, vectors * lanes, [&](Value at) {
      current.indices[index] = at;
      emitTile();
    });
    factor[index] = 1;
  };
  Value from = lower[index], to = upper[index];
  Value whole = wholeSteps(b, loc, from, to, nest.unroll[index] * lanes);
  run(from, whole, nest.unroll[index]);
  Value vectors = wholeSteps(b, loc, whole, to, lanes);
  if (nest.unroll[index] > 1)
    run(whole, vectors, 1);
  emitRest(index, vectors);
  current.vectorLoop.reset();
  current.lanes = 1;
}

/// The points from `from` on, fewer than lanes: none, one or two steps of fewer
/// lanes, or one under a mask.
void NestEmitter::emitRest(unsigned index, Value from) {
  static constexpr int64_t mostSteps = 2;
  Value to = upper[index];
  if (std::optional<int64_t> rest = constantDistance(from, to);
      rest && llvm::popcount(uint64_t(*rest)) <= mostSteps) {
    int64_t done = 0;
    for (int64_t width = lanes / 2; width > 0; width /= 2) {
      if (!(*rest & width))
        continue;
      current.lanes = width;
      if (width == 1)
        current.vectorLoop.reset();
      current.indices[index] =
          b.createOrFold<arith::AddIOp>(loc, from, constant(done));
      emitTile();
      done += width;
    }
    return;
  }
  loop(from, to, lanes, [&](Value at) {
    Value count = arith::SubIOp::create(b, loc, to, at);
    current.mask = vector::CreateMaskOp::create(
        b, loc, VectorType::get({lanes}, b.getI1Type()), count);
    current.last = arith::SubIOp::create(b, loc, to, constant(1));
    current.indices[index] = at;
    emitTile();
    current.mask = current.last = {};
  });
}

/// The points of the register tile at the current place.
SmallVector<Point> NestEmitter::tilePoints() {
  SmallVector<Point> points = {current};
  for (unsigned index : parallel) {
    int64_t stride = index == nest.vectorLoop ? lanes : 1;
    SmallVector<Point> more;
    for (const Point &point : points)
      for (int64_t k = 0; k < factor[index]; ++k) {
        more.push_back(point);
        if (k > 0)
          more.back().indices[index] = arith::AddIOp::create(
              b, loc, point.indices[index], constant(k * stride));
      }
    points = more;
  }
  return points;
}

void NestEmitter::emitTile() {
  SmallVector<Point> points = tilePoints();
  if (nest.gatherLoop && factor[*nest.gatherLoop] == lanes)
    return finishGathered(points.front(), reduceLanes(points));
  SmallVector<Values> results = {resultsAt(points)};
  for (NestEmitter &twin : twins) {
    twin.current = current;
    twin.factor = factor;
    results.push_back(twin.resultsAt(points));
  }
  for (auto [i, point] : llvm::enumerate(points)) {
    Values values;
    for (const Values &ofRoot : results)
      values.push_back(ofRoot[i]);
    finish(point, values);
  }
}

NestEmitter::Values NestEmitter::resultsAt(ArrayRef<Point> points) {
  return nest.isReduction() ? reduce(points)
                            : step(points, Values(points.size()));
}

//===----------------------------------------------------------------------===//
// Reduction
//===----------------------------------------------------------------------===//

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
    start = wholeSteps(b, loc, start, upper[index], nest.partials * lanes);
    accumulators = reducePartials(index, start, accumulators);
    unsigned points = accumulators.size() / nest.partials;
    others.assign(accumulators.begin() + points, accumulators.end());
    accumulators.truncate(points);
  }
  Value boundary = wholeSteps(b, loc, start, upper[index], lanes);
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

/// Evaluates the body at each point; absent lanes of a vector reduction leave
/// their accumulator alone.
NestEmitter::Values NestEmitter::step(ArrayRef<Point> points,
                                      ValueRange accumulators) {
  Values results;
  for (auto [point, accumulator] : llvm::zip_equal(points, accumulators)) {
    BodyEmitter body(b, loc, point);
    Values arguments;
    for (OpOperand *input : root.getDpsInputOperands()) {
      Value operand = input->get();
      arguments.push_back(
          isa<MemRefType>(operand.getType())
              ? body.load(operand, root.getMatchingIndexingMap(input))
              : operand);
    }
    OpOperand *out = root.getDpsInitOperand(0);
    if (accumulator)
      arguments.push_back(accumulator);
    else if (root.payloadUsesValueFromOperand(out))
      arguments.push_back(
          body.load(out->get(), root.getMatchingIndexingMap(out)));
    else
      arguments.push_back(arith::ConstantOp::create(
          b, loc, b.getZeroAttr(getElementTypeOrSelf(out->get().getType()))));
    Value result = body.evaluate(root, arguments);
    if (accumulator && isa<VectorType>(accumulator.getType()))
      result = body.toVector(result);
    if (accumulator && point.mask && vectorReduction())
      result = arith::SelectOp::create(b, loc, point.mask, result, accumulator);
    results.push_back(result);
  }
  return results;
}

//===----------------------------------------------------------------------===//
// Result
//===----------------------------------------------------------------------===//

void NestEmitter::finish(const Point &point, ArrayRef<Value> values) {
  OpOperand *out = root.getDpsInitOperand(0);
  AffineMap outMap = root.getMatchingIndexingMap(out);
  if (!nest.epilogue) {
    BodyEmitter(b, loc, point).store(values[0], out->get(), outMap);
    return;
  }
  linalg::GenericOp epilogue = nest.epilogue;
  llvm::SmallDenseMap<Value, Value> made = {{out->get(), values[0]}};
  for (auto [twin, value] : llvm::zip_equal(nest.twins, values.drop_front())) {
    linalg::GenericOp op = twin.root;
    made[op.getDpsInits()[0]] = value;
  }
  // Loop e of the epilogue is the root's loop that yields the same dimension.
  AffineMap readMap;
  for (OpOperand *input : epilogue.getDpsInputOperands())
    if (input->get() == out->get())
      readMap = epilogue.getMatchingIndexingMap(input);
  Point at = point;
  at.indices.assign(epilogue.getNumLoops(), Value());
  at.vectorLoop.reset();
  for (unsigned k = 0; k < readMap.getNumResults(); ++k) {
    unsigned loop = readMap.getDimPosition(k),
             rootLoop = outMap.getDimPosition(k);
    at.indices[loop] = point.indices[rootLoop];
    if (point.vectorLoop == rootLoop)
      at.vectorLoop = loop;
  }
  if (!at.vectorLoop) {
    at.lanes = 1;
    at.mask = {};
  }
  BodyEmitter body(b, epilogue.getLoc(), at);
  Values arguments;
  for (OpOperand *input : epilogue.getDpsInputOperands()) {
    Value operand = input->get();
    if (Value value = made.lookup(operand))
      arguments.push_back(value);
    else if (isa<MemRefType>(operand.getType()))
      arguments.push_back(
          body.load(operand, epilogue.getMatchingIndexingMap(input)));
    else
      arguments.push_back(operand);
  }
  OpOperand *result = epilogue.getDpsInitOperand(0);
  AffineMap resultMap = epilogue.getMatchingIndexingMap(result);
  // One that updates in place reads what it writes; others have no old value.
  if (epilogue.payloadUsesValueFromOperand(result))
    arguments.push_back(body.load(result->get(), resultMap));
  else
    arguments.push_back(arith::ConstantOp::create(
        b, loc, b.getZeroAttr(getElementTypeOrSelf(result->get().getType()))));
  body.store(body.evaluate(epilogue, arguments), result->get(), resultMap);
}

} // namespace tpa::cpu
