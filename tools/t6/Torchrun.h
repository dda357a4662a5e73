//===- Torchrun.h - Ranks of torchrun on one machine ------------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// torchrun starts processes that talk through PyTorch; ours talk over MPI,
// which starts its own. Where all of them are on one machine, the first becomes
// mpirun with as many, and the others have nothing to do.
//
//===----------------------------------------------------------------------===//

#ifndef T6_TOOLS_T6_TORCHRUN_H
#define T6_TOOLS_T6_TORCHRUN_H

#include <optional>

namespace t6::cli {

/// If this process is one of several ranks of torchrun on one machine (RANK,
/// WORLD_SIZE, LOCAL_WORLD_SIZE), and none of another launcher: the exit code
/// of all but rank 0, which becomes mpirun with this process's command line,
/// or fails to. None otherwise; ranks on several machines are left to
/// t6_train, which refuses them.
std::optional<int> leaveToMpirun();

} // namespace t6::cli

#endif // T6_TOOLS_T6_TORCHRUN_H
