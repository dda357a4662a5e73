//===- PlanBuffers.cpp - Gives every tensor of an entry a place in memory -===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "compiler/exec/Arena.h"
#include "compiler/exec/Passes.h"
#include "dialects/exec/ExecDialect.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/IRMapping.h"

using namespace mlir;

namespace tpa {
#define GEN_PASS_DEF_PLANBUFFERS
#include "compiler/exec/Passes.h.inc"
} // namespace tpa

using namespace tpa;

namespace {

/// Where a tensor lives.
struct Place {
  std::string buffer;
  int64_t offset = 0;
  SmallVector<Value> sizes;
};

/// Plans one entry.
class EntryPlanner {
public:
  EntryPlanner(exec::EntryOp entry, ModuleOp module)
      : entry(entry), module(module) {}

  LogicalResult plan();
  int64_t arenaBytes() const { return arena.size(); }
  int64_t tensorBytes = 0;

private:
  LogicalResult inlineCalls();
  LogicalResult assignStores();
  LogicalResult checkUpdates();
  LogicalResult checkBuffers();
  bool overlap(Value left, Value right);
  LogicalResult checkLoads(OpResult written, StringRef buffer,
                           ArrayRef<Operation *> accesses);
  LogicalResult assignArena();
  void rewrite();

  Block &body() { return entry.getBody().front(); }
  static Value rootOf(Value value);
  FailureOr<int64_t> bytesOf(tensor::EmptyOp op);
  Value view(OpBuilder &builder, Value tensor);

  exec::EntryOp entry;
  ModuleOp module;
  Arena arena;
  llvm::DenseMap<Value, Place> places; ///< of roots
  /// Of roots, as a type, made at their first use.
  llvm::DenseMap<std::pair<Value, Type>, Value> views;
  llvm::DenseMap<Operation *, int64_t> time;
};

} // namespace

/// Of a tensor between two kernels.
static bool isReshape(Operation *op) {
  return isa<tensor::ExpandShapeOp, tensor::CollapseShapeOp>(op);
}

/// The tensor.empty that stands for a result's new memory; null if it updates a
/// tensor. Equal tensor.empty are one operation, so it is no place by itself.
static tensor::EmptyOp newMemory(Value result) {
  auto dispatch = result.getDefiningOp<exec::DispatchOp>();
  if (!dispatch)
    return {};
  return dispatch.getWrites()[cast<OpResult>(result).getResultNumber()]
      .getDefiningOp<tensor::EmptyOp>();
}

/// The value whose memory a tensor lives in: updates share what they update,
/// and another shape is the same memory.
Value EntryPlanner::rootOf(Value value) {
  while (Operation *op = value.getDefiningOp()) {
    if (isReshape(op)) {
      value = op->getOperand(0);
      continue;
    }
    auto dispatch = dyn_cast<exec::DispatchOp>(op);
    if (!dispatch || newMemory(value))
      break;
    value = dispatch.getWrites()[cast<OpResult>(value).getResultNumber()];
  }
  return value;
}

LogicalResult EntryPlanner::inlineCalls() {
  int64_t layer = 0;
  for (auto call : llvm::make_early_inc_range(body().getOps<func::CallOp>())) {
    auto callee = module.lookupSymbol<func::FuncOp>(call.getCallee());
    if (!callee || callee.isExternal())
      return call.emitOpError("calls a function without a body");
    OpBuilder builder(call);
    IRMapping map;
    map.map(callee.getArguments(), call.getOperands());
    for (Operation &op : callee.front().without_terminator()) {
      Operation *copy = builder.clone(op, map);
      if (auto dispatch = dyn_cast<exec::DispatchOp>(copy))
        if (std::optional<StringRef> label = dispatch.getLabel())
          dispatch.setLabel(("layer." + Twine(layer) + "/" + *label).str());
    }
    for (auto [result, value] : llvm::zip_equal(
             call.getResults(), callee.front().getTerminator()->getOperands()))
      result.replaceAllUsesWith(map.lookup(value));
    call.erase();
    ++layer;
  }
  int64_t now = 0;
  for (Operation &op : body())
    time[&op] = now++;
  return success();
}

/// Bytes of the rows before `first` in a buffer of such rows.
static int64_t rowsBefore(std::optional<uint64_t> first, Type type) {
  auto rows = cast<RankedTensorType>(type);
  if (!first || *first == 0)
    return 0;
  int64_t elements = 1;
  for (int64_t size : rows.getShape().drop_front())
    elements *= size;
  return int64_t(*first) * elements * rows.getElementTypeBitWidth() / 8;
}

/// What is stored is computed in its buffer; states are updated in place.
LogicalResult EntryPlanner::assignStores() {
  for (auto load : body().getOps<exec::LoadOp>())
    places[load.getResult()] = {
        load.getBuffer().str(),
        rowsBefore(load.getFirst(), load.getResult().getType()),
        llvm::to_vector(load.getSizes())};
  for (auto store : body().getOps<exec::StoreOp>()) {
    Value root = rootOf(store.getValue());
    auto known = places.find(root);
    if (known != places.end()) {
      if (known->second.buffer != store.getBuffer() ||
          known->second.offset !=
              rowsBefore(store.getFirst(), store.getValue().getType()))
        return store.emitOpError("stores to @")
               << store.getBuffer() << " a value that lives in @"
               << known->second.buffer;
      continue;
    }
    tensor::EmptyOp empty = newMemory(root);
    if (!empty)
      return store.emitOpError("stores a value that no dispatch computes");
    places[root] = {store.getBuffer().str(),
                    rowsBefore(store.getFirst(), store.getValue().getType()),
                    llvm::to_vector(empty.getDynamicSizes())};
  }
  return success();
}

/// A value that a dispatch overwrites must not be read afterwards.
LogicalResult EntryPlanner::checkUpdates() {
  for (auto dispatch : body().getOps<exec::DispatchOp>())
    for (Value old : dispatch.getWrites()) {
      if (old.getDefiningOp<tensor::EmptyOp>())
        continue;
      for (Operation *user : old.getUsers())
        if (user != dispatch && time[user] > time[dispatch]) {
          InFlightDiagnostic error = dispatch.emitOpError(
              "updates in place a value that is used again later");
          error.attachNote(user->getLoc()) << "the later use";
          return error;
        }
    }
  return success();
}

/// Whether two roots in one buffer share memory.
bool EntryPlanner::overlap(Value left, Value right) {
  auto bytes = [](Value value) -> int64_t {
    auto type = cast<RankedTensorType>(value.getType());
    if (!type.hasStaticShape())
      return std::numeric_limits<int64_t>::max();
    return type.getNumElements() * type.getElementTypeBitWidth() / 8;
  };
  int64_t from = places[left].offset, to = places[right].offset;
  return from < to ? to - from < bytes(left) : from - to < bytes(right);
}

/// Loads of a buffer share its memory, so that a dispatch which writes there
/// changes them all. Only the load that it updates may know of that, and those
/// that follow a store of what it writes. `accesses` are loads and stores.
LogicalResult EntryPlanner::checkLoads(OpResult written, StringRef buffer,
                                       ArrayRef<Operation *> accesses) {
  Operation *dispatch = written.getOwner();
  for (Operation *access : accesses) {
    auto store = dyn_cast<exec::StoreOp>(access);
    if (store && time[access] > time[dispatch] &&
        rootOf(store.getValue()) == rootOf(written))
      break;
    auto load = dyn_cast<exec::LoadOp>(access);
    if (!load || load.getResult() == rootOf(written) ||
        !overlap(load.getResult(), rootOf(written)))
      continue;
    for (Operation *user : load.getResult().getUsers())
      if (time[user] >= time[dispatch]) {
        InFlightDiagnostic error = dispatch->emitOpError("writes to @")
                                   << buffer
                                   << ", whose old value is still needed";
        error.attachNote(load.getLoc()) << "the load of the old value";
        return error;
      }
  }
  return success();
}

/// Dispatches that write outside of the arena write what may change, and what
/// nobody needs any more.
LogicalResult EntryPlanner::checkBuffers() {
  llvm::StringMap<exec::BufferKind> kinds;
  for (auto buffer : module.getOps<exec::BufferOp>())
    kinds[buffer.getSymName()] = buffer.getKind();
  // An entry that stores a parameter is one that trains.
  for (auto store : body().getOps<exec::StoreOp>())
    if (auto known = kinds.find(store.getBuffer());
        known != kinds.end() && known->second == exec::BufferKind::Param)
      known->second = exec::BufferKind::State;
  llvm::StringMap<SmallVector<Operation *>> accesses;
  for (Operation &op : body()) {
    if (auto load = dyn_cast<exec::LoadOp>(op))
      accesses[load.getBuffer()].push_back(&op);
    if (auto store = dyn_cast<exec::StoreOp>(op))
      accesses[store.getBuffer()].push_back(&op);
  }
  for (auto dispatch : body().getOps<exec::DispatchOp>())
    for (OpResult result : dispatch->getResults()) {
      auto place = places.find(rootOf(result));
      if (place == places.end())
        continue;
      StringRef buffer = place->second.buffer;
      auto kind = kinds.find(buffer);
      if (kind != kinds.end() && kind->second != exec::BufferKind::State &&
          kind->second != exec::BufferKind::Output)
        return dispatch.emitOpError("writes to @")
               << buffer << ", but " << stringifyBufferKind(kind->second)
               << " buffers never change";
      if (failed(checkLoads(result, buffer, accesses[buffer])))
        return failure();
    }
  return success();
}

FailureOr<int64_t> EntryPlanner::bytesOf(tensor::EmptyOp op) {
  auto type = op.getType();
  int64_t bytes = type.getElementTypeBitWidth() / 8;
  unsigned dynamic = 0;
  for (int64_t size : type.getShape()) {
    if (ShapedType::isDynamic(size)) {
      auto scalar = dyn_cast<BlockArgument>(op.getDynamicSizes()[dynamic++]);
      if (!scalar || scalar.getOwner() != &body())
        return op.emitOpError("has a size that is no scalar of the entry");
      size = entry.getMaxima()[scalar.getArgNumber()];
    }
    if (__builtin_mul_overflow(bytes, size, &bytes))
      return op.emitOpError("has more bytes than 64 bits count");
  }
  return bytes;
}

LogicalResult EntryPlanner::assignArena() {
  llvm::MapVector<Value, std::pair<int64_t, int64_t>> lives;
  auto liveAt = [&](Value value, Operation *op) {
    Value root = rootOf(value);
    if (!isa<RankedTensorType>(value.getType()) || places.contains(root) ||
        root.getDefiningOp<tensor::EmptyOp>())
      return;
    lives.insert({root, {time[op], 0}}).first->second.second = time[op];
  };
  for (Operation &op : body()) {
    for (Value result : op.getResults())
      liveAt(result, &op);
    for (Value operand : op.getOperands())
      liveAt(operand, &op);
  }
  for (auto &[root, life] : lives) {
    tensor::EmptyOp empty = newMemory(root);
    if (!empty)
      return emitError(root.getLoc(), "value is computed by no dispatch");
    FailureOr<int64_t> bytes = bytesOf(empty);
    if (failed(bytes))
      return failure();
    tensorBytes += *bytes;
    places[root] = {(entry.getSymName() + ".arena").str(),
                    arena.place(*bytes, life.first, life.second),
                    llvm::to_vector(empty.getDynamicSizes())};
  }
  return success();
}

Value EntryPlanner::view(OpBuilder &builder, Value tensor) {
  Value root = rootOf(tensor);
  auto type = cast<RankedTensorType>(tensor.getType());
  Value &known = views[{root, type}];
  if (known)
    return known;
  const Place &place = places[root];
  known = exec::ViewOp::create(
      builder, tensor.getLoc(),
      MemRefType::get(type.getShape(), type.getElementType()), place.buffer,
      place.offset, place.sizes);
  return known;
}

void EntryPlanner::rewrite() {
  SmallVector<Operation *> old;
  for (Operation &op : body()) {
    auto dispatch = dyn_cast<exec::DispatchOp>(op);
    if (dispatch) {
      OpBuilder builder(dispatch);
      SmallVector<Value> reads, writes;
      for (Value value : dispatch.getReads())
        reads.push_back(view(builder, value));
      for (Value value : dispatch.getResults())
        writes.push_back(view(builder, value));
      exec::DispatchOp::create(builder, op.getLoc(), TypeRange(),
                               dispatch.getKernel(), dispatch.getScalars(),
                               reads, writes, dispatch.getLabelAttr(),
                               dispatch.getCostAttr());
    }
    if (isa<exec::LoadOp, exec::StoreOp, tensor::EmptyOp>(op) ||
        isReshape(&op) || (dispatch && dispatch.getNumResults() > 0))
      old.push_back(&op);
  }
  for (Operation *op : llvm::reverse(old))
    op->erase();
}

LogicalResult EntryPlanner::plan() {
  if (failed(inlineCalls()) || failed(assignStores()) ||
      failed(checkUpdates()) || failed(checkBuffers()) || failed(assignArena()))
    return failure();
  rewrite();
  if (arena.size() == 0)
    return success();
  OpBuilder builder(entry);
  auto type = RankedTensorType::get({arena.size()}, builder.getI8Type());
  exec::BufferOp::create(
      builder, entry.getLoc(),
      exec::BufferKindAttr::get(entry.getContext(), exec::BufferKind::Arena),
      builder.getStringAttr(entry.getSymName() + ".arena"), TypeAttr::get(type),
      Attribute(), DenseI64ArrayAttr(), StringAttr(), DenseI64ArrayAttr(),
      StringAttr(), StringAttr(), ArrayAttr());
  return success();
}

namespace {
struct PlanBuffers : tpa::impl::PlanBuffersBase<PlanBuffers> {
  using Base::Base;

  void runOnOperation() override {
    ModuleOp module = getOperation();
    for (auto entry : llvm::to_vector(module.getOps<exec::EntryOp>())) {
      EntryPlanner planner(entry, module);
      if (failed(planner.plan()))
        return signalPassFailure();
      arenaBytes += planner.arenaBytes();
      tensorBytes += planner.tensorBytes;
    }
    for (auto function :
         llvm::make_early_inc_range(module.getOps<func::FuncOp>()))
      if (!function->hasAttr(exec::kernelAttrName) && function.isPrivate())
        function.erase();
  }
};
} // namespace
