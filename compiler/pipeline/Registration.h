//===- Registration.h - Dialects and passes ---------------------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The one list of dialects and passes that every tool registers.
//
//===----------------------------------------------------------------------===//

#ifndef TPA_COMPILER_PIPELINE_REGISTRATION_H
#define TPA_COMPILER_PIPELINE_REGISTRATION_H

#include "mlir/IR/DialectRegistry.h"

namespace tpa {

/// Our dialects, the upstream ones that pipelines use, and their interfaces.
void registerAllDialects(mlir::DialectRegistry &registry);

/// Our passes and the upstream ones that help to explore the IR.
void registerAllPasses();

} // namespace tpa

#endif // TPA_COMPILER_PIPELINE_REGISTRATION_H
