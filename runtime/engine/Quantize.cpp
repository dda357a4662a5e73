//===- Quantize.cpp - Matrices as 8-bit integers --------------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Symmetric quantisation: each row as integers from -127 to 127 and one scale.
//
//===----------------------------------------------------------------------===//

#include "runtime/engine/Quantize.h"

#include "runtime/io/Half.h"

#include "absl/strings/str_cat.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <vector>

namespace t6 {

static constexpr double kMost = 127;

bool quantizeRow(absl::Span<const float> row, int8_t *values, float *scale) {
  float most = 0;
  for (float value : row) {
    if (!std::isfinite(value))
      return false;
    most = std::max(most, std::fabs(value));
  }
  // A quotient that is no normal number would lose the bits of its values.
  *scale = static_cast<float>(most / kMost);
  // Of the largest numbers, a scale rounded up would make infinity.
  if (!std::isfinite(static_cast<float>(*scale * kMost)))
    *scale = std::nextafter(*scale, 0.0f);
  if (*scale < std::numeric_limits<float>::min())
    *scale = 0;
  if (*scale == 0) {
    std::memset(values, 0, row.size());
    return true;
  }
  // In double: the largest element is then 127 whatever the scale rounds to.
  double step = *scale;
  for (size_t i = 0; i < row.size(); ++i)
    values[i] = static_cast<int8_t>(
        std::clamp(std::nearbyint(row[i] / step), -kMost, kMost));
  return true;
}

absl::Status quantizeRows(ThreadPool &pool, const TensorView &from,
                          int8_t *values, float *scales) {
  int64_t rows = from.shape.empty() ? 1 : from.shape[0];
  if (rows == 0)
    return absl::OkStatus();
  int64_t columns = from.elements() / rows;
  size_t bytes = columns * byteSize(from.dtype);
  std::vector<absl::Status> statuses(rows);
  // Rows of a block share their memory in f32.
  constexpr int64_t kBlock = 64;
  pool.parallelFor((rows + kBlock - 1) / kBlock, [&](int64_t block) {
    std::vector<float> row(columns);
    int64_t end = std::min(rows, (block + 1) * kBlock);
    for (int64_t i = block * kBlock; i < end; ++i) {
      TensorView part;
      part.dtype = from.dtype;
      part.shape = {columns};
      part.data = static_cast<const char *>(from.data) + i * bytes;
      part.bytes = bytes;
      statuses[i] = convert(part, DType::F32, row.data());
      if (statuses[i].ok() &&
          !quantizeRow(row, values + i * columns, scales + i))
        statuses[i] = absl::InvalidArgumentError(
            absl::StrCat("has an element in row ", i,
                         " that is not finite, and cannot be quantised"));
    }
  });
  for (const absl::Status &status : statuses)
    if (!status.ok())
      return status;
  return absl::OkStatus();
}

} // namespace t6
