//===- StreamChain.cpp - What a chain over the keys is --------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Follows a sum over keys back to what it reads, and says what forbids a
// stream.
//
//===----------------------------------------------------------------------===//

#include "compiler/fusion/StreamChain.h"
#include "compiler/fusion/StreamForm.h"
#include "dialects/tpa/TpaDialect.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/IRMapping.h"
#include "mlir/IR/Matchers.h"
#include "mlir/IR/Remarks.h"
#include "mlir/Transforms/RegionUtils.h"
#include "llvm/ADT/StringExtras.h"
#include <deque>
#include <functional>
#include <numeric>

using namespace mlir;
using namespace tpa;

static bool has(StringRef labels, char label) { return labels.contains(label); }

bool StreamChain::isCandidate() const {
  if (has(equation.output, keyLabel))
    return false;
  for (auto [term, operand] :
       llvm::zip_equal(equation.terms, EinsumOp(root).getOperands()))
    if (isInside(operand.getDefiningOp(), term))
      return true;
  return false;
}

t6::CacheReadOp tpa::pagedRead(const StreamInput &input) {
  auto read = input.value.getDefiningOp<t6::CacheReadOp>();
  return read && read.getPages() && StringRef(input.labels).starts_with("bm")
             ? read
             : t6::CacheReadOp();
}

int64_t StreamChain::blockWithinPages(int64_t block) const {
  for (const StreamInput &input : inputs)
    if (t6::CacheReadOp read = pagedRead(input))
      block = std::gcd(
          block,
          cast<RankedTensorType>(read.getCache().getType()).getDimSize(1));
  return block;
}

void StreamChain::eraseFused() {
  llvm::SmallSetVector<Operation *, 4> reads;
  for (const StreamInput &input : inputs)
    if (Operation *read = pagedRead(input))
      reads.insert(read);
  for (Operation *op : llvm::reverse(ops))
    if (op->use_empty())
      op->erase();
  for (Operation *read : reads)
    if (read->use_empty())
      read->erase();
}

StreamInput &StreamChain::input(Value value, StringRef labels) {
  for (StreamInput &known : inputs)
    if (known.value == value && known.labels == labels)
      return known;
  inputs.push_back({value, labels.str(), Value()});
  return inputs.back();
}

LogicalResult StreamChain::visit(Value value, StringRef labels,
                                 bool beforeSoftmax) {
  if (auto known = labelsOf.find(value); known != labelsOf.end()) {
    if (known->second != labels)
      return refuse("not-pointwise", "a value is read under two sets of labels",
                    "compute it twice");
    return success();
  }
  Operation *op = value.getDefiningOp();
  if (!isInside(op, labels)) {
    (void)input(value, labels);
    return success();
  }
  labelsOf[value] = labels.str();
  if (auto normalizer = dyn_cast<SoftmaxOp>(op)) {
    if (failed(visitSoftmax(normalizer, labels, beforeSoftmax)))
      return failure();
  } else {
    StringRef text = isa<MapOp>(op) ? cast<MapOp>(op).getEquation()
                                    : cast<EinsumOp>(op).getEquation();
    Equation local = Equation::parseVerified(text);
    if (used.size() + local.labels().size() >= Equation::maxLabels)
      return refuse("too-many-labels",
                    "the chain has more dimensions than there are letters",
                    "contract some of them ahead of it");
    Equation renamed = local.renamed(labels, used);
    for (auto [term, operand] :
         llvm::zip_equal(renamed.terms, op->getOperands()))
      if (failed(visit(operand, term, beforeSoftmax)))
        return failure();
    equations[op] = renamed;
    if (auto map = dyn_cast<MapOp>(op);
        map && failed(visitCaptures(map, labels)))
      return failure();
  }
  ops.push_back(op);
  return success();
}

LogicalResult StreamChain::visitSoftmax(SoftmaxOp op, StringRef labels,
                                        bool beforeSoftmax) {
  if (beforeSoftmax || softmax)
    return refuse("not-pointwise",
                  "a softmax precedes the softmax over the keys",
                  "keep one normaliser between scores and values");
  if (labels.back() != keyLabel)
    return refuse("not-pointwise", "a softmax is over another index than m",
                  "normalise over the keys, or not between scores and values");
  softmax = op;
  return visit(op.getX(), labels, /*beforeSoftmax=*/true);
}

/// Tensors that a map's body reads are inputs too; their labels are those whose
/// index the body reads them by.
LogicalResult StreamChain::visitCaptures(MapOp op, StringRef labels) {
  llvm::SetVector<Value> captured;
  getUsedValuesDefinedAbove(op.getBody(), captured);
  Equation local = Equation::parseVerified(op.getEquation());
  for (Value value : captured) {
    if (matchPattern(value, m_Constant()))
      continue;
    std::string term;
    for (OpOperand &use : value.getUses()) {
      if (!op.getBody().isAncestor(use.getOwner()->getParentRegion()))
        continue;
      auto extract = dyn_cast<tensor::ExtractOp>(use.getOwner());
      std::string read;
      for (Value index : extract ? extract.getIndices() : ValueRange())
        if (auto at = index.getDefiningOp<IndexOp>())
          read += labels[local.output.find(at.getLabel())];
      if (!extract || read.size() != extract.getIndices().size() ||
          (!term.empty() && read != term))
        return refuse("captured",
                      "a map captures more than elements at its own indices",
                      "pass the tensor as an operand of the map");
      term = read;
    }
    if (has(term, keyLabel))
      return refuse("captured", "a map captures a tensor over the keys",
                    "pass the tensor as an operand of the map");
    (void)input(value, term);
    labelsOf[value] = term;
  }
  return success();
}

/// Whether a map's result is a multiple of its argument `position`.
static bool isLinearIn(MapOp op, unsigned position) {
  Block &body = op.getBody().front();
  Value argument = body.getArgument(position);
  Value value = body.getTerminator()->getOperand(0);
  while (value != argument) {
    Operation *def = value.getDefiningOp();
    if (!def || !isa<arith::MulFOp, arith::DivFOp, arith::NegFOp>(def))
      return false;
    auto dependsOn = [&](Value v) {
      SetVector<Operation *> slice;
      SmallVector<Value> work = {v};
      while (!work.empty()) {
        Value next = work.pop_back_val();
        if (next == argument)
          return true;
        if (Operation *producer = next.getDefiningOp())
          work.append(producer->operand_begin(), producer->operand_end());
      }
      return false;
    };
    Value through = def->getOperand(0);
    if (def->getNumOperands() == 2) {
      bool left = dependsOn(def->getOperand(0)),
           right = dependsOn(def->getOperand(1));
      if (left == right || (right && isa<arith::DivFOp>(def)))
        return false;
      through = def->getOperand(left ? 0 : 1);
    }
    value = through;
  }
  return true;
}

/// Conditions (a) and (b): from the softmax on, everything is inside, and
/// linear.
LogicalResult StreamChain::checkWeights() {
  if (!softmax)
    return success();
  llvm::SmallSetVector<Operation *, 8> inside(ops.begin(), ops.end());
  llvm::SmallPtrSet<Operation *, 8> readers;
  SmallVector<Value> weights = {softmax.getResult()};
  while (!weights.empty()) {
    Value weight = weights.pop_back_val();
    for (OpOperand &use : weight.getUses()) {
      Operation *user = use.getOwner();
      if ((user == root || inside.contains(user)) &&
          !readers.insert(user).second)
        return refuse(
            "not-linear",
            "an operation between softmax and sum reads weights twice",
            "keep one factor that depends on them");
      if (user == root)
        continue;
      if (!inside.contains(user))
        return refuse("weights-escape",
                      "the weights are read by more than the sum over m",
                      "sum over m before other uses");
      if (auto map = dyn_cast<MapOp>(user);
          map && !isLinearIn(map, use.getOperandNumber()))
        return refuse("not-linear",
                      "a map between softmax and sum is not linear in the "
                      "weights",
                      "apply it to the scores, or to the result");
      weights.push_back(user->getResult(0));
    }
  }
  return success();
}

LogicalResult StreamChain::checkSizes() {
  auto quiet = [&] { return root.emitOpError(); };
  for (const StreamInput &input : inputs) {
    auto type = cast<RankedTensorType>(input.value.getType());
    if (failed(addLabelSizes(input.labels, type, sizes, quiet)))
      return refuse("sizes-unknown", "operands disagree on a size",
                    "give equal labels equal sizes");
  }
  for (auto [label, size] : sizes)
    if (ShapedType::isDynamic(size) && label != keyLabel && label != queryLabel)
      return refuse("sizes-unknown",
                    "a dimension other than n and m is dynamic",
                    "make the sizes of heads, ranks and features static");
  if (!sizes.contains(keyLabel))
    return refuse("sizes-unknown", "no input carries the keys", "");
  for (auto &[op, equation] : equations)
    if (isa<EinsumOp>(op) &&
        equation.terms.size() > ContractionSearch::mostOperands)
      return refuse("too-many-operands",
                    "an einsum has more operands than the search for its "
                    "order takes",
                    "split its equation");
  return success();
}

/// A workgroup takes a row of the batch and a block of queries, and carries a
/// maximum and a sum for each row of the softmax: neither is anybody else's.
LogicalResult StreamChain::checkRows() {
  for (char label : {batchLabel, queryLabel}) {
    if (!sizes.contains(label) || sizes.lookup(label) == 1)
      continue;
    if (!has(equation.output, label))
      return refuse("shared-rows",
                    "the sum over m is also over the batch or the queries",
                    "sum over m first, and over these in another einsum");
    if (softmax && !has(labelsOf[softmax.getResult()], label))
      return refuse("shared-rows",
                    "a softmax lacks the batch that other operands have",
                    "give its scores the dimension of the batch");
  }
  if (!softmax)
    return success();
  for (char label : StringRef(labelsOf[softmax.getResult()]).drop_back())
    if (!has(equation.output, label))
      return refuse("shared-rows",
                    "the sum over m is also over rows of the softmax, each of "
                    "which is divided by a sum of its own",
                    "sum over m first, and over these in another einsum");
  return success();
}

LogicalResult StreamChain::collect() {
  for (auto [term, operand] :
       llvm::zip_equal(equation.terms, root.getOperands()))
    if (failed(visit(operand, term, /*beforeSoftmax=*/false)))
      return failure();
  ops.push_back(root);
  equations[root] = equation;
  return failure(failed(checkWeights()) || failed(checkSizes()));
}
