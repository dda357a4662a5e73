//===- ForwardFrontier.cpp - Bytes saved against operations ---------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The best choices of what to save, by dynamic programming over the forward
// pass from its end. A state is the set of operations so far needed and not yet
// decided on; each of them is saved, or computed and needs its operands. Of
// states that need the same, only those are kept of which no other has both
// fewer bytes and fewer operations: what follows does not depend on the rest.
// A block is nearly a chain, so that few sets come up.
//
//===----------------------------------------------------------------------===//

#include "compiler/autodiff/ForwardCost.h"
#include "compiler/autodiff/ForwardGraph.h"

using namespace mlir;

namespace tpa {
namespace {

struct State {
  /// Operations that are needed; behind them two bits for each attention,
  /// whether its results are saved and whether they are computed again.
  llvm::BitVector needed;
  llvm::BitVector saved;
  int64_t bytes = 0, flops = 0;
};

bool isLess(const llvm::BitVector &a, const llvm::BitVector &b) {
  return std::lexicographical_compare(a.getData().begin(), a.getData().end(),
                                      b.getData().begin(), b.getData().end());
}

/// Drops what another state is as good as.
void prune(std::vector<State> &states) {
  llvm::sort(states, [](const State &a, const State &b) {
    if (a.needed != b.needed)
      return isLess(a.needed, b.needed);
    if (a.bytes != b.bytes || a.flops != b.flops)
      return std::pair(a.bytes, a.flops) < std::pair(b.bytes, b.flops);
    return isLess(a.saved, b.saved);
  });
  std::vector<State> kept;
  for (State &state : states)
    if (kept.empty() || kept.back().needed != state.needed ||
        state.flops < kept.back().flops)
      kept.push_back(std::move(state));
  states = std::move(kept);
}

/// Every second one, but the first and the last.
void thin(std::vector<State> &states) {
  std::vector<State> kept;
  for (size_t i = 0; i < states.size(); ++i)
    if (i % 2 == 0 || i + 1 == states.size())
      kept.push_back(std::move(states[i]));
  states = std::move(kept);
}

} // namespace

std::vector<RecomputePlan> ForwardGraph::frontier(bool &isExact) const {
  SmallVector<Operation *> ops;
  llvm::DenseMap<Operation *, unsigned> indexOf;
  for (Operation &op : body->without_terminator()) {
    indexOf[&op] = ops.size();
    ops.push_back(&op);
  }
  unsigned count = ops.size();
  State none;
  none.needed.resize(count + 2 * numAttentions);
  none.saved.resize(count);
  for (Value value : reads)
    none.needed.set(indexOf.lookup(value.getDefiningOp()));
  std::vector<State> states = {none};
  for (unsigned i = count; i-- > 0;) {
    Operation *op = ops[i];
    bool maySave = op->getNumResults() == 1 && isRead(op->getResult(0));
    auto attention = attentionOf.find(op);
    std::optional<unsigned> both;
    if (maySave && attention != attentionOf.end())
      both = count + 2 * attention->second;
    int64_t flops = flopsOf(op);
    std::vector<State> next;
    for (State &state : states) {
      if (!state.needed.test(i)) {
        next.push_back(std::move(state));
        continue;
      }
      state.needed.reset(i);
      if (maySave && !(both && state.needed.test(*both + 1))) {
        State saved = state;
        saved.saved.set(i);
        saved.bytes += bytesOf(op->getResult(0));
        if (both)
          saved.needed.set(*both);
        next.push_back(std::move(saved));
      }
      if (both && state.needed.test(*both))
        continue;
      if (both)
        state.needed.set(*both + 1);
      state.flops += flops;
      for (Value used : valuesReadBy(op))
        if (Operation *def = used.getDefiningOp())
          state.needed.set(indexOf.lookup(def));
      next.push_back(std::move(state));
    }
    states = std::move(next);
    prune(states);
    while (states.size() > mostStates) {
      isExact = false;
      thin(states);
    }
  }
  // What is decided does not tell complete choices apart.
  for (State &state : states)
    state.needed.reset();
  prune(states);
  std::vector<RecomputePlan> plans;
  for (const State &state : states) {
    llvm::SetVector<Value> saved;
    for (unsigned i : state.saved.set_bits())
      saved.insert(ops[i]->getResult(0));
    plans.push_back(planOf(std::move(saved)));
  }
  return plans;
}

} // namespace tpa
