//===- PlotCommand.cpp - t6 plot ------------------------------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "tools/t6/Command.h"
#include "tools/t6/Console.h"

namespace t6::cli {
namespace {

class PlotCommand : public Command {
public:
  const char *name() const override { return "plot"; }
  const char *summary() const override {
    return "Draw the losses of a training run, also while it goes on";
  }
  void declare(Options &options) override {
    options.positional("run", folder, "Folder of the run (t6 train --out)");
    options.add("-o,--output", output,
                "SVG picture to write; without, loss.svg in the run's folder");
  }
  int run() override {
    if (output.empty())
      output = folder + "/loss.svg";
    if (t6_status *status = t6_plot_losses(folder.c_str(), output.c_str()))
      return fail(status);
    printLine("the losses are in " + output);
    return kFine;
  }

private:
  std::string folder, output;
};

} // namespace

std::unique_ptr<Command> makePlotCommand() {
  return std::make_unique<PlotCommand>();
}

} // namespace t6::cli
