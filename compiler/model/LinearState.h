//===- LinearState.h - A state for all tokens of a row ----------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The sum over keys that stands for all of them where no normaliser does.
//
//===----------------------------------------------------------------------===//

#ifndef TPA_COMPILER_MODEL_LINEARSTATE_H
#define TPA_COMPILER_MODEL_LINEARSTATE_H

#include "dialects/tpa/Equation.h"
#include "dialects/tpa/TpaDialect.h"

namespace tpa {

/// Without a normaliser a score enters the value as a factor, so that the sum
/// over keys can be done before a query is known. Of one score equation:
///   state = einsum(update) over the factors of keys and values,
///   its part of the result = scale * einsum(read) over all others and it.
struct StateTerm {
  Equation update, read;
  /// Numbers of the attention's operands; a state comes behind those that read.
  llvm::SmallVector<unsigned> updateOperands, readOperands;
  llvm::SmallVector<int64_t> shape; ///< of the state
  /// Which of updateOperands is LinearState::valueFactor.
  unsigned valueOperand = 0;
};

struct LinearState {
  llvm::SmallVector<StateTerm, 1> terms;
  /// A factor of the attention's values that each term has: without a token in
  /// it, no term has that token.
  unsigned valueFactor = 0;

  /// Numbers that the states of one row have.
  double numbers() const;
};

/// Why an attention has no such state, and what would give it one; both empty
/// where nothing stands against it.
struct StateObstacle {
  llvm::StringRef reason, suggestion;
};
StateObstacle stateObstacle(AttentionOp op);

/// The states of an attention against which nothing stands. Operands without a
/// token, parameters, are summed into a state where that makes it smaller. All
/// sizes but those of m and n are static.
LinearState deriveState(AttentionOp op);

} // namespace tpa

#endif // TPA_COMPILER_MODEL_LINEARSTATE_H
