//===- ReferenceCheckpoint.cpp - Checkpoints of the reference -------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "runtime/checkpoint/ReferenceCheckpoint.h"

#include "absl/strings/str_cat.h"
#include "runtime/checkpoint/Folders.h"
#include "runtime/checkpoint/PytorchWriter.h"
#include "runtime/checkpoint/ReferenceOrder.h"
#include "runtime/checkpoint/StepNames.h"
#include "runtime/io/AtomicFile.h"
#include "runtime/io/MappedFile.h"
#include "runtime/io/Names.h"
#include "runtime/io/ShardIndex.h"

#include <algorithm>
#include <cstring>
#include <filesystem>
#include <set>
#include <system_error>
#include <unistd.h>

namespace t6 {
namespace {

using nlohmann::json;

constexpr absl::string_view kWeightsFile = "pytorch_model.bin";
constexpr absl::string_view kOptimizerStateFile = "optimizer.pt";

/// Keys that change nothing in what a model of the reference computes, or only
/// how long its sequences may be.
constexpr absl::string_view kWithoutEffect[] = {
    "model_type", "block_size", "bias", "dropout",
    "scale_attn_by_inverse_layer_idx"};

bool exists(const std::string &path) {
  std::error_code error;
  return std::filesystem::exists(path, error);
}

std::string in(const std::string &folder, absl::string_view name) {
  return absl::StrCat(folder, "/", name);
}

/// The file or the index of several.
std::string weightsPath(const std::string &folder) {
  std::string whole = in(folder, kWeightsFile);
  return exists(whole) ? whole : absl::StrCat(whole, ".index.json");
}

absl::Status anotherModel(absl::string_view where, absl::string_view what) {
  return absl::FailedPreconditionError(absl::StrCat(
      where, ": this is a checkpoint of another model: ", what,
      "; HINT: compile the model of that checkpoint, tpa-opt --train of its "
      "config.json"));
}

absl::StatusOr<json> readConfig(const std::string &folder) {
  std::string path = in(folder, kConfigFile);
  absl::StatusOr<std::unique_ptr<MappedFile>> file = MappedFile::open(path);
  if (!file.ok())
    return file.status();
  absl::Span<const uint8_t> bytes = (*file)->bytes();
  json config = json::parse(bytes.begin(), bytes.end(), nullptr,
                            /*allow_exceptions=*/false);
  if (!config.is_object())
    return absl::DataLossError(
        absl::StrCat(path, ": this is no JSON object; HINT: the checkpoint is "
                           "damaged; use another one"));
  return config;
}

std::string shown(const json &value) {
  return value.dump(-1, ' ', true, json::error_handler_t::replace);
}

absl::Status checkConfig(const std::string &folder, const json &own) {
  if (!own.contains("n_layer"))
    return absl::FailedPreconditionError(absl::StrCat(
        folder,
        ": this is a checkpoint of the T6 reference, and the compiled "
        "model is none of its models; HINT: tpa-opt --train of ",
        in(folder, kConfigFile)));
  absl::StatusOr<json> config = readConfig(folder);
  if (!config.ok())
    return config.status();
  for (const auto &[key, value] : own.items()) {
    // Keys that the reference does not write have its classes' defaults.
    if (!config->contains(key) || (*config)[key] == value ||
        std::find(std::begin(kWithoutEffect), std::end(kWithoutEffect), key) !=
            std::end(kWithoutEffect))
      continue;
    return anotherModel(in(folder, kConfigFile),
                        absl::StrCat(quoteName(key), " is ",
                                     shown((*config)[key]), " there and ",
                                     shown(value), " in the model"));
  }
  return absl::OkStatus();
}

std::string describe(DType dtype, absl::Span<const int64_t> shape) {
  return absl::StrCat(name(dtype), " ", shapeToString(shape));
}

} // namespace

bool ReferenceCheckpoint::isOne(const std::string &folder) {
  return exists(weightsPath(folder)) && !exists(in(folder, kStateFile));
}

absl::StatusOr<std::unique_ptr<ReferenceCheckpoint>>
ReferenceCheckpoint::open(const std::string &folder, const json &config,
                          absl::Span<const NamedTensor> parameters,
                          const std::map<std::string, std::string> &aliases) {
  std::unique_ptr<ReferenceCheckpoint> checkpoint(new ReferenceCheckpoint);
  checkpoint->folder = withoutSlash(folder);
  if (absl::Status status = checkConfig(checkpoint->folder, config);
      !status.ok())
    return status;
  absl::StatusOr<std::vector<NamedTensor>> ordered =
      inReferenceOrder(parameters);
  if (!ordered.ok())
    return ordered.status();
  absl::Status status = checkpoint->openWeights(*ordered, aliases);
  if (status.ok())
    status = checkpoint->openOptimizer(*ordered);
  if (!status.ok())
    return status;
  return checkpoint;
}

absl::Status ReferenceCheckpoint::openWeights(
    absl::Span<const NamedTensor> parameters,
    const std::map<std::string, std::string> &aliases) {
  std::string path = weightsPath(folder);
  std::vector<std::string> paths = {path};
  if (isShardIndex(path)) {
    absl::StatusOr<ShardIndex> index = readShardIndex(path);
    if (!index.ok())
      return index.status();
    paths = index->files;
  }
  std::vector<std::string> found;
  for (const std::string &part : paths) {
    absl::StatusOr<std::unique_ptr<PytorchFile>> file = PytorchFile::open(part);
    if (!file.ok())
      return file.status();
    absl::Span<const PytorchFile::Tensor> tensors = (*file)->tensors();
    for (size_t i = 0; i < tensors.size(); ++i) {
      const std::string &name = tensors[i].spec.name;
      if (tensors[i].aliasOf.empty()) {
        found.push_back(name);
        weights[name] = {file->get(), i};
      } else if (auto tied = aliases.find(name);
                 tied == aliases.end() || tied->second != tensors[i].aliasOf) {
        return anotherModel(part, absl::StrCat(quoteName(name), " is tied to ",
                                               quoteName(tensors[i].aliasOf),
                                               ", which the model does not"));
      }
    }
    files.push_back(*std::move(file));
  }
  for (const NamedTensor &own : parameters) {
    auto saved = weights.find(own.name);
    if (saved == weights.end())
      return anotherModel(
          path, absl::StrCat("tensor ", quoteName(own.name),
                             " of the model is not in the checkpoint"));
    const auto &[file, index] = saved->second;
    const TensorSpec &spec = file->tensors()[index].spec;
    if (spec.dtype != own.tensor.dtype || spec.shape != own.tensor.shape)
      return anotherModel(
          path, absl::StrCat("tensor ", quoteName(own.name), " is ",
                             describe(spec.dtype, spec.shape),
                             " in the checkpoint and ",
                             describe(own.tensor.dtype, own.tensor.shape),
                             " in the model"));
  }
  std::set<std::string> known;
  for (const NamedTensor &own : parameters)
    known.insert(own.name);
  for (const std::string &name : found)
    if (known.count(name) == 0)
      return anotherModel(
          path, absl::StrCat("tensor ", quoteName(name),
                             " of the checkpoint is not in the model"));
  // As many as the model's and each of them known, so of the same number.
  for (size_t i = 0; i < parameters.size(); ++i)
    if (found[i] != parameters[i].name)
      return anotherModel(
          path,
          absl::StrCat("parameter ", i, " is ", quoteName(found[i]),
                       ", and in the reference ", quoteName(parameters[i].name),
                       ", so the numbers of ", kOptimizerStateFile,
                       " would mean other parameters"));
  return absl::OkStatus();
}

absl::Status
ReferenceCheckpoint::openOptimizer(absl::Span<const NamedTensor> ordered) {
  std::string path = in(folder, kOptimizerStateFile);
  if (!exists(path))
    return absl::OkStatus();
  std::vector<TensorSpec> specs;
  for (const NamedTensor &own : ordered)
    specs.push_back({own.name, own.tensor.dtype, own.tensor.shape});
  absl::StatusOr<std::unique_ptr<OptimizerFile>> opened =
      OptimizerFile::open(path, specs);
  if (!opened.ok())
    return opened.status();
  moments = *std::move(opened);
  return absl::OkStatus();
}

absl::Status
ReferenceCheckpoint::restore(absl::Span<const NamedTensor> parameters,
                             absl::Span<const NamedTensor> optimizer) {
  auto copy = [](const NamedTensor &to,
                 const absl::StatusOr<TensorView> &from) -> absl::Status {
    if (!from.ok())
      return from.status();
    std::memcpy(const_cast<void *>(to.tensor.data), from->data,
                to.tensor.bytes);
    return absl::OkStatus();
  };
  for (const NamedTensor &own : parameters) {
    const auto &[file, index] = weights.at(own.name);
    if (absl::Status status = copy(own, file->read(index)); !status.ok())
      return status;
  }
  std::map<absl::string_view, const NamedTensor *> unfilled;
  for (const NamedTensor &own : optimizer) {
    std::memset(const_cast<void *>(own.tensor.data), 0, own.tensor.bytes);
    unfilled[own.name] = &own;
  }
  if (!moments || moments->step() == 0)
    return absl::OkStatus();
  for (size_t i = 0; i < moments->tensors().size(); ++i) {
    auto own = unfilled.find(moments->tensors()[i].name);
    if (own == unfilled.end())
      continue;
    if (absl::Status status = copy(*own->second, moments->read(i));
        !status.ok())
      return status;
    unfilled.erase(own);
  }
  if (!unfilled.empty())
    return absl::InternalError(absl::StrCat(
        "the moment '", unfilled.begin()->first, "' is not AdamW's"));
  return absl::OkStatus();
}

//===----------------------------------------------------------------------===//
// Writing
//===----------------------------------------------------------------------===//

static absl::Status prepareFolder(const std::string &folder) {
  if (absl::Status made = makeFolders(folder); !made.ok())
    return made;
  absl::StatusOr<std::vector<std::string>> names = listFolder(folder);
  if (!names.ok())
    return names.status();
  if (!names->empty())
    return absl::AlreadyExistsError(absl::StrCat(
        folder, ": the folder is not empty, and files of two checkpoints in "
                "one would be taken for one; HINT: name a new folder"));
  return absl::OkStatus();
}

static absl::StatusOr<AdamwState>
adamwState(const TrainingCheckpoint &checkpoint,
           absl::Span<const NamedTensor> ordered) {
  constexpr double kNoLossYet = 1e9; // As the reference's trainer begins.
  const TrainingState &saved = checkpoint.state();
  AdamwState state;
  state.updates = state.iterations = saved.step;
  state.bestLoss = saved.bestLoss.value_or(kNoLossYet);
  for (auto [key, member] :
       {std::pair("learning-rate", &AdamwState::learningRate),
        std::pair("beta1", &AdamwState::beta1),
        std::pair("beta2", &AdamwState::beta2),
        std::pair("epsilon", &AdamwState::epsilon),
        std::pair("weight-decay", &AdamwState::weightDecay)}) {
    auto value = saved.options.find(key);
    if (value == saved.options.end() || !value->is_number())
      return absl::DataLossError(absl::StrCat(
          in(checkpoint.path(), kStateFile), ": the options have no number ",
          quoteName(key), "; HINT: use another checkpoint"));
    state.*member = value->get<double>();
  }
  for (const NamedTensor &parameter : ordered)
    for (auto [prefix, views] : {std::pair("adamw.m.", &state.moments),
                                 std::pair("adamw.v.", &state.secondMoments)}) {
      absl::StatusOr<TensorView> moment =
          checkpoint.tensor({absl::StrCat(prefix, parameter.name), DType::F32,
                             parameter.tensor.shape});
      if (!moment.ok())
        return moment.status();
      views->push_back(*moment);
    }
  return state;
}

/// The string under `key`; "" where there is none.
static std::string textOf(const json &object, const char *key) {
  auto value = object.find(key);
  return value != object.end() && value->is_string() ? value->get<std::string>()
                                                     : std::string();
}

/// The reference decays all parameters alike.
static std::string noteOn(const TrainingCheckpoint &checkpoint,
                          absl::Span<const NamedTensor> ordered) {
  if (textOf(checkpoint.state().options, "decay") != "matrices")
    return "";
  for (const NamedTensor &parameter : ordered)
    if (parameter.tensor.shape.size() < 2)
      return absl::StrCat("the run decays matrices alone (--decay), and the "
                          "reference's optimizer will decay vectors such as ",
                          quoteName(parameter.name), " too");
  return "";
}

absl::StatusOr<ReferenceExport>
writeReferenceCheckpoint(const TrainingCheckpoint &checkpoint,
                         const std::string &folder) {
  absl::StatusOr<json> config = readConfig(checkpoint.path());
  if (!config.ok())
    return config.status();
  absl::StatusOr<std::vector<NamedTensor>> ordered =
      inReferenceOrder(checkpoint.parameters());
  if (!ordered.ok())
    return ordered.status();
  if (!config->contains("n_layer"))
    return absl::FailedPreconditionError(absl::StrCat(
        checkpoint.path(), ": the T6 reference has no model such as ",
        quoteName(textOf(*config, "name")),
        "; HINT: model.safetensors in that folder can be read by any program"));
  absl::StatusOr<AdamwState> state = adamwState(checkpoint, *ordered);
  if (!state.ok())
    return state.status();
  std::vector<TensorAlias> aliases;
  for (const auto &[alias, target] : checkpoint.aliases())
    aliases.push_back({alias, target});
  std::string target = withoutSlash(folder);
  if (absl::Status prepared = prepareFolder(target); !prepared.ok())
    return prepared;
  absl::Status status =
      writePytorchFile(in(target, kWeightsFile), *ordered, aliases);
  if (status.ok())
    status = writeOptimizerFile(in(target, kOptimizerStateFile), *state);
  // Last: a folder without it is no checkpoint.
  if (status.ok())
    status =
        writeFileAtomically(in(target, kConfigFile), config->dump(2) + "\n");
  if (!status.ok()) {
    // As it was before, so that it can be tried again.
    for (absl::string_view name :
         {kWeightsFile, kOptimizerStateFile, kConfigFile})
      unlink(in(target, name).c_str());
    return status;
  }
  ReferenceExport report;
  report.tensors = ordered->size();
  report.aliases = aliases.size();
  report.iteration = state->iterations;
  report.note = noteOn(checkpoint, *ordered);
  for (const NamedTensor &parameter : *ordered)
    report.bytes += 3 * parameter.tensor.bytes;
  return report;
}

} // namespace t6
