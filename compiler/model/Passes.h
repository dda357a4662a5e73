//===- Passes.h - Passes from model to entries ------------------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Passes from a model definition to the tensor functions of its entries.
//
//===----------------------------------------------------------------------===//

#ifndef TPA_COMPILER_MODEL_PASSES_H
#define TPA_COMPILER_MODEL_PASSES_H

#include "mlir/Pass/Pass.h"

namespace tpa {

#define GEN_PASS_DECL
#define GEN_PASS_REGISTRATION
#include "compiler/model/Passes.h.inc"

} // namespace tpa

#endif // TPA_COMPILER_MODEL_PASSES_H
