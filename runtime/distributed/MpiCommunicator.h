//===- MpiCommunicator.h - The ranks of an MPI job --------------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef T6_RUNTIME_DISTRIBUTED_MPICOMMUNICATOR_H
#define T6_RUNTIME_DISTRIBUTED_MPICOMMUNICATOR_H

#include "runtime/distributed/Communicator.h"

namespace t6 {

/// The ranks of the job that this process was started in. See
/// openCommunicator().
absl::StatusOr<std::unique_ptr<Communicator>>
openMpiCommunicator(const LaunchEnvironment &environment,
                    const std::string &library);

} // namespace t6

#endif // T6_RUNTIME_DISTRIBUTED_MPICOMMUNICATOR_H
