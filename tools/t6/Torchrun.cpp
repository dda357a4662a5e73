//===- Torchrun.cpp - Ranks of torchrun on one machine --------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "tools/t6/Torchrun.h"
#include "tools/t6/Command.h"
#include "tools/t6/Console.h"

#include <cerrno>
#include <climits>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <string>
#include <unistd.h>
#include <vector>

namespace t6::cli {

/// A variable that is a number of ranks; -1 if there is none.
static long numberOf(const char *name) {
  const char *text = std::getenv(name);
  if (!text || !*text)
    return -1;
  char *end;
  long value = std::strtol(text, &end, 10);
  return *end || value > INT_MAX ? -1 : value;
}

/// This process's program and arguments.
static std::vector<std::string> commandLine() {
  std::vector<std::string> words;
  std::ifstream file("/proc/self/cmdline", std::ios::binary);
  for (std::string word; std::getline(file, word, '\0');)
    words.push_back(word);
  char path[PATH_MAX];
  ssize_t length = readlink("/proc/self/exe", path, sizeof(path));
  if (length > 0 && !words.empty())
    words.front().assign(path, length);
  return words;
}

std::optional<int> leaveToMpirun() {
  for (const char *other :
       {"OMPI_COMM_WORLD_RANK", "PMI_RANK", "SLURM_STEP_ID", "SLURM_STEPID"})
    if (std::getenv(other))
      return std::nullopt;
  long rank = numberOf("RANK"), size = numberOf("WORLD_SIZE");
  if (size < 2 || rank < 0 || rank >= size ||
      numberOf("LOCAL_WORLD_SIZE") != size)
    return std::nullopt;
  if (rank > 0)
    return kFine;
  std::string count = std::to_string(size);
  printNote("torchrun's " + count +
            " ranks are left to mpirun (Open MPI), which starts its own");
  // Ranks share this machine's CPUs as torchrun would have them do, and have a
  // minute to save when they are told to end.
  std::vector<std::string> words = {
      "mpirun",    "-n",   count,   "--oversubscribe",
      "--bind-to", "none", "--mca", "odls_base_sigkill_timeout",
      "60"};
  if (geteuid() == 0)
    words.push_back("--allow-run-as-root");
  for (const std::string &word : commandLine())
    words.push_back(word);
  std::vector<char *> arguments;
  for (std::string &word : words)
    arguments.push_back(word.data());
  arguments.push_back(nullptr);
  execvp(arguments[0], arguments.data());
  printError(std::string("cannot start mpirun: ") + std::strerror(errno) +
             "; HINT: apt-get install openmpi-bin");
  return kRuntime;
}

} // namespace t6::cli
