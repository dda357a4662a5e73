//===- Communicator.h - What the ranks of a run do together -----*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Collective operations over the ranks of a run. Every rank calls the same ones
// in the same order. An operation that another rank will never join, because it
// has failed or died, ends with Unavailable and the reason.
//
//===----------------------------------------------------------------------===//

#ifndef T6_RUNTIME_DISTRIBUTED_COMMUNICATOR_H
#define T6_RUNTIME_DISTRIBUTED_COMMUNICATOR_H

#include "runtime/distributed/LaunchEnvironment.h"

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"

#include <cstdint>
#include <memory>
#include <string>

namespace t6 {

enum class Extremum { Least, Greatest };

/// For use by the thread that has made it.
class Communicator {
public:
  virtual ~Communicator() = default;

  virtual int64_t rank() const = 0;
  virtual int64_t size() const = 0;
  /// Whether a launcher has started this rank, if only one.
  virtual bool launched() const = 0;

  /// Makes the elements of `values` on every rank their sums over all ranks.
  virtual absl::Status sum(absl::Span<float> values) = 0;
  virtual absl::Status sum(absl::Span<double> values) = 0;
  /// Makes `value` the least or greatest over all ranks. No rank may have NaN.
  virtual absl::Status extremum(Extremum which, double &value) = 0;
  /// Copies rank 0's bytes to every rank.
  virtual absl::Status broadcast(absl::Span<char> bytes) = 0;
  virtual absl::Status barrier() = 0;
  /// Unavailable if a rank has failed: then the next operation would, too. For
  /// those who compute for long between operations; costs nothing.
  virtual absl::Status check() const = 0;

  /// sum() in two parts: begins, and leaves `values` alone until finish() has
  /// come back, which is when all that was begun is done.
  virtual absl::Status begin(absl::Span<float> values) = 0;
  virtual absl::Status finish() = 0;
  /// Furthers what was begun; without it, that may wait for finish().
  virtual void progress() = 0;

  /// Tells the other ranks that this one ends for `reason`, so that they end,
  /// too. Nothing else can be called then.
  virtual void leave(const absl::Status &reason) = 0;

protected:
  Communicator() = default;
  Communicator(const Communicator &) = delete;
  Communicator &operator=(const Communicator &) = delete;
};

/// A run of one rank.
class SingleProcess : public Communicator {
public:
  explicit SingleProcess(bool launched = false) : wasLaunched(launched) {}
  int64_t rank() const override { return 0; }
  int64_t size() const override { return 1; }
  bool launched() const override { return wasLaunched; }
  absl::Status sum(absl::Span<float>) override { return absl::OkStatus(); }
  absl::Status sum(absl::Span<double>) override { return absl::OkStatus(); }
  absl::Status extremum(Extremum, double &) override {
    return absl::OkStatus();
  }
  absl::Status broadcast(absl::Span<char>) override { return absl::OkStatus(); }
  absl::Status barrier() override { return absl::OkStatus(); }
  absl::Status check() const override { return absl::OkStatus(); }
  absl::Status begin(absl::Span<float>) override { return absl::OkStatus(); }
  absl::Status finish() override { return absl::OkStatus(); }
  void progress() override {}
  void leave(const absl::Status &) override {}

private:
  bool wasLaunched;
};

/// The ranks that `environment` tells of: one alone, or those of MPI.
/// `mpiLibrary` is the file of Open MPI. FailedPrecondition if there are
/// several and they cannot talk to each other.
absl::StatusOr<std::unique_ptr<Communicator>>
openCommunicator(const LaunchEnvironment &environment,
                 const std::string &mpiLibrary = "libmpi.so.40");

/// Copies rank 0's text to every rank.
absl::Status broadcastText(Communicator &ranks, std::string &text);

} // namespace t6

#endif // T6_RUNTIME_DISTRIBUTED_COMMUNICATOR_H
