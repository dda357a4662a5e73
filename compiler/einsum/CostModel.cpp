//===- CostModel.cpp - What a target does in a second ---------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "compiler/einsum/CostModel.h"
#include <algorithm>
#include <cmath>

using namespace mlir;

namespace tpa {

static constexpr CostModel targets[] = {
    // One core with AVX-512 at 2.6 GHz, measured: two multiply-adds of 16
    // lanes a cycle, 9.4 cycles for 16 exponentials, reading 512 MB or more,
    // and 1 MB or less.
    {"cpu", 156e9, 4.4e9, 0, {1, 1, 1}, 13e9, 312e9},
    // A100, its data sheet and nothing measured: f32, special function units,
    // bf16 by mma.m16n8k16, HBM2e, shared memory.
    {"sm_80", 19.5e12, 2.4e12, 312e12, {16, 8, 16}, 2.0e12, 19.5e12}};

FailureOr<CostModel> CostModel::find(Operation *where, StringRef name) {
  for (const CostModel &target : targets)
    if (target.name == name)
      return target;
  InFlightDiagnostic error = where->emitError()
                             << "there is no target '" << name << "', only ";
  llvm::interleaveComma(targets, error,
                        [&](const CostModel &known) { error << known.name; });
  return error;
}

static double padded(double size, int64_t multiple) {
  return std::ceil(size / multiple) * multiple;
}

double CostModel::productTime(const Product &product) const {
  double vector = product.flops() / vectorFlops;
  if (tensorFlops == 0)
    return vector;
  // Either side may be the rows.
  Product upright = {product.batch, padded(product.rows, tile.rows),
                     padded(product.columns, tile.columns),
                     padded(product.depth, tile.depth)};
  Product turned = {product.batch, padded(product.columns, tile.rows),
                    padded(product.rows, tile.columns),
                    padded(product.depth, tile.depth)};
  double tensor = std::min(upright.flops(), turned.flops()) / tensorFlops;
  return std::min(vector, tensor);
}

} // namespace tpa
