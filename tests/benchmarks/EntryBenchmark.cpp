//===- EntryBenchmark.cpp - Times any entry of an artifact ----------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// entry_benchmark <artifact.t6x> <entry> <position> <threads> [repetitions]
//
// Runs one entry on pseudo-random inputs and state, integer inputs named
// `positions` at <position>, and prints one JSON line: the best time of a run
// and of each dispatch, with bytes and operations as the program states them,
// and the read bandwidth measured before and after. States larger than the
// caches are cold in every run.
//
//===----------------------------------------------------------------------===//

#include "runtime/engine/Executor.h"
#include "runtime/engine/RandomFill.h"
#include "runtime/io/Tensor.h"

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <numeric>
#include <random>
#include <vector>

using namespace t6;

namespace {

double now() {
  return std::chrono::duration<double>(
             std::chrono::steady_clock::now().time_since_epoch())
      .count();
}

int fail(absl::string_view message) {
  std::fprintf(stderr, "entry_benchmark: error: %.*s\n", int(message.size()),
               message.data());
  return 1;
}

/// Bytes a second that all threads together read from memory.
double readBandwidth(ThreadPool &pool) {
  constexpr int64_t kWords = int64_t{1} << 26, kBlock = int64_t{1} << 18;
  static std::vector<uint64_t> data(kWords, 1);
  std::atomic<uint64_t> total{0};
  double best = 0;
  for (int pass = 0; pass < 6; ++pass) {
    double start = now();
    pool.parallelFor(kWords / kBlock, [&](int64_t block) {
      uint64_t sums[16] = {};
      const uint64_t *from = data.data() + block * kBlock;
      for (int64_t i = 0; i < kBlock; i += 16)
        for (int lane = 0; lane < 16; ++lane)
          sums[lane] += from[i + lane];
      uint64_t sum = 0;
      for (uint64_t part : sums)
        sum += part;
      total.fetch_add(sum, std::memory_order_relaxed);
    });
    best = std::max(best, kWords * 8 / (now() - start));
  }
  return best;
}

/// Chains of dependent multiply-adds, enough of them to keep the units busy.
template <typename Vector, int chains>
[[gnu::always_inline]] inline float multiplyAdds(int64_t steps, float start) {
  Vector sums[chains];
  for (int i = 0; i < chains; ++i)
    sums[i] = Vector{} + (start + float(i));
  const Vector factor = Vector{} + 0.999f, term = Vector{} + 0.001f;
  for (int64_t step = 0; step < steps; ++step)
    for (int i = 0; i < chains; ++i)
      sums[i] = sums[i] * factor + term;
  float total = 0;
  for (const Vector &sum : sums)
    for (size_t lane = 0; lane < sizeof(Vector) / sizeof(float); ++lane)
      total += sum[lane];
  return total;
}

constexpr int kChains512 = 24, kChains256 = 12; // Of 32 and 16 registers.

[[gnu::target("avx512f")]] float multiplyAdds512(int64_t steps, float start) {
  using Vector [[gnu::vector_size(64)]] = float;
  return multiplyAdds<Vector, kChains512>(steps, start);
}

[[gnu::target("avx2,fma")]] float multiplyAdds256(int64_t steps, float start) {
  using Vector [[gnu::vector_size(32)]] = float;
  return multiplyAdds<Vector, kChains256>(steps, start);
}

/// Floating-point operations a second of all threads together, of f32
/// multiply-adds as wide as the CPU has them.
double multiplyAddPeak(ThreadPool &pool) {
  constexpr int64_t kSteps = 20000;
  bool is512 = __builtin_cpu_supports("avx512f");
  double perStep = 2.0 * (is512 ? kChains512 * 16 : kChains256 * 8);
  int64_t count = 16 * pool.threads();
  std::vector<float> results(count);
  double best = 0;
  for (int pass = 0; pass < 6; ++pass) {
    double start = now();
    pool.parallelFor(count, [&](int64_t i) {
      results[i] = is512 ? multiplyAdds512(kSteps, float(i))
                         : multiplyAdds256(kSteps, float(i));
    });
    double seconds = now() - start;
    // What nothing reads would not be computed.
    for (float result : results)
      if (!(result > 0))
        return 0;
    best = std::max(best, perStep * kSteps * count / seconds);
  }
  return best;
}

/// An input of the entry's shape: positions where told, each page once and in
/// no order, small numbers elsewhere.
struct Input {
  std::vector<char> bytes;
  TensorView view;
};

Input makeInput(ThreadPool &pool, const Buffer &buffer, absl::string_view name,
                int64_t position, uint64_t seed) {
  Input input;
  int64_t elements = 1;
  for (const Extent &extent : buffer.shape) {
    input.view.shape.push_back(extent.isStatic() ? extent.value : 1);
    elements *= input.view.shape.back();
  }
  input.view.dtype = buffer.dtype;
  input.bytes.resize(elements * byteSize(buffer.dtype));
  if (buffer.dtype == DType::I32) {
    auto *values = reinterpret_cast<int32_t *>(input.bytes.data());
    std::fill_n(values, elements, name == "positions" ? position : 0);
    if (name == "pages") {
      std::iota(values, values + elements, 0);
      std::shuffle(values, values + elements, std::mt19937(seed));
    }
  } else {
    fillUniform(pool, buffer.dtype, input.bytes.data(), elements, seed, 0.25);
  }
  input.view.data = input.bytes.data();
  input.view.bytes = input.bytes.size();
  return input;
}

} // namespace

int main(int argc, char **argv) {
  if (argc < 5)
    return fail("usage: entry_benchmark <artifact.t6x> <entry> <position> "
                "<threads> [repetitions]");
  absl::StatusOr<std::shared_ptr<const Artifact>> artifact =
      Artifact::open(argv[1]);
  if (!artifact.ok())
    return fail(artifact.status().message());
  ExecutorOptions options;
  options.threads = std::atoi(argv[4]);
  absl::StatusOr<std::unique_ptr<Executor>> executor =
      Executor::create(*artifact, options);
  if (!executor.ok())
    return fail(executor.status().message());
  const Program &program = (*executor)->program();
  int entry = -1;
  for (size_t i = 0; i < program.entries.size(); ++i)
    if (program.entries[i].name == argv[2])
      entry = int(i);
  if (entry < 0)
    return fail(absl::StrCat("no entry '", argv[2], "'"));
  ThreadPool &pool = (*executor)->threadPool();

  std::vector<std::vector<char>> params;
  for (size_t i = 0; i < program.buffers.size(); ++i) {
    const Buffer &buffer = program.buffers[i];
    if (buffer.kind != BufferKind::Param)
      continue;
    params.emplace_back(buffer.maxBytes);
    fillUniform(pool, buffer.dtype, params.back().data(),
                buffer.maxBytes / byteSize(buffer.dtype), i, 0.03);
    (*executor)->bindParam(int(i), params.back().data());
  }
  std::vector<Input> inputs;
  std::vector<TensorView> views;
  int64_t position = std::atoll(argv[3]);
  for (const Port &port : program.entries[entry].inputs)
    inputs.push_back(makeInput(pool, program.buffers[port.buffer], port.name,
                               position, inputs.size()));
  for (const Input &input : inputs)
    views.push_back(input.view);
  absl::Status status = (*executor)->fillState(1);
  if (!status.ok())
    return fail(status.message());

  double bandwidth = readBandwidth(pool), peak = multiplyAddPeak(pool);
  int repetitions = argc > 5 ? std::atoi(argv[5]) : 20;
  double best = 1e30;
  int64_t bytes = 0, flops = 0;
  size_t count = program.entries[entry].dispatches.size();
  std::vector<double> seconds(count, 1e30);
  (*executor)->setProfiler([&](const DispatchEvent &event) {
    seconds[event.index] = std::min(seconds[event.index], event.seconds);
    bytes += event.bytesRead + event.bytesWritten;
    flops += event.flops;
  });
  for (int i = 0; i < repetitions; ++i) {
    bytes = flops = 0;
    double start = now();
    status = (*executor)->run(entry, views);
    if (!status.ok())
      return fail(status.message());
    best = std::min(best, now() - start);
  }
  bandwidth = std::max(bandwidth, readBandwidth(pool));
  peak = std::max(peak, multiplyAddPeak(pool));
  std::vector<std::string> dispatches;
  for (size_t i = 0; i < count; ++i)
    dispatches.push_back(
        absl::StrCat("[\"", program.entries[entry].dispatches[i].label, "\", ",
                     seconds[i], "]"));
  std::printf("{\"seconds\": %.9g, \"bytes\": %lld, \"flops\": %lld, "
              "\"bandwidth\": %.9g, \"share\": %.4f, \"peak\": %.9g, "
              "\"roofline_share\": %.4f, \"dispatches\": [%s]}\n",
              best, (long long)bytes, (long long)flops, bandwidth,
              bytes / best / bandwidth, peak,
              std::max(bytes / bandwidth, flops / peak) / best,
              absl::StrJoin(dispatches, ", ").c_str());
  return 0;
}
