//===- BatchSampler.cpp - Batches of windows of a corpus ------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "runtime/data/BatchSampler.h"

#include "runtime/sampling/Random.h"

#include "absl/strings/str_cat.h"

#include <limits>
#include <utility>

namespace t6 {
namespace {

/// FNV-1a: the same in every build, as saved positions need it.
uint64_t hashName(absl::string_view name) {
  uint64_t hash = 0xcbf29ce484222325;
  for (char c : name)
    hash = (hash ^ uint8_t(c)) * 0x100000001b3;
  return hash;
}

} // namespace

absl::StatusOr<SamplerKind> parseSamplerKind(absl::string_view name) {
  if (name == "random-window")
    return SamplerKind::kRandomWindow;
  if (name == "epochs")
    return SamplerKind::kEpochs;
  return absl::InvalidArgumentError(
      absl::StrCat("there is no sampler '", name,
                   "'; HINT: random-window and epochs are the ones there are"));
}

absl::StatusOr<BatchSampler> BatchSampler::create(TokenDataset dataset,
                                                  SamplerOptions options) {
  constexpr int64_t kMaxElements = int64_t(1) << 31;
  if (options.batch < 1 || options.length < 1 ||
      options.batch > kMaxElements / options.length)
    return absl::InvalidArgumentError(absl::StrCat(
        "a batch of ", options.batch, " windows of length ", options.length,
        " cannot be made; HINT: choose both from 1 on, with at most 2^31 "
        "tokens"));
  if (absl::Status status = dataset.checkWindows(options.length); !status.ok())
    return status;
  return BatchSampler(std::move(dataset), std::move(options));
}

BatchSampler::BatchSampler(TokenDataset dataset, SamplerOptions options)
    : data(std::move(dataset)), given(std::move(options)),
      stream(hashName(given.stream)), windows(data, given.length) {
  std::array<uint32_t, 4> words =
      Random(given.seed, stream).bits(std::numeric_limits<uint64_t>::max());
  key = {words[0], words[1]};
}

int64_t BatchSampler::numberLimit() const {
  // Each takes a position for its shard and one for each row.
  return std::numeric_limits<int64_t>::max() / (given.batch + 1);
}

/// A number below `bound`. All are equally likely up to bound / 2^64.
uint64_t BatchSampler::draw(uint64_t position, uint64_t bound) const {
  std::array<uint32_t, 4> words = Random(given.seed, stream).bits(position);
  uint64_t number = (uint64_t(words[1]) << 32) | words[0];
  return uint64_t((static_cast<unsigned __int128>(number) * bound) >> 64);
}

/// Where `index` of [0, windowsPerEpoch()) goes in the order of `epoch`. A
/// Feistel network permutes the next power of four; what falls outside of the
/// range is sent through it again until it does not, which permutes the range.
int64_t BatchSampler::permute(int64_t index, int64_t epoch) const {
  constexpr uint32_t kRounds = 6;
  uint64_t count = uint64_t(windows.size());
  int half = 1;
  while (half < 32 && (uint64_t(1) << (2 * half)) < count)
    ++half;
  uint64_t mask = (uint64_t(1) << half) - 1;
  uint64_t value = uint64_t(index);
  do {
    uint64_t left = value >> half, right = value & mask;
    for (uint32_t round = 0; round < kRounds; ++round) {
      uint64_t mixed =
          left ^ (philox4x32({uint32_t(right), round, uint32_t(epoch),
                              uint32_t(uint64_t(epoch) >> 32)},
                             key)[0] &
                  mask);
      left = std::exchange(right, mixed);
    }
    value = (left << half) | right;
  } while (value >= count);
  return int64_t(value);
}

TokenWindow BatchSampler::window(int64_t number, int64_t row) const {
  if (given.kind == SamplerKind::kRandomWindow) {
    uint64_t first = uint64_t(number) * uint64_t(given.batch + 1);
    size_t shard = draw(first, data.shards().size());
    int64_t tokens = data.shards()[shard].tokens.size();
    return {shard, int64_t(draw(first + 1 + uint64_t(row),
                                uint64_t(tokens - given.length)))};
  }
  int64_t sample = number * given.batch + row;
  return windows[permute(sample % windows.size(), sample / windows.size())];
}

absl::Status BatchSampler::fill(int64_t number, absl::Span<int32_t> inputs,
                                absl::Span<int32_t> targets) const {
  size_t size = size_t(given.batch * given.length);
  if (inputs.size() != size || targets.size() != size)
    return absl::InternalError(absl::StrCat(
        "a batch of ", size, " tokens does not fit arrays of ", inputs.size(),
        " and ", targets.size(), "; HINT: make them batch times length long"));
  if (number < 0 || number >= numberLimit())
    return absl::InvalidArgumentError(
        absl::StrCat("there is no micro-batch ", number,
                     "; HINT: numbers are from 0 to ", numberLimit() - 1));
  for (int64_t row = 0; row < given.batch; ++row) {
    size_t begin = size_t(row * given.length), length = size_t(given.length);
    if (absl::Status status =
            data.read(window(number, row), inputs.subspan(begin, length),
                      targets.subspan(begin, length));
        !status.ok())
      return status;
  }
  return absl::OkStatus();
}

} // namespace t6
