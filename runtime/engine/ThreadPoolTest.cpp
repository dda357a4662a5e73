//===- ThreadPoolTest.cpp -------------------------------------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "runtime/engine/ThreadPool.h"

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <ctime>
#include <thread>
#include <vector>

namespace t6 {
namespace {

std::unique_ptr<ThreadPool> makePool(int threads) {
  absl::StatusOr<std::unique_ptr<ThreadPool>> pool =
      ThreadPool::create(threads);
  EXPECT_TRUE(pool.ok()) << pool.status();
  return *std::move(pool);
}

TEST(ThreadPool, RefusesSillyNumbers) {
  EXPECT_EQ(ThreadPool::create(-1).status().code(),
            absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(ThreadPool::create(1025).status().code(),
            absl::StatusCode::kInvalidArgument);
}

TEST(ThreadPool, UsesWhatItIsTold) {
  EXPECT_GE(makePool(0)->threads(), 1);
  EXPECT_EQ(makePool(1)->threads(), 1);
  EXPECT_EQ(makePool(3)->threads(), 3);
}

class ThreadPoolSize : public testing::TestWithParam<int> {};

TEST_P(ThreadPoolSize, RunsEachWorkgroupOnce) {
  std::unique_ptr<ThreadPool> pool = makePool(GetParam());
  for (int64_t count : {0, 1, 2, 3, 15, 16, 17, 33, 1000, 4097}) {
    std::vector<int> runs(count); // Plain: the pool must order the accesses.
    pool->parallelFor(count, [&](int64_t i) { ++runs[i]; });
    EXPECT_EQ(runs, std::vector<int>(count, 1)) << count;
  }
}

// Jobs follow each other at once and after pauses (so that workers sleep), each
// reading what the one before wrote: a late or lost wake-up, or a thread still
// in a finished job, shows as a wrong sum or hangs.
TEST_P(ThreadPoolSize, SurvivesManyShortJobs) {
  std::unique_ptr<ThreadPool> pool = makePool(GetParam());
  constexpr int kJobs = 20000;
  std::vector<int64_t> values(37);
  for (int job = 0; job < kJobs; ++job) {
    int64_t count = 1 + job % int64_t(values.size());
    pool->parallelFor(count, [&values](int64_t i) { values[i] += i + 1; });
    if (job % 4000 == 0)
      std::this_thread::sleep_for(std::chrono::milliseconds(2));
  }
  int64_t total = 0, expected = 0;
  for (int job = 0; job < kJobs; ++job)
    for (int64_t i = 0, n = 1 + job % int64_t(values.size()); i < n; ++i)
      expected += i + 1;
  for (int64_t value : values)
    total += value;
  EXPECT_EQ(total, expected);
}

INSTANTIATE_TEST_SUITE_P(Sizes, ThreadPoolSize, testing::Values(1, 2, 3, 8));

TEST(ThreadPool, UsesSeveralThreads) {
  std::unique_ptr<ThreadPool> pool = makePool(2);
  for (int pauseMs : {0, 20}) { // After the second the worker sleeps.
    std::this_thread::sleep_for(std::chrono::milliseconds(pauseMs));
    // Each of two workgroups waits a while for the other: one thread alone
    // would run the first to its deadline before it begins the second.
    std::atomic<int> arrived{0}, met{0};
    pool->parallelFor(2, [&](int64_t) {
      auto deadline =
          std::chrono::steady_clock::now() + std::chrono::seconds(5);
      arrived.fetch_add(1);
      while (arrived.load() < 2 && std::chrono::steady_clock::now() < deadline)
        std::this_thread::yield();
      met.fetch_add(std::chrono::steady_clock::now() < deadline);
    });
    EXPECT_EQ(met.load(), 2) << pauseMs;
  }
}

TEST(ThreadPool, SleepsWhenIdle) {
  std::unique_ptr<ThreadPool> pool = makePool(2);
  pool->parallelFor(2, [](int64_t) {});
  std::this_thread::sleep_for(std::chrono::milliseconds(20));
  std::clock_t before = std::clock(); // CPU time of the whole process.
  std::this_thread::sleep_for(std::chrono::milliseconds(200));
  EXPECT_LT(double(std::clock() - before) / CLOCKS_PER_SEC, 0.05);
}

} // namespace
} // namespace t6
