//===- Checker.cpp - Kernels against their references ---------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "runtime/engine/Checker.h"

#include "runtime/engine/Executor.h"
#include "runtime/engine/RandomFill.h"
#include "runtime/io/Half.h"

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>

namespace t6 {
namespace {

double elementAt(DType dtype, const char *data, int64_t index) {
  auto load = [&](auto value) {
    std::memcpy(&value, data + index * sizeof(value), sizeof(value));
    return value;
  };
  switch (dtype) {
  case DType::F32:
    return load(float{});
  case DType::BF16:
    return bf16ToF32(load(uint16_t{}));
  case DType::F16:
    return f16ToF32(load(uint16_t{}));
  case DType::I32:
    return load(int32_t{});
  case DType::I64:
    return double(load(int64_t{}));
  default:
    return load(uint8_t{});
  }
}

bool isFloat(DType dtype) {
  return dtype == DType::F32 || dtype == DType::BF16 || dtype == DType::F16;
}

/// The bytes that a binding stands for, and how to read them.
struct Region {
  int64_t begin = 0; ///< In the buffer.
  int64_t bytes = 0;
  DType dtype = DType::F32;
};

class Checker {
public:
  Checker(std::shared_ptr<const Artifact> artifact, const CheckOptions &options)
      : artifact(std::move(artifact)), options(options) {}
  absl::StatusOr<CheckReport> run();

private:
  const Program &program() const { return artifact->program(); }
  absl::Status makeParams();
  absl::Status checkEntry(int entry);
  absl::Status startEntry(int entry);
  std::vector<std::vector<int32_t>> integerInputs(int entry);
  bool checkDispatch(int entry, int index);
  Region region(int entry, const Binding &binding) const;

  std::shared_ptr<const Artifact> artifact;
  CheckOptions options;
  std::unique_ptr<Executor> optimized;
  std::unique_ptr<Executor> reference;
  HostMemory params;
  CheckReport report;
};

absl::Status Checker::makeParams() {
  int64_t bytes = 0;
  for (const Buffer &buffer : program().buffers)
    if (buffer.kind == BufferKind::Param)
      bytes += alignBuffer(buffer.maxBytes);
  absl::StatusOr<HostMemory> memory =
      HostMemory::allocate(bytes, "the random weights");
  if (!memory.ok())
    return memory.status();
  params = *std::move(memory);
  char *next = params.data();
  for (size_t i = 0; i < program().buffers.size(); ++i) {
    const Buffer &buffer = program().buffers[i];
    if (buffer.kind != BufferKind::Param)
      continue;
    // Keeps the variance of a product with unit-variance activations at one.
    // Integers do so together with their scales.
    const Buffer &matrix =
        buffer.scales.empty() ? buffer : program().buffers[buffer.partner];
    double fanIn = matrix.shape.empty() ? 1 : double(matrix.shape.back().value);
    double amplitude = std::sqrt(3 / fanIn);
    if (buffer.partner >= 0)
      amplitude = buffer.dtype == DType::I8 ? 1 : amplitude / 127;
    fillUniform(reference->threadPool(), buffer.dtype, next,
                buffer.maxBytes / byteSize(buffer.dtype),
                seedFor(options.seed, buffer.name), amplitude);
    optimized->bindParam(static_cast<int>(i), next);
    reference->bindParam(static_cast<int>(i), next);
    next += alignBuffer(buffer.maxBytes);
  }
  return absl::OkStatus();
}

/// The scalars of a check: sizes by the options, ends at their maximum.
static std::vector<int64_t> chooseScalars(const Entry &entry, int64_t length) {
  std::vector<int64_t> values = maxScalars(entry);
  for (size_t i = 0; i < values.size(); ++i)
    if (entry.scalars[i].source == Scalar::Source::Dim && length > 0)
      values[i] = std::min(values[i], length);
  return values;
}

std::vector<std::vector<int32_t>> Checker::integerInputs(int entryIndex) {
  const Entry &entry = program().entries[entryIndex];
  std::vector<int64_t> scalars = chooseScalars(entry, options.length);
  std::vector<std::vector<int32_t>> values(entry.inputs.size());
  for (size_t i = 0; i < entry.inputs.size(); ++i) {
    const Buffer &buffer = program().buffers[entry.inputs[i].buffer];
    int64_t elements = 1;
    for (const Extent &extent : buffer.shape)
      elements *= extent.at(scalars);
    if (buffer.dtype != DType::I32)
      continue;
    int64_t low = buffer.hasRange ? buffer.rangeLow : 0;
    int64_t high = buffer.hasRange ? buffer.rangeHigh.at(scalars) : 1;
    // What an end is derived from must leave room for what is added to it.
    for (const Scalar &scalar : entry.scalars)
      if (scalar.source == Scalar::Source::End && size_t(scalar.input) == i) {
        low = std::max<int64_t>(low, 0);
        int64_t room = scalar.max - scalar.plus.at(scalars) + 1;
        high = buffer.hasRange ? std::min(high, room) : room;
      }
    values[i].resize(elements);
    fillIntegers(values[i].data(), elements,
                 seedFor(options.seed, entry.inputs[i].name), low,
                 std::max(high, low + 1));
  }
  return values;
}

absl::Status Checker::startEntry(int entryIndex) {
  const Entry &entry = program().entries[entryIndex];
  std::vector<int64_t> scalars = chooseScalars(entry, options.length);
  std::vector<std::vector<int32_t>> integers = integerInputs(entryIndex);
  std::vector<std::vector<char>> others(entry.inputs.size());
  std::vector<TensorView> inputs(entry.inputs.size());
  for (size_t i = 0; i < inputs.size(); ++i) {
    const Buffer &buffer = program().buffers[entry.inputs[i].buffer];
    TensorView &view = inputs[i];
    view.dtype = buffer.dtype;
    for (const Extent &extent : buffer.shape)
      view.shape.push_back(extent.at(scalars));
    view.bytes = view.elements() * byteSize(view.dtype);
    view.data = integers[i].data();
    if (buffer.dtype == DType::I32)
      continue;
    others[i].resize(view.bytes);
    view.data = others[i].data();
    uint64_t seed = seedFor(options.seed, entry.inputs[i].name);
    if (buffer.dtype == DType::I64)
      fillBits(reinterpret_cast<uint64_t *>(others[i].data()), view.elements(),
               seed);
    else
      fillUniform(reference->threadPool(), buffer.dtype, others[i].data(),
                  view.elements(), seed, 1);
  }
  for (Executor *executor : {optimized.get(), reference.get()}) {
    absl::Status status = executor->begin(entryIndex, inputs);
    if (!status.ok())
      return status;
    for (size_t i = 0; i < program().buffers.size(); ++i) {
      const Buffer &buffer = program().buffers[i];
      if (buffer.kind == BufferKind::State)
        fillUniform(executor->threadPool(), buffer.dtype,
                    executor->bufferData(static_cast<int>(i)),
                    buffer.maxBytes / byteSize(buffer.dtype),
                    seedFor(options.seed, buffer.name), 1);
    }
  }
  return absl::OkStatus();
}

Region Checker::region(int entryIndex, const Binding &binding) const {
  const Buffer &buffer = program().buffers[binding.buffer];
  Region result;
  result.begin = binding.offset;
  result.bytes = buffer.maxBytes - binding.offset;
  result.dtype = binding.dtype;
  if (binding.bytes > 0) {
    result.bytes = binding.bytes;
  } else if (buffer.kind == BufferKind::Arena) {
    // Without a size, what lies there ends where the next thing begins.
    for (const Dispatch &dispatch : program().entries[entryIndex].dispatches)
      for (const Binding &other : dispatch.bindings)
        if (other.buffer == binding.buffer && other.offset > binding.offset)
          result.bytes = std::min(result.bytes, other.offset - binding.offset);
  }
  // An arena is bytes; what it holds without further word is f32.
  if (buffer.kind == BufferKind::Arena && binding.dtype == DType::U8)
    result.dtype = binding.offset % 4 == 0 ? DType::F32 : DType::BF16;
  result.bytes -= result.bytes % byteSize(result.dtype);
  return result;
}

bool Checker::checkDispatch(int entryIndex, int index) {
  const Entry &entry = program().entries[entryIndex];
  const Dispatch &dispatch = entry.dispatches[index];
  std::vector<Region> regions;
  std::vector<std::vector<char>> before;
  auto bytesOf = [&](Executor &executor, size_t write) {
    int buffer = dispatch.bindings[dispatch.writes[write]].buffer;
    return static_cast<char *>(executor.bufferData(buffer)) +
           regions[write].begin;
  };
  for (size_t i = 0; i < dispatch.writes.size(); ++i) {
    regions.push_back(
        region(entryIndex, dispatch.bindings[dispatch.writes[i]]));
    const char *data = bytesOf(*reference, i);
    before.emplace_back(data, data + regions[i].bytes);
  }
  optimized->runDispatch(entryIndex, index);
  reference->runDispatch(entryIndex, index);
  ++report.dispatches;
  bool inexact = false;
  for (size_t i = 0; i < regions.size(); ++i) {
    char *actual = bytesOf(*optimized, i);
    const char *expected = bytesOf(*reference, i);
    size_t bytes = regions[i].bytes;
    DType dtype = regions[i].dtype;
    int64_t worst = 0;
    double nmse = nmseOfChanged(dtype, {actual, bytes}, {expected, bytes},
                                before[i], &worst);
    const Kernel &kernel = program().kernels[dispatch.kernel];
    bool isExact = dtype == DType::F32 && !kernel.roundsToBf16;
    double bound = isExact ? options.maxNmseF32 : options.maxNmseBf16;
    if (!(nmse <= bound)) {
      const Binding &binding = dispatch.bindings[dispatch.writes[i]];
      report.divergences.push_back(
          {entry.name, index, dispatch.label, kernel.symbol,
           program().buffers[binding.buffer].name, worst,
           elementAt(dtype, actual, worst), elementAt(dtype, expected, worst),
           nmse, bound});
      return false;
    }
    inexact |= nmse > 0;
    if (nmse > report.worstNmse) {
      report.worstNmse = nmse;
      report.worstLabel = absl::StrCat(entry.name, "/", dispatch.label);
    }
    std::memcpy(actual, expected, bytes);
  }
  report.inexact += inexact;
  return true;
}

absl::Status Checker::checkEntry(int entry) {
  absl::Status status = startEntry(entry);
  if (!status.ok())
    return status;
  int count = static_cast<int>(program().entries[entry].dispatches.size());
  for (int i = 0; i < count; ++i)
    if (!checkDispatch(entry, i))
      break;
  return absl::OkStatus();
}

absl::StatusOr<CheckReport> Checker::run() {
  int wanted = program().findEntry(options.entry);
  if (!options.entry.empty() && wanted < 0)
    return absl::InvalidArgumentError(
        absl::StrCat(artifact->path(), ": has no entry '", options.entry,
                     "'. HINT: `t6 info` lists its entries"));
  for (KernelSet set : {KernelSet::Reference, KernelSet::Optimized}) {
    absl::StatusOr<std::unique_ptr<Executor>> executor =
        Executor::create(artifact, {options.threads, set});
    if (!executor.ok())
      return executor.status();
    (set == KernelSet::Reference ? reference : optimized) =
        *std::move(executor);
  }
  absl::Status status = makeParams();
  int count = static_cast<int>(program().entries.size());
  for (int entry = 0; entry < count && status.ok(); ++entry)
    if (options.entry.empty() || entry == wanted)
      status = checkEntry(entry);
  if (!status.ok())
    return status;
  return std::move(report);
}

} // namespace

absl::StatusOr<CheckReport> check(std::shared_ptr<const Artifact> artifact,
                                  const CheckOptions &options) {
  return Checker(std::move(artifact), options).run();
}

std::string Divergence::toString() const {
  return absl::StrFormat(
      "%s: dispatch %d (%s, kernel '%s') diverges from its reference in '%s': "
      "error %.3g, more than %.3g, worst at element %d with %.7g in place of "
      "%.7g",
      entry, dispatch, label, symbol, buffer, nmse, bound, element, actual,
      expected);
}

double nmseOfChanged(DType dtype, absl::Span<const char> actual,
                     absl::Span<const char> expected,
                     absl::Span<const char> before, int64_t *worst) {
  constexpr double kInfinite = std::numeric_limits<double>::infinity();
  *worst = 0;
  if (std::memcmp(actual.data(), expected.data(), actual.size()) == 0)
    return 0;
  size_t size = byteSize(dtype);
  double error = 0, power = 0, largest = -1;
  for (size_t i = 0; i < actual.size() / size; ++i) {
    size_t at = i * size;
    bool same = std::memcmp(&actual[at], &expected[at], size) == 0;
    if (same && std::memcmp(&expected[at], &before[at], size) == 0)
      continue;
    double a = elementAt(dtype, actual.data(), i);
    double b = elementAt(dtype, expected.data(), i);
    bool bothNan = std::isnan(a) && std::isnan(b);
    if (!isFloat(dtype)
            ? !same
            : !bothNan && a != b && (!std::isfinite(a) || !std::isfinite(b))) {
      *worst = static_cast<int64_t>(i);
      return kInfinite;
    }
    if (bothNan || !std::isfinite(b))
      continue;
    double difference = (a - b) * (a - b);
    error += difference;
    power += b * b;
    if (difference > largest) {
      largest = difference;
      *worst = static_cast<int64_t>(i);
    }
  }
  if (error == 0)
    return 0;
  return power == 0 ? kInfinite : error / power;
}

} // namespace t6
