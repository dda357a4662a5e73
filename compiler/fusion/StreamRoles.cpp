//===- StreamRoles.cpp - Which label is the stream's, which the query's ---===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The reverse of an attention sums over queries what it keeps for each key: the
// same stream as one over keys, with the two labels in each other's place.
//
//===----------------------------------------------------------------------===//

#include "compiler/fusion/StreamChain.h"

using namespace mlir;
using namespace tpa;

static constexpr char keyLabel = AttentionOp::streamLabel, queryLabel = 'n',
                      batchLabel = 'b';

/// The labels of a computed value as the einsum that it starts from names them:
/// maps and softmax keep dimensions in place, whatever they call them. Without
/// an einsum they are those by which it is read.
static std::string originalLabels(Value value, StringRef term) {
  Operation *op = value.getDefiningOp();
  if (!isa_and_nonnull<MapOp, SoftmaxOp, EinsumOp>(op))
    return "";
  while (isa_and_nonnull<MapOp, SoftmaxOp>(op))
    op = op->getOperand(0).getDefiningOp();
  auto einsum = dyn_cast_or_null<EinsumOp>(op);
  return einsum ? Equation::parseVerified(einsum.getEquation()).output
                : term.str();
}

bool tpa::nameByRoles(EinsumOp root) {
  Equation equation = Equation::parseVerified(root.getEquation());
  for (auto [term, operand] :
       llvm::zip_equal(equation.terms, root.getOperands())) {
    std::string original = originalLabels(operand, term);
    size_t key = original.find(keyLabel), query = original.find(queryLabel),
           batch = original.find(batchLabel);
    if (key == std::string::npos || query == std::string::npos)
      continue;
    bool keepsKey = StringRef(equation.output).contains(term[key]),
         keepsQuery = StringRef(equation.output).contains(term[query]);
    if (keepsKey == keepsQuery)
      continue;
    if (keepsKey)
      std::swap(key, query);
    std::string taken = {keyLabel, queryLabel};
    llvm::DenseMap<char, char> names = {{term[key], keyLabel},
                                        {term[query], queryLabel}};
    if (batch != std::string::npos) {
      names[term[batch]] = batchLabel;
      taken += batchLabel;
    }
    std::string all = equation.labels(), used = all + taken;
    auto nameOf = [&](char label) {
      if (auto known = names.find(label); known != names.end())
        return known->second;
      char name = label;
      if (StringRef(taken).contains(label)) {
        name = Equation::freshLabel(used, 'a');
        used += name;
      }
      return names[label] = name;
    };
    auto rename = [&](std::string &labels) {
      for (char &label : labels)
        label = nameOf(label);
    };
    for (std::string &labels : equation.terms)
      rename(labels);
    rename(equation.output);
    root.setEquation(equation.str());
    return true;
  }
  return false;
}
