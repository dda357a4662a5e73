//===- TrainingTest.cpp - Compiled training steps against the reference ---===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Every recorded case computes the gradients that the reference computed, and
// five steps of AdamW go where it went: in f32, and with factors in bf16.
//
//===----------------------------------------------------------------------===//

#include "tests/end_to_end/GoldenModel.h"

#include "runtime/io/Safetensors.h"

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <gtest/gtest.h>

namespace t6 {
namespace {

/// An artifact of this folder, <name>_<variant>.t6x.
struct Trained {
  std::string name, variant;
};

void PrintTo(const Trained &trained, std::ostream *out) {
  *out << trained.name << "_" << trained.variant;
}

class TrainingTest : public ::testing::TestWithParam<Trained> {
protected:
  TrainingTest() {
    std::string path = absl::StrCat("tests/end_to_end/", GetParam().name, "_",
                                    GetParam().variant, ".t6x");
    model = std::make_unique<GoldenModel>(path, GetParam().name, /*threads=*/2,
                                          ParamMemory::Copied);
    auto file = SafetensorsFile::open("tests/data/" + GetParam().name +
                                      "/training.safetensors");
    EXPECT_TRUE(file.ok()) << file.status();
    if (file.ok())
      expected = *std::move(file);
  }

  static bool isRounded() {
    return absl::StrContains(GetParam().variant, "bf16");
  }
  /// Where norms divide by little: in f32, weights that are changed by less
  /// than 2^-9 of themselves change its gradients by 3 to 7 %, and the length
  /// of the next to any from 4 to 33.
  static bool isSensitive() { return GetParam().name == "t6_rank1_norm"; }

  /// How far a step may be from the reference's, which is in f32.
  struct Bounds {
    double loss, gradient, norm, weight;
  };
  static Bounds bounds() {
    if (!isRounded())
      return {1e-5, 1e-4, 1e-4, 1e-4};
    return {1e-2, isSensitive() ? 5e-2 : 2e-2, 2e-2, 1e-2};
  }

  /// Contents of a buffer.
  absl::Span<const float> buffer(const std::string &name) {
    const Program &program = model->program();
    for (size_t i = 0; i < program.buffers.size(); ++i)
      if (program.buffers[i].name == name)
        return absl::MakeConstSpan(
            static_cast<const float *>(model->engine().bufferData(int(i))),
            program.buffers[i].maxBytes / sizeof(float));
    ADD_FAILURE() << "no buffer " << name;
    return {};
  }

  absl::Span<const float> recorded(const std::string &name) {
    const TensorView *view = expected->find(name);
    if (!view) {
      ADD_FAILURE() << "nothing recorded as " << name;
      return {};
    }
    return absl::MakeConstSpan(static_cast<const float *>(view->data),
                               view->elements());
  }

  std::vector<std::string> recordedNames(const std::string &prefix) {
    std::vector<std::string> names;
    for (absl::string_view name : expected->names())
      if (absl::ConsumePrefix(&name, prefix))
        names.emplace_back(name);
    EXPECT_FALSE(names.empty());
    return names;
  }

  GoldenModel::Tensors step(int number) {
    return step(number, std::stod(expected->metadata().at("lr")), 0.1);
  }

  GoldenModel::Tensors step(int number, double lr, double decay) {
    auto set = [&](const char *name, double value) {
      numbers[name] = float(value);
      inputs[name] = {DType::F32, {1}, &numbers[name], sizeof(float)};
    };
    set("learning_rate", lr);
    set("beta1", 0.9);
    set("beta2", 0.95);
    set("epsilon", 1e-8);
    set("weight_decay", decay);
    set("vector_weight_decay", decay);
    set("gradient_scale", 1);
    set("max_norm", 1);
    set("bias_correction1", 1 - std::pow(0.9, number));
    set("bias_correction2", 1 - std::pow(0.95, number));
    return model->run("apply_adamw", inputs);
  }

  std::unique_ptr<GoldenModel> model;
  std::unique_ptr<SafetensorsFile> expected;
  std::map<std::string, float> numbers;
  GoldenModel::Tensors inputs;
};

TEST_P(TrainingTest, GradientsAgree) {
  float loss = model->reference().loss;
  EXPECT_NEAR(model->accumulate(), loss, bounds().loss * loss);
  double largest = 0;
  for (const std::string &name : recordedNames("grad.")) {
    double error =
        relativeError(buffer("gradient." + name), recorded("grad." + name));
    EXPECT_LE(error, bounds().gradient) << name;
    largest = std::max(largest, error);
  }
  RecordProperty("largest_error", absl::StrCat(largest));
  // What rounds nothing has no business here.
  if (isRounded())
    EXPECT_GE(largest, 1e-4);
}

/// By blocks of the vocabulary, where GoldenTest has all logits at once.
TEST_P(TrainingTest, LossAgrees) {
  int64_t length = model->maxLength();
  GoldenModel::Loss all = model->loss(length);
  EXPECT_TRUE(all.logits.empty());
  double loss = model->reference().loss;
  EXPECT_NEAR(all.mean, loss, bounds().loss * loss);
  ASSERT_EQ(int64_t(all.tokenLoss.size()), model->batch() * length);
  std::vector<int32_t> targets;
  double sum = 0;
  int64_t kept = 0;
  for (size_t i = 0; i < all.tokenLoss.size(); ++i) {
    bool keeps = i % 3 == 1;
    targets.push_back(
        keeps ? model->token(int64_t(i) / length, int64_t(i) % length + 1)
              : -1);
    kept += keeps;
    sum += keeps ? all.tokenLoss[i] : 0;
  }
  GoldenModel::Loss some = model->loss(length, targets);
  EXPECT_NEAR(some.mean, sum / kept, 1e-5 * sum / kept);
  ASSERT_EQ(some.tokenLoss.size(), targets.size());
  for (size_t i = 0; i < targets.size(); ++i)
    EXPECT_EQ(some.tokenLoss[i], targets[i] < 0 ? 0 : all.tokenLoss[i]) << i;
  GoldenModel::Loss shorter = model->loss(length - 3);
  for (int64_t i = 0; i < length - 3; ++i)
    EXPECT_NEAR(shorter.tokenLoss[i], all.tokenLoss[i], 1e-4) << i;
}

TEST_P(TrainingTest, GradientsAddUp) {
  model->accumulate();
  std::string name = recordedNames("grad.").front();
  auto once = buffer("gradient." + name);
  std::vector<float> twice(once.begin(), once.end());
  for (float &value : twice)
    value *= 2;
  model->accumulate();
  EXPECT_LE(relativeError(buffer("gradient." + name), twice), 1e-6);
}

TEST_P(TrainingTest, StepsAgree) {
  absl::Span<const float> losses = recorded("adamw.loss"),
                          norms = recorded("adamw.grad_norm");
  ASSERT_EQ(losses.size(), norms.size());
  for (size_t i = 0; i < losses.size(); ++i) {
    EXPECT_NEAR(model->accumulate(), losses[i], bounds().loss * losses[i]) << i;
    GoldenModel::Tensors outputs = step(int(i) + 1);
    ASSERT_EQ(outputs.count("gradient_norm"), 1u);
    float norm = *static_cast<const float *>(outputs["gradient_norm"].data);
    if (i == 0 || !isRounded() || !isSensitive())
      EXPECT_NEAR(norm, norms[i], bounds().norm * norms[i]) << i;
  }
  for (const std::string &name : recordedNames("adamw.weight."))
    EXPECT_LE(relativeError(buffer(name), recorded("adamw.weight." + name)),
              bounds().weight)
        << name;
}

/// Steps far smaller than the distance of two numbers in bf16 add up.
TEST_P(TrainingTest, SmallStepsAddUp) {
  constexpr int kSteps = 8;
  std::vector<std::string> names = recordedNames("grad.");
  std::map<std::string, std::vector<float>> before;
  for (const std::string &name : names) {
    absl::Span<const float> values = buffer(name);
    before[name].assign(values.begin(), values.end());
  }
  auto moved = [&] {
    double sum = 0;
    for (const std::string &name : names)
      for (size_t i = 0; i < before[name].size(); ++i)
        sum += std::pow(double(buffer(name)[i]) - before[name][i], 2);
    return std::sqrt(sum);
  };
  double once = 0;
  for (int i = 1; i <= kSteps; ++i) {
    model->accumulate();
    step(i, /*lr=*/1e-6, /*decay=*/0);
    if (i == 1)
      once = moved();
  }
  // The gradient is nearly the same each time.
  EXPECT_GT(once, 0);
  EXPECT_NEAR(moved() / once, kSteps, 0.1 * kSteps);
}

TEST_P(TrainingTest, NormsAreOfAllParameters) {
  model->accumulate();
  GoldenModel::Tensors outputs = step(1);
  for (auto [output, prefix] :
       {std::pair("parameter_norm", ""), std::pair("moment_norm", "adamw.m."),
        std::pair("second_moment_norm", "adamw.v.")}) {
    double sum = 0;
    for (const std::string &name : recordedNames("grad."))
      for (float value : buffer(prefix + name))
        sum += double(value) * value;
    ASSERT_EQ(outputs.count(output), 1u);
    EXPECT_NEAR(*static_cast<const float *>(outputs[output].data),
                std::sqrt(sum), 1e-5 * std::sqrt(sum))
        << output;
  }
}

std::vector<Trained> allTrained() {
  std::vector<Trained> all;
  for (const char *name : {"t6_tiny", "t6_rank1_norm", "t6_kvonly_tiny",
                           "mha_tiny", "gqa_tiny", "mla_tiny"})
    all.push_back({name, "train"});
  for (const char *name : {"t6_tiny", "t6_rank1_norm", "t6_kvonly_tiny",
                           "mha_tiny", "gqa_tiny", "mla_tiny"})
    all.push_back({name, "train_bf16"});
  all.push_back({"t6_tiny", "train_bf16_v3"});
  all.push_back({"t6_tiny", "train_full"});
  all.push_back({"t6_tiny", "train_blocks"});
  return all;
}

INSTANTIATE_TEST_SUITE_P(All, TrainingTest, ::testing::ValuesIn(allTrained()),
                         [](const ::testing::TestParamInfo<Trained> &info) {
                           return info.param.name + "_" + info.param.variant;
                         });

} // namespace
} // namespace t6
