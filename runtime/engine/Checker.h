//===- Checker.h - Kernels against their references -------------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Runs the entries of an artifact with kernels.so and with check.so in step,
// from the same pseudo-random weights, state and inputs, and compares what
// every dispatch wrote. Needs no weights and no framework.
//
//===----------------------------------------------------------------------===//

#ifndef T6_RUNTIME_ENGINE_CHECKER_H
#define T6_RUNTIME_ENGINE_CHECKER_H

#include "runtime/artifact/Artifact.h"

#include "absl/status/statusor.h"
#include "absl/types/span.h"

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace t6 {

struct CheckOptions {
  std::string entry; ///< Empty: every entry.
  uint64_t seed = 1; ///< Of weights, state and inputs.
  int threads = 0;   ///< 0: one per CPU that this process may use.
  /// The value of scalars that are an input's size, capped at their maximum; 0:
  /// the maximum.
  int64_t length = 0;
  /// Bounds on mean squared error over mean square. Both runs start a dispatch
  /// from the same values, so only the rounding of one dispatch adds up: f32
  /// sums of some thousand terms in another order stay well below 1e-5
  /// relative, squared, and one rounding to bf16 is 2^-9 relative, squared,
  /// with room for a few ties that fall the other way. Kernels that round the
  /// factors of their products get the second bound.
  double maxNmseF32 = 1e-10;
  double maxNmseBf16 = 2e-5;
};

/// What the kernels of one dispatch disagree on.
struct Divergence {
  std::string entry;
  int dispatch = 0;
  std::string label;
  std::string symbol;
  std::string buffer;  ///< The buffer that differs.
  int64_t element = 0; ///< Where in the written region they differ most.
  double actual = 0, expected = 0;
  double nmse = 0; ///< Infinite for NaN or infinity on one side only.
  double bound = 0;
  /// "decode: dispatch 3 (block.0/mlp, kernel 'decode_mlp') ...", one sentence.
  std::string toString() const;
};

struct CheckReport {
  int64_t dispatches = 0; ///< Compared.
  int64_t inexact = 0;    ///< Of those, not equal bit for bit.
  double worstNmse = 0;   ///< Over all of those that passed.
  std::string worstLabel;
  std::vector<Divergence> divergences; ///< The first of each entry, if any.
  bool passed() const { return divergences.empty(); }
};

/// Compares the kernels of `artifact` with its reference kernels.
/// FailedPrecondition when it has none; InvalidArgument for an unknown entry.
absl::StatusOr<CheckReport> check(std::shared_ptr<const Artifact> artifact,
                                  const CheckOptions &options);

/// The comparison itself: NMSE of `actual` against `expected` over the elements
/// of type `dtype` that either run changed from `before`. Integers must be
/// equal (0 or infinity). Sets `worst` to the element that differs most.
double nmseOfChanged(DType dtype, absl::Span<const char> actual,
                     absl::Span<const char> expected,
                     absl::Span<const char> before, int64_t *worst);

} // namespace t6

#endif // T6_RUNTIME_ENGINE_CHECKER_H
