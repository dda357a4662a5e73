//===- DispatchCost.h - Bytes and operations --------------------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Bytes and operations of the work in a dispatch.
//
//===----------------------------------------------------------------------===//

#ifndef TPA_COMPILER_FUSION_DISPATCHCOST_H
#define TPA_COMPILER_FUSION_DISPATCHCOST_H

#include "dialects/exec/ExecDialect.h"

namespace tpa {

/// Cost of `ops`, which form one kernel, as polynomials of `scalars`. Operands
/// made inside the group move no bytes; an operand read through an index that
/// is itself read (a table) costs what is read of it.
exec::CostAttr dispatchCost(llvm::ArrayRef<mlir::Operation *> ops,
                            llvm::ArrayRef<mlir::Value> scalars);

} // namespace tpa

#endif // TPA_COMPILER_FUSION_DISPATCHCOST_H
