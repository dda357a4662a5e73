//===- BatchSampler.h - Batches of windows of a corpus ----------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Chooses the windows that a run trains on. A sampler remembers nothing: which
// windows a batch has follows from its number, so that the position of a run is
// one number, and no draw disturbs another.
//
//===----------------------------------------------------------------------===//

#ifndef T6_RUNTIME_DATA_BATCHSAMPLER_H
#define T6_RUNTIME_DATA_BATCHSAMPLER_H

#include "runtime/data/TokenDataset.h"

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"

#include <array>
#include <cstdint>
#include <string>

namespace t6 {

/// Numbers the micro-batches of all ranks of a run. Those of a step follow each
/// other, the ranks' of one micro-step side by side: with 2 ranks and 3
/// micro-steps, rank 1 has 1, 3 and 5 in step 0 and 7, 9 and 11 in step 1. So N
/// ranks see together in each step what one rank sees that accumulates N times
/// as many.
struct BatchNumbering {
  int64_t ranks = 1;
  int64_t accumulation = 1; ///< Micro-steps of each rank in a step.

  int64_t perStep() const { return ranks * accumulation; }

  /// What a run saves: how many micro-batches all its ranks have had after
  /// `steps` steps. It is the number of the next.
  int64_t position(int64_t steps) const { return steps * perStep(); }

  /// The micro-batch of `rank` at `microStep` of the step that begins at
  /// `position`, perhaps one that other numbers of ranks have led to.
  int64_t number(int64_t position, int64_t microStep, int64_t rank) const {
    return position + microStep * ranks + rank;
  }
};

enum class SamplerKind {
  /// The reference's: each batch takes one of the shards, all equally likely,
  /// and in it B windows, each at any offset, one perhaps twice.
  kRandomWindow,
  /// The windows at multiples of T, of all shards, each once an epoch, in an
  /// order of the epoch's own. The rows of all batches are one sequence, which
  /// epochs cut into pieces; a batch may have rows of two.
  kEpochs,
};

/// Of the names "random-window" and "epochs".
absl::StatusOr<SamplerKind> parseSamplerKind(absl::string_view name);

struct SamplerOptions {
  SamplerKind kind = SamplerKind::kRandomWindow;
  int64_t batch = 1;  ///< B, the windows of a micro-batch.
  int64_t length = 0; ///< T. No default.
  uint64_t seed = 0;
  /// Samplers of other streams ("train", "evaluate") draw independently.
  std::string stream = "train";
};

/// For use by any number of threads at a time.
class BatchSampler {
public:
  static absl::StatusOr<BatchSampler> create(TokenDataset dataset,
                                             SamplerOptions options);

  /// Writes micro-batch `number`: inputs [B, T] and, each one token later in
  /// its window, targets [B, T]. A token outside of the vocabulary is an error.
  absl::Status fill(int64_t number, absl::Span<int32_t> inputs,
                    absl::Span<int32_t> targets) const;

  /// The window in row `row` of micro-batch `number`, which must be in
  /// [0, numberLimit()).
  TokenWindow window(int64_t number, int64_t row) const;

  /// Numbers of micro-batches are below it.
  int64_t numberLimit() const;

  /// The windows at multiples of T.
  int64_t windowsPerEpoch() const { return windows.size(); }

  const SamplerOptions &options() const { return given; }
  const TokenDataset &dataset() const { return data; }

private:
  BatchSampler(TokenDataset dataset, SamplerOptions options);
  uint64_t draw(uint64_t position, uint64_t bound) const;
  int64_t permute(int64_t index, int64_t epoch) const;

  TokenDataset data;
  SamplerOptions given;
  uint64_t stream;             ///< Hash of the stream's name.
  std::array<uint32_t, 2> key; ///< Of the epochs' orders.
  WindowList windows;
};

} // namespace t6

#endif // T6_RUNTIME_DATA_BATCHSAMPLER_H
