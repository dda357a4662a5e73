//===- LaunchEnvironment.h - What a launcher tells a rank -------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Launchers of parallel programs tell each process by variables of its
// environment which one it is, and of how many. Here all of them are read.
//
//===----------------------------------------------------------------------===//

#ifndef T6_RUNTIME_DISTRIBUTED_LAUNCHENVIRONMENT_H
#define T6_RUNTIME_DISTRIBUTED_LAUNCHENVIRONMENT_H

#include "absl/functional/function_ref.h"
#include "absl/status/statusor.h"

#include <cstdint>

namespace t6 {

enum class Launcher {
  None,
  OpenMpi,  ///< mpirun: OMPI_COMM_WORLD_RANK, OMPI_COMM_WORLD_SIZE.
  Pmi,      ///< mpiexec of MPICH and others: PMI_RANK, PMI_SIZE.
  Slurm,    ///< srun: SLURM_PROCID, SLURM_STEP_NUM_TASKS or SLURM_NTASKS.
  Torchrun, ///< RANK, WORLD_SIZE.
};

/// "mpirun (Open MPI)" and so on.
const char *launcherName(Launcher launcher);

struct LaunchEnvironment {
  Launcher launcher = Launcher::None;
  int64_t rank = 0;
  int64_t size = 1;
  /// Ranks on this machine; 0: not told.
  int64_t localSize = 0;
  /// Whether the launcher has given each rank CPUs of its own.
  bool isBound = false;
  /// CPUs that the launcher has reserved for each rank; 0: not told.
  int64_t cpusPerRank = 0;

  bool launched() const { return launcher != Launcher::None; }
};

/// Reads the variables that `lookup` has (as std::getenv: null if there is
/// none). Where several launchers are there, such as mpirun in a job of Slurm,
/// the first of the enumeration is the inner one and counts. InvalidArgument if
/// a variable is not a number, or one of a pair is missing, or the rank is not
/// below the size.
absl::StatusOr<LaunchEnvironment>
readLaunchEnvironment(absl::FunctionRef<const char *(const char *name)> lookup);

/// Of this process.
absl::StatusOr<LaunchEnvironment> readLaunchEnvironment();

/// The threads of a rank whose process may use `cpus` CPUs: all of them if they
/// are its own, else a share of those that the ranks of a machine use together.
int threadsOfRank(const LaunchEnvironment &environment, int cpus);

} // namespace t6

#endif // T6_RUNTIME_DISTRIBUTED_LAUNCHENVIRONMENT_H
