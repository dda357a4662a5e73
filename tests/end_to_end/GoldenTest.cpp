//===- GoldenTest.cpp - Compiled models against the reference -------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Every recorded case, compiled by tpa-opt in several ways, computes what the
// reference computed: in one pass, and token by token through the cache.
//
//===----------------------------------------------------------------------===//

#include "tests/end_to_end/GoldenModel.h"

#include "absl/strings/str_cat.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <gtest/gtest.h>

namespace t6 {
namespace {

/// An artifact of this folder, <name>_<variant>.t6x.
struct Compiled {
  std::string name;    ///< Of the case.
  std::string variant; ///< See BUILD.

  std::string path() const {
    return absl::StrCat("tests/end_to_end/", name, "_", variant, ".t6x");
  }
};

void PrintTo(const Compiled &compiled, std::ostream *out) {
  *out << compiled.path();
}

std::vector<Compiled> allCompiled() {
  std::vector<Compiled> all;
  for (const char *name : {"t6_tiny", "t6_rank1_norm", "t6_kvonly_tiny",
                           "mha_tiny", "gqa_tiny", "mla_tiny", "llama_tiny"})
    for (const char *variant : {"f32", "bf16", "odd_f32"})
      all.push_back({name, variant});
  for (const char *variant :
       {"odd_bf16", "single_f32", "single_bf16", "v3_f32", "v3_bf16"})
    all.push_back({"t6_tiny", variant});
  all.push_back({"mla_tiny", "single_f32"});
  return all;
}

class GoldenTest : public ::testing::TestWithParam<Compiled> {
protected:
  GoldenModel open(int threads = 2) const {
    return GoldenModel(GetParam().path(), GetParam().name, threads);
  }

  /// The bound of the project on ‖actual − reference‖ / ‖reference‖.
  static double tolerance(const GoldenModel &model) {
    return model.dtype() == DType::BF16 ? 1e-2 : 1e-5;
  }

  /// Expects `logits`, [B, T, V], to agree with the reference.
  static void expectAgreement(const GoldenModel &model,
                              const std::vector<float> &logits) {
    std::vector<float> expected = model.expectedLogits(model.length());
    EXPECT_LE(relativeError(logits, expected), tolerance(model));
    // A single wrong position could hide in the norm of all.
    int64_t vocab = model.reference().vocab;
    ASSERT_EQ(logits.size(), expected.size());
    for (size_t at = 0; at < logits.size(); at += vocab)
      EXPECT_LE(relativeError(absl::MakeConstSpan(&logits[at], vocab),
                              absl::MakeConstSpan(&expected[at], vocab)),
                2 * tolerance(model))
          << "row " << at / vocab / model.length() << ", position "
          << at / vocab % model.length();
  }
};

bool sameBits(const std::vector<float> &a, const std::vector<float> &b) {
  return a.size() == b.size() &&
         std::memcmp(a.data(), b.data(), a.size() * sizeof(float)) == 0;
}

TEST_P(GoldenTest, Loss) {
  GoldenModel model = open();
  GoldenModel::Loss loss = model.loss(model.length());
  expectAgreement(model, loss.logits);
  float expected = model.reference().loss;
  // The mean over the batch is the mean over the recorded rows only when each
  // of them is there equally often.
  double sum = 0;
  for (float value : loss.tokenLoss)
    sum += value;
  ASSERT_EQ(int64_t(loss.tokenLoss.size()), model.batch() * model.length());
  EXPECT_NEAR(loss.mean, sum / loss.tokenLoss.size(), 1e-5 * expected);
  if (model.batch() % model.reference().rows == 0)
    EXPECT_NEAR(loss.mean, expected, tolerance(model) * expected);
}

TEST_P(GoldenTest, TokenLossIsCrossEntropy) {
  GoldenModel model = open();
  GoldenModel::Loss loss = model.loss(model.length());
  int64_t vocab = model.reference().vocab;
  ASSERT_EQ(int64_t(loss.logits.size()),
            model.batch() * model.length() * vocab);
  for (int64_t i = 0; i < model.batch() * model.length(); ++i) {
    double sum = 0;
    for (int64_t v = 0; v < vocab; ++v)
      sum += std::exp(double(loss.logits[i * vocab + v]));
    int32_t target = model.token(i / model.length(), i % model.length() + 1);
    double expected = std::log(sum) - loss.logits[i * vocab + target];
    EXPECT_NEAR(loss.tokenLoss[i], expected, 2e-5) << i;
  }
}

TEST_P(GoldenTest, IgnoredTargetsDoNotCount) {
  GoldenModel model = open();
  GoldenModel::Loss all = model.loss(model.length());
  std::vector<int32_t> targets;
  double sum = 0;
  int64_t kept = 0;
  for (int64_t i = 0; i < model.batch() * model.length(); ++i) {
    bool keeps = i % 3 == 1;
    targets.push_back(
        keeps ? model.token(i / model.length(), i % model.length() + 1) : -1);
    kept += keeps;
    sum += keeps ? all.tokenLoss[i] : 0;
  }
  GoldenModel::Loss some = model.loss(model.length(), targets);
  EXPECT_NEAR(some.mean, sum / kept, 1e-5 * sum / kept);
  for (size_t i = 0; i < targets.size(); ++i)
    if (targets[i] < 0)
      EXPECT_EQ(some.tokenLoss[i], 0) << i;
  EXPECT_TRUE(sameBits(some.logits, all.logits));
  std::fill(targets.begin(), targets.end(), -1);
  EXPECT_EQ(model.loss(model.length(), targets).mean, 0);
}

TEST_P(GoldenTest, ShorterInputsAreBeginnings) {
  GoldenModel model = open();
  for (int64_t length : {1, 2, 7, 16})
    EXPECT_LE(relativeError(model.loss(length).logits,
                            model.expectedLogits(length)),
              tolerance(model))
        << length;
}

TEST_P(GoldenTest, Prefill) {
  GoldenModel model = open();
  expectAgreement(model, model.walk(model.length(), model.prefillChunk()));
}

TEST_P(GoldenTest, PrefillInOddChunksThenDecode) {
  GoldenModel model = open();
  int64_t chunk = std::min<int64_t>(7, model.prefillChunk());
  expectAgreement(model, model.walk(10, chunk));
}

TEST_P(GoldenTest, PrefillTokenByToken) {
  GoldenModel model = open();
  expectAgreement(model, model.walk(model.length(), 1));
}

TEST_P(GoldenTest, DecodeFromTheFirstToken) {
  GoldenModel model = open();
  expectAgreement(model, model.walk(0, 1));
}

TEST_P(GoldenTest, RowsOfDifferentLengths) {
  GoldenModel model = open();
  std::vector<int32_t> prefilled;
  for (int64_t row = 0; row < model.batch(); ++row)
    prefilled.push_back(std::min<int64_t>(row == 1 ? 2 : 5 + 8 * (row % 2 == 0),
                                          model.prefillChunk()));
  std::vector<float> logits = model.walkRagged(prefilled);
  expectAgreement(model, logits);
}

TEST_P(GoldenTest, RowsDoNotInfluenceEachOther) {
  GoldenModel model = open();
  if (model.batch() < 2)
    GTEST_SKIP() << "one row";
  // Row 0 decodes the same beside rows that are elsewhere.
  int64_t vocab = model.reference().vocab;
  std::vector<float> together, apart;
  for (int32_t at = 0; at < model.length(); ++at) {
    std::vector<float> logits =
        model.decode(std::vector<int32_t>(model.batch(), at));
    together.insert(together.end(), logits.begin(), logits.begin() + vocab);
  }
  for (int32_t at = 0; at < model.length(); ++at) {
    std::vector<int32_t> positions(model.batch(), model.length() - 1 - at);
    positions[0] = at;
    std::vector<float> logits = model.decode(positions);
    apart.insert(apart.end(), logits.begin(), logits.begin() + vocab);
  }
  EXPECT_LE(relativeError(apart, together), tolerance(model));
}

TEST_P(GoldenTest, ASecondSequenceForgetsTheFirst) {
  GoldenModel model = open();
  std::vector<float> first = model.walk(10, model.prefillChunk());
  // Another sequence, as long as the cache: the padding of prefill is token 0.
  std::vector<int32_t> last(model.batch(), 0);
  for (int32_t at = 0; at < model.maxLength(); ++at)
    model.prefill(std::vector<int32_t>(model.batch(), at), 1, last);
  EXPECT_TRUE(sameBits(model.walk(10, model.prefillChunk()), first));
  model.engine().resetState();
  EXPECT_TRUE(sameBits(model.walk(10, model.prefillChunk()), first));
}

TEST_P(GoldenTest, ReadsNothingThatItHasNotWritten) {
  GoldenModel model = open();
  std::vector<float> logits = model.walk(10, model.prefillChunk());
  GoldenModel::Loss loss = model.loss(model.length());
  for (BufferKind kind :
       {BufferKind::State, BufferKind::Arena, BufferKind::Output})
    model.poison(kind);
  EXPECT_TRUE(sameBits(model.walk(10, model.prefillChunk()), logits));
  model.poison(BufferKind::State);
  EXPECT_TRUE(sameBits(model.walk(0, 1), open().walk(0, 1)));
  model.poison(BufferKind::Arena);
  model.poison(BufferKind::Output);
  GoldenModel::Loss again = model.loss(model.length());
  EXPECT_TRUE(sameBits(again.logits, loss.logits));
  EXPECT_TRUE(sameBits(again.tokenLoss, loss.tokenLoss));
  EXPECT_EQ(again.mean, loss.mean);
}

TEST_P(GoldenTest, ARowDoesNotSeeWhatLiesBeyondIt) {
  GoldenModel model = open();
  if (model.batch() < 2)
    GTEST_SKIP() << "one row";
  std::vector<int32_t> positions(model.batch(), 0);
  std::vector<float> together = model.decode(positions);
  model.walk(0, 1);
  // Row 1 begins again while row 0 is far on.
  model.stainRow(1);
  positions[0] = model.length() - 1;
  std::vector<float> apart = model.decode(positions);
  int64_t vocab = model.reference().vocab;
  EXPECT_LE(relativeError(absl::MakeConstSpan(&apart[vocab], vocab),
                          absl::MakeConstSpan(&together[vocab], vocab)),
            tolerance(model));
}

TEST_P(GoldenTest, ThreadsDoNotChangeABit) {
  GoldenModel one = open(1);
  std::vector<float> walked = one.walk(10, one.prefillChunk());
  GoldenModel::Loss loss = one.loss(one.length());
  for (int threads : {2, 5}) {
    GoldenModel more = open(threads);
    EXPECT_TRUE(sameBits(more.walk(10, more.prefillChunk()), walked))
        << threads;
    GoldenModel::Loss other = more.loss(more.length());
    EXPECT_TRUE(sameBits(other.logits, loss.logits)) << threads;
    EXPECT_EQ(other.mean, loss.mean) << threads;
  }
}

TEST_P(GoldenTest, TheLastPositionIsReachedAndNoneBeyond) {
  GoldenModel model = open(1);
  std::vector<int32_t> last(model.batch(), 0);
  int32_t end = model.maxLength() - 1;
  for (float logit :
       model.prefill(std::vector<int32_t>(model.batch(), end), 1, last))
    ASSERT_TRUE(std::isfinite(logit));
  std::vector<int32_t> tokens(model.batch(), 1);
  std::vector<int32_t> positions(model.batch(), end + 1);
  std::map<std::string, TensorView> outputs;
  absl::Status status = model.engine().run(
      "decode",
      {{"tokens",
        {DType::I32, {model.batch(), 1}, tokens.data(), tokens.size() * 4}},
       {"positions",
        {DType::I32, {model.batch()}, positions.data(), tokens.size() * 4}}},
      &outputs);
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << status;
}

/// The tolerances mean something: no weight can change by a tenth of the
/// tensor's largest without crossing them (f32).
TEST_P(GoldenTest, EveryParameterMatters) {
  GoldenModel model = open();
  if (model.dtype() != DType::F32)
    GTEST_SKIP() << "rounding to bf16 hides changes of this size";
  std::vector<float> expected = model.expectedLogits(model.length());
  ASSERT_LE(relativeError(model.loss(model.length()).logits, expected), 1e-5);
  for (size_t i = 0; i < model.program().buffers.size(); ++i) {
    const Buffer &buffer = model.program().buffers[i];
    if (buffer.kind != BufferKind::Param)
      continue;
    const float *data = static_cast<float *>(model.engine().bufferData(i));
    std::vector<float> changed(data, data + buffer.maxBytes / sizeof(float));
    // Of an embedding, a row that is read.
    int64_t rows = buffer.storedShape[0];
    int64_t at = rows == model.reference().vocab
                     ? model.token(0, 3) * int64_t(changed.size() / rows)
                     : changed.size() / 2;
    float largest = 0;
    for (float value : changed)
      largest = std::max(largest, std::fabs(value));
    changed[at] += 0.1f * largest;
    model.engine().bindParam(i, changed.data());
    EXPECT_GT(relativeError(model.loss(model.length()).logits, expected), 1e-5)
        << buffer.name;
    model.engine().bindParam(i, data);
  }
  EXPECT_LE(relativeError(model.loss(model.length()).logits, expected), 1e-5);
}

INSTANTIATE_TEST_SUITE_P(
    All, GoldenTest, ::testing::ValuesIn(allCompiled()),
    [](const ::testing::TestParamInfo<Compiled> &info) {
      return absl::StrCat(info.param.name, "_", info.param.variant);
    });

TEST(RelativeErrorTest, SeesWhatIsWrong) {
  EXPECT_NEAR(relativeError({3, 4}, {3, 4.5f}), 0.5 / std::sqrt(29.25), 1e-7);
  EXPECT_EQ(relativeError({1, 2}, {1, 2}), 0);
  EXPECT_TRUE(std::isinf(relativeError({1, NAN}, {1, 2})));
  EXPECT_TRUE(std::isinf(relativeError({1, INFINITY}, {1, 2})));
  EXPECT_TRUE(std::isinf(relativeError({1}, {1, 2})));
}

} // namespace
} // namespace t6
