//===- ConfigKeys.h - The config.json that describes a model ----*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The inverse of compiler/import: the keys by which other programs, and
// tpa-opt again, know a model. Artifacts carry them, so that a checkpoint of
// training can say what it is of.
//
//===----------------------------------------------------------------------===//

#ifndef TPA_COMPILER_MODEL_CONFIGKEYS_H
#define TPA_COMPILER_MODEL_CONFIGKEYS_H

#include "dialects/t6/T6Dialect.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"

namespace tpa {

/// Where a t6.model, and the summary of a program, hold the keys.
inline constexpr llvm::StringLiteral configAttrName = "t6.config";

/// The keys of the T6 reference, or of Hugging Face LLaMA, that describe the
/// model with this attention function, whose sizes are still open; null where
/// neither has such a model: another attention, another feed-forward width than
/// the reference's, and so on. Equal models have equal keys.
mlir::DictionaryAttr configKeys(t6::ModelOp model,
                                mlir::func::FuncOp attention);

} // namespace tpa

#endif // TPA_COMPILER_MODEL_CONFIGKEYS_H
