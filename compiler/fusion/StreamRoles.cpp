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

namespace {
/// Letters of an einsum: what the stream sums over, what it keeps a row for,
/// and the batch, or 0.
struct Roles {
  char summed, kept, batch;
};
} // namespace

/// None where no operand is computed from queries and keys, or both remain.
static std::optional<Roles> rolesOf(EinsumOp root, const Equation &equation) {
  for (auto [term, operand] :
       llvm::zip_equal(equation.terms, root.getOperands())) {
    std::string original = originalLabels(operand, term);
    size_t key = original.find(keyLabel), query = original.find(queryLabel),
           batch = original.find(batchLabel);
    if (key == std::string::npos || query == std::string::npos)
      continue;
    bool keepsKey = StringRef(equation.output).contains(term[key]),
         keepsQuery = StringRef(equation.output).contains(term[query]);
    if (keepsKey && keepsQuery)
      continue;
    if (keepsKey)
      std::swap(key, query);
    return Roles{term[key], term[query],
                 batch == std::string::npos ? '\0' : term[batch]};
  }
  return std::nullopt;
}

EinsumOp tpa::splitSum(EinsumOp root) {
  Equation equation = Equation::parseVerified(root.getEquation());
  std::optional<Roles> roles = rolesOf(root, equation);
  if (!roles)
    return root;
  std::string rows;
  for (char label : {roles->batch, roles->kept})
    if (label && !StringRef(equation.output).contains(label))
      rows += label;
  if (rows.empty())
    return root;
  OpBuilder b(root);
  Location loc = root.getLoc();
  Equation inner = equation;
  inner.output = rows + equation.output;
  auto sum = EinsumOp::create(b, loc, inner.str(), root.getOperands(),
                              root.getScale());
  Value total = EinsumOp::create(b, loc, inner.output + "->" + equation.output,
                                 ValueRange(sum.getResult()), APFloat(1.0));
  root.replaceAllUsesWith(total);
  root.erase();
  return sum;
}

bool tpa::nameByRoles(EinsumOp root) {
  Equation equation = Equation::parseVerified(root.getEquation());
  std::optional<Roles> roles = rolesOf(root, equation);
  if (!roles)
    return false;
  // A `b` that is no batch makes way, too.
  std::string taken = {keyLabel, queryLabel, batchLabel};
  llvm::DenseMap<char, char> names = {{roles->summed, keyLabel},
                                      {roles->kept, queryLabel}};
  if (roles->batch)
    names[roles->batch] = batchLabel;
  std::string used = equation.labels() + taken;
  auto rename = [&](std::string &labels) {
    for (char &label : labels) {
      char &name = names[label];
      if (!name) {
        name = label;
        if (StringRef(taken).contains(label)) {
          name = Equation::freshLabel(used, 'a');
          used += name;
        }
      }
      label = name;
    }
  };
  for (std::string &labels : equation.terms)
    rename(labels);
  rename(equation.output);
  root.setEquation(equation.str());
  return true;
}
