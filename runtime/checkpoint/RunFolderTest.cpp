//===- RunFolderTest.cpp - Tests of saving checkpoints --------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "runtime/checkpoint/RunFolder.h"

#include "runtime/checkpoint/TestSupport.h"
#include "gmock/gmock.h"

#include <csignal>
#include <cstdio>
#include <fcntl.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/wait.h>

namespace t6 {
namespace {

using ::testing::ElementsAre;
using testing::entriesOf;
using ::testing::IsEmpty;
using testing::isError;
using testing::isWhole;
using testing::linkOf;
using testing::readFile;
using testing::StepContents;
using testing::TemporaryTree;

constexpr absl::StatusCode kFull = absl::StatusCode::kResourceExhausted;

std::unique_ptr<RunFolder> openRun(const std::string &path,
                                   int64_t keepLast = 0) {
  absl::StatusOr<std::unique_ptr<RunFolder>> run =
      RunFolder::open(path, keepLast);
  EXPECT_TRUE(run.ok()) << run.status();
  return run.ok() ? *std::move(run) : nullptr;
}

SaveReport save(RunFolder &run, int64_t step, bool isBest = false) {
  absl::StatusOr<SaveReport> report =
      run.save(StepContents(step), {isBest, false});
  EXPECT_TRUE(report.ok()) << report.status();
  if (!report.ok())
    return {};
  EXPECT_TRUE(report->pruning.ok()) << report->pruning;
  return *std::move(report);
}

TEST(RunFolder, WritesACheckpoint) {
  TemporaryTree folder;
  std::string out = folder.file("deep/out");
  SaveReport report = save(*openRun(out + "/"), 100, /*isBest=*/true);
  EXPECT_EQ(report.path, out + "/checkpoints/step-000100");
  EXPECT_THAT(entriesOf(out), ElementsAre("best", "checkpoints", "latest"));
  EXPECT_THAT(entriesOf(out + "/checkpoints"), ElementsAre("step-000100"));
  EXPECT_THAT(entriesOf(report.path),
              ElementsAre("config.json", "model.safetensors",
                          "optimizer.safetensors", "state.json"));
  EXPECT_EQ(testing::readFile(report.path + "/config.json"),
            "{\n  \"n_head\": 4\n}\n");
  EXPECT_EQ(linkOf(out + "/latest"), "checkpoints/step-000100");
  EXPECT_EQ(linkOf(out + "/best"), "checkpoints/step-000100");
  uint64_t bytes = 0;
  for (const std::string &name : entriesOf(report.path))
    bytes += testing::readFile(report.path + "/" + name).size();
  EXPECT_EQ(report.bytes, bytes);
}

TEST(RunFolder, TheLinksMoveWithTheRun) {
  TemporaryTree folder;
  auto run = openRun(folder.file("a"));
  save(*run, 1, true);
  save(*run, 2);
  run.reset();
  ASSERT_EQ(rename(folder.file("a").c_str(), folder.file("b").c_str()), 0);
  EXPECT_TRUE(TrainingCheckpoint::open(folder.file("b/latest")).ok());
  absl::StatusOr<std::unique_ptr<TrainingCheckpoint>> best =
      TrainingCheckpoint::open(folder.file("b/best"));
  ASSERT_TRUE(best.ok()) << best.status();
  EXPECT_EQ((*best)->state().step, 1);
}

TEST(RunFolder, ReplacesACheckpointOfTheSameStep) {
  TemporaryTree folder;
  auto run = openRun(folder.path);
  save(*run, 5);
  StepContents other(5);
  other->state.seed = 77;
  ASSERT_TRUE(run->save(other, {}).ok());
  EXPECT_THAT(entriesOf(folder.file("checkpoints")),
              ElementsAre("step-000005"));
  absl::StatusOr<LatestCheckpoint> latest = openLatest(folder.path);
  ASSERT_TRUE(latest.ok()) << latest.status();
  EXPECT_EQ(latest->checkpoint->state().seed, 77u);
}

TEST(RunFolder, KeepsTheLastAndTheBest) {
  TemporaryTree folder;
  auto run = openRun(folder.path, 2);
  save(*run, 1);
  save(*run, 2, /*isBest=*/true);
  EXPECT_THAT(save(*run, 3).pruned,
              ElementsAre(folder.file("checkpoints/step-000001")));
  save(*run, 4);
  EXPECT_THAT(save(*run, 1'000'000).pruned,
              ElementsAre(folder.file("checkpoints/step-000003")));
  EXPECT_THAT(entriesOf(folder.file("checkpoints")),
              ElementsAre("step-000002", "step-000004", "step-1000000"));
  // A new best sets the old one free.
  EXPECT_THAT(save(*run, 1'000'001, true).pruned,
              ElementsAre(folder.file("checkpoints/step-000004"),
                          folder.file("checkpoints/step-000002")));
}

TEST(RunFolder, MilestonesAreNeverPruned) {
  TemporaryTree folder;
  auto run = openRun(folder.path, 1);
  auto milestone = [&](int64_t step) {
    ASSERT_TRUE(run->save(StepContents(step), {false, true}).ok());
  };
  milestone(0);
  save(*run, 1);
  milestone(2);
  save(*run, 3, /*isBest=*/true);
  save(*run, 4);
  EXPECT_THAT(save(*run, 5).pruned,
              ElementsAre(folder.file("checkpoints/step-000004")));
  EXPECT_THAT(
      entriesOf(folder.file("checkpoints")),
      ElementsAre("step-000000", "step-000002", "step-000003", "step-000005"));
  EXPECT_EQ(linkOf(folder.file("checkpoint-0")), "checkpoints/step-000000");
  EXPECT_EQ(linkOf(folder.file("checkpoint-2")), "checkpoints/step-000002");
  auto first = TrainingCheckpoint::open(folder.file("checkpoint-0"));
  ASSERT_TRUE(first.ok()) << first.status();
  EXPECT_TRUE(testing::isWhole(**first));
  // Also after the run has ended and begun again.
  run.reset();
  run = openRun(folder.path, 1);
  save(*run, 6);
  EXPECT_TRUE(TrainingCheckpoint::open(folder.file("checkpoint-2")).ok());
}

TEST(RunFolder, DescribesTheModelForOtherPrograms) {
  TemporaryTree folder;
  auto run = openRun(folder.path);
  StepContents contents(1);
  contents->config = {{"name", "nano"}};
  contents->description = {{"n_head", 6}};
  ASSERT_TRUE(run->save(contents, {}).ok());
  auto told = [&] {
    return nlohmann::json::parse(readFile(folder.file("latest/config.json")));
  };
  EXPECT_EQ(told(), nlohmann::json({{"n_head", 6}}));
  contents->description = nlohmann::json::object();
  ASSERT_TRUE(run->save(contents, {}).ok());
  EXPECT_EQ(told(), nlohmann::json({{"name", "nano"}}));
}

TEST(RunFolder, AGivenUpFutureIsPrunedFirst) {
  TemporaryTree folder;
  auto run = openRun(folder.path, 3);
  for (int64_t step : {100, 200, 300})
    save(*run, step);
  // The run went back to 200 and goes on from there.
  save(*run, 250);
  EXPECT_THAT(entriesOf(folder.file("checkpoints")),
              ElementsAre("step-000100", "step-000200", "step-000250"));
  EXPECT_EQ(linkOf(folder.file("latest")), "checkpoints/step-000250");
}

TEST(RunFolder, KeepsAllIfAsked) {
  TemporaryTree folder;
  auto run = openRun(folder.path, 0);
  for (int64_t step = 0; step < 8; ++step)
    EXPECT_THAT(save(*run, step).pruned, IsEmpty());
  EXPECT_EQ(entriesOf(folder.file("checkpoints")).size(), 8u);
}

TEST(RunFolder, LeavesWhatIsNotItsOwn) {
  TemporaryTree folder;
  auto run = openRun(folder.path, 1);
  for (const char *name : {"step-7", "step-0000001x", "notes"})
    std::filesystem::create_directory(
        folder.file(absl::StrCat("checkpoints/", name)));
  save(*run, 1);
  save(*run, 2);
  EXPECT_THAT(entriesOf(folder.file("checkpoints")),
              ElementsAre("notes", "step-0000001x", "step-000002", "step-7"));
}

TEST(RunFolder, RemovesWhatAKilledRunLeft) {
  TemporaryTree folder;
  save(*openRun(folder.path), 1);
  std::string left = folder.file("checkpoints/.step-000002.tmp");
  std::filesystem::create_directory(left);
  folder.write("checkpoints/.step-000002.tmp/model.safetensors", "half");
  ASSERT_EQ(symlink("x", folder.file(".latest.tmp").c_str()), 0);
  openRun(folder.path);
  EXPECT_THAT(entriesOf(folder.path), ElementsAre("checkpoints", "latest"));
  EXPECT_THAT(entriesOf(folder.file("checkpoints")),
              ElementsAre("step-000001"));
}

TEST(RunFolder, OneWriterAtATime) {
  TemporaryTree folder;
  auto run = openRun(folder.path);
  EXPECT_TRUE(isError(RunFolder::open(folder.path, 0).status(),
                      absl::StatusCode::kFailedPrecondition,
                      {folder.path, "another process", "HINT"}));
  run.reset();
  EXPECT_TRUE(RunFolder::open(folder.path, 0).ok());
}

TEST(RunFolder, RefusesWhatItCannotWrite) {
  TemporaryTree folder;
  EXPECT_FALSE(RunFolder::open("", 1).ok());
  EXPECT_FALSE(RunFolder::open(folder.path, -1).ok());
  folder.write("file", "x");
  EXPECT_FALSE(RunFolder::open(folder.file("file"), 1).ok());

  auto run = openRun(folder.path);
  save(*run, 1);
  StepContents broken(2);
  broken->state.options = 7;
  EXPECT_TRUE(isError(run->save(broken, {}).status(),
                      absl::StatusCode::kInvalidArgument,
                      {"step 2 is not saved", "options"}));
  std::vector<NamedTensor> twice = {broken->parameters[0],
                                    broken->parameters[0]};
  broken->state.options = nlohmann::json::object();
  broken->parameters = twice;
  EXPECT_TRUE(isError(run->save(broken, {}).status(),
                      absl::StatusCode::kInvalidArgument, {"wte.weight"}));
  EXPECT_THAT(entriesOf(folder.file("checkpoints")),
              ElementsAre("step-000001"));
  EXPECT_EQ(linkOf(folder.file("latest")), "checkpoints/step-000001");
}

/// Saves step 1, then step 2 with a limit on the size of files in force, and
/// expects the first to be as it was.
void saveUnderLimit(rlim_t bytes, absl::string_view file) {
  TemporaryTree folder;
  auto run = openRun(folder.path);
  save(*run, 1, true);
  rlimit before;
  getrlimit(RLIMIT_FSIZE, &before);
  rlimit limit = before;
  limit.rlim_cur = bytes;
  void (*handler)(int) = signal(SIGXFSZ, SIG_IGN);
  setrlimit(RLIMIT_FSIZE, &limit);
  absl::StatusOr<SaveReport> report =
      run->save(StepContents(2, 100), {true, false});
  setrlimit(RLIMIT_FSIZE, &before);
  signal(SIGXFSZ, handler);
  EXPECT_TRUE(isError(report.status(), kFull,
                      {"step 2 is not saved", "307236 bytes are needed", file,
                       "File too large", "HINT"}));
  EXPECT_THAT(entriesOf(folder.file("checkpoints")),
              ElementsAre("step-000001"));
  absl::StatusOr<LatestCheckpoint> latest = openLatest(folder.path);
  ASSERT_TRUE(latest.ok()) << latest.status();
  EXPECT_EQ(latest->checkpoint->state().step, 1);
  EXPECT_TRUE(isWhole(*latest->checkpoint));
  // And with room again the run goes on.
  save(*run, 2);
  EXPECT_EQ(linkOf(folder.file("latest")), "checkpoints/step-000002");
  EXPECT_EQ(linkOf(folder.file("best")), "checkpoints/step-000001");
}

TEST(RunFolder, AFileTooLargeLeavesTheOldOnes) {
  saveUnderLimit(1000, "model.safetensors");
  // The parameters fit, their moments do not.
  saveUnderLimit(150'000, "optimizer.safetensors");
}

/// In a process with a file system of 64 KiB of its own at `mount`; exits 0 if
/// all is as it should be, 77 if the system lets nobody mount.
[[noreturn]] void fillADisk(const std::string &mountPoint) {
  std::string user = absl::StrCat(geteuid(), " ", geteuid(), " 1");
  std::string group = absl::StrCat(getegid(), " ", getegid(), " 1");
  if (unshare(CLONE_NEWUSER | CLONE_NEWNS) != 0)
    _exit(77);
  std::ofstream("/proc/self/setgroups") << "deny";
  std::ofstream("/proc/self/uid_map") << user;
  std::ofstream("/proc/self/gid_map") << group;
  if (mount("none", mountPoint.c_str(), "tmpfs", 0, "size=64k") != 0)
    _exit(77);
  absl::StatusOr<std::unique_ptr<RunFolder>> run =
      RunFolder::open(mountPoint + "/out", 0);
  if (!run.ok() || !(*run)->save(StepContents(1), {true, false}).ok())
    _exit(1);
  // Steps of growing size, so that each file of a checkpoint meets the limit.
  bool wasFull = false;
  for (int64_t size = 1; size < 64; ++size) {
    absl::StatusOr<SaveReport> report = (*run)->save(StepContents(2, size), {});
    if (report.ok())
      continue;
    wasFull = true;
    if (!isError(report.status(), kFull,
                 {"step 2 is not saved", "/checkpoints/.step-000002.tmp/",
                  "No space left on device", "HINT"})) {
      fprintf(stderr, "%s\n", std::string(report.status().message()).c_str());
      _exit(2);
    }
    absl::StatusOr<LatestCheckpoint> latest = openLatest(mountPoint + "/out");
    if (!latest.ok() || !isWhole(*latest->checkpoint))
      _exit(3);
    if (entriesOf(mountPoint + "/out/checkpoints").size() > 2)
      _exit(4);
  }
  _exit(wasFull ? 0 : 5);
}

TEST(RunFolder, AFullDiskLeavesTheOldOnes) {
  TemporaryTree folder;
  std::filesystem::create_directory(folder.file("disk"));
  pid_t child = fork();
  ASSERT_GE(child, 0);
  if (child == 0)
    fillADisk(folder.file("disk"));
  int status;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  ASSERT_TRUE(WIFEXITED(status)) << status;
  if (WEXITSTATUS(status) == 77)
    GTEST_SKIP() << "user namespaces with mounts are not allowed here";
  EXPECT_EQ(WEXITSTATUS(status), 0);
}

} // namespace
} // namespace t6
