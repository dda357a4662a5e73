//===- ProgramWriter.cpp - A Program to program.json ----------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "runtime/schema/Program.h"

#include "absl/strings/ascii.h"
#include "absl/strings/str_format.h"

#include <nlohmann/json.hpp>

#include <utility>

namespace t6 {

// Ordered, so that the text reads in the order in which it is written here.
using Json = nlohmann::ordered_json;

static std::string typeName(DType dtype) {
  return absl::AsciiStrToLower(name(dtype));
}

static Json toJson(const Extent &extent) {
  return extent.isStatic() ? Json(extent.value) : Json(extent.scalar);
}

static Json toJson(const Buffer &buffer) {
  Json shape = Json::array();
  for (const Extent &extent : buffer.shape)
    shape.push_back(toJson(extent));
  Json object = {{"name", buffer.name},
                 {"kind", std::string(name(buffer.kind))},
                 {"dtype", typeName(buffer.dtype)},
                 {"shape", shape}};
  if (!buffer.storedShape.empty() && Json(buffer.storedShape) != shape)
    object["stored_shape"] = buffer.storedShape;
  if (!buffer.tiedTo.empty())
    object["tied_to"] = buffer.tiedTo;
  if (!buffer.param.empty())
    object["param"] = buffer.param;
  if (!buffer.scales.empty())
    object["scales"] = buffer.scales;
  if (buffer.init)
    object["init"] = {{"kind", std::string(name(buffer.init->kind))},
                      {"value", buffer.init->value}};
  if (buffer.kind == BufferKind::Constant)
    object["offset"] = buffer.offset;
  if (buffer.hasRange)
    object["range"] = {buffer.rangeLow, toJson(buffer.rangeHigh)};
  return object;
}

static Json toJson(const Scalar &scalar, const Entry &entry) {
  Json object = {{"name", scalar.name}, {"max", scalar.max}};
  const std::string &input = entry.inputs[scalar.input].name;
  if (scalar.source == Scalar::Source::Dim)
    object["dim"] = {{"input", input}, {"axis", scalar.axis}};
  else
    object["end"] = {{"input", input}, {"plus", toJson(scalar.plus)}};
  return object;
}

static Json toJson(const CostPolynomial &polynomial, const Entry &entry) {
  Json terms = Json::array();
  for (const CostTerm &term : polynomial) {
    Json factors = Json::array({term.coefficient});
    for (int scalar : term.scalars)
      factors.push_back(entry.scalars[scalar].name);
    terms.push_back(std::move(factors));
  }
  return terms;
}

static Json toJson(const Dispatch &dispatch, const Program &program,
                   const Entry &entry) {
  Json grid = Json::array();
  for (const GridDim &dim : dispatch.grid)
    grid.push_back({{"extent", toJson(dim.extent)}, {"tile", dim.tile}});
  Json bindings = Json::array();
  for (const Binding &binding : dispatch.bindings) {
    Json object = {{"buffer", binding.buffer}, {"offset", binding.offset}};
    if (binding.bytes)
      object["bytes"] = binding.bytes;
    if (binding.dtype != program.buffers[binding.buffer].dtype)
      object["dtype"] = typeName(binding.dtype);
    bindings.push_back(std::move(object));
  }
  Json scalars = Json::array();
  for (int scalar : dispatch.scalars)
    scalars.push_back(entry.scalars[scalar].name);
  return {{"kernel", dispatch.kernel},
          {"label", dispatch.label},
          {"grid", std::move(grid)},
          {"bindings", std::move(bindings)},
          {"scalars", std::move(scalars)},
          {"writes", dispatch.writes},
          {"cost",
           {{"read", toJson(dispatch.cost.read, entry)},
            {"write", toJson(dispatch.cost.write, entry)},
            {"flops", toJson(dispatch.cost.flops, entry)}}}};
}

static Json toJson(const std::vector<Port> &ports) {
  Json list = Json::array();
  for (const Port &port : ports)
    list.push_back({{"name", port.name}, {"buffer", port.buffer}});
  return list;
}

static Json toJson(const Entry &entry, const Program &program) {
  Json scalars = Json::array();
  for (const Scalar &scalar : entry.scalars)
    scalars.push_back(toJson(scalar, entry));
  Json dispatches = Json::array();
  for (const Dispatch &dispatch : entry.dispatches)
    dispatches.push_back(toJson(dispatch, program, entry));
  return {{"name", entry.name},
          {"scalars", std::move(scalars)},
          {"inputs", toJson(entry.inputs)},
          {"outputs", toJson(entry.outputs)},
          {"dispatches", std::move(dispatches)}};
}

static Json headerToJson(const Program &program) {
  const ModelInfo &model = program.model;
  const CompileOptions &options = program.options;
  Json files = Json::object();
  for (const FileRecord &file : program.files)
    files[file.name] = {{"bytes", file.bytes},
                        {"xxh3", absl::StrFormat("%016x", file.xxh3)}};
  Json described = {{"name", model.name},
                    {"attention", model.attention},
                    {"vocab_size", model.vocabSize},
                    {"layers", model.layers},
                    {"width", model.width},
                    {"context", model.context},
                    {"parameters", model.parameters},
                    {"cache_bytes_per_token", model.cacheBytesPerToken},
                    {"state_bytes", model.stateBytes}};
  Json config = Json::parse(model.config, nullptr, /*allow_exceptions=*/false);
  if (config.is_object())
    described["config"] = std::move(config);
  return {{"schema", program.schema},
          {"producer", program.producer},
          {"model", std::move(described)},
          {"options",
           {{"target", options.target},
            {"batch", options.batch},
            {"max_length", options.maxLength},
            {"prefill_chunk", options.prefillChunk},
            {"page_tokens", options.pageTokens},
            {"dtype", typeName(options.dtype)},
            {"compute", typeName(options.compute)}}},
          {"cpu",
           {{"name", program.cpu.name},
            {"features", program.cpu.features},
            {"vector_bits", program.cpu.vectorBits}}},
          {"files", files}};
}

std::string serializeProgram(const Program &program) {
  Json root = headerToJson(program);
  Json &buffers = root["buffers"] = Json::array();
  for (const Buffer &buffer : program.buffers)
    buffers.push_back(toJson(buffer));
  Json &kernels = root["kernels"] = Json::array();
  for (const Kernel &kernel : program.kernels) {
    Json json = {{"symbol", kernel.symbol}};
    if (kernel.roundsToBf16)
      json["rounds"] = "bf16";
    kernels.push_back(std::move(json));
  }
  Json &entries = root["entries"] = Json::array();
  for (const Entry &entry : program.entries)
    entries.push_back(toJson(entry, program));
  // Replaces what is not UTF-8 rather than failing: names come from IR.
  return root.dump(1, ' ', false, Json::error_handler_t::replace) + "\n";
}

} // namespace t6
