//===- Communicator.cpp - What the ranks of a run do together -------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "runtime/distributed/Communicator.h"

#include "runtime/distributed/MpiCommunicator.h"

#include "absl/strings/str_cat.h"

#include <cstring>

namespace t6 {

absl::StatusOr<std::unique_ptr<Communicator>>
openCommunicator(const LaunchEnvironment &environment,
                 const std::string &mpiLibrary) {
  if (environment.size == 1)
    return std::make_unique<SingleProcess>(environment.launched());
  // torchrun brings no way to talk but PyTorch's.
  if (environment.launcher == Launcher::Torchrun)
    return absl::FailedPreconditionError(absl::StrCat(
        "torchrun has started ", environment.size,
        " ranks, which talk over MPI here, and torchrun starts no "
        "MPI. HINT: mpirun -n ",
        environment.size, " t6 train ..., or one rank with WORLD_SIZE=1"));
  return openMpiCommunicator(environment, mpiLibrary);
}

absl::Status broadcastText(Communicator &ranks, std::string &text) {
  char length[sizeof(uint64_t)];
  uint64_t own = text.size();
  std::memcpy(length, &own, sizeof(own));
  absl::Status status = ranks.broadcast(absl::MakeSpan(length));
  if (!status.ok())
    return status;
  std::memcpy(&own, length, sizeof(own));
  text.resize(own);
  return ranks.broadcast(absl::MakeSpan(text.data(), text.size()));
}

} // namespace t6
