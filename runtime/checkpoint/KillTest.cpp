//===- KillTest.cpp - A run that is killed at any moment ------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "runtime/checkpoint/RunFolder.h"
#include "runtime/checkpoint/TestSupport.h"
#include "runtime/checkpoint/TrainingCheckpoint.h"
#include "gmock/gmock.h"

#include <csignal>
#include <random>
#include <sys/wait.h>
#include <unistd.h>

namespace t6 {
namespace {

using testing::isWhole;
using testing::StepContents;
using testing::TemporaryTree;

constexpr int kRounds = 60;
/// Large enough that a save takes its time in the files, too.
constexpr int64_t kSize = 64;

/// Goes on from the latest checkpoint and saves every step until killed,
/// telling `progress` of each.
[[noreturn]] void train(const std::string &folder, int64_t keepLast,
                        int progress) {
  int64_t step = 0;
  absl::StatusOr<LatestCheckpoint> latest = openLatest(folder);
  if (latest.ok())
    step = latest->checkpoint->state().step;
  else if (!absl::IsNotFound(latest.status()))
    _exit(1);
  absl::StatusOr<std::unique_ptr<RunFolder>> run =
      RunFolder::open(folder, keepLast);
  if (!run.ok())
    _exit(2);
  while (true) {
    ++step;
    absl::StatusOr<SaveReport> report =
        (*run)->save(StepContents(step, kSize), {step % 3 == 0, false});
    if (!report.ok() || !report->pruning.ok())
      _exit(3);
    if (write(progress, "x", 1) != 1)
      _exit(4);
  }
}

TEST(Kill, EveryCheckpointIsAlwaysWhole) {
  TemporaryTree folder;
  std::mt19937 random(6);
  int64_t before = 0;
  for (int round = 0; round < kRounds; ++round) {
    int pipes[2];
    ASSERT_EQ(pipe(pipes), 0);
    pid_t child = fork();
    ASSERT_GE(child, 0);
    if (child == 0)
      train(folder.path, 2, pipes[1]);
    close(pipes[1]);
    // From the first save on, so that however slow the disk is each round gets
    // further; then for up to about three saves.
    char byte;
    ASSERT_EQ(read(pipes[0], &byte, 1), 1) << "the child has failed";
    usleep(random() % 15'000);
    kill(child, SIGKILL);
    int status;
    ASSERT_EQ(waitpid(child, &status, 0), child);
    close(pipes[0]);
    ASSERT_TRUE(WIFSIGNALED(status))
        << "round " << round << ": the child has exited with "
        << WEXITSTATUS(status);
    ModelFingerprint model = StepContents(0, kSize).fingerprint();
    absl::StatusOr<LatestCheckpoint> latest = openLatest(folder.path, &model);
    ASSERT_TRUE(latest.ok()) << "round " << round << ": " << latest.status();
    EXPECT_TRUE(isWhole(*latest->checkpoint)) << "round " << round;
    EXPECT_GT(latest->checkpoint->state().step, before);
    before = latest->checkpoint->state().step;
    // `best` and the ones before, too: nothing of that name is ever half.
    std::vector<std::string> others = {folder.file("best")};
    for (const std::string &name :
         testing::entriesOf(folder.file("checkpoints")))
      if (name[0] != '.')
        others.push_back(folder.file("checkpoints/" + name));
    for (const std::string &path : others) {
      absl::StatusOr<std::unique_ptr<TrainingCheckpoint>> other =
          TrainingCheckpoint::open(path, &model);
      if (path == others[0] && before < 3 && absl::IsNotFound(other.status()))
        continue; // The third step is the first to be best.
      ASSERT_TRUE(other.ok()) << "round " << round << ": " << other.status();
      EXPECT_TRUE(isWhole(**other)) << "round " << round;
    }
  }
  // What the last child left is gone with the next start.
  ASSERT_TRUE(RunFolder::open(folder.path, 2).ok());
  for (const std::string &name : testing::entriesOf(folder.file("checkpoints")))
    EXPECT_EQ(name.find("step-"), 0u) << name;
}

TEST(Kill, AReaderBesideTheRun) {
  TemporaryTree folder;
  int pipes[2];
  ASSERT_EQ(pipe(pipes), 0);
  pid_t child = fork();
  ASSERT_GE(child, 0);
  // What the reader is about to open is deleted at once.
  if (child == 0)
    train(folder.path, 1, pipes[1]);
  close(pipes[1]);
  char byte;
  ASSERT_EQ(read(pipes[0], &byte, 1), 1) << "the child has failed";
  int64_t before = 0, moved = 0;
  for (int i = 0; i < 1000; ++i) {
    absl::StatusOr<LatestCheckpoint> latest = openLatest(folder.path);
    ASSERT_TRUE(latest.ok()) << latest.status();
    ASSERT_TRUE(isWhole(*latest->checkpoint));
    moved += latest->checkpoint->state().step > before;
    before = latest->checkpoint->state().step;
  }
  EXPECT_GT(moved, 1);
  kill(child, SIGKILL);
  int status;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  close(pipes[0]);
  EXPECT_TRUE(WIFSIGNALED(status));
}

} // namespace
} // namespace t6
