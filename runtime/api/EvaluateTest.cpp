//===- EvaluateTest.cpp - Tests of t6_evaluate ----------------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "runtime/api/TestSupport.h"
#include "runtime/text/TokenFile.h"

#include <cmath>
#include <filesystem>
#include <fstream>
#include <vector>

namespace t6 {
namespace {

constexpr float kScale = 0.05f;

std::string tokenFile(const std::vector<int32_t> &tokens) {
  std::string path = writeTemporary("eval.bin", "");
  auto writer = TokenFileWriter::create(path);
  EXPECT_TRUE(writer.ok());
  EXPECT_TRUE((*writer)->append(tokens).ok());
  EXPECT_TRUE((*writer)->commit().ok());
  return path;
}

/// -ln p of `target` after `context`, by the toy's definition.
double lossOf(const std::vector<int32_t> &context, int32_t target) {
  double partition = 0;
  for (int v = 0; v < kToyVocab; ++v)
    partition += std::exp(-double(kScale) * v);
  int distance = (target - toyNext(context) + kToyVocab) % kToyVocab;
  return double(kScale) * distance + std::log(partition);
}

class EvaluateTest : public ::testing::Test {
protected:
  EvaluateTest() : model(openToy(toyArtifact(), true, kScale)) {
    t6_evaluate_options_init(&options);
    result.struct_size = sizeof(result);
    for (int i = 0; i < 75; ++i)
      tokens.push_back((i * i + 3 * i) % 250);
  }

  /// Mean and standard error over windows of `length`, the plain way.
  std::pair<double, double> expected(int length, size_t count) {
    std::vector<double> sums, sizes;
    double total = 0;
    for (size_t begin = 0; begin < count; begin += length) {
      std::vector<int32_t> context;
      double sum = 0;
      for (size_t i = begin; i < std::min(begin + length, count); ++i) {
        context.push_back(tokens[i]);
        sum += lossOf(context, tokens[i + 1]);
      }
      sums.push_back(sum);
      sizes.push_back(context.size());
      total += sum;
    }
    double mean = total / count, squares = 0, windows = sums.size();
    for (size_t i = 0; i < sums.size(); ++i)
      squares += std::pow(sums[i] - mean * sizes[i], 2);
    return {mean, std::sqrt(squares * windows / (windows - 1)) / count};
  }

  ModelPtr model;
  std::vector<int32_t> tokens;
  t6_evaluate_options options;
  t6_evaluate_result result = {};
};

TEST_F(EvaluateTest, PredictsEveryTokenButTheFirst) {
  // 74 predictions: 4 windows of 16, one of 10; the batch has two rows.
  std::string path = tokenFile(tokens);
  ASSERT_T6_OK(t6_evaluate(model.get(), path.c_str(), &options, &result));
  auto [mean, error] = expected(16, 74);
  EXPECT_EQ(result.tokens, 74);
  EXPECT_EQ(result.windows, 5);
  EXPECT_NEAR(result.loss, mean, 1e-5);
  EXPECT_NEAR(result.loss_error, error, 1e-5);
  EXPECT_NEAR(result.perplexity, std::exp(mean), 1e-3);
  EXPECT_NEAR(result.perplexity_error, std::exp(mean) * error, 1e-3);
  EXPECT_EQ(result.has_header, 1);
}

TEST_F(EvaluateTest, ShorterWindowsAndFewerTokens) {
  options.length = 7;
  options.max_tokens = 40;
  std::string path = tokenFile(tokens);
  ASSERT_T6_OK(t6_evaluate(model.get(), path.c_str(), &options, &result));
  auto [mean, error] = expected(7, 40);
  EXPECT_EQ(result.tokens, 40);
  EXPECT_NEAR(result.loss, mean, 1e-5);
  EXPECT_NEAR(result.loss_error, error, 1e-5);
}

TEST_F(EvaluateTest, OneWindowTakesTokensAsSamples) {
  options.max_tokens = 3;
  std::string path = tokenFile(tokens);
  ASSERT_T6_OK(t6_evaluate(model.get(), path.c_str(), &options, &result));
  std::vector<double> losses;
  double mean = 0, squares = 0;
  for (size_t i = 0; i < 3; ++i)
    losses.push_back(
        lossOf({tokens.begin(), tokens.begin() + i + 1}, tokens[i + 1]));
  for (double loss : losses)
    mean += loss / 3;
  for (double loss : losses)
    squares += (loss - mean) * (loss - mean);
  EXPECT_NEAR(result.loss, mean, 1e-5);
  EXPECT_NEAR(result.loss_error, std::sqrt(squares / 2 / 3), 1e-5);
}

TEST_F(EvaluateTest, ReportsProgressAndCanBeEnded) {
  std::vector<std::pair<int64_t, int64_t>> calls;
  options.user = &calls;
  options.progress = [](void *user, int64_t done, int64_t total) {
    auto &list = *static_cast<decltype(calls) *>(user);
    list.emplace_back(done, total);
    return list.size() == 5 ? 1 : 0;
  };
  std::string path = tokenFile(tokens);
  ASSERT_T6_OK(t6_evaluate(model.get(), path.c_str(), &options, &result));
  ASSERT_EQ(calls.size(), 4u);
  EXPECT_EQ(calls.back(), (std::pair<int64_t, int64_t>(5, 5)));
  expectError(t6_evaluate(model.get(), path.c_str(), &options, &result),
              T6_RUNTIME_ERROR, "interrupted");
}

TEST_F(EvaluateTest, RefusesBadInput) {
  auto evaluate = [&](const std::string &path) {
    return t6_evaluate(model.get(), path.c_str(), &options, &result);
  };
  expectError(evaluate(tokenFile({5})), T6_USAGE_ERROR, "has 1 tokens");
  expectError(evaluate(tokenFile({5, 260, 4})), T6_ARTIFACT_ERROR, "260");
  expectError(evaluate("/nonexistent.bin"), T6_RUNTIME_ERROR,
              "/nonexistent.bin");
  options.length = 17;
  expectError(evaluate(tokenFile(tokens)), T6_USAGE_ERROR,
              "a window of 17 tokens");
  options.length = -1;
  expectError(evaluate(tokenFile(tokens)), T6_USAGE_ERROR, "negative");
  options.length = 0;
  model = openToy(toyArtifact(), true, 3e38f);
  expectError(evaluate(tokenFile(tokens)), T6_RUNTIME_ERROR, "eval.bin is inf");
}

/// A folder that goes away with the object.
class Folder {
public:
  Folder() : path(writeTemporary("corpus", "")) {
    std::filesystem::remove(path);
    std::filesystem::create_directory(path);
  }
  ~Folder() { std::filesystem::remove_all(path); }
  void shard(const std::string &name, const std::vector<int32_t> &tokens) {
    auto writer = TokenFileWriter::create(path + "/" + name);
    ASSERT_TRUE(writer.ok());
    ASSERT_TRUE((*writer)->append(tokens).ok());
    ASSERT_TRUE((*writer)->commit().ok());
  }
  std::string path;
};

TEST_F(EvaluateTest, TakesTheValidationShardOfAFolder) {
  Folder folder;
  folder.shard("fineweb_train_000001.bin", std::vector<int32_t>(40, 7));
  folder.shard("fineweb_val_000000.bin", tokens);
  ASSERT_T6_OK(
      t6_evaluate(model.get(), folder.path.c_str(), &options, &result));
  EXPECT_EQ(result.tokens, 74);
  EXPECT_NEAR(result.loss, expected(16, 74).first, 1e-5);
}

TEST_F(EvaluateTest, CutsWindowsInEachShard) {
  Folder folder;
  std::vector<int32_t> all = tokens, first(all.begin(), all.begin() + 20);
  std::vector<int32_t> second(all.begin() + 40, all.begin() + 60);
  folder.shard("a.bin", first);
  folder.shard("b.bin", second);
  ASSERT_T6_OK(
      t6_evaluate(model.get(), folder.path.c_str(), &options, &result));
  // 19 predictions each: a window of 16 and one of 3.
  EXPECT_EQ(result.tokens, 38);
  EXPECT_EQ(result.windows, 4);
  tokens = first;
  double sum = expected(16, 19).first;
  tokens = second;
  sum += expected(16, 19).first;
  EXPECT_NEAR(result.loss, sum / 2, 1e-5);
}

TEST_F(EvaluateTest, TakesText) {
  std::string text = "Evaluation takes text, too: it is encoded first.";
  std::string path = writeTemporary("eval.txt", text);
  TokenizerPtr bytes = openBytes();
  options.tokenizer = bytes.get();
  ASSERT_T6_OK(t6_evaluate(model.get(), path.c_str(), &options, &result));
  tokens = {256}; // Where a text begins.
  for (char c : text)
    tokens.push_back(c);
  auto count = static_cast<size_t>(result.tokens);
  EXPECT_EQ(count, text.size());
  EXPECT_NEAR(result.loss, expected(16, count).first, 1e-5);
}

TEST_F(EvaluateTest, TakesTheShareThatTrainingKeepsApart) {
  Folder folder;
  folder.shard("train.bin", tokens);
  options.validation_share = 0.5;
  ASSERT_T6_OK(
      t6_evaluate(model.get(), folder.path.c_str(), &options, &result));
  // 2 of 4 windows of 16, counted from the end.
  EXPECT_EQ(result.tokens, 32);
  tokens.erase(tokens.begin(), tokens.begin() + 42);
  EXPECT_NEAR(result.loss, expected(16, 32).first, 1e-5);
  options.validation_share = 1;
  expectError(t6_evaluate(model.get(), folder.path.c_str(), &options, &result),
              T6_USAGE_ERROR, "share");
}

TEST_F(EvaluateTest, RefusesABadCorpus) {
  Folder folder;
  auto evaluate = [&] {
    return t6_evaluate(model.get(), folder.path.c_str(), &options, &result);
  };
  expectError(evaluate(), T6_RUNTIME_ERROR, folder.path);
  folder.shard("a.bin", {5, 260, 4});
  expectError(evaluate(), T6_ARTIFACT_ERROR, "260");
  std::filesystem::remove(folder.path + "/a.bin");
  std::ofstream(folder.path + "/a.txt") << "text";
  expectError(evaluate(), T6_USAGE_ERROR, "tokenizer");
}

} // namespace
} // namespace t6
