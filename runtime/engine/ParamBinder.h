//===- ParamBinder.h - A checkpoint's tensors for a program -----*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Finds every parameter of a program in a checkpoint, and the memory for it:
// the checkpoint's own where type and alignment fit, else a converted copy; or
// copies of all of them.
//
//===----------------------------------------------------------------------===//

#ifndef T6_RUNTIME_ENGINE_PARAMBINDER_H
#define T6_RUNTIME_ENGINE_PARAMBINDER_H

#include "runtime/engine/HostMemory.h"
#include "runtime/engine/ThreadPool.h"
#include "runtime/io/Checkpoint.h"
#include "runtime/schema/Program.h"

#include "absl/status/statusor.h"

#include <string>
#include <vector>

namespace t6 {

/// Where the parameters of a program are.
struct BoundParams {
  struct Param {
    int buffer = 0; ///< Index into the program's buffers.
    const void *data = nullptr;
  };
  std::vector<Param> params;
  /// The parameters that had to be converted or aligned, or all of them; the
  /// rest are views into the checkpoint.
  HostMemory converted;
  int64_t mappedBytes = 0;
  /// One sentence for each thing that is odd but harmless.
  std::vector<std::string> warnings;
};

/// Where parameters lie that need no conversion.
enum class ParamMemory {
  Mapped, ///< In the checkpoint's files: nothing to wait for, memory shared.
  Copied, ///< In huge pages, which a CPU reads faster than a file's small ones.
};

/// FailedPrecondition, naming the first few of all parameters that are missing
/// or of another shape or type, or one that has no integers because it is not
/// finite. The result refers to `checkpoint`.
absl::StatusOr<BoundParams> bindCheckpoint(const Program &program,
                                           const Checkpoint &checkpoint,
                                           ThreadPool &pool,
                                           ParamMemory memory);

} // namespace t6

#endif // T6_RUNTIME_ENGINE_PARAMBINDER_H
