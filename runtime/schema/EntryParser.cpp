//===- EntryParser.cpp - The entries of program.json ----------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The second half of the program reader: entries, their scalars and dispatches,
// against buffers and kernels that have been read.
//
//===----------------------------------------------------------------------===//

#include "runtime/schema/ProgramParser.h"

#include "absl/strings/str_cat.h"

#include <limits>

namespace t6 {

static constexpr size_t kMaxEntries = 256;
static constexpr size_t kMaxPorts = 4096;
static constexpr size_t kMaxScalars = 64;
static constexpr size_t kMaxDispatches = size_t{1} << 20;
static constexpr size_t kMaxBindings = 1024;
static constexpr size_t kMaxCostTerms = 64;
static constexpr size_t kMaxCostFactors = 8;
static constexpr int64_t kMaxScalarValue = (int64_t{1} << 31) - 1;

void ProgramParser::parseEntries() {
  JsonPlace entries = root["entries"];
  size_t count = entries.arraySize(kMaxEntries);
  for (size_t i = 0; i < count && root.ok(); ++i) {
    currentEntry = static_cast<int>(i);
    parseEntry(entries[i]);
  }
}

void ProgramParser::parseEntry(const JsonPlace &place) {
  Entry entry;
  entry.name = place["name"].name();
  if (program.findEntry(entry.name) >= 0)
    place.fail(absl::StrCat("repeats the name '", entry.name, "'"));
  entry.inputs = parsePorts(place["inputs"], BufferKind::Input);
  entry.outputs = parsePorts(place["outputs"], BufferKind::Output);
  JsonPlace scalars = place["scalars"];
  size_t scalarCount = scalars.arraySize(kMaxScalars);
  for (size_t i = 0; i < scalarCount && root.ok(); ++i)
    parseScalar(entry, scalars[i]);
  if (root.ok())
    resolvePorts(entry);
  JsonPlace dispatches = place["dispatches"];
  size_t count = dispatches.arraySize(kMaxDispatches);
  entry.dispatches.reserve(count);
  for (size_t i = 0; i < count && root.ok(); ++i)
    parseDispatch(entry, dispatches[i]);
  program.entries.push_back(std::move(entry));
}

std::vector<Port> ProgramParser::parsePorts(const JsonPlace &place,
                                            BufferKind kind) {
  std::vector<Port> ports;
  if (program.buffers.empty())
    return ports;
  int64_t lastBuffer = static_cast<int64_t>(program.buffers.size()) - 1;
  size_t count = place.arraySize(kMaxPorts);
  for (size_t i = 0; i < count && root.ok(); ++i) {
    JsonPlace element = place[i];
    Port port{element["name"].name(),
              static_cast<int>(element["buffer"].integer(0, lastBuffer))};
    for (const Port &other : ports)
      if (other.name == port.name)
        element.fail(absl::StrCat("repeats the name '", port.name, "'"));
    Buffer &buffer = program.buffers[port.buffer];
    if (buffer.kind != kind)
      element["buffer"].fail(absl::StrCat("is '", buffer.name,
                                          "', a buffer of "
                                          "kind ",
                                          name(buffer.kind), ", not ",
                                          name(kind)));
    else if (buffer.entry >= 0)
      element["buffer"].fail(
          absl::StrCat("is '", buffer.name, "', which is listed twice"));
    buffer.entry = currentEntry;
    ports.push_back(std::move(port));
  }
  return ports;
}

int ProgramParser::findScalar(const Entry &entry, const JsonPlace &place) {
  std::string wanted = place.name();
  for (size_t i = 0; i < entry.scalars.size(); ++i)
    if (entry.scalars[i].name == wanted)
      return static_cast<int>(i);
  place.fail(absl::StrCat("names '", wanted,
                          "', which is not a scalar of entry '", entry.name,
                          "' or comes after its use"));
  return 0;
}

int ProgramParser::findInput(const Entry &entry, const JsonPlace &place) {
  std::string wanted = place.name();
  for (size_t i = 0; i < entry.inputs.size(); ++i)
    if (entry.inputs[i].name == wanted)
      return static_cast<int>(i);
  place.fail(absl::StrCat("names '", wanted,
                          "', which is not an input of entry '", entry.name,
                          "'"));
  return -1;
}

void ProgramParser::parseScalar(Entry &entry, const JsonPlace &place) {
  Scalar scalar;
  scalar.name = place["name"].name();
  scalar.max = place["max"].integer(1, kMaxScalarValue);
  for (const Scalar &other : entry.scalars)
    if (other.name == scalar.name)
      place.fail(absl::StrCat("repeats the name '", scalar.name, "'"));
  if (place.has("dim") == place.has("end"))
    place.fail("has not exactly one of \"dim\" and \"end\"");
  if (!root.ok())
    return;
  if (place.has("end")) {
    parseEnd(entry, scalar, place["end"]);
  } else {
    JsonPlace dim = place["dim"];
    int input = findInput(entry, dim["input"]);
    if (input < 0)
      return;
    const Buffer &buffer = program.buffers[entry.inputs[input].buffer];
    scalar.input = input;
    scalar.axis = static_cast<int>(dim["axis"].integer(0, kMaxRank));
    if (size_t(scalar.axis) >= buffer.shape.size() ||
        buffer.shape[scalar.axis].scalar != scalar.name)
      dim["axis"].fail(absl::StrCat("is ", scalar.axis, ", which is not '",
                                    scalar.name, "' in the shape of '",
                                    buffer.name, "'"));
  }
  entry.scalars.push_back(std::move(scalar));
}

void ProgramParser::parseEnd(const Entry &entry, Scalar &scalar,
                             const JsonPlace &place) {
  scalar.source = Scalar::Source::End;
  int input = findInput(entry, place["input"]);
  if (input < 0)
    return;
  scalar.input = input;
  if (program.buffers[entry.inputs[input].buffer].dtype != DType::I32)
    place["input"].fail("is not of type i32");
  JsonPlace plus = place["plus"];
  if (plus.isString()) {
    scalar.plus = Extent(plus.name());
    scalar.plus.scalarIndex = findScalar(entry, plus);
  } else {
    scalar.plus = Extent(plus.integer(0, kMaxScalarValue));
  }
}

void ProgramParser::resolve(const Entry &entry, Extent &extent,
                            const JsonPlace &place) {
  if (extent.isStatic())
    return;
  for (size_t i = 0; i < entry.scalars.size(); ++i)
    if (entry.scalars[i].name == extent.scalar) {
      extent.scalarIndex = static_cast<int>(i);
      return;
    }
  place.fail(absl::StrCat("uses '", extent.scalar,
                          "', which is not a scalar of entry '", entry.name,
                          "'"));
}

void ProgramParser::resolvePorts(const Entry &entry) {
  std::vector<int64_t> maxima = maxScalars(entry);
  JsonPlace buffers = root["buffers"];
  for (const std::vector<Port> *ports : {&entry.inputs, &entry.outputs})
    for (const Port &port : *ports) {
      Buffer &buffer = program.buffers[port.buffer];
      JsonPlace bufferPlace = buffers[size_t(port.buffer)];
      for (Extent &extent : buffer.shape)
        resolve(entry, extent, bufferPlace);
      resolve(entry, buffer.rangeHigh, bufferPlace);
      if (!root.ok() || !computeMaxBytes(buffer, maxima, bufferPlace))
        return;
    }
}

void ProgramParser::parseDispatch(Entry &entry, const JsonPlace &place) {
  Dispatch dispatch;
  if (program.kernels.empty())
    return place.fail("exists, but the program has no kernels");
  dispatch.kernel = static_cast<int>(
      place["kernel"].integer(0, int64_t(program.kernels.size()) - 1));
  if (place.has("label"))
    dispatch.label = place["label"].string();
  parseGrid(entry, dispatch, place["grid"]);
  parseBindings(dispatch, place["bindings"]);
  JsonPlace scalars = place["scalars"];
  size_t count = scalars.arraySize(kMaxScalars);
  for (size_t i = 0; i < count && root.ok(); ++i)
    dispatch.scalars.push_back(findScalar(entry, scalars[i]));
  parseWrites(dispatch, place["writes"]);
  if (place.has("cost")) {
    JsonPlace cost = place["cost"];
    cost.object();
    dispatch.cost.read = parseCost(entry, cost["read"]);
    dispatch.cost.write = parseCost(entry, cost["write"]);
    dispatch.cost.flops = parseCost(entry, cost["flops"]);
  }
  entry.dispatches.push_back(std::move(dispatch));
}

void ProgramParser::parseGrid(const Entry &entry, Dispatch &dispatch,
                              const JsonPlace &place) {
  int64_t workgroups = 1;
  size_t rank = place.arraySize(kMaxRank);
  for (size_t i = 0; i < rank && root.ok(); ++i) {
    JsonPlace element = place[i];
    GridDim dim;
    dim.extent = parseExtent(element["extent"]);
    resolve(entry, dim.extent, element["extent"]);
    dim.tile = element["tile"].integer(1, kMaxProgramBytes);
    if (!root.ok())
      return;
    int64_t most = dim.extent.isStatic()
                       ? dim.extent.value
                       : entry.scalars[dim.extent.scalarIndex].max;
    if (__builtin_mul_overflow(workgroups, (most - 1) / dim.tile + 1,
                               &workgroups) ||
        workgroups > kMaxWorkgroups)
      place.fail(absl::StrCat("has more than ", kMaxWorkgroups, " workgroups"));
    dispatch.grid.push_back(std::move(dim));
  }
}

void ProgramParser::parseBindings(Dispatch &dispatch, const JsonPlace &place) {
  if (program.buffers.empty())
    return place.fail("exists, but the program has no buffers");
  int64_t lastBuffer = static_cast<int64_t>(program.buffers.size()) - 1;
  size_t count = place.arraySize(kMaxBindings);
  dispatch.bindings.reserve(count);
  for (size_t i = 0; i < count && root.ok(); ++i) {
    JsonPlace element = place[i];
    Binding binding;
    binding.buffer = static_cast<int>(element["buffer"].integer(0, lastBuffer));
    const Buffer &buffer = program.buffers[binding.buffer];
    bool isPort =
        buffer.kind == BufferKind::Input || buffer.kind == BufferKind::Output;
    if (isPort && buffer.entry != currentEntry)
      element["buffer"].fail(absl::StrCat("is '", buffer.name,
                                          "', which this entry does not list"));
    binding.offset = element["offset"].integer(0, kMaxProgramBytes);
    binding.dtype = buffer.dtype;
    if (element.has("dtype"))
      binding.dtype = parseElementType(element["dtype"]);
    if (element.has("bytes"))
      binding.bytes = element["bytes"].integer(0, kMaxProgramBytes);
    if (binding.offset >= buffer.maxBytes ||
        binding.bytes > buffer.maxBytes - binding.offset)
      element.fail(absl::StrCat("reaches from byte ", binding.offset,
                                " outside of buffer '", buffer.name,
                                "', which has ", buffer.maxBytes, " bytes"));
    else if (binding.offset % byteSize(binding.dtype) != 0)
      element["offset"].fail("is not aligned to the element type");
    dispatch.bindings.push_back(binding);
  }
}

void ProgramParser::parseWrites(Dispatch &dispatch, const JsonPlace &place) {
  int64_t bindingCount = static_cast<int64_t>(dispatch.bindings.size());
  size_t count = place.arraySize(kMaxBindings);
  std::vector<bool> seen(dispatch.bindings.size());
  for (size_t i = 0; i < count && root.ok(); ++i) {
    int64_t index = place[i].integer(0, bindingCount - 1);
    if (!root.ok())
      return;
    const Buffer &buffer = program.buffers[dispatch.bindings[index].buffer];
    if (buffer.kind == BufferKind::Constant || buffer.kind == BufferKind::Input)
      place[i].fail(absl::StrCat("writes to '", buffer.name,
                                 "', a buffer of "
                                 "kind ",
                                 name(buffer.kind)));
    if (seen[index])
      place[i].fail("repeats a binding");
    seen[index] = true;
    dispatch.writes.push_back(static_cast<int>(index));
  }
}

CostPolynomial ProgramParser::parseCost(const Entry &entry,
                                        const JsonPlace &place) {
  CostPolynomial polynomial;
  size_t count = place.arraySize(kMaxCostTerms);
  for (size_t i = 0; i < count && root.ok(); ++i) {
    JsonPlace element = place[i];
    size_t factors = element.arraySize(kMaxCostFactors);
    if (factors == 0)
      element.fail("has no coefficient");
    CostTerm term;
    term.coefficient =
        element[size_t{0}].integer(0, std::numeric_limits<int64_t>::max());
    for (size_t j = 1; j < factors && root.ok(); ++j)
      term.scalars.push_back(findScalar(entry, element[j]));
    polynomial.push_back(std::move(term));
  }
  return polynomial;
}

} // namespace t6
