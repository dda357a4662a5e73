//===- EntryPorts.h - The standard entries by name --------------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef T6_RUNTIME_API_ENTRYPORTS_H
#define T6_RUNTIME_API_ENTRYPORTS_H

#include "runtime/artifact/Artifact.h"
#include "runtime/engine/Executor.h"

#include "absl/status/statusor.h"
#include "absl/types/span.h"

#include <vector>

namespace t6 {

/// An entry whose inputs are called by the caller's order.
struct EntryPorts {
  int entry = -1;
  /// For each of the caller's inputs, its place in the entry's list.
  std::vector<int> inputs;
  int output = -1;

  /// Runs the entry on `ordered`, one tensor for each of the caller's inputs.
  absl::Status run(Executor &executor,
                   absl::Span<const TensorView> ordered) const;
  /// The output as F32 of `shape`, or FailedPrecondition: an artifact may
  /// declare anything.
  absl::StatusOr<const float *> floats(const Executor &executor,
                                       absl::Span<const int64_t> shape) const;
};

/// FailedPrecondition unless `artifact` has the entry `name` with exactly these
/// inputs, and this output among others.
absl::StatusOr<EntryPorts>
findEntryPorts(const Artifact &artifact, absl::string_view name,
               absl::Span<const absl::string_view> inputs,
               absl::string_view output);

/// The size of axis 1 of an input: its maximum, and whether it is the only
/// size.
struct AxisLimit {
  int64_t max = 0;
  bool isFixed = false;
};
absl::StatusOr<AxisLimit> lengthLimit(const Artifact &artifact,
                                      const EntryPorts &ports, int input);

/// Pages of the cache that rows share, as the tables of entries have them; 0
/// where there is no table.
int64_t sharedPages(const Program &program);

/// A view of 32-bit integers, one element after the other.
TensorView viewOf(absl::Span<const int32_t> data, std::vector<int64_t> shape);

} // namespace t6

#endif // T6_RUNTIME_API_ENTRYPORTS_H
