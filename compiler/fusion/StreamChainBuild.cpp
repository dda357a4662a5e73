//===- StreamChainBuild.cpp - A chain over the keys as a stream -----------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Makes the stream that a chain over the keys is.
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

using namespace mlir;
using namespace tpa;

static bool has(StringRef labels, char label) { return labels.contains(label); }

/// Memory order of an intermediate: batch, query, then keys before the label
/// that operands have contiguous, the result's last one or else the widest; or
/// the keys last where there is none.
std::string StreamChain::layout(StringRef labels,
                                ArrayRef<std::string> operands) const {
  char lane = 0;
  auto widthOf = [&](char label) {
    return std::pair(label == equation.output.back(), sizes.lookup(label));
  };
  for (const std::string &operand : operands)
    if (!operand.empty() && operand.back() != keyLabel &&
        operand.back() != queryLabel && operand.back() != batchLabel &&
        has(labels, operand.back()) &&
        (!lane || widthOf(operand.back()) > widthOf(lane)))
      lane = operand.back();
  std::string front, middle;
  for (char label : labels) {
    if (label == batchLabel || label == queryLabel)
      front += label;
    else if (label != lane && label != keyLabel)
      middle += label;
  }
  llvm::sort(front);
  std::string key = has(labels, keyLabel) ? std::string(1, keyLabel) : "";
  return lane ? front + key + middle + lane : front + middle + key;
}

/// Whether the scores of many queries are better summed with the queries side
/// by side: both operands have the summed label last, along which no vector of
/// results lies.
bool StreamChain::isQueryLast(StringRef query, StringRef other,
                              StringRef result) const {
  return has(query, queryLabel) && !has(query, keyLabel) &&
         has(other, keyLabel) && !has(other, queryLabel) &&
         has(result, keyLabel) && has(result, queryLabel) &&
         query.back() == other.back() && !has(result, query.back()) &&
         !ShapedType::isDynamic(sizes.lookup(queryLabel)) &&
         !StreamShape::hasFew(sizes.lookup(queryLabel));
}

/// The stream body's value for a value outside: what the chain computes, or an
/// input.
Value StreamChain::inside(Value outer, StringRef labels) {
  if (Value known = map.lookupOrNull(outer))
    return known;
  StreamInput &outside = input(outer, labels);
  if (outside.argument)
    return outside.argument;
  auto type = cast<RankedTensorType>(outer.getType());
  SmallVector<int64_t> shape(type.getShape());
  if (size_t at = labels.find(keyLabel); at != StringRef::npos)
    shape[at] = ShapedType::kDynamic;
  outside.argument = body->addArgument(
      RankedTensorType::get(shape, type.getElementType()), root.getLoc());
  innerLabels[outside.argument] = labels.str();
  read.push_back(&outside);
  return outside.argument;
}

/// Contracts pairwise in the cheapest order. What is free of m happens before
/// the stream and becomes an input of it.
void StreamChain::cloneEinsum(EinsumOp op, StringRef result) {
  Location loc = op.getLoc();
  const Equation &eq = equations[op];
  ContractionSearch search = searchStream(op, eq, sizes, options.shape);
  if (eq.terms.size() > 2)
    remarkOnForm(op, eq, sizes, search, options.shape);

  OpBuilder before(root), within = atEndOfBody();
  double scale = op.getScale().convertToDouble();
  auto contract = [&](OpBuilder &b, ArrayRef<std::string> terms,
                      StringRef output, ValueRange operands, bool last) {
    Value product = EinsumOp::create(
        b, loc, Equation{llvm::to_vector(terms), output.str()}.str(), operands,
        APFloat(last ? scale : 1.0));
    return product;
  };
  struct Operand {
    Value value;
    std::string labels;
    bool isOutside;
  };
  auto moveInside = [&](Operand operand) {
    if (!operand.isOutside)
      return operand;
    Value value = inside(operand.value, operand.labels);
    return Operand{value, innerLabels[value], false};
  };
  // A stream keeps for a block of queries what it computes of them alone.
  auto putQueryLast = [&](Operand &query, StringRef other, StringRef labels) {
    if (!isQueryLast(query.labels, other, labels))
      return false;
    std::string from = query.labels;
    llvm::erase(query.labels, queryLabel);
    query.labels += queryLabel;
    query.value = contract(within, from, query.labels, query.value, false);
    return true;
  };
  auto withQueryLast = [](StringRef labels) {
    std::string front, middle;
    for (char label : labels)
      if (label != queryLabel)
        (label == 'b' || label == keyLabel ? front : middle) += label;
    return front + middle + queryLabel;
  };
  auto isF32 = [](Type type) {
    return cast<RankedTensorType>(type).getElementType().isF32();
  };
  std::function<Operand(uint32_t)> emit = [&](uint32_t set) -> Operand {
    if (llvm::has_single_bit(set)) {
      unsigned i = llvm::countr_zero(set);
      return {op.getOperands()[i], eq.terms[i], true};
    }
    const ContractionSearch::Plan &plan = search.plan(set);
    Operand left = emit(plan.left), right = emit(plan.right);
    bool isLast = set == search.fullSet(), isHoisted = search.isHoisted(set);
    std::string labels = search.resultLabels(set);
    if (!isHoisted) {
      left = moveInside(left);
      right = moveInside(right);
      labels =
          isLast ? result.str() : layout(labels, {left.labels, right.labels});
      if (isLast && llvm::all_of(op.getOperandTypes(), isF32) &&
          (putQueryLast(left, right.labels, labels) ||
           putQueryLast(right, left.labels, labels)))
        labels = withQueryLast(labels);
    }
    Value product =
        contract(isHoisted ? before : within, {left.labels, right.labels},
                 labels, {left.value, right.value}, isLast);
    if (!isHoisted)
      innerLabels[product] = labels;
    return {product, labels, isHoisted};
  };
  Value value;
  if (eq.terms.size() == 1) {
    Operand operand = moveInside({op.getOperands()[0], eq.terms[0], true});
    value = contract(within, operand.labels, result, operand.value, true);
    innerLabels[value] = result.str();
  } else {
    Operand product = emit(search.fullSet());
    value = product.value;
    innerLabels[value] = product.labels;
  }
  map.map(op.getResult(), value);
}

/// Clones a map under the chain's letters; the first operand's layout is the
/// result's.
void StreamChain::cloneMap(MapOp op) {
  std::string localLabels = Equation::parseVerified(op.getEquation()).output;
  std::string labels = labelsOf[op.getResult()];
  Equation eq;
  SmallVector<Value> operands;
  for (auto [operand, term] :
       llvm::zip_equal(op.getOperands(), equations[op].terms)) {
    operands.push_back(inside(operand, term));
    eq.terms.push_back(innerLabels[operands.back()]);
  }
  eq.output = eq.terms.front();
  OpBuilder within = atEndOfBody();
  IRMapping bodyMap;
  Value value = MapOp::create(
      within, op.getLoc(), eq, operands, [&](OpBuilder &b, ValueRange in) {
        bodyMap.map(op.getBody().getArguments(), in);
        for (Operation &child : op.getBody().front().without_terminator()) {
          for (Value operand : child.getOperands()) {
            if (bodyMap.contains(operand) ||
                op.getBody().isAncestor(operand.getParentRegion()))
              continue;
            bool isConstant = matchPattern(operand, m_Constant());
            bodyMap.map(operand,
                        isConstant
                            ? b.clone(*operand.getDefiningOp())->getResult(0)
                            : inside(operand, labelsOf[operand]));
          }
          Operation *copy = b.clone(child, bodyMap);
          if (auto index = dyn_cast<IndexOp>(copy)) {
            char label = labels[localLabels.find(index.getLabel())];
            index.setLabel(StringRef(&label, 1));
          }
        }
        return bodyMap.lookup(
            op.getBody().front().getTerminator()->getOperand(0));
      });
  innerLabels[value] = eq.output;
  map.map(op.getResult(), value);
}

void StreamChain::cloneOps() {
  OpBuilder within = atEndOfBody();
  for (Operation *op : ops) {
    if (auto einsum = dyn_cast<EinsumOp>(op)) {
      SmallVector<std::string> terms;
      for (auto [term, operand] :
           llvm::zip_equal(equations[op].terms, einsum.getOperands())) {
        auto known = innerLabels.find(map.lookupOrNull(operand));
        terms.push_back(known == innerLabels.end() ? term : known->second);
      }
      cloneEinsum(einsum, op == root
                              ? equation.output
                              : layout(labelsOf[op->getResult(0)], terms));
    } else if (auto pointwise = dyn_cast<MapOp>(op)) {
      cloneMap(pointwise);
    } else {
      Value scores = map.lookup(cast<SoftmaxOp>(op).getX());
      std::string labels = innerLabels[scores];
      Value weights = OnlineSoftmaxOp::create(within, op->getLoc(), scores,
                                              labels.find(keyLabel));
      innerLabels[weights] = labels;
      map.map(op->getResult(0), weights);
    }
  }
  Value result = map.lookup(root.getResult());
  YieldOp::create(within, root.getLoc(), result);
}

/// Shape of an out: the parts, then the labels' sizes, of queries those of an
/// input that has them.
Value StreamChain::makeOut(OpBuilder &b, StringRef labels, int64_t splits) {
  SmallVector<OpFoldResult> shape = {b.getIndexAttr(splits)};
  for (char label : labels) {
    if (!ShapedType::isDynamic(sizes[label])) {
      shape.push_back(b.getIndexAttr(sizes[label]));
      continue;
    }
    for (StreamInput *input : read)
      if (size_t at = input->labels.find(label); at != std::string::npos) {
        shape.push_back(
            tensor::getMixedSize(b, root.getLoc(), input->value, at));
        break;
      }
  }
  return tensor::EmptyOp::create(b, root.getLoc(), shape, b.getF32Type());
}

Value StreamChain::build() {
  Region region;
  body = new Block();
  region.push_back(body);
  cloneOps();

  OpBuilder b(root);
  // The kernel is called after it.
  Location loc = NameLoc::get(b.getStringAttr("attention"), root.getLoc());
  // Many queries are work enough for all threads.
  int64_t splits = options.shape.hasFew(sizes[queryLabel]) ? options.splits : 1;
  SmallVector<std::string> terms, outs;
  SmallVector<Value> operands;
  Value pages, length;
  SmallVector<int64_t> paged;
  for (auto [i, input] : llvm::enumerate(read)) {
    terms.push_back(input->labels);
    operands.push_back(input->value);
    t6::CacheReadOp cached = pagedRead(*input);
    // A second table would need a length of its own: its reads stay gathers.
    if (!cached ||
        (pages && (cached.getPages() != pages || cached.getLength() != length)))
      continue;
    pages = cached.getPages();
    length = cached.getLength();
    operands.back() = cached.getCache();
    paged.push_back(i);
  }
  std::string rows;
  if (softmax) {
    rows = innerLabels[map.lookup(softmax.getResult())];
    llvm::erase(rows, keyLabel);
    outs = {rows, rows};
  }
  outs.push_back(equation.output);
  SmallVector<Value> initial;
  for (StringRef out : outs)
    initial.push_back(makeOut(b, out, splits));
  std::string text = llvm::join(terms, ",") + "->" + llvm::join(outs, ",");
  auto stream = StreamOp::create(
      b, loc, TypeRange(ValueRange(initial)), text, operands, pages, length,
      initial, options.shape.block, splits,
      pages ? b.getDenseI64ArrayAttr(paged) : DenseI64ArrayAttr());
  stream.getBody().takeBody(region);

  if (!softmax && splits == 1) {
    // The only part is the sum.
    SmallVector<ReassociationIndices> groups = {{0, 1}};
    for (size_t i = 1; i < equation.output.size(); ++i)
      groups.push_back({int64_t(i) + 1});
    return tensor::CollapseShapeOp::create(b, loc, stream.getResult(0), groups);
  }
  if (!softmax) {
    char part = Equation::freshLabel(used, 's');
    std::string labels = part + equation.output;
    return EinsumOp::create(b, loc, labels + "->" + equation.output,
                            stream.getResult(0), APFloat(1.0));
  }
  replaceLogSumExp(stream, rows);
  Equation merge{{rows, rows, equation.output}, equation.output};
  SmallVector<Value> parts(stream.getResults());
  if (Value sinks = softmax.getSinks()) {
    std::string labels;
    for (int64_t dim : softmax.getAlongAttr().asArrayRef())
      labels += labelsOf[softmax.getResult()][dim];
    merge.terms.push_back(labels);
    parts.push_back(sinks);
  }
  return MergeOp::create(b, loc, merge.str(), parts);
}
