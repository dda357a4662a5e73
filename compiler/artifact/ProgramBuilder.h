//===- ProgramBuilder.h - The program.json of a planned module --*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef TPA_COMPILER_ARTIFACT_PROGRAMBUILDER_H
#define TPA_COMPILER_ARTIFACT_PROGRAMBUILDER_H

#include "mlir/IR/BuiltinOps.h"
#include "runtime/schema/Program.h"

namespace tpa {

/// Translates buffers, kernels and entries of the exec dialect, after
/// exec-plan-buffers and code generation, one to one. Constants get places in
/// constants.bin in order.
mlir::FailureOr<::t6::Program> buildProgram(mlir::ModuleOp module);

/// The contents of constants.bin for the same module.
mlir::FailureOr<std::string> buildConstants(mlir::ModuleOp module);

} // namespace tpa

#endif // TPA_COMPILER_ARTIFACT_PROGRAMBUILDER_H
