//===- EvaluationSet.h - Fixed windows to evaluate on -----------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The same windows at each evaluation of a run, so that losses can be compared.
//
//===----------------------------------------------------------------------===//

#ifndef T6_RUNTIME_DATA_EVALUATIONSET_H
#define T6_RUNTIME_DATA_EVALUATIONSET_H

#include "runtime/data/TokenDataset.h"

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"

#include <algorithm>
#include <cstdint>

namespace t6 {

struct EvaluationOptions {
  int64_t batch = 1;      ///< B, the rows of a batch.
  int64_t length = 0;     ///< T. No default.
  int64_t maxWindows = 0; ///< 0: all.
};

/// Windows spread evenly over a corpus: of its W windows that begin at
/// multiples of T, numbers floor(i W / k) for i in [0, k). Window i is row i %
/// B of batch i / B.
class EvaluationSet {
public:
  static absl::StatusOr<EvaluationSet> create(TokenDataset dataset,
                                              const EvaluationOptions &options);

  /// k.
  int64_t windows() const { return count; }
  int64_t batches() const { return (count - 1) / given.batch + 1; }

  /// The rows of `batch` that have a window: B but in the last. A mean loss of
  /// the batch weighs rows * T.
  int64_t rows(int64_t batch) const {
    return std::min(given.batch, count - batch * given.batch);
  }

  /// Writes inputs [B, T] and targets [B, T] of a batch in [0, batches()). Rows
  /// without a window have token 0 and target -1, which is not counted.
  absl::Status fill(int64_t batch, absl::Span<int32_t> inputs,
                    absl::Span<int32_t> targets) const;

private:
  EvaluationSet(TokenDataset dataset, const EvaluationOptions &options);

  TokenDataset data;
  EvaluationOptions given;
  WindowList all;
  int64_t count; ///< k.
};

} // namespace t6

#endif // T6_RUNTIME_DATA_EVALUATIONSET_H
