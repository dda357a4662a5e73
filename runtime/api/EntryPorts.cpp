//===- EntryPorts.cpp - The standard entries by name ----------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "runtime/api/EntryPorts.h"

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"

#include <algorithm>
#include <utility>

namespace t6 {

static int findPort(const std::vector<Port> &ports, absl::string_view name) {
  for (size_t i = 0; i < ports.size(); ++i)
    if (ports[i].name == name)
      return static_cast<int>(i);
  return -1;
}

absl::StatusOr<EntryPorts>
findEntryPorts(const Artifact &artifact, absl::string_view name,
               absl::Span<const absl::string_view> inputs,
               absl::string_view output) {
  const Program &program = artifact.program();
  EntryPorts ports;
  ports.entry = program.findEntry(name);
  if (ports.entry < 0)
    return absl::FailedPreconditionError(absl::StrCat(
        artifact.path(), ": has no entry '", name,
        "'. HINT: compile the model with all its entries (`t6 info` lists what "
        "is there)"));
  const Entry &entry = program.entries[ports.entry];
  for (absl::string_view input : inputs)
    ports.inputs.push_back(findPort(entry.inputs, input));
  ports.output = findPort(entry.outputs, output);
  bool complete = std::count(ports.inputs.begin(), ports.inputs.end(), -1) == 0;
  if (!complete || ports.output < 0 || entry.inputs.size() != inputs.size())
    return absl::FailedPreconditionError(absl::StrCat(
        artifact.path(), ": the entry '", name, "' does not take ",
        absl::StrJoin(inputs, ", "), " and give ", output,
        ". HINT: run it with `t6 run`, or compile the model again"));
  return ports;
}

absl::StatusOr<AxisLimit> lengthLimit(const Artifact &artifact,
                                      const EntryPorts &ports, int input) {
  const Program &program = artifact.program();
  const Entry &entry = program.entries[ports.entry];
  const Buffer &buffer =
      program.buffers[entry.inputs[ports.inputs[input]].buffer];
  if (buffer.shape.size() != 2)
    return absl::FailedPreconditionError(absl::StrCat(
        artifact.path(), ": the input '",
        entry.inputs[ports.inputs[input]].name, "' of the entry '", entry.name,
        "' is not [batch, length]. HINT: run it with `t6 run`"));
  const Extent &extent = buffer.shape[1];
  return AxisLimit{extent.at(maxScalars(entry)), extent.isStatic()};
}

absl::Status EntryPorts::run(Executor &executor,
                             absl::Span<const TensorView> ordered) const {
  std::vector<TensorView> views(ordered.size());
  for (size_t i = 0; i < ordered.size(); ++i)
    views[inputs[i]] = ordered[i];
  return executor.run(entry, views);
}

absl::StatusOr<const float *>
EntryPorts::floats(const Executor &executor,
                   absl::Span<const int64_t> shape) const {
  const TensorView &view = executor.output(entry, output);
  if (view.dtype != DType::F32 || absl::MakeConstSpan(view.shape) != shape) {
    const Entry &what = executor.program().entries[entry];
    return absl::FailedPreconditionError(
        absl::StrCat("the output '", what.outputs[output].name,
                     "' of the entry '", what.name, "' is ", name(view.dtype),
                     " ", shapeToString(view.shape), " and not F32 ",
                     shapeToString(shape), ". HINT: compile the model again"));
  }
  return static_cast<const float *>(view.data);
}

int64_t sharedPages(const Program &program) {
  if (program.options.pageTokens == 0)
    return 0;
  for (const Entry &entry : program.entries)
    if (int port = findPort(entry.inputs, "pages"); port >= 0) {
      const Buffer &table = program.buffers[entry.inputs[port].buffer];
      // The last page belongs to no row.
      if (table.hasRange && table.rangeHigh.isStatic())
        return std::max<int64_t>(table.rangeHigh.value - 1, 0);
    }
  return 0;
}

TensorView viewOf(absl::Span<const int32_t> data, std::vector<int64_t> shape) {
  TensorView view;
  view.dtype = DType::I32;
  view.shape = std::move(shape);
  view.data = data.data();
  view.bytes = data.size() * sizeof(int32_t);
  return view;
}

} // namespace t6
