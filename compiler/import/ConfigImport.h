//===- ConfigImport.h - Models from config.json -----------------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Model definitions from a checkpoint's config.json.
//
//===----------------------------------------------------------------------===//

#ifndef TPA_COMPILER_IMPORT_CONFIGIMPORT_H
#define TPA_COMPILER_IMPORT_CONFIGIMPORT_H

#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/OwningOpRef.h"

namespace tpa {

/// What `arch` may be: t6, t6-kvonly, mha, gqa, mqa, mla (keys of the T6
/// reference) and llama (keys of Hugging Face LLaMA).
llvm::ArrayRef<llvm::StringLiteral> configArchitectures();

/// Builds a module with the t6.model that the config describes, named after the
/// file (or its folder, for a file called config.json), and with its attention
/// function where the library's does not fit as it is.
///
/// An empty `arch` is detected: hidden_size means llama, else kv_lora_rank mla,
/// group_size gqa, q_rank t6, rank t6-kvonly, and n_embd with block_size mha.
/// The reference's training script writes rank and q_rank for every
/// architecture, so its baselines need `arch`. Absent keys of the reference
/// have the defaults of the reference's classes.
///
/// On bad input one diagnostic is emitted at the offending key in `fileName`,
/// and the result is null. Sizes of a returned model are at most 2^24, and its
/// parameters at most 2^40, so that they can be multiplied in 64 bits.
mlir::OwningOpRef<mlir::ModuleOp> importConfig(llvm::StringRef json,
                                               llvm::StringRef fileName,
                                               llvm::StringRef arch,
                                               mlir::MLIRContext &context);

} // namespace tpa

#endif // TPA_COMPILER_IMPORT_CONFIGIMPORT_H
