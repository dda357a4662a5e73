//===- ContractPairwise.cpp - The order of contractions -------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Splits einsums into contractions of two operands, cheapest order first.
//
//===----------------------------------------------------------------------===//

#include "compiler/einsum/ContractionSearch.h"
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

struct ContractPairwise : tpa::impl::ContractPairwiseBase<ContractPairwise> {
  using Base::Base;

  void runOnOperation() override {
    FailureOr<CostModel> found = CostModel::find(getOperation(), targetName);
    if (failed(found))
      return signalPassFailure();
    target = *found;
    if (balance > 0)
      target.memoryBytes = target.vectorFlops / balance;
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
    if (op.getOperands().size() > ContractionSearch::mostOperands)
      return op.emitOpError("has ")
             << op.getOperands().size() << " operands; the exact search takes "
             << ContractionSearch::mostOperands
             << " at most: split the equation";
    Equation equation = Equation::parseVerified(op.getEquation());
    LabelSizes sizes;
    for (auto [term, operand] :
         llvm::zip_equal(equation.terms, op.getOperands()))
      if (failed(addLabelSizes(term, operand.getType(), sizes,
                               [&] { return op.emitOpError(); })))
        return failure();
    ContractionSetting setting;
    setting.dynamicSize = dynamicSize;
    ContractionSearch search(equation, sizes, target, setting);
    OpBuilder builder(op);
    Value result = emit(builder, op, search, search.fullSet());
    ContractionFigures best = search.figures();
    remark::passed(
        op.getLoc(),
        remark::RemarkOpts::name("contraction-order").category("tpa"))
        << remark::metric("equation", op.getEquation())
        << remark::metric("flops", best.flops)
        << remark::metric("bytes", best.bytes);
    op.replaceAllUsesWith(result);
    op.erase();
    return success();
  }

  /// Contracts a subset; the factor of the whole is applied by its last step.
  Value emit(OpBuilder &builder, EinsumOp op, const ContractionSearch &search,
             uint32_t set) {
    if (llvm::has_single_bit(set))
      return op.getOperands()[llvm::countr_zero(set)];
    const ContractionSearch::Plan &plan = search.plan(set);
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

  CostModel target;
};

} // namespace
