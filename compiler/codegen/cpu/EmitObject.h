//===- EmitObject.h - Machine code of kernels -------------------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef TPA_COMPILER_CODEGEN_CPU_EMITOBJECT_H
#define TPA_COMPILER_CODEGEN_CPU_EMITOBJECT_H

#include "compiler/codegen/cpu/CpuTarget.h"
#include "mlir/IR/BuiltinOps.h"

namespace tpa::cpu {

/// Generates an ELF shared object with the module's kernels, which are in the
/// LLVM dialect; other operations, nested modules among them, are ignored.
/// Diagnostics are emitted at the module.
mlir::FailureOr<std::string> emitSharedObject(mlir::ModuleOp module,
                                              const CpuTarget &cpu);

} // namespace tpa::cpu

#endif // TPA_COMPILER_CODEGEN_CPU_EMITOBJECT_H
