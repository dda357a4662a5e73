//===- PeerWatchTest.cpp --------------------------------------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "runtime/distributed/PeerWatch.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"

#include <arpa/inet.h>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

namespace t6 {
namespace {

using std::chrono::seconds;
using std::chrono::steady_clock;
using ::testing::HasSubstr;

/// What check() says as soon as it says something, or after ten seconds.
std::string failureOf(const PeerWatch &watch) {
  auto end = steady_clock::now() + seconds(10);
  while (watch.check().ok() && steady_clock::now() < end)
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  return std::string(watch.check().message());
}

/// Rank 0 and others, in one process.
class PeerWatchTest : public ::testing::Test {
protected:
  void open(int64_t size) {
    auto first = PeerWatch::listen(size);
    ASSERT_TRUE(first.ok()) << first.status();
    ranks.push_back(*std::move(first));
    for (int64_t rank = 1; rank < size; ++rank) {
      auto other = PeerWatch::join(ranks[0]->address(), rank);
      ASSERT_TRUE(other.ok()) << other.status();
      ranks.push_back(*std::move(other));
    }
    ASSERT_TRUE(ranks[0]->awaitAll().ok());
  }
  std::vector<std::unique_ptr<PeerWatch>> ranks;
};

TEST_F(PeerWatchTest, ReasonReachesAllRanks) {
  open(3);
  ranks[2]->leave("the disk\nis full");
  for (int rank : {0, 1})
    EXPECT_EQ(failureOf(*ranks[rank]), "rank 2 failed: the disk is full");
}

TEST_F(PeerWatchTest, ReasonOfRankZeroReachesAllRanks) {
  open(3);
  ranks[0]->leave("no such corpus");
  for (int rank : {1, 2})
    EXPECT_EQ(failureOf(*ranks[rank]), "rank 0 failed: no such corpus");
}

TEST_F(PeerWatchTest, EndInOrderIsNoFailure) {
  open(3);
  ranks[1].reset();
  // Were the first end a failure, it would be told before the second.
  ranks[2]->leave("a reason");
  EXPECT_EQ(failureOf(*ranks[0]), "rank 2 failed: a reason");
}

TEST_F(PeerWatchTest, FirstReasonStays) {
  open(3);
  ranks[1]->leave("the cause");
  ASSERT_EQ(failureOf(*ranks[0]), "rank 1 failed: the cause");
  ranks[2]->leave("a consequence");
  ranks[0]->leave("another");
  EXPECT_EQ(ranks[0]->check().message(), "rank 1 failed: the cause");
}

// What no program can do itself: end without leaving.
TEST_F(PeerWatchTest, KilledProcessIsNoticed) {
  auto first = PeerWatch::listen(3);
  ASSERT_TRUE(first.ok());
  pid_t child = fork();
  if (child == 0) {
    auto own = PeerWatch::join((*first)->address(), 1);
    if (own.ok())
      pause();
    _exit(1);
  }
  auto other = PeerWatch::join((*first)->address(), 2);
  ASSERT_TRUE(other.ok());
  ASSERT_TRUE((*first)->awaitAll().ok());
  kill(child, SIGKILL);
  waitpid(child, nullptr, 0);
  EXPECT_THAT(failureOf(**first), HasSubstr("rank 1 failed: it has ended"));
  EXPECT_THAT(failureOf(**other), HasSubstr("rank 1 failed: it has ended"));
}

TEST_F(PeerWatchTest, StrangersAreNoRanks) {
  auto first = PeerWatch::listen(2);
  ASSERT_TRUE(first.ok());
  int port = std::atoi((*first)->address().c_str());
  int stranger = socket(AF_INET, SOCK_STREAM, 0);
  sockaddr_in address = {};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<uint16_t>(port));
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  ASSERT_EQ(connect(stranger, reinterpret_cast<sockaddr *>(&address),
                    sizeof(address)),
            0);
  const char text[] = "0000000000000000 1\n1 a lie\n";
  ASSERT_GT(send(stranger, text, sizeof(text) - 1, 0), 0);
  char answer;
  EXPECT_LE(recv(stranger, &answer, 1, 0), 0); // The connection is closed.
  close(stranger);
  auto other = PeerWatch::join((*first)->address(), 1);
  ASSERT_TRUE(other.ok());
  EXPECT_TRUE((*first)->awaitAll().ok());
  EXPECT_TRUE((*first)->check().ok());
}

TEST_F(PeerWatchTest, NobodyThereIsAnError) {
  std::string address;
  {
    auto first = PeerWatch::listen(2);
    ASSERT_TRUE(first.ok());
    address = (*first)->address();
  }
  auto other = PeerWatch::join(address, 1);
  ASSERT_FALSE(other.ok());
  EXPECT_THAT(std::string(other.status().message()),
              HasSubstr("rank 1 cannot reach rank 0"));
}

} // namespace
} // namespace t6
