//===- ConvertCommand.cpp - t6 convert ------------------------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "tools/t6/Command.h"
#include "tools/t6/Console.h"

namespace t6::cli {
namespace {

class ConvertCommand : public Command {
public:
  const char *name() const override { return "convert"; }
  const char *summary() const override {
    return "Convert a pytorch_model.bin to safetensors, or a training "
           "checkpoint to the reference's";
  }
  void declare(Options &options) override {
    options.positional("input", input,
                       "pytorch_model.bin or *.index.json; or the folder of a "
                       "checkpoint of t6 train, as in RUN/latest");
    options.positional("output", output,
                       "Safetensors file to write; or a new folder, for the "
                       "config.json, pytorch_model.bin and optimizer.pt that "
                       "the T6 reference's PyTorch code reads");
  }
  int run() override {
    t6_convert_result result = {};
    result.struct_size = sizeof(result);
    if (t6_status *status = t6_convert(input.c_str(), output.c_str(), &result))
      return fail(status);
    std::string aliases =
        result.aliases == 0 ? ""
                            : format(" and %lld further name%s of tied tensors",
                                     static_cast<long long>(result.aliases),
                                     result.aliases == 1 ? "" : "s");
    std::string moments =
        result.iteration < 0 ? ""
                             : format(", moments after %lld updates",
                                      static_cast<long long>(result.iteration));
    printLine(format("%lld tensors%s%s, %s",
                     static_cast<long long>(result.tensors), aliases.c_str(),
                     moments.c_str(), bytesText(result.bytes).c_str()));
    if (result.iteration >= 0)
      printNote("the position in the data, the tokens trained and the counters "
                "have no place in the reference's format: its trainer begins "
                "them again");
    if (*result.note)
      printNote(result.note);
    return kFine;
  }

private:
  std::string input, output;
};

} // namespace

std::unique_ptr<Command> makeConvertCommand() {
  return std::make_unique<ConvertCommand>();
}

} // namespace t6::cli
