//===- ContractionSearch.h - The cheapest contraction order -----*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The cheapest order in which to contract the operands of one einsum.
//
//===----------------------------------------------------------------------===//

#ifndef TPA_COMPILER_EINSUM_CONTRACTIONSEARCH_H
#define TPA_COMPILER_EINSUM_CONTRACTIONSEARCH_H

#include "compiler/einsum/CostModel.h"
#include "dialects/tpa/Equation.h"
#include <array>
#include <limits>
#include <vector>

namespace tpa {

/// Where the contractions of an einsum happen.
struct ContractionSetting {
  /// Stands for sizes that are not known.
  int64_t dynamicSize = 1024;
  /// A label that is looped over in blocks, or 0. What lacks it happens once,
  /// ahead of the loop, or after it, once the label is summed away.
  char stream = 0;
  /// A label that tells operands of the query side, within a loop.
  char query = 'n';
  /// Blocks of the loop: what happens once costs a share of one in `blocks`.
  double blocks = 64;
  /// Of one number of a parameter.
  double bytesPerParameter = 4;
};

/// What an order of contractions does with keys and queries, least first.
enum class ContractionForm : unsigned {
  Factored,      ///< each contraction in the loop has the query in it
  PreContracted, ///< factors of the query meet ahead of the loop
  Deferred,      ///< factors are applied to the sum over the stream
  Materialised   ///< factors of the keys meet in the loop
};

llvm::StringRef stringify(ContractionForm form);

/// What an order costs: in the loop, for one block of it, and once.
struct ContractionFigures {
  double flops = 0, bytes = 0; ///< intermediates written and read, in the loop
  double parameterBytes = 0;   ///< of parameters, read again for each block
  double flopsOnce = 0;
  double time = 0; ///< seconds for a block, a share of `once` in it
  llvm::SmallVector<double> steps; ///< operations of those in the loop
};

/// Exact search over contraction trees of one einsum by dynamic programming. A
/// subset of operands is a bit mask; its result keeps the labels that the rest
/// or the output still need. A contraction takes the time of its arithmetic
/// and that of its result, written once and read once: to and from the cache
/// in the loop, memory elsewhere. What the loop streams is the same for all
/// orders and is not counted; a parameter that the loop reads is.
class ContractionSearch {
public:
  static constexpr unsigned mostOperands = 12;
  static constexpr unsigned formCount = 4;

  /// The cheapest way found to contract one subset of the operands.
  struct Plan {
    double time = std::numeric_limits<double>::infinity();
    uint32_t left = 0, right = 0; ///< zero for a single operand
    ContractionForm leftForm = ContractionForm::Factored,
                    rightForm = ContractionForm::Factored;
  };

  /// At most `mostOperands` terms.
  ContractionSearch(const Equation &equation, const LabelSizes &sizes,
                    const CostModel &target, ContractionSetting setting);

  uint32_t fullSet() const { return (1u << equation.terms.size()) - 1; }
  const Plan &plan(uint32_t set) const {
    return plans[set][unsigned(form(set))];
  }
  /// The form of the cheapest order, the least of equal ones.
  ContractionForm form(uint32_t set) const;
  ContractionForm form() const { return form(fullSet()); }
  /// What the cheapest order of a form costs, if it has any order.
  std::optional<ContractionFigures> figures(ContractionForm form) const;
  ContractionFigures figures() const { return *figures(form()); }

  /// Labels of the set's result: of its terms, those used outside of it. Kept
  /// in an order that leaves the last label of the larger operand last, where
  /// its elements are contiguous.
  std::string resultLabels(uint32_t set) const;
  /// Whether the set is free of the stream.
  bool isHoisted(uint32_t set) const;
  /// The smallest contracted set that has all of the stream's operands; less
  /// than the full set where the cheapest order defers operands.
  uint32_t streamedSet() const;

private:
  struct Step {
    double flops, bytes, parameterBytes, time;
    bool isOnce;
    ContractionForm form;
  };
  using Labels = uint64_t; ///< a bit for each letter of `letters`

  Labels labelsOf(llvm::StringRef text) const;
  bool hasLabel(Labels labels, char label) const;
  double elements(Labels labels) const;
  Labels kept(uint32_t set) const;
  CostModel::Product product(uint32_t left, uint32_t right) const;
  Step step(uint32_t left, uint32_t right) const;
  void solve(uint32_t set);
  void addFigures(uint32_t set, ContractionForm form,
                  ContractionFigures &figures) const;

  Equation equation;
  CostModel target;
  ContractionSetting setting;
  std::string letters;
  llvm::SmallVector<double> sizeOf; ///< of each letter
  llvm::SmallVector<Labels> terms;
  Labels output;
  uint32_t streamed = 0; ///< operands that have the stream's label
  std::vector<std::array<Plan, formCount>> plans;
};

} // namespace tpa

#endif // TPA_COMPILER_EINSUM_CONTRACTIONSEARCH_H
