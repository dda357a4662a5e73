//===- WriteArtifact.h - Module to .t6x artifact ----------------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Writes a compiled module as a .t6x artifact.
//
//===----------------------------------------------------------------------===//

#ifndef TPA_COMPILER_ARTIFACT_WRITEARTIFACT_H
#define TPA_COMPILER_ARTIFACT_WRITEARTIFACT_H

#include "compiler/codegen/cpu/CpuTarget.h"
#include "mlir/IR/BuiltinOps.h"
#include <map>

namespace tpa {

struct ArtifactOptions {
  std::string path;
  cpu::CpuTarget cpu;
  /// Provenance: files under ir/, by name.
  std::map<std::string, std::string> ir;
};

/// Generates machine code for a module in phase `llvm` and writes the artifact
/// beside its destination, then renames it: no reader sees half of it.
mlir::LogicalResult writeArtifact(mlir::ModuleOp module,
                                  const ArtifactOptions &options);

} // namespace tpa

#endif // TPA_COMPILER_ARTIFACT_WRITEARTIFACT_H
