//===- ComposeAttention.cpp - Attention over factors ----------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Writes attention over the factors of its operands; decides what is cached.
//
//===----------------------------------------------------------------------===//

#include "compiler/einsum/Passes.h"
#include "dialects/tpa/Equation.h"
#include "dialects/tpa/TpaDialect.h"
#include "mlir/IR/Remarks.h"

using namespace mlir;

namespace tpa {
#define GEN_PASS_DEF_COMPOSEATTENTION
#include "compiler/einsum/Passes.h.inc"
} // namespace tpa

using namespace tpa;

namespace {

/// One equation with its operands, the form in which factors are substituted.
struct Term {
  Equation equation;
  SmallVector<Value> operands; // of the value term, without the weight
};

/// The einsum that a value is, where it is one.
struct Producer {
  Equation equation;
  SmallVector<Value> operands;
  double scale;
};

} // namespace

static std::optional<Producer> producerOf(Value value) {
  if (auto einsum = value.getDefiningOp<EinsumOp>())
    return Producer{Equation::parseVerified(einsum.getEquation()),
                    SmallVector<Value>(einsum.getOperands()),
                    einsum.getScale().convertToDouble()};
  auto materialize = value.getDefiningOp<MaterializeOp>();
  if (!materialize)
    return std::nullopt;
  auto type = cast<RankedTensorType>(materialize.getA().getType());
  if (type.isDynamicDim(type.getRank() - 2))
    return std::nullopt;
  return Producer{Equation::parseVerified(materialize.getEquation()),
                  {materialize.getA(), materialize.getB()},
                  1.0 / type.getDimSize(type.getRank() - 2)};
}

/// Elements per batch row and token: the product of the other dimensions.
static int64_t elementsPerToken(StringRef term, Type type, char token) {
  int64_t elements = 1;
  for (auto [label, size] :
       llvm::zip_equal(term, cast<RankedTensorType>(type).getShape()))
    if (label != token && label != 'b')
      elements *= ShapedType::isDynamic(size) ? 1 : size;
  return elements;
}

/// Renames the producer's labels to those under which `term` reads its result,
/// and its summed labels to letters that nothing uses.
static Equation rename(const Equation &producer, StringRef term,
                       std::string &used) {
  llvm::DenseMap<char, char> renamed;
  for (auto [from, to] : llvm::zip_equal(producer.output, term))
    renamed[from] = to;
  for (char label : producer.labels())
    if (!renamed.count(label)) {
      char fresh = Equation::freshLabel(used, label);
      renamed[label] = fresh;
      used += fresh;
    }
  Equation result;
  for (StringRef operand : producer.terms) {
    result.terms.emplace_back();
    for (char label : operand)
      result.terms.back() += renamed[label];
  }
  result.output = term.str();
  return result;
}

/// Whether reading the attention's operand through its producer pays.
static bool worthComposing(AttentionOp op, const Equation &renamed,
                           const Producer &producer, Value operand) {
  char stream = AttentionOp::streamLabel;
  if (!llvm::is_contained(renamed.output, stream))
    return llvm::all_of(renamed.terms, [](StringRef term) {
      return llvm::is_contained(term, 'n');
    });
  auto opts = remark::RemarkOpts::name("cache-cut").category("tpa");
  for (StringRef term : renamed.terms)
    if (term.contains(stream) && !term.starts_with("bm")) {
      remark::missed(op.getLoc(), opts)
          << remark::reason("the factor {0} cannot be appended to", term)
          << remark::suggest("lay it out b, m, then other dimensions");
      return false;
    }
  int64_t before = elementsPerToken(renamed.output, operand.getType(), stream);
  int64_t after = 0;
  for (auto [term, value] : llvm::zip_equal(renamed.terms, producer.operands))
    if (llvm::is_contained(term, stream))
      after += elementsPerToken(term, value.getType(), stream);
  bool pays = after < before;
  auto say = [&](remark::detail::InFlightRemark remark) {
    remark << remark::metric("elementsPerTokenFactored", after)
           << remark::metric("elementsPerTokenFormed", before)
           << remark::metric("factors", renamed.str());
  };
  say(pays ? remark::passed(op.getLoc(), opts)
           : remark::missed(op.getLoc(), opts));
  return pays;
}

/// Substitutes producers of the term's operands until none pays; returns the
/// scale that came with them. `used` collects labels: equal letters have equal
/// sizes throughout an attention, so its equations share one supply.
static double compose(AttentionOp op, Term &term, unsigned firstTerm,
                      std::string &used, int64_t &composed) {
  double scale = 1.0;
  for (unsigned i = 0; i < term.operands.size();) {
    std::optional<Producer> producer = producerOf(term.operands[i]);
    StringRef read = term.equation.terms[firstTerm + i];
    bool hasLetters =
        producer &&
        used.size() + producer->equation.labels().size() <= Equation::maxLabels;
    if (!hasLetters) {
      ++i;
      continue;
    }
    std::string usedThen = used;
    Equation renamed = rename(producer->equation, read, usedThen);
    if (!worthComposing(op, renamed, *producer, term.operands[i])) {
      ++i;
      continue;
    }
    used = usedThen;
    auto &terms = term.equation.terms;
    terms.erase(terms.begin() + firstTerm + i);
    terms.insert(terms.begin() + firstTerm + i, renamed.terms.begin(),
                 renamed.terms.end());
    term.operands.erase(term.operands.begin() + i);
    term.operands.insert(term.operands.begin() + i, producer->operands.begin(),
                         producer->operands.end());
    scale *= producer->scale;
    ++composed;
  }
  return scale;
}

/// The terms of a score share one factor: bringing a scale of its own into an
/// operand of one term would cost a pass over it, so terms must agree.
static bool sameScale(ArrayRef<double> scales) {
  return llvm::all_of(scales, [&](double s) { return s == scales.front(); });
}

namespace {
struct ComposeAttention : tpa::impl::ComposeAttentionBase<ComposeAttention> {
  using Base::Base;

  void runOnOperation() override {
    getOperation().walk([&](AttentionOp op) { rewrite(op); });
  }

  void rewrite(AttentionOp op) {
    int64_t composed = 0;
    std::string used = op.getValue().str();
    for (Attribute score : op.getScores())
      used += cast<StringAttr>(score).getValue();
    SmallVector<double> scales;
    SmallVector<Attribute> equations;
    SmallVector<Value> factors;
    Builder builder(op.getContext());
    for (unsigned i = 0; i < op.getScores().size(); ++i) {
      auto [text, operands] = op.scoreTerm(i);
      Term term{Equation::parseVerified(text), SmallVector<Value>(operands)};
      scales.push_back(compose(op, term, 0, used, composed));
      equations.push_back(builder.getStringAttr(term.equation.str()));
      factors.append(term.operands);
    }
    Term value{Equation::parseVerified(op.getValue()),
               SmallVector<Value>(op.getValueFactors())};
    double valueScale = compose(op, value, 1, used, composed);
    if (composed == 0)
      return;
    if (!sameScale(scales)) {
      remark::missed(op.getLoc(),
                     remark::RemarkOpts::name("cache-cut").category("tpa"))
          << remark::reason("score terms would need scales of their own")
          << remark::suggest("give the terms' producers equal scales");
      return;
    }
    numComposed += composed;
    OpBuilder at(op);
    auto result = AttentionOp::create(
        at, op.getLoc(), at.getArrayAttr(equations), factors,
        at.getStringAttr(value.equation.str()), value.operands,
        op.getPositions(), op.getAncestors(), op.getSlopeLabelsAttr(),
        op.getSlopes(), op.getSinkLabelsAttr(), op.getSinks(),
        at.getF64FloatAttr(op.getScale().convertToDouble() * scales.front()),
        op.getPerSqrtAttr(), op.getCausalAttr(), op.getWindowAttr(),
        op.getSoftcapAttr(), op.getNormalizerAttr());
    Value replacement = result;
    if (valueScale != 1.0) {
      std::string labels = value.equation.output;
      replacement =
          EinsumOp::create(at, op.getLoc(), labels + "->" + labels,
                           ValueRange(replacement), APFloat(valueScale));
    }
    op.replaceAllUsesWith(replacement);
    op.erase();
  }
};
} // namespace
