//===- GoldenModel.h - A compiled model and its reference -------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// What the tests of agreement with the reference share: the recorded case, and
// an executor with the case's weights that is fed rows of the recorded tokens.
// B: rows of the artifact's batch; T: recorded tokens of a row; V: vocabulary.
//
//===----------------------------------------------------------------------===//

#ifndef T6_TESTS_END_TO_END_GOLDENMODEL_H
#define T6_TESTS_END_TO_END_GOLDENMODEL_H

#include "runtime/engine/Executor.h"

#include "absl/types/span.h"

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

namespace t6 {

/// What the reference computed.
struct Golden {
  int64_t rows = 0, length = 0, vocab = 0;
  std::vector<int32_t> tokens; ///< [rows, length + 1]
  std::vector<float> logits;   ///< [rows, length, vocab]
  float loss = 0;
};

/// The case in tests/data/`name`.
Golden readGolden(const std::string &name);

/// ‖actual − expected‖ / ‖expected‖; infinite when one is not finite or the
/// sizes differ.
double relativeError(absl::Span<const float> actual,
                     absl::Span<const float> expected);

/// An artifact whose row r is given the recorded row r mod Golden::rows, so
/// that any batch can be compared. A failing run fails the test that called.
class GoldenModel {
public:
  /// Opens an artifact for the case `name` and loads its weights.
  GoldenModel(const std::string &artifact, const std::string &name, int threads,
              ParamMemory memory = ParamMemory::Mapped);

  int64_t batch() const { return program().options.batch; }
  int64_t maxLength() const { return program().options.maxLength; }
  int64_t prefillChunk() const { return program().options.prefillChunk; }
  DType dtype() const { return program().options.dtype; }
  int64_t length() const { return golden.length; }
  const Program &program() const { return executor->program(); }
  Executor &engine() { return *executor; }
  const Golden &reference() const { return golden; }

  /// The recorded logits of every row of the batch: [B, length, V].
  std::vector<float> expectedLogits(int64_t length) const;
  /// The recorded token of `row` at `position`; T is the last target.
  int32_t token(int64_t row, int64_t position) const;

  /// Runs the entry `loss` on the first `length` tokens.
  struct Loss {
    std::vector<float> logits;    ///< [B, length, V]; of one that trains none
    std::vector<float> tokenLoss; ///< [B, length]
    float mean = 0;
  };
  Loss loss(int64_t length);
  /// The same with targets of the caller's, [B, length].
  Loss loss(int64_t length, absl::Span<const int32_t> targets);

  /// Runs the entry `accumulate_gradients` on the first maxLength() tokens and
  /// returns the loss.
  float accumulate();

  /// One run of `prefill`: row r takes the recorded tokens from positions[r]
  /// on, `length` of them (token 0 beyond the recorded ones); logits [B, V] of
  /// the token at positions[r] + last[r].
  std::vector<float> prefill(absl::Span<const int32_t> positions,
                             int64_t length, absl::Span<const int32_t> last);
  /// One run of `decode`: row r takes the recorded token at positions[r];
  /// logits [B, V].
  std::vector<float> decode(absl::Span<const int32_t> positions);

  /// The logits at every position, [B, T, V], when the first `prefilled` tokens
  /// go through `prefill`, `chunk` at a time, and the others through `decode`.
  /// A prefill run tells the logits of one position only, so it is repeated for
  /// the others, which leaves the cache as it was.
  std::vector<float> walk(int64_t prefilled, int64_t chunk);

  /// The same when row r begins with prefilled[r] tokens, in one run of
  /// `prefill`, and all rows then decode at their own positions. Positions that
  /// are skipped hold the reference's logits.
  std::vector<float> walkRagged(absl::Span<const int32_t> prefilled);

  /// Overwrites the memory of all buffers of `kind` with bytes of 0xff, which
  /// are NaN as f32 and as bf16.
  void poison(BufferKind kind);
  /// Overwrites one row of the cache with 3.5e9, as f32 and as bf16. Not NaN:
  /// what a mask hides is multiplied by zero.
  void stainRow(int64_t row);

  using Tensors = std::map<std::string, TensorView>;
  Tensors run(const std::string &entry, const Tensors &inputs);

private:
  std::vector<float> runForLogits(const std::string &entry,
                                  const Tensors &inputs);

  Golden golden;
  std::unique_ptr<Executor> executor;
};

} // namespace t6

#endif // T6_TESTS_END_TO_END_GOLDENMODEL_H
