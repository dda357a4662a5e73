//===- TrainOptionsTest.cpp - Tests of the options of a run ---------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "runtime/train/TrainOptions.h"

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"

#include <cmath>
#include <set>

namespace t6 {
namespace {

using nlohmann::json;
using ::testing::DoubleEq;
using ::testing::HasSubstr;

/// The error of setting an option, or "".
std::string set(TrainOptions &options, absl::string_view name,
                absl::string_view value) {
  return std::string(setTrainOption(options, name, value).message());
}

std::string setError(absl::string_view name, absl::string_view value) {
  TrainOptions options;
  return set(options, name, value);
}

TrainOptions preset(absl::string_view name) {
  auto options = trainPreset(name);
  EXPECT_TRUE(options.ok()) << options.status();
  return options.value_or(TrainOptions());
}

json jsonOf(const TrainOptions &options) {
  auto object = toJson(options);
  EXPECT_TRUE(object.ok()) << object.status();
  return object.value_or(json());
}

/// A value other than the default.
std::string otherValue(const TrainOptionInfo &info) {
  switch (info.kind) {
  case TrainOptionKind::Flag:
    return trainOptionText(TrainOptions(), info.name) == "true" ? "false"
                                                                : "true";
  case TrainOptionKind::Integer:
    return "12345";
  case TrainOptionKind::Number:
    return "0.625";
  case TrainOptionKind::Text:
    return "a \"text\"";
  case TrainOptionKind::Choice:
    return std::string(info.choices.back());
  }
  return "";
}

TEST(TrainOptions, EveryOptionIsSetByNameAndByJson) {
  TrainOptions options;
  for (const TrainOptionInfo &info : trainOptions()) {
    std::string value = otherValue(info);
    ASSERT_NE(trainOptionText(options, info.name), value) << info.name;
    json before = jsonOf(options);
    ASSERT_EQ(set(options, info.name, value), "") << info.name;
    EXPECT_EQ(trainOptionText(options, info.name), value);
    // Exactly this one has changed.
    json after = jsonOf(options);
    for (const auto &[key, old] : before.items())
      EXPECT_EQ(after[key] == old, key != info.name) << key;
  }
  auto copy = trainOptionsFromJson(json::parse(jsonOf(options).dump()));
  ASSERT_TRUE(copy.ok()) << copy.status();
  EXPECT_EQ(jsonOf(*copy), jsonOf(options));
}

TEST(TrainOptions, TheNamesAreDistinctAndExplained) {
  std::set<absl::string_view> names;
  for (const TrainOptionInfo &info : trainOptions()) {
    EXPECT_TRUE(names.insert(info.name).second) << info.name;
    EXPECT_FALSE(info.help.empty()) << info.name;
    EXPECT_EQ(info.kind == TrainOptionKind::Choice, !info.choices.empty());
  }
  EXPECT_EQ(names.size(), jsonOf(TrainOptions()).size());
}

TEST(TrainOptions, DefaultsAndPresetsAreValid) {
  EXPECT_TRUE(checkTrainOptions(TrainOptions()).ok());
  EXPECT_TRUE(checkTrainOptions(preset("reference")).ok());
  EXPECT_TRUE(checkTrainOptions(preset("fixed")).ok());
}

TEST(TrainOptions, ThePresetsDifferInTheMistakesOnly) {
  json reference = jsonOf(preset("reference"));
  json fixed = jsonOf(preset("fixed"));
  json differences = json::object();
  for (const auto &[key, value] : reference.items())
    if (fixed[key] != value)
      differences[key] = {value, fixed[key]};
  EXPECT_EQ(differences, json::parse(R"({
    "accumulation": [5, 0],
    "tokens-per-step": [0, 491520],
    "lone-accumulation-factor": [8, 1],
    "grad-accum": ["sum", "mean"],
    "extra-step": [true, false],
    "zero-first-rate": [true, false],
    "eval-fixed-set": [false, true],
    "eval-shares-stream": [true, false],
    "keep-last": [1, 2],
    "keep-best": [false, true],
    "resume-position": [false, true],
    "log-last-loss": [true, false]
  })"))
      << differences.dump(2);
}

TEST(TrainOptions, TheReferencesRecipe) {
  TrainOptions options = preset("reference");
  EXPECT_EQ(options.batch, 24);
  EXPECT_EQ(options.length, 1024);
  EXPECT_EQ(options.steps, 100000);
  EXPECT_EQ(options.learningRate, 6e-4);
  EXPECT_EQ(options.minRate, 3e-5);
  EXPECT_EQ(options.warmup, 2000);
  EXPECT_EQ(options.decaySteps, 100000);
  EXPECT_EQ(options.beta1, 0.9);
  EXPECT_EQ(options.beta2, 0.95);
  EXPECT_EQ(options.epsilon, 1e-8);
  EXPECT_EQ(options.weightDecay, 0.1);
  EXPECT_EQ(options.decayedParameters, DecayedParameters::All);
  EXPECT_EQ(options.clip, 1.0);
  EXPECT_EQ(options.sampler, "random-window");
  EXPECT_EQ(options.seed, 5000);
  EXPECT_EQ(options.evalInterval, 1000);
  EXPECT_EQ(options.evalBatches, 200);
  EXPECT_TRUE(options.evalTraining);
  EXPECT_TRUE(options.alwaysSave);
  EXPECT_EQ(options.milestones, 5);
  EXPECT_EQ(options.logInterval, 10);
}

TEST(TrainOptions, UnknownPreset) {
  EXPECT_EQ(trainPreset("fast").status(),
            absl::InvalidArgumentError("no preset is called \"fast\"; HINT: "
                                       "the presets are reference and fixed"));
}

TEST(TrainOptions, UnknownNamesNameTheNearest) {
  EXPECT_EQ(setError("min-rat", "1"),
            "no training option is called \"min-rat\"; HINT: did you mean "
            "min-rate?");
  EXPECT_THAT(setError("qqqqqq", "1"),
              HasSubstr("no training option is called \"qqqqqq\"; HINT: the "
                        "options are data, validation-data, "));
  auto options = trainOptionsFromJson({{"step", 5}});
  EXPECT_EQ(options.status(),
            absl::InvalidArgumentError("no training option is called \"step\"; "
                                       "HINT: did you mean steps?"));
}

TEST(TrainOptions, UnderscoresAreDashes) {
  TrainOptions options;
  EXPECT_EQ(set(options, "learning_rate", "1e-3"), "");
  EXPECT_EQ(options.learningRate, 1e-3);
}

TEST(TrainOptions, Flags) {
  TrainOptions options;
  EXPECT_EQ(set(options, "plot", "off"), "");
  EXPECT_FALSE(options.plot);
  EXPECT_EQ(set(options, "plot", "1"), "");
  EXPECT_TRUE(options.plot);
  EXPECT_EQ(set(options, "plot", "yes"),
            "the option plot takes true or false, not \"yes\"");
}

TEST(TrainOptions, ValuesOfAnotherType) {
  EXPECT_EQ(setError("steps", "1e3"),
            "the option steps takes an integer, not \"1e3\"");
  EXPECT_EQ(setError("steps", ""),
            "the option steps takes an integer, not \"\"");
  EXPECT_EQ(setError("clip", "one"),
            "the option clip takes a number, not \"one\"");
  EXPECT_EQ(setError("data", "\xFF"),
            "the option data is \"\\xff\", which is not text; HINT: write it "
            "in UTF-8");
}

TEST(TrainOptions, ValuesOutOfRange) {
  EXPECT_EQ(setError("steps", "-1"),
            "the option steps is -1; HINT: it must be in [1, "
            "9007199254740992]");
  EXPECT_EQ(setError("steps", "9007199254740993"),
            "the option steps is 9007199254740993; HINT: it must be in [1, "
            "9007199254740992]");
  EXPECT_EQ(setError("steps", "-99999999999999999999"),
            "the option steps is -99999999999999999999; HINT: it must be in "
            "[1, 9007199254740992]");
  EXPECT_EQ(setError("log-interval", "0"),
            "the option log-interval is 0; HINT: it must be in [1, "
            "9007199254740992]");
  EXPECT_EQ(setError("beta1", "1"),
            "the option beta1 is 1.0; HINT: it must be in [0.0, 1)");
  EXPECT_EQ(setError("clip", "nan"), "the option clip is nan; HINT: it must be "
                                     "finite and at least 0.0");
  EXPECT_EQ(setError("clip", "inf"), "the option clip is inf; HINT: it must be "
                                     "finite and at least 0.0");
  EXPECT_EQ(setError("schedule", "cos"),
            "the option schedule is \"cos\"; HINT: it must be one of cosine, "
            "linear, constant, wsd");
  EXPECT_EQ(setError("grad-accum", "average"),
            "the option grad-accum is \"average\"; HINT: it must be one of "
            "mean, sum");
}

TEST(TrainOptions, AFailureChangesNothing) {
  TrainOptions options;
  json before = jsonOf(options);
  for (const TrainOptionInfo &info : trainOptions())
    EXPECT_NE(set(options, info.name, "\xFF"), "") << info.name;
  EXPECT_EQ(jsonOf(options), before);
}

std::string jsonError(const char *text) {
  auto options = trainOptionsFromJson(json::parse(text));
  return options.ok() ? "no error" : std::string(options.status().message());
}

TEST(TrainOptions, JsonOfAnotherType) {
  EXPECT_EQ(jsonError("[]"), "the training options are not a JSON object");
  EXPECT_EQ(jsonError(R"({"plot": 1})"),
            "the option plot takes true or false, not \"1\"");
  EXPECT_EQ(jsonError(R"({"steps": 1.5})"),
            "the option steps takes an integer, not \"1.5\"");
  EXPECT_EQ(jsonError(R"({"clip": "1"})"),
            "the option clip takes a number, not \"\\\"1\\\"\"");
  EXPECT_EQ(jsonError(R"({"data": null})"),
            "the option data takes a string, not \"null\"");
  EXPECT_THAT(jsonError(R"({"steps": 18446744073709551615})"),
              HasSubstr("the option steps is 18446744073709551615; HINT"));
  EXPECT_EQ(jsonError(R"({"sampler": "best"})"),
            "the option sampler is \"best\"; HINT: it must be one of "
            "epochs, random-window");
}

TEST(TrainOptions, JsonChangesTheBase) {
  auto options =
      trainOptionsFromJson({{"steps", 7}, {"clip", 2}}, preset("reference"));
  ASSERT_TRUE(options.ok()) << options.status();
  EXPECT_EQ(options->steps, 7);
  EXPECT_EQ(options->clip, 2.0);
  EXPECT_EQ(options->batch, 24);
}

TEST(TrainOptions, TextThatIsNotUtf8HasNoJson) {
  TrainOptions options;
  options.out = "runs/\xFF";
  EXPECT_EQ(toJson(options).status().message(),
            "the option out is \"runs/\\xff\", which is not text; HINT: write "
            "it in UTF-8");
}

std::string checkError(void (*change)(TrainOptions &)) {
  TrainOptions options;
  change(options);
  return std::string(checkTrainOptions(options).message());
}

TEST(TrainOptions, Contradictions) {
  EXPECT_EQ(checkError([](TrainOptions &o) { o.minRate = 1; }),
            "min-rate (1.0) is above learning-rate (0.0006); HINT: lower "
            "min-rate");
  EXPECT_EQ(checkError([](TrainOptions &o) {
              o.minRate = 1;
              o.schedule = "constant";
            }),
            "");
  EXPECT_EQ(checkError([](TrainOptions &o) { o.steps = o.warmup = 50; }),
            "the warm-up (50 steps) is not shorter than the schedule (50 "
            "steps); "
            "HINT: lower warmup");
  EXPECT_EQ(checkError([](TrainOptions &o) {
              o.warmup = 100;
              o.decaySteps = 99;
            }),
            "the warm-up (100 steps) is not shorter than the schedule (99 "
            "steps); "
            "HINT: lower warmup");
  EXPECT_EQ(checkError([](TrainOptions &o) { o.evalSharesStream = true; }),
            "eval-shares-stream draws batches anew, and eval-fixed-set does "
            "not; HINT: switch one of them off");
  EXPECT_EQ(checkError([](TrainOptions &o) {
              o.evalBatches = 0;
              o.evalFixedSet = false;
            }),
            "eval-batches is 0, all of the corpus, and without eval-fixed-set "
            "batches are drawn; HINT: set eval-batches");
  // Then there is no best one to keep.
  EXPECT_EQ(checkError([](TrainOptions &o) { o.evalInterval = 0; }), "");
  EXPECT_EQ(checkError([](TrainOptions &o) { o.resume = ""; }),
            "the option resume is empty; HINT: never, auto, or the folder of "
            "a checkpoint");
}

TEST(TrainOptions, SomeFollowOthers) {
  TrainOptions options;
  options.steps = 40;
  options.learningRate = 1e-5;
  EXPECT_TRUE(checkTrainOptions(options).ok()) << checkTrainOptions(options);
  EXPECT_EQ(decayEnd(options), 40);
  EXPECT_EQ(warmupSteps(options), 2);
  EXPECT_THAT(endRate(options), DoubleEq(1e-6));
  options.decaySteps = 100;
  options.minRate = 0;
  EXPECT_EQ(decayEnd(options), 100);
  EXPECT_EQ(warmupSteps(options), 5);
  EXPECT_EQ(endRate(options), 0);
  options.warmup = 0;
  EXPECT_EQ(warmupSteps(options), 0);
}

TEST(TrainOptions, MembersSetDirectlyAreCheckedToo) {
  EXPECT_THAT(checkError([](TrainOptions &o) { o.steps = -1; }),
              HasSubstr("the option steps is -1"));
  EXPECT_THAT(checkError([](TrainOptions &o) { o.clip = std::nan(""); }),
              HasSubstr("the option clip "));
  EXPECT_THAT(checkError([](TrainOptions &o) { o.schedule = "cos"; }),
              HasSubstr("the option schedule is \"cos\""));
}

std::string shapeText(const TrainOptions &options, int64_t ranks,
                      bool launched) {
  auto shape = stepShape(options, 4, 256, ranks, launched);
  return shape.ok() ? absl::StrCat(shape->microBatches, " x ", shape->tokens)
                    : std::string(shape.status().message());
}

TEST(StepShape, FromTheAccumulation) {
  TrainOptions options;
  EXPECT_EQ(shapeText(options, 1, false), "1 x 1024");
  options.accumulation = 3;
  EXPECT_EQ(shapeText(options, 2, true), "3 x 6144");
  options.batch = 2;
  options.length = 128;
  EXPECT_EQ(shapeText(options, 1, false), "3 x 768");
}

TEST(StepShape, FromTheTokens) {
  TrainOptions options;
  options.tokensPerStep = 8192;
  EXPECT_EQ(shapeText(options, 1, false), "8 x 8192");
  EXPECT_EQ(shapeText(options, 2, true), "4 x 8192");
  EXPECT_EQ(shapeText(options, 3, true),
            "tokens-per-step is 8192, no multiple of the 3072 tokens that 3 "
            "ranks take at a time (4 sequences of 256 tokens each); HINT: 9216 "
            "would do");
  options.tokensPerStep = 1000;
  EXPECT_EQ(shapeText(options, 1, false),
            "tokens-per-step is 1000, no multiple of the 1024 tokens that 1 "
            "rank takes at a time (4 sequences of 256 tokens each); HINT: 1024 "
            "would do");
}

TEST(StepShape, OfThePresets) {
  // 24 sequences of 1024 tokens; alone the reference simulates eight GPUs.
  EXPECT_EQ(shapeText(preset("reference"), 1, false), "40 x 983040");
  EXPECT_EQ(shapeText(preset("reference"), 4, true), "5 x 491520");
  EXPECT_EQ(shapeText(preset("fixed"), 1, false), "20 x 491520");
  EXPECT_EQ(shapeText(preset("fixed"), 4, true), "5 x 491520");
}

TEST(StepShape, Contradictions) {
  TrainOptions options;
  options.accumulation = 3;
  options.tokensPerStep = 8192;
  EXPECT_EQ(shapeText(options, 1, false),
            "tokens-per-step is 8192, and accumulation gives 3072; HINT: set "
            "one of them to 0");
  options.tokensPerStep = 3072;
  EXPECT_EQ(shapeText(options, 1, false), "3 x 3072");
  options.tokensPerStep = 0;
  options.accumulation = int64_t(1) << 53;
  EXPECT_EQ(shapeText(options, 1, false),
            "a step of 9007199254740992 micro-batches has more tokens than can "
            "be counted");
  EXPECT_EQ(stepShape(TrainOptions(), 0, 256, 1, false).status().message(),
            "a step cannot consist of 0 sequences of 256 tokens on 1 ranks");
}

} // namespace
} // namespace t6
