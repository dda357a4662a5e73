//===- StreamForm.h - Contractions in a stream ------------------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// How an einsum over the keys is contracted in a stream: factored, with factors
// that met ahead of it or are left for after it, or from keys formed in it.
//
//===----------------------------------------------------------------------===//

#ifndef TPA_COMPILER_FUSION_STREAMFORM_H
#define TPA_COMPILER_FUSION_STREAMFORM_H

#include "compiler/einsum/ContractionSearch.h"
#include "dialects/tpa/TpaDialect.h"

namespace tpa {

/// What the form of a stream's contractions depends on besides their equation.
struct StreamShape {
  CostModel target;
  int64_t block = 0;      ///< keys
  int64_t queryBlock = 0; ///< queries, where their number varies or is large

  /// Queries up to this number share a block of keys, all of them.
  static constexpr int64_t fewQueries = 64;
  static bool hasFew(int64_t queries) {
    return !mlir::ShapedType::isDynamic(queries) && queries <= fewQueries;
  }
};

/// The search for an einsum's order in a stream. `equation` is the einsum's up
/// to the choice of letters; `sizes` are those of its labels.
ContractionSearch searchStream(EinsumOp op, const Equation &equation,
                               LabelSizes sizes, const StreamShape &shape);

/// Says which form was chosen and what it and the others cost.
void remarkOnForm(EinsumOp op, const Equation &equation,
                  const LabelSizes &sizes, const ContractionSearch &search,
                  const StreamShape &shape);

/// Splits an einsum over m into the sum and one by operands that lack m, where
/// the search applies them to the sum: `bhnm,bmo,heo->bnhe` becomes
/// `bhnm,bmo->bnho` and `bnho,heo->bnhe`. Returns the sum, or the einsum as it
/// is.
EinsumOp deferFactors(EinsumOp root, const StreamShape &shape);

} // namespace tpa

#endif // TPA_COMPILER_FUSION_STREAMFORM_H
