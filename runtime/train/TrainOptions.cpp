//===- TrainOptions.cpp - What a training run is told ---------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "runtime/train/TrainOptions.h"

#include "runtime/io/Names.h"
#include "runtime/train/NumberText.h"

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_replace.h"

#include <limits>
#include <variant>

namespace t6 {
namespace {

using nlohmann::json;

/// A choice seen as the index of its name.
struct ChoiceMember {
  int (*get)(const TrainOptions &);
  void (*set)(TrainOptions &, int);
};

template <auto Member> ChoiceMember choice() {
  using Enum =
      std::remove_reference_t<decltype(std::declval<TrainOptions>().*Member)>;
  return {[](const TrainOptions &options) {
            return static_cast<int>(options.*Member);
          },
          [](TrainOptions &options, int index) {
            options.*Member = static_cast<Enum>(index);
          }};
}

using Member = std::variant<bool TrainOptions::*, int64_t TrainOptions::*,
                            double TrainOptions::*, std::string TrainOptions::*,
                            ChoiceMember>;

constexpr double kHuge = 1e300;
constexpr double kMost = static_cast<double>(int64_t(1) << 53);
/// The largest double below 1.
constexpr double kBelowOne = 1 - 0x1p-53;

struct Option {
  absl::string_view name;
  Member member;
  absl::string_view help;
  /// The range of a number, both ends included.
  double low = 0, high = kMost;
  /// What a text may be; empty: anything. What a choice may be, in the order of
  /// its enumerators.
  std::vector<absl::string_view> values = {};
};

const std::vector<Option> &table() {
  using T = TrainOptions;
  static const auto &options = *new std::vector<Option>{
      {"data", &T::data, "Corpus: folder of shards, file of tokens, or text"},
      {"validation-data", &T::validationData,
       "Corpus to evaluate on, instead of a part of --data"},
      {"validation-share", &T::validationShare,
       "Share of --data that is kept apart, if it has no validation part", 0,
       kBelowOne},
      {"tokenizer", &T::tokenizer, "Tokenizer of a corpus of text"},
      {"sampler",
       &T::sampler,
       "Windows of the corpus: each once an epoch, or any at random",
       0,
       0,
       {"epochs", "random-window"}},
      {"seed", &T::seed, "Seed of the weights and of the order of the data"},
      {"batch", &T::batch,
       "Sequences of a micro-batch on one rank; 0: as compiled"},
      {"length", &T::length, "Tokens of a sequence; 0: as compiled"},
      {"accumulation", &T::accumulation,
       "Micro-batches of a step on each rank; 0: from --tokens-per-step"},
      {"tokens-per-step", &T::tokensPerStep,
       "Tokens of a step over all ranks; 0: from --accumulation"},
      {"lone-accumulation-factor", &T::loneAccumulationFactor,
       "Factor of --accumulation in a run without a launcher", 1},
      {"grad-accum",
       choice<&T::gradientReduction>(),
       "Gradient of a step: mean or sum over its micro-batches",
       0,
       0,
       {"mean", "sum"}},
      {"precision",
       choice<&T::precision>(),
       "What products of the step multiply, as compiled by tpa-opt --dtype; "
       "weights are f32 always",
       0,
       0,
       {"compiled", "f32", "bf16"}},
      {"steps", &T::steps, "Updates of the weights", 1},
      {"extra-step", &T::extraStep, "One update more than --steps"},
      {"learning-rate", &T::learningRate, "The highest learning rate", 0,
       kHuge},
      {"min-rate", &T::minRate,
       "Learning rate at the end; below 0: a tenth of --learning-rate", -1,
       kHuge},
      {"warmup", &T::warmup,
       "Steps in which the learning rate rises; -1: a twentieth", -1},
      {"zero-first-rate", &T::zeroFirstRate,
       "Start the warm-up at 0, so that step 0 changes nothing"},
      {"decay-steps", &T::decaySteps,
       "Step at which --min-rate is reached; 0: --steps"},
      {"schedule",
       &T::schedule,
       "Learning rate after the warm-up; wsd: stable, then decay",
       0,
       0,
       {"cosine", "linear", "constant", "wsd"}},
      {"decay-share", &T::decayShare,
       "Of wsd, the share of the steps in which the rate falls", 1e-6, 1},
      {"beta1", &T::beta1, "Decay of AdamW's first moment", 0, kBelowOne},
      {"beta2", &T::beta2, "Decay of AdamW's second moment", 0, kBelowOne},
      {"epsilon", &T::epsilon, "AdamW's guard against a division by 0", 0,
       kHuge},
      {"weight-decay", &T::weightDecay, "Decoupled decay of the weights", 0,
       kHuge},
      {"decay",
       choice<&T::decayedParameters>(),
       "What the weights' decay applies to",
       0,
       0,
       {"matrices", "all"}},
      {"clip", &T::clip, "Largest norm of a gradient; 0: any", 0, kHuge},
      {"eval-interval", &T::evalInterval, "Steps between evaluations; 0: none"},
      {"eval-batches", &T::evalBatches, "Batches of an evaluation; 0: all"},
      {"eval-training", &T::evalTraining,
       "Evaluate on the training corpus as well"},
      {"eval-fixed-set", &T::evalFixedSet,
       "Evaluate on the same batches each time"},
      {"eval-shares-stream", &T::evalSharesStream,
       "Let evaluations draw from the stream of training batches"},
      {"out", &T::out, "Folder of the run; empty: named after --run-name"},
      {"run-name", &T::runName, "Pattern of the name of the run's folder"},
      {"save-interval", &T::saveInterval,
       "Steps between checkpoints; 0: one at each evaluation"},
      {"always-save", &T::alwaysSave,
       "Save although the validation loss is not the lowest"},
      {"keep-last", &T::keepLast, "Latest checkpoints that stay; 0: all"},
      {"keep-best", &T::keepBest,
       "Keep the checkpoint with the lowest validation loss"},
      {"milestones", &T::milestones,
       "Evaluations between checkpoints that stay; 0: none do"},
      {"save-failure",
       choice<&T::saveFailure>(),
       "What to do when a checkpoint cannot be written",
       0,
       0,
       {"stop", "continue"}},
      {"resume", &T::resume,
       "never, auto (the latest checkpoint, if any), or a checkpoint's folder, "
       "also one of the T6 reference"},
      {"resume-position", &T::resumePosition,
       "Resume the position in the data and the counters as well"},
      {"log-interval", &T::logInterval, "Steps between lines of the log", 1},
      {"log-last-loss", &T::logLastLoss,
       "Log the loss of the last micro-batch, not the mean over the step"},
      {"peak-flops", &T::peakFlops,
       "FLOP/s of a rank at its best, for the MFU; 0: measured at the start", 0,
       kHuge},
      {"plot", &T::plot, "Draw the losses at the end"},
  };
  return options;
}

const Option *find(absl::string_view name) {
  for (const Option &option : table())
    if (option.name == name)
      return &option;
  return nullptr;
}

TrainOptionKind kindOf(const Option &option) {
  switch (option.member.index()) {
  case 0:
    return TrainOptionKind::Flag;
  case 1:
    return TrainOptionKind::Integer;
  case 2:
    return TrainOptionKind::Number;
  case 3:
    return option.values.empty() ? TrainOptionKind::Text
                                 : TrainOptionKind::Choice;
  default:
    return TrainOptionKind::Choice;
  }
}

absl::Status unknownOption(absl::string_view name) {
  std::vector<absl::string_view> names;
  for (const Option &option : table())
    names.push_back(option.name);
  std::vector<absl::string_view> nearest = closestNames(name, names, 1);
  return absl::InvalidArgumentError(absl::StrCat(
      "no training option is called ", quoteName(name),
      nearest.empty()
          ? absl::StrCat("; HINT: the options are ", absl::StrJoin(names, ", "))
          : absl::StrCat("; HINT: did you mean ", nearest.front(), "?")));
}

std::string numberText(const Option &option, double value) {
  if (kindOf(option) == TrainOptionKind::Number)
    return pythonNumber(value);
  return absl::StrCat(static_cast<int64_t>(value));
}

absl::Status outOfRange(const Option &option, absl::string_view value) {
  std::string range =
      option.high == kBelowOne
          ? absl::StrCat("in [", numberText(option, option.low), ", 1)")
      : option.high == kHuge
          ? absl::StrCat("finite and at least ", numberText(option, option.low))
          : absl::StrCat("in [", numberText(option, option.low), ", ",
                         numberText(option, option.high), "]");
  return absl::InvalidArgumentError(absl::StrCat(
      "the option ", option.name, " is ", value, "; HINT: it must be ", range));
}

absl::Status checkText(const Option &option, absl::string_view value) {
  if (!isValidUtf8(value) || value.find('\0') != absl::string_view::npos)
    return absl::InvalidArgumentError(
        absl::StrCat("the option ", option.name, " is ", quoteName(value),
                     ", which is not text; HINT: write it in UTF-8"));
  if (option.values.empty())
    return absl::OkStatus();
  for (absl::string_view known : option.values)
    if (known == value)
      return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat(
      "the option ", option.name, " is ", quoteName(value),
      "; HINT: it must be one of ", absl::StrJoin(option.values, ", ")));
}

absl::Status wrongType(const Option &option, absl::string_view wanted,
                       absl::string_view value) {
  return absl::InvalidArgumentError(absl::StrCat("the option ", option.name,
                                                 " takes ", wanted, ", not ",
                                                 quoteName(value)));
}

constexpr absl::string_view kAFlag = "true or false";
constexpr absl::string_view kAnInteger = "an integer";
constexpr absl::string_view kANumber = "a number";
constexpr absl::string_view kAText = "a string";

absl::Status assign(TrainOptions &options, const Option &option, bool value) {
  options.*std::get<bool TrainOptions::*>(option.member) = value;
  return absl::OkStatus();
}

absl::Status assign(TrainOptions &options, const Option &option,
                    int64_t value) {
  if (value < static_cast<int64_t>(option.low) ||
      value > static_cast<int64_t>(option.high))
    return outOfRange(option, absl::StrCat(value));
  options.*std::get<int64_t TrainOptions::*>(option.member) = value;
  return absl::OkStatus();
}

absl::Status assign(TrainOptions &options, const Option &option, double value) {
  // Not so for a NaN either.
  if (!(value >= option.low && value <= option.high))
    return outOfRange(option, pythonNumber(value));
  options.*std::get<double TrainOptions::*>(option.member) = value;
  return absl::OkStatus();
}

/// Texts and choices.
absl::Status assign(TrainOptions &options, const Option &option,
                    absl::string_view value) {
  absl::Status status = checkText(option, value);
  if (!status.ok())
    return status;
  if (auto *text = std::get_if<std::string TrainOptions::*>(&option.member)) {
    options.**text = std::string(value);
    return status;
  }
  for (size_t i = 0; i < option.values.size(); ++i)
    if (option.values[i] == value)
      std::get<ChoiceMember>(option.member).set(options, static_cast<int>(i));
  return status;
}

absl::Status assignJson(TrainOptions &options, const Option &option,
                        const json &value) {
  switch (kindOf(option)) {
  case TrainOptionKind::Flag:
    if (value.is_boolean())
      return assign(options, option, value.get<bool>());
    return wrongType(option, kAFlag, value.dump());
  case TrainOptionKind::Integer:
    if (value.is_number_unsigned() &&
        value.get<uint64_t>() > static_cast<uint64_t>(kMost))
      return outOfRange(option, value.dump());
    if (value.is_number_integer())
      return assign(options, option, value.get<int64_t>());
    return wrongType(option, kAnInteger, value.dump());
  case TrainOptionKind::Number:
    if (value.is_number())
      return assign(options, option, value.get<double>());
    return wrongType(option, kANumber, value.dump());
  case TrainOptionKind::Text:
  case TrainOptionKind::Choice:
    if (value.is_string())
      return assign(options, option,
                    absl::string_view(*value.get_ptr<const std::string *>()));
    return wrongType(option, kAText, value.dump());
  }
  return absl::InternalError("an option of no kind");
}

json jsonOf(const TrainOptions &options, const Option &option) {
  if (auto *flag = std::get_if<bool TrainOptions::*>(&option.member))
    return options.**flag;
  if (auto *integer = std::get_if<int64_t TrainOptions::*>(&option.member))
    return options.**integer;
  if (auto *number = std::get_if<double TrainOptions::*>(&option.member))
    return options.**number;
  if (auto *text = std::get_if<std::string TrainOptions::*>(&option.member))
    return options.**text;
  int index = std::get<ChoiceMember>(option.member).get(options);
  return std::string(option.values[static_cast<size_t>(index)]);
}

} // namespace

int64_t decayEnd(const TrainOptions &options) {
  return options.decaySteps == 0 ? options.steps : options.decaySteps;
}

int64_t warmupSteps(const TrainOptions &options) {
  return options.warmup < 0 ? decayEnd(options) / 20 : options.warmup;
}

double endRate(const TrainOptions &options) {
  return options.minRate < 0 ? options.learningRate / 10 : options.minRate;
}

std::vector<TrainOptionInfo> trainOptions() {
  std::vector<TrainOptionInfo> infos;
  for (const Option &option : table())
    infos.push_back({option.name, kindOf(option), option.help, option.values});
  return infos;
}

absl::Status setTrainOption(TrainOptions &options, absl::string_view name,
                            absl::string_view value) {
  const Option *option = find(absl::StrReplaceAll(name, {{"_", "-"}}));
  if (!option)
    return unknownOption(name);
  switch (kindOf(*option)) {
  case TrainOptionKind::Flag:
    for (absl::string_view yes : {"true", "on", "1"})
      if (value == yes)
        return assign(options, *option, true);
    for (absl::string_view no : {"false", "off", "0"})
      if (value == no)
        return assign(options, *option, false);
    return wrongType(*option, kAFlag, value);
  case TrainOptionKind::Integer: {
    int64_t integer = 0;
    if (absl::SimpleAtoi(value, &integer))
      return assign(options, *option, integer);
    // On overflow it leaves a limit, which no option can be.
    bool overflow = integer == std::numeric_limits<int64_t>::max() ||
                    integer == std::numeric_limits<int64_t>::min();
    return overflow ? outOfRange(*option, value)
                    : wrongType(*option, kAnInteger, value);
  }
  case TrainOptionKind::Number: {
    double number;
    if (!absl::SimpleAtod(value, &number))
      return wrongType(*option, kANumber, value);
    return assign(options, *option, number);
  }
  case TrainOptionKind::Text:
  case TrainOptionKind::Choice:
    return assign(options, *option, value);
  }
  return absl::InternalError("an option of no kind");
}

std::string trainOptionText(const TrainOptions &options,
                            absl::string_view name) {
  const Option *option = find(name);
  if (!option)
    return "";
  json value = jsonOf(options, *option);
  if (const std::string *text = value.get_ptr<const std::string *>())
    return *text;
  if (value.is_number_float())
    return pythonNumber(value.get<double>());
  return value.dump();
}

absl::StatusOr<json> toJson(const TrainOptions &options) {
  json object = json::object();
  for (const Option &option : table()) {
    json value = jsonOf(options, option);
    if (const std::string *text = value.get_ptr<const std::string *>()) {
      absl::Status status = checkText(option, *text);
      if (!status.ok())
        return status;
    }
    object[std::string(option.name)] = std::move(value);
  }
  return object;
}

absl::StatusOr<TrainOptions> trainOptionsFromJson(const json &object,
                                                  const TrainOptions &base) {
  if (!object.is_object())
    return absl::InvalidArgumentError(
        "the training options are not a JSON object");
  TrainOptions options = base;
  for (const auto &[key, value] : object.items()) {
    const Option *option = find(key);
    if (!option)
      return unknownOption(key);
    absl::Status status = assignJson(options, *option, value);
    if (!status.ok())
      return status;
  }
  return options;
}

absl::Status checkTrainOptions(const TrainOptions &options) {
  // Values that were set by other means than the functions above.
  TrainOptions copy;
  for (const Option &option : table()) {
    absl::Status status = assignJson(copy, option, jsonOf(options, option));
    if (!status.ok())
      return status;
  }
  bool decays = options.schedule != "constant";
  if (decays && endRate(options) > options.learningRate)
    return absl::InvalidArgumentError(absl::StrCat(
        "min-rate (", pythonNumber(options.minRate),
        ") is above learning-rate (", pythonNumber(options.learningRate),
        "); HINT: lower min-rate"));
  if (decays && warmupSteps(options) >= decayEnd(options))
    return absl::InvalidArgumentError(
        absl::StrCat("the warm-up (", warmupSteps(options),
                     " steps) is not shorter than the schedule (",
                     decayEnd(options), " steps); HINT: lower warmup"));
  if (options.evalBatches == 0 && !options.evalFixedSet)
    return absl::InvalidArgumentError(
        "eval-batches is 0, all of the corpus, and without eval-fixed-set "
        "batches are drawn; HINT: set eval-batches");
  if (options.evalSharesStream && options.evalFixedSet)
    return absl::InvalidArgumentError(
        "eval-shares-stream draws batches anew, and eval-fixed-set does not; "
        "HINT: switch one of them off");
  if (options.resume.empty())
    return absl::InvalidArgumentError(
        "the option resume is empty; HINT: never, auto, or the folder of a "
        "checkpoint");
  return absl::OkStatus();
}

} // namespace t6
