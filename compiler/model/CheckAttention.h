//===- CheckAttention.h - What an attention may be --------------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Whether a function can be the attention of a model.
//
//===----------------------------------------------------------------------===//

#ifndef TPA_COMPILER_MODEL_CHECKATTENTION_H
#define TPA_COMPILER_MODEL_CHECKATTENTION_H

#include "dialects/tpa/TpaDialect.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"

namespace tpa {

/// Whether programs that decode token by token can be derived from `function`:
/// it maps the hidden state and positions to a hidden state, in one block
/// around one tpa.attention, and nothing else in it looks at more than one
/// token. Fails with a diagnostic at the operation that is in the way.
mlir::LogicalResult checkAttention(mlir::func::FuncOp function);

/// Whether a factor that the attention reads as `term` can be cached, if it has
/// the key index.
mlir::LogicalResult checkCachedTerm(AttentionOp op, llvm::StringRef term);

} // namespace tpa

#endif // TPA_COMPILER_MODEL_CHECKATTENTION_H
