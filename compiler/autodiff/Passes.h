//===- Passes.h - Passes from model to entries ------------------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Passes from a loss to its gradients.
//
//===----------------------------------------------------------------------===//

#ifndef TPA_COMPILER_AUTODIFF_PASSES_H
#define TPA_COMPILER_AUTODIFF_PASSES_H

#include "mlir/Pass/Pass.h"

namespace tpa {

#define GEN_PASS_DECL
#define GEN_PASS_REGISTRATION
#include "compiler/autodiff/Passes.h.inc"

} // namespace tpa

#endif // TPA_COMPILER_AUTODIFF_PASSES_H
