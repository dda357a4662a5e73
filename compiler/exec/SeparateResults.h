//===- SeparateResults.h - Memory of a result's own -------------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Gives results memory of their own where equal operations became one.
//
//===----------------------------------------------------------------------===//

#ifndef TPA_COMPILER_EXEC_SEPARATERESULTS_H
#define TPA_COMPILER_EXEC_SEPARATERESULTS_H

#include "mlir/Interfaces/DestinationStyleOpInterface.h"

namespace tpa {

/// Equal tensor.empty, and equal fills, are one operation after common
/// subexpressions are eliminated, but two results are not in one place: where
/// `op` shares an initial value, it gets a copy.
void separateResults(mlir::DestinationStyleOpInterface op);

} // namespace tpa

#endif // TPA_COMPILER_EXEC_SEPARATERESULTS_H
