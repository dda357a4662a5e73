//===- Decoder.h - A batch of sequences, run by run -------------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Feeds sequences of different lengths to the entries `prefill` and `decode`.
// Chooses no tokens and knows no text.
//
//===----------------------------------------------------------------------===//

#ifndef T6_RUNTIME_API_DECODER_H
#define T6_RUNTIME_API_DECODER_H

#include "runtime/api/EntryPorts.h"
#include "runtime/api/PageTable.h"
#include "runtime/artifact/Artifact.h"
#include "runtime/engine/Executor.h"

#include "absl/functional/function_ref.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"

#include <algorithm>
#include <cstdint>
#include <optional>
#include <vector>

namespace t6 {

/// The rows of an artifact's batch. The batch is fixed, so empty rows run too:
/// some token at position 0, and nobody looks at them.
///
/// Runs write whole rectangles: padding behind a row's last token lands in the
/// cache at positions that the row has not reached, and is overwritten when it
/// does; causality hides it until then. Of a cache in pages, rows own those
/// that they have reached: padding lands there, or on the page of nobody, and
/// so does all that an empty row writes. A row
/// that rests meanwhile runs its last token once more, which changes nothing:
/// states that hold only the last tokens of a row, or the sum of all, take what
/// comes after `last` for padding, but not `last` itself.
class Decoder {
public:
  /// FailedPrecondition when `artifact` is not fit for generation.
  static absl::StatusOr<Decoder> create(const Artifact &artifact,
                                        Executor &executor);

  int64_t batch() const { return rows; }
  int64_t maxLength() const { return limit; }
  int64_t vocabSize() const { return vocab; }

  /// Appends prompts[i] to row i, nothing to rows beyond them; all must fit.
  /// `stop` is asked before every run; returns false if it ended the call
  /// early. ResourceExhausted, as of step(), if there are no pages left for
  /// what rows append: the rows are of no use then.
  absl::StatusOr<bool>
  prefill(absl::Span<const absl::Span<const int32_t>> prompts,
          absl::FunctionRef<bool()> stop);

  /// Appends tokens[i] to row i; -1 leaves the row as it is, as do too few.
  absl::Status step(absl::Span<const int32_t> tokens);

  /// Makes a row empty: its pages are free for others, and it can begin anew.
  void end(size_t row);

  /// The pages of the cache; null where each row is in one piece.
  const PageTable *pageTable() const { return pages ? &*pages : nullptr; }

  /// What follows the last token of a row, by the last call that appended to
  /// it; valid until the next.
  absl::Span<const float> logits(size_t row) const {
    return absl::MakeConstSpan(current + row * vocab, vocab);
  }

  /// Tokens of a row in the cache.
  int64_t length(size_t row) const { return lengths[row]; }

  /// Declares that every row has `length` tokens: those that the cache held
  /// there before, whatever came after. States that hold only the last tokens
  /// of a row, or the sum of all, do not go back: that is for measuring.
  absl::Status rewind(int64_t length);

private:
  Decoder(Executor &executor) : executor(&executor) {}
  absl::Status readLimits(const Artifact &artifact);
  absl::Status readPages(const Artifact &artifact);
  /// Runs an entry on `inputs` and, where there is one, the table of pages.
  absl::Status run(const EntryPorts &ports, std::vector<TensorView> inputs);
  /// Lends each row the pages of its length.
  absl::Status growPages();
  absl::Status runChunk(absl::Span<const absl::Span<const int32_t>> prompts,
                        std::vector<int64_t> &done, int64_t size);

  /// Where a row runs its last token: the last position, or of an empty row 0.
  int32_t restingPosition(int64_t row) const {
    return static_cast<int32_t>(std::max<int64_t>(lengths[row], 1) - 1);
  }

  Executor *executor;
  EntryPorts prefillPorts;
  EntryPorts decodePorts;
  int64_t rows = 0;
  int64_t limit = 0;
  int64_t vocab = 0;
  int64_t chunk = 0;
  std::optional<PageTable> pages;
  int64_t pageSlots = 0; ///< Pages of a row, at most.
  std::vector<int64_t> lengths;
  std::vector<int32_t> lastTokens;
  /// Inputs of a run, [rows, n] and [rows].
  std::vector<int32_t> tokenInput;
  std::vector<int32_t> positionInput;
  std::vector<int32_t> lastInput;
  /// [rows, vocab], as rows end in different runs of a prefill.
  std::vector<float> prefillLogits;
  const float *current = nullptr;
};

} // namespace t6

#endif // T6_RUNTIME_API_DECODER_H
