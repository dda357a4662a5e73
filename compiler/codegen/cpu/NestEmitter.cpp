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

using namespace mlir;

namespace tpa::cpu {

NestEmitter::NestEmitter(OpBuilder &builder, const Nest &nest, int64_t lanes,
                         ArrayRef<Value> lower, ArrayRef<Value> upper)
    : b(builder), nest(nest), root(nest.root), loc(root.getLoc()), lanes(lanes),
      lower(lower), upper(upper) {
  for (unsigned loop = 0; loop < nest.extents.size(); ++loop)
    if (loop != nest.vectorLoop)
      (nest.isParallel(loop) ? parallel : reduction).push_back(loop);
  sortByMemory(nest, parallel);
  sortByMemory(nest, reduction);
  // The innermost, also where memory has no other loop of the reduction.
  if (nest.vectorLoop)
    (nest.isParallel(*nest.vectorLoop) ? parallel : reduction)
        .push_back(*nest.vectorLoop);
  current.indices.assign(lower.begin(), lower.end());
  factor.assign(nest.extents.size(), 1);
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
Value NestEmitter::wholeSteps(Value from, Value to, int64_t step) {
  Value length = b.createOrFold<arith::SubIOp>(loc, to, from);
  Value rest = b.createOrFold<arith::RemUIOp>(loc, length, constant(step));
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
  Value boundary = wholeSteps(lower[index], upper[index], unroll);
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
  Value whole = wholeSteps(from, to, nest.unroll[index] * lanes);
  run(from, whole, nest.unroll[index]);
  Value vectors = wholeSteps(whole, to, lanes);
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
