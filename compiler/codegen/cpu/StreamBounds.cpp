//===- StreamBounds.cpp - Keys that a block of queries sees ---------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Derives from a stream's masks which keys a block of queries can see.
//
//===----------------------------------------------------------------------===//

#include "compiler/codegen/cpu/StreamLowering.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/Matchers.h"

using namespace mlir;
using namespace tpa;
using namespace tpa::cpu;

namespace {

/// A comparison `index + added <= positions[b] + other`, or `>`, of the
/// stream's index with that of the queries, either of which may be the first.
struct Comparison {
  bool isStreamFirst;
  bool isGreater;
  int64_t added = 0;
  tensor::ExtractOp position;
};

/// What a map computes where every key is hidden by one selection; the tensors
/// and elements of which that is a number. Hidden keys influence nothing, also
/// where arithmetic on what they meet would be NaN: -inf minus anything is
/// -inf, zero times anything zero.
class HiddenKeys {
public:
  explicit HiddenKeys(arith::SelectOp select) : select(select) {}

  /// Whether a block of hidden keys leaves every carry as it is.
  bool changeNothing(StreamOp stream) {
    OnlineSoftmaxOp softmax = stream.getSoftmax();
    if (softmax && valueOf(softmax.getX()) != -kInfinity)
      return false;
    auto yield = cast<YieldOp>(stream.getBody().front().getTerminator());
    return llvm::all_of(yield.getValues(),
                        [&](Value value) { return valueOf(value) == 0.0; });
  }

private:
  static constexpr double kInfinity = std::numeric_limits<double>::infinity();
  using Number = std::optional<double>;

  Number valueOf(Value value) {
    if (auto known = numbers.find(value); known != numbers.end())
      return known->second;
    Number number = compute(value);
    numbers[value] = number;
    return number;
  }
  Number compute(Value value);
  Number computeProduct(Number left, Number right);

  arith::SelectOp select;
  llvm::DenseMap<Value, Number> numbers;
};

} // namespace

HiddenKeys::Number HiddenKeys::computeProduct(Number left, Number right) {
  if (left == 0.0 || right == 0.0)
    return 0.0;
  bool isNegative = (left == -kInfinity && right && *right > 0) ||
                    (right == -kInfinity && left && *left > 0);
  return isNegative ? Number(-kInfinity) : std::nullopt;
}

HiddenKeys::Number HiddenKeys::compute(Value value) {
  if (auto argument = dyn_cast<BlockArgument>(value)) {
    auto map = dyn_cast<MapOp>(argument.getOwner()->getParentOp());
    return map ? valueOf(map.getOperands()[argument.getArgNumber()])
               : std::nullopt;
  }
  Operation *op = value.getDefiningOp();
  auto operand = [&](unsigned i) { return valueOf(op->getOperand(i)); };
  APFloat constant(0.0f);
  if (matchPattern(value, m_ConstantFloat(&constant)))
    return constant.convertToDouble();
  if (auto map = dyn_cast<MapOp>(op))
    return valueOf(map.getBody().front().getTerminator()->getOperand(0));
  if (auto einsum = dyn_cast<EinsumOp>(op)) {
    auto isZero = [&](Value factor) { return valueOf(factor) == 0.0; };
    return llvm::any_of(einsum.getOperands(), isZero) ? Number(0.0)
                                                      : std::nullopt;
  }
  if (auto choice = dyn_cast<arith::SelectOp>(op)) {
    Number otherwise = valueOf(choice.getFalseValue());
    return choice == select || valueOf(choice.getTrueValue()) == otherwise
               ? otherwise
               : std::nullopt;
  }
  if (isa<OnlineSoftmaxOp, math::ExpOp>(op))
    return operand(0) == -kInfinity ? Number(0.0) : std::nullopt;
  if (isa<arith::SubFOp>(op))
    return operand(0) == -kInfinity ? Number(-kInfinity) : std::nullopt;
  if (isa<arith::AddFOp>(op))
    return operand(0) == -kInfinity || operand(1) == -kInfinity
               ? Number(-kInfinity)
               : std::nullopt;
  if (isa<arith::MulFOp>(op))
    return computeProduct(operand(0), operand(1));
  if (isa<arith::DivFOp, arith::NegFOp>(op))
    return operand(0) == 0.0 ? Number(0.0) : std::nullopt;
  return std::nullopt;
}

static std::optional<Comparison> comparisonOf(arith::CmpIOp op) {
  Comparison comparison;
  comparison.isGreater = op.getPredicate() == arith::CmpIPredicate::sgt;
  if (!comparison.isGreater && op.getPredicate() != arith::CmpIPredicate::sle)
    return std::nullopt;
  Value left = op.getLhs();
  APInt constant;
  if (auto sum = left.getDefiningOp<arith::AddIOp>();
      sum && matchPattern(sum.getRhs(), m_ConstantInt(&constant))) {
    left = sum.getLhs();
    comparison.added = constant.getSExtValue();
  }
  auto first = left.getDefiningOp<IndexOp>();
  auto sum = op.getRhs().getDefiningOp<arith::AddIOp>();
  if (!first || !sum)
    return std::nullopt;
  auto second = sum.getRhs().getDefiningOp<IndexOp>();
  auto start = sum.getLhs().getDefiningOp<arith::IndexCastOp>();
  if (!second || !start)
    return std::nullopt;
  comparison.isStreamFirst = first.getLabel() == "m";
  if (first.getLabel() != (comparison.isStreamFirst ? "m" : "n") ||
      second.getLabel() != (comparison.isStreamFirst ? "n" : "m"))
    return std::nullopt;
  comparison.position = start.getIn().getDefiningOp<tensor::ExtractOp>();
  if (!comparison.position || comparison.position.getIndices().size() != 1)
    return std::nullopt;
  return comparison;
}

/// positions[b] of the row; null where it is no scalar of the stream, or that
/// of another dimension.
Value StreamLowering::firstPosition(tensor::ExtractOp position) {
  auto index = position.getIndices().front().getDefiningOp<IndexOp>();
  bool isRow = index && index.getLabel() == "b";
  if (auto argument = dyn_cast<BlockArgument>(position.getTensor());
      argument && isRow && argument.getOwner() == &stream.getBody().front()) {
    Value loaded = memref::LoadOp::create(
        b, loc, stream.getInputs()[argument.getArgNumber()], ranges['b'].begin);
    return arith::IndexCastOp::create(b, loc, b.getIndexType(), loaded);
  }
  auto constants = position.getTensor().getDefiningOp<arith::ConstantOp>();
  auto values = constants ? dyn_cast<DenseIntElementsAttr>(constants.getValue())
                          : DenseIntElementsAttr();
  if (!values || !values.isSplat())
    return {};
  return constant(values.getSplatValue<APInt>().getSExtValue());
}

/// Keys that some query of the block can see: what maps select by a comparison
/// of m with something monotone in n and free of m. Outside lie only keys that
/// change nothing. In a stream over queries m is the query and n the key.
std::pair<Value, Value> StreamLowering::keyBounds() {
  implied.clear();
  Value lower = constant(0), upper = asValue(*sizeOfLabel('m'));
  auto add = [&](Value x, Value y) -> Value {
    return arith::AddIOp::create(b, loc, x, y);
  };
  auto subtract = [&](Value x, Value y) -> Value {
    return arith::SubIOp::create(b, loc, x, y);
  };
  stream.getBody().walk([&](arith::SelectOp select) {
    if (!HiddenKeys(select).changeNothing(stream))
      return;
    SmallVector<Value> conditions = {select.getCondition()};
    while (!conditions.empty()) {
      Value condition = conditions.pop_back_val();
      if (auto both = condition.getDefiningOp<arith::AndIOp>()) {
        conditions.append({both.getLhs(), both.getRhs()});
        continue;
      }
      auto op = condition.getDefiningOp<arith::CmpIOp>();
      std::optional<Comparison> comparison;
      if (op)
        comparison = comparisonOf(op);
      Value position;
      if (comparison)
        position = firstPosition(comparison->position);
      if (!position)
        continue;
      bool isUpper = comparison->isStreamFirst != comparison->isGreater;
      // A single query sees the keys within its bounds, all of them; not where
      // the first is that of a block on a page.
      if (getConstantIntValue(ranges['n'].size) == 1 &&
          (isUpper || !stream.getPages()))
        implied.insert(op);
      // m + added <= position + n or the opposite; n + added > position + m or
      // the opposite. The bound is that of the block's last n, or its first.
      Value added = constant(comparison->added);
      Value n = ranges['n'].begin;
      if (isUpper)
        n = add(n, subtract(asValue(ranges['n'].size), constant(1)));
      Value limit = comparison->isStreamFirst
                        ? subtract(add(position, n), added)
                        : subtract(add(n, added), position);
      // An end is beyond the last key; `>` begins behind the limit.
      if (comparison->isStreamFirst)
        limit = add(limit, constant(1));
      if (isUpper)
        upper = arith::MinSIOp::create(b, loc, upper, limit);
      else
        lower = arith::MaxSIOp::create(b, loc, lower, limit);
    }
  });
  if (stream.getPages()) {
    // `lower` is not negative.
    Value block = constant(stream.getBlock());
    Value within = arith::RemUIOp::create(b, loc, lower, block);
    lower = arith::SubIOp::create(b, loc, lower, within);
  }
  return {lower, arith::MaxSIOp::create(b, loc, upper, lower)};
}

/// Whether a condition of a mask holds for every key between the bounds.
bool StreamLowering::alwaysHolds(Operation *condition) const {
  if (auto both = dyn_cast_or_null<arith::AndIOp>(condition))
    return alwaysHolds(both.getLhs().getDefiningOp()) &&
           alwaysHolds(both.getRhs().getDefiningOp());
  return implied.contains(condition);
}
