//===- Differentiate.cpp - Gradients of an entry --------------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Adds gradients to entries that ask for them.
//
//===----------------------------------------------------------------------===//

#include "compiler/autodiff/DifferentiableOpInterface.h"
#include "compiler/autodiff/FunctionGradient.h"
#include "compiler/autodiff/Passes.h"
#include "compiler/autodiff/RecomputeStep.h"
#include "dialects/exec/ExecDialect.h"
#include "dialects/t6/T6Dialect.h"
#include "dialects/tpa/TpaDialect.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include <map>

using namespace mlir;

namespace tpa {
#define GEN_PASS_DEF_DIFFERENTIATE
#include "compiler/autodiff/Passes.h.inc"
} // namespace tpa

using namespace tpa;

namespace {

/// Differentiates one entry.
class EntryGradient {
public:
  explicit EntryGradient(exec::EntryOp entry)
      : entry(entry), module(entry->getParentOfType<ModuleOp>()), step(entry),
        builder(OpBuilder::atBlockEnd(&entry.getBody().front())),
        adjoint(builder) {}

  LogicalResult build();
  /// Saves what the policy says, and the reverse computes the rest again.
  FailureOr<RecomputeStep::Choice> recompute(RecomputePolicy policy,
                                             bool printsTable);

private:
  using Key = std::pair<Operation *, std::vector<ArgumentRole>>;

  LogicalResult activateParams();
  void storeGradient(exec::LoadOp load);
  FailureOr<Value> findLoss();
  LogicalResult reverseCall(func::CallOp call);

  exec::EntryOp entry;
  ModuleOp module;
  RecomputeStep step;
  OpBuilder builder;
  AdjointBuilder adjoint;
  SmallVector<exec::LoadOp> params;
  std::map<Key, unsigned> known; ///< functions of `step`
  Operation *reverse = nullptr;  ///< the first operation of the reverse
  llvm::DenseMap<Operation *, Operation *>
      old; ///< gradients' loads, by params'
};

} // namespace

static std::string gradientName(StringRef param) {
  return ("gradient." + param).str();
}

LogicalResult EntryGradient::activateParams() {
  Block &body = entry.getBody().front();
  SymbolTable symbols(module);
  for (auto load : llvm::make_early_inc_range(body.getOps<exec::LoadOp>())) {
    auto buffer = symbols.lookup<exec::BufferOp>(load.getBuffer());
    if (!buffer || buffer.getKind() != exec::BufferKind::Param)
      continue;
    auto type = cast<RankedTensorType>(load.getType());
    if (!isa<FloatType>(type.getElementType()))
      return load.emitOpError(
          "loads a parameter of integers, of which there is "
          "no gradient: train without --weights=int8");
    if (!type.hasStaticShape())
      return load.emitOpError("loads a parameter of dynamic sizes");
    params.push_back(load);
    std::string name = gradientName(load.getBuffer());
    auto gradientType =
        RankedTensorType::get(type.getShape(), builder.getF32Type());
    auto whole = cast<RankedTensorType>(buffer.getType());
    if (!symbols.lookup(name)) {
      OpBuilder outside(entry);
      auto declared = exec::BufferOp::create(
          outside, load.getLoc(),
          exec::BufferKindAttr::get(builder.getContext(),
                                    exec::BufferKind::State),
          builder.getStringAttr(name),
          TypeAttr::get(
              RankedTensorType::get(whole.getShape(), builder.getF32Type())),
          Attribute(), DenseI64ArrayAttr(), StringAttr(), DenseI64ArrayAttr(),
          StringAttr(), StringAttr(), ArrayAttr());
      symbols.insert(declared);
    }
    auto gradient =
        exec::LoadOp::create(builder, load.getLoc(), gradientType, name,
                             ValueRange(), load.getFirstAttr());
    old[load] = gradient;
    adjoint.activate(load.getResult(), gradient);
  }
  if (params.empty())
    return entry.emitOpError("loads no parameter to differentiate by");
  return success();
}

/// Gradients are loaded where they are first added to and stored after the last
/// addition, so that two loads of one parameter, of other rows or at another
/// time, do not meet.
void EntryGradient::storeGradient(exec::LoadOp load) {
  Value last = adjoint.gradientOf(load.getResult());
  Operation *first = old[load];
  if (last == first->getResult(0)) {
    first->erase();
    return;
  }
  Operation *user = nullptr;
  for (Operation *other : first->getUsers())
    if (!user || other->isBeforeInBlock(user))
      user = other;
  first->moveBefore(user);
  OpBuilder after(last.getContext());
  after.setInsertionPointAfter(last.getDefiningOp());
  exec::StoreOp::create(after, load.getLoc(), last,
                        gradientName(load.getBuffer()), load.getFirstAttr());
}

FailureOr<Value> EntryGradient::findLoss() {
  auto name = entry->getAttrOfType<StringAttr>("tpa.differentiate");
  for (auto store : entry.getBody().front().getOps<exec::StoreOp>()) {
    if (!name || store.getBuffer() != name.getValue())
      continue;
    auto type = cast<RankedTensorType>(store.getValue().getType());
    if (type.getShape() != ArrayRef<int64_t>{1} ||
        !isa<FloatType>(type.getElementType()))
      return store.emitOpError("stores ")
             << type << ", but a loss is one number, a float";
    return store.getValue();
  }
  return entry.emitOpError("stores no loss ") << name;
}

/// The call becomes one of the forward function, and its reverse another.
LogicalResult EntryGradient::reverseCall(func::CallOp call) {
  if (llvm::none_of(call.getResults(),
                    [&](Value result) { return adjoint.cotangentOf(result); }))
    return success();
  auto callee = module.lookupSymbol<func::FuncOp>(call.getCallee());
  if (!callee || callee.isExternal())
    return call.emitOpError("calls a function without a body");
  auto isStatic = [](Type type) {
    auto shaped = dyn_cast<ShapedType>(type);
    return !shaped || shaped.hasStaticShape();
  };
  if (!llvm::all_of(call.getOperandTypes(), isStatic) ||
      !llvm::all_of(call.getResultTypes(), isStatic))
    return call.emitOpError("is differentiated with static sizes only");
  std::vector<ArgumentRole> roles;
  // A gradient is one memory: of a parameter passed twice, one share is added
  // to it in place, and the other afterwards.
  llvm::DenseSet<Value> inPlace;
  for (Value operand : call.getOperands())
    roles.push_back(!adjoint.isActive(operand) ? ArgumentRole::Constant
                    : adjoint.gradientOf(operand) &&
                            inPlace.insert(operand).second
                        ? ArgumentRole::Gradient
                        : ArgumentRole::Cotangent);
  Key key{callee, roles};
  auto found = known.find(key);
  if (found == known.end()) {
    FailureOr<FunctionGradient> gradient = differentiate(callee, roles);
    if (failed(gradient))
      return failure();
    unsigned number =
        step.addFunction(*gradient, callee->hasAttr("tpa.recompute"));
    found = known.emplace(key, number).first;
  }
  const FunctionGradient &gradient = step.gradient(found->second);

  OpBuilder before(call);
  auto forward = func::CallOp::create(before, call.getLoc(), gradient.forward,
                                      call.getOperands());
  SmallVector<Value> operands;
  for (unsigned i : gradient.arguments)
    operands.push_back(call.getOperand(i));
  llvm::append_range(operands,
                     forward.getResults().take_back(gradient.numSaved));
  for (Value result : call.getResults()) {
    Value cotangent = adjoint.cotangentOf(result);
    operands.push_back(
        cotangent
            ? cotangent
            : Value(arith::ConstantOp::create(
                  builder, call.getLoc(),
                  cast<TypedAttr>(builder.getZeroAttr(result.getType())))));
  }
  SmallVector<Value> updated, read;
  for (auto [operand, role] : llvm::zip_equal(call.getOperands(), roles)) {
    if (role == ArgumentRole::Gradient)
      updated.push_back(operand);
    else if (role == ArgumentRole::Cotangent)
      read.push_back(operand);
  }
  for (Value operand : updated)
    operands.push_back(adjoint.gradientOf(operand));
  auto backward =
      func::CallOp::create(builder, call.getLoc(), gradient.backward, operands);
  step.addCall(found->second, forward, backward);
  ValueRange shares = backward.getResults();
  for (auto [operand, gradient] :
       llvm::zip_equal(updated, shares.drop_front(read.size())))
    adjoint.setGradient(operand, gradient);
  for (auto [operand, share] :
       llvm::zip_equal(read, shares.take_front(read.size())))
    adjoint.add(operand, share);
  call.replaceAllUsesWith(
      forward.getResults().take_front(call.getNumResults()));
  call.erase();
  return success();
}

LogicalResult EntryGradient::build() {
  Block &body = entry.getBody().front();
  SmallVector<Operation *> forward;
  if (failed(activateParams()))
    return failure();
  for (Operation &op : body)
    forward.push_back(&op);
  adjoint.findActive(body);
  FailureOr<Value> loss = findLoss();
  if (failed(loss))
    return failure();
  auto type = cast<RankedTensorType>(loss->getType());
  Value one = arith::ConstantOp::create(
      builder, entry.getLoc(),
      DenseElementsAttr::get(type,
                             builder.getFloatAttr(type.getElementType(), 1.0)));
  reverse = one.getDefiningOp();
  adjoint.add(*loss, one);
  for (Operation *op : llvm::reverse(forward)) {
    auto call = dyn_cast<func::CallOp>(op);
    if (failed(call ? reverseCall(call) : adjoint.reverse(op)))
      return failure();
  }
  for (exec::LoadOp load : params)
    storeGradient(load);
  entry->removeAttr("tpa.differentiate");
  return success();
}

FailureOr<RecomputeStep::Choice>
EntryGradient::recompute(RecomputePolicy policy, bool printsTable) {
  FailureOr<RecomputeStep::Choice> choice = step.choose(policy, reverse);
  if (failed(choice))
    return failure();
  step.remark(*choice);
  if (printsTable)
    step.printTable(*choice, reverse, llvm::errs());
  step.apply(*choice);
  return choice;
}

namespace {
struct Differentiate : tpa::impl::DifferentiateBase<Differentiate> {
  using Base::Base;

  void runOnOperation() override {
    std::string error;
    auto policy = RecomputePolicy::parse(recompute, error);
    if (!policy) {
      getOperation().emitError("recompute=") << recompute << " " << error;
      return signalPassFailure();
    }
    SmallVector<exec::EntryOp> entries;
    for (auto entry : getOperation().getOps<exec::EntryOp>())
      if (entry->hasAttr("tpa.differentiate"))
        entries.push_back(entry);
    for (exec::EntryOp entry : entries) {
      EntryGradient gradient(entry);
      if (failed(gradient.build()))
        return signalPassFailure();
      auto choice = gradient.recompute(*policy, recomputeTable);
      if (failed(choice))
        return signalPassFailure();
      numFunctions += choice->plans.size();
      for (const RecomputePlan &plan : choice->plans)
        numSaved += plan.saved.size();
    }
    eraseUnusedBlocks();
  }

  /// What was differentiated is called no more.
  void eraseUnusedBlocks() {
    ModuleOp module = getOperation();
    for (auto function :
         llvm::make_early_inc_range(module.getOps<func::FuncOp>()))
      if (function.isPrivate() && !function.isExternal() &&
          SymbolTable::symbolKnownUseEmpty(function, module))
        function.erase();
  }
};
} // namespace
