//===- LossPlotTest.cpp - Tests of the picture of a run -------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "runtime/train/LossPlot.h"

#include "runtime/io/TestSupport.h"

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"

#include <cmath>

namespace t6 {
namespace {

using ::testing::ContainsRegex;
using ::testing::DoubleNear;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using testing::isError;
using ::testing::Not;
using testing::readFile;
using testing::TemporaryFolder;

const double kNan = std::nan("");

/// How often `part` occurs in `text`.
int count(absl::string_view text, absl::string_view part) {
  int found = 0;
  for (size_t at = text.find(part); at != absl::string_view::npos;
       at = text.find(part, at + part.size()))
    ++found;
  return found;
}

LossCurves falling(int steps) {
  LossCurves curves;
  for (int i = 0; i < steps; ++i) {
    double part = static_cast<double>(i) / steps;
    curves.training.push_back({double(i), 4 - 2 * part});
    curves.learningRate.push_back({double(i), 6e-4 * (1 - part)});
    if (i % 100 == 0)
      curves.validation.push_back({double(i), 4.1 - 2 * part});
  }
  return curves;
}

TEST(LossCurves, FromARun) {
  TemporaryFolder folder;
  std::string path = folder.write(
      "metrics.jsonl",
      "{\"iter\":0,\"train/loss\":9.0,\"val/loss\":5.5,\"lr\":0.0}\n"
      "{\"iter\":0,\"train/loss\":5.25,\"lr\":0.25,\"loss_mean\":5.0}\n"
      "{\"iter\":1,\"train/loss\":4.5,\"lr\":0.5}\n"
      "{\"iter\":2,\"train/loss\":\"NaN\",\"lr\":0.5}\n"
      "{\"iter\":3,\"train/lo");
  auto curves = readLossCurves(path);
  ASSERT_TRUE(curves.ok()) << curves.status();
  ASSERT_EQ(curves->training.size(), 3u);
  EXPECT_EQ(curves->training[0].value, 5.0);
  EXPECT_EQ(curves->training[1].value, 4.5);
  EXPECT_TRUE(std::isnan(curves->training[2].value));
  EXPECT_EQ(curves->training[2].step, 2);
  ASSERT_EQ(curves->validation.size(), 1u);
  EXPECT_EQ(curves->validation[0].value, 5.5);
  EXPECT_EQ(curves->learningRate.size(), 3u);
}

TEST(LossCurves, Errors) {
  TemporaryFolder folder;
  std::string path = folder.write("metrics.jsonl", "{\"iter\":0}\n");
  EXPECT_TRUE(isError(readLossCurves(path).status(),
                      absl::StatusCode::kNotFound,
                      {path, " has no losses; HINT: wait for the first line"}));
  folder.write("metrics.jsonl", "{\"iter\":0,\"train/loss\":1}\nhello\n");
  EXPECT_TRUE(isError(readLossCurves(path).status(),
                      absl::StatusCode::kDataLoss,
                      {path, ":2: is not a record of a step; HINT: name the "
                             "metrics.jsonl of a run"}));
  EXPECT_TRUE(isError(readLossCurves(folder.file("none")).status(),
                      absl::StatusCode::kNotFound, {"none"}));
}

TEST(LossPlot, TicksAreRound) {
  EXPECT_THAT(roundTicks({0, 10}, 6), ElementsAre(0, 2, 4, 6, 8, 10));
  EXPECT_THAT(roundTicks({0.3, 9.9}, 5), ElementsAre(2, 4, 6, 8));
  EXPECT_THAT(roundTicks({-1, 1}, 5), ElementsAre(-1, -0.5, 0, 0.5, 1));
  EXPECT_THAT(roundTicks({0, 6.3e-4}, 7),
              ElementsAre(0, DoubleNear(1e-4, 1e-12), DoubleNear(2e-4, 1e-12),
                          DoubleNear(3e-4, 1e-12), DoubleNear(4e-4, 1e-12),
                          DoubleNear(5e-4, 1e-12), DoubleNear(6e-4, 1e-12)));
  EXPECT_THAT(roundTicks({0, 99999}, 6),
              ElementsAre(0, 20000, 40000, 60000, 80000));
  EXPECT_THAT(roundTicks({5, 5}, 6), IsEmpty());
  EXPECT_THAT(roundTicks({0, 1}, 0), IsEmpty());
  EXPECT_THAT(roundTicks({kNan, 1}, 5), IsEmpty());
}

TEST(LossPlot, TheRangeHoldsAllLossesOfAQuietRun) {
  LossCurves curves = falling(1000);
  Range range = lossRange(curves);
  EXPECT_LT(range.low, 2.002);
  EXPECT_GT(range.high, 4.1);
  EXPECT_LT(range.high, 4.3);
}

TEST(LossPlot, ASpikeDoesNotFlattenTheRest) {
  LossCurves curves = falling(1000);
  curves.training[500].value = 1e6;
  curves.training[501].value = kNan;
  Range range = lossRange(curves);
  Range quiet = lossRange(falling(1000));
  EXPECT_EQ(range.low, quiet.low);
  EXPECT_EQ(range.high, quiet.high);
}

TEST(LossPlot, AFewSpikesOfAShortRunAreShown) {
  LossCurves curves = falling(20);
  curves.training[10].value = 5;
  EXPECT_GT(lossRange(curves).high, 5);
  curves.training[10].value = 8;
  EXPECT_LT(lossRange(curves).high, 4.3);
}

TEST(LossPlot, TheRangeIsNeverEmpty) {
  EXPECT_LT(lossRange(LossCurves()).low, lossRange(LossCurves()).high);
  LossCurves flat;
  flat.training = {{0, 0}, {1, 0}};
  EXPECT_LT(lossRange(flat).low, 0);
  EXPECT_GT(lossRange(flat).high, 0);
  flat.training = {{0, kNan}};
  EXPECT_LT(lossRange(flat).low, lossRange(flat).high);
}

TEST(LossPlot, ThinningKeepsWhatIsVisible) {
  Curve curve;
  for (int i = 0; i < 100000; ++i)
    curve.push_back({double(i), 0.001 * (i % 7)});
  curve[54321].value = 9;
  curve[54323].value = -9;
  Curve thin = thinnedCurve(curve, {0, 99999}, 100);
  EXPECT_LE(thin.size(), 404u);
  EXPECT_EQ(thin.front().step, 0);
  EXPECT_EQ(thin.back().step, 99999);
  size_t high = 0, low = 0;
  for (size_t i = 0; i < thin.size(); ++i) {
    if (i > 0)
      EXPECT_GE(thin[i].step, thin[i - 1].step);
    high = thin[i].value == 9 ? i : high;
    low = thin[i].value == -9 ? i : low;
  }
  EXPECT_EQ(thin[high].step, 54321);
  EXPECT_EQ(thin[low].step, 54323);
}

TEST(LossPlot, ThinningKeepsShortCurvesAndGaps) {
  Curve curve = {{0, 1}, {1, kNan}, {2, kNan}, {3, 2}, {4, 3}};
  Curve thin = thinnedCurve(curve, {0, 4}, 800);
  ASSERT_EQ(thin.size(), 4u);
  EXPECT_EQ(thin[0].value, 1);
  EXPECT_TRUE(std::isnan(thin[1].value));
  EXPECT_EQ(thin[2].step, 3);
  EXPECT_EQ(thin[3].step, 4);
  // Gaps stay where all is one column.
  EXPECT_EQ(thinnedCurve(curve, {0, 1e9}, 10).size(), 4u);
}

TEST(LossPlot, APictureHasItsParts) {
  std::string svg = lossPlot(falling(1000), "loss of <a> & \"b\"");
  EXPECT_THAT(svg, ::testing::StartsWith("<svg xmlns="));
  EXPECT_THAT(svg, ::testing::EndsWith("</svg>\n"));
  EXPECT_EQ(count(svg, "loss of &lt;a&gt; &amp; &quot;b&quot;"), 2);
  // Training, validation, learning rate.
  EXPECT_EQ(count(svg, "clip-path=\"url(#plot)\""), 3);
  EXPECT_EQ(count(svg, "<circle"), 10);
  EXPECT_THAT(svg, HasSubstr(">training 2.0020, lowest 2.0020 at step 999<"));
  EXPECT_THAT(svg, HasSubstr(">validation 2.3000, lowest 2.3000 at step 900<"));
  for (const char *label : {">step<", ">loss<", ">learning rate<", ">2.5<",
                            ">4<", ">200<", ">0.0002<"})
    EXPECT_THAT(svg, HasSubstr(label));
  EXPECT_THAT(svg, Not(HasSubstr("nan")));
  EXPECT_THAT(svg, Not(HasSubstr("href")));
}

TEST(LossPlot, WhatTheAxisDoesNotReachIsMarked) {
  LossCurves curves = falling(1000);
  EXPECT_EQ(count(lossPlot(curves, ""), "h-8z"), 0);
  curves.training[300].value = 1e9;
  curves.training[600].value = -1e9;
  curves.training[700].value = kNan;
  std::string svg = lossPlot(curves, "");
  EXPECT_EQ(count(svg, "h-8z"), 2);
  EXPECT_EQ(count(svg, "l8 8m-8 0l8 -8"), 1);
  EXPECT_THAT(svg, Not(HasSubstr("nan")));
  // Coordinates that a reader can hold.
  EXPECT_THAT(svg, Not(ContainsRegex("L[0-9.]+ -?[0-9]{5}")));
}

TEST(LossPlot, WithoutLearningRateNoSecondAxis) {
  LossCurves curves = falling(10);
  curves.learningRate.clear();
  EXPECT_THAT(lossPlot(curves, ""), Not(HasSubstr("learning rate")));
}

TEST(LossPlot, ASinglePointAndNoneAtAll) {
  LossCurves curves;
  curves.training = {{7, 3.5}};
  std::string svg = lossPlot(curves, "");
  EXPECT_THAT(svg, HasSubstr(">training 3.5000, lowest 3.5000 at step 7<"));
  EXPECT_THAT(svg, Not(HasSubstr("nan")));
  EXPECT_THAT(svg, HasSubstr(">7<"));
  curves.training = {{7, kNan}};
  EXPECT_THAT(lossPlot(curves, ""), Not(HasSubstr("nan")));
  EXPECT_THAT(lossPlot(LossCurves(), ""), Not(HasSubstr("nan")));
}

TEST(LossPlot, Written) {
  TemporaryFolder folder;
  std::string metrics =
      folder.write("metrics.jsonl", "{\"iter\":0,\"train/loss\":5.25}\n");
  absl::Status status =
      writeLossPlot(metrics, folder.file("loss.svg"), "a run");
  ASSERT_TRUE(status.ok()) << status;
  auto curves = readLossCurves(metrics);
  ASSERT_TRUE(curves.ok());
  EXPECT_EQ(readFile(folder.file("loss.svg")), lossPlot(*curves, "a run"));
  EXPECT_FALSE(
      writeLossPlot(folder.file("none"), folder.file("no.svg"), "").ok());
}

} // namespace
} // namespace t6
