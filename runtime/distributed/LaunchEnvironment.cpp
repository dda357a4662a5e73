//===- LaunchEnvironment.cpp - What a launcher tells a rank ---------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "runtime/distributed/LaunchEnvironment.h"

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"

#include <algorithm>
#include <cstdlib>

namespace t6 {

using Lookup = absl::FunctionRef<const char *(const char *)>;

const char *launcherName(Launcher launcher) {
  switch (launcher) {
  case Launcher::None:
    return "no launcher";
  case Launcher::OpenMpi:
    return "mpirun (Open MPI)";
  case Launcher::Pmi:
    return "a PMI launcher";
  case Launcher::Slurm:
    return "srun (Slurm)";
  case Launcher::Torchrun:
    return "torchrun";
  }
  return "";
}

static absl::Status readNumber(Lookup lookup, const char *name,
                               int64_t &value) {
  const char *text = lookup(name);
  if (!text)
    return absl::InvalidArgumentError(
        absl::StrCat("the environment has no ", name,
                     ", though the rest of what a launcher sets. HINT: set "
                     "it, or unset the others"));
  if (!absl::SimpleAtoi(text, &value) || value < 0 || value > INT32_MAX)
    return absl::InvalidArgumentError(
        absl::StrCat("the environment variable ", name, " is '", text,
                     "', which is no number of ranks"));
  return absl::OkStatus();
}

/// A number that may be missing: then `value` stays.
static void readHint(Lookup lookup, const char *name, int64_t &value) {
  int64_t number;
  const char *text = lookup(name);
  if (text && absl::SimpleAtoi(text, &number) && number > 0)
    value = number;
}

namespace {
struct Variables {
  Launcher launcher;
  const char *rank, *size, *localSize;
};
} // namespace

/// The variables of each launcher, in the order in which they are tried. The
/// script of a Slurm job has SLURM_PROCID and SLURM_NTASKS too, and is not a
/// rank: only a step that srun starts has the others.
static constexpr Variables kLaunchers[] = {
    {Launcher::OpenMpi, "OMPI_COMM_WORLD_RANK", "OMPI_COMM_WORLD_SIZE",
     "OMPI_COMM_WORLD_LOCAL_SIZE"},
    {Launcher::Pmi, "PMI_RANK", "PMI_SIZE", "MPI_LOCALNRANKS"},
    {Launcher::Slurm, "SLURM_PROCID", "SLURM_STEP_NUM_TASKS", ""},
    {Launcher::Slurm, "SLURM_PROCID", "SLURM_NTASKS", ""},
    {Launcher::Torchrun, "RANK", "WORLD_SIZE", "LOCAL_WORLD_SIZE"},
};

static bool isPresent(Lookup lookup, const Variables &names) {
  if (names.launcher != Launcher::Slurm)
    return lookup(names.rank) || lookup(names.size);
  bool isStep = lookup("SLURM_STEP_ID") || lookup("SLURM_STEPID");
  return isStep && lookup(names.rank) && lookup(names.size);
}

absl::StatusOr<LaunchEnvironment> readLaunchEnvironment(Lookup lookup) {
  LaunchEnvironment found;
  for (const Variables &names : kLaunchers) {
    if (!isPresent(lookup, names))
      continue;
    found.launcher = names.launcher;
    absl::Status status = readNumber(lookup, names.rank, found.rank);
    if (status.ok())
      status = readNumber(lookup, names.size, found.size);
    if (!status.ok())
      return status;
    if (found.rank >= found.size)
      return absl::InvalidArgumentError(absl::StrCat(
          "by the environment, this is rank ", found.rank, " (", names.rank,
          ") of ", found.size, " (", names.size, "); ranks count from 0"));
    readHint(lookup, names.localSize, found.localSize);
    if (found.launcher == Launcher::OpenMpi)
      found.isBound = lookup("OMPI_MCA_orte_bound_at_launch") != nullptr;
    if (found.launcher == Launcher::Slurm)
      readHint(lookup, "SLURM_CPUS_PER_TASK", found.cpusPerRank);
    return found;
  }
  return found;
}

absl::StatusOr<LaunchEnvironment> readLaunchEnvironment() {
  return readLaunchEnvironment(
      [](const char *name) -> const char * { return std::getenv(name); });
}

int threadsOfRank(const LaunchEnvironment &environment, int cpus) {
  int64_t share = cpus;
  if (environment.cpusPerRank > 0)
    share = std::min(share, environment.cpusPerRank);
  else if (!environment.isBound && environment.localSize > 1)
    share /= environment.localSize;
  return static_cast<int>(std::max<int64_t>(share, 1));
}

} // namespace t6
