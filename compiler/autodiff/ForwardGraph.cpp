//===- ForwardGraph.cpp - What may be saved of a forward pass -------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Which values of a forward pass a policy saves, and what follows from it.
//
//===----------------------------------------------------------------------===//

#include "compiler/autodiff/ForwardGraph.h"
#include "compiler/autodiff/ForwardCost.h"
#include "dialects/t6/T6Dialect.h"
#include "dialects/tpa/TpaDialect.h"
#include "mlir/Transforms/RegionUtils.h"
#include "llvm/ADT/EquivalenceClasses.h"

using namespace mlir;

namespace tpa {

llvm::SetVector<Value> valuesReadBy(Operation *op) {
  llvm::SetVector<Value> used(op->operand_begin(), op->operand_end());
  getUsedValuesDefinedAbove(op->getRegions(), used);
  return used;
}

ForwardGraph::ForwardGraph(func::FuncOp forward, unsigned numRead,
                           llvm::BitVector tokens)
    : body(&forward.front()) {
  ValueRange returned = body->getTerminator()->getOperands();
  llvm::append_range(reads, returned.take_back(numRead));
  readSet.insert(reads.begin(), reads.end());
  for (unsigned i : tokens.set_bits())
    activations.insert(body->getArgument(i));

  llvm::EquivalenceClasses<Operation *> passes;
  for (Operation &op : body->without_terminator()) {
    auto used = valuesReadBy(&op);
    bool hasParameter = false, hasTokens = false, isProjected = false;
    for (Value value : used) {
      bool ofTokens = activations.contains(value);
      hasTokens |= ofTokens;
      hasParameter |= !ofTokens;
      isProjected |= projected.contains(value);
      if (isQuadratic(value))
        passes.unionSets(&op, value.getDefiningOp());
    }
    if (!hasTokens)
      continue;
    activations.insert(op.getResults().begin(), op.getResults().end());
    if (isProjected || (hasParameter && isContraction(&op)))
      projected.insert(op.getResults().begin(), op.getResults().end());
  }
  llvm::DenseMap<Operation *, unsigned> numbers;
  for (Operation &op : body->without_terminator())
    if (auto leader = passes.findLeader(&op); leader != passes.member_end())
      attentionOf[&op] =
          numbers.try_emplace(*leader, numbers.size()).first->second;
  numAttentions = numbers.size();
}

bool ForwardGraph::isActivation(Value value) const {
  return activations.contains(value);
}

/// What is not saved is computed from what is, and from arguments.
RecomputePlan ForwardGraph::planOf(llvm::SetVector<Value> saved) const {
  RecomputePlan plan;
  plan.saved = std::move(saved);
  plan.arguments.resize(body->getNumArguments());
  llvm::SetVector<Value> reached;
  SmallVector<Value> work;
  auto reach = [&](Value value) {
    if (reached.insert(value))
      work.push_back(value);
  };
  for (Value value : reads)
    if (!plan.saved.contains(value))
      reach(value);
  while (!work.empty()) {
    Value value = work.pop_back_val();
    Operation *op = value.getDefiningOp();
    if (!op)
      plan.arguments.set(cast<BlockArgument>(value).getArgNumber());
    if (!op || plan.saved.contains(value) || !plan.recomputed.insert(op))
      continue;
    plan.flops += flopsOf(op);
    for (Value used : valuesReadBy(op))
      reach(used);
  }
  plan.saved.remove_if([&](Value value) {
    return !readSet.contains(value) && !reached.contains(value);
  });
  for (Value value : plan.saved)
    plan.bytes += bytesOf(value);
  return plan;
}

RecomputePlan ForwardGraph::plan(RecomputePolicy::Kind policy) const {
  llvm::SetVector<Value> saved;
  if (policy == RecomputePolicy::None)
    saved.insert(reads.begin(), reads.end());
  if (policy == RecomputePolicy::Dots)
    addDots(saved);
  if (policy == RecomputePolicy::Factors)
    addFactors(saved);
  return planOf(std::move(saved));
}

/// What one pass over scores yields is saved all of it, or none: a part of it
/// would take the same pass again.
void ForwardGraph::saveAttentionsWhole(llvm::SetVector<Value> &saved) const {
  llvm::BitVector touched(numAttentions);
  for (Value value : saved)
    if (auto found = attentionOf.find(value.getDefiningOp());
        found != attentionOf.end())
      touched.set(found->second);
  for (Value value : reads)
    if (auto found = attentionOf.find(value.getDefiningOp());
        found != attentionOf.end() && touched.test(found->second))
      saved.insert(value);
}

/// Results of contractions, also those that the reverse reads only through what
/// is computed from them, as a projection that is rotated.
void ForwardGraph::addDots(llvm::SetVector<Value> &saved) const {
  for (Operation &op : body->without_terminator())
    if (isContraction(&op) && isActivation(op.getResult(0)))
      saved.insert(op.getResult(0));
  saveAttentionsWhole(saved);
}

/// The memory that a value is a part of.
void ForwardGraph::addWhole(Value value, llvm::SetVector<Value> &saved) const {
  while (auto split = value.getDefiningOp<t6::SplitOp>())
    value = split.getX();
  if (value.getDefiningOp() && isActivation(value))
    saved.insert(value);
}

/// What stands for an operand of an attention: the factors of a product of
/// activations; of keys and values also what a parameter expands, if that is
/// smaller, as a latent; else the value itself. A query that is no product is
/// computed again.
void ForwardGraph::addOperand(Value value, bool isOfKeys,
                              llvm::SetVector<Value> &saved) const {
  auto einsum = value.getDefiningOp<EinsumOp>();
  SmallVector<Value> factors;
  if (einsum)
    llvm::copy_if(einsum.getOperands(), std::back_inserter(factors),
                  [&](Value operand) { return isActivation(operand); });
  bool isProduct = factors.size() > 1;
  if (einsum && !isProduct && isOfKeys) {
    int64_t bytes = 0;
    for (Value factor : factors)
      bytes += bytesOf(factor);
    isProduct =
        bytes < bytesOf(value) && llvm::all_of(factors, [&](Value factor) {
          return projected.contains(factor);
        });
  }
  if (isProduct)
    for (Value factor : factors)
      addOperand(factor, /*isOfKeys=*/true, saved);
  else if (isOfKeys)
    addWhole(value, saved);
}

void ForwardGraph::addFactors(llvm::SetVector<Value> &saved) const {
  for (Operation &op : body->without_terminator()) {
    if (!attentionOf.contains(&op))
      continue;
    if (isRead(op.getResult(0)))
      saved.insert(op.getResult(0));
    auto einsum = dyn_cast<EinsumOp>(op);
    if (!einsum)
      continue;
    Equation equation = Equation::parseVerified(einsum.getEquation());
    for (auto [term, operand] :
         llvm::zip_equal(equation.terms, einsum.getOperands()))
      if (isActivation(operand) && !isQuadratic(operand))
        addOperand(operand, StringRef(term).contains(AttentionOp::streamLabel),
                   saved);
  }
  saveAttentionsWhole(saved);
}

std::string ForwardGraph::reason(RecomputePolicy::Kind policy, Value value,
                                 bool isSaved) {
  switch (policy) {
  case RecomputePolicy::None:
    return "everything is";
  case RecomputePolicy::Full:
    return "nothing is saved";
  case RecomputePolicy::Dots:
    if (!isSaved)
      return "no contraction";
    return isContraction(value.getDefiningOp())
               ? "result of a contraction"
               : "of the pass over scores whose sum is saved";
  case RecomputePolicy::Factors:
    if (!isSaved)
      return "follows from factors, or from the attention's output";
    return llvm::any_of(valuesReadBy(value.getDefiningOp()), isQuadratic)
               ? "the attention yields it"
               : "stands for an operand of the attention";
  case RecomputePolicy::Budget:
    return isSaved ? "in the cheapest choice within the bytes"
                   : "not in the cheapest choice within the bytes";
  }
  return {};
}

} // namespace tpa
