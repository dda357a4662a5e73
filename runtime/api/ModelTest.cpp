//===- ModelTest.cpp - Tests of models, runs, checks ----------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "runtime/api/TestSupport.h"
#include "runtime/io/Safetensors.h"

#include <cmath>
#include <cstring>
#include <fstream>
#include <nlohmann/json.hpp>
#include <optional>
#include <vector>

namespace t6 {
namespace {

t6_status *openPath(const std::string &path) {
  t6_model *model = nullptr;
  t6_status *status = t6_model_open(path.c_str(), nullptr, &model);
  EXPECT_EQ(model == nullptr, status != nullptr);
  t6_model_close(model);
  return status;
}

TEST(ModelTest, StatusesAcceptNull) {
  EXPECT_EQ(t6_status_code(nullptr), T6_OK);
  EXPECT_STREQ(t6_status_message(nullptr), "");
  t6_status_free(nullptr);
  t6_model_close(nullptr);
  t6_tokenizer_free(nullptr);
  expectError(t6_model_open(nullptr, nullptr, nullptr), T6_USAGE_ERROR, "null");
}

TEST(ModelTest, RefusesBadArtifacts) {
  expectError(openPath("/nonexistent.t6x"), T6_RUNTIME_ERROR,
              "/nonexistent.t6x");
  std::string bytes = toyArtifact();
  expectError(openPath(writeTemporary("cut.t6x", bytes.substr(0, 1000))),
              T6_ARTIFACT_ERROR, "cut.t6x");
  expectError(openPath(writeTemporary("text.t6x", "not a zip")),
              T6_ARTIFACT_ERROR, "text.t6x");
  Program program = toyProgram();
  program.schema = 99;
  expectError(openPath(writeTemporary("schema.t6x", toyArtifact(program))),
              T6_ARTIFACT_ERROR, "99");
}

TEST(ModelTest, RefusesBadDevices) {
  std::string path = writeTemporary("toy.t6x", toyArtifact());
  t6_model_options options;
  t6_model_options_init(&options);
  options.device = "cuda";
  t6_model *model = nullptr;
  expectError(t6_model_open(path.c_str(), &options, &model), T6_USAGE_ERROR,
              "no device 'cuda'");
  options.device = "cpu";
  options.threads = -1;
  EXPECT_T6_OK(t6_model_open(path.c_str(), &options, &model));
  expectError(t6_model_random_weights(model, 1), T6_USAGE_ERROR, "threads");
  t6_model_close(model);
}

TEST(ModelTest, NeedsWeightsBeforeItRuns) {
  ModelPtr model = openToy(toyArtifact(), /*weights=*/false);
  expectError(t6_reset(model.get()), T6_USAGE_ERROR, "HINT: give them with");
  const char *missing[] = {"/nonexistent.safetensors"};
  expectError(t6_model_load_weights(model.get(), missing, 1), T6_RUNTIME_ERROR,
              "/nonexistent.safetensors");
  expectError(t6_reset(model.get()), T6_USAGE_ERROR, "no weights");
  EXPECT_T6_OK(t6_model_random_weights(model.get(), 1));
  EXPECT_T6_OK(t6_reset(model.get()));
}

TEST(ModelTest, RefusesWeightsOfAnotherShape) {
  ModelPtr model = openToy(toyArtifact(), /*weights=*/false);
  float two[2] = {1, 2};
  std::string path = writeTemporary("two.safetensors", "");
  NamedTensor tensor = {"scale", {DType::F32, {2}, two, sizeof(two)}};
  ASSERT_TRUE(writeSafetensors(path, {tensor}).ok());
  const char *paths[] = {path.c_str()};
  expectError(t6_model_load_weights(model.get(), paths, 1), T6_ARTIFACT_ERROR,
              "scale");
}

/// The toy's one parameter under random weights: logits fall by it.
float randomScale(std::optional<Init> init) {
  Program program = toyProgram();
  program.buffers[program.findBuffer("scale")].init = init;
  ModelPtr model = openToy(toyArtifact(program), /*weights=*/false);
  EXPECT_T6_OK(t6_model_random_weights(model.get(), 1));
  int32_t tokens[2] = {4, 6}, positions[2] = {0, 0};
  t6_tensor inputs[2] = {
      {"positions", "i32", 1, {2}, positions, sizeof(positions)},
      {"tokens", "i32", 2, {2, 1}, tokens, sizeof(tokens)}};
  t6_tensor output = {};
  EXPECT_T6_OK(t6_reset(model.get()));
  EXPECT_T6_OK(t6_run(model.get(), "decode", inputs, 2));
  EXPECT_T6_OK(t6_output(model.get(), "decode", "logits", &output));
  int32_t best = toyNext({4});
  const float *logits = static_cast<const float *>(output.data);
  return best + 1 < kToyVocab ? -logits[best + 1] : NAN;
}

TEST(ModelTest, RandomWeightsStartAsTheArtifactSays) {
  EXPECT_EQ(randomScale(Init{Init::Kind::Constant, 3}), 3);
  float small = randomScale(std::nullopt);
  EXPECT_NE(small, 0);
  EXPECT_LE(std::fabs(small), 0.03f);
  EXPECT_EQ(randomScale(Init{Init::Kind::Constant, 0}), small);
  EXPECT_FLOAT_EQ(randomScale(Init{Init::Kind::Uniform, 0.3}), 10 * small);
}

TEST(ModelTest, OpensForAnotherCpuWithoutRunning) {
  Program program = toyProgram();
  program.cpu.features = {"no-such-feature"};
  ModelPtr model = openToy(toyArtifact(program), /*weights=*/false);
  char *json = nullptr;
  EXPECT_T6_OK(t6_model_info(model.get(), nullptr, &json));
  t6_free(json);
  expectError(t6_model_random_weights(model.get(), 1), T6_ARTIFACT_ERROR,
              "no-such-feature");
}

TEST(ModelTest, Stats) {
  ModelPtr model = openToy(toyArtifact());
  t6_model_stats stats = {};
  stats.struct_size = sizeof(stats);
  t6_model_get_stats(model.get(), &stats);
  EXPECT_EQ(stats.batch, kToyBatch);
  EXPECT_EQ(stats.max_length, kToyLength);
  EXPECT_EQ(stats.prefill_chunk, kToyChunk);
  EXPECT_EQ(stats.vocab_size, kToyVocab);
  EXPECT_EQ(stats.param_bytes, 4);
  EXPECT_EQ(stats.cache_bytes, 4 * kToyBatch * kToyLength);
  EXPECT_EQ(stats.mapped_weight_bytes, 4);
  EXPECT_EQ(stats.threads, 2);
}

TEST(ModelTest, Info) {
  Program program = toyProgram();
  program.buffers[program.findBuffer("scale")].init =
      Init{Init::Kind::Normal, 0.02};
  ModelPtr model = openToy(toyArtifact(program), /*weights=*/false);
  t6_info_options options;
  t6_info_options_init(&options);
  options.dispatches = 1;
  options.length = 3;
  char *text = nullptr;
  ASSERT_T6_OK(t6_model_info(model.get(), &options, &text));
  auto json = nlohmann::json::parse(text, nullptr, false);
  t6_free(text);
  ASSERT_TRUE(json.is_object());
  EXPECT_EQ(json["model"]["name"], "toy");
  EXPECT_EQ(json["options"]["max_length"], kToyLength);
  EXPECT_EQ(json["buffers"]["state"]["bytes"], 4 * kToyBatch * kToyLength);
  ASSERT_EQ(json["parameters"].size(), 1u);
  EXPECT_EQ(json["parameters"][0],
            (nlohmann::json{{"name", "scale"},
                            {"dtype", "f32"},
                            {"shape", {1}},
                            {"init", {{"kind", "normal"}, {"value", 0.02}}}}));
  ASSERT_EQ(json["entries"].size(), 3u);
  const auto &prefill = json["entries"][0];
  EXPECT_EQ(prefill["scalars"]["m"]["value"], 3);
  EXPECT_EQ(prefill["scalars"]["m"]["max"], kToyLength);
  EXPECT_EQ(prefill["inputs"][2]["shape"], nlohmann::json({2, "n"}));
  EXPECT_EQ(prefill["bytes_read"], 2 * 4096);
  // Tokens, positions, logits, the cache and the scale, as the entry has them.
  const auto &decode = json["entries"][1];
  EXPECT_EQ(decode["memory_bytes"],
            4 * (kToyBatch + kToyBatch + kToyBatch * kToyVocab +
                 kToyBatch * kToyLength + 1));
  EXPECT_EQ(json["training_bytes"], 0);
  EXPECT_EQ(prefill["dispatches"][1]["label"], "block.0/toy_prefill");
  EXPECT_EQ(prefill["dispatches"][1]["flops"], 1000);
  options.length = -1;
  expectError(t6_model_info(model.get(), &options, &text), T6_USAGE_ERROR,
              "negative");
}

TEST(ModelTest, RunsEntriesFromMemory) {
  ModelPtr model = openToy(toyArtifact());
  t6_tensor output;
  expectError(t6_output(model.get(), "decode", "logits", &output),
              T6_USAGE_ERROR, "has not been run");
  int32_t tokens[2] = {4, 6}, positions[2] = {0, 0};
  t6_tensor inputs[2] = {
      {"positions", "I32", 1, {2}, positions, sizeof(positions)},
      {"tokens", "i32", 2, {2, 1}, tokens, sizeof(tokens)}};
  EXPECT_T6_OK(t6_reset(model.get()));
  ASSERT_T6_OK(t6_run(model.get(), "decode", inputs, 2));
  ASSERT_T6_OK(t6_output(model.get(), "decode", "logits", &output));
  EXPECT_STREQ(output.dtype, "F32");
  ASSERT_EQ(output.rank, 2u);
  EXPECT_EQ(output.shape[1], kToyVocab);
  const float *logits = static_cast<const float *>(output.data);
  EXPECT_EQ(logits[toyNext({4})], 0);
  EXPECT_EQ(logits[kToyVocab + toyNext({6})], 0);
  expectError(t6_output(model.get(), "decode", "none", &output), T6_USAGE_ERROR,
              "no output 'none'");
  expectError(t6_run(model.get(), "none", inputs, 2), T6_USAGE_ERROR,
              "has no entry 'none'");
  inputs[0].dtype = "i33";
  expectError(t6_run(model.get(), "decode", inputs, 2), T6_USAGE_ERROR, "i33");
}

TEST(ModelTest, RefusesLogitsOfTokensThatARunLacks) {
  ModelPtr model = openToy(toyArtifact());
  int32_t tokens[4] = {4, 5, 6, 7}, positions[2] = {0, 0}, last[2] = {1, 0};
  t6_tensor inputs[3] = {
      {"last", "i32", 1, {2}, last, sizeof(last)},
      {"positions", "i32", 1, {2}, positions, sizeof(positions)},
      {"tokens", "i32", 2, {2, 2}, tokens, sizeof(tokens)}};
  EXPECT_T6_OK(t6_reset(model.get()));
  EXPECT_T6_OK(t6_run(model.get(), "prefill", inputs, 3));
  // Within the chunk, which is all that a fixed range could tell.
  last[1] = 2;
  static_assert(kToyChunk > 2, "the value is one that a longer run allows");
  expectError(t6_run(model.get(), "prefill", inputs, 3), T6_USAGE_ERROR,
              "input 'last' has the value 2 at index 1, not in [0, 2)");
}

TEST(ModelTest, RunsEntriesFromFiles) {
  ModelPtr model = openToy(toyArtifact());
  std::vector<int32_t> tokens = {1, 2, 3, 4, 5, 6}, targets = tokens;
  auto view = [](const std::vector<int32_t> &data) {
    return TensorView{DType::I32, {2, 3}, data.data(), data.size() * 4};
  };
  std::string in = writeTemporary("in.safetensors", "");
  std::string out = writeTemporary("out.safetensors", "");
  ASSERT_TRUE(writeSafetensors(
                  in, {{"tokens", view(tokens)}, {"targets", view(targets)}})
                  .ok());
  ASSERT_T6_OK(t6_run_file(model.get(), "loss", in.c_str(), out.c_str()));
  auto file = SafetensorsFile::open(out);
  ASSERT_TRUE(file.ok());
  EXPECT_EQ((*file)->find("token_loss")->shape, (std::vector<int64_t>{2, 3}));
  EXPECT_EQ((*file)->find("loss")->shape, (std::vector<int64_t>{1}));
  // A token out of range: the file is named, and the output stays as it was.
  tokens[4] = 260;
  ASSERT_TRUE(writeSafetensors(
                  in, {{"tokens", view(tokens)}, {"targets", view(targets)}})
                  .ok());
  std::string other = out + ".absent";
  expectError(t6_run_file(model.get(), "loss", in.c_str(), other.c_str()),
              T6_USAGE_ERROR, "in.safetensors: entry 'loss': input 'tokens'");
  EXPECT_FALSE(std::ifstream(other).good());
}

TEST(ModelTest, Check) {
  t6_check_options options;
  t6_check_options_init(&options);
  t6_check_result result = {};
  result.struct_size = sizeof(result);
  ModelPtr right = openToy(toyArtifact(), /*weights=*/false);
  EXPECT_T6_OK(t6_check(right.get(), &options, &result));
  EXPECT_EQ(result.dispatches, 6);
  ModelPtr wrong = openToy(toyArtifact(toyProgram(), FixtureKernels::Wrong),
                           /*weights=*/false);
  expectError(t6_check(wrong.get(), &options, &result), T6_CHECK_FAILED,
              "prefill: dispatch 1 (block.0/toy_prefill");
  options.entry = "none";
  expectError(t6_check(right.get(), &options, &result), T6_USAGE_ERROR,
              "has no entry 'none'");
}

TEST(ModelTest, Measures) {
  ModelPtr model = openToy(toyArtifact());
  std::vector<std::string> entries;
  auto add = [](void *user, const t6_dispatch_event *event) {
    static_cast<std::vector<std::string> *>(user)->push_back(event->entry);
    EXPECT_EQ(event->flops, 1000);
    EXPECT_GE(event->seconds, 0);
  };
  double seconds = -1;
  ASSERT_T6_OK(t6_model_set_profiler(model.get(), add, &entries));
  ASSERT_T6_OK(t6_measure(model.get(), 1, 5, 3, &seconds));
  EXPECT_GE(seconds, 0);
  // Three steps of two dispatches; the depth costs none.
  EXPECT_EQ(entries.size(), 2u * 3);
  entries.clear();
  ASSERT_T6_OK(t6_measure(model.get(), 0, 5, 8, &seconds));
  EXPECT_EQ(entries.size(), 2u * 2) << "8 tokens in two chunks";
  ASSERT_T6_OK(t6_model_set_profiler(model.get(), nullptr, nullptr));
  ASSERT_T6_OK(t6_measure(model.get(), 0, 0, 16, &seconds));
  EXPECT_EQ(entries.size(), 4u);
  expectError(t6_measure(model.get(), 0, 5, 12, &seconds), T6_USAGE_ERROR,
              "12 tokens after 5 do not fit the maximum length 16");
}

TEST(ModelTest, Tokenizer) {
  TokenizerPtr tokenizer = openBytes();
  EXPECT_EQ(t6_tokenizer_vocab_size(tokenizer.get()), 257);
  EXPECT_EQ(t6_tokenizer_eos(tokenizer.get()), 256);
  int32_t *tokens = nullptr;
  size_t count = 0, bytes = 0;
  ASSERT_T6_OK(
      t6_tokenizer_encode(tokenizer.get(), "a\0é", 4, 0, &tokens, &count));
  ASSERT_EQ(count, 4u);
  EXPECT_EQ(tokens[1], 0);
  char *text = nullptr;
  ASSERT_T6_OK(
      t6_tokenizer_decode(tokenizer.get(), tokens, count, &text, &bytes));
  EXPECT_EQ(std::string(text, bytes), std::string("a\0é", 4));
  tokens[0] = 257;
  char *untouched = text;
  expectError(
      t6_tokenizer_decode(tokenizer.get(), tokens, count, &text, &bytes),
      T6_USAGE_ERROR, "257");
  EXPECT_EQ(text, untouched);
  t6_free(tokens);
  t6_free(text);
  t6_tokenizer *other = nullptr;
  expectError(t6_tokenizer_open("/nonexistent.json", &other), T6_RUNTIME_ERROR,
              "/nonexistent.json");
}

} // namespace
} // namespace t6
