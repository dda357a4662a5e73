//===- Command.h - A subcommand and its options -----------------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// What a subcommand declares and the program does with it. Parsing is in
// CommandLine.cpp alone.
//
//===----------------------------------------------------------------------===//

#ifndef T6_TOOLS_T6_COMMAND_H
#define T6_TOOLS_T6_COMMAND_H

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace t6::cli {

/// Exit codes of the program; the runtime's t6_code has the same.
enum ExitCode {
  kFine = 0,
  kRuntime = 1,
  kUsage = 2,
  kArtifact = 3,
  kDiverged = 4,
  kInterrupted = 130, ///< 128 + SIGINT, as shells have it.
};

/// Receives a subcommand's options. `flags` is "-p,--prompt-tokens"; the value
/// of the variable when it is declared is the default. Every long flag can also
/// be given by the environment (T6_PROMPT_TOKENS) and the --config file
/// ("prompt-tokens").
class Options {
public:
  virtual ~Options() = default;
  /// A required argument without a flag.
  virtual void positional(const std::string &name, std::string &value,
                          const std::string &help) = 0;
  virtual void add(const std::string &flags, std::string &value,
                   const std::string &help) = 0;
  virtual void add(const std::string &flags, int64_t &value,
                   const std::string &help) = 0;
  virtual void add(const std::string &flags, double &value,
                   const std::string &help) = 0;
  virtual void add(const std::string &flags, std::optional<uint64_t> &value,
                   const std::string &help) = 0;
  /// May be given several times.
  virtual void add(const std::string &flags, std::vector<std::string> &value,
                   const std::string &help) = 0;
  /// Numbers, separated by commas.
  virtual void add(const std::string &flags, std::vector<int64_t> &value,
                   const std::string &help) = 0;
  /// False until given.
  virtual void flag(const std::string &flags, bool &value,
                    const std::string &help) = 0;
  /// Makes a declared option necessary.
  virtual void require(const std::string &name) = 0;
};

class Command {
public:
  virtual ~Command() = default;
  virtual const char *name() const = 0;
  virtual const char *summary() const = 0;
  /// What --help says below the options.
  virtual const char *remarks() const { return ""; }
  virtual void declare(Options &options) = 0;
  /// The exit code.
  virtual int run() = 0;
};

std::unique_ptr<Command> makeGenerateCommand();
std::unique_ptr<Command> makeEvalCommand();
std::unique_ptr<Command> makeRunCommand();
std::unique_ptr<Command> makeBenchCommand();
std::unique_ptr<Command> makeInfoCommand();
std::unique_ptr<Command> makeCheckCommand();
std::unique_ptr<Command> makeConvertCommand();
std::unique_ptr<Command> makeTokenizeCommand();
std::unique_ptr<Command> makeTrainCommand();
std::unique_ptr<Command> makePlotCommand();

} // namespace t6::cli

#endif // T6_TOOLS_T6_COMMAND_H
