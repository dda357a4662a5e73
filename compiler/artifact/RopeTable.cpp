//===- RopeTable.cpp - Cosines and sines of a rotary embedding ------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "compiler/artifact/RopeTable.h"
#include "llvm/ADT/APFloat.h"
#include <cmath>

namespace tpa {

static float roundToBf16(float value) {
  llvm::APFloat rounded(value);
  bool losesInfo;
  rounded.convert(llvm::APFloat::BFloat(), llvm::APFloat::rmNearestTiesToEven,
                  &losesInfo);
  return rounded.convertToFloat();
}

std::vector<float> ropeTable(RopeAttr rope, int64_t positions, int64_t pairs) {
  bool toBf16 = rope.getTable().isBF16();
  double theta = rope.getTheta().getValueAsDouble();
  // The sign of the exponent: queries decay, keys the other way.
  double direction = rope.getReciprocal() ? -1.0 : 1.0;
  auto decay = [&](int64_t position, int64_t pair) {
    if (!rope.getDecay())
      return 1.0;
    double gamma = rope.getDecay().getValueAsDouble();
    double zeta = (double(pair) / double(pairs) + gamma) / (1.0 + gamma);
    return std::pow(zeta, direction * double(position) /
                              rope.getDecayBase().getValueAsDouble());
  };
  std::vector<float> table;
  table.reserve(positions * 2 * pairs);
  for (int64_t position = 0; position < positions; ++position)
    for (int64_t part : {0, 1})
      for (int64_t pair = 0; pair < pairs; ++pair) {
        float power =
            float(std::pow(theta, double(float(2 * pair) / float(2 * pairs))));
        float angle = float(position) * (1.0f / power);
        float value = float(part == 0 ? std::cos(double(angle))
                                      : std::sin(double(angle)));
        value = toBf16 ? roundToBf16(value) : value;
        table.push_back(float(value * decay(position, pair)));
      }
  return table;
}

} // namespace tpa
