//===- MpiCommunicator.cpp - The ranks of an MPI job ----------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// All operations are MPI's non-blocking ones, waited for by testing, so that a
// rank that waits for one that is gone can stop.
//
//===----------------------------------------------------------------------===//

#include "runtime/distributed/MpiCommunicator.h"

#include "runtime/distributed/MpiLibrary.h"
#include "runtime/distributed/PeerWatch.h"

#include "absl/strings/str_cat.h"

#include <algorithm>
#include <atomic>
#include <cstdlib>
#include <sched.h>
#include <vector>

namespace t6 {
namespace {

/// Counts are int; pieces of a size that any machine has memory to copy.
constexpr size_t kMaxCount = size_t{1} << 26;

/// Of the process: MPI begins once and ends once.
struct Session {
  MpiLibrary mpi;
  /// MPI_Finalize() waits for all ranks; not where one is gone.
  std::atomic<bool> ends{true};
};
Session *session = nullptr;

void endSession() {
  int over = 0;
  if (session->ends && session->mpi.finalized(&over) == 0 && !over)
    session->mpi.finalize();
}

absl::Status startSession(const std::string &file) {
  if (session)
    return absl::OkStatus();
  absl::StatusOr<MpiLibrary> mpi = MpiLibrary::load(file);
  if (!mpi.ok())
    return mpi.status();
  int running = 0, provided = 0;
  absl::Status status =
      mpi->status(mpi->initialized(&running), "tell whether it has begun");
  if (!status.ok())
    return status;
  bool isOurs = !running;
  if (isOurs)
    status = mpi->status(
        mpi->initThread(nullptr, nullptr, MpiLibrary::kFunneled, &provided),
        "begin");
  if (status.ok())
    status = mpi->status(mpi->setErrorHandler(mpi->world, mpi->errorsReturn),
                         "be told to return errors");
  if (!status.ok())
    return status;
  session = new Session{*mpi, {true}};
  if (isOurs)
    std::atexit(endSession);
  return absl::OkStatus();
}

class MpiCommunicator : public Communicator {
public:
  explicit MpiCommunicator(const MpiLibrary &mpi) : mpi(mpi) {}
  absl::Status initialize(const LaunchEnvironment &environment);

  int64_t rank() const override { return ownRank; }
  int64_t size() const override { return ranks; }
  bool launched() const override { return true; }
  absl::Status sum(absl::Span<float> values) override {
    absl::Status status = begin(values);
    return status.ok() ? finish() : status;
  }
  absl::Status sum(absl::Span<double> values) override {
    return reduce(values, mpi.float64, mpi.sum);
  }
  absl::Status extremum(Extremum which, double &value) override {
    return reduce(absl::MakeSpan(&value, 1), mpi.float64,
                  which == Extremum::Least ? mpi.least : mpi.greatest);
  }
  absl::Status broadcast(absl::Span<char> bytes) override;
  absl::Status barrier() override;
  absl::Status check() const override {
    return watch ? watch->check() : absl::OkStatus();
  }
  absl::Status begin(absl::Span<float> values) override {
    return beginReduce(values, mpi.float32, mpi.sum);
  }
  absl::Status finish() override;
  void progress() override;
  void leave(const absl::Status &reason) override;

private:
  template <typename T>
  absl::Status beginReduce(absl::Span<T> values, MpiHandle type, MpiHandle op);
  template <typename T>
  absl::Status reduce(absl::Span<T> values, MpiHandle type, MpiHandle op) {
    absl::Status status = beginReduce(values, type, op);
    return status.ok() ? finish() : status;
  }
  absl::Status fail(absl::Status status);

  const MpiLibrary &mpi;
  int ownRank = 0, ranks = 1;
  std::vector<MpiHandle> requests; ///< Begun and not known to be done.
  std::unique_ptr<PeerWatch> watch;
};

absl::Status MpiCommunicator::initialize(const LaunchEnvironment &told) {
  absl::Status status =
      mpi.status(mpi.rank(mpi.world, &ownRank), "tell the rank");
  if (status.ok())
    status = mpi.status(mpi.size(mpi.world, &ranks), "tell the ranks");
  if (!status.ok())
    return status;
  if (ranks != told.size || ownRank != told.rank)
    return absl::FailedPreconditionError(absl::StrCat(
        launcherName(told.launcher), " says that this is rank ", told.rank,
        " of ", told.size, ", and MPI says rank ", ownRank, " of ", ranks,
        ": the launcher does not serve Open MPI. HINT: use mpirun of Open MPI, "
        "or srun --mpi=pmix"));
  std::string address;
  if (ownRank == 0) {
    absl::StatusOr<std::unique_ptr<PeerWatch>> made = PeerWatch::listen(ranks);
    // The others wait for an address: an empty one tells them.
    if (made.ok()) {
      watch = *std::move(made);
      address = watch->address();
    }
    status = broadcastText(*this, address);
    if (!made.ok())
      return made.status();
    return status.ok() ? watch->awaitAll() : status;
  }
  status = broadcastText(*this, address);
  if (!status.ok())
    return status;
  if (address.empty())
    return absl::UnavailableError("rank 0 failed: it has no port to listen on");
  absl::StatusOr<std::unique_ptr<PeerWatch>> made =
      PeerWatch::join(address, ownRank);
  if (made.ok())
    watch = *std::move(made);
  return made.status();
}

/// After an error nothing waits for the other ranks any more.
absl::Status MpiCommunicator::fail(absl::Status status) {
  session->ends = false;
  return status;
}

template <typename T>
absl::Status MpiCommunicator::beginReduce(absl::Span<T> values, MpiHandle type,
                                          MpiHandle op) {
  for (size_t at = 0; at < values.size(); at += kMaxCount) {
    size_t count = std::min(values.size() - at, kMaxCount);
    requests.push_back(mpi.noRequest);
    absl::Status status =
        mpi.status(mpi.beginAllReduce(MpiLibrary::inPlace(), values.data() + at,
                                      static_cast<int>(count), type, op,
                                      mpi.world, &requests.back()),
                   "reduce over ranks");
    if (!status.ok())
      return fail(status);
  }
  return absl::OkStatus();
}

absl::Status MpiCommunicator::broadcast(absl::Span<char> bytes) {
  for (size_t at = 0; at < bytes.size(); at += kMaxCount) {
    size_t count = std::min(bytes.size() - at, kMaxCount);
    requests.push_back(mpi.noRequest);
    absl::Status status = mpi.status(
        mpi.beginBroadcast(bytes.data() + at, static_cast<int>(count), mpi.byte,
                           0, mpi.world, &requests.back()),
        "broadcast");
    if (!status.ok())
      return fail(status);
  }
  return finish();
}

absl::Status MpiCommunicator::barrier() {
  requests.push_back(mpi.noRequest);
  absl::Status status = mpi.status(
      mpi.beginBarrier(mpi.world, &requests.back()), "wait for all ranks");
  return status.ok() ? finish() : fail(status);
}

void MpiCommunicator::progress() {
  for (MpiHandle &request : requests) {
    // A request that is done is null, and testing it is then harmless. An error
    // shows again in finish().
    int done = 0;
    if (mpi.test(&request, &done, nullptr) != 0 || !done)
      return;
  }
}

absl::Status MpiCommunicator::finish() {
  // Where ranks share CPUs, one that waits must let the others go on.
  constexpr int kSpins = 200;
  int spins = 0;
  for (MpiHandle &request : requests) {
    int done = 0;
    while (true) {
      absl::Status status =
          mpi.status(mpi.test(&request, &done, nullptr), "finish");
      if (status.ok() && !done)
        status = check();
      if (!status.ok())
        return fail(status);
      if (done)
        break;
      if (++spins > kSpins)
        sched_yield();
    }
  }
  requests.clear();
  return absl::OkStatus();
}

void MpiCommunicator::leave(const absl::Status &reason) {
  (void)fail(reason);
  if (watch)
    watch->leave(reason.message());
}

} // namespace

absl::StatusOr<std::unique_ptr<Communicator>>
openMpiCommunicator(const LaunchEnvironment &environment,
                    const std::string &library) {
  absl::Status status = startSession(library);
  if (!status.ok())
    return status;
  auto created = std::make_unique<MpiCommunicator>(session->mpi);
  status = created->initialize(environment);
  if (!status.ok()) {
    created->leave(status);
    return status;
  }
  return created;
}

} // namespace t6
