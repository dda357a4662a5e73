//===- LossPlot.h - A picture of a run --------------------------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Losses over steps, and the learning rate as a thin line with an axis of its
// own, as SVG that needs nothing else.
//
//===----------------------------------------------------------------------===//

#ifndef T6_RUNTIME_TRAIN_LOSSPLOT_H
#define T6_RUNTIME_TRAIN_LOSSPLOT_H

#include "runtime/train/LossCurves.h"

#include "absl/status/status.h"
#include "absl/strings/string_view.h"

#include <cstddef>
#include <string>
#include <vector>

namespace t6 {

struct Range {
  double low, high;
};

/// The multiples of 1, 2 or 5 times a power of ten in `range`, with the finest
/// spacing of which there are at most `most`.
std::vector<double> roundTicks(Range range, size_t most);

/// The losses that an axis shows: all but those that lie further from the
/// quantiles of 5 % and 95 % than these from each other, so that a spike does
/// not flatten the rest. With a margin; never empty.
Range lossRange(const LossCurves &curves);

/// `curve` with at most four points a column: the first, the lowest, the
/// highest and the last of it, in their order, so that nothing visible is lost.
/// Runs of NaN become one NaN. `steps` spans all `columns`.
Curve thinnedCurve(const Curve &curve, Range steps, size_t columns);

/// The picture, called `title`.
std::string lossPlot(const LossCurves &curves, absl::string_view title);

/// Reads `metricsPath` and writes `svgPath`.
absl::Status writeLossPlot(const std::string &metricsPath,
                           const std::string &svgPath, absl::string_view title);

} // namespace t6

#endif // T6_RUNTIME_TRAIN_LOSSPLOT_H
