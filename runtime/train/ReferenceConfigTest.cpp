//===- ReferenceConfigTest.cpp - Tests of the reference's arguments -------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "runtime/train/ReferenceConfig.h"

#include "runtime/io/TestSupport.h"

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"

namespace t6 {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using testing::TemporaryFolder;

/// Of the form that the reference's files have.
constexpr absl::string_view kFile = R"(
import time
import os
from datetime import datetime

# Wandb configs
wandb_log = True
wandb_project = 'heads'

n_layer = 3
n_head = 5 # not 4
q_rank = 6
kv_lora_rank: int = 32
dropout = 0.0
bias = False

batch_size = 6
block_size = 128
gradient_accumulation_steps = 60 // batch_size
max_iters = 4000
lr_decay_iters = max_iters
eval_interval = 250
eval_iters = 20
log_interval = 5

learning_rate = 2e-4
min_lr = learning_rate / 20
weight_decay = 1e-1
beta1 = 0.85
beta2 = 0.99
grad_clip = 2
decay_lr = True
warmup_iters = 100
schedule = 'cosine'

compile = True
model_type = 'T6'
)";

std::string errorOf(absl::string_view text) {
  ReferenceConfig config;
  return std::string(config.applyText(text, "c.py").message());
}

std::string overrideError(absl::string_view argument) {
  ReferenceConfig config;
  return std::string(config.apply(argument).message());
}

/// The settings of these arguments over the defaults.
absl::StatusOr<ReferenceSettings>
settingsOf(std::initializer_list<absl::string_view> arguments) {
  ReferenceConfig config;
  for (absl::string_view argument : arguments) {
    absl::Status status = config.apply(argument);
    if (!status.ok())
      return status;
  }
  return config.settings(TrainOptions());
}

TEST(ReferenceConfig, AFileBecomesOptions) {
  ReferenceConfig config;
  absl::Status status = config.applyText(kFile, "c.py");
  ASSERT_TRUE(status.ok()) << status;
  auto settings = config.settings(TrainOptions());
  ASSERT_TRUE(settings.ok()) << settings.status();
  const TrainOptions &options = settings->options;
  EXPECT_EQ(options.batch, 6);
  EXPECT_EQ(options.length, 128);
  EXPECT_EQ(options.accumulation, 10);
  EXPECT_EQ(options.tokensPerStep, 0);
  EXPECT_EQ(options.steps, 4000);
  EXPECT_EQ(options.decaySteps, 4000);
  EXPECT_EQ(options.evalInterval, 250);
  EXPECT_EQ(options.evalBatches, 20);
  EXPECT_EQ(options.logInterval, 5);
  EXPECT_EQ(options.learningRate, 2e-4);
  EXPECT_EQ(options.minRate, 2e-4 / 20);
  EXPECT_EQ(options.weightDecay, 0.1);
  EXPECT_EQ(options.beta1, 0.85);
  EXPECT_EQ(options.beta2, 0.99);
  EXPECT_EQ(options.clip, 2.0);
  EXPECT_EQ(options.warmup, 100);
  EXPECT_EQ(options.schedule, "cosine");
  EXPECT_EQ(options.data, "data/fineweb-edu100B");
  EXPECT_EQ(options.out, "");
  EXPECT_EQ(options.resume, "never");
  EXPECT_EQ(options.precision, TrainPrecision::BF16);
  EXPECT_TRUE(checkTrainOptions(options).ok()) << checkTrainOptions(options);
}

TEST(ReferenceConfig, KeysOfTheModelAndWithoutEffectAreListed) {
  ReferenceConfig config;
  ASSERT_TRUE(config.applyText(kFile, "c.py").ok());
  auto settings = config.settings(TrainOptions());
  ASSERT_TRUE(settings.ok()) << settings.status();
  std::vector<std::string> model;
  for (const auto &[key, value] : settings->model)
    model.push_back(absl::StrCat(key, "=", pythonText(value)));
  EXPECT_THAT(model, ElementsAre("model_type='T6'", "n_layer=3", "n_head=5",
                                 "q_rank=6", "kv_lora_rank=32"));
  EXPECT_EQ(settings->warning(),
            "accepted but without effect: wandb_log, wandb_project, dropout, "
            "bias, schedule, compile");
}

TEST(ReferenceConfig, TheCompiledModelMustAgree) {
  ReferenceConfig config;
  ASSERT_TRUE(config
                  .applyText("n_head = 34\nrank = 2\nusing_groupnorm = False\n"
                             "kv_lora_rank = 512\nmodel_type = 'T6'\n",
                             "x.py")
                  .ok());
  auto settings = config.settings({});
  ASSERT_TRUE(settings.ok()) << settings.status();
  nlohmann::json model = {
      {"n_head", 34}, {"using_groupnorm", false}, {"model_type", "gpt2"}};
  EXPECT_TRUE(settings->checkModel(model).ok());
  EXPECT_TRUE(settings->checkModel(nlohmann::json::object()).ok());
  // The trainer does not pass it on.
  model["kv_lora_rank"] = 256;
  EXPECT_TRUE(settings->checkModel(model).ok());
  model["using_groupnorm"] = true;
  EXPECT_THAT(std::string(settings->checkModel(model).message()),
              HasSubstr("using_groupnorm is False in the configuration and "
                        "true in the compiled model; HINT"));
  model["using_groupnorm"] = false;
  model["n_head"] = 12;
  EXPECT_THAT(std::string(settings->checkModel(model).message()),
              HasSubstr("n_head is 34 in the configuration and 12"));
}

TEST(ReferenceConfig, WithoutArgumentsTheTrainersDefaults) {
  auto settings = settingsOf({});
  ASSERT_TRUE(settings.ok()) << settings.status();
  EXPECT_EQ(settings->options.batch, 12);
  EXPECT_EQ(settings->options.accumulation, 5);
  EXPECT_EQ(settings->options.steps, 600000);
  EXPECT_EQ(settings->options.evalInterval, 2000);
  EXPECT_EQ(settings->options.logInterval, 1);
  EXPECT_EQ(settings->options.minRate, 6e-5);
  EXPECT_THAT(settings->model, IsEmpty());
  EXPECT_EQ(settings->warning(), "");
}

TEST(ReferenceConfig, ThePresetStaysWhereNoKeySpeaks) {
  ReferenceConfig config;
  ASSERT_TRUE(config.applyText(kFile, "c.py").ok());
  auto preset = trainPreset("reference");
  ASSERT_TRUE(preset.ok());
  preset->out = "runs/mine";
  preset->data = "corpus";
  auto settings = config.settings(*preset);
  ASSERT_TRUE(settings.ok()) << settings.status();
  EXPECT_EQ(settings->options.gradientReduction, GradientReduction::Sum);
  EXPECT_EQ(settings->options.loneAccumulationFactor, 8);
  EXPECT_EQ(settings->options.out, "runs/mine");
  EXPECT_EQ(settings->options.data, "corpus");
}

TEST(ReferenceConfig, LaterArgumentsWin) {
  TemporaryFolder folder;
  std::string file = folder.write("c.py", "batch_size = 6\n"
                                          "gradient_accumulation_steps = "
                                          "120 // batch_size\n");
  auto fileFirst = settingsOf({file, "--batch_size=24"});
  ASSERT_TRUE(fileFirst.ok()) << fileFirst.status();
  EXPECT_EQ(fileFirst->options.batch, 24);
  // The file was read before the override, as the reference runs it.
  EXPECT_EQ(fileFirst->options.accumulation, 20);
  auto fileLast = settingsOf({"--batch_size=24", file});
  ASSERT_TRUE(fileLast.ok()) << fileLast.status();
  EXPECT_EQ(fileLast->options.batch, 6);
}

TEST(ReferenceConfig, AFilesExpressionsSeeEarlierArguments) {
  TemporaryFolder folder;
  std::string file =
      folder.write("c.py", "gradient_accumulation_steps = 120 // batch_size\n");
  auto settings = settingsOf({"--batch_size=24", file});
  ASSERT_TRUE(settings.ok()) << settings.status();
  EXPECT_EQ(settings->options.accumulation, 5);
}

TEST(ReferenceConfig, OverridesAreLiterals) {
  auto settings =
      settingsOf({"--dataset=my/text", "--data_path=/d", "--decay_lr=False",
                  "--dtype=float32", "--out_dir='7'", "--learning_rate=1e-3",
                  "--always_save_checkpoint=False", "--init_from=resume",
                  "--resume_dir=runs/a", "--seed=3"});
  ASSERT_TRUE(settings.ok()) << settings.status();
  EXPECT_EQ(settings->options.data, "/d/my/text");
  EXPECT_EQ(settings->options.out, "7");
  EXPECT_EQ(settings->options.schedule, "constant");
  EXPECT_EQ(settings->options.warmup, 0);
  EXPECT_EQ(settings->options.precision, TrainPrecision::F32);
  EXPECT_EQ(settings->options.learningRate, 1e-3);
  EXPECT_FALSE(settings->options.alwaysSave);
  EXPECT_EQ(settings->options.resume, "runs/a");
  EXPECT_EQ(settings->options.seed, 3);
}

TEST(ReferenceConfig, OverridesAreReported) {
  ReferenceConfig config;
  ASSERT_TRUE(config.applyText("n_head = 4\nlearning_rate = 1", "c.py").ok());
  ASSERT_TRUE(config.apply("--schedule=cosine").ok());
  EXPECT_THAT(
      config.overrides(),
      ElementsAre("n_head = 4", "learning_rate = 1.0", "schedule = 'cosine'"));
  EXPECT_EQ(pythonText(*config.value("n_head")), "4");
  EXPECT_FALSE(config.value("v_head_dim").has_value());
}

TEST(ReferenceConfig, UnknownKeysNameTheNearest) {
  EXPECT_EQ(overrideError("--batchsize=4"),
            "unknown config key: \"batchsize\"; HINT: did you mean "
            "batch_size?");
  EXPECT_THAT(overrideError("--zzzzzz=4"),
              HasSubstr("unknown config key: \"zzzzzz\"; HINT: the keys are "
                        "data_path, dataset, out_dir"));
  EXPECT_EQ(errorOf("n_head = 4\nlerning_rate = 1e-3\n"),
            "c.py:2: the trainer has no key \"lerning_rate\"; HINT: did you "
            "mean learning_rate?");
}

TEST(ReferenceConfig, ANameThatIsUsedLaterIsNoKey) {
  ReferenceConfig config;
  absl::Status status = config.applyText(
      "sequences = 480\nbatch_size = sequences // 8\n", "c.py");
  EXPECT_TRUE(status.ok()) << status;
  EXPECT_EQ(pythonText(*config.value("batch_size")), "60");
  EXPECT_FALSE(config.value("sequences").has_value());
}

TEST(ReferenceConfig, TypesMustMatch) {
  EXPECT_EQ(overrideError("--learning_rate=1"),
            "\"--learning_rate=1\": learning_rate is of type float, and 1 is "
            "of type int; HINT: write it as in --learning_rate=0.0006");
  EXPECT_EQ(overrideError("--batch_size=5*8"),
            "\"--batch_size=5*8\": batch_size is of type int, and '5*8' is of "
            "type str; HINT: write it as in --batch_size=12");
  EXPECT_EQ(overrideError("--compile=true"),
            "\"--compile=true\": compile is of type bool, and 'true' is of "
            "type str; HINT: write it as in --compile=True");
  EXPECT_EQ(overrideError("--dataset=7"),
            "\"--dataset=7\": dataset is of type str, and 7 is of type int; "
            "HINT: write it as in --dataset=\"'7'\"");
  EXPECT_EQ(errorOf("batch_size = 12.0"),
            "c.py:1: batch_size is of type int, and 12.0 is of type float; "
            "HINT: assign a value such as 12");
  EXPECT_EQ(errorOf("\nbatch_size = True"),
            "c.py:2: batch_size is of type int, and True is of type bool; "
            "HINT: assign a value such as 12");
  EXPECT_EQ(errorOf("dataset = None"),
            "c.py:1: dataset is of type str, and None is of type NoneType; "
            "HINT: assign a value such as 'fineweb-edu100B'");
}

TEST(ReferenceConfig, AWrongFileChangesNothing) {
  ReferenceConfig config;
  EXPECT_FALSE(config.applyText("batch_size = 3\nn_head = 'x'", "c.py").ok());
  EXPECT_EQ(pythonText(*config.value("batch_size")), "12");
  EXPECT_THAT(config.overrides(), IsEmpty());
}

TEST(ReferenceConfig, FilesAreNotExecuted) {
  EXPECT_THAT(errorOf("import os\nos.system('true')"),
              HasSubstr("c.py:2: found a part of \"os\""));
  EXPECT_THAT(errorOf("n_head = int('4')"),
              HasSubstr("c.py:1: found a call of \"int\""));
}

TEST(ReferenceConfig, ArgumentsOfAnotherForm) {
  EXPECT_EQ(overrideError("--compile"),
            "\"--compile\" has no value; HINT: write --key=value");
  EXPECT_EQ(overrideError("batch_size=4"),
            "\"batch_size=4\" has no dashes; HINT: write --batch_size=4");
  EXPECT_THAT(overrideError("/nowhere/c.py"), HasSubstr("/nowhere/c.py"));
  TemporaryFolder folder;
  std::string large = folder.write("c.py", std::string(2 << 20, '\n'));
  EXPECT_THAT(overrideError(large),
              HasSubstr("has 2097152 bytes, too many for a configuration"));
}

std::string settingsError(absl::string_view argument) {
  auto settings = settingsOf({argument});
  return settings.ok() ? "no error" : std::string(settings.status().message());
}

TEST(ReferenceConfig, WhatCannotBeDoneIsRefused) {
  EXPECT_EQ(settingsError("--eval_only=True"),
            "eval_only: training does not end before it begins; HINT: t6 eval");
  EXPECT_EQ(settingsError("--dtype=float16"),
            "dtype: \"float16\" is not supported; HINT: bfloat16 or float32");
  EXPECT_EQ(settingsError("--init_from=gpt2-xl"),
            "init_from: \"gpt2-xl\" is not supported, because GPT-2's weights "
            "do not fit this architecture; HINT: scratch or resume");
  EXPECT_EQ(settingsError("--init_from=other"),
            "init_from: \"other\" is not supported; HINT: scratch or resume");
  EXPECT_EQ(settingsError("--batch_size=-1"),
            "batch_size: the option batch is -1; HINT: it must be in [0, "
            "9007199254740992]");
}

} // namespace
} // namespace t6
