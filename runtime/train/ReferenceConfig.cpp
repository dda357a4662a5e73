//===- ReferenceConfig.cpp - The reference's configurations ---------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "runtime/train/ReferenceConfig.h"

#include "runtime/io/MappedFile.h"
#include "runtime/io/Names.h"

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"

#include <cmath>

namespace t6 {
namespace {

/// Far more than a configuration, far less than a corpus named by mistake.
constexpr size_t kMaxFileBytes = 1 << 20;

enum class Role {
  Option,  ///< The training option `option`.
  Special, ///< One of several keys that make an option.
  Model,   ///< Describes the model; a preset of the compiled one.
  NoEffect ///< Accepted so that files can be used as they are.
};

/// A key of the trainer. Its default tells its type.
struct Key {
  absl::string_view name;
  PythonValue initial;
  Role role;
  absl::string_view option = "";
  /// Whether the trainer has the key; else it is in files only, or ours.
  bool known = true;
};

PythonValue str(const char *text) { return std::string(text); }
PythonValue num(int64_t value) { return value; }

const std::vector<Key> &keys() {
  static const auto &table = *new std::vector<Key>{
      {"data_path", str("data"), Role::Special},
      {"dataset", str("fineweb-edu100B"), Role::Special},
      {"out_dir", str("output/out"), Role::Special},
      {"init_from", str("scratch"), Role::Special},
      {"resume_dir", str("."), Role::Special},
      {"eval_only", false, Role::Special},
      {"decay_lr", true, Role::Special},
      {"dtype", str("bfloat16"), Role::Special},

      {"batch_size", num(12), Role::Option, "batch"},
      {"block_size", num(1024), Role::Option, "length"},
      {"gradient_accumulation_steps", num(5), Role::Option, "accumulation"},
      {"max_iters", num(600000), Role::Option, "steps"},
      {"lr_decay_iters", num(600000), Role::Option, "decay-steps"},
      {"warmup_iters", num(2000), Role::Option, "warmup"},
      {"learning_rate", 6e-4, Role::Option, "learning-rate"},
      {"min_lr", 6e-5, Role::Option, "min-rate"},
      {"weight_decay", 0.1, Role::Option, "weight-decay"},
      {"beta1", 0.9, Role::Option, "beta1"},
      {"beta2", 0.95, Role::Option, "beta2"},
      {"grad_clip", 1.0, Role::Option, "clip"},
      {"eval_interval", num(2000), Role::Option, "eval-interval"},
      {"eval_iters", num(200), Role::Option, "eval-batches"},
      {"log_interval", num(1), Role::Option, "log-interval"},
      {"always_save_checkpoint", true, Role::Option, "always-save"},
      {"seed", num(5000), Role::Option, "seed", false},

      {"model_type", str("base_model"), Role::Model},
      {"n_layer", num(12), Role::Model},
      {"n_head", num(12), Role::Model},
      {"n_embd", num(768), Role::Model},
      {"head_dim", num(64), Role::Model},
      {"rank", num(2), Role::Model},
      {"q_rank", num(12), Role::Model},
      {"group_size", num(11), Role::Model},
      {"using_groupnorm", false, Role::Model},
      {"q_lora_rank", num(0), Role::Model, "", false},
      {"kv_lora_rank", num(0), Role::Model, "", false},
      {"qk_rope_head_dim", num(0), Role::Model, "", false},
      {"v_head_dim", num(0), Role::Model, "", false},

      {"wandb_log", false, Role::NoEffect},
      {"wandb_project", str("T6"), Role::NoEffect},
      {"wandb_run_name", str("gpt2"), Role::NoEffect},
      {"dropout", 0.0, Role::NoEffect},
      {"bias", false, Role::NoEffect},
      {"scale_attn_by_inverse_layer_idx", true, Role::NoEffect},
      {"optimizer_name", str("adamw"), Role::NoEffect},
      {"rho", 0.1, Role::NoEffect},
      {"interval", num(10), Role::NoEffect},
      {"variant", num(4), Role::NoEffect},
      {"schedule", str("cosine"), Role::NoEffect},
      {"backend", str("nccl"), Role::NoEffect},
      {"device", str("cuda"), Role::NoEffect},
      {"compile", true, Role::NoEffect},
  };
  return table;
}

const Key *findKey(absl::string_view name) {
  for (const Key &key : keys())
    if (key.name == name)
      return &key;
  return nullptr;
}

std::string nearestKey(absl::string_view name) {
  std::vector<absl::string_view> names;
  for (const Key &key : keys())
    names.push_back(key.name);
  std::vector<absl::string_view> nearest = closestNames(name, names, 1);
  if (nearest.empty())
    return absl::StrCat("the keys are ", absl::StrJoin(names, ", "));
  return absl::StrCat("did you mean ", nearest.front(), "?");
}

absl::Status wrongType(absl::string_view place, const Key &key,
                       const PythonValue &value, absl::string_view hint) {
  return absl::InvalidArgumentError(absl::StrCat(
      place, ": ", key.name, " is of type ", pythonType(key.initial), ", and ",
      pythonText(value), " is of type ", pythonType(value), "; HINT: ", hint));
}

} // namespace

ReferenceConfig::ReferenceConfig() {
  for (const Key &key : keys())
    if (key.known)
      entries[std::string(key.name)].value = key.initial;
}

absl::Status ReferenceConfig::apply(absl::string_view argument) {
  if (absl::StartsWith(argument, "--"))
    return applyOverride(argument);
  if (absl::StrContains(argument, '='))
    return absl::InvalidArgumentError(absl::StrCat(
        quoteName(argument), " has no dashes; HINT: write --", argument));
  return applyFile(std::string(argument));
}

absl::Status ReferenceConfig::applyFile(const std::string &path) {
  absl::StatusOr<std::unique_ptr<MappedFile>> file = MappedFile::open(path);
  if (!file.ok())
    return file.status();
  absl::Span<const uint8_t> bytes = (*file)->bytes();
  if (bytes.size() > kMaxFileBytes)
    return absl::InvalidArgumentError(
        absl::StrCat(path, " has ", bytes.size(),
                     " bytes, too many for a configuration; HINT: name a file "
                     "such as config/train_T6_small_adam.py"));
  return applyText({reinterpret_cast<const char *>(bytes.data()), bytes.size()},
                   path);
}

absl::Status ReferenceConfig::applyText(absl::string_view text,
                                        absl::string_view name) {
  absl::StatusOr<std::vector<PythonAssignment>> assignments =
      readPythonAssignments(text, name,
                            [&](absl::string_view key) { return value(key); });
  if (!assignments.ok())
    return assignments.status();
  // Nothing is kept of a file that is wrong anywhere.
  std::vector<std::pair<std::string, PythonValue>> changes;
  for (PythonAssignment &assignment : *assignments) {
    std::string place = absl::StrCat(name, ":", assignment.line);
    const Key *key = findKey(assignment.name);
    if (!key && assignment.read)
      continue;
    if (!key)
      return absl::InvalidArgumentError(absl::StrCat(
          place, ": the trainer has no key ", quoteName(assignment.name),
          "; HINT: ", nearestKey(assignment.name)));
    PythonValue &value = assignment.value;
    auto *integer = std::get_if<int64_t>(&value);
    if (integer && std::holds_alternative<double>(key->initial))
      value = static_cast<double>(*integer);
    if (value.index() != key->initial.index())
      return wrongType(
          place, *key, value,
          absl::StrCat("assign a value such as ", pythonText(key->initial)));
    changes.emplace_back(assignment.name, std::move(value));
  }
  for (auto &[key, value] : changes) {
    log.push_back(absl::StrCat(key, " = ", pythonText(value)));
    entries[key] = {std::move(value), true};
  }
  return absl::OkStatus();
}

absl::Status ReferenceConfig::applyOverride(absl::string_view argument) {
  absl::string_view body = argument.substr(2);
  size_t equals = body.find('=');
  if (equals == absl::string_view::npos)
    return absl::InvalidArgumentError(absl::StrCat(
        quoteName(argument), " has no value; HINT: write --key=value"));
  absl::string_view name = body.substr(0, equals);
  absl::string_view spelled = body.substr(equals + 1);
  const Key *key = findKey(name);
  if (!key)
    return absl::InvalidArgumentError(absl::StrCat(
        "unknown config key: ", quoteName(name), "; HINT: ", nearestKey(name)));
  std::optional<PythonValue> literal = readPythonLiteral(spelled);
  PythonValue value = literal ? *literal : PythonValue(std::string(spelled));
  if (value.index() != key->initial.index()) {
    std::string example = absl::StrCat("--", name, "=");
    if (std::holds_alternative<std::string>(key->initial))
      absl::StrAppend(&example, "\"'", spelled, "'\"");
    else
      absl::StrAppend(&example, pythonText(key->initial));
    return wrongType(quoteName(argument), *key, value,
                     absl::StrCat("write it as in ", example));
  }
  log.push_back(absl::StrCat(name, " = ", pythonText(value)));
  entries[std::string(name)] = {std::move(value), true};
  return absl::OkStatus();
}

std::optional<PythonValue> ReferenceConfig::value(absl::string_view key) const {
  auto found = entries.find(key);
  if (found == entries.end())
    return std::nullopt;
  return found->second.value;
}

bool ReferenceConfig::anySet(
    std::initializer_list<absl::string_view> keys) const {
  for (absl::string_view key : keys) {
    auto found = entries.find(key);
    if (found != entries.end() && found->second.set)
      return true;
  }
  return false;
}

/// Of keys with a default of this type only.
const std::string &ReferenceConfig::text(absl::string_view key) const {
  return std::get<std::string>(entries.find(key)->second.value);
}
bool ReferenceConfig::flag(absl::string_view key) const {
  return std::get<bool>(entries.find(key)->second.value);
}

absl::Status ReferenceConfig::mapSpecialKeys(TrainOptions &options) const {
  if (options.data.empty() || anySet({"data_path", "dataset"})) {
    const std::string &folder = text("data_path");
    bool join = !folder.empty() && !absl::EndsWith(folder, "/");
    // As os.path.join().
    options.data = absl::StartsWith(text("dataset"), "/")
                       ? text("dataset")
                       : absl::StrCat(folder, join ? "/" : "", text("dataset"));
  }
  // The reference overwrites out_dir with a name of its own.
  if (anySet({"out_dir"}))
    options.out = text("out_dir");
  if (flag("eval_only"))
    return absl::InvalidArgumentError(
        "eval_only: training does not end before it begins; HINT: t6 eval");
  if (!flag("decay_lr")) {
    options.schedule = "constant";
    options.warmup = 0;
  } else {
    options.schedule = "cosine";
  }
  const std::string &type = text("dtype");
  if (type != "bfloat16" && type != "float32")
    return absl::InvalidArgumentError(
        absl::StrCat("dtype: ", quoteName(type),
                     " is not supported; HINT: bfloat16 or float32"));
  options.precision =
      type == "float32" ? TrainPrecision::F32 : TrainPrecision::BF16;
  const std::string &from = text("init_from");
  if (from == "resume")
    options.resume = text("resume_dir");
  else if (from == "scratch")
    options.resume = "never";
  else
    return absl::InvalidArgumentError(absl::StrCat(
        "init_from: ", quoteName(from), " is not supported",
        absl::StartsWith(from, "gpt2")
            ? ", because GPT-2's weights do not fit this architecture"
            : "",
        "; HINT: scratch or resume"));
  return absl::OkStatus();
}

absl::StatusOr<ReferenceSettings>
ReferenceConfig::settings(const TrainOptions &base) const {
  ReferenceSettings settings;
  settings.options = base;
  settings.options.tokensPerStep = 0;
  for (const Key &key : keys()) {
    auto found = entries.find(key.name);
    if (found == entries.end())
      continue;
    const auto &[name, entry] = *found;
    if (key.role == Role::Option) {
      auto *truth = std::get_if<bool>(&entry.value);
      std::string spelled =
          truth ? (*truth ? "true" : "false") : pythonText(entry.value);
      absl::Status status =
          setTrainOption(settings.options, key.option, spelled);
      if (!status.ok())
        return absl::Status(status.code(),
                            absl::StrCat(key.name, ": ", status.message()));
    } else if (key.role == Role::Model && entry.set) {
      settings.model.emplace_back(name, entry.value);
    } else if (key.role == Role::NoEffect && entry.set) {
      settings.withoutEffect.push_back(name);
    }
  }
  absl::Status status = mapSpecialKeys(settings.options);
  if (!status.ok())
    return status;
  return settings;
}

absl::Status
ReferenceSettings::checkModel(const nlohmann::json &description) const {
  for (const auto &[name, value] : model) {
    auto own = description.find(name);
    // model_type is the name of a file there.
    if (own == description.end() || !findKey(name)->known ||
        std::holds_alternative<std::string>(value))
      continue;
    nlohmann::json asked;
    if (auto *truth = std::get_if<bool>(&value))
      asked = *truth;
    else if (auto *integer = std::get_if<int64_t>(&value))
      asked = *integer;
    else if (auto *number = std::get_if<double>(&value))
      asked = *number;
    if (asked == *own)
      continue;
    return absl::FailedPreconditionError(
        absl::StrCat(name, " is ", pythonText(value),
                     " in the configuration and ", own->dump(),
                     " in the compiled model; HINT: compile the model that the "
                     "configuration describes, or leave the key out"));
  }
  return absl::OkStatus();
}

std::string ReferenceSettings::warning() const {
  if (withoutEffect.empty())
    return "";
  return absl::StrCat("accepted but without effect: ",
                      absl::StrJoin(withoutEffect, ", "));
}

} // namespace t6
