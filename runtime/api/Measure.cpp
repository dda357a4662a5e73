//===- Measure.cpp - Speed of runs, dispatches and memory -----------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "runtime/api/Decoder.h"
#include "runtime/api/Model.h"
#include "runtime/api/Status.h"
#include "runtime/engine/RandomFill.h"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <utility>
#include <vector>

using namespace t6;

static double secondsSince(std::chrono::steady_clock::time_point start) {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start)
      .count();
}

t6_status *t6_model_set_profiler(t6_model *model, t6_dispatch_callback callback,
                                 void *user) {
  if (!model)
    return nullArgument("model");
  T6_RETURN_IF_ERROR(model->load());
  if (!callback) {
    model->executor->setProfiler(nullptr);
    return nullptr;
  }
  model->executor->setProfiler([=](const DispatchEvent &event) {
    const std::string &symbol =
        model->program().kernels[event.dispatch.kernel].symbol;
    t6_dispatch_event out = {event.entry.name.c_str(),
                             event.dispatch.label.c_str(),
                             symbol.c_str(),
                             event.index,
                             event.seconds,
                             event.bytesRead,
                             event.bytesWritten,
                             event.flops};
    callback(user, &out);
  });
  return nullptr;
}

/// Appends `count` tokens to every row at once.
static absl::Status appendPrompt(t6_model &model, Decoder &decoder,
                                 int64_t count) {
  if (count == 0)
    return absl::OkStatus();
  std::vector<int32_t> tokens(count);
  fillIntegers(tokens.data(), count, decoder.length(0), 0, decoder.vocabSize());
  std::vector<absl::Span<const int32_t>> prompts(decoder.batch(), tokens);
  absl::StatusOr<bool> complete =
      decoder.prefill(prompts, [&] { return model.takeCancel(); });
  if (complete.ok() && !*complete)
    return absl::CancelledError("the measurement was interrupted");
  return complete.status();
}

/// Appends `count` tokens to every row, one by one.
static absl::Status appendSingly(t6_model &model, Decoder &decoder,
                                 int64_t count) {
  std::vector<int32_t> tokens(count);
  fillIntegers(tokens.data(), count, decoder.length(0), 0, decoder.vocabSize());
  for (int32_t token : tokens) {
    if (model.takeCancel())
      return absl::CancelledError("the measurement was interrupted");
    absl::Status status =
        decoder.step(std::vector<int32_t>(decoder.batch(), token));
    if (!status.ok())
      return status;
  }
  return absl::OkStatus();
}

t6_status *t6_measure(t6_model *model, int32_t generate, int64_t depth,
                      int64_t tokens, double *seconds) {
  if (!model || !seconds)
    return nullArgument(model ? "seconds" : "model");
  int64_t filled = model->measuredDepth;
  T6_RETURN_IF_ERROR(model->ready());
  absl::StatusOr<Decoder> decoder =
      Decoder::create(*model->artifact, *model->executor);
  T6_RETURN_IF_ERROR(decoder.status());
  int64_t limit = decoder->maxLength();
  if (depth < 0 || tokens < 1 || depth > limit || tokens > limit - depth)
    return toC(absl::InvalidArgumentError(absl::StrCat(
        tokens, " tokens after ", depth, " do not fit the maximum length ",
        limit, " of ", model->artifact->path(),
        ". HINT: smaller numbers, or tpa-opt --max-length")));
  // What is in the cache does not change how long it takes to read.
  if (filled != depth)
    T6_RETURN_IF_ERROR(model->executor->fillState(/*seed=*/depth));
  T6_RETURN_IF_ERROR(decoder->rewind(depth));
  auto start = std::chrono::steady_clock::now();
  T6_RETURN_IF_ERROR(generate ? appendSingly(*model, *decoder, tokens)
                              : appendPrompt(*model, *decoder, tokens));
  *seconds = secondsSince(start);
  // What the timed run appended lies behind `depth`, and is overwritten.
  model->measuredDepth = depth;
  return nullptr;
}

/// Several sums, so that no addition waits for the one before.
[[gnu::always_inline]] static inline uint64_t sumLanes(const uint64_t *data,
                                                       int64_t count) {
  uint64_t sums[16] = {};
  for (int64_t i = 0; i + 16 <= count; i += 16)
    for (int lane = 0; lane < 16; ++lane)
      sums[lane] += data[i + lane];
  uint64_t total = 0;
  for (uint64_t sum : sums)
    total += sum;
  return total;
}

/// Compiled for wider vectors too: with the baseline's, one thread does not
/// keep enough cache lines in flight.
[[gnu::target("avx2")]] static uint64_t sumAvx2(const uint64_t *data,
                                                int64_t count) {
  return sumLanes(data, count);
}
static uint64_t sumBaseline(const uint64_t *data, int64_t count) {
  return sumLanes(data, count);
}

t6_status *t6_measure_bandwidth(t6_model *model, double *bytes_per_second) {
  if (!model || !bytes_per_second)
    return nullArgument(model ? "bytes_per_second" : "model");
  T6_RETURN_IF_ERROR(model->load());
  // Larger than the last-level caches of today's servers, which keep up to some
  // hundred MiB.
  constexpr int64_t kBytes = int64_t{1} << 29;
  constexpr int64_t kBlock = int64_t{1} << 21;
  constexpr int kPasses = 6;
  absl::StatusOr<HostMemory> memory =
      HostMemory::allocate(kBytes, "the bandwidth measurement");
  T6_RETURN_IF_ERROR(memory.status());
  ThreadPool &pool = model->executor->threadPool();
  auto *data = reinterpret_cast<uint64_t *>(memory->data());
  constexpr int64_t kWords = kBlock / sizeof(uint64_t);
  pool.parallelFor(kBytes / kBlock, [&](int64_t block) {
    std::fill_n(data + block * kWords, kWords, block + 1);
  });
  auto *sum = __builtin_cpu_supports("avx2") ? sumAvx2 : sumBaseline;
  std::atomic<uint64_t> total{0};
  double best = 0;
  for (int pass = 0; pass < kPasses; ++pass) {
    auto start = std::chrono::steady_clock::now();
    pool.parallelFor(kBytes / kBlock, [&](int64_t block) {
      total.fetch_add(sum(data + block * kWords, kWords),
                      std::memory_order_relaxed);
    });
    best = std::max(best, kBytes / secondsSince(start));
  }
  *bytes_per_second = best;
  return nullptr;
}
