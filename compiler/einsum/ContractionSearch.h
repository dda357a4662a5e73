// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The cheapest order in which to contract the operands of one einsum.

#ifndef TPA_COMPILER_EINSUM_CONTRACTIONSEARCH_H
#define TPA_COMPILER_EINSUM_CONTRACTIONSEARCH_H

#include "dialects/tpa/Equation.h"
#include <cstdint>
#include <limits>
#include <vector>

namespace tpa {

/// What a contraction costs: its floating-point operations, and the bytes of
/// its result, written once and read once, at `balance` operations a byte.
struct ContractionCost {
  double balance = 12.0;
  /// Stands for sizes that are not known.
  int64_t dynamicSize = 1024;
  /// A label that is looped over in blocks, or 0. Contractions without it are
  /// done once, ahead of the loop: they cost this share of one in the loop.
  char stream = 0;
  double hoistedShare = 1.0;
};

/// Exact search over contraction trees of one einsum by dynamic programming. A
/// subset of operands is a bit mask; its result keeps the labels that the rest
/// or the output still need.
class ContractionSearch {
public:
  static constexpr unsigned mostOperands = 12;

  /// The cheapest way found to contract one subset of the operands.
  struct Plan {
    double cost = std::numeric_limits<double>::infinity();
    double flops = 0;
    uint32_t left = 0, right = 0; ///< zero for a single operand
  };

  /// `equation` and `sizes` must outlive the search.
  ContractionSearch(const Equation &equation, const LabelSizes &sizes,
                    ContractionCost model);

  uint32_t fullSet() const { return (1u << equation.terms.size()) - 1; }
  const Plan &plan(uint32_t set) const { return plans[set]; }
  /// Operations of the order that contracts the operands from left to right.
  double leftToRightFlops() const;

  /// Labels of the set's result: of its terms, those used outside of it. Kept
  /// in an order that leaves the last label of the larger operand last, where
  /// its elements are contiguous.
  std::string resultLabels(uint32_t set) const;
  bool isHoisted(uint32_t set) const;

private:
  double elements(llvm::StringRef labels) const;
  void solve(uint32_t set);
  std::string keptLabels(uint32_t set) const;
  std::string unionOf(uint32_t left, uint32_t right) const;

  const Equation &equation;
  const LabelSizes &sizes;
  ContractionCost model;
  std::vector<Plan> plans;
};

} // namespace tpa

#endif // TPA_COMPILER_EINSUM_CONTRACTIONSEARCH_H
