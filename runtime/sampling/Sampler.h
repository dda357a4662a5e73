//===- Sampler.h - From logits to the next token ----------------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef T6_RUNTIME_SAMPLING_SAMPLER_H
#define T6_RUNTIME_SAMPLING_SAMPLER_H

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"

#include <cstdint>
#include <vector>

namespace t6 {

/// How to choose. The options apply in the order in which they are listed;
/// tokens of equal logit rank by id, the lowest first.
struct SamplingOptions {
  /// r > 0: a token of the history, however often it occurs there, has its
  /// logit divided by r where positive and multiplied by r where negative, so
  /// that r > 1 makes it less likely either way. 1: no change.
  float repetitionPenalty = 1;

  /// T >= 0: probabilities are softmax(logits / T). 0: the most likely token is
  /// taken, and no option below has an effect.
  float temperature = 1;

  /// k > 0: only the k most likely tokens stay. 0: all.
  int32_t topK = 0;

  /// 0 < p <= 1: of the tokens in falling order of probability (which sum to 1
  /// over those that top-k left) the shortest prefix that sums to p or more
  /// stays. 1: all.
  float topP = 1;

  /// 0 <= m <= 1: only tokens at least m times as likely as the most likely one
  /// stay. 0: all.
  float minP = 0;

  /// Key of the random numbers; the same seed, logits and history give the same
  /// token.
  uint64_t seed = 0;

  /// Ids from here on are never sampled: the padding of a model whose
  /// vocabulary is larger than its tokenizer's. 0: there are none.
  int32_t vocabLimit = 0;
};

/// Draws tokens. It remembers nothing between calls but memory to work in, so
/// that the result depends on the arguments alone; not for use by two threads
/// at a time.
class Sampler {
public:
  /// Fails on the first option that is out of its range.
  static absl::StatusOr<Sampler> create(const SamplingOptions &options);

  /// The next token of row `row` after `history` (its prompt and what has been
  /// generated), which will stand at `position`. Logits must be finite or -inf
  /// (never taken), at least one finite; ids of `history` without a logit have
  /// no effect.
  absl::StatusOr<int32_t> sample(absl::Span<const float> logits,
                                 absl::Span<const int32_t> history,
                                 uint64_t position, uint64_t row = 0);

private:
  struct Candidate {
    int32_t id;
    double logit;  ///< After the penalty.
    double weight; ///< exp((logit - largest) / temperature).
  };

  explicit Sampler(const SamplingOptions &options) : options(options) {}

  absl::Status load(absl::Span<const float> logits,
                    absl::Span<const int32_t> history, uint64_t position);
  int32_t mostLikely() const;
  void keepTopK();
  void weigh();
  void keepTopP();
  void keepMinP();
  int32_t draw(double uniform) const;

  SamplingOptions options;
  /// Those that are still in the running, by id.
  std::vector<Candidate> candidates;
  std::vector<bool> inHistory;
};

} // namespace t6

#endif // T6_RUNTIME_SAMPLING_SAMPLER_H
