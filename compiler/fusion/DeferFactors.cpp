//===- DeferFactors.cpp - Factors applied after the sum -------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "compiler/fusion/DeferFactors.h"
#include "dialects/tpa/Equation.h"
#include "mlir/IR/Builders.h"

using namespace mlir;

namespace tpa {

static bool has(StringRef labels, char label) { return labels.contains(label); }

/// Elements but for dynamic dimensions, which both results have.
static int64_t elements(StringRef labels, const LabelSizes &sizes) {
  int64_t product = 1;
  for (char label : labels)
    if (int64_t size = sizes.lookup(label); !ShapedType::isDynamic(size))
      product *= size;
  return product;
}

EinsumOp deferFactors(EinsumOp root) {
  Equation whole = Equation::parseVerified(root.getEquation());
  Equation sum, after;
  SmallVector<Value> summed, deferred;
  std::string needed = whole.output;
  LabelSizes sizes;
  for (auto [term, operand] :
       llvm::zip_equal(whole.terms, root.getOperands())) {
    if (failed(addLabelSizes(term, operand.getType(), sizes,
                             [&] { return root.emitOpError(); })))
      return root;
    bool overKeys = has(term, AttentionOp::streamLabel);
    (overKeys ? sum : after).terms.push_back(term);
    (overKeys ? summed : deferred).push_back(operand);
    if (!overKeys)
      needed += term;
  }
  if (deferred.empty())
    return root;
  std::string labels = sum.labels();
  // In the order of the result, then what the factors sum over.
  for (char label : needed)
    if (has(labels, label) && !has(sum.output, label))
      sum.output += label;
  if (elements(sum.output, sizes) > elements(whole.output, sizes))
    return root;
  after.terms.insert(after.terms.begin(), sum.output);
  after.output = whole.output;

  OpBuilder b(root);
  auto inner =
      EinsumOp::create(b, root.getLoc(), sum.str(), summed, APFloat(1.0));
  deferred.insert(deferred.begin(), inner);
  Value outer = EinsumOp::create(b, root.getLoc(), after.str(), deferred,
                                 root.getScale());
  root.replaceAllUsesWith(outer);
  root.erase();
  return inner;
}

} // namespace tpa
