//===- ThreadPool.cpp - Workgroups over threads ---------------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "runtime/engine/ThreadPool.h"

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"

#include <algorithm>
#include <cerrno>
#include <climits>
#include <immintrin.h>
#include <linux/futex.h>
#include <sched.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

namespace t6 {

static constexpr int kMaxThreads = 1024;
/// Chunks per thread: enough to even out threads of unequal speed.
static constexpr int64_t kChunksPerThread = 8;
/// How long an idle thread spins: longer than the serial work between two
/// tokens' dispatches, short enough that an idle program is idle.
static constexpr int64_t kSpinNanoseconds = 300 * 1000;
/// The caller's spins before it yields to whatever holds up the last chunk.
static constexpr int kSpinsBeforeYield = 1 << 14;
/// Of a worker's stack.
static constexpr size_t kStackBytes = 8 << 20;

static int64_t now() {
  timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return int64_t{time.tv_sec} * 1000000000 + time.tv_nsec;
}

static void futexWait(std::atomic<uint32_t> &word, uint32_t expected) {
  syscall(SYS_futex, &word, FUTEX_WAIT_PRIVATE, expected, nullptr, nullptr, 0);
}

static void futexWakeAll(std::atomic<uint32_t> &word) {
  syscall(SYS_futex, &word, FUTEX_WAKE_PRIVATE, INT_MAX, nullptr, nullptr, 0);
}

int ThreadPool::availableCpus() {
  cpu_set_t set;
  if (sched_getaffinity(0, sizeof(set), &set) == 0)
    return std::max(1, CPU_COUNT(&set));
  return static_cast<int>(std::max(1L, sysconf(_SC_NPROCESSORS_ONLN)));
}

absl::StatusOr<std::unique_ptr<ThreadPool>> ThreadPool::create(int threads) {
  if (threads < 0 || threads > kMaxThreads)
    return absl::InvalidArgumentError(
        absl::StrCat("threads is ", threads, ", not in [0, ", kMaxThreads,
                     "]. HINT: 0 uses every CPU of this process"));
  int cpus = availableCpus();
  if (threads == 0)
    threads = std::min(cpus, kMaxThreads);
  // With more threads than CPUs a spinning thread keeps a working one waiting.
  std::unique_ptr<ThreadPool> pool(new ThreadPool(threads <= cpus));
  pool->workers.reserve(threads - 1);
  pthread_attr_t attributes;
  pthread_attr_init(&attributes);
  // Kernels keep blocks of operands on the stack: whatever `ulimit -s` says.
  pthread_attr_setstacksize(&attributes, kStackBytes);
  for (int i = 1; i < threads; ++i) {
    pthread_t worker;
    int error = pthread_create(&worker, &attributes, workerMain, pool.get());
    if (error != 0) {
      pthread_attr_destroy(&attributes);
      return absl::ErrnoToStatus(
          error, absl::StrCat("cannot start thread ", i + 1, " of ", threads));
    }
    pool->workers.push_back(worker);
  }
  pthread_attr_destroy(&attributes);
  return pool;
}

ThreadPool::~ThreadPool() {
  stopping.store(true);
  epoch.fetch_add(1);
  futexWakeAll(epoch);
  for (pthread_t worker : workers)
    pthread_join(worker, nullptr);
}

void ThreadPool::fork(int64_t count, RangeFn run, void *context) {
  int64_t chunks = std::min(count, kChunksPerThread * threads());
  chunkCount = chunks;
  function = run;
  argument = context;
  total = count;
  finished.store(0, std::memory_order_relaxed);
  uint64_t ticket = (uint64_t{++jobNumber} << 32) | uint64_t(chunks);
  tickets.store(ticket, std::memory_order_release);
  // Sequentially consistent with the sleeper's announcement: either it sees the
  // new epoch, or this sees that it sleeps.
  epoch.fetch_add(1);
  if (sleepers.load() > 0)
    futexWakeAll(epoch);
  runChunks(ticket);
  int spins = 0;
  while (finished.load(std::memory_order_acquire) != uint32_t(chunks)) {
    if (spinning && ++spins < kSpinsBeforeYield)
      _mm_pause();
    else
      sched_yield();
  }
}

void ThreadPool::runChunks(uint64_t ticket) {
  uint32_t done = 0;
  while (uint32_t(ticket) != 0) {
    if (!tickets.compare_exchange_weak(ticket, ticket - 1,
                                       std::memory_order_acq_rel,
                                       std::memory_order_acquire))
      continue;
    // The claimed chunk keeps the job alive, so its description is stable here.
    int64_t chunk = chunkCount - int64_t(uint32_t(ticket));
    int64_t size = total / chunkCount, longer = total % chunkCount;
    int64_t begin = chunk * size + std::min(chunk, longer);
    function(argument, begin, begin + size + (chunk < longer));
    ++done;
    ticket = tickets.load(std::memory_order_acquire);
  }
  // Until this report the job is not over, so every chunk counted was its own.
  if (done)
    finished.fetch_add(done, std::memory_order_release);
}

bool ThreadPool::waitForWork(uint32_t seen) {
  int64_t deadline = spinning ? now() + kSpinNanoseconds : 0;
  for (int spins = 1; spinning; ++spins) {
    if (epoch.load(std::memory_order_acquire) != seen)
      return !stopping.load();
    _mm_pause();
    if (spins % 64 == 0 && now() > deadline)
      break;
  }
  sleepers.fetch_add(1);
  while (epoch.load() == seen)
    futexWait(epoch, seen);
  sleepers.fetch_sub(1);
  return !stopping.load();
}

void ThreadPool::work() {
  uint32_t seen = 0;
  while (waitForWork(seen)) {
    seen = epoch.load(std::memory_order_acquire);
    runChunks(tickets.load(std::memory_order_acquire));
  }
}

void *ThreadPool::workerMain(void *pool) {
  static_cast<ThreadPool *>(pool)->work();
  return nullptr;
}

} // namespace t6
