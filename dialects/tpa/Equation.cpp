//===- Equation.cpp - Einsum equations ------------------------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Einsum equations: one letter a dimension, one term an operand.
//
//===----------------------------------------------------------------------===//

#include "dialects/tpa/Equation.h"
#include "mlir/IR/BuiltinTypes.h"
#include "mlir/IR/Diagnostics.h"
#include "mlir/IR/TypeUtilities.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/StringExtras.h"

using namespace mlir;

namespace tpa {

static bool hasRepeats(StringRef labels) {
  for (size_t i = 0; i < labels.size(); ++i)
    if (labels.find(labels[i], i + 1) != StringRef::npos)
      return true;
  return false;
}

FailureOr<Equation>
Equation::parse(StringRef text, function_ref<InFlightDiagnostic()> emitError) {
  auto [left, right] = text.split("->");
  if (text.find("->") == StringRef::npos)
    return emitError() << "equation \"" << text << "\" has no output: expected "
                       << "\"terms->output\"";
  Equation equation;
  SmallVector<StringRef> terms;
  left.split(terms, ',');
  for (StringRef term : terms)
    equation.terms.push_back(term.str());
  equation.output = right.str();

  auto isLetters = [](StringRef term) {
    return llvm::all_of(term, [](char c) { return llvm::isAlpha(c); });
  };
  for (StringRef term : equation.terms) {
    if (!isLetters(term) || (term.empty() && equation.terms.size() == 1))
      return emitError() << "term \"" << term << "\" of equation \"" << text
                         << "\" is not made of letters";
    if (hasRepeats(term))
      return emitError() << "term \"" << term << "\" of equation \"" << text
                         << "\" has a label twice";
  }
  if (!isLetters(right))
    return emitError() << "output \"" << right << "\" of equation \"" << text
                       << "\" is not made of letters";
  if (hasRepeats(right))
    return emitError() << "output \"" << right << "\" of equation \"" << text
                       << "\" has a label twice";
  for (char label : right)
    if (!llvm::is_contained(left, label))
      return emitError() << "output label '" << Twine(label)
                         << "' of equation \"" << text
                         << "\" occurs in no term";
  return equation;
}

Equation Equation::parseVerified(StringRef text) {
  Equation equation;
  auto [left, right] = text.split("->");
  SmallVector<StringRef> terms;
  left.split(terms, ',');
  for (StringRef term : terms)
    equation.terms.push_back(term.str());
  equation.output = right.str();
  return equation;
}

std::string Equation::str() const {
  return llvm::join(terms, ",") + "->" + output;
}

std::string Equation::labels() const {
  std::string all;
  for (StringRef term : terms)
    for (char label : term)
      if (!llvm::is_contained(all, label))
        all += label;
  return all;
}

char Equation::freshLabel(StringRef used, char preferred) {
  static constexpr StringLiteral alphabet =
      "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";
  static_assert(alphabet.size() == maxLabels);
  size_t start = alphabet.find(preferred);
  for (size_t i = 0; i < alphabet.size(); ++i) {
    char label = alphabet[(start + i) % alphabet.size()];
    if (!llvm::is_contained(used, label))
      return label;
  }
  llvm_unreachable("the caller leaves a label free");
}

Equation Equation::renamed(StringRef as, std::string &used) const {
  llvm::DenseMap<char, char> letters;
  for (auto [from, to] : llvm::zip_equal(output, as))
    letters[from] = to;
  for (char label : labels())
    if (!letters.count(label)) {
      char fresh = freshLabel(used, label);
      letters[label] = fresh;
      used += fresh;
    }
  Equation result;
  for (StringRef term : terms) {
    result.terms.emplace_back();
    for (char label : term)
      result.terms.back() += letters[label];
  }
  result.output = as.str();
  return result;
}

LogicalResult addLabelSizes(StringRef term, Type type, LabelSizes &sizes,
                            function_ref<InFlightDiagnostic()> emitError) {
  // Inference runs on what was parsed, before operand types are verified.
  auto shaped = dyn_cast<RankedTensorType>(type);
  if (!shaped || shaped.getRank() != int64_t(term.size()))
    return emitError() << "term \"" << term << "\" has " << term.size()
                       << " labels, but its operand is " << type;
  for (auto [label, size] : llvm::zip_equal(term, shaped.getShape())) {
    int64_t &known = sizes.insert({label, ShapedType::kDynamic}).first->second;
    if (ShapedType::isDynamic(known))
      known = size;
    else if (!ShapedType::isDynamic(size) && known != size)
      return emitError() << "label '" << Twine(label) << "' has size " << known
                         << " in one operand and " << size << " in another";
  }
  return success();
}

Type accumulatorType(TypeRange operands) {
  MLIRContext *context = operands.front().getContext();
  for (Type type : operands)
    if (getElementTypeOrSelf(type).isF64())
      return Float64Type::get(context);
  return Float32Type::get(context);
}

RankedTensorType inferredType(StringRef output, const LabelSizes &sizes,
                              TypeRange operands) {
  SmallVector<int64_t> shape;
  for (char label : output)
    shape.push_back(sizes.lookup(label));
  return RankedTensorType::get(shape, accumulatorType(operands));
}

} // namespace tpa
