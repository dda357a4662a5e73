//===- Info.cpp - What an artifact holds, as JSON -------------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "runtime/api/EntryPorts.h"
#include "runtime/api/Model.h"
#include "runtime/api/Status.h"

#include "absl/strings/ascii.h"
#include "absl/strings/str_format.h"
#include "absl/types/span.h"

#include <algorithm>
#include <limits>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

using namespace t6;

// Keeps the order in which keys are set.
using Json = nlohmann::ordered_json;

static std::string dtypeName(DType dtype) {
  return absl::AsciiStrToLower(name(dtype));
}

static Json shapeJson(const std::vector<Extent> &shape) {
  Json list = Json::array();
  for (const Extent &extent : shape)
    if (extent.isStatic())
      list.push_back(extent.value);
    else
      list.push_back(extent.scalar);
  return list;
}

/// "4608*n + 128", for people.
static std::string polynomial(const Entry &entry, const CostPolynomial &terms) {
  std::string text;
  for (const CostTerm &term : terms) {
    absl::StrAppend(&text, text.empty() ? "" : " + ", term.coefficient);
    for (int scalar : term.scalars)
      absl::StrAppend(&text, "*", entry.scalars[scalar].name);
  }
  return text.empty() ? "0" : text;
}

namespace {

/// A dispatch's or an entry's cost at given sizes.
struct Total {
  int64_t read = 0, write = 0, flops = 0;

  static int64_t add(int64_t a, int64_t b) {
    int64_t sum;
    return __builtin_add_overflow(a, b, &sum)
               ? std::numeric_limits<int64_t>::max()
               : sum;
  }
  static int64_t multiply(int64_t a, int64_t b) {
    int64_t product;
    return __builtin_mul_overflow(a, b, &product)
               ? std::numeric_limits<int64_t>::max()
               : product;
  }
  void add(const Total &other) {
    read = add(read, other.read);
    write = add(write, other.write);
    flops = add(flops, other.flops);
  }
  /// FLOPs per byte of traffic.
  double intensity() const {
    double bytes = static_cast<double>(read) + static_cast<double>(write);
    return bytes > 0 ? static_cast<double>(flops) / bytes : 0;
  }
  void writeTo(Json &json) const {
    json["bytes_read"] = read;
    json["bytes_written"] = write;
    json["flops"] = flops;
    json["intensity"] = intensity();
  }
};

} // namespace

static Total totalOf(const Dispatch &dispatch,
                     absl::Span<const int64_t> scalars) {
  return {costAt(dispatch.cost.read, scalars),
          costAt(dispatch.cost.write, scalars),
          costAt(dispatch.cost.flops, scalars)};
}

static Json portsJson(const Program &program, const std::vector<Port> &ports) {
  Json list = Json::array();
  for (const Port &port : ports) {
    const Buffer &buffer = program.buffers[port.buffer];
    list.push_back({{"name", port.name},
                    {"dtype", dtypeName(buffer.dtype)},
                    {"shape", shapeJson(buffer.shape)}});
  }
  return list;
}

/// Bytes of all that `entries` use: parameters, state, constants, ports and
/// arenas, each once.
static int64_t memoryOf(const Program &program,
                        const std::vector<const Entry *> &entries) {
  std::vector<bool> used(program.buffers.size());
  for (const Entry *entry : entries) {
    for (const std::vector<Port> *ports : {&entry->inputs, &entry->outputs})
      for (const Port &port : *ports)
        used[port.buffer] = true;
    for (const Dispatch &dispatch : entry->dispatches)
      for (const Binding &binding : dispatch.bindings)
        used[binding.buffer] = true;
  }
  int64_t bytes = 0;
  for (size_t i = 0; i < used.size(); ++i)
    if (used[i])
      bytes = Total::add(bytes, program.buffers[i].maxBytes);
  return bytes;
}

/// What stays in memory from step to step of training: all that the entries of
/// a step use.
static int64_t trainingBytes(const Program &program) {
  std::vector<const Entry *> step;
  for (const Entry &entry : program.entries)
    if (entry.name == "accumulate_gradients" || entry.name == "apply_adamw")
      step.push_back(&entry);
  return memoryOf(program, step);
}

static Json entryJson(const Program &program, const Entry &entry,
                      const t6_info_options &options) {
  std::vector<int64_t> scalars = maxScalars(entry);
  Json json, sizes = Json::object();
  for (size_t i = 0; i < scalars.size(); ++i) {
    if (options.length > 0)
      scalars[i] = std::min(scalars[i], options.length);
    sizes[entry.scalars[i].name] = {{"max", entry.scalars[i].max},
                                    {"value", scalars[i]}};
  }
  json["name"] = entry.name;
  json["inputs"] = portsJson(program, entry.inputs);
  json["outputs"] = portsJson(program, entry.outputs);
  json["scalars"] = sizes;
  json["memory_bytes"] = memoryOf(program, {&entry});
  json["dispatch_count"] = entry.dispatches.size();
  Total total;
  Json dispatches = Json::array();
  for (const Dispatch &dispatch : entry.dispatches) {
    Total cost = totalOf(dispatch, scalars);
    total.add(cost);
    if (!options.dispatches)
      continue;
    Json item = {{"label", dispatch.label},
                 {"kernel", program.kernels[dispatch.kernel].symbol},
                 {"workgroups", workgroupsAt(dispatch, scalars)}};
    cost.writeTo(item);
    item["cost"] = {{"read", polynomial(entry, dispatch.cost.read)},
                    {"write", polynomial(entry, dispatch.cost.write)},
                    {"flops", polynomial(entry, dispatch.cost.flops)}};
    dispatches.push_back(std::move(item));
  }
  total.writeTo(json);
  if (options.dispatches)
    json["dispatches"] = std::move(dispatches);
  return json;
}

static Json buffersJson(const Program &program) {
  Json json = Json::object();
  for (BufferKind kind :
       {BufferKind::Param, BufferKind::State, BufferKind::Constant,
        BufferKind::Input, BufferKind::Output, BufferKind::Arena}) {
    int64_t count = 0;
    for (const Buffer &buffer : program.buffers)
      count += buffer.kind == kind;
    json[std::string(name(kind))] = {{"count", count},
                                     {"bytes", bytesOfKind(program, kind)}};
  }
  return json;
}

static Json parametersJson(const Program &program) {
  Json list = Json::array();
  for (const Buffer &buffer : program.buffers) {
    if (buffer.kind != BufferKind::Param || !buffer.scales.empty())
      continue;
    Json item = {{"name", buffer.name},
                 {"dtype", dtypeName(buffer.dtype)},
                 {"shape", buffer.storedShape}};
    if (buffer.partner >= 0)
      item["scale"] = {{"dtype", "f32"}, {"per", "row"}};
    if (buffer.init)
      item["init"] = {{"kind", std::string(name(buffer.init->kind))},
                      {"value", buffer.init->value}};
    list.push_back(std::move(item));
  }
  return list;
}

/// What rows have for their tokens, all together.
static Json cacheJson(const Program &program) {
  const CompileOptions &options = program.options;
  int64_t pages = sharedPages(program);
  int64_t rows = Total::multiply(options.batch, options.maxLength);
  return {
      {"page_tokens", options.pageTokens},
      {"pages", pages},
      {"tokens", pages > 0 ? Total::multiply(pages, options.pageTokens) : rows},
      {"bytes", cacheBytes(program)}};
}

static Json infoJson(const Artifact &artifact, const t6_info_options &options) {
  const Program &program = artifact.program();
  const ModelInfo &model = program.model;
  const CompileOptions &compiled = program.options;
  Json json;
  json["path"] = artifact.path();
  json["schema"] = program.schema;
  json["producer"] = program.producer;
  json["model"] = {{"name", model.name},
                   {"attention", model.attention},
                   {"vocab_size", model.vocabSize},
                   {"layers", model.layers},
                   {"width", model.width},
                   {"context", model.context},
                   {"parameters", model.parameters},
                   {"cache_bytes_per_token", model.cacheBytesPerToken},
                   {"state_bytes", model.stateBytes}};
  json["options"] = {{"target", compiled.target},
                     {"batch", compiled.batch},
                     {"max_length", compiled.maxLength},
                     {"prefill_chunk", compiled.prefillChunk},
                     {"page_tokens", compiled.pageTokens},
                     {"dtype", dtypeName(compiled.dtype)},
                     {"compute", dtypeName(compiled.compute)}};
  json["cache"] = cacheJson(program);
  json["cpu"] = {{"name", program.cpu.name},
                 {"vector_bits", program.cpu.vectorBits},
                 {"features", program.cpu.features}};
  json["files"] = Json::array();
  for (const auto &file : artifact.files()) {
    Json item = {{"name", file.name}, {"bytes", file.bytes}};
    if (const FileRecord *record = program.findFile(file.name))
      item["xxh3"] = absl::StrFormat("%016x", record->xxh3);
    json["files"].push_back(std::move(item));
  }
  json["has_reference"] = artifact.hasReference();
  json["training_bytes"] = trainingBytes(program);
  json["buffers"] = buffersJson(program);
  json["parameters"] = parametersJson(program);
  json["kernel_count"] = program.kernels.size();
  json["entries"] = Json::array();
  for (const Entry &entry : program.entries)
    json["entries"].push_back(entryJson(program, entry, options));
  return json;
}

void t6_info_options_init(t6_info_options *options) {
  *options = {};
  options->struct_size = sizeof(*options);
}

t6_status *t6_model_info(const t6_model *model, const t6_info_options *given,
                         char **json) {
  if (!model || !json)
    return nullArgument(model ? "json" : "model");
  absl::StatusOr<t6_info_options> options =
      readOptions(given, t6_info_options_init);
  T6_RETURN_IF_ERROR(options.status());
  if (options->length < 0)
    return toC(absl::InvalidArgumentError(
        "the length at which costs are asked for is negative. HINT: 0 stands "
        "for the longest"));
  // Names come from a file and may be any bytes; JSON is UTF-8.
  *json = copyString(infoJson(*model->artifact, *options)
                         .dump(2, ' ', false, Json::error_handler_t::replace));
  return nullptr;
}
