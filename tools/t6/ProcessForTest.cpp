//===- ProcessForTest.cpp - Runs t6 and looks at what it says -------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "tools/t6/ProcessForTest.h"

#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <fcntl.h>
#include <fstream>
#include <iterator>
#include <poll.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

namespace t6 {

/// What the child does between fork and exec; never returns.
[[noreturn]] static void runChild(const std::vector<std::string> &arguments,
                                  const ProcessOptions &options, int out,
                                  int err) {
  ::dup2(out, STDOUT_FILENO);
  ::dup2(err, STDERR_FILENO);
  // Variables of the machine must not decide.
  ::unsetenv("T6_THREADS");
  ::unsetenv("T6_CONFIG");
  for (const auto &[name, value] : options.environment)
    ::setenv(name.c_str(), value.c_str(), 1);
  if (options.maxFileBytes >= 0) {
    rlimit limit = {static_cast<rlim_t>(options.maxFileBytes),
                    static_cast<rlim_t>(options.maxFileBytes)};
    ::setrlimit(RLIMIT_FSIZE, &limit);
  }
  const char *folder = std::getenv("T6_BINARY");
  std::vector<char *> pointers;
  for (const std::string &argument : arguments)
    pointers.push_back(const_cast<char *>(argument.c_str()));
  pointers.insert(pointers.begin(), const_cast<char *>("t6"));
  pointers.push_back(nullptr);
  ::execv(folder ? folder : "tools/t6/t6", pointers.data());
  std::perror("cannot run t6");
  ::_exit(127);
}

/// Reads both pipes until t6 has closed them.
static void collect(pid_t child, const ProcessOptions &options, int out,
                    int err, Outcome &outcome) {
  pollfd descriptors[2] = {{out, POLLIN, 0}, {err, POLLIN, 0}};
  std::string *texts[2] = {&outcome.out, &outcome.err};
  bool interrupted = options.interruptAt.empty();
  while (descriptors[0].fd >= 0 || descriptors[1].fd >= 0) {
    ::poll(descriptors, 2, -1);
    for (int i = 0; i < 2; ++i) {
      if (descriptors[i].fd < 0 || !descriptors[i].revents)
        continue;
      char buffer[4096];
      ssize_t size = ::read(descriptors[i].fd, buffer, sizeof(buffer));
      if (size <= 0)
        descriptors[i].fd = -1;
      else
        texts[i]->append(buffer, static_cast<size_t>(size));
    }
    if (!interrupted &&
        outcome.err.find(options.interruptAt) != std::string::npos) {
      interrupted = true;
      ::kill(child, SIGINT);
      descriptors[0].fd = options.drain;
    }
  }
}

Outcome runT6(const std::vector<std::string> &arguments,
              const ProcessOptions &options) {
  Outcome outcome;
  int out[2], err[2];
  if (::pipe2(out, O_CLOEXEC) || ::pipe2(err, O_CLOEXEC))
    return outcome;
  pid_t child = ::fork();
  if (child == 0)
    runChild(arguments, options, options.out < 0 ? out[1] : options.out,
             err[1]);
  ::close(out[1]);
  ::close(err[1]);
  if (options.out >= 0)
    ::close(options.out);
  collect(child, options, out[0], err[0], outcome);
  ::close(out[0]);
  ::close(err[0]);
  int status = 0;
  ::waitpid(child, &status, 0);
  outcome.exitCode =
      WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  return outcome;
}

std::string freshPath(const std::string &name) {
  const char *folder = std::getenv("TEST_TMPDIR");
  std::string path = std::string(folder ? folder : "/tmp") + "/" + name;
  ::unlink(path.c_str());
  return path;
}

std::string readFile(const std::string &path) {
  std::ifstream stream(path, std::ios::binary);
  return std::string(std::istreambuf_iterator<char>(stream), {});
}

bool exists(const std::string &path) {
  return ::access(path.c_str(), F_OK) == 0;
}

} // namespace t6
