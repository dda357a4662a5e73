//===- ThreadPool.h - Workgroups over threads -------------------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A fixed set of threads that run the workgroups of one dispatch at a time.
// Decoding issues hundreds of dispatches a token, some of a microsecond or two,
// so waiting threads spin for a while before they sleep.
//
//===----------------------------------------------------------------------===//

#ifndef T6_RUNTIME_ENGINE_THREADPOOL_H
#define T6_RUNTIME_ENGINE_THREADPOOL_H

#include "absl/status/statusor.h"

#include <atomic>
#include <cstdint>
#include <memory>
#include <pthread.h>
#include <type_traits>
#include <vector>

namespace t6 {

class ThreadPool {
public:
  /// A pool of `threads` threads, the caller being one of them. 0: one per CPU
  /// that this process may use. InvalidArgument outside of [0, 1024].
  static absl::StatusOr<std::unique_ptr<ThreadPool>> create(int threads);
  ~ThreadPool();
  ThreadPool(const ThreadPool &) = delete;
  ThreadPool &operator=(const ThreadPool &) = delete;

  /// CPUs that this process may use, at least 1.
  static int availableCpus();

  int threads() const { return static_cast<int>(workers.size()) + 1; }

  /// Calls `body(i)` for every i in [0, count) and returns when all are over.
  /// Each i runs once, on any thread, in any order; what the calls wrote is
  /// visible to the caller. Allocates nothing. One caller at a time, and `body`
  /// must not call back into the pool.
  template <typename Body> void parallelFor(int64_t count, Body &&body) {
    auto run = [](void *context, int64_t begin, int64_t end) {
      auto &call = *static_cast<std::remove_reference_t<Body> *>(context);
      for (int64_t i = begin; i < end; ++i)
        call(i);
    };
    if (count <= 1 || workers.empty())
      run(const_cast<void *>(static_cast<const void *>(&body)), 0, count);
    else
      fork(count, run, const_cast<void *>(static_cast<const void *>(&body)));
  }

private:
  using RangeFn = void (*)(void *context, int64_t begin, int64_t end);

  explicit ThreadPool(bool spin) : spinning(spin) {}
  void fork(int64_t count, RangeFn run, void *context);
  void runChunks(uint64_t ticket);
  void work();
  static void *workerMain(void *pool);
  bool waitForWork(uint32_t seen);

  // What is being run. Written only while no chunk is unclaimed or unfinished.
  RangeFn function = nullptr;
  void *argument = nullptr;
  int64_t total = 0;
  int64_t chunkCount = 0;

  /// The job's number in the upper half and its unclaimed chunks in the lower.
  /// A chunk is claimed by decrementing with compare-exchange, which fails when
  /// the job is another one: a late thread can never touch a finished job.
  alignas(64) std::atomic<uint64_t> tickets{0};
  alignas(64) std::atomic<uint32_t> finished{0};
  /// Counts jobs; idle threads watch it, and sleep on it as a futex.
  alignas(64) std::atomic<uint32_t> epoch{0};
  std::atomic<int> sleepers{0};
  std::atomic<bool> stopping{false};
  uint32_t jobNumber = 0;
  bool spinning;
  std::vector<pthread_t> workers;
};

} // namespace t6

#endif // T6_RUNTIME_ENGINE_THREADPOOL_H
