//===- ToyModel.cpp - A whole artifact for tests --------------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "runtime/api/testing/ToyModel.h"

#include "runtime/io/Safetensors.h"

#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <xxhash.h>

namespace t6 {
namespace {

using Shape = std::vector<Extent>;

class Builder {
public:
  explicit Builder(Program &program) : program(program) {}

  int buffer(const std::string &name, BufferKind kind, DType dtype, Shape shape,
             Extent rangeHigh = 0, int64_t rangeLow = 0) {
    Buffer buffer;
    buffer.name = name;
    buffer.kind = kind;
    buffer.dtype = dtype;
    buffer.shape = std::move(shape);
    buffer.hasRange = rangeHigh.value > 0 || !rangeHigh.isStatic();
    buffer.rangeLow = rangeLow;
    buffer.rangeHigh = rangeHigh;
    program.buffers.push_back(buffer);
    return static_cast<int>(program.buffers.size()) - 1;
  }

  /// A dispatch over `rows` workgroups that writes its last operand.
  Dispatch dispatch(const std::string &symbol, int rows,
                    std::vector<int> operands, std::vector<int> scalars) {
    Dispatch dispatch;
    dispatch.kernel = static_cast<int>(program.kernels.size());
    program.kernels.push_back({symbol});
    dispatch.label = "block.0/" + symbol;
    dispatch.grid = {{rows, 1}};
    dispatch.scalars = std::move(scalars);
    for (int operand : operands) {
      Binding binding;
      binding.buffer = operand;
      binding.dtype = program.buffers[operand].dtype;
      dispatch.bindings.push_back(binding);
    }
    dispatch.writes = {static_cast<int>(operands.size()) - 1};
    dispatch.cost.read = {{4096, {}}};
    dispatch.cost.flops = {{1000, {}}};
    return dispatch;
  }

  Program &program;
};

Scalar lengthScalar(int64_t max) {
  Scalar n;
  n.name = "n";
  n.max = max;
  n.axis = 1;
  return n;
}

/// The greatest position plus n.
Scalar endScalar() {
  Scalar m;
  m.name = "m";
  m.max = kToyLength;
  m.source = Scalar::Source::End;
  m.input = 1;
  m.plus = std::string("n");
  return m;
}

const Extent kN(std::string("n"));

void addPrefill(Builder &build, int cache, int scale) {
  int tokens = build.buffer("prefill.tokens", BufferKind::Input, DType::I32,
                            {kToyBatch, kN}, kToyVocab);
  int positions = build.buffer("prefill.positions", BufferKind::Input,
                               DType::I32, {kToyBatch}, kToyLength);
  int last = build.buffer("prefill.last", BufferKind::Input, DType::I32,
                          {kToyBatch}, kN);
  int logits = build.buffer("prefill.logits", BufferKind::Output, DType::F32,
                            {kToyBatch, kToyVocab});
  Entry entry;
  entry.name = "prefill";
  // Not in the order in which the runtime thinks of them.
  entry.inputs = {{"last", last}, {"positions", positions}, {"tokens", tokens}};
  entry.outputs = {{"logits", logits}};
  entry.scalars = {lengthScalar(kToyChunk), endScalar()};
  entry.scalars[0].input = 2;
  entry.dispatches = {
      build.dispatch("toy_append", kToyBatch, {tokens, positions, cache}, {0}),
      build.dispatch("toy_prefill", kToyBatch,
                     {cache, positions, last, scale, logits}, {})};
  build.program.entries.push_back(entry);
}

void addDecode(Builder &build, int cache, int scale) {
  int tokens = build.buffer("decode.tokens", BufferKind::Input, DType::I32,
                            {kToyBatch, kN}, kToyVocab);
  int positions = build.buffer("decode.positions", BufferKind::Input,
                               DType::I32, {kToyBatch}, kToyLength);
  int logits = build.buffer("decode.logits", BufferKind::Output, DType::F32,
                            {kToyBatch, kToyVocab});
  Entry entry;
  entry.name = "decode";
  entry.inputs = {{"tokens", tokens}, {"positions", positions}};
  entry.outputs = {{"logits", logits}};
  entry.scalars = {lengthScalar(1), endScalar()};
  Dispatch append =
      build.dispatch("toy_append", kToyBatch, {tokens, positions, cache}, {0});
  // The kernel of prefill serves here as well.
  build.program.kernels.pop_back();
  append.kernel = 0;
  entry.dispatches = {append,
                      build.dispatch("toy_decode", kToyBatch,
                                     {cache, positions, scale, logits}, {})};
  build.program.entries.push_back(entry);
}

void addLoss(Builder &build, int scale) {
  int tokens = build.buffer("loss.tokens", BufferKind::Input, DType::I32,
                            {kToyBatch, kN}, kToyVocab);
  int targets = build.buffer("loss.targets", BufferKind::Input, DType::I32,
                             {kToyBatch, kN}, kToyVocab, -1);
  int losses = build.buffer("loss.token_loss", BufferKind::Output, DType::F32,
                            {kToyBatch, kN});
  int loss = build.buffer("loss.loss", BufferKind::Output, DType::F32, {1});
  Entry entry;
  entry.name = "loss";
  entry.inputs = {{"tokens", tokens}, {"targets", targets}};
  entry.outputs = {{"loss", loss}, {"token_loss", losses}};
  entry.scalars = {lengthScalar(kToyLength)};
  entry.dispatches = {
      build.dispatch("toy_token_loss", kToyBatch,
                     {tokens, targets, scale, losses}, {0}),
      build.dispatch("toy_mean", 1, {losses, targets, loss}, {0})};
  build.program.entries.push_back(entry);
}

std::string library(FixtureKernels which) {
  const char *folder = std::getenv("T6_TOY_DIR");
  std::string path = folder ? folder : "runtime/api/testing";
  path += which == FixtureKernels::Right   ? "/toy_kernels.so"
          : which == FixtureKernels::Wrong ? "/toy_kernels_wrong.so"
                                           : "/toy_kernels_nan.so";
  std::ifstream stream(path, std::ios::binary);
  if (!stream) {
    std::fprintf(stderr, "toy model: cannot open %s\n", path.c_str());
    std::exit(1);
  }
  return std::string(std::istreambuf_iterator<char>(stream), {});
}

} // namespace

Program toyProgram() {
  Program program;
  program.producer = "toy";
  program.model.name = "toy";
  program.model.attention = "none";
  program.model.vocabSize = kToyVocab;
  program.model.layers = 1;
  program.model.width = 1;
  program.model.context = kToyLength;
  program.model.parameters = 1;
  program.model.cacheBytesPerToken = 4;
  program.options.target = "cpu";
  program.options.batch = kToyBatch;
  program.options.maxLength = kToyLength;
  program.options.prefillChunk = kToyChunk;
  program.cpu.name = "x86-64";
  program.cpu.features = {"sse2"};
  program.cpu.vectorBits = 128;
  Builder build(program);
  int cache = build.buffer("cache", BufferKind::State, DType::F32,
                           {kToyBatch, kToyLength});
  int scale = build.buffer("scale", BufferKind::Param, DType::F32, {1});
  addPrefill(build, cache, scale);
  addDecode(build, cache, scale);
  addLoss(build, scale);
  return program;
}

std::string toyArtifact(const Program &given, FixtureKernels kernels) {
  Program program = given;
  FixtureFiles files = {{"kernels.so", library(kernels)},
                        {"check.so", library(FixtureKernels::Right)}};
  program.files.clear();
  for (const auto &[name, bytes] : files)
    program.files.push_back({name, static_cast<int64_t>(bytes.size()),
                             XXH3_64bits(bytes.data(), bytes.size())});
  files.insert(files.begin(), {"program.json", serializeProgram(program)});
  return zipFiles(files);
}

std::string toyWeights(const std::string &name, float scale) {
  std::string path = writeTemporary(name, "");
  NamedTensor tensor = {"scale", {DType::F32, {1}, &scale, sizeof(scale)}};
  absl::Status status = writeSafetensors(path, {tensor});
  if (!status.ok()) {
    std::fprintf(stderr, "toy model: %s\n", status.ToString().c_str());
    std::exit(1);
  }
  return path;
}

int32_t toyNext(const std::vector<int32_t> &tokens, int limit) {
  int64_t sum = 0;
  for (size_t i = 0; i < tokens.size(); ++i)
    sum += int64_t(i + 1) * (tokens[i] + 1);
  // Logits fall from there on, around the end of the vocabulary.
  int32_t best = static_cast<int32_t>(sum % kToyVocab);
  return best < limit ? best : 0;
}

std::vector<int32_t> toyContinuation(std::vector<int32_t> tokens, int count,
                                     int limit) {
  size_t prompt = tokens.size();
  for (int i = 0; i < count; ++i)
    tokens.push_back(toyNext(tokens, limit));
  return std::vector<int32_t>(tokens.begin() + prompt, tokens.end());
}

} // namespace t6
