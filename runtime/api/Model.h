//===- Model.h - What a t6_model is -----------------------------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef T6_RUNTIME_API_MODEL_H
#define T6_RUNTIME_API_MODEL_H

#include "runtime/api/t6.h"
#include "runtime/artifact/Artifact.h"
#include "runtime/engine/Executor.h"

#include "absl/status/status.h"

#include <atomic>
#include <memory>
#include <vector>

struct t6_model {
  std::shared_ptr<const t6::Artifact> artifact;
  int threads = 0; ///< As asked for.
  bool copyWeights = false;
  std::atomic<bool> cancelled{false};
  /// Null until something is to be run.
  std::unique_ptr<t6::Executor> executor;
  bool hasWeights = false;
  t6::HostMemory randomWeights;
  /// Of each entry: whether its outputs are those of a run.
  std::vector<bool> hasOutputs;
  /// Tokens that t6_measure() left in every row; -1 after anything else ran.
  int64_t measuredDepth = -1;

  const t6::Program &program() const { return artifact->program(); }

  /// Makes the executor.
  absl::Status load();
  /// Makes the executor and finds it with weights; what measured is forgotten.
  absl::Status ready();
  /// Whether t6_model_cancel() was called; asks once per call.
  bool takeCancel() { return cancelled.exchange(false); }
};

namespace t6 {

/// Bytes of all buffers of one kind, in memory.
int64_t bytesOfKind(const Program &program, BufferKind kind);
/// Bytes of the states that tokens leave behind.
int64_t cacheBytes(const Program &program);

} // namespace t6

#endif // T6_RUNTIME_API_MODEL_H
