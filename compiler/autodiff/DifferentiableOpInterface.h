//===- DifferentiableOpInterface.h - Reverse mode ---------------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// What an operation says about its derivative, and who says it.
//
//===----------------------------------------------------------------------===//

#ifndef TPA_COMPILER_AUTODIFF_DIFFERENTIABLEOPINTERFACE_H
#define TPA_COMPILER_AUTODIFF_DIFFERENTIABLEOPINTERFACE_H

#include "compiler/autodiff/AdjointBuilder.h"
#include "mlir/IR/DialectRegistry.h"
#include "mlir/IR/OpDefinition.h"

#include "compiler/autodiff/DifferentiableOpInterface.h.inc"

namespace tpa {

/// Einsums, maps, softmax, rotations.
void registerTpaAdjoints(mlir::DialectRegistry &registry);
/// Gathers of earlier tokens.
void registerRecentAdjoint(mlir::DialectRegistry &registry);
/// Dimensions taken together and apart.
void registerReshapeAdjoints(mlir::DialectRegistry &registry);
/// The layers and the loss.
void registerT6Adjoints(mlir::DialectRegistry &registry);
/// Elementwise arithmetic on tensors.
void registerElementwiseAdjoints(mlir::DialectRegistry &registry);

} // namespace tpa

#endif // TPA_COMPILER_AUTODIFF_DIFFERENTIABLEOPINTERFACE_H
