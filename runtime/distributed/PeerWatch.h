//===- PeerWatch.h - Which ranks are still there ----------------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// MPI waits for ever for a rank that has died, unless the launcher kills the
// others, which not each does. So each rank has a connection to rank 0 that the
// kernel closes when its process ends, however it ends; a thread waits for
// that, and for the reason that a rank gives before it leaves. Rank 0 passes on
// what it hears. A machine that is cut off counts as lost after 30 seconds; a
// process that is stopped does not.
//
//===----------------------------------------------------------------------===//

#ifndef T6_RUNTIME_DISTRIBUTED_PEERWATCH_H
#define T6_RUNTIME_DISTRIBUTED_PEERWATCH_H

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

namespace t6 {

class PeerWatch {
public:
  /// Of rank 0 of `size` ranks.
  static absl::StatusOr<std::unique_ptr<PeerWatch>> listen(int64_t size);
  /// Where the others find it; rank 0 tells them by other means.
  const std::string &address() const { return own; }
  /// Of rank `rank`, not 0.
  static absl::StatusOr<std::unique_ptr<PeerWatch>>
  join(const std::string &address, int64_t rank);

  /// Leaves in order if leave() has not.
  ~PeerWatch();

  /// Rank 0 waits until all the others have joined.
  absl::Status awaitAll();
  /// Unavailable, with the reason, if a rank has failed.
  absl::Status check() const;
  /// The last thing that this rank does; an empty reason is an end in order.
  void leave(absl::string_view reason);

private:
  struct Peer {
    int64_t rank = -1; ///< -1 until it has said.
    int socket = -1;   ///< -1: has left.
    std::string heard; ///< An unfinished line.
  };

  PeerWatch() = default;
  void start();
  void watch();
  bool hear(Peer &peer);
  void takeLine(Peer &peer, const std::string &line);
  void fail(int64_t rank, const std::string &reason);
  void lose(Peer &peer);

  std::string own;
  std::string secret; ///< What a rank says first.
  int64_t size = 1, rank = 0;
  int listener = -1, wake = -1;
  std::vector<Peer> peers; ///< The thread's, until it has ended.
  std::atomic<int64_t> joined{0};
  std::atomic<bool> failed{false}, stopping{false};
  mutable std::mutex mutex; ///< Of `reason`.
  std::string reason;
  std::thread thread;
};

} // namespace t6

#endif // T6_RUNTIME_DISTRIBUTED_PEERWATCH_H
