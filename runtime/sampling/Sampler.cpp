//===- Sampler.cpp - From logits to the next token ------------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "runtime/sampling/Sampler.h"

#include "runtime/sampling/Random.h"

#include "absl/strings/str_cat.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <optional>

namespace t6 {

static absl::Status badOption(absl::string_view option, double value,
                              absl::string_view range, absl::string_view hint) {
  return absl::InvalidArgumentError(absl::StrCat(
      option, " is ", value, ", and must be ", range, "; HINT: ", hint));
}

absl::StatusOr<Sampler> Sampler::create(const SamplingOptions &options) {
  const SamplingOptions &o = options;
  // Written so that NaN fails each of them.
  if (!(o.repetitionPenalty > 0 && std::isfinite(o.repetitionPenalty)))
    return badOption("the repetition penalty", o.repetitionPenalty,
                     "a number above 0",
                     "1 has no effect, 1.1 makes repeated tokens less likely");
  if (!(o.temperature >= 0 && std::isfinite(o.temperature)))
    return badOption("the temperature", o.temperature, "a number of 0 or more",
                     "0 always takes the most likely token, 1 keeps the "
                     "model's probabilities");
  if (o.topK < 0)
    return badOption("top-k", o.topK, "0 or more", "0 keeps all tokens");
  if (!(o.topP > 0 && o.topP <= 1))
    return badOption("top-p", o.topP, "above 0 and at most 1",
                     "1 keeps all tokens");
  if (!(o.minP >= 0 && o.minP <= 1))
    return badOption("min-p", o.minP, "from 0 to 1", "0 keeps all tokens");
  if (o.vocabLimit < 0)
    return badOption("the vocabulary limit", o.vocabLimit, "0 or more",
                     "0 samples every id that has a logit");
  return Sampler(options);
}

constexpr float kInfinity = std::numeric_limits<float>::infinity();

/// The largest logit; infinity also if one is NaN, -infinity if there is none.
static float largestOf(absl::Span<const float> logits) {
  // Compilers make vectors of the lanes, whatever their width.
  constexpr size_t kLanes = 16;
  float largest[kLanes];
  std::fill_n(largest, kLanes, -kInfinity);
  auto take = [&](float logit, size_t lane) {
    float number = logit < kInfinity ? logit : kInfinity;
    largest[lane] = number > largest[lane] ? number : largest[lane];
  };
  size_t whole = logits.size() / kLanes * kLanes;
  for (size_t at = 0; at < whole; at += kLanes)
    for (size_t lane = 0; lane < kLanes; ++lane)
      take(logits[at + lane], lane);
  for (size_t at = whole; at < logits.size(); ++at)
    take(logits[at], at - whole);
  return *std::max_element(largest, largest + kLanes);
}

/// The lowest of the ids with the largest logit; none where the logits are not
/// as they must be. Of a chunk only the largest is known until it wins.
static std::optional<int32_t> firstLargest(absl::Span<const float> logits) {
  constexpr size_t kChunk = 1024;
  float best = -kInfinity;
  size_t start = 0;
  for (size_t at = 0; at < logits.size(); at += kChunk) {
    float largest = largestOf(logits.subspan(at, kChunk));
    if (largest > best) {
      best = largest;
      start = at;
    }
  }
  if (std::isinf(best))
    return std::nullopt;
  auto found = std::find(logits.begin() + start, logits.end(), best);
  return int32_t(found - logits.begin());
}

absl::StatusOr<int32_t> Sampler::sample(absl::Span<const float> logits,
                                        absl::Span<const int32_t> history,
                                        uint64_t position, uint64_t row) {
  if (options.vocabLimit > 0)
    logits = logits.subspan(0, size_t(options.vocabLimit));
  // Candidates are not needed, and would take longer than all of the search.
  if (options.temperature == 0 && options.repetitionPenalty == 1)
    if (std::optional<int32_t> id = firstLargest(logits))
      return *id;
  if (absl::Status status = load(logits, history, position); !status.ok())
    return status;
  if (options.temperature == 0)
    return mostLikely();
  keepTopK();
  weigh();
  keepTopP();
  keepMinP();
  return draw(Random(options.seed, row).uniform(position));
}

/// Fills `candidates` with the logits that can be taken, the penalty applied.
absl::Status Sampler::load(absl::Span<const float> logits,
                           absl::Span<const int32_t> history,
                           uint64_t position) {
  size_t limit = logits.size();
  inHistory.assign(limit, false);
  if (options.repetitionPenalty != 1)
    for (int32_t id : history)
      if (id >= 0 && size_t(id) < limit)
        inHistory[size_t(id)] = true;
  candidates.clear();
  for (size_t id = 0; id < limit; ++id) {
    double logit = logits[id];
    if (std::isnan(logit) || logit == std::numeric_limits<double>::infinity())
      return absl::InternalError(absl::StrCat(
          "the logit of token ", id, " for position ", position, " is ", logit,
          "; HINT: the weights or the computation are damaged, t6 check finds "
          "the first wrong step"));
    if (logit == -std::numeric_limits<double>::infinity())
      continue;
    // Double: a quotient of two floats does not overflow in it.
    if (inHistory[id])
      logit = logit > 0 ? logit / options.repetitionPenalty
                        : logit * options.repetitionPenalty;
    candidates.push_back({int32_t(id), logit, 0});
  }
  if (candidates.empty())
    return absl::InternalError(absl::StrCat(
        "no token can be taken for position ", position, ": all ", limit,
        " logits are -inf; HINT: the weights or the computation are damaged, "
        "t6 check finds the first wrong step"));
  return absl::OkStatus();
}

int32_t Sampler::mostLikely() const {
  return std::max_element(candidates.begin(), candidates.end(),
                          [](const Candidate &a, const Candidate &b) {
                            return a.logit < b.logit;
                          })
      ->id;
}

/// Whether `a` ranks before `b`.
template <typename Candidate>
static bool ranksBefore(const Candidate &a, const Candidate &b) {
  return a.logit != b.logit ? a.logit > b.logit : a.id < b.id;
}

/// Sums and the draw run by id, so that a token's share of [0, 1) does not
/// depend on how the standard library partitions and sorts.
template <typename Candidate>
static void sortById(std::vector<Candidate> &candidates) {
  std::sort(candidates.begin(), candidates.end(),
            [](const Candidate &a, const Candidate &b) { return a.id < b.id; });
}

void Sampler::keepTopK() {
  if (options.topK == 0 || size_t(options.topK) >= candidates.size())
    return;
  std::nth_element(candidates.begin(), candidates.begin() + options.topK,
                   candidates.end(), ranksBefore<Candidate>);
  candidates.resize(size_t(options.topK), Candidate{});
  sortById(candidates);
}

void Sampler::weigh() {
  double largest = candidates.front().logit;
  for (const Candidate &c : candidates)
    largest = std::max(largest, c.logit);
  for (Candidate &c : candidates)
    c.weight = std::exp((c.logit - largest) / options.temperature);
}

void Sampler::keepTopP() {
  if (options.topP == 1)
    return;
  double total = 0;
  for (const Candidate &c : candidates)
    total += c.weight;
  // A heap gives up the few likely tokens without sorting the many others.
  auto worse = [](const Candidate &a, const Candidate &b) {
    return ranksBefore(b, a);
  };
  std::make_heap(candidates.begin(), candidates.end(), worse);
  auto kept = candidates.end();
  for (double sum = 0; kept != candidates.begin() && sum < options.topP * total;
       sum += kept->weight) {
    std::pop_heap(candidates.begin(), kept, worse);
    --kept;
  }
  candidates.erase(candidates.begin(), kept);
  sortById(candidates);
}

void Sampler::keepMinP() {
  // The most likely token has weight 1.
  double least = options.minP;
  candidates.erase(
      std::remove_if(candidates.begin(), candidates.end(),
                     [&](const Candidate &c) { return c.weight < least; }),
      candidates.end());
}

int32_t Sampler::draw(double uniform) const {
  double total = 0;
  for (const Candidate &c : candidates)
    total += c.weight;
  double target = uniform * total, sum = 0;
  int32_t last = -1;
  for (const Candidate &c : candidates) {
    if (c.weight == 0)
      continue;
    last = c.id;
    sum += c.weight;
    if (target < sum)
      return last;
  }
  return last; // The product rounded up to the total.
}

} // namespace t6
