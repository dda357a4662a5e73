//===- FuseStream.cpp - Chains over the keys to one pass ------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Fuses chains of einsums over the keys into one pass over blocks of them.
//

#include "compiler/fusion/Passes.h"
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

namespace tpa {
#define GEN_PASS_DEF_FUSESTREAM
#include "compiler/fusion/Passes.h.inc"
} // namespace tpa

using namespace tpa;

static constexpr char keyLabel = AttentionOp::streamLabel, queryLabel = 'n';

static bool has(StringRef labels, char label) { return labels.contains(label); }

namespace {

/// Why a chain cannot be one stream.
struct Refusal {
  StringRef code, reason, suggestion;
};

struct Options {
  StreamShape shape;
  int64_t splits;
};

/// A tensor that the stream reads, under the labels by which it is read. The
/// same tensor under other labels is another input: keys that are values, too.
struct Input {
  Value value;
  std::string labels;
  Value argument; ///< of the body, once it reads it
};

/// One chain in the making. Labels are letters of the root's equation, extended
/// by fresh ones: a letter means one dimension throughout.
class Chain {
public:
  Chain(EinsumOp root, Options options)
      : root(root), equation(Equation::parseVerified(root.getEquation())),
        used(equation.labels()), options(options) {}

  /// Whether the root sums over keys what is computed from queries and keys.
  bool isCandidate() const;
  /// Follows operands back to the stream's inputs; fails with `refusal`.
  LogicalResult collect();
  /// Makes the stream in front of the root; returns the root's new value.
  Value build();
  /// Erases what nothing reads any more.
  void eraseFused() {
    for (Operation *op : llvm::reverse(ops))
      if (op->use_empty())
        op->erase();
  }
  int64_t size() const { return ops.size(); }
  int64_t inputCount() const { return read.size(); }

  Refusal refusal;

private:
  LogicalResult refuse(StringRef code, StringRef reason, StringRef suggestion) {
    refusal = {code, reason, suggestion};
    return failure();
  }
  static bool isInside(Operation *op, StringRef labels) {
    return isa_and_nonnull<EinsumOp, MapOp, SoftmaxOp>(op) &&
           has(labels, keyLabel) && has(labels, queryLabel);
  }
  LogicalResult visit(Value value, StringRef labels, bool beforeSoftmax);
  LogicalResult visitSoftmax(SoftmaxOp op, StringRef labels,
                             bool beforeSoftmax);
  LogicalResult visitCaptures(MapOp op, StringRef labels);
  LogicalResult checkWeights();
  LogicalResult checkSizes();
  Equation rename(const Equation &local, StringRef output);
  Input &input(Value value, StringRef labels);

  Value inside(Value outer, StringRef labels);
  std::string layout(StringRef labels, ArrayRef<std::string> operands) const;
  void cloneEinsum(EinsumOp op, StringRef result);
  void cloneMap(MapOp op);
  void cloneOps();
  /// The body belongs to no operation yet.
  OpBuilder atEndOfBody() {
    OpBuilder builder(root.getContext());
    builder.setInsertionPointToEnd(body);
    return builder;
  }
  Value makeOut(OpBuilder &b, StringRef labels, int64_t splits);

  EinsumOp root;
  Equation equation;
  std::string used;
  Options options;
  SoftmaxOp softmax;
  SmallVector<Operation *> ops; ///< producers first, the root last
  std::deque<Input> inputs;     ///< references to them stay valid
  /// Of what the chain computes and of what its maps capture.
  llvm::DenseMap<Value, std::string> labelsOf;
  llvm::DenseMap<Operation *, Equation> equations;
  LabelSizes sizes;

  // Of the body in the making.
  Block *body = nullptr;
  IRMapping map;                                  ///< outside to inside
  llvm::DenseMap<Value, std::string> innerLabels; ///< in memory order
  SmallVector<Input *> read; ///< inputs that the body has, in order
};

} // namespace

bool Chain::isCandidate() const {
  if (has(equation.output, keyLabel))
    return false;
  for (auto [term, operand] :
       llvm::zip_equal(equation.terms, EinsumOp(root).getOperands()))
    if (isInside(operand.getDefiningOp(), term))
      return true;
  return false;
}

Equation Chain::rename(const Equation &local, StringRef output) {
  llvm::DenseMap<char, char> renamed;
  for (auto [from, to] : llvm::zip_equal(local.output, output))
    renamed[from] = to;
  for (char label : local.labels())
    if (!renamed.count(label)) {
      char fresh = Equation::freshLabel(used, label);
      renamed[label] = fresh;
      used += fresh;
    }
  Equation result;
  for (StringRef term : local.terms) {
    result.terms.emplace_back();
    for (char label : term)
      result.terms.back() += renamed[label];
  }
  result.output = output.str();
  return result;
}

Input &Chain::input(Value value, StringRef labels) {
  for (Input &known : inputs)
    if (known.value == value && known.labels == labels)
      return known;
  inputs.push_back({value, labels.str(), Value()});
  return inputs.back();
}

LogicalResult Chain::visit(Value value, StringRef labels, bool beforeSoftmax) {
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
    Equation renamed = rename(Equation::parseVerified(text), labels);
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

LogicalResult Chain::visitSoftmax(SoftmaxOp op, StringRef labels,
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
LogicalResult Chain::visitCaptures(MapOp op, StringRef labels) {
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
LogicalResult Chain::checkWeights() {
  if (!softmax)
    return success();
  llvm::SmallSetVector<Operation *, 8> inside(ops.begin(), ops.end());
  SmallVector<Value> weights = {softmax.getResult()};
  while (!weights.empty()) {
    Value weight = weights.pop_back_val();
    for (OpOperand &use : weight.getUses()) {
      Operation *user = use.getOwner();
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

LogicalResult Chain::checkSizes() {
  auto quiet = [&] { return root.emitOpError(); };
  for (const Input &input : inputs) {
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

LogicalResult Chain::collect() {
  for (auto [term, operand] :
       llvm::zip_equal(equation.terms, root.getOperands()))
    if (failed(visit(operand, term, /*beforeSoftmax=*/false)))
      return failure();
  ops.push_back(root);
  equations[root] = equation;
  return failure(failed(checkWeights()) || failed(checkSizes()));
}

/// Memory order of an intermediate: batch, query, then keys before the label
/// that operands have contiguous, or the keys last where there is none.
std::string Chain::layout(StringRef labels,
                          ArrayRef<std::string> operands) const {
  char lane = 0;
  int64_t widest = 0;
  for (const std::string &operand : operands)
    if (!operand.empty() && operand.back() != keyLabel &&
        operand.back() != queryLabel && has(labels, operand.back()) &&
        sizes.lookup(operand.back()) > widest) {
      lane = operand.back();
      widest = sizes.lookup(lane);
    }
  std::string front, middle;
  for (char label : labels) {
    if (label == 'b' || label == queryLabel)
      front += label;
    else if (label != lane && label != keyLabel)
      middle += label;
  }
  llvm::sort(front);
  std::string key = has(labels, keyLabel) ? std::string(1, keyLabel) : "";
  return lane ? front + key + middle + lane : front + middle + key;
}

/// The stream body's value for a value outside: what the chain computes, or an
/// input.
Value Chain::inside(Value outer, StringRef labels) {
  if (Value known = map.lookupOrNull(outer))
    return known;
  Input &outside = input(outer, labels);
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
void Chain::cloneEinsum(EinsumOp op, StringRef result) {
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
  std::function<Operand(uint32_t)> emit = [&](uint32_t set) -> Operand {
    if (llvm::has_single_bit(set)) {
      unsigned i = llvm::countr_zero(set);
      return {op.getOperands()[i], eq.terms[i], true};
    }
    const ContractionSearch::Plan &plan = search.plan(set);
    Operand left = emit(plan.left), right = emit(plan.right);
    bool isLast = set == search.fullSet(), isHoisted = search.isHoisted(set);
    if (!isHoisted) {
      left = moveInside(left);
      right = moveInside(right);
    }
    std::string labels = search.resultLabels(set);
    if (!isHoisted)
      labels =
          isLast ? result.str() : layout(labels, {left.labels, right.labels});
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
  } else {
    value = emit(search.fullSet()).value;
  }
  innerLabels[value] = result.str();
  map.map(op.getResult(), value);
}

/// Clones a map under the chain's letters; the first operand's layout is the
/// result's.
void Chain::cloneMap(MapOp op) {
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

void Chain::cloneOps() {
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
Value Chain::makeOut(OpBuilder &b, StringRef labels, int64_t splits) {
  SmallVector<OpFoldResult> shape = {b.getIndexAttr(splits)};
  for (char label : labels) {
    if (!ShapedType::isDynamic(sizes[label])) {
      shape.push_back(b.getIndexAttr(sizes[label]));
      continue;
    }
    for (Input *input : read)
      if (size_t at = input->labels.find(label); at != std::string::npos) {
        shape.push_back(
            tensor::getMixedSize(b, root.getLoc(), input->value, at));
        break;
      }
  }
  return tensor::EmptyOp::create(b, root.getLoc(), shape, b.getF32Type());
}

Value Chain::build() {
  Region region;
  body = new Block();
  region.push_back(body);
  cloneOps();

  OpBuilder b(root);
  // The kernel is called after it.
  Location loc = NameLoc::get(b.getStringAttr("attention"), root.getLoc());
  bool fewQueries = !ShapedType::isDynamic(sizes[queryLabel]);
  int64_t splits = fewQueries ? options.splits : 1;
  SmallVector<std::string> terms, outs;
  SmallVector<Value> operands;
  for (Input *input : read) {
    terms.push_back(input->labels);
    operands.push_back(input->value);
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
  auto stream =
      StreamOp::create(b, loc, TypeRange(ValueRange(initial)), text, operands,
                       initial, options.shape.block, splits);
  stream.getBody().takeBody(region);

  if (!softmax) {
    char part = Equation::freshLabel(used, 's');
    std::string labels = part + equation.output;
    return EinsumOp::create(b, loc, labels + "->" + equation.output,
                            stream.getResult(0), APFloat(1.0));
  }
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

namespace {
struct FuseStream : tpa::impl::FuseStreamBase<FuseStream> {
  using Base::Base;

  void runOnOperation() override {
    FailureOr<CostModel> target = CostModel::find(getOperation(), targetName);
    if (failed(target))
      return signalPassFailure();
    SmallVector<EinsumOp> roots;
    getOperation().walk([&](EinsumOp op) {
      if (!op->getParentOfType<StreamOp>())
        roots.push_back(op);
    });
    auto opts = remark::RemarkOpts::name("stream").category("tpa");
    Options options = {{*target, block, queryBlock}, splits};
    for (EinsumOp root : roots) {
      Chain whole(root, options);
      if (!whole.isCandidate())
        continue;
      if (failed(whole.collect())) {
        refuse(root, whole.refusal);
        continue;
      }
      root = deferFactors(root, options.shape);
      Chain chain(root, options);
      if (failed(chain.collect())) {
        refuse(root, chain.refusal);
        continue;
      }
      Value result = chain.build();
      ++numStreams;
      remark::passed(root.getLoc(), opts)
          << remark::metric("operations", chain.size())
          << remark::metric("inputs", chain.inputCount());
      root.replaceAllUsesWith(result);
      chain.eraseFused();
    }
  }

  void refuse(EinsumOp root, const Refusal &refusal) {
    ++numRefused;
    remark::missed(root.getLoc(),
                   remark::RemarkOpts::name("stream").category("tpa"))
        << remark::metric("code", refusal.code)
        << remark::reason("{0}", refusal.reason)
        << remark::suggest("{0}", refusal.suggestion);
  }
};
} // namespace
