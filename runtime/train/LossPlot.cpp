//===- LossPlot.cpp - A picture of a run ----------------------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "runtime/train/LossPlot.h"

#include "runtime/io/AtomicFile.h"

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_replace.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace t6 {
namespace {

// Pixels.
constexpr double kWidth = 960, kHeight = 540;
constexpr double kLeft = 72, kRight = 84, kTop = 72, kBottom = 56;
constexpr double kPlotWidth = kWidth - kLeft - kRight;
constexpr double kPlotHeight = kHeight - kTop - kBottom;

// Dark enough on white, and told apart without red and green.
constexpr absl::string_view kTrainingColor = "#1f5fa8";
constexpr absl::string_view kValidationColor = "#d1570b";
constexpr absl::string_view kRateColor = "#8a8a8a";
constexpr absl::string_view kAlarmColor = "#b3002d";

/// Few enough points to be told apart are marked.
constexpr size_t kMaxMarks = 60;

Range rangeOfSteps(const LossCurves &curves) {
  double low = std::numeric_limits<double>::infinity(), high = -low;
  for (const Curve *curve : {&curves.training, &curves.validation})
    for (const CurvePoint &point : *curve) {
      low = std::min(low, point.step);
      high = std::max(high, point.step);
    }
  if (!(low <= high))
    return {0, 1};
  return low < high ? Range{low, high} : Range{low - 1, high + 1};
}

double highestRate(const Curve &curve) {
  double highest = 0;
  for (const CurvePoint &point : curve)
    if (std::isfinite(point.value))
      highest = std::max(highest, point.value);
  return highest;
}

std::string escaped(absl::string_view text) {
  return absl::StrReplaceAll(
      text, {{"&", "&amp;"}, {"<", "&lt;"}, {">", "&gt;"}, {"\"", "&quot;"}});
}

/// "20000", "0.0006", "2e-05".
std::string tickText(double value) {
  if (std::fabs(value) < 1e15 && value == std::floor(value))
    return absl::StrCat(static_cast<int64_t>(value));
  return absl::StrFormat("%g", value);
}

class Picture {
public:
  Picture(const LossCurves &curves, absl::string_view title)
      : curves(curves), title(escaped(title)), steps(rangeOfSteps(curves)),
        losses(lossRange(curves)), rates{0, 1.05 * highestRate(
                                                       curves.learningRate)} {}

  std::string draw();

private:
  double x(double step) const {
    return kLeft + (step - steps.low) / (steps.high - steps.low) * kPlotWidth;
  }
  static double y(double value, Range range) {
    return kTop + (range.high - value) / (range.high - range.low) * kPlotHeight;
  }
  void text(double x, double y, absl::string_view anchor,
            absl::string_view content, absl::string_view more = "") {
    absl::StrAppendFormat(&svg,
                          "<text x=\"%.1f\" y=\"%.1f\" text-anchor=\"%s\"%s>"
                          "%s</text>\n",
                          x, y, anchor, more, content);
  }
  void line(double x1, double y1, double x2, double y2,
            absl::string_view color) {
    absl::StrAppendFormat(
        &svg,
        "<line x1=\"%.1f\" y1=\"%.1f\" x2=\"%.1f\" y2=\"%.1f\" "
        "stroke=\"%s\"/>\n",
        x1, y1, x2, y2, color);
  }
  void axes();
  void polyline(const Curve &curve, Range range, absl::string_view color,
                double width);
  void marks(const Curve &curve, absl::string_view color);
  void outliers();
  void legend();

  const LossCurves &curves;
  std::string title;
  Range steps, losses, rates;
  std::string svg;
};

void Picture::axes() {
  double bottom = kTop + kPlotHeight, right = kLeft + kPlotWidth;
  for (double tick : roundTicks(losses, 9)) {
    line(kLeft, y(tick, losses), right, y(tick, losses), "#e4e4e4");
    text(kLeft - 8, y(tick, losses) + 4, "end", tickText(tick));
  }
  for (double tick : roundTicks(steps, 11)) {
    // There is no half a step.
    if (tick != std::floor(tick))
      continue;
    line(x(tick), bottom, x(tick), bottom + 5, "#404040");
    text(x(tick), bottom + 20, "middle", tickText(tick));
  }
  if (rates.high > 0)
    for (double tick : roundTicks(rates, 7)) {
      line(right, y(tick, rates), right + 5, y(tick, rates), kRateColor);
      text(right + 9, y(tick, rates) + 4, "start", tickText(tick),
           " fill=\"#707070\"");
    }
  absl::StrAppendFormat(&svg,
                        "<rect x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" "
                        "height=\"%.1f\" fill=\"none\" stroke=\"#404040\"/>\n",
                        kLeft, kTop, kPlotWidth, kPlotHeight);
  text(kLeft + kPlotWidth / 2, kHeight - 14, "middle", "step");
  double middle = kTop + kPlotHeight / 2;
  text(18, middle, "middle", "loss",
       absl::StrFormat(" transform=\"rotate(-90 18 %.1f)\"", middle));
  if (rates.high > 0)
    text(kWidth - 12, middle, "middle", "learning rate",
         absl::StrFormat(" fill=\"#707070\" transform=\"rotate(90 %.1f %.1f)\"",
                         kWidth - 12, middle));
}

void Picture::polyline(const Curve &curve, Range range, absl::string_view color,
                       double width) {
  Curve thin = thinnedCurve(curve, steps, static_cast<size_t>(kPlotWidth));
  std::string path;
  bool pen = false;
  for (const CurvePoint &point : thin) {
    if (std::isnan(point.value)) {
      pen = false;
      continue;
    }
    // Far outside of the clipped area a number may be too long for a reader.
    double height = std::clamp(y(point.value, range), -kHeight, 2 * kHeight);
    absl::StrAppendFormat(&path, "%s%.1f %.1f", pen ? "L" : "M", x(point.step),
                          height);
    // A lone point is a line of no length with a round cap.
    if (!pen)
      absl::StrAppendFormat(&path, "L%.1f %.1f", x(point.step), height);
    pen = true;
  }
  if (!path.empty())
    absl::StrAppendFormat(
        &svg,
        "<path d=\"%s\" fill=\"none\" stroke=\"%s\" stroke-width=\"%.1f\" "
        "stroke-linejoin=\"round\" stroke-linecap=\"round\" "
        "clip-path=\"url(#plot)\"/>\n",
        path, color, width);
}

void Picture::marks(const Curve &curve, absl::string_view color) {
  if (curve.size() > kMaxMarks)
    return;
  for (const CurvePoint &point : curve)
    if (point.value >= losses.low && point.value <= losses.high)
      absl::StrAppendFormat(
          &svg, "<circle cx=\"%.1f\" cy=\"%.1f\" r=\"3\" fill=\"%s\"/>\n",
          x(point.step), y(point.value, losses), color);
}

/// What the axis does not reach is marked at its edge: a triangle, and below it
/// a cross where the loss was not finite. Marks that would cover each other are
/// drawn once.
void Picture::outliers() {
  constexpr double kApart = 6;
  for (const Curve *curve : {&curves.training, &curves.validation}) {
    absl::string_view color =
        curve == &curves.training ? kTrainingColor : kValidationColor;
    double lastBroken = -kWidth, lastHigh = -kWidth, lastLow = -kWidth;
    for (const CurvePoint &point : *curve) {
      double at = x(point.step);
      bool broken = std::isnan(point.value), low = point.value < losses.low;
      if (!broken && !low && !(point.value > losses.high))
        continue;
      double &last = broken ? lastBroken : low ? lastLow : lastHigh;
      if (at - last < kApart)
        continue;
      last = at;
      if (broken)
        absl::StrAppendFormat(&svg,
                              "<path d=\"M%.1f %.1fl8 8m-8 0l8 -8\" "
                              "stroke=\"%s\" stroke-width=\"2\"/>\n",
                              at - 4, kTop + 14, kAlarmColor);
      else
        absl::StrAppendFormat(
            &svg, "<path d=\"M%.1f %.1fl4 %dh-8z\" fill=\"%s\"/>\n", at,
            low ? kTop + kPlotHeight - 2 : kTop + 2, low ? -7 : 7, color);
    }
  }
}

/// One line over the plot: what is drawn, with the last and lowest values.
void Picture::legend() {
  double at = kLeft;
  auto entry = [&](const Curve &curve, absl::string_view name,
                   absl::string_view color, double width) {
    if (curve.empty())
      return;
    absl::StrAppendFormat(&svg,
                          "<line x1=\"%.1f\" y1=\"54\" x2=\"%.1f\" y2=\"54\" "
                          "stroke=\"%s\" stroke-width=\"%.1f\"/>\n",
                          at, at + 24, color, width);
    std::string label(name);
    const CurvePoint *lowest = nullptr, *last = &curve.back();
    for (const CurvePoint &point : curve)
      if (std::isfinite(point.value) &&
          (!lowest || point.value < lowest->value))
        lowest = &point;
    if (lowest && &curve != &curves.learningRate)
      absl::StrAppend(&label,
                      std::isfinite(last->value)
                          ? absl::StrFormat(" %.4f", last->value)
                          : " not finite",
                      absl::StrFormat(", lowest %.4f at step %s", lowest->value,
                                      tickText(lowest->step)));
    text(at + 30, 58, "start", label);
    at += 60 + 7.0 * static_cast<double>(label.size());
  };
  entry(curves.training, "training", kTrainingColor, 2);
  entry(curves.validation, "validation", kValidationColor, 2);
  entry(curves.learningRate, "learning rate", kRateColor, 1);
}

std::string Picture::draw() {
  svg = absl::StrFormat(
      "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%.0f\" "
      "height=\"%.0f\" viewBox=\"0 0 %.0f %.0f\" role=\"img\" "
      "font-family=\"Helvetica, Arial, sans-serif\" font-size=\"13\" "
      "fill=\"#202020\">\n<title>%s</title>\n",
      kWidth, kHeight, kWidth, kHeight, title);
  absl::StrAppendFormat(
      &svg,
      "<clipPath id=\"plot\"><rect x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" "
      "height=\"%.1f\"/></clipPath>\n"
      "<rect width=\"%.0f\" height=\"%.0f\" fill=\"#ffffff\"/>\n",
      kLeft, kTop, kPlotWidth, kPlotHeight, kWidth, kHeight);
  text(kLeft, 30, "start", title, " font-size=\"16\" font-weight=\"bold\"");
  axes();
  if (rates.high > 0)
    polyline(curves.learningRate, rates, kRateColor, 1);
  polyline(curves.training, losses, kTrainingColor, 1.5);
  polyline(curves.validation, losses, kValidationColor, 2);
  marks(curves.validation, kValidationColor);
  outliers();
  legend();
  svg += "</svg>\n";
  return std::move(svg);
}

} // namespace

std::string lossPlot(const LossCurves &curves, absl::string_view title) {
  return Picture(curves, title).draw();
}

absl::Status writeLossPlot(const std::string &metricsPath,
                           const std::string &svgPath,
                           absl::string_view title) {
  absl::StatusOr<LossCurves> curves = readLossCurves(metricsPath);
  if (!curves.ok())
    return curves.status();
  return writeFileAtomically(svgPath, lossPlot(*curves, title));
}

} // namespace t6
