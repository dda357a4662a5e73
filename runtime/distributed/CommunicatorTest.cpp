//===- CommunicatorTest.cpp -----------------------------------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// One rank, and what stands in the way of several. Several ranks are those of
// tests/end_to_end/ranks_test.py.
//
//===----------------------------------------------------------------------===//

#include "runtime/distributed/Communicator.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"

#include <string>

namespace t6 {
namespace {

using ::testing::HasSubstr;

TEST(CommunicatorTest, OneRankIsItself) {
  auto ranks = openCommunicator({});
  ASSERT_TRUE(ranks.ok());
  EXPECT_EQ((*ranks)->size(), 1);
  EXPECT_FALSE((*ranks)->launched());
  float values[] = {1, 2};
  ASSERT_TRUE((*ranks)->sum(absl::MakeSpan(values)).ok());
  EXPECT_EQ(values[1], 2);
  std::string text = "as it was";
  ASSERT_TRUE(broadcastText(**ranks, text).ok());
  EXPECT_EQ(text, "as it was");
}

TEST(CommunicatorTest, LaunchedRankThatIsAloneNeedsNoMpi) {
  LaunchEnvironment environment;
  environment.launcher = Launcher::Torchrun;
  auto ranks = openCommunicator(environment, "libabsent.so");
  ASSERT_TRUE(ranks.ok());
  EXPECT_TRUE((*ranks)->launched());
}

TEST(CommunicatorTest, MissingLibraryIsSaid) {
  LaunchEnvironment environment;
  environment.launcher = Launcher::OpenMpi;
  environment.size = 2;
  auto ranks = openCommunicator(environment, "libabsent.so");
  ASSERT_FALSE(ranks.ok());
  EXPECT_THAT(std::string(ranks.status().message()), HasSubstr("libabsent.so"));
  EXPECT_THAT(std::string(ranks.status().message()),
              HasSubstr("HINT: apt-get install openmpi-bin"));
}

TEST(CommunicatorTest, OtherLibraryIsRefused) {
  LaunchEnvironment environment;
  environment.launcher = Launcher::OpenMpi;
  environment.size = 2;
  auto ranks = openCommunicator(environment, "libm.so.6");
  ASSERT_FALSE(ranks.ok());
  EXPECT_THAT(std::string(ranks.status().message()),
              HasSubstr("it is not the library of Open MPI"));
}

TEST(CommunicatorTest, TorchrunIsSentToMpirun) {
  LaunchEnvironment environment;
  environment.launcher = Launcher::Torchrun;
  environment.size = 4;
  auto ranks = openCommunicator(environment);
  ASSERT_FALSE(ranks.ok());
  EXPECT_THAT(std::string(ranks.status().message()),
              HasSubstr("HINT: mpirun -n 4"));
}

} // namespace
} // namespace t6
