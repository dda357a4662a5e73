//===- RecomputeStep.cpp - What a training step saves ---------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Chooses what the calls of an entry save, and what that leaves to save beside:
// what their reverse reads of their arguments, and that of the entry itself.
//
//===----------------------------------------------------------------------===//

#include "compiler/autodiff/RecomputeStep.h"
#include "compiler/autodiff/ForwardCost.h"
#include "mlir/IR/IRMapping.h"
#include "llvm/Support/FormatVariadic.h"

using namespace mlir;

namespace tpa {

unsigned RecomputeStep::addFunction(FunctionGradient gradient,
                                    bool isAlwaysFull) {
  functions.push_back({std::move(gradient), isAlwaysFull, {}, {}});
  return functions.size() - 1;
}

void RecomputeStep::addCall(unsigned function, func::CallOp forward,
                            func::CallOp backward) {
  functions[function].calls.emplace_back(forward, backward);
}

/// What no token has a part in.
static bool isParameter(Value value) {
  Operation *op = value.getDefiningOp();
  if (!op || op->hasTrait<OpTrait::ConstantLike>())
    return true;
  auto load = dyn_cast<exec::LoadOp>(op);
  if (!load)
    return false;
  auto buffer = SymbolTable::lookupNearestSymbolFrom<exec::BufferOp>(
      load, load.getBufferAttr());
  return buffer && buffer.getKind() == exec::BufferKind::Param;
}

void RecomputeStep::buildGraphs() {
  for (Function &function : functions) {
    if (function.graph)
      continue;
    func::CallOp call = function.calls.front().first;
    llvm::BitVector activations(call.getNumOperands());
    for (auto [i, operand] : llvm::enumerate(call.getOperands()))
      if (!isParameter(operand))
        activations.set(i);
    function.graph.emplace(function.gradient.forward,
                           function.gradient.numSaved, activations);
  }
}

/// Values of the forward pass in the entry that are read after it begins to be
/// reversed, each once, without what the plans save.
int64_t RecomputeStep::outsideBytes(ArrayRef<RecomputePlan> plans,
                                    Operation *reverse) {
  llvm::DenseMap<Operation *, unsigned> forwardCalls, backwardCalls;
  for (auto [i, function] : llvm::enumerate(functions))
    for (auto [forward, backward] : function.calls) {
      forwardCalls[forward] = i;
      backwardCalls[backward] = i;
    }
  auto isReadLater = [&](OpOperand &use) {
    Operation *user = use.getOwner();
    unsigned number = use.getOperandNumber();
    if (user->isBeforeInBlock(reverse)) {
      auto call = forwardCalls.find(user);
      return call != forwardCalls.end() &&
             plans[call->second].arguments.test(number);
    }
    auto call = backwardCalls.find(user);
    if (call == backwardCalls.end())
      return true;
    const FunctionGradient &gradient = functions[call->second].gradient;
    unsigned first = gradient.arguments.size();
    return number < first || number >= first + gradient.numSaved;
  };
  int64_t bytes = 0;
  for (Operation &op : entry.getBody().front()) {
    if (&op == reverse)
      break;
    if (isa<exec::LoadOp>(op) || op.hasTrait<OpTrait::ConstantLike>())
      continue;
    for (Value result : op.getResults())
      if (llvm::any_of(result.getUses(), isReadLater))
        bytes += bytesOf(result);
  }
  return bytes;
}

RecomputeStep::Choice RecomputeStep::choiceOf(RecomputePolicy policy,
                                              std::vector<RecomputePlan> plans,
                                              Operation *reverse) {
  Choice choice;
  choice.policy = policy;
  choice.outsideBytes = choice.bytes = outsideBytes(plans, reverse);
  for (auto [plan, function] : llvm::zip_equal(plans, functions)) {
    choice.bytes += plan.bytes * function.numCalls();
    choice.flops += plan.flops * function.numCalls();
  }
  choice.plans = std::move(plans);
  return choice;
}

/// The fewest operations of all combinations of the functions' best plans that
/// save no more than `bytes` in all; of equal ones the fewest bytes.
std::vector<RecomputePlan> RecomputeStep::cheapestWithin(int64_t bytes,
                                                         bool &isExact) {
  struct Combination {
    int64_t bytes = 0, flops = 0;
    std::vector<RecomputePlan> plans;
  };
  std::vector<Combination> all(1);
  for (Function &function : functions) {
    std::vector<RecomputePlan> plans;
    if (!function.isAlwaysFull)
      plans = function.graph->frontier(isExact);
    plans.push_back(function.graph->plan(RecomputePolicy::Full));
    std::vector<Combination> next;
    for (const Combination &combination : all)
      for (const RecomputePlan &plan : plans) {
        Combination longer = combination;
        longer.bytes += plan.bytes * function.numCalls();
        longer.flops += plan.flops * function.numCalls();
        if (longer.bytes > bytes)
          continue;
        longer.plans.push_back(plan);
        next.push_back(std::move(longer));
      }
    llvm::sort(next, [](const Combination &a, const Combination &b) {
      return std::pair(a.bytes, a.flops) < std::pair(b.bytes, b.flops);
    });
    all.clear();
    for (Combination &combination : next)
      if (all.empty() || combination.flops < all.back().flops)
        all.push_back(std::move(combination));
  }
  return all.back().plans;
}

FailureOr<RecomputeStep::Choice> RecomputeStep::choose(RecomputePolicy policy,
                                                       Operation *reverse) {
  buildGraphs();
  auto kind = policy.kind == RecomputePolicy::Budget ? RecomputePolicy::Full
                                                     : policy.kind;
  std::vector<RecomputePlan> plans;
  for (const Function &function : functions)
    plans.push_back(function.graph->plan(
        function.isAlwaysFull ? RecomputePolicy::Full : kind));
  Choice choice = choiceOf(policy, std::move(plans), reverse);
  if (policy.kind != RecomputePolicy::Budget)
    return choice;
  if (choice.bytes > policy.budget)
    return entry.emitOpError("cannot be reversed with ")
           << llvm::formatv("{0:N}", policy.budget).str()
           << " bytes saved: " << llvm::formatv("{0:N}", choice.bytes).str()
           << " is the least, with everything computed again that can be";
  bool isExact = true;
  choice = choiceOf(
      policy, cheapestWithin(policy.budget - choice.bytes, isExact), reverse);
  choice.isExact = isExact;
  return choice;
}

//===----------------------------------------------------------------------===//
// Application
//===----------------------------------------------------------------------===//

/// The forward pass also returns `values`, last.
void RecomputeStep::saveAlso(Function &function, ArrayRef<Value> values) {
  if (values.empty())
    return;
  func::FuncOp forward = function.gradient.forward;
  Operation *end = forward.front().getTerminator();
  end->insertOperands(end->getNumOperands(), values);
  forward.setFunctionType(FunctionType::get(forward.getContext(),
                                            forward.getArgumentTypes(),
                                            end->getOperandTypes()));
  for (auto &[call, backward] : function.calls) {
    OpBuilder builder(call);
    auto longer = func::CallOp::create(builder, call.getLoc(), forward,
                                       call.getOperands());
    call.replaceAllUsesWith(
        longer.getResults().take_front(call.getNumResults()));
    call.erase();
    call = longer;
  }
}

/// Whether memory that holds it can be a result.
static bool isTensorOfForward(Operation *op) {
  return op->getNumResults() == 1 && !op->hasTrait<OpTrait::ConstantLike>() &&
         isa<RankedTensorType>(op->getResult(0).getType()) &&
         op->getNumOperands() > 0 && !isQuadratic(op->getResult(0));
}

/// Computes by the operations of the forward pass, in its order, and with its
/// borders between kernels, so that results have its bits: what had several
/// uses there, and so was not fused into one, but has one here, is a result
/// too.
static func::FuncOp buildRecompute(func::FuncOp forward,
                                   const RecomputePlan &plan,
                                   ArrayRef<Value> fromSaved,
                                   ArrayRef<Value> returned) {
  Block &block = forward.front();
  OpBuilder builder(forward.getContext());
  builder.setInsertionPointAfter(forward);
  auto [before, after] = forward.getName().rsplit(".forward");
  SmallVector<Value> arguments;
  for (unsigned i : plan.arguments.set_bits())
    arguments.push_back(block.getArgument(i));
  llvm::append_range(arguments, fromSaved);
  auto again = func::FuncOp::create(
      builder, forward.getLoc(), (before + ".recompute" + after).str(),
      builder.getFunctionType(TypeRange(ValueRange(arguments)),
                              TypeRange(ValueRange(returned))));
  again.setPrivate();
  Block *body = again.addEntryBlock();
  IRMapping map;
  for (auto [value, argument] :
       llvm::zip_equal(arguments, body->getArguments())) {
    map.map(value, argument);
    auto old = dyn_cast<BlockArgument>(value);
    DictionaryAttr attributes =
        old ? forward.getArgAttrDict(old.getArgNumber()) : DictionaryAttr();
    if (attributes)
      cast<FunctionOpInterface>(again.getOperation())
          .setArgAttrs(argument.getArgNumber(), attributes);
  }
  builder.setInsertionPointToStart(body);
  for (Operation &op : block.without_terminator())
    if (plan.recomputed.contains(&op))
      builder.clone(op, map);
  SmallVector<Value> results;
  for (Value value : returned)
    results.push_back(map.lookup(value));
  for (Operation &op : block.without_terminator()) {
    if (!plan.recomputed.contains(&op) || !isTensorOfForward(&op) ||
        llvm::is_contained(returned, op.getResult(0)))
      continue;
    Value copy = map.lookup(op.getResult(0));
    if (copy.hasOneUse() && !op.getResult(0).hasOneUse())
      results.push_back(copy);
  }
  func::ReturnOp::create(builder, forward.getLoc(), results);
  again.setFunctionType(builder.getFunctionType(
      TypeRange(ValueRange(arguments)), TypeRange(ValueRange(results))));
  return again;
}

void RecomputeStep::applyTo(Function &function, const RecomputePlan &plan) {
  const ForwardGraph &graph = *function.graph;
  FunctionGradient &gradient = function.gradient;
  SmallVector<Value> returned, extras, fromSaved;
  for (Value value : graph.read())
    if (!plan.saved.contains(value))
      returned.push_back(value);
  if (returned.empty())
    return;
  llvm::DenseSet<Value> used;
  for (Operation *op : plan.recomputed)
    for (Value value : valuesReadBy(op))
      used.insert(value);
  for (Value value : plan.saved) {
    if (!graph.isRead(value))
      extras.push_back(value);
    if (used.contains(value))
      fromSaved.push_back(value);
  }
  func::FuncOp forward = gradient.forward;
  func::FuncOp again = buildRecompute(forward, plan, fromSaved, returned);
  saveAlso(function, extras);
  ValueRange yielded = forward.front().getTerminator()->getOperands();
  for (auto [call, backward] : function.calls) {
    SmallVector<Value> operands;
    for (unsigned i : plan.arguments.set_bits())
      operands.push_back(call.getOperand(i));
    for (Value value : fromSaved)
      operands.push_back(call.getResult(
          std::distance(yielded.begin(), llvm::find(yielded, value))));
    OpBuilder builder(backward);
    auto recomputed =
        func::CallOp::create(builder, call.getLoc(), again, operands);
    unsigned next = 0;
    for (auto [i, value] : llvm::enumerate(graph.read()))
      if (!plan.saved.contains(value))
        backward.setOperand(gradient.arguments.size() + i,
                            recomputed.getResult(next++));
  }
}

void RecomputeStep::apply(const Choice &choice) {
  for (auto [function, plan] : llvm::zip_equal(functions, choice.plans))
    applyTo(function, plan);
}

} // namespace tpa
