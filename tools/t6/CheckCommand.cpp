//===- CheckCommand.cpp - t6 check ----------------------------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "tools/t6/Command.h"
#include "tools/t6/Console.h"
#include "tools/t6/ModelArguments.h"

namespace t6::cli {
namespace {

class CheckCommand : public Command {
public:
  const char *name() const override { return "check"; }
  const char *summary() const override {
    return "Compare an artifact's kernels with its reference kernels";
  }
  void declare(Options &options) override {
    model.declare(options, /*withWeights=*/false);
    options.add("--entry", entry, "Only this entry");
    options.add("-s,--seed", seed, "Seed of weights, cache and inputs");
    options.add("--length", length, "Tokens of the inputs; 0: the most (default: 33)");
  }
  int run() override;

private:
  ModelArguments model;
  std::string entry;
  std::optional<uint64_t> seed;
  // Odd, so that remainders of vectors and tiles run; short, since references are slow.
  int64_t length = 33;
};

int CheckCommand::run() {
  Model opened;
  if (t6_status *status = model.open(opened))
    return fail(status);
  t6_check_options options;
  t6_check_options_init(&options);
  if (!entry.empty())
    options.entry = entry.c_str();
  options.seed = seed.value_or(options.seed);
  options.length = length;
  t6_check_result result = {};
  result.struct_size = sizeof(result);
  if (t6_status *status = t6_check(opened.get(), &options, &result))
    return fail(status);
  writeOut(format("ok: %lld dispatches agree with their references",
                  static_cast<long long>(result.dispatches)));
  if (result.worst_label[0])
    writeOut(format("; the largest error is %.2g, in %s", result.worst_nmse,
                    result.worst_label));
  writeOut("\n");
  return kFine;
}

} // namespace

std::unique_ptr<Command> makeCheckCommand() {
  return std::make_unique<CheckCommand>();
}

} // namespace t6::cli
