//===- LaunchEnvironmentTest.cpp ------------------------------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "runtime/distributed/LaunchEnvironment.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"

#include <map>
#include <string>

namespace t6 {
namespace {

using ::testing::HasSubstr;

absl::StatusOr<LaunchEnvironment>
readFrom(const std::map<std::string, std::string> &variables) {
  return readLaunchEnvironment([&](const char *name) -> const char * {
    auto found = variables.find(name);
    return found == variables.end() ? nullptr : found->second.c_str();
  });
}

TEST(LaunchEnvironmentTest, NoLauncherIsOneRank) {
  auto found = readFrom({{"HOME", "/root"}});
  ASSERT_TRUE(found.ok());
  EXPECT_FALSE(found->launched());
  EXPECT_EQ(found->rank, 0);
  EXPECT_EQ(found->size, 1);
}

struct Case {
  const char *name;
  std::map<std::string, std::string> variables;
  Launcher launcher;
  int64_t rank, size, localSize;
};

class LaunchersTest : public ::testing::TestWithParam<Case> {};

TEST_P(LaunchersTest, TellRankAndSize) {
  const Case &expected = GetParam();
  auto found = readFrom(expected.variables);
  ASSERT_TRUE(found.ok()) << found.status();
  EXPECT_EQ(found->launcher, expected.launcher);
  EXPECT_EQ(found->rank, expected.rank);
  EXPECT_EQ(found->size, expected.size);
  EXPECT_EQ(found->localSize, expected.localSize);
}

INSTANTIATE_TEST_SUITE_P(
    All, LaunchersTest,
    ::testing::Values(
        Case{"openmpi",
             {{"OMPI_COMM_WORLD_RANK", "3"},
              {"OMPI_COMM_WORLD_SIZE", "8"},
              {"OMPI_COMM_WORLD_LOCAL_SIZE", "4"}},
             Launcher::OpenMpi,
             3,
             8,
             4},
        Case{"pmi",
             {{"PMI_RANK", "1"}, {"PMI_SIZE", "2"}, {"MPI_LOCALNRANKS", "2"}},
             Launcher::Pmi,
             1,
             2,
             2},
        Case{"srun",
             {{"SLURM_PROCID", "5"},
              {"SLURM_STEP_ID", "0"},
              {"SLURM_STEP_NUM_TASKS", "6"},
              {"SLURM_NTASKS", "12"}},
             Launcher::Slurm,
             5,
             6,
             0},
        Case{"old_srun",
             {{"SLURM_PROCID", "5"},
              {"SLURM_STEPID", "0"},
              {"SLURM_NTASKS", "12"}},
             Launcher::Slurm,
             5,
             12,
             0},
        Case{"torchrun",
             {{"RANK", "0"},
              {"WORLD_SIZE", "2"},
              {"LOCAL_RANK", "0"},
              {"LOCAL_WORLD_SIZE", "2"},
              {"MASTER_ADDR", "127.0.0.1"},
              {"MASTER_PORT", "29500"}},
             Launcher::Torchrun,
             0,
             2,
             2},
        Case{"mpirun_in_srun",
             {{"OMPI_COMM_WORLD_RANK", "1"},
              {"OMPI_COMM_WORLD_SIZE", "2"},
              {"SLURM_PROCID", "0"},
              {"SLURM_STEP_ID", "0"},
              {"SLURM_NTASKS", "1"}},
             Launcher::OpenMpi,
             1,
             2,
             0}),
    [](const auto &info) { return std::string(info.param.name); });

// The script of a job sees how many tasks the job has, and is none of them.
TEST(LaunchEnvironmentTest, ScriptOfSlurmIsNoRank) {
  auto found = readFrom({{"SLURM_PROCID", "0"}, {"SLURM_NTASKS", "4"}});
  ASSERT_TRUE(found.ok());
  EXPECT_FALSE(found->launched());
}

TEST(LaunchEnvironmentTest, NonsenseIsNamed) {
  EXPECT_THAT(
      readFrom({{"RANK", "one"}, {"WORLD_SIZE", "2"}}).status().message(),
      HasSubstr("RANK is 'one'"));
  EXPECT_THAT(
      readFrom({{"PMI_RANK", "0"}, {"PMI_SIZE", "-2"}}).status().message(),
      HasSubstr("PMI_SIZE is '-2'"));
  EXPECT_THAT(readFrom({{"OMPI_COMM_WORLD_RANK", "0"}}).status().message(),
              HasSubstr("no OMPI_COMM_WORLD_SIZE"));
  EXPECT_THAT(readFrom({{"RANK", "2"}, {"WORLD_SIZE", "2"}}).status().message(),
              HasSubstr("rank 2 (RANK) of 2 (WORLD_SIZE)"));
}

TEST(LaunchEnvironmentTest, ThreadsAreAShareOfSharedCpus) {
  LaunchEnvironment alone;
  EXPECT_EQ(threadsOfRank(alone, 8), 8);
  LaunchEnvironment shared;
  shared.launcher = Launcher::OpenMpi;
  shared.size = 4;
  shared.localSize = 4;
  EXPECT_EQ(threadsOfRank(shared, 10), 2);
  EXPECT_EQ(threadsOfRank(shared, 2), 1);
  shared.isBound = true;
  EXPECT_EQ(threadsOfRank(shared, 10), 10);
  LaunchEnvironment reserved;
  reserved.launcher = Launcher::Slurm;
  reserved.cpusPerRank = 3;
  EXPECT_EQ(threadsOfRank(reserved, 16), 3);
  EXPECT_EQ(threadsOfRank(reserved, 2), 2);
}

} // namespace
} // namespace t6
