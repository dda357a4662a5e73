//===- main.cpp - t6: runs compiled models --------------------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "tools/t6/CommandLine.h"
#include "tools/t6/Console.h"

#include <csignal>

using namespace t6::cli;

int main(int argc, char **argv) {
  // A reader that goes away and a full file are errors of write(), not deaths.
  std::signal(SIGPIPE, SIG_IGN);
  std::signal(SIGXFSZ, SIG_IGN);
  std::vector<std::unique_ptr<Command>> commands;
  commands.push_back(makeGenerateCommand());
  commands.push_back(makeTrainCommand());
  commands.push_back(makePlotCommand());
  commands.push_back(makeEvalCommand());
  commands.push_back(makeRunCommand());
  commands.push_back(makeBenchCommand());
  commands.push_back(makeInfoCommand());
  commands.push_back(makeCheckCommand());
  commands.push_back(makeConvertCommand());
  commands.push_back(makeTokenizeCommand());
  int exitCode = kFine;
  Command *command = parseCommandLine(argc, argv, commands, exitCode);
  return finishOut(command ? command->run() : exitCode);
}
