//===- PeerWatch.cpp - Which ranks are still there ------------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// On a connection go lines: first the secret and the rank of who has connected,
// then at most one "<rank> <reason>", with which a rank leaves or rank 0 tells
// of another that has failed. Without a reason the rank leaves in order.
//
//===----------------------------------------------------------------------===//

#include "runtime/distributed/PeerWatch.h"

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/str_split.h"

#include <algorithm>
#include <arpa/inet.h>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstring>
#include <ifaddrs.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <random>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

namespace t6 {

static constexpr int kConnectSeconds = 10;
static constexpr int kJoinSeconds = 60;
static constexpr size_t kMaxLine = 64 * 1024;
static constexpr const char *kSilent =
    "it has ended without a word: it crashed, was killed, or its machine is "
    "cut off";

static absl::Status failure(const char *what) {
  return absl::UnavailableError(absl::StrCat(
      "ranks cannot watch each other: ", what, ": ", std::strerror(errno)));
}

/// A machine that does not answer for 30 seconds closes the connection.
static void keepAlive(int socket) {
  auto set = [socket](int level, int option, int value) {
    setsockopt(socket, level, option, &value, sizeof(value));
  };
  set(SOL_SOCKET, SO_KEEPALIVE, 1);
  set(IPPROTO_TCP, TCP_KEEPIDLE, 10);
  set(IPPROTO_TCP, TCP_KEEPINTVL, 5);
  set(IPPROTO_TCP, TCP_KEEPCNT, 4);
  set(IPPROTO_TCP, TCP_USER_TIMEOUT, 30 * 1000);
}

static void sendLine(int socket, absl::string_view text) {
  // Lines are few and short: they fit the kernel's memory or the peer is gone.
  std::string line = absl::StrCat(text, "\n");
  (void)send(socket, line.data(), line.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
}

static std::string hostName() {
  char name[256] = "";
  gethostname(name, sizeof(name) - 1);
  return name;
}

/// The addresses of this machine, that of the machine itself last.
static std::string hostAddresses() {
  std::string found;
  ifaddrs *all = nullptr;
  if (getifaddrs(&all) == 0) {
    for (ifaddrs *one = all; one; one = one->ifa_next) {
      if (!one->ifa_addr || one->ifa_addr->sa_family != AF_INET)
        continue;
      char text[INET_ADDRSTRLEN];
      auto *address = reinterpret_cast<sockaddr_in *>(one->ifa_addr);
      inet_ntop(AF_INET, &address->sin_addr, text, sizeof(text));
      if (std::strcmp(text, "127.0.0.1") != 0)
        absl::StrAppend(&found, " ", text);
    }
    freeifaddrs(all);
  }
  return found;
}

absl::StatusOr<std::unique_ptr<PeerWatch>> PeerWatch::listen(int64_t size) {
  std::unique_ptr<PeerWatch> created(new PeerWatch());
  created->size = size;
  created->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in any = {};
  any.sin_family = AF_INET;
  socklen_t bytes = sizeof(any);
  auto *address = reinterpret_cast<sockaddr *>(&any);
  if (created->listener < 0 || bind(created->listener, address, bytes) != 0 ||
      ::listen(created->listener, static_cast<int>(size)) != 0 ||
      getsockname(created->listener, address, &bytes) != 0)
    return failure("no port to listen on");
  std::random_device random;
  created->secret = absl::StrCat(absl::Hex(random(), absl::kZeroPad8),
                                 absl::Hex(random(), absl::kZeroPad8));
  created->own = absl::StrCat(ntohs(any.sin_port), " ", created->secret, " ",
                              hostName(), hostAddresses());
  created->start();
  return created;
}

/// A connection to one address; below 0 if nobody answers.
static int connectTo(const std::string &host, int port) {
  sockaddr_in address = {};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<uint16_t>(port));
  if (inet_pton(AF_INET, host.c_str(), &address.sin_addr) != 1)
    return -1;
  int connection = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (connection < 0)
    return -1;
  // It bounds connect(), too.
  timeval limit = {kConnectSeconds, 0};
  setsockopt(connection, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit));
  if (connect(connection, reinterpret_cast<sockaddr *>(&address),
              sizeof(address)) == 0)
    return connection;
  close(connection);
  return -1;
}

absl::StatusOr<std::unique_ptr<PeerWatch>>
PeerWatch::join(const std::string &address, int64_t rank) {
  std::vector<std::string> parts = absl::StrSplit(address, ' ');
  int port = 0;
  if (parts.size() < 3 || !absl::SimpleAtoi(parts[0], &port))
    return absl::InternalError(
        absl::StrCat("rank 0 is at '", address, "', which is no address"));
  std::vector<std::string> hosts(parts.begin() + 3, parts.end());
  if (parts[2] == hostName())
    hosts.insert(hosts.begin(), "127.0.0.1");
  int connection = -1;
  for (const std::string &host : hosts)
    if ((connection = connectTo(host, port)) >= 0)
      break;
  if (connection < 0)
    return absl::UnavailableError(absl::StrCat(
        "rank ", rank, " cannot reach rank 0 on ", parts[2], ", port ", port,
        ". HINT: TCP between the machines of a run is needed, "
        "to any port, as for mpirun"));
  keepAlive(connection);
  sendLine(connection, absl::StrCat(parts[1], " ", rank));
  std::unique_ptr<PeerWatch> created(new PeerWatch());
  created->rank = rank;
  created->peers.push_back({0, connection, ""});
  created->start();
  return created;
}

void PeerWatch::start() {
  wake = eventfd(0, EFD_CLOEXEC);
  // Signals are for the other threads.
  sigset_t all, before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  thread = std::thread([this] { watch(); });
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
}

PeerWatch::~PeerWatch() {
  leave("");
  for (int descriptor : {listener, wake})
    if (descriptor >= 0)
      close(descriptor);
}

void PeerWatch::leave(absl::string_view why) {
  if (!thread.joinable())
    return;
  stopping = true;
  uint64_t one = 1;
  (void)!write(wake, &one, sizeof(one));
  thread.join();
  // Those that have not joined yet do not know of this rank.
  std::string line = absl::StrCat(
      rank, " ", absl::StrReplaceAll(why, {{"\n", " "}, {"\r", " "}}));
  for (Peer &peer : peers)
    if (peer.socket >= 0) {
      sendLine(peer.socket, line);
      // What it still sends must not reset the connection before it has read.
      shutdown(peer.socket, SHUT_WR);
      close(peer.socket);
      peer.socket = -1;
    }
}

absl::Status PeerWatch::awaitAll() {
  auto end =
      std::chrono::steady_clock::now() + std::chrono::seconds(kJoinSeconds);
  while (joined < size - 1) {
    if (absl::Status status = check(); !status.ok())
      return status;
    if (std::chrono::steady_clock::now() > end)
      return absl::UnavailableError(absl::StrCat(
          "of ", size - 1, " other ranks only ", joined.load(),
          " have connected to rank 0 within ", kJoinSeconds, " seconds"));
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  return absl::OkStatus();
}

absl::Status PeerWatch::check() const {
  if (!failed)
    return absl::OkStatus();
  std::lock_guard<std::mutex> lock(mutex);
  return absl::UnavailableError(reason);
}

/// Keeps the first failure: later ones follow from it.
void PeerWatch::fail(int64_t who, const std::string &why) {
  {
    std::lock_guard<std::mutex> lock(mutex);
    if (failed)
      return;
    reason = absl::StrCat("rank ", who, " failed: ", why);
    failed = true;
  }
  if (rank != 0)
    return;
  for (Peer &other : peers)
    if (other.socket >= 0 && other.rank > 0 && other.rank != who)
      sendLine(other.socket, absl::StrCat(who, " ", why));
}

void PeerWatch::lose(Peer &peer) {
  close(peer.socket);
  peer.socket = -1;
}

void PeerWatch::takeLine(Peer &peer, const std::string &line) {
  std::pair<std::string, std::string> halves =
      absl::StrSplit(line, absl::MaxSplits(' ', 1));
  if (peer.rank < 0) {
    int64_t who;
    if (halves.first != secret || !absl::SimpleAtoi(halves.second, &who) ||
        who <= 0 || who >= size)
      return lose(peer);
    peer.rank = who;
    ++joined;
    return;
  }
  int64_t who;
  if (!absl::SimpleAtoi(halves.first, &who))
    return;
  if (halves.second.empty())
    return lose(peer);
  fail(who, halves.second);
}

/// Reads what a peer has sent; false when there is no more to come.
bool PeerWatch::hear(Peer &peer) {
  char text[4096];
  ssize_t count = recv(peer.socket, text, sizeof(text), MSG_DONTWAIT);
  if (count < 0 && (errno == EAGAIN || errno == EINTR))
    return true;
  if (count <= 0 || peer.heard.size() > kMaxLine)
    return false;
  peer.heard.append(text, static_cast<size_t>(count));
  size_t end;
  while (peer.socket >= 0 &&
         (end = peer.heard.find('\n')) != std::string::npos) {
    std::string line = peer.heard.substr(0, end);
    peer.heard.erase(0, end + 1);
    takeLine(peer, line);
  }
  return true;
}

void PeerWatch::watch() {
  while (!stopping) {
    std::vector<pollfd> waits = {{wake, POLLIN, 0}, {listener, POLLIN, 0}};
    for (const Peer &peer : peers)
      waits.push_back({peer.socket, POLLIN, 0}); // Below 0 is passed over.
    if (poll(waits.data(), waits.size(), -1) < 0)
      continue;
    for (size_t i = 0; i < peers.size(); ++i) {
      Peer &peer = peers[i];
      if (waits[i + 2].revents == 0 || hear(peer))
        continue;
      if (peer.rank >= 0)
        fail(peer.rank, kSilent);
      lose(peer);
    }
    if (waits[1].revents == 0)
      continue;
    int connection = accept4(listener, nullptr, nullptr, SOCK_CLOEXEC);
    if (connection < 0)
      continue;
    keepAlive(connection);
    peers.push_back({-1, connection, ""});
  }
}

} // namespace t6
