//===- Executor.h - Runs the entries of an artifact -------------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Walks an entry's list of dispatches over a thread pool. Owns the memory of a
// run: arenas, state (the cache), inputs and outputs. Knows nothing of models,
// tokens or sampling.
//
//===----------------------------------------------------------------------===//

#ifndef T6_RUNTIME_ENGINE_EXECUTOR_H
#define T6_RUNTIME_ENGINE_EXECUTOR_H

#include "runtime/artifact/Artifact.h"
#include "runtime/engine/HostMemory.h"
#include "runtime/engine/ParamBinder.h"
#include "runtime/engine/ThreadPool.h"
#include "runtime/io/Checkpoint.h"
#include "runtime/io/Tensor.h"

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

namespace t6 {

/// One dispatch that was run, for a profiler.
struct DispatchEvent {
  const Entry &entry;
  int index; ///< Of the dispatch in the entry.
  const Dispatch &dispatch;
  absl::string_view symbol;
  int64_t workgroups;
  double seconds;
  int64_t bytesRead; ///< By the program's cost, at the scalars of this run.
  int64_t bytesWritten;
  int64_t flops;
};
using DispatchHook = std::function<void(const DispatchEvent &)>;

struct ExecutorOptions {
  int threads = 0; ///< 0: one per CPU that this process may use.
  KernelSet kernels = KernelSet::Optimized;
  ParamMemory paramMemory = ParamMemory::Mapped;
};

/// Not thread-safe: one run at a time.
class Executor {
public:
  static absl::StatusOr<std::unique_ptr<Executor>>
  create(std::shared_ptr<const Artifact> artifact,
         const ExecutorOptions &options);

  const Program &program() const { return artifact->program(); }
  ThreadPool &threadPool() { return *pool; }

  /// Binds every parameter to a tensor of `checkpoint`, which the executor
  /// keeps. FailedPrecondition when one is missing or does not fit; then the
  /// parameters bound before stay bound.
  absl::Status bindParams(std::shared_ptr<const Checkpoint> checkpoint);
  /// Binds one parameter to memory of the caller's: Buffer::maxBytes bytes of
  /// the buffer's type, which outlive the executor.
  void bindParam(int buffer, const void *data);
  /// Bytes of parameters that are views into the checkpoint's files.
  int64_t mappedParamBytes() const { return checkpointParams.mappedBytes; }
  /// Bytes of parameters that were converted to memory of this executor.
  int64_t ownedParamBytes() const { return checkpointParams.converted.size(); }
  /// What bindParams found odd but harmless, a sentence each.
  absl::Span<const std::string> warnings() const {
    return checkpointParams.warnings;
  }

  /// Zeroes what tokens left behind: the next ones start a sequence. Gradients
  /// and moments stay.
  void resetState();
  /// Fills all state with small pseudo-random numbers, to measure on.
  absl::Status fillState(uint64_t seed);
  /// Bytes of all state buffers.
  int64_t stateBytes() const;

  /// Runs entry `entry` on one tensor for each of its inputs, in the program's
  /// order; inputs are copied. I64 tensors are accepted for I32 inputs.
  /// InvalidArgument for a wrong type, shape or value: then nothing has run and
  /// the state is unchanged. From the second run of an entry on, allocates
  /// nothing.
  absl::Status run(int entry, absl::Span<const TensorView> inputs);
  /// An output of the last run of `entry`, valid until its next run.
  const TensorView &output(int entry, int index) const {
    return plans[entry].outputs[index];
  }
  /// The same by names; fills `outputs` with every output of the entry.
  absl::Status run(absl::string_view entry,
                   const std::map<std::string, TensorView> &inputs,
                   std::map<std::string, TensorView> *outputs);

  /// Calls `hook` after every dispatch; an empty hook turns timing off, and
  /// then it costs nothing.
  void setProfiler(DispatchHook hook) { profiler = std::move(hook); }

  /// Allocates and wires what `entry` needs; run() does it on first use.
  absl::Status prepare(int entry);
  /// Memory of a buffer as of the last prepare() of an entry that uses it; null
  /// before. Not for writing to parameters.
  void *bufferData(int buffer) const { return addresses[buffer]; }

  /// run() in steps, for tools that look at memory in between: begin() takes
  /// and checks the inputs, then each dispatch runs once, in order.
  absl::Status begin(int entry, absl::Span<const TensorView> inputs);
  void runDispatch(int entry, int index);
  /// Scalar values of the last begin() of `entry`.
  absl::Span<const int64_t> scalars(int entry) const {
    return plans[entry].scalars;
  }

private:
  /// A dispatch with its pointers in place.
  struct DispatchPlan {
    t6_kernel_fn function = nullptr;
    const Dispatch *dispatch = nullptr;
    t6_bindings bindings = {};
    int64_t *scalars = nullptr; ///< Patched before each call.
    bool serial = false;        ///< Too little work to hand to other threads.
  };
  struct EntryPlan {
    bool ready = false;
    HostMemory memory; ///< Arena and ports.
    std::vector<DispatchPlan> dispatches;
    std::vector<void *> pointers;
    std::vector<int64_t> scalarSlots;
    std::vector<int64_t> scalars;
    std::vector<TensorView> outputs;
  };

  Executor(std::shared_ptr<const Artifact> artifact, KernelLibrary library)
      : artifact(std::move(artifact)), library(std::move(library)) {}
  absl::Status initialize(const ExecutorOptions &options);
  absl::Status allocate(int entry, EntryPlan &plan);
  absl::Status allocateState();
  /// Gives `memory` to those of `buffers` that have none.
  absl::Status place(absl::Span<const int> buffers, HostMemory &memory,
                     absl::string_view label);
  absl::Status checkBound(int entry) const;
  void wire(int entry, EntryPlan &plan);
  void invalidatePlans();
  void profiled(int entry, int index);
  int64_t dispatchOnce(const DispatchPlan &plan,
                       absl::Span<const int64_t> values);
  void shapeOutputs(int entry);

  std::shared_ptr<const Artifact> artifact;
  KernelLibrary library;
  std::unique_ptr<ThreadPool> pool;
  std::shared_ptr<const Checkpoint> weights;
  ParamMemory paramMemory = ParamMemory::Mapped;
  BoundParams checkpointParams;
  HostMemory constants;
  HostMemory state;
  std::vector<void *> addresses; ///< Of each buffer; null before it has one.
  std::vector<EntryPlan> plans;
  DispatchHook profiler;
};

} // namespace t6

#endif // T6_RUNTIME_ENGINE_EXECUTOR_H
