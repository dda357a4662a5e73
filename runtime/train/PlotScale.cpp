//===- PlotScale.cpp - Axes and points of a plot --------------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "runtime/train/LossPlot.h"

#include <algorithm>
#include <cmath>
#include <iterator>

namespace t6 {

std::vector<double> roundTicks(Range range, size_t most) {
  std::vector<double> ticks;
  double width = range.high - range.low;
  if (!(width > 0) || !std::isfinite(width) || most == 0)
    return ticks;
  double power = std::pow(10.0, std::floor(std::log10(width / most)));
  for (double factor : {1.0, 2.0, 5.0, 10.0, 20.0, 50.0}) {
    double step = factor * power;
    // Ends that a rounding error has moved are still reached.
    double first = std::ceil(range.low / step - 1e-9);
    double last = std::floor(range.high / step + 1e-9);
    if (last - first + 1 > static_cast<double>(most))
      continue;
    // -0 would be printed with its sign.
    for (double i = first; i <= last; ++i)
      ticks.push_back(i * step + 0.0);
    break;
  }
  return ticks;
}

Range lossRange(const LossCurves &curves) {
  std::vector<double> values;
  for (const Curve *curve : {&curves.training, &curves.validation})
    for (const CurvePoint &point : *curve)
      if (std::isfinite(point.value))
        values.push_back(point.value);
  if (values.empty())
    return {0, 1};
  std::sort(values.begin(), values.end());
  auto quantile = [&](double part) {
    return values[static_cast<size_t>(
        part * static_cast<double>(values.size() - 1) + 0.5)];
  };
  double usual = quantile(0.95) - quantile(0.05);
  Range range = {values.front(), values.back()};
  // With all of the middle equal, there is nothing to make room for.
  if (usual > 0) {
    range.low =
        *std::lower_bound(values.begin(), values.end(), quantile(0.05) - usual);
    range.high = *std::prev(
        std::upper_bound(values.begin(), values.end(), quantile(0.95) + usual));
  }
  double margin = range.high > range.low
                      ? 0.04 * (range.high - range.low)
                      : std::max(0.05 * std::fabs(range.high), 1e-3);
  return {range.low - margin, range.high + margin};
}

Curve thinnedCurve(const Curve &curve, Range steps, size_t columns) {
  Curve thin;
  double scale = static_cast<double>(columns) / (steps.high - steps.low);
  auto columnOf = [&](const CurvePoint &point) {
    return std::floor((point.step - steps.low) * scale);
  };
  for (size_t i = 0; i < curve.size();) {
    if (std::isnan(curve[i].value)) {
      if (thin.empty() || !std::isnan(thin.back().value))
        thin.push_back(curve[i]);
      ++i;
      continue;
    }
    size_t end = i, low = i, high = i;
    for (; end < curve.size() && !std::isnan(curve[end].value) &&
           columnOf(curve[end]) == columnOf(curve[i]);
         ++end) {
      low = curve[end].value < curve[low].value ? end : low;
      high = curve[end].value > curve[high].value ? end : high;
    }
    size_t picked[] = {i, std::min(low, high), std::max(low, high), end - 1};
    for (size_t k = 0; k < 4; ++k)
      if (k == 0 || picked[k] != picked[k - 1])
        thin.push_back(curve[picked[k]]);
    i = end;
  }
  return thin;
}

} // namespace t6
