//===- LinearState.cpp - A state for all tokens of a row ------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The sum over keys that stands for all of them where no normaliser does.
//
//===----------------------------------------------------------------------===//

#include "compiler/model/LinearState.h"
#include "llvm/ADT/STLExtras.h"

using namespace mlir;

namespace tpa {

static constexpr char keyLabel = AttentionOp::streamLabel, queryLabel = 'n';

namespace {

/// An operand of a score equation that was written into the value's.
struct Factor {
  unsigned operand; ///< of the attention
  std::string labels;
  bool has(char label) const { return StringRef(labels).contains(label); }
};

} // namespace

StateObstacle stateObstacle(AttentionOp op) {
  if (op.getNormalizer() == Normalizer::Softmax)
    return {"a softmax is no sum over keys",
            "use normalizer = #tpa.normalizer<none>"};
  if (op.getNormalizer() == Normalizer::Sigmoid)
    return {"the sigmoid of a score is no product of factors",
            "use normalizer = #tpa.normalizer<none>"};
  if (!op.getCausal())
    return {"a query sees keys that come after it", "make it causal"};
  if (op.getWindow())
    return {"keys leave the window, and a sum does not say what they gave",
            "drop the window"};
  if (op.getSoftcap())
    return {"a capped score is no product of factors", "drop softcap"};
  if (op.getSlopes())
    return {"the bias of a key changes with the query", "drop the slopes"};
  Equation value = Equation::parseVerified(op.getValue());
  for (unsigned i = 0; i < op.getScores().size(); ++i)
    if (value.labels().size() +
            Equation::parseVerified(op.scoreTerm(i).first).labels().size() >
        Equation::maxLabels)
      return {"its equations have more labels than there are letters",
              "write fewer factors"};
  return {};
}

/// The factor with the fewest numbers a token: it is masked.
static unsigned chooseValueFactor(AttentionOp op) {
  Equation value = Equation::parseVerified(op.getValue());
  std::optional<unsigned> chosen;
  auto numbers = [&](unsigned i) {
    auto type = cast<RankedTensorType>(op.getValueFactors()[i].getType());
    int64_t product = 1;
    for (int64_t size : type.getShape())
      product *= ShapedType::isDynamic(size) ? 1 : size;
    return product;
  };
  for (auto [i, term] : llvm::enumerate(llvm::drop_begin(value.terms)))
    if (StringRef(term).contains(keyLabel) &&
        (!chosen || numbers(i) < numbers(*chosen)))
      chosen = i;
  return *chosen;
}

/// Labels of the sum over keys of `inside`: the batch, and those by which what
/// is outside tells its numbers apart.
static std::string stateLabels(ArrayRef<Factor> factors, uint64_t inside,
                               StringRef output) {
  std::string labels = "b";
  for (auto [i, factor] : llvm::enumerate(factors)) {
    if (!(inside >> i & 1))
      continue;
    for (char label : factor.labels) {
      bool isAsked = llvm::is_contained(output, label);
      for (auto [k, other] : llvm::enumerate(factors))
        isAsked |= !(inside >> k & 1) && other.has(label);
      if (label != keyLabel && isAsked && !llvm::is_contained(labels, label))
        labels += label;
    }
  }
  return labels;
}

/// Those of `factors` that a state sums, as a mask: all of keys, and of the
/// parameters those with which it is smallest.
static uint64_t chooseInside(ArrayRef<Factor> factors, StringRef output,
                             const LabelSizes &sizes) {
  uint64_t streamed = 0, parameters = 0;
  for (auto [i, factor] : llvm::enumerate(factors)) {
    if (factor.has(keyLabel))
      streamed |= uint64_t(1) << i;
    else if (!factor.has(queryLabel))
      parameters |= uint64_t(1) << i;
  }
  uint64_t best = streamed;
  double least = std::numeric_limits<double>::infinity();
  // Subsets in increasing order, as far as there are few.
  constexpr int mostParameters = 16;
  if (llvm::popcount(parameters) > mostParameters)
    return best;
  uint64_t chosen = 0;
  do {
    double numbers = 1;
    for (char label : stateLabels(factors, streamed | chosen, output))
      numbers *= sizes.lookup(label);
    if (numbers < least) {
      least = numbers;
      best = streamed | chosen;
    }
    chosen = (chosen - parameters) & parameters;
  } while (chosen != 0);
  return best;
}

static StateTerm deriveTerm(AttentionOp op, unsigned index,
                            unsigned valueFactor) {
  Equation value = Equation::parseVerified(op.getValue());
  auto [text, scoreFactors] = op.scoreTerm(index);
  std::string used = value.labels();
  Equation score =
      Equation::parseVerified(text).renamed(value.terms.front(), used);
  SmallVector<Factor> factors;
  LabelSizes sizes;
  auto add = [&](ArrayRef<std::string> terms, OperandRange operands) {
    for (auto [i, term] : llvm::enumerate(terms)) {
      factors.push_back({operands.getBeginOperandIndex() + unsigned(i), term});
      // The attention's verifier has compared them.
      (void)addLabelSizes(term, operands[i].getType(), sizes,
                          [&] { return op.emitOpError(); });
    }
  };
  add(score.terms, scoreFactors);
  add(ArrayRef(value.terms).drop_front(), op.getValueFactors());

  uint64_t inside = chooseInside(factors, value.output, sizes);
  StateTerm term;
  std::string labels = stateLabels(factors, inside, value.output);
  for (auto [i, factor] : llvm::enumerate(factors)) {
    bool isInside = inside >> i & 1;
    if (isInside && i == score.terms.size() + valueFactor)
      term.valueOperand = term.updateOperands.size();
    (isInside ? term.update : term.read).terms.push_back(factor.labels);
    (isInside ? term.updateOperands : term.readOperands)
        .push_back(factor.operand);
  }
  term.update.output = labels;
  term.read.terms.push_back(labels);
  term.read.output = value.output;
  for (char label : labels)
    term.shape.push_back(sizes.lookup(label));
  return term;
}

LinearState deriveState(AttentionOp op) {
  LinearState state;
  state.valueFactor = chooseValueFactor(op);
  for (unsigned i = 0; i < op.getScores().size(); ++i)
    state.terms.push_back(deriveTerm(op, i, state.valueFactor));
  return state;
}

double LinearState::numbers() const {
  double sum = 0;
  for (const StateTerm &term : terms) {
    double product = 1;
    for (int64_t size : ArrayRef(term.shape).drop_front())
      product *= size;
    sum += product;
  }
  return sum;
}

} // namespace tpa
