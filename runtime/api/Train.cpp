//===- Train.cpp - Training a model ---------------------------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "runtime/api/Model.h"
#include "runtime/api/Status.h"
#include "runtime/api/Tokenizer.h"
#include "runtime/distributed/Communicator.h"
#include "runtime/train/LossPlot.h"
#include "runtime/train/ReferenceConfig.h"
#include "runtime/train/Trainer.h"

#include "absl/strings/str_cat.h"

#include <cstring>
#include <string>
#include <vector>

using namespace t6;

namespace {

/// What t6_train_setting_at() hands out, made once.
struct Setting {
  std::string name, help, initial;
  t6_train_kind kind;
};

const std::vector<Setting> &settings() {
  static const std::vector<Setting> *const all = [] {
    auto *made = new std::vector<Setting>();
    TrainOptions defaults;
    for (const TrainOptionInfo &info : trainOptions())
      made->push_back({std::string(info.name), std::string(info.help),
                       trainOptionText(defaults, info.name),
                       static_cast<t6_train_kind>(info.kind)});
    return made;
  }();
  return *all;
}

/// Passes on what the run says, if this is rank 0.
class Observer : public TrainObserver {
public:
  Observer(t6_model &model, const t6_train_options &options, bool speaks)
      : model(model), options(options), speaks(speaks) {}

  void line(const std::string &text) override {
    if (speaks && options.line)
      options.line(options.user, text.c_str());
  }
  void note(const std::string &text) override {
    if (speaks && options.note)
      options.note(options.user, text.c_str());
  }
  void progress(const ProgressFacts &facts) override {
    if (!speaks || !options.progress)
      return;
    constexpr size_t kColumns = 79;
    std::string text = progressBar(facts, kColumns);
    t6_train_progress progress = {};
    progress.struct_size = sizeof(progress);
    progress.done = facts.done;
    progress.total = facts.total;
    progress.loss = facts.loss;
    progress.tokens_per_second = facts.tokensPerSecond;
    progress.seconds_left = facts.secondsLeft;
    progress.text = text.c_str();
    options.progress(options.user, &progress);
  }
  bool interrupted() override { return model.takeCancel(); }

private:
  t6_model &model;
  const t6_train_options &options;
  bool speaks;
};

/// Options, and what a configuration of the reference says beside them.
struct Resolved {
  TrainOptions options;
  ReferenceSettings reference;
  std::vector<std::string> overrides;
};

absl::StatusOr<Resolved> resolve(const t6_train_options &options) {
  Resolved all;
  TrainOptions &resolved = all.options;
  if (options.preset) {
    absl::StatusOr<TrainOptions> preset = trainPreset(options.preset);
    if (!preset.ok())
      return preset.status();
    resolved = *std::move(preset);
  }
  if (options.reference_config_count > 0) {
    ReferenceConfig config;
    for (size_t i = 0; i < options.reference_config_count; ++i)
      if (absl::Status status = config.apply(options.reference_configs[i]);
          !status.ok())
        return status;
    absl::StatusOr<ReferenceSettings> told = config.settings(resolved);
    if (!told.ok())
      return told.status();
    all.reference = *std::move(told);
    resolved = all.reference.options;
    all.overrides.assign(config.overrides().begin(), config.overrides().end());
  }
  for (size_t i = 0; i < options.setting_count; ++i) {
    absl::string_view setting = options.settings[i];
    size_t equals = setting.find('=');
    if (equals == absl::string_view::npos)
      return absl::InvalidArgumentError(absl::StrCat(
          "the setting '", setting, "' is not of the form name=value"));
    absl::Status status = setTrainOption(resolved, setting.substr(0, equals),
                                         setting.substr(equals + 1));
    if (!status.ok())
      return status;
  }
  return all;
}

absl::StatusOr<TrainResult>
train(t6_model &model, const t6_train_options &options, Communicator &ranks) {
  Observer observer(model, options, ranks.rank() == 0);
  absl::StatusOr<Resolved> resolved = resolve(options);
  if (!resolved.ok())
    return resolved.status();
  for (const std::string &override : resolved->overrides)
    observer.line(absl::StrCat("Overriding: ", override));
  if (std::string note = resolved->reference.warning(); !note.empty())
    observer.note(note);
  if (absl::Status status = model.ready(); !status.ok())
    return status;
  absl::StatusOr<std::unique_ptr<TrainingProgram>> program =
      TrainingProgram::create(*model.executor);
  if (!program.ok())
    return program.status();
  if (absl::Status status =
          resolved->reference.checkModel((*program)->description());
      !status.ok())
    return status;
  const Tokenizer *tokenizer =
      options.tokenizer ? options.tokenizer->tokenizer.get() : nullptr;
  absl::StatusOr<std::unique_ptr<Trainer>> trainer =
      Trainer::create(**program, resolved->options, tokenizer, observer, ranks);
  if (!trainer.ok())
    return trainer.status();
  return (*trainer)->run();
}

/// Says which rank has failed.
absl::Status ofRank(const absl::Status &status, const Communicator &ranks) {
  if (ranks.size() == 1)
    return status;
  return absl::Status(status.code(), absl::StrCat("rank ", ranks.rank(), ": ",
                                                  status.message()));
}

} // namespace

int t6_train_setting_at(size_t index, t6_train_setting *setting) {
  if (index >= settings().size())
    return 0;
  const Setting &known = settings()[index];
  t6_train_setting value = {};
  value.name = known.name.c_str();
  value.kind = known.kind;
  value.help = known.help.c_str();
  value.initial = known.initial.c_str();
  writeResult(value, setting);
  return 1;
}

void t6_train_options_init(t6_train_options *options) {
  *options = {};
  options->struct_size = sizeof(*options);
}

t6_status *t6_train_settings(const t6_train_options *given, char **json) {
  if (!json)
    return nullArgument("json");
  absl::StatusOr<t6_train_options> options =
      readOptions(given, t6_train_options_init);
  T6_RETURN_IF_ERROR(options.status());
  absl::StatusOr<Resolved> resolved = resolve(*options);
  T6_RETURN_IF_ERROR(resolved.status());
  absl::StatusOr<nlohmann::json> object = toJson(resolved->options);
  T6_RETURN_IF_ERROR(object.status());
  *json = copyString(object->dump(2) + "\n");
  return nullptr;
}

t6_status *t6_plot_losses(const char *run, const char *output) {
  if (!run || !output)
    return nullArgument(run ? "output" : "run");
  T6_RETURN_IF_ERROR(
      writeLossPlot(absl::StrCat(run, "/metrics.jsonl"), output, run));
  return nullptr;
}

t6_status *t6_train(t6_model *model, const t6_train_options *given,
                    t6_train_result *result) {
  if (!model)
    return nullArgument("model");
  absl::StatusOr<t6_train_options> options =
      readOptions(given, t6_train_options_init);
  T6_RETURN_IF_ERROR(options.status());
  absl::StatusOr<LaunchEnvironment> environment = readLaunchEnvironment();
  T6_RETURN_IF_ERROR(environment.status());
  absl::StatusOr<std::unique_ptr<Communicator>> ranks =
      openCommunicator(*environment);
  T6_RETURN_IF_ERROR(ranks.status());
  absl::StatusOr<TrainResult> run = train(*model, *options, **ranks);
  if (!run.ok()) {
    (*ranks)->leave(run.status());
    T6_RETURN_IF_ERROR(ofRank(run.status(), **ranks));
  }
  t6_train_result value = {};
  value.rank = (*ranks)->rank();
  value.steps = run->steps;
  value.training_loss = run->trainingLoss;
  value.validation_loss = run->validationLoss;
  value.interrupted = run->wasInterrupted;
  std::strncpy(value.out, run->out.c_str(), sizeof(value.out) - 1);
  writeResult(value, result);
  return nullptr;
}
