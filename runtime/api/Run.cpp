//===- Run.cpp - Any entry, from memory or from files ---------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "runtime/api/EntryPorts.h"
#include "runtime/api/Model.h"
#include "runtime/api/Status.h"
#include "runtime/io/Safetensors.h"

#include <algorithm>
#include <map>
#include <memory>
#include <numeric>
#include <utility>
#include <vector>

using namespace t6;

/// Gives the entry of a cache in pages a table where the caller has none: each
/// row has pages of its own, in order. `table` is the memory of it.
static absl::Status addPages(const Program &program, absl::string_view entry,
                             std::map<std::string, TensorView> &inputs,
                             std::vector<int32_t> &table) {
  int index = program.findEntry(entry);
  if (index < 0 || program.options.pageTokens == 0 || inputs.count("pages"))
    return absl::OkStatus();
  for (const Port &port : program.entries[index].inputs) {
    const Buffer &buffer = program.buffers[port.buffer];
    if (port.name != "pages" || buffer.shape.size() != 2 ||
        !buffer.shape[0].isStatic() || !buffer.shape[1].isStatic())
      continue;
    int64_t rows = buffer.shape[0].value, slots = buffer.shape[1].value;
    if (int64_t pages = sharedPages(program); rows * slots > pages)
      return absl::InvalidArgumentError(absl::StrCat(
          "the cache has ", pages, " pages, too few to give each of ", rows,
          " rows its own ", slots,
          ". HINT: say in an input 'pages' which row has which"));
    table.resize(rows * slots);
    std::iota(table.begin(), table.end(), 0);
    inputs["pages"] = viewOf(table, {rows, slots});
  }
  return absl::OkStatus();
}

static absl::Status runEntry(t6_model &model, absl::string_view entry,
                             std::map<std::string, TensorView> inputs,
                             std::map<std::string, TensorView> &outputs) {
  if (model.takeCancel())
    return absl::CancelledError("the run was interrupted");
  std::vector<int32_t> table;
  absl::Status status = addPages(model.program(), entry, inputs, table);
  if (status.ok())
    status = model.executor->run(entry, inputs, &outputs);
  if (status.ok())
    model.hasOutputs[model.program().findEntry(entry)] = true;
  return status;
}

t6_status *t6_run_file(t6_model *model, const char *entry, const char *inputs,
                       const char *outputs) {
  if (!model || !entry || !inputs || !outputs)
    return nullArgument("model, entry, inputs or outputs");
  absl::StatusOr<std::unique_ptr<SafetensorsFile>> file =
      SafetensorsFile::open(inputs);
  T6_RETURN_IF_ERROR(file.status());
  T6_RETURN_IF_ERROR(model->ready());
  std::map<std::string, TensorView> given, made;
  for (const NamedTensor &tensor : (*file)->tensors())
    given[tensor.name] = tensor.tensor;
  model->executor->resetState();
  absl::Status status = runEntry(*model, entry, given, made);
  // An unknown entry is not the fault of the inputs.
  if (absl::IsInvalidArgument(status) && model->program().findEntry(entry) >= 0)
    status = absl::InvalidArgumentError(
        absl::StrCat(inputs, ": ", status.message()));
  T6_RETURN_IF_ERROR(status);
  std::vector<NamedTensor> tensors;
  for (const auto &output : made)
    tensors.push_back({output.first, output.second});
  return toC(writeSafetensors(outputs, tensors, {{"entry", entry}}));
}

static absl::StatusOr<TensorView> viewOfTensor(const t6_tensor &tensor) {
  if (!tensor.name || !tensor.dtype || tensor.rank > T6_MAX_RANK)
    return absl::InvalidArgumentError(
        "a tensor has no name, no dtype, or more than 8 dimensions");
  absl::StatusOr<DType> dtype = parseDType(tensor.dtype);
  if (!dtype.ok())
    return absl::InvalidArgumentError(
        absl::StrCat("input '", tensor.name, "': ", dtype.status().message()));
  TensorView view;
  view.dtype = *dtype;
  view.shape.assign(tensor.shape, tensor.shape + tensor.rank);
  view.data = tensor.data;
  view.bytes = tensor.bytes;
  return view;
}

t6_status *t6_run(t6_model *model, const char *entry, const t6_tensor *inputs,
                  size_t count) {
  if (!model || !entry || (!inputs && count > 0))
    return nullArgument("model, entry or inputs");
  std::map<std::string, TensorView> given, made;
  for (size_t i = 0; i < count; ++i) {
    absl::StatusOr<TensorView> view = viewOfTensor(inputs[i]);
    T6_RETURN_IF_ERROR(view.status());
    given[inputs[i].name] = *std::move(view);
  }
  T6_RETURN_IF_ERROR(model->ready());
  return toC(runEntry(*model, entry, given, made));
}

t6_status *t6_output(const t6_model *model, const char *entry, const char *name,
                     t6_tensor *output) {
  if (!model || !entry || !name || !output)
    return nullArgument("model, entry, name or output");
  int index = model->program().findEntry(entry);
  if (index < 0 || !model->executor || !model->hasOutputs[index])
    return toC(absl::InvalidArgumentError(absl::StrCat(
        "the entry '", entry, "' has not been run. HINT: call t6_run")));
  const Entry &what = model->program().entries[index];
  auto found =
      std::find_if(what.outputs.begin(), what.outputs.end(),
                   [&](const Port &port) { return port.name == name; });
  if (found == what.outputs.end())
    return toC(absl::InvalidArgumentError(
        absl::StrCat("the entry '", entry, "' has no output '", name,
                     "'. HINT: t6_model_info lists them")));
  const TensorView &view = model->executor->output(
      index, static_cast<int>(found - what.outputs.begin()));
  *output = {};
  output->name = found->name.c_str();
  output->dtype = t6::name(view.dtype).data(); // A literal.
  output->rank = view.shape.size();
  std::copy(view.shape.begin(), view.shape.end(), output->shape);
  output->data = view.data;
  output->bytes = view.bytes;
  return nullptr;
}

t6_status *t6_reset(t6_model *model) {
  if (!model)
    return nullArgument("model");
  T6_RETURN_IF_ERROR(model->ready());
  model->executor->resetState();
  return nullptr;
}
