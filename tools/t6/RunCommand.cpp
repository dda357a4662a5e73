//===- RunCommand.cpp - t6 run --------------------------------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "tools/t6/Command.h"
#include "tools/t6/Console.h"
#include "tools/t6/ModelArguments.h"

namespace t6::cli {
namespace {

class RunCommand : public Command {
public:
  const char *name() const override { return "run"; }
  const char *summary() const override {
    return "Run any entry on tensors from a file";
  }
  void declare(Options &options) override {
    model.declare(options);
    options.add("--entry", entry, "Entry to run (t6 info lists them)");
    options.add("--inputs", inputs,
                "Safetensors file with one tensor for each input; without "
                "`pages`, each row has pages of its own, in order");
    options.add("--outputs", outputs, "Safetensors file to write");
    for (const char *name : {"entry", "inputs", "outputs"})
      options.require(name);
  }
  int run() override {
    Model opened;
    if (t6_status *status = model.open(opened))
      return fail(status);
    if (t6_status *status = t6_run_file(opened.get(), entry.c_str(),
                                        inputs.c_str(), outputs.c_str()))
      return fail(status);
    return kFine;
  }

private:
  ModelArguments model;
  std::string entry, inputs, outputs;
};

} // namespace

std::unique_ptr<Command> makeRunCommand() {
  return std::make_unique<RunCommand>();
}

} // namespace t6::cli
