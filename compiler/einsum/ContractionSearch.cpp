//===- ContractionSearch.cpp - The cheapest contraction order -------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "compiler/einsum/ContractionSearch.h"
#include <cmath>

using namespace mlir;

namespace tpa {

StringRef stringify(ContractionForm form) {
  switch (form) {
  case ContractionForm::Factored:
    return "factored";
  case ContractionForm::PreContracted:
    return "pre-contracted";
  case ContractionForm::Deferred:
    return "deferred";
  case ContractionForm::Materialised:
    return "materialised";
  }
  llvm_unreachable("every form has a name");
}

ContractionSearch::ContractionSearch(const Equation &equation,
                                     const LabelSizes &sizes,
                                     const CostModel &target,
                                     ContractionSetting setting)
    : equation(equation), target(target), setting(setting),
      letters(equation.labels()) {
  for (char letter : letters) {
    int64_t size = sizes.lookup(letter);
    sizeOf.push_back(ShapedType::isDynamic(size) ? setting.dynamicSize : size);
  }
  for (auto [i, term] : llvm::enumerate(equation.terms)) {
    terms.push_back(labelsOf(term));
    if (hasLabel(terms.back(), setting.stream))
      streamed |= 1u << i;
  }
  output = labelsOf(equation.output);
  plans.resize(fullSet() + 1);
  for (uint32_t set = 1; set <= fullSet(); ++set)
    solve(set);
}

ContractionForm ContractionSearch::form(uint32_t set) const {
  unsigned best = 0;
  for (unsigned i = 1; i < formCount; ++i)
    if (plans[set][i].time < plans[set][best].time)
      best = i;
  return ContractionForm(best);
}

std::optional<ContractionFigures>
ContractionSearch::figures(ContractionForm form) const {
  const Plan &plan = plans[fullSet()][unsigned(form)];
  if (std::isinf(plan.time))
    return std::nullopt;
  ContractionFigures figures;
  addFigures(fullSet(), form, figures);
  figures.time = plan.time;
  return figures;
}

std::string ContractionSearch::resultLabels(uint32_t set) const {
  if (set == fullSet())
    return equation.output;
  if (llvm::has_single_bit(set))
    return equation.terms[llvm::countr_zero(set)];
  std::string left = resultLabels(plan(set).left);
  std::string right = resultLabels(plan(set).right);
  if (elements(labelsOf(left)) > elements(labelsOf(right)))
    std::swap(left, right);
  Labels keeps = kept(set);
  std::string labels;
  for (char label : left + right)
    if (hasLabel(keeps, label) && !llvm::is_contained(labels, label))
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
  return setting.stream != 0 && !(set & streamed);
}

uint32_t ContractionSearch::streamedSet() const {
  uint32_t set = fullSet();
  while (!llvm::has_single_bit(set)) {
    uint32_t left = plan(set).left, right = plan(set).right;
    if ((left & streamed) == streamed)
      set = left;
    else if ((right & streamed) == streamed)
      set = right;
    else
      break;
  }
  return set;
}

ContractionSearch::Labels ContractionSearch::labelsOf(StringRef text) const {
  Labels labels = 0;
  for (char label : text)
    labels |= Labels(1) << letters.find(label);
  return labels;
}

bool ContractionSearch::hasLabel(Labels labels, char label) const {
  size_t at = letters.find(label);
  return at != std::string::npos && (labels >> at & 1);
}

double ContractionSearch::elements(Labels labels) const {
  double product = 1;
  for (; labels; labels &= labels - 1)
    product *= sizeOf[llvm::countr_zero(labels)];
  return product;
}

ContractionSearch::Labels ContractionSearch::kept(uint32_t set) const {
  if (llvm::has_single_bit(set))
    return terms[llvm::countr_zero(set)];
  Labels inside = 0, outside = output;
  for (auto [i, term] : llvm::enumerate(terms))
    (set >> i & 1 ? inside : outside) |= term;
  return inside & outside;
}

CostModel::Product ContractionSearch::product(uint32_t left,
                                              uint32_t right) const {
  Labels a = kept(left), b = kept(right), both = a & b, c = kept(left | right);
  return {elements(both & c), elements(a & ~both), elements(b & ~both),
          elements(both & ~c)};
}

ContractionSearch::Step ContractionSearch::step(uint32_t left,
                                                uint32_t right) const {
  constexpr double accumulatorBytes = 4;
  uint32_t set = left | right;
  CostModel::Product product = this->product(left, right);
  Step step = {product.flops(),
               2 * accumulatorBytes * elements(kept(set)),
               0,
               target.productTime(product),
               false,
               ContractionForm::Factored};
  if (!setting.stream) {
    step.time += step.bytes / target.memoryBytes;
    return step;
  }
  bool isBefore = isHoisted(set);
  bool isAfter =
      !hasLabel(output, setting.stream) &&
      ((left & streamed) == streamed || (right & streamed) == streamed);
  step.isOnce = isBefore || isAfter;
  if (step.isOnce) {
    step.form =
        isBefore ? ContractionForm::PreContracted : ContractionForm::Deferred;
    step.time += step.bytes / target.memoryBytes;
    step.time /= setting.blocks;
    return step;
  }
  bool hasQuery = false;
  for (auto [i, term] : llvm::enumerate(terms))
    hasQuery |= (set >> i & 1) && hasLabel(term, setting.query);
  if (!hasQuery)
    step.form = ContractionForm::Materialised;
  for (uint32_t side : {left, right})
    if (llvm::has_single_bit(side) && isHoisted(side) &&
        !hasLabel(kept(side), setting.query))
      step.parameterBytes += setting.bytesPerParameter * elements(kept(side));
  step.time +=
      step.bytes / target.cacheBytes + step.parameterBytes / target.memoryBytes;
  return step;
}

void ContractionSearch::solve(uint32_t set) {
  if (llvm::has_single_bit(set)) {
    plans[set][0].time = 0;
    return;
  }
  // Every split once: the lowest operand stays in the left part.
  uint32_t lowest = set & -set;
  for (uint32_t left = (set - 1) & set; left; left = (left - 1) & set) {
    if (!(left & lowest))
      continue;
    uint32_t right = set ^ left;
    Step last = step(left, right);
    for (unsigned i = 0; i < formCount; ++i) {
      if (std::isinf(plans[left][i].time))
        continue;
      for (unsigned k = 0; k < formCount; ++k) {
        double time = plans[left][i].time + plans[right][k].time + last.time;
        Plan &best = plans[set][std::max({i, k, unsigned(last.form)})];
        if (time < best.time)
          best = {time, left, right, ContractionForm(i), ContractionForm(k)};
      }
    }
  }
}

void ContractionSearch::addFigures(uint32_t set, ContractionForm form,
                                   ContractionFigures &figures) const {
  if (llvm::has_single_bit(set))
    return;
  const Plan &plan = plans[set][unsigned(form)];
  addFigures(plan.left, plan.leftForm, figures);
  addFigures(plan.right, plan.rightForm, figures);
  Step last = step(plan.left, plan.right);
  if (last.isOnce) {
    figures.flopsOnce += last.flops;
    return;
  }
  figures.flops += last.flops;
  figures.bytes += last.bytes;
  figures.parameterBytes += last.parameterBytes;
  figures.steps.push_back(last.flops);
}

} // namespace tpa
