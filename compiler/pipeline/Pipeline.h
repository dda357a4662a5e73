//===- Pipeline.h - The phases of compilation -------------------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The phases of compilation, from a model definition to kernels.
//
//===----------------------------------------------------------------------===//

#ifndef TPA_COMPILER_PIPELINE_PIPELINE_H
#define TPA_COMPILER_PIPELINE_PIPELINE_H

#include "compiler/codegen/cpu/CpuTarget.h"
#include "mlir/Pass/PassManager.h"
#include <optional>

namespace tpa {

/// Each phase is what the IR is when it ends; all of them round-trip as text.
enum class Phase {
  Input,    ///< a t6.model and its attention function
  Model,    ///< the attention function with sizes, written over what is cached
  Entries,  ///< tensor functions of each entry
  Einsum,   ///< attention as einsums, mask and softmax
  Gradient, ///< entries that train, with the reverse of their blocks
  Fused,    ///< attention as one pass over blocks of keys
  Pairwise, ///< einsums of at most two operands, in the cheapest order
  Linalg,   ///< linalg on tensors, pointwise operations fused
  Dispatch, ///< kernels, and entries that dispatch them
  Memory,   ///< buffers and the arena planned, kernels over memory
  Vector,   ///< kernels as loops around vector operations, with grids
  Llvm,     ///< kernels in the LLVM dialect
};

struct PhaseInfo {
  Phase phase;
  llvm::StringLiteral name, summary;
};

/// All phases, in order.
llvm::ArrayRef<PhaseInfo> phases();
std::optional<Phase> phaseNamed(llvm::StringRef name);

struct PipelineOptions {
  int64_t batch = 1;
  int64_t maxLength = 0; ///< 0: the model's context
  int64_t prefillChunk = 128;
  int64_t verifyTokens = 0;
  int64_t pageTokens = 64;          ///< 0: each row's cache is one piece
  int64_t cacheTokens = 0;          ///< 0: all rows at their longest
  std::string linearState = "auto"; ///< of attention without a normaliser
  std::string dtype = "f32";
  std::string weights;              ///< "int8", or empty: of the dtype
  std::vector<std::string> entries; ///< empty: all that do not train
  bool train = false;               ///< also the entries of a training step
  std::string recompute = "none";   ///< by the reverse: see RecomputePolicy
  bool recomputeTable = false;      ///< print what it is to stderr
  int64_t vocabularyBlock = 8192;   ///< most tokens with logits in a step
  bool fuse = true;                 ///< make streams of attention
  bool checkKernels = false;        ///< keep reference kernels for t6 check
  cpu::CpuTarget cpu;
};

/// Adds the passes that lead from `from` to `to`, which is not before it.
void buildPipeline(mlir::OpPassManager &passes, Phase from, Phase to,
                   const PipelineOptions &options);

} // namespace tpa

#endif // TPA_COMPILER_PIPELINE_PIPELINE_H
