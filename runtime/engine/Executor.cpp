//===- Executor.cpp - Runs the entries of an artifact ---------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "runtime/engine/Executor.h"

#include "runtime/engine/InputReader.h"
#include "runtime/engine/RandomFill.h"

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"

#include <algorithm>
#include <cstring>
#include <time.h>
#include <utility>

namespace t6 {

static bool isPort(const Buffer &buffer) {
  return buffer.kind == BufferKind::Input || buffer.kind == BufferKind::Output;
}

static double now() {
  timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return double(time.tv_sec) + 1e-9 * double(time.tv_nsec);
}

/// Whether even the longest run of `dispatch` is over sooner on one thread than
/// others can be told of it: a microsecond or so, at a cautious 8 bytes and 8
/// operations a nanosecond. A dispatch without a cost counts as long.
static bool isTiny(const Dispatch &dispatch, absl::Span<const int64_t> maxima) {
  constexpr int64_t kTinyBytes = 16 << 10;
  constexpr int64_t kTinyFlops = 16 << 10;
  int64_t read = costAt(dispatch.cost.read, maxima);
  int64_t written = costAt(dispatch.cost.write, maxima);
  return read + written > 0 && read <= kTinyBytes && written <= kTinyBytes &&
         costAt(dispatch.cost.flops, maxima) <= kTinyFlops;
}

absl::StatusOr<std::unique_ptr<Executor>>
Executor::create(std::shared_ptr<const Artifact> artifact,
                 const ExecutorOptions &options) {
  absl::StatusOr<KernelLibrary> library =
      artifact->loadKernels(options.kernels);
  if (!library.ok())
    return library.status();
  std::unique_ptr<Executor> executor(
      new Executor(std::move(artifact), *std::move(library)));
  absl::Status status = executor->initialize(options);
  if (!status.ok())
    return status;
  return executor;
}

absl::Status Executor::initialize(const ExecutorOptions &options) {
  absl::StatusOr<std::unique_ptr<ThreadPool>> threads =
      ThreadPool::create(options.threads);
  if (!threads.ok())
    return threads.status();
  pool = *std::move(threads);
  paramMemory = options.paramMemory;
  addresses.assign(program().buffers.size(), nullptr);
  plans.resize(program().entries.size());
  int64_t bytes = artifact->constantsBytes();
  if (bytes == 0)
    return absl::OkStatus();
  absl::StatusOr<HostMemory> memory =
      HostMemory::allocate(bytes, artifact->path() + ": constants.bin");
  if (!memory.ok())
    return memory.status();
  constants = *std::move(memory);
  absl::Status status = artifact->readConstants(constants.data(), bytes);
  for (size_t i = 0; i < addresses.size(); ++i)
    if (program().buffers[i].kind == BufferKind::Constant)
      addresses[i] = constants.data() + program().buffers[i].offset;
  return status;
}

void Executor::invalidatePlans() {
  for (EntryPlan &plan : plans)
    plan.ready = false;
}

absl::Status
Executor::bindParams(std::shared_ptr<const Checkpoint> checkpoint) {
  absl::StatusOr<BoundParams> bound =
      bindCheckpoint(program(), *checkpoint, *pool, paramMemory);
  if (!bound.ok())
    return bound.status();
  checkpointParams = *std::move(bound);
  weights = std::move(checkpoint);
  for (const BoundParams::Param &param : checkpointParams.params)
    bindParam(param.buffer, param.data);
  return absl::OkStatus();
}

void Executor::bindParam(int buffer, const void *data) {
  // No kernel writes a parameter: the reader of the program has seen to it.
  addresses[buffer] = const_cast<void *>(data);
  invalidatePlans();
}

void Executor::resetState() {
  const Program &program = artifact->program();
  for (size_t i = 0; i < program.buffers.size(); ++i) {
    const Buffer &buffer = program.buffers[i];
    if (buffer.kind == BufferKind::State && buffer.param.empty() &&
        addresses[i])
      std::memset(addresses[i], 0, buffer.maxBytes);
  }
}

int64_t Executor::stateBytes() const {
  int64_t bytes = 0;
  for (const Buffer &buffer : artifact->program().buffers)
    if (buffer.kind == BufferKind::State)
      bytes += buffer.maxBytes;
  return bytes;
}

/// The buffers that `entry` alone needs memory for: its arena and ports.
static std::vector<int> ownBuffers(const Program &program, const Entry &entry) {
  std::vector<int> own;
  std::vector<bool> seen(program.buffers.size());
  auto add = [&](int index) {
    const Buffer &buffer = program.buffers[index];
    if (!seen[index] && (buffer.kind == BufferKind::Arena || isPort(buffer)))
      own.push_back(index);
    seen[index] = true;
  };
  for (const Port &port : entry.inputs)
    add(port.buffer);
  for (const Port &port : entry.outputs)
    add(port.buffer);
  for (const Dispatch &dispatch : entry.dispatches)
    for (const Binding &binding : dispatch.bindings)
      add(binding.buffer);
  return own;
}

absl::Status Executor::place(absl::Span<const int> buffers, HostMemory &memory,
                             absl::string_view label) {
  int64_t bytes = 0;
  for (int index : buffers)
    if (!addresses[index])
      bytes += alignBuffer(program().buffers[index].maxBytes);
  if (bytes == 0)
    return absl::OkStatus();
  absl::StatusOr<HostMemory> block =
      HostMemory::allocate(bytes, absl::StrCat(artifact->path(), ": ", label));
  if (!block.ok())
    return block.status();
  memory = *std::move(block);
  char *next = memory.data();
  for (int index : buffers) {
    if (addresses[index])
      continue;
    addresses[index] = next;
    next += alignBuffer(program().buffers[index].maxBytes);
  }
  return absl::OkStatus();
}

absl::Status Executor::allocateState() {
  std::vector<int> shared;
  for (size_t i = 0; i < addresses.size(); ++i)
    if (program().buffers[i].kind == BufferKind::State)
      shared.push_back(static_cast<int>(i));
  return place(shared, state, "the state");
}

absl::Status Executor::fillState(uint64_t seed) {
  absl::Status status = allocateState();
  if (!status.ok())
    return status;
  for (size_t i = 0; i < addresses.size(); ++i) {
    const Buffer &buffer = program().buffers[i];
    if (buffer.kind == BufferKind::State)
      fillUniform(*pool, buffer.dtype, addresses[i],
                  buffer.maxBytes / byteSize(buffer.dtype),
                  seedFor(seed, buffer.name), 0.25);
  }
  return absl::OkStatus();
}

absl::Status Executor::allocate(int entry, EntryPlan &plan) {
  // The state belongs to all entries, so the first brings all of it.
  absl::Status status = allocateState();
  if (!status.ok())
    return status;
  const Entry &what = program().entries[entry];
  return place(ownBuffers(program(), what), plan.memory,
               absl::StrCat("entry '", what.name, "'"));
}

absl::Status Executor::checkBound(int entry) const {
  const Program &program = artifact->program();
  if (weights && paramMemory == ParamMemory::Mapped &&
      program.entries[entry].updatesParams(program.buffers))
    return absl::FailedPreconditionError(absl::StrCat(
        "entry '", program.entries[entry].name, "' of ", artifact->path(),
        " updates parameters, which are mapped from their file. HINT: copy "
        "them "
        "(--copy-weights)"));
  for (const Dispatch &dispatch : program.entries[entry].dispatches)
    for (const Binding &binding : dispatch.bindings)
      if (!addresses[binding.buffer])
        return absl::FailedPreconditionError(absl::StrCat(
            "entry '", program.entries[entry].name, "' of ", artifact->path(),
            " needs the parameter '", program.buffers[binding.buffer].name,
            "', which has no value. HINT: give the weights with --weights"));
  return absl::OkStatus();
}

void Executor::wire(int entry, EntryPlan &plan) {
  const Entry &what = program().entries[entry];
  size_t pointerCount = 0, scalarCount = 0;
  for (const Dispatch &dispatch : what.dispatches) {
    pointerCount += dispatch.bindings.size();
    scalarCount += dispatch.scalars.size();
  }
  plan.pointers.assign(pointerCount, nullptr);
  plan.scalarSlots.assign(scalarCount, 0);
  plan.scalars = maxScalars(what);
  plan.dispatches.clear();
  void **pointer = plan.pointers.data();
  int64_t *scalar = plan.scalarSlots.data();
  for (const Dispatch &dispatch : what.dispatches) {
    DispatchPlan wired;
    wired.function = library.kernels()[dispatch.kernel];
    wired.dispatch = &dispatch;
    wired.bindings = {pointer, scalar};
    wired.scalars = scalar;
    wired.serial = isTiny(dispatch, plan.scalars);
    for (const Binding &binding : dispatch.bindings)
      *pointer++ =
          static_cast<char *>(addresses[binding.buffer]) + binding.offset;
    scalar += dispatch.scalars.size();
    plan.dispatches.push_back(wired);
  }
  plan.outputs.resize(what.outputs.size());
  for (size_t i = 0; i < what.outputs.size(); ++i) {
    const Buffer &buffer = program().buffers[what.outputs[i].buffer];
    TensorView &view = plan.outputs[i];
    view.dtype = buffer.dtype;
    view.shape.resize(buffer.shape.size());
    view.data = addresses[what.outputs[i].buffer];
  }
  shapeOutputs(entry);
}

void Executor::shapeOutputs(int entry) {
  const Entry &what = program().entries[entry];
  EntryPlan &plan = plans[entry];
  for (size_t i = 0; i < what.outputs.size(); ++i) {
    const Buffer &buffer = program().buffers[what.outputs[i].buffer];
    TensorView &view = plan.outputs[i];
    for (size_t axis = 0; axis < buffer.shape.size(); ++axis)
      view.shape[axis] = buffer.shape[axis].at(plan.scalars);
    view.bytes = view.elements() * byteSize(view.dtype);
  }
}

absl::Status Executor::prepare(int entry) {
  EntryPlan &plan = plans[entry];
  if (plan.ready)
    return absl::OkStatus();
  absl::Status status = allocate(entry, plan);
  if (status.ok())
    status = checkBound(entry);
  if (!status.ok())
    return status;
  wire(entry, plan);
  plan.ready = true;
  return absl::OkStatus();
}

absl::Status Executor::begin(int entry, absl::Span<const TensorView> inputs) {
  absl::Status status = prepare(entry);
  if (!status.ok())
    return status;
  EntryPlan &plan = plans[entry];
  status = readInputs(program(), program().entries[entry], inputs, addresses,
                      absl::MakeSpan(plan.scalars));
  if (status.ok())
    shapeOutputs(entry);
  return status;
}

int64_t Executor::dispatchOnce(const DispatchPlan &plan,
                               absl::Span<const int64_t> values) {
  const std::vector<int> &names = plan.dispatch->scalars;
  for (size_t i = 0; i < names.size(); ++i)
    plan.scalars[i] = values[names[i]];
  int64_t workgroups = workgroupsAt(*plan.dispatch, values);
  t6_kernel_fn function = plan.function;
  const t6_bindings *bindings = &plan.bindings;
  if (plan.serial)
    for (int64_t workgroup = 0; workgroup < workgroups; ++workgroup)
      function(bindings, workgroup);
  else
    pool->parallelFor(workgroups, [function, bindings](int64_t workgroup) {
      function(bindings, workgroup);
    });
  return workgroups;
}

void Executor::runDispatch(int entry, int index) {
  const EntryPlan &plan = plans[entry];
  dispatchOnce(plan.dispatches[index], plan.scalars);
}

void Executor::profiled(int entry, int index) {
  const EntryPlan &plan = plans[entry];
  const Dispatch &dispatch = *plan.dispatches[index].dispatch;
  double start = now();
  int64_t workgroups = dispatchOnce(plan.dispatches[index], plan.scalars);
  double seconds = now() - start;
  profiler(DispatchEvent{program().entries[entry], index, dispatch,
                         program().kernels[dispatch.kernel].symbol, workgroups,
                         seconds, costAt(dispatch.cost.read, plan.scalars),
                         costAt(dispatch.cost.write, plan.scalars),
                         costAt(dispatch.cost.flops, plan.scalars)});
}

absl::Status Executor::run(int entry, absl::Span<const TensorView> inputs) {
  absl::Status status = begin(entry, inputs);
  if (!status.ok())
    return status;
  const EntryPlan &plan = plans[entry];
  if (profiler)
    for (size_t i = 0; i < plan.dispatches.size(); ++i)
      profiled(entry, static_cast<int>(i));
  else
    for (const DispatchPlan &dispatch : plan.dispatches)
      dispatchOnce(dispatch, plan.scalars);
  return absl::OkStatus();
}

/// "'a', 'b'", for the hints of wrong names.
template <typename Range> static std::string listNames(const Range &range) {
  return absl::StrJoin(range, ", ", [](std::string *out, const auto &element) {
    absl::StrAppend(out, "'", element.name, "'");
  });
}

absl::Status Executor::run(absl::string_view entryName,
                           const std::map<std::string, TensorView> &inputs,
                           std::map<std::string, TensorView> *outputs) {
  int entry = program().findEntry(entryName);
  if (entry < 0)
    return absl::InvalidArgumentError(absl::StrCat(
        artifact->path(), ": has no entry '", entryName,
        "'. HINT: its entries are ", listNames(program().entries)));
  const Entry &what = program().entries[entry];
  std::vector<TensorView> ordered;
  for (const Port &port : what.inputs) {
    auto found = inputs.find(port.name);
    if (found == inputs.end())
      return absl::InvalidArgumentError(absl::StrCat(
          "entry '", what.name, "': input '", port.name,
          "' is missing. HINT: its inputs are ", listNames(what.inputs)));
    ordered.push_back(found->second);
  }
  for (const auto &input : inputs)
    if (std::none_of(
            what.inputs.begin(), what.inputs.end(),
            [&](const Port &port) { return port.name == input.first; }))
      return absl::InvalidArgumentError(
          absl::StrCat("entry '", what.name, "' has no input '", input.first,
                       "'. HINT: its inputs are ", listNames(what.inputs)));
  absl::Status status = run(entry, ordered);
  if (!status.ok())
    return status;
  for (size_t i = 0; i < what.outputs.size(); ++i)
    (*outputs)[what.outputs[i].name] = plans[entry].outputs[i];
  return absl::OkStatus();
}

} // namespace t6
