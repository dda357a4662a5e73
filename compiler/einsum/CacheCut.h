//===- CacheCut.h - What a cache holds of a token ---------------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The cuts through what keys and values are made of, and what each costs.
//
//===----------------------------------------------------------------------===//

#ifndef TPA_COMPILER_EINSUM_CACHECUT_H
#define TPA_COMPILER_EINSUM_CACHECUT_H

#include "compiler/einsum/CostModel.h"
#include "dialects/tpa/Equation.h"
#include "dialects/tpa/TpaDialect.h"
#include "llvm/ADT/MapVector.h"
#include <set>

namespace tpa {

/// One equation of an attention with its operands.
struct FactorTerm {
  Equation equation;
  llvm::SmallVector<mlir::Value> operands;
  /// Terms of the equation before that of the first operand: the weight's.
  unsigned firstTerm = 0;
  /// That came with what was substituted.
  double scale = 1.0;
};

/// An attention's equations. Equal letters have equal sizes throughout, so that
/// all share one supply of them.
class FactorForm {
public:
  explicit FactorForm(AttentionOp op);

  /// Reads queries through contractions of activations alone, so that factors
  /// stay apart and the order of contraction may choose; projections by
  /// parameters stay ahead of the loop, where they are done once.
  void composeQueries();
  /// Reads keys and values through the equation that `value` is; fails, and
  /// leaves the form in pieces, where it is none.
  mlir::LogicalResult expand(mlir::Value value);
  /// What a cache has to hold, each tensor once, under its first term.
  llvm::MapVector<mlir::Value, std::string> cached() const;
  /// The terms of a score share one factor: bringing a scale of its own into
  /// an operand of one would cost a pass over it.
  bool hasOneScale() const;

  llvm::SmallVector<FactorTerm> terms; ///< of the scores, and the value's last
  int64_t substitutions = 0;
  /// Why `expand` failed, where it was for a factor that no cache is laid out
  /// as: behind the batch, token by token.
  std::string misplaced;

private:
  struct Producer;
  static std::optional<Producer> producerOf(mlir::Value value);
  bool substitute(FactorTerm &term, unsigned operand, const Producer &producer,
                  llvm::function_ref<bool(const Equation &)> condition);

  std::string used;
};

/// One way to divide the work on a token between its arrival and every later
/// step, with what a step takes for it.
struct CacheCut {
  FactorForm form;
  bool isWritten = false;    ///< keys and values are cached as they stand
  double bytes = 0;          ///< a cached token's
  double parameterBytes = 0; ///< of parameters, read again for each block
  double flops = 0;
  double memoryTime = 0, arithmeticTime = 0; ///< seconds
  /// Their sum: of two cuts the one with fewer bytes is cheaper where its extra
  /// arithmetic takes less than the memory time that it saves.
  double time() const { return memoryTime + arithmeticTime; }
  /// "bml,bmp: 1152 B, 88.6 ns + 13056 FLOP, 93.1 ns"
  std::string str() const;
};

/// Cuts of one attention.
struct CacheCuts {
  std::vector<CacheCut> cuts;
  /// Cuts left out: without an equal scale for all terms of the score, and with
  /// more operands in an equation than the search for its order takes.
  int64_t differentScales = 0, tooManyOperands = 0;
  /// Terms of factors that no cache is laid out as.
  std::set<std::string> misplaced;
  bool isComplete = true;

  const CacheCut *cheapest() const;
  /// Null where the scales of queries forbid it.
  const CacheCut *written() const;
};

/// All cuts at which keys and values are equations over what is cached: each
/// value that an equation makes is computed when the token arrives, or at every
/// step. `dtypeBytes` is the size of a cached number, or 0 for that of the
/// tensors. A step reads every cached token for one query.
CacheCuts enumerateCuts(AttentionOp op, const CostModel &target,
                        double dtypeBytes);

} // namespace tpa

#endif // TPA_COMPILER_EINSUM_CACHECUT_H
