//===- TrainCommand.cpp - t6 train ----------------------------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "tools/t6/Command.h"
#include "tools/t6/Console.h"
#include "tools/t6/ModelArguments.h"
#include "tools/t6/Torchrun.h"

#include <nlohmann/json.hpp>

#include <atomic>
#include <cmath>
#include <csignal>
#include <deque>

namespace t6::cli {
namespace {

/// The model that a signal ends the training of.
std::atomic<t6_model *> training{nullptr};

void interrupt(int signal) {
  if (t6_model *model = training.load())
    t6_model_cancel(model);
  // A second one ends the program at once.
  std::signal(signal, SIG_DFL);
}

class TrainCommand : public Command {
public:
  const char *name() const override { return "train"; }
  const char *summary() const override {
    return "Train a model that tpa-opt --train has compiled";
  }
  const char *remarks() const override;
  void declare(Options &options) override;
  int run() override;

private:
  static void printProgress(void *user, const t6_train_progress *progress);

  ModelArguments model;
  std::string preset, tokenizer;
  std::vector<std::string> configs;
  std::vector<std::string> names;
  std::deque<std::string> values; ///< Beside `names`; empty: not given.
  bool printSettings = false;
};

const char *TrainCommand::remarks() const {
  return "Several ranks: mpirun -n 4 t6 train ..., or srun --mpi=pmix, over "
         "Open "
         "MPI. A process learns its rank and their number from the first of\n"
         "  OMPI_COMM_WORLD_RANK, OMPI_COMM_WORLD_SIZE   mpirun of Open MPI\n"
         "  PMI_RANK, PMI_SIZE                           launchers of PMI\n"
         "  SLURM_PROCID, SLURM_STEP_NUM_TASKS           a step of srun\n"
         "  RANK, WORLD_SIZE                             torchrun\n"
         "torchrun's ranks have no way to talk but PyTorch's: those of one "
         "machine (LOCAL_WORLD_SIZE) are left to mpirun, which rank 0 becomes; "
         "of several machines they are refused.\n"
         "SIGINT and SIGTERM save and end with code 130.";
}

void TrainCommand::declare(Options &options) {
  options.positional("artifact", model.artifact, "Compiled model (.t6x)");
  options.add("-w,--weights", model.weights,
              "Weights to start from; without, they are drawn from --seed "
              "(repeatable)");
  options.add("-t,--threads", model.threads, "Threads; 0: one for each CPU");
  options.add("--device", model.device, "cpu or auto");
  options.add("--preset", preset,
              "reference: all that the T6 reference does; fixed: the same "
              "without its mistakes");
  options.add("--reference-config", configs,
              "A config/*.py of the reference, or --key=value of it, read and "
              "not executed (repeatable, in order)");
  t6_train_setting setting = {};
  setting.struct_size = sizeof(setting);
  for (size_t i = 0; t6_train_setting_at(i, &setting); ++i) {
    names.push_back(setting.name);
    values.emplace_back();
    std::string help = setting.help;
    if (*setting.initial)
      help += " [" + std::string(setting.initial) + "]";
    options.add("--" + names.back(), values.back(), help);
  }
  options.flag("--print-settings", printSettings,
               "Print all settings as JSON, and train nothing");
}

void TrainCommand::printProgress(void *user,
                                 const t6_train_progress *progress) {
  static_cast<Progress *>(user)->update(progress->text);
}

int TrainCommand::run() {
  std::vector<std::string> given;
  std::vector<const char *> settings, files;
  for (size_t i = 0; i < names.size(); ++i) {
    if (values[i].empty())
      continue;
    given.push_back(names[i] + "=" + values[i]);
    if (names[i] == "tokenizer")
      tokenizer = values[i];
  }
  for (const std::string &setting : given)
    settings.push_back(setting.c_str());
  for (const std::string &config : configs)
    files.push_back(config.c_str());
  t6_train_options options;
  t6_train_options_init(&options);
  options.preset = preset.empty() ? nullptr : preset.c_str();
  options.reference_configs = files.data();
  options.reference_config_count = files.size();
  options.settings = settings.data();
  options.setting_count = settings.size();
  char *json = nullptr;
  if (t6_status *status = t6_train_settings(&options, &json))
    return fail(status);
  std::string resolved = json;
  t6_free(json);
  if (printSettings) {
    writeOut(resolved);
    return kFine;
  }
  if (std::optional<int> code = leaveToMpirun())
    return *code;
  uint64_t seed = nlohmann::json::parse(resolved)["seed"];
  Tokenizer opened;
  if (!tokenizer.empty())
    if (t6_status *status = openTokenizer(tokenizer, opened))
      return fail(status);
  options.tokenizer = opened.get();

  Model loaded;
  model.copyWeights = true;
  if (t6_status *status = model.open(loaded))
    return fail(status);
  if (model.weights.empty())
    if (t6_status *status = t6_model_initial_weights(loaded.get(), seed))
      return fail(status);
  training.store(loaded.get());
  std::signal(SIGINT, interrupt);
  std::signal(SIGTERM, interrupt);
  Progress progress("train");
  options.user = &progress;
  options.line = [](void *user, const char *text) {
    static_cast<Progress *>(user)->clear();
    writeOut(std::string(text) + "\n");
  };
  options.note = [](void *user, const char *text) {
    static_cast<Progress *>(user)->clear();
    printNote(text);
  };
  options.progress = printProgress;
  t6_train_result result = {};
  result.struct_size = sizeof(result);
  t6_status *status = t6_train(loaded.get(), &options, &result);
  training.store(nullptr);
  progress.clear();
  if (status)
    return fail(status);
  if (result.rank != 0)
    return result.interrupted ? kInterrupted : kFine;
  if (std::isnan(result.training_loss) && !result.interrupted) {
    printNote(
        format("the run in %s has done its %lld steps: nothing was trained. "
               "HINT: ask for more --steps",
               result.out, static_cast<long long>(result.steps)));
    return kFine;
  }
  std::string validation;
  if (!std::isnan(result.validation_loss))
    validation = format(", validation loss %.4f", result.validation_loss);
  printLine(format("%lld steps, training loss %.4f%s; weights in "
                   "%s/latest/model.safetensors",
                   static_cast<long long>(result.steps), result.training_loss,
                   validation.c_str(), result.out));
  if (!result.interrupted)
    return kFine;
  printNote(std::string("interrupted and saved. HINT: go on with --resume=auto "
                        "--out=") +
            result.out);
  return kInterrupted;
}

} // namespace

std::unique_ptr<Command> makeTrainCommand() {
  return std::make_unique<TrainCommand>();
}

} // namespace t6::cli
