//===- GoldenModel.cpp - A compiled model and its reference ---------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "tests/end_to_end/GoldenModel.h"

#include "runtime/io/Safetensors.h"

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <cstring>
#include <gtest/gtest.h>
#include <iostream>
#include <limits>

namespace t6 {

/// Without its data no test can go on.
template <typename T> static T require(absl::StatusOr<T> value) {
  if (value.ok())
    return *std::move(value);
  std::cerr << value.status() << "\n";
  std::abort();
}

template <typename T> static std::vector<T> valuesOf(const TensorView &view) {
  const T *data = static_cast<const T *>(view.data);
  return std::vector<T>(data, data + view.elements());
}

static TensorView integers(absl::Span<const int32_t> data,
                           std::vector<int64_t> shape) {
  return {DType::I32, std::move(shape), data.data(), data.size() * 4};
}

Golden readGolden(const std::string &name) {
  std::unique_ptr<SafetensorsFile> file = require(
      SafetensorsFile::open("tests/data/" + name + "/reference.safetensors"));
  Golden golden;
  const TensorView &logits = *file->find("logits");
  golden.rows = logits.shape[0];
  golden.length = logits.shape[1];
  golden.vocab = logits.shape[2];
  golden.logits = valuesOf<float>(logits);
  golden.tokens = valuesOf<int32_t>(*file->find("tokens"));
  golden.loss = valuesOf<float>(*file->find("loss"))[0];
  return golden;
}

double relativeError(absl::Span<const float> actual,
                     absl::Span<const float> expected) {
  constexpr double kInfinity = std::numeric_limits<double>::infinity();
  if (actual.size() != expected.size())
    return kInfinity;
  double difference = 0, norm = 0;
  for (size_t i = 0; i < actual.size(); ++i) {
    difference += std::pow(double(actual[i]) - expected[i], 2);
    norm += std::pow(double(expected[i]), 2);
  }
  double error = std::sqrt(difference / norm);
  return std::isfinite(error) ? error : kInfinity;
}

GoldenModel::GoldenModel(const std::string &artifact, const std::string &name,
                         int threads, ParamMemory memory)
    : golden(readGolden(name)) {
  ExecutorOptions options;
  options.threads = threads;
  options.paramMemory = memory;
  executor =
      require(Executor::create(require(Artifact::open(artifact)), options));
  absl::Status status = executor->bindParams(require(
      Checkpoint::open({"tests/data/" + name + "/weights.safetensors"})));
  EXPECT_TRUE(status.ok()) << status;
}

int32_t GoldenModel::token(int64_t row, int64_t position) const {
  return golden.tokens[row % golden.rows * (golden.length + 1) + position];
}

std::vector<float> GoldenModel::expectedLogits(int64_t length) const {
  std::vector<float> logits;
  for (int64_t row = 0; row < batch(); ++row) {
    auto begin = golden.logits.begin() +
                 row % golden.rows * golden.length * golden.vocab;
    logits.insert(logits.end(), begin, begin + length * golden.vocab);
  }
  return logits;
}

GoldenModel::Tensors GoldenModel::run(const std::string &entry,
                                      const Tensors &inputs) {
  Tensors outputs;
  absl::Status status = executor->run(entry, inputs, &outputs);
  EXPECT_TRUE(status.ok()) << status;
  return outputs;
}

std::vector<float> GoldenModel::runForLogits(const std::string &entry,
                                             const Tensors &inputs) {
  Tensors outputs = run(entry, inputs);
  auto logits = outputs.find("logits");
  if (logits == outputs.end())
    return std::vector<float>(batch() * golden.vocab, NAN);
  EXPECT_EQ(logits->second.shape,
            (std::vector<int64_t>{batch(), golden.vocab}));
  return valuesOf<float>(logits->second);
}

float GoldenModel::accumulate() {
  std::vector<int32_t> tokens, targets;
  for (int64_t row = 0; row < batch(); ++row)
    for (int64_t i = 0; i < maxLength(); ++i) {
      tokens.push_back(token(row, i));
      targets.push_back(token(row, i + 1));
    }
  Tensors outputs =
      run("accumulate_gradients",
          {{"tokens", integers(tokens, {batch(), maxLength()})},
           {"targets", integers(targets, {batch(), maxLength()})}});
  auto loss = outputs.find("loss");
  return loss == outputs.end() ? NAN : valuesOf<float>(loss->second)[0];
}

GoldenModel::Loss GoldenModel::loss(int64_t length) {
  std::vector<int32_t> targets;
  for (int64_t row = 0; row < batch(); ++row)
    for (int64_t i = 0; i < length; ++i)
      targets.push_back(token(row, i + 1));
  return loss(length, targets);
}

GoldenModel::Loss GoldenModel::loss(int64_t length,
                                    absl::Span<const int32_t> targets) {
  std::vector<int32_t> tokens;
  for (int64_t row = 0; row < batch(); ++row)
    for (int64_t i = 0; i < length; ++i)
      tokens.push_back(token(row, i));
  Tensors outputs =
      run("loss", {{"tokens", integers(tokens, {batch(), length})},
                   {"targets", integers(targets, {batch(), length})}});
  Loss result;
  // Artifacts that train give no logits.
  if (auto logits = outputs.find("logits"); logits != outputs.end())
    result.logits = valuesOf<float>(logits->second);
  if (outputs.count("loss") && outputs.count("token_loss")) {
    result.tokenLoss = valuesOf<float>(outputs["token_loss"]);
    result.mean = valuesOf<float>(outputs["loss"])[0];
  }
  return result;
}

std::vector<float> GoldenModel::prefill(absl::Span<const int32_t> positions,
                                        int64_t length,
                                        absl::Span<const int32_t> last) {
  std::vector<int32_t> tokens;
  for (int64_t row = 0; row < batch(); ++row)
    for (int64_t i = positions[row]; i < positions[row] + length; ++i)
      tokens.push_back(i < golden.length ? token(row, i) : 0);
  return runForLogits("prefill",
                      {{"tokens", integers(tokens, {batch(), length})},
                       {"positions", integers(positions, {batch()})},
                       {"last", integers(last, {batch()})}});
}

std::vector<float> GoldenModel::decode(absl::Span<const int32_t> positions) {
  std::vector<int32_t> tokens;
  for (int64_t row = 0; row < batch(); ++row)
    tokens.push_back(token(row, positions[row]));
  return runForLogits("decode",
                      {{"tokens", integers(tokens, {batch(), 1})},
                       {"positions", integers(positions, {batch()})}});
}

/// Puts the logits of one position of a row, `from` [B, V], into [B, T, V].
static void place(const Golden &golden, absl::Span<const float> from,
                  int64_t row, int64_t position, std::vector<float> &into) {
  std::copy_n(from.begin() + row * golden.vocab, golden.vocab,
              into.begin() + (row * golden.length + position) * golden.vocab);
}

std::vector<float> GoldenModel::walk(int64_t prefilled, int64_t chunk) {
  std::vector<float> all(batch() * golden.length * golden.vocab, NAN);
  auto keep = [&](absl::Span<const float> logits, int64_t position) {
    for (int64_t row = 0; row < batch(); ++row)
      place(golden, logits, row, position, all);
  };
  for (int64_t at = 0; at < prefilled; at += chunk) {
    int64_t taken = std::min(chunk, prefilled - at);
    std::vector<int32_t> positions(batch(), at);
    for (int64_t i = 0; i < taken; ++i)
      keep(prefill(positions, taken, std::vector<int32_t>(batch(), i)), at + i);
  }
  for (int64_t at = prefilled; at < golden.length; ++at)
    keep(decode(std::vector<int32_t>(batch(), at)), at);
  return all;
}

std::vector<float>
GoldenModel::walkRagged(absl::Span<const int32_t> prefilled) {
  std::vector<float> all = expectedLogits(golden.length);
  int32_t longest = *std::max_element(prefilled.begin(), prefilled.end());
  std::vector<int32_t> last, positions(batch());
  for (int32_t tokens : prefilled)
    last.push_back(tokens - 1);
  std::vector<float> logits = prefill(positions, longest, last);
  for (int64_t row = 0; row < batch(); ++row)
    place(golden, logits, row, last[row], all);
  positions.assign(prefilled.begin(), prefilled.end());
  while (*std::min_element(positions.begin(), positions.end()) <
         golden.length) {
    // A row that is through runs its last token again.
    for (int32_t &position : positions)
      position = std::min<int32_t>(position, golden.length - 1);
    logits = decode(positions);
    for (int64_t row = 0; row < batch(); ++row)
      place(golden, logits, row, positions[row]++, all);
  }
  return all;
}

void GoldenModel::poison(BufferKind kind) {
  for (size_t i = 0; i < program().buffers.size(); ++i)
    if (program().buffers[i].kind == kind && executor->bufferData(i))
      std::memset(executor->bufferData(i), 0xff, program().buffers[i].maxBytes);
}

void GoldenModel::stainRow(int64_t row) {
  for (size_t i = 0; i < program().buffers.size(); ++i) {
    const Buffer &buffer = program().buffers[i];
    int64_t bytes = buffer.maxBytes / batch();
    if (buffer.kind == BufferKind::State)
      std::memset(static_cast<char *>(executor->bufferData(i)) + row * bytes,
                  0x4f, bytes);
  }
}

} // namespace t6
