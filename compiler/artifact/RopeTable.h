//===- RopeTable.h - Cosines and sines of a rotary embedding ----*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef TPA_COMPILER_ARTIFACT_ROPETABLE_H
#define TPA_COMPILER_ARTIFACT_ROPETABLE_H

#include "dialects/tpa/TpaDialect.h"
#include <vector>

namespace tpa {

/// Row-major [positions][2][pairs]: cosines, then sines, of
/// `position * theta^(-pair/pairs)`. Frequencies and angles are rounded to f32
/// as PyTorch does, so that tables rounded to bf16 agree with it bit for bit.
/// A decay scales both after rounding; where it leaves the range of f32, so do
/// elements.
std::vector<float> ropeTable(RopeAttr rope, int64_t positions, int64_t pairs);

} // namespace tpa

#endif // TPA_COMPILER_ARTIFACT_ROPETABLE_H
