//===- TrainingProgram.cpp - The entries of a training step ---------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "runtime/train/TrainingProgram.h"

#include "runtime/engine/MultiplyAddPeak.h"

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"

#include <algorithm>
#include <cmath>
#include <cstring>

namespace t6 {

static constexpr const char *kAccumulate = "accumulate_gradients";
static constexpr const char *kApply = "apply_adamw";
static constexpr const char *kLoss = "loss";

absl::StatusOr<std::unique_ptr<TrainingProgram>>
TrainingProgram::create(Executor &executor) {
  std::unique_ptr<TrainingProgram> created(new TrainingProgram(executor));
  absl::Status status = created->initialize();
  if (!status.ok())
    return status;
  return created;
}

/// The number of an entry; -1 if there is none.
static int entryNamed(const Program &program, absl::string_view name) {
  for (size_t i = 0; i < program.entries.size(); ++i)
    if (program.entries[i].name == name)
      return static_cast<int>(i);
  return -1;
}

static int64_t flopsOf(const Entry &entry) {
  std::vector<int64_t> sizes = maxScalars(entry);
  int64_t flops = 0;
  for (const Dispatch &dispatch : entry.dispatches)
    flops += costAt(dispatch.cost.flops, sizes);
  return flops;
}

absl::Status TrainingProgram::initialize() {
  const Program &program = executor.program();
  for (const char *name : {kAccumulate, kApply, kLoss}) {
    int entry = entryNamed(program, name);
    if (entry < 0)
      return absl::FailedPreconditionError(
          absl::StrCat("the artifact has no entry '", name,
                       "', which training runs. HINT: compile the model with "
                       "tpa-opt --train"));
    absl::Status status = executor.prepare(entry);
    if (!status.ok())
      return status;
  }
  rows = program.options.batch;
  columns = program.options.maxLength;
  // As is usual, the reverse counts twice what the forward pass does, and not
  // what it computes again.
  flopCount = 3 * flopsOf(program.entries[entryNamed(program, kLoss)]);
  for (size_t i = 0; i < program.buffers.size(); ++i) {
    const Buffer &buffer = program.buffers[i];
    bool isParam = buffer.kind == BufferKind::Param;
    if (!isParam && buffer.kind != BufferKind::State)
      continue;
    TensorView view;
    view.dtype = buffer.dtype;
    view.data = executor.bufferData(static_cast<int>(i));
    view.bytes = buffer.maxBytes;
    if (isParam) {
      if (buffer.dtype != DType::F32)
        return absl::FailedPreconditionError(
            absl::StrCat("the parameter '", buffer.name,
                         "' is not in f32, which training "
                         "needs. HINT: compile without --dtype and --weights"));
      view.shape = buffer.storedShape;
      params.push_back({buffer.name, view});
      if (!buffer.tiedTo.empty())
        tied[buffer.tiedTo] = buffer.name;
      continue;
    }

    if (buffer.param.empty())
      continue;
    // As their parameters have it in a checkpoint.
    for (const Buffer &param : program.buffers)
      if (param.kind == BufferKind::Param && param.name == buffer.param)
        view.shape = param.storedShape;
    if (view.elements() * int64_t(sizeof(float)) != buffer.maxBytes ||
        buffer.dtype != DType::F32)
      return absl::FailedPreconditionError(absl::StrCat(
          "the state '", buffer.name, "' is not like the parameter '",
          buffer.param, "'. HINT: the artifact is damaged; compile it again"));
    bool isGradient = absl::StartsWith(buffer.name, "gradient.");
    (isGradient ? gradients : moments).push_back({buffer.name, view});
  }
  fillBuckets();
  return absl::OkStatus();
}

nlohmann::json TrainingProgram::config() const {
  const ModelInfo &model = executor.program().model;
  nlohmann::json told = {{"vocab_size", model.vocabSize},
                         {"layers", model.layers},
                         {"width", model.width}};
  // The names of a model and its function are a definition's own choice: with
  // all keys equal, it is the same model under another name.
  if (nlohmann::json keys = description(); !keys.empty())
    told["model"] = keys;
  else
    told.update({{"name", model.name}, {"attention", model.attention}});
  return told;
}

nlohmann::json TrainingProgram::description() const {
  nlohmann::json keys =
      nlohmann::json::parse(executor.program().model.config, nullptr,
                            /*allow_exceptions=*/false);
  return keys.is_object() ? keys : nlohmann::json::object();
}

double TrainingProgram::measurePeakFlops() {
  return measureMultiplyAddPeak(executor.threadPool());
}

static TensorView integers(absl::Span<const int32_t> values, int64_t rows,
                           int64_t columns) {
  TensorView view;
  view.dtype = DType::I32;
  view.shape = {rows, columns};
  view.data = values.data();
  view.bytes = values.size() * sizeof(int32_t);
  return view;
}

absl::StatusOr<float>
TrainingProgram::lossOf(const char *entry, absl::Span<const int32_t> inputs,
                        absl::Span<const int32_t> targets) {
  std::map<std::string, TensorView> outputs;
  absl::Status status =
      executor.run(entry,
                   {{"tokens", integers(inputs, rows, columns)},
                    {"targets", integers(targets, rows, columns)}},
                   &outputs);
  if (!status.ok())
    return status;
  return *static_cast<const float *>(outputs.at("loss").data);
}

absl::StatusOr<float>
TrainingProgram::accumulate(absl::Span<const int32_t> inputs,
                            absl::Span<const int32_t> targets) {
  return lossOf(kAccumulate, inputs, targets);
}

absl::StatusOr<float>
TrainingProgram::evaluate(absl::Span<const int32_t> inputs,
                          absl::Span<const int32_t> targets) {
  return lossOf(kLoss, inputs, targets);
}

/// Messages of a MB cost little more than their bytes, and there are several,
/// so that most are under way before the last gradient is known.
static constexpr size_t kBucketElements = size_t{1} << 18;
/// What the alignment of buffers leaves between two of them, at most.
static constexpr ptrdiff_t kMaxGap = 64;

void TrainingProgram::fillBuckets() {
  const Program &program = executor.program();
  const Entry &entry = program.entries[entryNamed(program, kAccumulate)];
  std::map<absl::string_view, int> lastUse;
  for (size_t i = 0; i < entry.dispatches.size(); ++i)
    for (const Binding &binding : entry.dispatches[i].bindings)
      lastUse[program.buffers[binding.buffer].name] = static_cast<int>(i);
  std::vector<const NamedTensor *> ordered;
  for (const NamedTensor &gradient : gradients)
    ordered.push_back(&gradient);
  std::sort(ordered.begin(), ordered.end(), [](auto *left, auto *right) {
    return left->tensor.data < right->tensor.data;
  });
  for (const NamedTensor *gradient : ordered) {
    auto *data =
        static_cast<float *>(const_cast<void *>(gradient->tensor.data));
    size_t elements = static_cast<size_t>(gradient->tensor.elements());
    int ready = lastUse[gradient->name];
    Bucket *last = buckets.empty() ? nullptr : &buckets.back();
    ptrdiff_t gap =
        last ? (reinterpret_cast<char *>(data) -
                reinterpret_cast<char *>(last->data + last->elements))
             : kMaxGap + 1;
    if (gap > kMaxGap || last->elements + elements > kBucketElements) {
      buckets.push_back({data, elements, ready, gradient->name});
      continue;
    }
    last->elements = static_cast<size_t>(data - last->data) + elements;
    last->readyAfter = std::max(last->readyAfter, ready);
    absl::StrAppend(&last->names, " ", gradient->name);
  }
  std::sort(buckets.begin(), buckets.end(),
            [](const Bucket &left, const Bucket &right) {
              return std::make_pair(left.readyAfter, left.data) <
                     std::make_pair(right.readyAfter, right.data);
            });
}

std::vector<std::string> TrainingProgram::sumOrder() const {
  std::vector<std::string> order;
  for (const Bucket &bucket : buckets)
    order.push_back(absl::StrCat(bucket.elements, ": ", bucket.names));
  return order;
}

absl::StatusOr<float>
TrainingProgram::accumulateAndSum(absl::Span<const int32_t> inputs,
                                  absl::Span<const int32_t> targets,
                                  Communicator &ranks) {
  if (ranks.size() == 1)
    return accumulate(inputs, targets);
  int number = entryNamed(executor.program(), kAccumulate);
  const Entry &entry = executor.program().entries[number];
  std::vector<TensorView> ordered;
  for (const Port &port : entry.inputs)
    ordered.push_back(
        integers(port.name == "tokens" ? inputs : targets, rows, columns));
  absl::Status status = executor.begin(number, ordered);
  if (!status.ok())
    return status;
  size_t next = 0;
  for (size_t i = 0; i < entry.dispatches.size(); ++i) {
    executor.runDispatch(number, static_cast<int>(i));
    for (; next < buckets.size() &&
           buckets[next].readyAfter == static_cast<int>(i);
         ++next)
      if (status = ranks.begin(
              absl::MakeSpan(buckets[next].data, buckets[next].elements));
          !status.ok())
        return status;
    // MPI works on what was begun only while it is called.
    if (next > 0)
      ranks.progress();
  }
  if (status = ranks.finish(); !status.ok())
    return status;
  for (size_t i = 0; i < entry.outputs.size(); ++i)
    if (entry.outputs[i].name == "loss")
      return *static_cast<const float *>(
          executor.output(number, static_cast<int>(i)).data);
  return absl::InternalError("the training entry has no output 'loss'");
}

absl::StatusOr<StepNorms> TrainingProgram::apply(const AdamwStep &step) {
  double number = static_cast<double>(step.number);
  const std::pair<const char *, double> values[] = {
      {"learning_rate", step.learningRate},
      {"beta1", step.beta1},
      {"beta2", step.beta2},
      {"epsilon", step.epsilon},
      {"weight_decay", step.matrixDecay},
      {"vector_weight_decay", step.vectorDecay},
      {"gradient_scale", step.gradientScale},
      {"max_norm", step.maxNorm},
      {"bias_correction1", -std::expm1(number * std::log(step.beta1))},
      {"bias_correction2", -std::expm1(number * std::log(step.beta2))}};
  float numbers[std::size(values)];
  std::map<std::string, TensorView> inputs, outputs;
  for (size_t i = 0; i < std::size(values); ++i) {
    numbers[i] = static_cast<float>(values[i].second);
    TensorView view;
    view.dtype = DType::F32;
    view.shape = {1};
    view.data = &numbers[i];
    view.bytes = sizeof(float);
    inputs[values[i].first] = view;
  }
  absl::Status status = executor.run(kApply, inputs, &outputs);
  if (!status.ok())
    return status;
  auto output = [&](const char *name) {
    return double(*static_cast<const float *>(outputs.at(name).data));
  };
  return StepNorms{output("gradient_norm"), output("parameter_norm"),
                   output("moment_norm"), output("second_moment_norm")};
}

absl::Status TrainingProgram::restore(const TrainingCheckpoint &checkpoint) {
  for (auto *tensors : {&params, &moments})
    for (NamedTensor &own : *tensors) {
      absl::StatusOr<TensorView> saved =
          checkpoint.tensor({own.name, own.tensor.dtype, own.tensor.shape});
      if (!saved.ok())
        return saved.status();
      std::memcpy(const_cast<void *>(own.tensor.data), saved->data,
                  own.tensor.bytes);
    }
  return absl::OkStatus();
}

absl::Status TrainingProgram::restore(ReferenceCheckpoint &checkpoint) {
  return checkpoint.restore(params, moments);
}

absl::Status TrainingProgram::broadcast(Communicator &ranks) {
  for (auto *tensors : {&params, &moments})
    for (NamedTensor &own : *tensors) {
      auto *bytes = static_cast<char *>(const_cast<void *>(own.tensor.data));
      absl::Status status = ranks.broadcast(
          absl::MakeSpan(bytes, static_cast<size_t>(own.tensor.bytes)));
      if (!status.ok())
        return status;
    }
  return absl::OkStatus();
}

std::string TrainingProgram::firstNotFinite() const {
  for (auto *tensors : {&params, &gradients})
    for (const NamedTensor &entry : *tensors) {
      auto *values = static_cast<const float *>(entry.tensor.data);
      if (!std::all_of(values, values + entry.tensor.elements(),
                       [](float value) { return std::isfinite(value); }))
        return entry.name;
    }
  return "";
}

} // namespace t6
