//===- DeferFactors.h - Factors applied after the sum -----------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Takes factors that do not depend on the keys out of a sum over the keys.
//
//===----------------------------------------------------------------------===//

#ifndef TPA_COMPILER_FUSION_DEFERFACTORS_H
#define TPA_COMPILER_FUSION_DEFERFACTORS_H

#include "dialects/tpa/TpaDialect.h"

namespace tpa {

/// Splits a sum over the keys m in two where the sum of the operands with m
/// alone is no larger than the whole result: the others are then applied once,
/// to the sum, as MLA's up-projection of values is:
///   "bhnm,bmc,hec->bnhe"  becomes  "bhnm,bmc->bnhc", then "bnhc,hec->bnhe"
/// Returns the einsum that sums over m, `root` itself where nothing is gained.
EinsumOp deferFactors(EinsumOp root);

} // namespace tpa

#endif // TPA_COMPILER_FUSION_DEFERFACTORS_H
