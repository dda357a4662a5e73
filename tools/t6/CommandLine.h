//===- CommandLine.h - Arguments, environment, configuration ----*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef T6_TOOLS_T6_COMMANDLINE_H
#define T6_TOOLS_T6_COMMANDLINE_H

#include "tools/t6/Command.h"

#include <memory>
#include <vector>

namespace t6::cli {

/// Finds the subcommand that the arguments name and sets its options: a flag
/// wins over the environment, that over the --config file, that over the
/// default. Null when there is nothing left to run (--help, --version,
/// --print-config, an error, all of them printed); then sets `exitCode`.
Command *parseCommandLine(int argc, const char *const *argv,
                          const std::vector<std::unique_ptr<Command>> &commands,
                          int &exitCode);

} // namespace t6::cli

#endif // T6_TOOLS_T6_COMMANDLINE_H
