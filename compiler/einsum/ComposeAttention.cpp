//===- ComposeAttention.cpp - Attention over factors ----------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Writes attention over the factors of its operands; decides what is cached.
//
//===----------------------------------------------------------------------===//

#include "compiler/einsum/CacheCut.h"
#include "compiler/einsum/Passes.h"
#include "dialects/t6/T6Dialect.h"
#include "mlir/IR/Remarks.h"
#include "llvm/ADT/StringExtras.h"

using namespace mlir;

namespace tpa {
#define GEN_PASS_DEF_COMPOSEATTENTION
#include "compiler/einsum/Passes.h.inc"
} // namespace tpa

using namespace tpa;

/// A model caches in the type of its weight matrices; tensors here are f32
/// still. Zero where there is no model.
static double cacheBytes(AttentionOp op) {
  double bytes = 0;
  op->getParentOp()->walk([&](t6::ParamOp param) {
    auto type = cast<RankedTensorType>(param.getType());
    if (type.getRank() > 1)
      bytes = type.getElementTypeBitWidth() / 8.0;
  });
  return bytes;
}

/// The chosen cut with the cheapest of the others.
static void remarkOnCut(AttentionOp op, const CacheCuts &all,
                        const CacheCut &chosen) {
  constexpr size_t mostListed = 8;
  auto opts = remark::RemarkOpts::name("cache-cut").category("tpa");
  remark::detail::InFlightRemark remark =
      chosen.isWritten ? remark::analysis(op.getLoc(), opts)
                       : remark::passed(op.getLoc(), opts);
  SmallVector<const CacheCut *> rivals;
  for (const CacheCut &cut : all.cuts)
    if (&cut != &chosen)
      rivals.push_back(&cut);
  // Equal ones in the order in which they were found.
  llvm::sort(rivals, [](const CacheCut *a, const CacheCut *b) {
    return std::make_tuple(a->time(), a) < std::make_tuple(b->time(), b);
  });
  SmallVector<std::string> texts;
  for (const CacheCut *cut : ArrayRef(rivals).take_front(mostListed))
    texts.push_back(cut->str());
  remark << remark::metric("cached", chosen.str())
         << remark::metric("bytesPerToken", int64_t(chosen.bytes))
         << remark::metric("cuts", int64_t(all.cuts.size()))
         << remark::metric("rivals", llvm::join(texts, "; "));
  if (op.getPinCache())
    remark << remark::reason("the cache is pinned");
}

static void remarkOnSearch(AttentionOp op, const CacheCuts &all) {
  auto opts = remark::RemarkOpts::name("cache-cut").category("tpa");
  if (all.differentScales)
    remark::missed(op.getLoc(), opts)
        << remark::reason("score terms would need scales of their own")
        << remark::suggest("give the terms' producers equal scales")
        << remark::metric("cuts", all.differentScales);
  if (all.tooManyOperands)
    remark::missed(op.getLoc(), opts)
        << remark::reason("an equation would have more operands than the "
                          "search for its order takes")
        << remark::suggest("write fewer factors")
        << remark::metric("cuts", all.tooManyOperands);
  for (const std::string &term : all.misplaced)
    remark::missed(op.getLoc(), opts)
        << remark::reason("the factor {0} cannot be appended to", term)
        << remark::suggest("lay it out b, m, then other dimensions");
  if (!all.isComplete)
    remark::missed(op.getLoc(), opts)
        << remark::reason("keys and values have too many producers to try all "
                          "cuts")
        << remark::suggest("pin the cache")
        << remark::metric("cuts", int64_t(all.cuts.size()));
}

namespace {
struct ComposeAttention : tpa::impl::ComposeAttentionBase<ComposeAttention> {
  using Base::Base;

  void runOnOperation() override {
    FailureOr<CostModel> target = CostModel::find(getOperation(), targetName);
    if (failed(target))
      return signalPassFailure();
    getOperation().walk([&](AttentionOp op) {
      // Training has no cache, and its reverse wants heads as they are.
      if (!op->getParentOp()->hasAttr("t6.training"))
        rewrite(op, *target);
    });
  }

  void rewrite(AttentionOp op, const CostModel &target) {
    CacheCuts all = enumerateCuts(op, target, cacheBytes(op));
    remarkOnSearch(op, all);
    const CacheCut *chosen = op.getPinCache() ? all.written() : all.cheapest();
    if (!chosen)
      return;
    remarkOnCut(op, all, *chosen);
    if (chosen->form.substitutions > 0)
      replace(op, chosen->form);
  }

  void replace(AttentionOp op, const FactorForm &form) {
    numComposed += form.substitutions;
    OpBuilder at(op);
    SmallVector<Attribute> equations;
    SmallVector<Value> factors;
    for (const FactorTerm &term : ArrayRef(form.terms).drop_back()) {
      equations.push_back(at.getStringAttr(term.equation.str()));
      factors.append(term.operands);
    }
    const FactorTerm &value = form.terms.back();
    double scale = op.getScale().convertToDouble() * form.terms.front().scale;
    auto result = AttentionOp::create(
        at, op.getLoc(), at.getArrayAttr(equations), factors,
        at.getStringAttr(value.equation.str()), value.operands,
        op.getPositions(), op.getAncestors(), op.getSlopeLabelsAttr(),
        op.getSlopes(), op.getSinkLabelsAttr(), op.getSinks(),
        at.getF64FloatAttr(scale), op.getPerSqrtAttr(), op.getCausalAttr(),
        op.getWindowAttr(), op.getSoftcapAttr(), op.getNormalizerAttr(),
        op.getPinCacheAttr());
    Value replacement = result;
    if (value.scale != 1.0) {
      std::string labels = value.equation.output;
      replacement =
          EinsumOp::create(at, op.getLoc(), labels + "->" + labels,
                           ValueRange(replacement), APFloat(value.scale));
    }
    op.replaceAllUsesWith(replacement);
    op.erase();
  }
};
} // namespace
