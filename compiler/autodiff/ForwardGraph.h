//===- ForwardGraph.h - What may be saved of a forward pass -----*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The forward pass of a function as a graph: which of the values that its
// reverse reads are saved, and what it then takes to compute the others again.
//
//===----------------------------------------------------------------------===//

#ifndef TPA_COMPILER_AUTODIFF_FORWARDGRAPH_H
#define TPA_COMPILER_AUTODIFF_FORWARDGRAPH_H

#include "compiler/autodiff/RecomputePolicy.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "llvm/ADT/BitVector.h"
#include "llvm/ADT/SetVector.h"

namespace tpa {

/// A choice of what is saved, with what follows from it.
struct RecomputePlan {
  llvm::SetVector<mlir::Value> saved;
  llvm::SetVector<mlir::Operation *> recomputed;
  llvm::BitVector arguments; ///< that what is computed again reads
  int64_t bytes = 0, flops = 0;
};

class ForwardGraph {
public:
  /// `forward` returns what its reverse reads last, `numRead` values; of its
  /// arguments, `activations` depend on tokens.
  ForwardGraph(mlir::func::FuncOp forward, unsigned numRead,
               llvm::BitVector activations);

  mlir::ValueRange read() const { return reads; }
  bool isRead(mlir::Value value) const { return readSet.contains(value); }

  /// What follows from saving these values and no others.
  RecomputePlan planOf(llvm::SetVector<mlir::Value> saved) const;

  /// The choice of a policy other than a budget.
  RecomputePlan plan(RecomputePolicy::Kind policy) const;

  /// All choices of values that the reverse reads of which none is as good in
  /// both bytes and operations as another, fewest bytes first. Exact, unless
  /// there were more than `mostStates` partial choices at once.
  std::vector<RecomputePlan> frontier(bool &isExact) const;
  static constexpr size_t mostStates = 1 << 15;

  /// Why a policy saves a value, or computes it again.
  static std::string reason(RecomputePolicy::Kind policy, mlir::Value value,
                            bool isSaved);

private:
  void addDots(llvm::SetVector<mlir::Value> &saved) const;
  void addFactors(llvm::SetVector<mlir::Value> &saved) const;
  void addOperand(mlir::Value value, bool isOfKeys,
                  llvm::SetVector<mlir::Value> &saved) const;
  void addWhole(mlir::Value value, llvm::SetVector<mlir::Value> &saved) const;
  void saveAttentionsWhole(llvm::SetVector<mlir::Value> &saved) const;
  bool isActivation(mlir::Value value) const;

  mlir::Block *body;
  llvm::SmallVector<mlir::Value> reads;
  llvm::DenseSet<mlir::Value> readSet;
  llvm::DenseSet<mlir::Value> activations; ///< depend on tokens
  llvm::DenseSet<mlir::Value> projected;   ///< depend on tokens by a parameter
  /// Of operations that are computed in one pass over scores, a number each.
  llvm::DenseMap<mlir::Operation *, unsigned> attentionOf;
  unsigned numAttentions = 0;
};

/// What an operation reads, by its regions too.
llvm::SetVector<mlir::Value> valuesReadBy(mlir::Operation *op);

} // namespace tpa

#endif // TPA_COMPILER_AUTODIFF_FORWARDGRAPH_H
