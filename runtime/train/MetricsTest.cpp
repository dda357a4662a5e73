//===- MetricsTest.cpp - Tests of what a run reports ----------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "runtime/train/Metrics.h"

#include "runtime/io/TestSupport.h"

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"

#include <cmath>
#include <csignal>
#include <limits>
#include <sys/resource.h>
#include <sys/stat.h>

namespace t6 {
namespace {

using nlohmann::ordered_json;
using ::testing::DoubleEq;
using ::testing::ElementsAre;
using testing::isError;
using testing::readFile;
using ::testing::StartsWith;
using testing::TemporaryFolder;

const double kNan = std::nan("");
const double kInfinity = std::numeric_limits<double>::infinity();

StepFacts facts() {
  StepFacts facts;
  facts.iteration = 10;
  facts.lastLoss = 3.21;
  facts.meanLoss = 3.21454;
  facts.seconds = 0.12345;
  facts.tokens = 1024;
  facts.tokensTrained = 11264000;
  facts.mfu = 0.1234;
  facts.learningRate = 6e-4;
  facts.parameterNorm = 80.5;
  facts.momentNorm = 0.5;
  facts.secondMomentNorm = 0.25;
  facts.gradientNorm = 1.5;
  facts.meanGradientNorm = 0.75;
  facts.clippedSteps = 5;
  return facts;
}

TEST(Metrics, TheReferencesLineAndMore) {
  EXPECT_EQ(stepLine(facts(), /*lastLoss=*/true),
            "iter 10: loss 3.2100, time 123.45ms, mfu 12.34%, tps (M) 0.01, "
            "tokens trained 0.01B, loss_mean 3.2145, grad_norm 1.5000, lr "
            "6.00e-04, tokens/s 8295");
  EXPECT_THAT(stepLine(facts(), /*lastLoss=*/false),
              StartsWith("iter 10: loss 3.2145, time "));
}

TEST(Metrics, AnUnknownMfuIsTheReferences) {
  StepFacts unknown = facts();
  unknown.mfu = -1;
  EXPECT_THAT(stepLine(unknown, true),
              StartsWith("iter 10: loss 3.2100, time 123.45ms, mfu -100.00%, "
                         "tps (M) 0.01, "));
}

TEST(Metrics, NansHaveNoSign) {
  StepFacts broken = facts();
  broken.lastLoss = -kNan;
  broken.meanLoss = -kInfinity;
  broken.gradientNorm = kInfinity;
  EXPECT_EQ(stepLine(broken, true),
            "iter 10: loss nan, time 123.45ms, mfu 12.34%, tps (M) 0.01, "
            "tokens trained 0.01B, loss_mean -inf, grad_norm inf, lr "
            "6.00e-04, tokens/s 8295");
}

TEST(Metrics, TheLineOfAnEvaluation) {
  EvaluationFacts evaluation;
  evaluation.iteration = 1000;
  evaluation.trainingLoss = 3.21;
  evaluation.validationLoss = 3.25;
  EXPECT_EQ(evaluationLine(evaluation),
            "step 1000: train loss 3.2100, val loss 3.2500");
  evaluation.trainingLoss.reset();
  evaluation.validationLoss = -kNan;
  EXPECT_EQ(evaluationLine(evaluation), "step 1000: val loss nan");
}

TEST(Metrics, TheReferencesKeys) {
  ordered_json record = stepRecord(facts(), true);
  std::vector<std::string> keys;
  for (const auto &[key, value] : record.items())
    keys.push_back(key);
  EXPECT_THAT(keys,
              ElementsAre("iter", "train/loss", "lr", "param_norm",
                          "momentum_norm", "momentum_norm_sq", "momentum_div",
                          "train/clip_rate", "train/grad_norm",
                          "train/iter_time_ms", "train/mfu",
                          "train/tokens_per_sec_M", "train/tokens_trained_B",
                          "loss_mean", "grad_norm_mean", "tokens_per_sec"));
  EXPECT_EQ(record["iter"], 10);
  EXPECT_EQ(record["train/loss"], 3.21);
  EXPECT_EQ(record["lr"], 6e-4);
  EXPECT_EQ(record["param_norm"], 80.5);
  EXPECT_EQ(record["momentum_norm"], 0.5);
  EXPECT_EQ(record["momentum_norm_sq"], 0.25);
  // 0.5 / (sqrt(0.25) + 1e-8)
  EXPECT_THAT(record["momentum_div"].get<double>(),
              DoubleEq(0.99999998000000040));
  // Five of the steps 0 to 10.
  EXPECT_THAT(record["train/clip_rate"].get<double>(), DoubleEq(5.0 / 11));
  EXPECT_EQ(record["train/grad_norm"], 1.5);
  EXPECT_THAT(record["train/iter_time_ms"].get<double>(), DoubleEq(123.45));
  EXPECT_THAT(record["train/mfu"].get<double>(), DoubleEq(12.34));
  EXPECT_THAT(record["train/tokens_per_sec_M"].get<double>(),
              DoubleEq(1024 / 0.12345 / 1e6));
  EXPECT_THAT(record["train/tokens_trained_B"].get<double>(),
              DoubleEq(0.011264));
  EXPECT_EQ(record["loss_mean"], 3.21454);
  EXPECT_EQ(record["grad_norm_mean"], 0.75);
  EXPECT_EQ(stepRecord(facts(), false)["train/loss"], 3.21454);
}

TEST(Metrics, KeysOfWhatIsNotAlwaysThere) {
  StepFacts more = facts();
  more.referenceMfu = 0.05;
  more.deviceBytes = 3 << 20;
  more.peakDeviceBytes = 7 << 19;
  ordered_json record = stepRecord(more, true);
  EXPECT_EQ(record["mfu_ref"], 5.0);
  EXPECT_EQ(record["gpu/memory_allocated_MB"], 3.0);
  EXPECT_EQ(record["gpu/max_memory_allocated_MB"], 3.5);
}

TEST(Metrics, WhatIsNotFiniteStaysJson) {
  StepFacts broken = facts();
  broken.lastLoss = -kNan;
  broken.meanLoss = kInfinity;
  broken.parameterNorm = -kInfinity;
  broken.mfu = -1;
  ordered_json record =
      ordered_json::parse(stepRecord(broken, true).dump(), nullptr, false);
  EXPECT_EQ(record["train/loss"], "NaN");
  EXPECT_EQ(record["loss_mean"], "Infinity");
  EXPECT_EQ(record["param_norm"], "-Infinity");
  EXPECT_TRUE(record["train/mfu"].is_null());
}

TEST(Metrics, TheRecordOfAnEvaluation) {
  EvaluationFacts evaluation;
  evaluation.iteration = 1000;
  evaluation.trainingLoss = 3.5;
  evaluation.validationLoss = 3.25;
  evaluation.learningRate = 0.5;
  evaluation.mfu = 0.25;
  EXPECT_EQ(evaluationRecord(evaluation).dump(),
            R"({"iter":1000,"train/loss":3.5,"val/loss":3.25,"lr":0.5,)"
            R"("mfu":25.0})");
  evaluation.trainingLoss.reset();
  evaluation.validationLoss = kNan;
  evaluation.mfu = -1;
  EXPECT_EQ(evaluationRecord(evaluation).dump(),
            R"({"iter":1000,"val/loss":"NaN","lr":0.5,"mfu":null})");
}

TEST(Metrics, Mfu) {
  // 1e9 FLOPs a token, 500 tokens in 2 s, of 1e12 FLOP/s.
  EXPECT_THAT(modelFlopsUse(1e9, 500, 2, 1e12), DoubleEq(0.25));
  EXPECT_LT(modelFlopsUse(1e9, 500, 2, 0), 0);
  EXPECT_LT(modelFlopsUse(1e9, 500, 0, 1e12), 0);
}

TEST(Metrics, TheReferencesCostOfAToken) {
  // 6 * 1000 + 12 * 2 * 34 * (768 / 34 = 22) * 10
  EXPECT_EQ(referenceFlopsPerToken(1000, 2, 34, 768, 10), 185520);
  EXPECT_EQ(referenceFlopsPerToken(1000, 2, 0, 768, 10), 6000);
}

TEST(MfuAverage, LeavesOutFiveStepsAndCountsATenth) {
  MfuAverage average;
  EXPECT_EQ(average.value(), -1);
  EXPECT_EQ(average.update(0, 0.9), -1);
  EXPECT_EQ(average.update(4, 0.9), -1);
  EXPECT_EQ(average.update(5, 0.5), 0.5);
  EXPECT_THAT(average.update(6, 0.25), DoubleEq(0.9 * 0.5 + 0.1 * 0.25));
  // A step of unknown use.
  EXPECT_THAT(average.update(7, -1), DoubleEq(0.475));
}

TEST(MfuAverage, GoesOn) {
  MfuAverage average(0.5);
  EXPECT_EQ(average.update(4, 0.1), 0.5);
  EXPECT_THAT(average.update(5, 0.1), DoubleEq(0.46));
}

ordered_json step(int64_t iteration) {
  return {{"iter", iteration}, {"train/loss", 1.5}};
}
ordered_json evaluation(int64_t iteration) {
  return {{"iter", iteration}, {"val/loss", 2.5}};
}

TEST(MetricsFile, EachLineIsThereAtOnce) {
  TemporaryFolder folder;
  auto file = MetricsFile::create(folder.file("metrics.jsonl"));
  ASSERT_TRUE(file.ok()) << file.status();
  ASSERT_TRUE((*file)->append(step(0)).ok());
  EXPECT_EQ(readFile(folder.file("metrics.jsonl")),
            "{\"iter\":0,\"train/loss\":1.5}\n");
  ASSERT_TRUE((*file)->append(evaluation(1)).ok());
  EXPECT_EQ(readFile(folder.file("metrics.jsonl")),
            "{\"iter\":0,\"train/loss\":1.5}\n{\"iter\":1,\"val/loss\":2.5}\n");
}

TEST(MetricsFile, AnotherRunsIsNotOverwritten) {
  TemporaryFolder folder;
  std::string path = folder.write("metrics.jsonl", "{\"iter\":0}\n");
  EXPECT_TRUE(isError(MetricsFile::create(path).status(),
                      absl::StatusCode::kAlreadyExists,
                      {path, " has the metrics of another run; HINT: resume "
                             "that run, or choose another folder"}));
  EXPECT_EQ(readFile(path), "{\"iter\":0}\n");
  std::string empty = folder.write("empty", "");
  EXPECT_TRUE(MetricsFile::create(empty).ok());
}

/// metrics.jsonl of `before` after a resumption and one more line.
std::string resumed(absl::string_view before, MetricsFile::Resumption from) {
  TemporaryFolder folder;
  std::string path = folder.write("metrics.jsonl", before);
  auto file = MetricsFile::resume(path, from);
  if (!file.ok())
    return std::string(file.status().message());
  EXPECT_TRUE((*file)->append({{"iter", 99}}).ok());
  EXPECT_THAT(folder.list(), ElementsAre("metrics.jsonl"));
  return readFile(path);
}

TEST(MetricsFile, ResumingDropsLaterLines) {
  std::string lines =
      absl::StrCat(evaluation(0).dump(), "\n", step(0).dump(), "\n",
                   step(9).dump(), "\n", evaluation(10).dump(), "\n",
                   step(10).dump(), "\n", step(20).dump(), "\n");
  std::string early = absl::StrCat(evaluation(0).dump(), "\n", step(0).dump(),
                                   "\n", step(9).dump(), "\n");
  EXPECT_EQ(resumed(lines, {10, false}), early + "{\"iter\":99}\n");
  EXPECT_EQ(resumed(lines, {10, true}),
            absl::StrCat(early, evaluation(10).dump(), "\n{\"iter\":99}\n"));
  EXPECT_EQ(resumed(lines, {21, false}), lines + "{\"iter\":99}\n");
  EXPECT_EQ(resumed(lines, {0, false}), "{\"iter\":99}\n");
}

TEST(MetricsFile, ResumingDropsALineThatWasCutOff) {
  EXPECT_EQ(resumed("{\"iter\":1}\n{\"iter\":2,\"lo", {10, false}),
            "{\"iter\":1}\n{\"iter\":99}\n");
  // Whole but for its end.
  EXPECT_EQ(resumed("{\"iter\":1}\n{\"iter\":2}", {10, false}),
            "{\"iter\":1}\n{\"iter\":2}\n{\"iter\":99}\n");
}

TEST(MetricsFile, ResumingWithoutAFileMakesOne) {
  EXPECT_EQ(resumed("", {10, false}), "{\"iter\":99}\n");
  TemporaryFolder folder;
  EXPECT_TRUE(MetricsFile::resume(folder.file("new"), {}).ok());
}

TEST(MetricsFile, ResumingRefusesWhatIsNoRecord) {
  for (absl::string_view line : {"hello", "[1]", "{}", "{\"iter\":\"1\"}"}) {
    TemporaryFolder folder;
    std::string text = absl::StrCat("{\"iter\":1}\n", line, "\n");
    std::string path = folder.write("metrics.jsonl", text);
    EXPECT_TRUE(isError(MetricsFile::resume(path, {0, false}).status(),
                        absl::StatusCode::kDataLoss,
                        {path, ":2: is not a record of a step; HINT: the file "
                               "is damaged or something else: move it away"}))
        << line;
    EXPECT_EQ(readFile(path), text);
  }
}

TEST(MetricsFile, AFolderIsRefused) {
  TemporaryFolder folder;
  EXPECT_FALSE(MetricsFile::resume(folder.path, {}).ok());
  EXPECT_TRUE(isError(MetricsFile::create(folder.file("no/such")).status(),
                      absl::StatusCode::kNotFound, {"no/such", "HINT"}));
}

TEST(MetricsFile, AFullDiskLeavesWholeLines) {
  TemporaryFolder folder;
  auto file = MetricsFile::create(folder.file("metrics.jsonl"));
  ASSERT_TRUE(file.ok()) << file.status();
  ASSERT_TRUE((*file)->append(step(0)).ok());
  std::string before = readFile(folder.file("metrics.jsonl"));
  rlimit limit;
  getrlimit(RLIMIT_FSIZE, &limit);
  rlimit small = limit;
  small.rlim_cur = before.size() + 10;
  auto *handler = signal(SIGXFSZ, SIG_IGN);
  setrlimit(RLIMIT_FSIZE, &small);
  absl::Status status = (*file)->append(step(1));
  setrlimit(RLIMIT_FSIZE, &limit);
  signal(SIGXFSZ, handler);
  EXPECT_TRUE(isError(status, absl::StatusCode::kResourceExhausted,
                      {folder.file("metrics.jsonl"), "HINT"}));
  EXPECT_EQ(readFile(folder.file("metrics.jsonl")), before);
  ASSERT_TRUE((*file)->append(step(1)).ok());
  EXPECT_EQ(readFile(folder.file("metrics.jsonl")),
            absl::StrCat(before, step(1).dump(), "\n"));
}

} // namespace
} // namespace t6
