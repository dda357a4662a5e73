//===- OptimizerFile.cpp - optimizer.pt of the reference ------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "runtime/checkpoint/OptimizerFile.h"

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "runtime/io/Names.h"

#include <cmath>
#include <cstring>
#include <optional>
#include <utility>

namespace t6 {

/// Walks the pickle. Every step returns whether to go on; the first failure is
/// in `error`.
class OptimizerReader {
public:
  OptimizerReader(OptimizerFile &file, absl::string_view label,
                  absl::Span<const TensorSpec> parameters)
      : file(file), pickle(file.archive->pickle()), label(label),
        parameters(parameters), owner(parameters.size(), false) {}

  absl::Status read() {
    Id optimizer, state, groups;
    if (member(pickle.root(), "optimizer", "the file", optimizer) &&
        member(optimizer, "param_groups", "the optimizer", groups) &&
        member(optimizer, "state", "the optimizer", state) && readCounts() &&
        readGroups(groups))
      readMoments(state);
    return error;
  }

private:
  using Id = Pickle::Id;
  using Kind = Pickle::Kind;

  template <typename... Parts> bool fail(const Parts &...parts) {
    error = absl::FailedPreconditionError(
        absl::StrCat(label, ": ", parts...,
                     "; HINT: pass the optimizer.pt that was saved with this "
                     "model's weights"));
    return false;
  }

  /// The value that Python would find, the last one set; nothing if there is
  /// no such key or no dict.
  template <typename Matches>
  std::optional<Id> lookUp(Id dict, Matches matches) const {
    if (pickle.kind(dict) != Kind::Dict)
      return std::nullopt;
    absl::Span<const Id> items = pickle.items(dict);
    for (size_t i = items.size(); i >= 2; i -= 2)
      if (matches(items[i - 2]))
        return items[i - 1];
    return std::nullopt;
  }

  std::optional<Id> lookUp(Id dict, absl::string_view key) const {
    return lookUp(dict, [&](Id id) {
      return pickle.kind(id) == Kind::String && pickle.text(id) == key;
    });
  }

  bool member(Id dict, absl::string_view key, const std::string &where,
              Id &value) {
    std::optional<Id> found = lookUp(dict, key);
    if (!found)
      return fail(where, " has no \"", key, "\"");
    value = *found;
    return true;
  }

  /// A number, also as a tensor of one element, as PyTorch likes to keep it.
  bool number(Id id, const std::string &what, double &value) {
    switch (pickle.kind(id)) {
    case Kind::Int:
      value = static_cast<double>(pickle.integer(id));
      return true;
    case Kind::Float:
      value = pickle.real(id);
      return true;
    case Kind::Tensor:
      return scalar(pickle.tensor(id), what, value);
    default:
      return fail(what, " is not a number");
    }
  }

  bool scalar(const PickledTensor &view, const std::string &what,
              double &value) {
    if (checkedElements(view.shape).value_or(0) != 1)
      return fail(what, " is a tensor of shape ", shapeToString(view.shape),
                  ", not a number");
    absl::StatusOr<TensorView> tensor = file.archive->read(view);
    if (!tensor.ok()) {
      error = tensor.status();
      return false;
    }
    auto load = [&](auto element) {
      std::memcpy(&element, tensor->data, sizeof element);
      value = static_cast<double>(element);
      return true;
    };
    switch (tensor->dtype) {
    case DType::F32:
      return load(float());
    case DType::F64:
      return load(double());
    case DType::I64:
      return load(int64_t());
    case DType::I32:
      return load(int32_t());
    default:
      return fail(what, " is a tensor of ", name(tensor->dtype));
    }
  }

  bool count(Id id, const std::string &what, int64_t &value) {
    double real;
    if (!number(id, what, real))
      return false;
    if (!(real >= 0 && real <= 1e15 && real == std::floor(real)))
      return fail(what, " is ", real, ", not a count");
    value = static_cast<int64_t>(real);
    return true;
  }

  bool readCounts() {
    Id iterations, best;
    return member(pickle.root(), "iter_num", "the file", iterations) &&
           count(iterations, "iter_num", file.iterations) &&
           member(pickle.root(), "best_val_loss", "the file", best) &&
           number(best, "best_val_loss", file.best);
  }

  bool readGroups(Id list) {
    if (pickle.kind(list) != Kind::List)
      return fail("param_groups is not a list");
    for (Id group : pickle.items(list))
      if (!readGroup(group))
        return false;
    for (size_t i = 0; i < parameters.size(); ++i)
      if (!owner[i])
        return fail("the optimizer has no parameter ", i, ", which is ",
                    quoteName(parameters[i].name), " of the ",
                    parameters.size(), " of this model");
    return true;
  }

  bool readGroup(Id dict) {
    std::string where =
        absl::StrCat("param_groups[", file.paramGroups.size(), "]");
    AdamwGroup group;
    Id betas, members;
    auto option = [&](absl::string_view key, double &value) {
      Id id;
      return member(dict, key, where, id) &&
             number(id, absl::StrCat(where, ".", key), value);
    };
    if (!option("lr", group.learningRate) ||
        !member(dict, "betas", where, betas) || !option("eps", group.epsilon) ||
        !option("weight_decay", group.weightDecay) ||
        !member(dict, "params", where, members))
      return false;
    if (pickle.kind(betas) != Kind::Tuple || pickle.items(betas).size() != 2)
      return fail(where, ".betas is not a pair");
    if (!number(pickle.items(betas)[0], where + ".betas", group.beta1) ||
        !number(pickle.items(betas)[1], where + ".betas", group.beta2))
      return false;
    for (absl::string_view flag : {"amsgrad", "maximize"}) {
      std::optional<Id> set = lookUp(dict, flag);
      if (set && pickle.kind(*set) == Kind::Bool && pickle.integer(*set))
        return fail(where, " has ", flag, ", which is not supported");
    }
    if (pickle.kind(members) != Kind::List)
      return fail(where, ".params is not a list");
    for (Id index : pickle.items(members))
      if (!addParameter(index, where, group))
        return false;
    file.paramGroups.push_back(std::move(group));
    return true;
  }

  bool addParameter(Id id, const std::string &where, AdamwGroup &group) {
    int64_t index;
    if (!count(id, where + ".params", index))
      return false;
    if (index >= static_cast<int64_t>(parameters.size()))
      return fail("the optimizer has a parameter ", index,
                  ", but this model has ", parameters.size(), " parameters");
    if (owner[index])
      return fail("parameter ", index, " is there twice");
    owner[index] = true;
    group.parameters.push_back(parameters[index].name);
    return true;
  }

  bool readMoments(Id state) {
    if (pickle.kind(state) != Kind::Dict)
      return fail("the optimizer's state is not a dict");
    if (pickle.items(state).empty())
      return true;
    for (size_t i = 0; i < parameters.size(); ++i) {
      std::optional<Id> entry = lookUp(state, [&](Id key) {
        return pickle.kind(key) == Kind::Int &&
               pickle.integer(key) == static_cast<int64_t>(i);
      });
      if (!entry)
        return fail("the optimizer's state has nothing of parameter ", i, ", ",
                    quoteName(parameters[i].name));
      if (!readParameter(i, *entry))
        return false;
    }
    return true;
  }

  bool readParameter(size_t index, Id entry) {
    std::string where =
        absl::StrCat("the optimizer's state of parameter ", index, ", ",
                     quoteName(parameters[index].name), ",");
    Id step;
    int64_t updates;
    if (!member(entry, "step", where, step) ||
        !count(step, where + " at \"step\"", updates))
      return false;
    if (index != 0 && updates != file.updates)
      return fail(where, " is of step ", updates,
                  " and that of parameter 0 of ", file.updates);
    file.updates = updates;
    return moment(entry, "exp_avg", "adamw.m.", index, where) &&
           moment(entry, "exp_avg_sq", "adamw.v.", index, where);
  }

  bool moment(Id entry, absl::string_view key, absl::string_view prefix,
              size_t index, const std::string &where) {
    Id id;
    if (!member(entry, key, where, id))
      return false;
    if (pickle.kind(id) != Kind::Tensor)
      return fail(where, " has a ", key, " that is not a tensor");
    const PickledTensor &view = pickle.tensor(id);
    DType dtype = file.archive->dtypeOf(view);
    if (dtype != DType::F32 || view.shape != parameters[index].shape)
      return fail(where, " has a ", key, " of ", name(dtype), " ",
                  shapeToString(view.shape), " instead of F32 ",
                  shapeToString(parameters[index].shape));
    file.specs.push_back(
        {absl::StrCat(prefix, parameters[index].name), dtype, view.shape});
    file.views.push_back(view);
    return true;
  }

  OptimizerFile &file;
  const Pickle &pickle;
  absl::string_view label;
  absl::Span<const TensorSpec> parameters;
  /// Whether a group has the parameter.
  std::vector<bool> owner;
  absl::Status error;
};

absl::StatusOr<std::unique_ptr<OptimizerFile>>
OptimizerFile::open(absl::string_view path,
                    absl::Span<const TensorSpec> parameters) {
  return fromArchive(PytorchArchive::open(path), path, parameters);
}

absl::StatusOr<std::unique_ptr<OptimizerFile>>
OptimizerFile::parse(absl::Span<const uint8_t> bytes, absl::string_view label,
                     absl::Span<const TensorSpec> parameters) {
  return fromArchive(PytorchArchive::parse(bytes, label), label, parameters);
}

absl::StatusOr<std::unique_ptr<OptimizerFile>> OptimizerFile::fromArchive(
    absl::StatusOr<std::unique_ptr<PytorchArchive>> archive,
    absl::string_view label, absl::Span<const TensorSpec> parameters) {
  if (!archive.ok())
    return archive.status();
  std::unique_ptr<OptimizerFile> file(new OptimizerFile);
  file->archive = *std::move(archive);
  absl::Status status = OptimizerReader(*file, label, parameters).read();
  if (!status.ok())
    return status;
  return file;
}

absl::StatusOr<TensorView> OptimizerFile::read(size_t index) {
  return archive->read(views[index]);
}

} // namespace t6
