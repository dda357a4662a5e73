//===- CacheCut.cpp - What a cache holds of a token -----------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "compiler/einsum/CacheCut.h"
#include "compiler/einsum/ContractionSearch.h"
#include "dialects/t6/T6Dialect.h"
#include "llvm/ADT/SmallPtrSet.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/ADT/StringMap.h"
#include "llvm/Support/FormatVariadic.h"

using namespace mlir;

namespace tpa {

static constexpr char keyLabel = AttentionOp::streamLabel, queryLabel = 'n';

/// More than any attention function has; the search stops there.
static constexpr size_t mostCuts = 1024;

static bool has(StringRef labels, char label) { return labels.contains(label); }

//===----------------------------------------------------------------------===//
// Equations
//===----------------------------------------------------------------------===//

/// The equation that a value is.
struct FactorForm::Producer {
  Equation equation;
  SmallVector<Value> operands;
  double scale = 1.0;
};

std::optional<FactorForm::Producer> FactorForm::producerOf(Value value) {
  if (auto einsum = value.getDefiningOp<EinsumOp>())
    return Producer{Equation::parseVerified(einsum.getEquation()),
                    SmallVector<Value>(einsum.getOperands()),
                    einsum.getScale().convertToDouble()};
  if (auto linear = value.getDefiningOp<t6::LinearOp>())
    return Producer{Equation::parseVerified("bnc,oc->bno"),
                    {linear.getX(), linear.getWeight()}};
  if (auto factorize = value.getDefiningOp<FactorizeOp>()) {
    bool isHead = value == factorize.getA();
    return Producer{
        Equation::parseVerified(isHead ? "bnc,hrc->bnrh" : "bnc,rdc->bnrd"),
        {factorize.getX(), isHead ? factorize.getWA() : factorize.getWB()}};
  }
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

FactorForm::FactorForm(AttentionOp op) : used(op.getValue().str()) {
  for (unsigned i = 0; i < op.getScores().size(); ++i) {
    auto [text, operands] = op.scoreTerm(i);
    used += text;
    terms.push_back({Equation::parseVerified(text), operands});
  }
  terms.push_back(
      {Equation::parseVerified(op.getValue()), op.getValueFactors(), 1});
}

bool FactorForm::substitute(FactorTerm &term, unsigned operand,
                            const Producer &producer,
                            function_ref<bool(const Equation &)> condition) {
  auto &terms = term.equation.terms;
  unsigned at = term.firstTerm + operand;
  llvm::SmallDenseSet<char> letters(used.begin(), used.end());
  if (letters.size() + producer.equation.labels().size() > Equation::maxLabels)
    return false;
  std::string usedThen = used;
  Equation renamed = producer.equation.renamed(terms[at], usedThen);
  if (!condition(renamed))
    return false;
  used = usedThen;
  terms.erase(terms.begin() + at);
  terms.insert(terms.begin() + at, renamed.terms.begin(), renamed.terms.end());
  auto &operands = term.operands;
  operands.erase(operands.begin() + operand);
  operands.insert(operands.begin() + operand, producer.operands.begin(),
                  producer.operands.end());
  term.scale *= producer.scale;
  ++substitutions;
  return true;
}

void FactorForm::composeQueries() {
  auto isOfQueries = [](const Equation &renamed) {
    return llvm::all_of(renamed.terms, [](StringRef term) {
      return has(term, queryLabel) && !has(term, keyLabel);
    });
  };
  for (FactorTerm &term : terms)
    for (unsigned i = 0; i < term.operands.size();) {
      std::optional<Producer> producer = producerOf(term.operands[i]);
      if (!producer || !substitute(term, i, *producer, isOfQueries))
        ++i;
    }
}

LogicalResult FactorForm::expand(Value value) {
  std::optional<Producer> producer = producerOf(value);
  if (!producer)
    return failure();
  // Of the tokens, an operand has one: what another index of unknown length
  // says cannot be cached a token at a time.
  auto isOfTokens = [&](const Equation &renamed) {
    for (auto [term, operand] :
         llvm::zip_equal(renamed.terms, producer->operands))
      for (auto [label, size] : llvm::zip_equal(
               term, cast<RankedTensorType>(operand.getType()).getShape()))
        if (ShapedType::isDynamic(size) && label != keyLabel)
          return false;
    for (StringRef term : renamed.terms)
      if (has(term, keyLabel) && !term.starts_with("bm")) {
        misplaced = term.str();
        return false;
      }
    return true;
  };
  for (FactorTerm &term : terms)
    for (unsigned i = 0; i < term.operands.size(); ++i)
      if (term.operands[i] == value &&
          has(term.equation.terms[term.firstTerm + i], keyLabel) &&
          !substitute(term, i, *producer, isOfTokens))
        return failure();
  return success();
}

llvm::MapVector<Value, std::string> FactorForm::cached() const {
  llvm::MapVector<Value, std::string> cached;
  for (const FactorTerm &term : terms)
    for (auto [i, operand] : llvm::enumerate(term.operands)) {
      const std::string &labels = term.equation.terms[term.firstTerm + i];
      if (has(labels, keyLabel))
        cached.insert({operand, labels});
    }
  return cached;
}

bool FactorForm::hasOneScale() const {
  return llvm::all_of(ArrayRef(terms).drop_back(), [&](const FactorTerm &term) {
    return term.scale == terms.front().scale;
  });
}

//===----------------------------------------------------------------------===//
// Costs
//===----------------------------------------------------------------------===//

namespace {

/// What a step takes for a cached token. Cuts share equations, so that each is
/// searched once.
class CutCosts {
public:
  CutCosts(AttentionOp op, const CostModel &target, double dtypeBytes)
      : target(target), dtypeBytes(dtypeBytes),
        hasExps(op.getNormalizer() != Normalizer::None) {
    setting.stream = keyLabel;
    setting.query = queryLabel;
    if (dtypeBytes)
      setting.bytesPerParameter = dtypeBytes;
  }

  void addTo(CacheCut &cut);

private:
  static constexpr int64_t block = 32;
  const ContractionFigures &figuresOf(const FactorTerm &term,
                                      const LabelSizes &sizes);

  const CostModel &target;
  double dtypeBytes;
  bool hasExps;
  ContractionSetting setting;
  llvm::StringMap<ContractionFigures> known;
};

} // namespace

const ContractionFigures &CutCosts::figuresOf(const FactorTerm &term,
                                              const LabelSizes &sizes) {
  // Labels that terms do not share are drawn in the order of expansion.
  std::string key = term.equation.str();
  for (char label : term.equation.labels())
    key += "," + std::to_string(sizes.lookup(label));
  auto [entry, isNew] = known.try_emplace(key);
  if (isNew)
    entry->second =
        ContractionSearch(term.equation, sizes, target, setting).figures();
  return entry->second;
}

void CutCosts::addTo(CacheCut &cut) {
  LabelSizes sizes;
  for (const FactorTerm &term : cut.form.terms)
    for (auto [labels, operand] : llvm::zip_equal(
             ArrayRef(term.equation.terms).drop_front(term.firstTerm),
             term.operands)) {
      Location loc = operand.getLoc();
      // The verifier has found equal sizes.
      (void)addLabelSizes(labels, operand.getType(), sizes,
                          [&] { return mlir::emitError(loc); });
    }
  // One query, of one row.
  sizes[keyLabel] = block;
  sizes[queryLabel] = sizes['b'] = 1;
  auto elements = [&](StringRef labels) {
    double product = 1;
    for (char label : labels)
      if (label != keyLabel)
        product *= ShapedType::isDynamic(sizes[label]) ? setting.dynamicSize
                                                       : sizes[label];
    return product;
  };
  for (auto &[value, labels] : cut.form.cached())
    cut.bytes +=
        elements(labels) * (dtypeBytes ? dtypeBytes
                                       : cast<RankedTensorType>(value.getType())
                                                 .getElementTypeBitWidth() /
                                             8.0);
  if (hasExps)
    cut.arithmeticTime +=
        elements(cut.form.terms.back().equation.terms.front()) / target.exps;
  for (const FactorTerm &term : cut.form.terms) {
    const ContractionFigures &figures = figuresOf(term, sizes);
    cut.flops += figures.flops / block;
    cut.parameterBytes += figures.parameterBytes / block;
    cut.arithmeticTime +=
        (figures.time - figures.parameterBytes / target.memoryBytes) / block;
  }
  cut.memoryTime = (cut.bytes + cut.parameterBytes) / target.memoryBytes;
}

//===----------------------------------------------------------------------===//
// Cuts
//===----------------------------------------------------------------------===//

std::string CacheCut::str() const {
  SmallVector<std::string> tensors;
  for (auto &[value, labels] : form.cached())
    tensors.push_back(labels);
  std::string text =
      llvm::join(tensors, ",") + llvm::formatv(": {0:F0} B", bytes).str();
  if (parameterBytes > 0)
    text += llvm::formatv(" and {0:F0} B of parameters", parameterBytes).str();
  return text + llvm::formatv(", {0:F1} ns + {1:F0} FLOP, {2:F1} ns",
                              memoryTime * 1e9, flops, arithmeticTime * 1e9)
                    .str();
}

namespace {

class Enumeration {
public:
  Enumeration(CacheCuts &result, CutCosts &costs)
      : result(result), costs(costs) {}

  /// Decides on the first value that no one has decided on, both ways.
  void run(const FactorForm &form, llvm::SmallPtrSet<Value, 8> kept) {
    if (tried >= mostCuts) {
      result.isComplete = false;
      return;
    }
    for (auto &[value, labels] : form.cached()) {
      if (!kept.insert(value).second)
        continue;
      FactorForm expanded = form;
      if (failed(expanded.expand(value))) {
        if (!expanded.misplaced.empty())
          result.misplaced.insert(expanded.misplaced);
        continue;
      }
      run(form, kept);
      kept.erase(value);
      return run(expanded, kept);
    }
    finish(form);
  }

private:
  void finish(const FactorForm &form) {
    ++tried;
    for (const FactorTerm &term : form.terms)
      if (term.equation.terms.size() > ContractionSearch::mostOperands) {
        ++result.tooManyOperands;
        return;
      }
    if (!form.hasOneScale()) {
      ++result.differentScales;
      return;
    }
    // The first one expands nothing.
    CacheCut cut{form, tried == 1};
    costs.addTo(cut);
    result.cuts.push_back(cut);
  }

  CacheCuts &result;
  CutCosts &costs;
  size_t tried = 0;
};

} // namespace

CacheCuts enumerateCuts(AttentionOp op, const CostModel &target,
                        double dtypeBytes) {
  CacheCuts result;
  CutCosts costs(op, target, dtypeBytes);
  FactorForm written(op);
  written.composeQueries();
  Enumeration(result, costs).run(written, {});
  return result;
}

const CacheCut *CacheCuts::written() const {
  bool hasWritten = !cuts.empty() && cuts.front().isWritten;
  return hasWritten ? &cuts.front() : nullptr;
}

const CacheCut *CacheCuts::cheapest() const {
  const CacheCut *best = nullptr;
  auto isBetter = [](const CacheCut &a, const CacheCut &b) {
    // Equal but for rounding.
    if (std::abs(a.time() - b.time()) > 1e-9 * b.time())
      return a.time() < b.time();
    return std::pair(a.bytes, a.flops) < std::pair(b.bytes, b.flops);
  };
  for (const CacheCut &cut : cuts)
    if (!best || isBetter(cut, *best))
      best = &cut;
  return best;
}

} // namespace tpa
