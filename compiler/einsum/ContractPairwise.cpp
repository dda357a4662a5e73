//===- ContractPairwise.cpp - The order of contractions -------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Splits einsums into contractions of two operands, cheapest order first.
//
//===----------------------------------------------------------------------===//

#include "compiler/einsum/Passes.h"
#include "dialects/tpa/Equation.h"
#include "dialects/tpa/TpaDialect.h"
#include "mlir/IR/Remarks.h"

using namespace mlir;

namespace tpa {
#define GEN_PASS_DEF_CONTRACTPAIRWISE
#include "compiler/einsum/Passes.h.inc"
} // namespace tpa

using namespace tpa;

namespace {

/// The cheapest way found to contract one subset of the operands.
struct Plan {
  double cost = std::numeric_limits<double>::infinity();
  double flops = 0;
  uint32_t left = 0, right = 0; ///< zero for a single operand
};

/// Exact search over contraction trees of one einsum. A subset of operands is a
/// bit mask; its result keeps the labels that the rest or the output still
/// need.
class ContractionSearch {
public:
  ContractionSearch(const Equation &equation, const LabelSizes &sizes,
                    double balance, int64_t dynamicSize)
      : equation(equation), sizes(sizes), balance(balance),
        dynamicSize(dynamicSize) {
    uint32_t all = fullSet();
    plans.resize(all + 1);
    for (uint32_t set = 1; set <= all; ++set)
      solve(set);
  }

  uint32_t fullSet() const { return (1u << equation.terms.size()) - 1; }
  const Plan &plan(uint32_t set) const { return plans[set]; }

  /// Labels of the set's result: of its terms, those used outside of it. Kept
  /// in an order that leaves the last label of the larger operand last, where
  /// its elements are contiguous.
  std::string resultLabels(uint32_t set) const {
    if (set == fullSet())
      return equation.output;
    if (llvm::has_single_bit(set))
      return equation.terms[llvm::countr_zero(set)];
    std::string outside = equation.output;
    std::string inside;
    for (auto [i, term] : llvm::enumerate(equation.terms))
      (set >> i & 1 ? inside : outside) += term;
    std::string labels;
    std::string leftLabels = resultLabels(plans[set].left);
    std::string rightLabels = resultLabels(plans[set].right);
    if (elements(leftLabels) > elements(rightLabels))
      std::swap(leftLabels, rightLabels);
    for (char label : leftLabels + rightLabels)
      if (llvm::is_contained(outside, label) &&
          !llvm::is_contained(labels, label))
        labels += label;
    moveToEnd(labels, rightLabels);
    return labels;
  }

private:
  static void moveToEnd(std::string &labels, StringRef preferred) {
    for (char last : llvm::reverse(preferred)) {
      size_t at = labels.find(last);
      if (at == std::string::npos)
        continue;
      labels.erase(at, 1);
      labels += last;
      return;
    }
  }

  double elements(StringRef labels) const {
    double product = 1;
    for (char label : labels) {
      int64_t size = sizes.lookup(label);
      product *= ShapedType::isDynamic(size) ? dynamicSize : size;
    }
    return product;
  }

  void solve(uint32_t set) {
    if (llvm::has_single_bit(set)) {
      plans[set].cost = 0;
      return;
    }
    // Every split once: the lowest operand stays in the left part.
    uint32_t lowest = set & -set;
    for (uint32_t left = (set - 1) & set; left; left = (left - 1) & set) {
      if (!(left & lowest))
        continue;
      uint32_t right = set ^ left;
      std::string joined = unionOf(left, right);
      double flops = 2 * elements(joined);
      double bytes = 2 * 4 * elements(keptLabels(set));
      double cost =
          plans[left].cost + plans[right].cost + flops + bytes * balance;
      if (cost < plans[set].cost)
        plans[set] = {cost, plans[left].flops + plans[right].flops + flops,
                      left, right};
    }
  }

  std::string keptLabels(uint32_t set) const {
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

  std::string unionOf(uint32_t left, uint32_t right) const {
    std::string labels = keptLabels(left);
    for (char label : keptLabels(right))
      if (!llvm::is_contained(labels, label))
        labels += label;
    return labels;
  }

  const Equation &equation;
  const LabelSizes &sizes;
  double balance;
  int64_t dynamicSize;
  std::vector<Plan> plans;
};

struct ContractPairwise : tpa::impl::ContractPairwiseBase<ContractPairwise> {
  using Base::Base;

  void runOnOperation() override {
    SmallVector<EinsumOp> einsums;
    getOperation().walk([&](EinsumOp op) {
      if (op.getOperands().size() > 2)
        einsums.push_back(op);
    });
    for (EinsumOp op : einsums)
      if (failed(split(op)))
        return signalPassFailure();
  }

  LogicalResult split(EinsumOp op) {
    static constexpr unsigned mostOperands = 12;
    if (op.getOperands().size() > mostOperands)
      return op.emitOpError("has ")
             << op.getOperands().size() << " operands; the exact search takes "
             << mostOperands << " at most: split the equation";
    Equation equation = Equation::parseVerified(op.getEquation());
    LabelSizes sizes;
    for (auto [term, operand] :
         llvm::zip_equal(equation.terms, op.getOperands()))
      if (failed(addLabelSizes(term, operand.getType(), sizes,
                               [&] { return op.emitOpError(); })))
        return failure();
    ContractionSearch search(equation, sizes, balance, dynamicSize);
    OpBuilder builder(op);
    Value result = emit(builder, op, search, search.fullSet());
    const Plan &best = search.plan(search.fullSet());
    remark::passed(
        op.getLoc(),
        remark::RemarkOpts::name("contraction-order").category("tpa"))
        << remark::metric("equation", op.getEquation())
        << remark::metric("flops", best.flops)
        << remark::metric("cost", best.cost);
    op.replaceAllUsesWith(result);
    op.erase();
    return success();
  }

  /// Contracts a subset; the factor of the whole is applied by its last step.
  Value emit(OpBuilder &builder, EinsumOp op, const ContractionSearch &search,
             uint32_t set) {
    if (llvm::has_single_bit(set))
      return op.getOperands()[llvm::countr_zero(set)];
    const Plan &plan = search.plan(set);
    Value left = emit(builder, op, search, plan.left);
    Value right = emit(builder, op, search, plan.right);
    Equation pair{
        {search.resultLabels(plan.left), search.resultLabels(plan.right)},
        search.resultLabels(set)};
    double scale =
        set == search.fullSet() ? op.getScale().convertToDouble() : 1.0;
    ++numContractions;
    return EinsumOp::create(builder, op.getLoc(), pair.str(),
                            ValueRange{left, right}, APFloat(scale));
  }
};

} // namespace
