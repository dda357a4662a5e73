// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The cheapest order in which to contract the operands of one einsum.

#include "compiler/einsum/ContractionSearch.h"

using namespace mlir;

namespace tpa {

ContractionSearch::ContractionSearch(const Equation &equation,
                                     const LabelSizes &sizes,
                                     ContractionCost model)
    : equation(equation), sizes(sizes), model(model) {
  uint32_t all = fullSet();
  plans.resize(all + 1);
  for (uint32_t set = 1; set <= all; ++set)
    solve(set);
}

std::string ContractionSearch::resultLabels(uint32_t set) const {
  if (set == fullSet())
    return equation.output;
  if (llvm::has_single_bit(set))
    return equation.terms[llvm::countr_zero(set)];
  std::string left = resultLabels(plans[set].left);
  std::string right = resultLabels(plans[set].right);
  if (elements(left) > elements(right))
    std::swap(left, right);
  std::string kept = keptLabels(set), labels;
  for (char label : left + right)
    if (llvm::is_contained(kept, label) && !llvm::is_contained(labels, label))
      labels += label;
  for (char last : llvm::reverse(right)) {
    size_t at = labels.find(last);
    if (at == std::string::npos)
      continue;
    labels.erase(at, 1);
    labels += last;
    break;
  }
  return labels;
}

bool ContractionSearch::isHoisted(uint32_t set) const {
  for (auto [i, term] : llvm::enumerate(equation.terms))
    if ((set >> i & 1) && llvm::is_contained(term, model.stream))
      return false;
  return model.stream != 0;
}

double ContractionSearch::elements(StringRef labels) const {
  double product = 1;
  for (char label : labels) {
    int64_t size = sizes.lookup(label);
    product *= ShapedType::isDynamic(size) ? model.dynamicSize : size;
  }
  return product;
}

void ContractionSearch::solve(uint32_t set) {
  if (llvm::has_single_bit(set)) {
    plans[set].cost = 0;
    return;
  }
  // Every split once: the lowest operand stays in the left part.
  uint32_t lowest = set & -set;
  double share = isHoisted(set) ? model.hoistedShare : 1.0;
  for (uint32_t left = (set - 1) & set; left; left = (left - 1) & set) {
    if (!(left & lowest))
      continue;
    uint32_t right = set ^ left;
    double flops = 2 * elements(unionOf(left, right));
    double bytes = 2 * 4 * elements(keptLabels(set));
    double cost = plans[left].cost + plans[right].cost +
                  share * (flops + bytes * model.balance);
    if (cost < plans[set].cost)
      plans[set] = {cost,
                    plans[left].flops + plans[right].flops + share * flops,
                    left, right};
  }
}

double ContractionSearch::leftToRightFlops() const {
  double flops = 0;
  for (unsigned i = 1; i < equation.terms.size(); ++i) {
    uint32_t before = (1u << i) - 1;
    double share = isHoisted(before | 1u << i) ? model.hoistedShare : 1.0;
    flops += share * 2 * elements(unionOf(before, 1u << i));
  }
  return flops;
}

std::string ContractionSearch::keptLabels(uint32_t set) const {
  if (llvm::has_single_bit(set))
    return equation.terms[llvm::countr_zero(set)];
  std::string outside = equation.output, kept;
  for (auto [i, term] : llvm::enumerate(equation.terms))
    if (!(set >> i & 1))
      outside += term;
  for (auto [i, term] : llvm::enumerate(equation.terms))
    if (set >> i & 1)
      for (char label : term)
        if (llvm::is_contained(outside, label) &&
            !llvm::is_contained(kept, label))
          kept += label;
  return kept;
}

std::string ContractionSearch::unionOf(uint32_t left, uint32_t right) const {
  std::string labels = keptLabels(left);
  for (char label : keptLabels(right))
    if (!llvm::is_contained(labels, label))
      labels += label;
  return labels;
}

} // namespace tpa
