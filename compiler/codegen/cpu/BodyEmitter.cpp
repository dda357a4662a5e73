//===- BodyEmitter.cpp - Bodies of linalg.generic -------------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Emits the body of a linalg.generic for one point or one vector of points.
//
//===----------------------------------------------------------------------===//

#include "compiler/codegen/cpu/BodyEmitter.h"
#include "compiler/codegen/cpu/Nest.h"
#include "mlir/Dialect/Affine/IR/AffineOps.h"
#include "mlir/Dialect/Affine/Utils.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"

using namespace mlir;

namespace tpa::cpu {

Value BodyEmitter::toVector(Value value) {
  if (point.lanes == 1 || isa<VectorType>(value.getType()))
    return value;
  return vector::BroadcastOp::create(b, loc, vectorOf(value.getType()), value);
}

/// The vector loop's index in one lane; absent lanes repeat the last point, so
/// that whatever they read exists.
Value BodyEmitter::laneIndex(int64_t lane) {
  Value offset = arith::ConstantIndexOp::create(b, loc, lane);
  Value index =
      arith::AddIOp::create(b, loc, point.indices[*point.vectorLoop], offset);
  return point.mask ? arith::MinSIOp::create(b, loc, index, point.last) : index;
}

/// The operand's indices, with the vector loop at `lane` if that is given.
SmallVector<Value> BodyEmitter::indicesOf(AffineMap map, Value lane) {
  SmallVector<Value> loops(point.indices);
  if (lane)
    loops[*point.vectorLoop] = lane;
  SmallVector<Value> indices;
  for (AffineExpr expr : map.getResults())
    indices.push_back(affine::expandAffineExpr(b, loc, expr, loops, {}));
  return indices;
}

Value BodyEmitter::vectorLoad(Value memref, ValueRange indices) {
  VectorType type =
      vectorOf(cast<MemRefType>(memref.getType()).getElementType());
  if (!point.mask)
    return vector::LoadOp::create(b, loc, type, memref, indices);
  // Narrow vectors come without masked loads of narrow elements, which LLVM
  // would make up with library calls.
  if (type.getElementTypeBitWidth() < 32 && point.lanes < 16) {
    SmallVector<Value> lanes;
    for (int64_t lane = 0; lane < point.lanes; ++lane) {
      SmallVector<Value> at(indices.drop_back());
      at.push_back(laneIndex(lane));
      lanes.push_back(memref::LoadOp::create(b, loc, memref, at));
    }
    return vector::FromElementsOp::create(b, loc, type, lanes);
  }
  Value zero = arith::ConstantOp::create(b, loc, b.getZeroAttr(type));
  return vector::MaskedLoadOp::create(b, loc, type, memref, indices, point.mask,
                                      zero);
}

Value BodyEmitter::load(Value memref, AffineMap map) {
  Access access = point.vectorLoop ? accessAlong(map, memref, *point.vectorLoop)
                                   : Access::Invariant;
  if (access == Access::Invariant)
    return memref::LoadOp::create(b, loc, memref, indicesOf(map, {}));
  if (access == Access::Contiguous)
    return vectorLoad(memref, indicesOf(map, {}));
  SmallVector<Value> lanes;
  for (int64_t lane = 0; lane < point.lanes; ++lane)
    lanes.push_back(memref::LoadOp::create(b, loc, memref,
                                           indicesOf(map, laneIndex(lane))));
  return vector::FromElementsOp::create(b, loc, vectorOf(lanes[0].getType()),
                                        lanes);
}

void BodyEmitter::prefetch(Value memref, AffineMap map) {
  memref::PrefetchOp::create(b, loc, memref, indicesOf(map, {}),
                             /*isWrite=*/false,
                             /*localityHint=*/3, /*isDataCache=*/true);
}

void BodyEmitter::store(Value value, Value memref, AffineMap map) {
  Access access = point.vectorLoop ? accessAlong(map, memref, *point.vectorLoop)
                                   : Access::Invariant;
  if (access == Access::Invariant) {
    memref::StoreOp::create(b, loc, value, memref, indicesOf(map, {}));
    return;
  }
  value = toVector(value);
  if (access == Access::Contiguous) {
    if (point.mask)
      vector::MaskedStoreOp::create(b, loc, memref, indicesOf(map, {}),
                                    point.mask, value);
    else
      vector::StoreOp::create(b, loc, value, memref, indicesOf(map, {}));
    return;
  }
  for (int64_t lane = 0; lane < point.lanes; ++lane) {
    auto storeLane = [&] {
      Value element = vector::ExtractOp::create(b, loc, value, lane);
      memref::StoreOp::create(b, loc, element, memref,
                              indicesOf(map, laneIndex(lane)));
    };
    if (!point.mask) {
      storeLane();
      continue;
    }
    Value present = vector::ExtractOp::create(b, loc, point.mask, lane);
    auto branch = scf::IfOp::create(b, loc, present, /*withElseRegion=*/false);
    OpBuilder::InsertionGuard guard(b);
    b.setInsertionPointToStart(branch.thenBlock());
    storeLane();
  }
}

/// A load in the body: one element, a vector of neighbours, or lane by lane.
Value BodyEmitter::lookUp(Value memref, OperandRange original,
                          ValueRange indices) {
  auto isVector = [](Value value) { return isa<VectorType>(value.getType()); };
  if (llvm::none_of(indices, isVector))
    return memref::LoadOp::create(b, loc, memref, indices);
  auto last = original.back().getDefiningOp<linalg::IndexOp>();
  auto [strides, offset] =
      cast<MemRefType>(memref.getType()).getStridesAndOffset();
  if (last && last.getDim() == *point.vectorLoop && strides.back() == 1 &&
      llvm::none_of(indices.drop_back(), isVector)) {
    SmallVector<Value> first(indices.drop_back());
    first.push_back(point.indices[*point.vectorLoop]);
    return vectorLoad(memref, first);
  }
  SmallVector<Value> lanes;
  for (int64_t lane = 0; lane < point.lanes; ++lane) {
    SmallVector<Value> at;
    for (Value index : indices)
      at.push_back(isVector(index)
                       ? vector::ExtractOp::create(b, loc, index, lane)
                       : index);
    lanes.push_back(memref::LoadOp::create(b, loc, memref, at));
  }
  return vector::FromElementsOp::create(b, loc, vectorOf(lanes[0].getType()),
                                        lanes);
}

/// One operation of the body, lifted to vectors where an operand is one.
Value BodyEmitter::emit(Operation *op, IRMapping &map) {
  if (auto index = dyn_cast<linalg::IndexOp>(op)) {
    Value base = point.indices[index.getDim()];
    if (index.getDim() != point.vectorLoop)
      return base;
    SmallVector<Value> lanes;
    for (int64_t lane = 0; lane < point.lanes; ++lane)
      lanes.push_back(laneIndex(lane));
    return point.lanes == 1 ? lanes[0]
                            : vector::FromElementsOp::create(
                                  b, loc, vectorOf(b.getIndexType()), lanes);
  }
  SmallVector<Value> operands;
  for (Value operand : op->getOperands())
    operands.push_back(map.lookupOrDefault(operand));
  if (auto load = dyn_cast<memref::LoadOp>(op))
    return lookUp(operands[0], load.getIndices(),
                  ArrayRef(operands).drop_front());
  bool lift = llvm::any_of(
      operands, [](Value value) { return isa<VectorType>(value.getType()); });
  // One instruction, not three. It keeps the second operand where either is
  // NaN: whoever takes a maximum of NaN also adds it up.
  if (isa<arith::MaxNumFOp>(op)) {
    if (lift)
      for (Value &operand : operands)
        operand = toVector(operand);
    Value isGreater = arith::CmpFOp::create(b, loc, arith::CmpFPredicate::OGT,
                                            operands[0], operands[1]);
    return arith::SelectOp::create(b, loc, isGreater, operands[0], operands[1]);
  }
  OperationState state(loc, op->getName());
  state.addAttributes(op->getAttrs());
  for (Value operand : operands)
    state.addOperands(lift ? toVector(operand) : operand);
  Type type = op->getResult(0).getType();
  state.addTypes(lift ? Type(vectorOf(type)) : type);
  Operation *emitted = b.create(state);
  // Products and sums may contract to fused multiply-adds, and zero has no
  // sign: the first of a sum is then a product, not an addition to zero.
  if (isa<arith::MulFOp, arith::AddFOp, arith::SubFOp>(emitted))
    emitted->setAttr("fastmath",
                     arith::FastMathFlagsAttr::get(
                         b.getContext(), arith::FastMathFlags::contract |
                                             arith::FastMathFlags::nsz));
  return emitted->getResult(0);
}

Value BodyEmitter::evaluate(linalg::GenericOp op, ValueRange arguments) {
  return evaluateAll(op, arguments).front();
}

SmallVector<Value> BodyEmitter::evaluateAll(linalg::GenericOp op,
                                            ValueRange arguments) {
  IRMapping map;
  map.map(op.getBlock()->getArguments(), arguments);
  for (Operation &body : op.getBlock()->without_terminator())
    map.map(body.getResult(0), emit(&body, map));
  return llvm::map_to_vector(
      op.getBlock()->getTerminator()->getOperands(),
      [&](Value value) { return map.lookupOrDefault(value); });
}

} // namespace tpa::cpu
