//===- StreamBufferization.h - Bufferization of tpa.stream ------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// How one-shot bufferization treats tpa.stream.
//
//===----------------------------------------------------------------------===//

#ifndef TPA_COMPILER_EXEC_STREAMBUFFERIZATION_H
#define TPA_COMPILER_EXEC_STREAMBUFFERIZATION_H

#include "mlir/IR/DialectRegistry.h"

namespace tpa {

/// Lets streams read their inputs' and write their outs' buffers; the body
/// stays on tensors.
void registerStreamBufferization(mlir::DialectRegistry &registry);

} // namespace tpa

#endif // TPA_COMPILER_EXEC_STREAMBUFFERIZATION_H
