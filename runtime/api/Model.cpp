//===- Model.cpp - Models: opening, weights, statistics -------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "runtime/api/Model.h"

#include "runtime/api/Status.h"
#include "runtime/distributed/LaunchEnvironment.h"
#include "runtime/engine/Quantize.h"
#include "runtime/engine/RandomFill.h"
#include "runtime/io/Checkpoint.h"

#include <string>
#include <utility>
#include <vector>

using namespace t6;

absl::Status t6_model::load() {
  if (executor)
    return absl::OkStatus();
  ExecutorOptions options;
  options.threads = threads;
  // Variables that make no sense matter where ranks do: in t6_train().
  if (absl::StatusOr<LaunchEnvironment> environment = readLaunchEnvironment();
      threads == 0 && environment.ok())
    options.threads = threadsOfRank(*environment, ThreadPool::availableCpus());
  options.paramMemory = copyWeights ? ParamMemory::Copied : ParamMemory::Mapped;
  absl::StatusOr<std::unique_ptr<Executor>> made =
      Executor::create(artifact, options);
  if (!made.ok())
    return made.status();
  executor = *std::move(made);
  hasOutputs.assign(program().entries.size(), false);
  return absl::OkStatus();
}

absl::Status t6_model::ready() {
  if (!hasWeights && bytesOfKind(program(), BufferKind::Param) > 0)
    return absl::InvalidArgumentError(absl::StrCat(
        artifact->path(), " has parameters, and no weights have been loaded. "
                          "HINT: give them with --weights model.safetensors"));
  measuredDepth = -1;
  return load();
}

int64_t t6::cacheBytes(const Program &program) {
  int64_t bytes = 0;
  for (const Buffer &buffer : program.buffers)
    if (buffer.kind == BufferKind::State && buffer.param.empty())
      bytes += buffer.maxBytes;
  return bytes;
}

int64_t t6::bytesOfKind(const Program &program, BufferKind kind) {
  // The parser has checked that the sum fits.
  int64_t bytes = 0;
  for (const Buffer &buffer : program.buffers)
    if (buffer.kind == kind)
      bytes += buffer.maxBytes;
  return bytes;
}

static absl::Status checkDevice(absl::string_view device) {
  if (device == "cpu" || device == "auto")
    return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrCat("there is no device '", device,
                   "' in this build. HINT: --device cpu, or leave it out"));
}

void t6_model_options_init(t6_model_options *options) {
  *options = {};
  options->struct_size = sizeof(*options);
  options->device = "auto";
}

t6_status *t6_model_open(const char *path, const t6_model_options *given,
                         t6_model **model) {
  if (!path || !model)
    return nullArgument(path ? "model" : "path");
  absl::StatusOr<t6_model_options> options =
      readOptions(given, t6_model_options_init);
  T6_RETURN_IF_ERROR(options.status());
  T6_RETURN_IF_ERROR(checkDevice(options->device ? options->device : "auto"));
  absl::StatusOr<std::shared_ptr<const Artifact>> artifact =
      Artifact::open(path);
  T6_RETURN_IF_ERROR(artifact.status());
  auto opened = std::make_unique<t6_model>();
  opened->artifact = *std::move(artifact);
  opened->threads = options->threads;
  opened->copyWeights = options->copy_weights != 0;
  *model = opened.release();
  return nullptr;
}

void t6_model_close(t6_model *model) { delete model; }

t6_status *t6_model_load_weights(t6_model *model, const char *const *paths,
                                 size_t count) {
  if (!model || (count > 0 && !paths))
    return nullArgument(model ? "paths" : "model");
  absl::StatusOr<std::unique_ptr<Checkpoint>> checkpoint =
      Checkpoint::open(std::vector<std::string>(paths, paths + count));
  T6_RETURN_IF_ERROR(checkpoint.status());
  T6_RETURN_IF_ERROR(model->load());
  // A failure leaves some parameters of the old weights and some of the new.
  model->hasWeights = false;
  model->measuredDepth = -1;
  T6_RETURN_IF_ERROR(model->executor->bindParams(*std::move(checkpoint)));
  model->randomWeights = HostMemory();
  model->hasWeights = true;
  return nullptr;
}

/// Fills an i8 param and its scales with what fillParam gives an f32 one, so
/// that random models differ by quantisation alone.
static absl::Status fillQuantized(ThreadPool &pool, const Buffer &param,
                                  int8_t *values, float *scales,
                                  uint64_t seed) {
  Buffer full = param;
  full.dtype = DType::F32;
  full.maxBytes = param.maxBytes * int64_t{sizeof(float)};
  absl::StatusOr<HostMemory> memory =
      HostMemory::allocate(full.maxBytes, "random weights");
  if (!memory.ok())
    return memory.status();
  fillParam(pool, full, memory->data(), seed);
  TensorView view;
  view.shape = param.storedShape;
  view.data = memory->data();
  view.bytes = full.maxBytes;
  return quantizeRows(pool, view, values, scales);
}

/// Binds memory of the model's own and fills it by `fill`.
static t6_status *fillWeights(t6_model *model, uint64_t seed,
                              void (*fill)(ThreadPool &, const Buffer &, void *,
                                           uint64_t)) {
  T6_RETURN_IF_ERROR(model->load());
  const Program &program = model->program();
  int64_t bytes = 0;
  for (const Buffer &buffer : program.buffers)
    if (buffer.kind == BufferKind::Param)
      bytes += alignBuffer(buffer.maxBytes);
  absl::StatusOr<HostMemory> memory =
      HostMemory::allocate(bytes, "random weights");
  T6_RETURN_IF_ERROR(memory.status());
  char *next = memory->data();
  std::vector<char *> places(program.buffers.size());
  for (size_t i = 0; i < program.buffers.size(); ++i) {
    const Buffer &buffer = program.buffers[i];
    if (buffer.kind != BufferKind::Param)
      continue;
    places[i] = next;
    model->executor->bindParam(static_cast<int>(i), next);
    next += alignBuffer(buffer.maxBytes);
  }
  ThreadPool &pool = model->executor->threadPool();
  for (size_t i = 0; i < program.buffers.size(); ++i) {
    const Buffer &buffer = program.buffers[i];
    uint64_t own = seedFor(seed, buffer.name);
    if (!places[i] || !buffer.scales.empty())
      continue;
    if (buffer.dtype == DType::I8)
      T6_RETURN_IF_ERROR(fillQuantized(
          pool, buffer, reinterpret_cast<int8_t *>(places[i]),
          reinterpret_cast<float *>(places[buffer.partner]), own));
    else
      fill(pool, buffer, places[i], own);
  }
  model->randomWeights = *std::move(memory);
  model->hasWeights = true;
  model->measuredDepth = -1;
  return nullptr;
}

t6_status *t6_model_random_weights(t6_model *model, uint64_t seed) {
  return model ? fillWeights(model, seed, fillParam) : nullArgument("model");
}

t6_status *t6_model_initial_weights(t6_model *model, uint64_t seed) {
  return model ? fillWeights(model, seed, initializeParam)
               : nullArgument("model");
}

void t6_model_get_stats(const t6_model *model, t6_model_stats *stats) {
  const Program &program = model->program();
  t6_model_stats value = {};
  value.batch = program.options.batch;
  value.max_length = program.options.maxLength;
  value.prefill_chunk = program.options.prefillChunk;
  value.vocab_size = program.model.vocabSize;
  value.parameters = program.model.parameters;
  value.param_bytes = bytesOfKind(program, BufferKind::Param);
  value.cache_bytes = cacheBytes(program);
  value.cache_bytes_per_token = program.model.cacheBytesPerToken;
  if (model->executor) {
    value.mapped_weight_bytes = model->executor->mappedParamBytes();
    value.copied_weight_bytes = model->executor->ownedParamBytes();
    value.threads = model->executor->threadPool().threads();
  }
  writeResult(value, stats);
}

const char *t6_model_warning(const t6_model *model, size_t index) {
  if (!model->executor || index >= model->executor->warnings().size())
    return nullptr;
  return model->executor->warnings()[index].c_str();
}

void t6_model_cancel(t6_model *model) { model->cancelled.store(true); }
