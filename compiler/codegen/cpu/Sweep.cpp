//===- Sweep.cpp - Updates that also add up -------------------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Emits an operation with several results as loops around vector operations.
//
//===----------------------------------------------------------------------===//

#include "compiler/codegen/cpu/Sweep.h"
#include "mlir/Analysis/SliceAnalysis.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "mlir/IR/Matchers.h"

using namespace mlir;

namespace tpa::cpu {

/// Whether a result is one element for each round of the parallel loops.
static bool isSum(linalg::GenericOp root, unsigned result) {
  return root.getIndexingMapsArray()[root.getNumDpsInputs() + result]
             .getNumResults() < root.getNumLoops();
}

SmallVector<linalg::FillOp> fillsOf(const Nest &sweep) {
  linalg::GenericOp root = sweep.root;
  SmallVector<linalg::FillOp> fills;
  for (auto [i, out] : llvm::enumerate(root.getDpsInits()))
    if (isSum(root, i))
      fills.push_back(fillBefore(root, out));
  return fills;
}

LogicalResult matchSweep(const Nest &nest) {
  linalg::GenericOp root = nest.root;
  auto refuse = [&](const Twine &why) {
    return root.emitOpError("has several results, and ") << why;
  };
  unsigned loops = root.getNumLoops(), parallel = root.getNumParallelLoops();
  for (unsigned loop = 0; loop < parallel; ++loop)
    if (!nest.isParallel(loop))
      return refuse("a reduction before a parallel loop");
  AffineMap all = AffineMap::getMultiDimIdentityMap(loops, root.getContext());
  AffineMap outer = AffineMap::get(
      loops, 0, all.getResults().take_front(parallel), root.getContext());
  for (unsigned i = 0; i < root.getNumDpsInits(); ++i) {
    OpOperand *out = root.getDpsInitOperand(i);
    AffineMap map = root.getMatchingIndexingMap(out);
    if (map == all)
      continue;
    if (map != outer)
      return refuse("one is indexed otherwise than by all or by the parallel "
                    "loops, in order");
    SmallVector<Operation *> combiners;
    if (!matchReduction(root.getRegionOutputArgs(), i, combiners) ||
        combiners.size() != 1 || !isa<arith::AddFOp>(combiners.front()))
      return refuse("one that lacks loops is not a sum");
    linalg::FillOp fill = fillBefore(root, out->get());
    if (!fill || !matchPattern(fill.getInputs()[0], m_AnyZeroFloat()))
      return refuse("one that lacks loops does not start from zero");
  }
  return success();
}

void scheduleSweep(Nest &nest) {
  unsigned last = nest.extents.size() - 1;
  if (nest.extents[last].estimate() >= 4)
    nest.vectorLoop = last;
}

namespace {
class SweepEmitter {
public:
  SweepEmitter(OpBuilder &builder, const Nest &nest, int64_t lanes,
               ArrayRef<Value> lower, ArrayRef<Value> upper)
      : b(builder), nest(nest), root(nest.root), loc(root.getLoc()),
        lanes(nest.vectorLoop ? lanes : 1), lower(lower), upper(upper) {
    point.indices.assign(lower.begin(), lower.end());
  }

  void emit() { (void)run(0, {}); }

private:
  using Values = SmallVector<Value>;

  bool startsSums(unsigned loop) {
    return loop == root.getNumParallelLoops() && loop < nest.extents.size();
  }

  /// The loops from `loop` on; takes the sums so far and returns them.
  Values run(unsigned loop, Values sums) {
    if (startsSums(loop) && sums.empty()) {
      for (unsigned i = 0; i < root.getNumDpsInits(); ++i)
        if (isSum(root, i))
          sums.push_back(zero(root.getDpsInits()[i]));
      sums = run(loop, sums);
      storeSums(sums);
      return {};
    }
    if (loop == nest.extents.size())
      return step(sums);
    bool isVector = loop == nest.vectorLoop;
    Value from = lower[loop], to = upper[loop];
    if (!isVector)
      return rounds(loop, from, to, 1, sums);
    Value length = b.createOrFold<arith::SubIOp>(loc, to, from);
    Value rest = b.createOrFold<arith::RemUIOp>(loc, length, constant(lanes));
    Value whole = b.createOrFold<arith::SubIOp>(loc, to, rest);
    point.vectorLoop = loop;
    point.lanes = lanes;
    sums = rounds(loop, from, whole, lanes, sums);
    if (getConstantIntValue(rest) != 0) {
      point.mask = vector::CreateMaskOp::create(
          b, loc, VectorType::get({lanes}, b.getI1Type()), rest);
      point.last = arith::SubIOp::create(b, loc, to, constant(1));
      point.indices[loop] = whole;
      sums = step(sums);
      point.mask = point.last = {};
    }
    point.vectorLoop.reset();
    point.lanes = 1;
    return sums;
  }

  Values rounds(unsigned loop, Value from, Value to, int64_t step,
                Values sums) {
    auto op = scf::ForOp::create(b, loc, from, to, constant(step), sums);
    OpBuilder::InsertionGuard guard(b);
    b.setInsertionPointToStart(op.getBody());
    point.indices[loop] = op.getInductionVar();
    Values done = run(loop + 1, Values(op.getRegionIterArgs()));
    if (!done.empty())
      scf::YieldOp::create(b, loc, done);
    return Values(op.getResults());
  }

  /// One vector of points, absent ones of which leave the sums alone.
  Values step(const Values &sums) {
    BodyEmitter body(b, loc, point);
    Values arguments;
    for (OpOperand *input : root.getDpsInputOperands())
      arguments.push_back(
          isa<MemRefType>(input->get().getType())
              ? body.load(input->get(), root.getMatchingIndexingMap(input))
              : input->get());
    auto nextSum = sums.begin();
    for (OpOperand &out : root.getDpsInitsMutable()) {
      if (isSum(root, out.getOperandNumber() - root.getNumDpsInputs()))
        arguments.push_back(*nextSum++);
      else if (root.payloadUsesValueFromOperand(&out))
        arguments.push_back(
            body.load(out.get(), root.getMatchingIndexingMap(&out)));
      else
        arguments.push_back(arith::ConstantOp::create(
            b, loc, b.getZeroAttr(getElementTypeOrSelf(out.get().getType()))));
    }
    Values results = body.evaluateAll(root, arguments), added;
    for (auto [i, value] : llvm::enumerate(results)) {
      OpOperand *out = root.getDpsInitOperand(i);
      if (!isSum(root, i)) {
        body.store(value, out->get(), root.getMatchingIndexingMap(out));
        continue;
      }
      Value old = sums[added.size()];
      Value sum = body.toVector(value);
      added.push_back(
          point.mask ? arith::SelectOp::create(b, loc, point.mask, sum, old)
                           .getResult()
                     : sum);
    }
    return added;
  }

  void storeSums(const Values &sums) {
    BodyEmitter body(b, loc, point);
    auto next = sums.begin();
    for (unsigned i = 0; i < root.getNumDpsInits(); ++i) {
      if (!isSum(root, i))
        continue;
      OpOperand *out = root.getDpsInitOperand(i);
      Value sum = *next++;
      if (isa<VectorType>(sum.getType()))
        sum = vector::ReductionOp::create(b, loc, vector::CombiningKind::ADD,
                                          sum);
      body.store(sum, out->get(), root.getMatchingIndexingMap(out));
    }
  }

  Value zero(Value out) {
    Type type = getElementTypeOrSelf(out.getType());
    if (nest.vectorLoop)
      type = VectorType::get({lanes}, type);
    return arith::ConstantOp::create(b, loc, b.getZeroAttr(type));
  }
  Value constant(int64_t value) {
    return arith::ConstantIndexOp::create(b, loc, value);
  }

  OpBuilder &b;
  const Nest &nest;
  linalg::GenericOp root;
  Location loc;
  int64_t lanes;
  ArrayRef<Value> lower, upper;
  Point point;
};
} // namespace

void emitSweep(OpBuilder &builder, const Nest &nest, int64_t lanes,
               ArrayRef<Value> lower, ArrayRef<Value> upper) {
  SweepEmitter(builder, nest, lanes, lower, upper).emit();
}

} // namespace tpa::cpu
