//===- EntryState.cpp - Linear attention by its state ---------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Entries whose attention reads the sum of all earlier tokens instead of a
// cache of them.
//
//===----------------------------------------------------------------------===//

#include "compiler/model/EntryBuilder.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/Remarks.h"

using namespace mlir;

namespace tpa {

/// Bytes of a cached token in one layer.
static int64_t cachedBytes(ArrayRef<std::pair<Value, std::string>> factors,
                           Type element) {
  int64_t bytes = 0;
  for (Value factor : llvm::make_first_range(factors)) {
    auto type = cast<RankedTensorType>(factor.getType());
    int64_t numbers = 1;
    for (int64_t size : type.getShape().drop_front(2))
      numbers *= size;
    bytes += numbers * element.getIntOrFloatBitWidth() / 8;
  }
  return bytes;
}

/// Both forms in bytes, and what would give the other.
static void remarkOnForm(AttentionOp op, bool isState, double stateBytes,
                         int64_t tokenBytes, double crossover,
                         StringRef whyPinned, bool dropsPages) {
  auto whole = [](double number) {
    return int64_t(std::ceil(std::min(number, 0x1p62)));
  };
  auto options = remark::RemarkOpts::name("linear-state").category("tpa");
  remark::detail::InFlightRemark remark =
      isState ? remark::passed(op.getLoc(), options)
              : remark::analysis(op.getLoc(), options);
  remark << remark::metric("form", isState ? "state" : "cache")
         << remark::metric("stateBytes", whole(stateBytes))
         << remark::metric("cacheBytesPerToken", tokenBytes)
         << remark::metric("crossoverTokens", whole(crossover));
  if (!whyPinned.empty())
    remark << remark::reason("{0}", whyPinned);
  if (dropsPages)
    remark << remark::metric("pages", "none, as there is no cache");
  remark << remark::suggest("use linear-state={0} for the other form",
                            isState ? "off" : "on");
}

LogicalResult EntryBuilder::chooseState(AttentionOp op) {
  bool isAsked = options.linearState == LinearStateChoice::On;
  StateObstacle obstacle = stateObstacle(op);
  if (!obstacle.reason.empty()) {
    if (isAsked)
      return op.emitOpError("has no state of constant size: ")
             << obstacle.reason;
    if (op.getNormalizer() == Normalizer::None)
      remark::missed(op.getLoc(),
                     remark::RemarkOpts::name("linear-state").category("tpa"))
          << remark::reason("{0}", obstacle.reason)
          << remark::suggest("{0}", obstacle.suggestion);
    return success();
  }
  if (op.getPerSqrt())
    return op.emitOpError("has a scale that depends on a named size: run "
                          "t6-instantiate-model first");
  LinearState found = deriveState(op);
  double stateBytes = found.numbers() * sizeof(float);
  int64_t tokenBytes = cachedBytes(streamedFactors(op), weightType);
  // A step reads a state to add to it, writes it, and reads it for the query.
  constexpr double passes = 3;
  double crossover = passes * stateBytes / double(tokenBytes);
  StringRef whyPinned;
  bool isState = crossover < double(options.maxLength) / 2;
  if (options.linearState != LinearStateChoice::Auto) {
    isState = isAsked;
    whyPinned = "the form is pinned by linear-state";
  } else if (op.getPinCache()) {
    isState = false;
    whyPinned = "the cache is pinned";
  }
  remarkOnForm(op, isState, stateBytes, tokenBytes, crossover, whyPinned,
               isState && options.pageTokens > 0 &&
                   options.maxLength > options.pageTokens);
  if (isState)
    state = std::move(found);
  return success();
}

void EntryBuilder::declareStates() {
  Type f32 = Float32Type::get(model.getContext());
  for (const StateTerm &term : state->terms)
    cacheTypes.push_back(RankedTensorType::get(term.shape, f32));
  cached.resize(cacheTypes.size());
  declareBuffer(
      exec::BufferKind::State, heldName,
      RankedTensorType::get({batch}, IntegerType::get(model.getContext(), 32)))
      .setRecurrent(true);
}

Value EntryBuilder::heldTokens(OpBuilder &builder, Value positions) {
  Value held = load(builder, heldName);
  Value ahead = arith::SubIOp::create(builder, loc, held, positions);
  // A row that begins anew has none of what its states hold.
  return arith::MinSIOp::create(builder, loc, ahead, positions);
}

void EntryBuilder::storeHeld(OpBuilder &builder, Value positions, Value last) {
  auto type = cast<RankedTensorType>(positions.getType());
  Value one = arith::ConstantOp::create(
      builder, loc, DenseElementsAttr::get(type, builder.getI32IntegerAttr(1)));
  Value end = arith::AddIOp::create(builder, loc, positions, one);
  if (last)
    end = arith::AddIOp::create(builder, loc, end, last);
  exec::StoreOp::create(builder, loc, end, heldName);
}

/// per_row[b] as an index, inside a map.
static Value ofRow(OpBuilder &b, Location loc, Value perRow) {
  Value value = tensor::ExtractOp::create(
      b, loc, perRow, ValueRange(IndexOp::create(b, loc, "b")));
  return arith::IndexCastOp::create(b, loc, b.getIndexType(), value);
}

/// `factor`, of the term `term`, without the tokens that the states hold, and
/// padding.
static Value maskTokens(OpBuilder &builder, Location loc, Value factor,
                        std::string term, Value held, Value last) {
  std::replace(term.begin(), term.end(), AttentionOp::streamLabel, 'n');
  return MapOp::create(
      builder, loc, Equation{{term}, term}, factor,
      [&](OpBuilder &b, ValueRange in) -> Value {
        Value n = IndexOp::create(b, loc, "n");
        Value isNew = arith::CmpIOp::create(b, loc, arith::CmpIPredicate::sge,
                                            n, ofRow(b, loc, held));
        if (last)
          isNew = arith::AndIOp::create(
              b, loc, isNew,
              arith::CmpIOp::create(b, loc, arith::CmpIPredicate::sle, n,
                                    ofRow(b, loc, last)));
        Value zero = arith::ConstantOp::create(
            b, loc, b.getFloatAttr(in[0].getType(), 0.0));
        return arith::SelectOp::create(b, loc, isNew, in[0], zero);
      });
}

SmallVector<Value> EntryBuilder::sumTokens(OpBuilder &builder, AttentionOp op,
                                           const IRMapping &map, Value masked) {
  SmallVector<Value> sums;
  for (const StateTerm &term : state->terms) {
    SmallVector<Value> operands;
    for (unsigned operand : term.updateOperands)
      operands.push_back(map.lookup(op->getOperand(operand)));
    operands[term.valueOperand] = masked;
    sums.push_back(EinsumOp::create(builder, op.getLoc(), term.update.str(),
                                    operands, APFloat(1.0)));
  }
  return sums;
}

Value EntryBuilder::readStates(OpBuilder &builder, AttentionOp op,
                               const IRMapping &map, ValueRange states) {
  Value sum;
  for (auto [term, value] : llvm::zip_equal(state->terms, states)) {
    SmallVector<Value> operands;
    for (unsigned operand : term.readOperands)
      operands.push_back(map.lookup(op->getOperand(operand)));
    operands.push_back(value);
    Value part = EinsumOp::create(builder, op.getLoc(), term.read.str(),
                                  operands, op.getScale());
    sum = sum ? arith::AddFOp::create(builder, op.getLoc(), sum, part) : part;
  }
  return sum;
}

/// `own`, and behind the row's first run what the states say.
static Value addEarlier(OpBuilder &builder, AttentionOp op, Value own,
                        Value earlier, Value positions) {
  Location loc = op.getLoc();
  std::string labels = Equation::parseVerified(op.getValue()).output;
  return MapOp::create(
      builder, loc, Equation{{labels, labels}, labels}, {own, earlier},
      [&](OpBuilder &b, ValueRange in) -> Value {
        Value sum = arith::AddFOp::create(b, loc, in[0], in[1]);
        Value isFirst = arith::CmpIOp::create(
            b, loc, arith::CmpIPredicate::eq, ofRow(b, loc, positions),
            arith::ConstantIndexOp::create(b, loc, 0));
        return arith::SelectOp::create(b, loc, isFirst, in[0], sum);
      });
}

Value EntryBuilder::attendByState(OpBuilder &builder, StringRef entry,
                                  func::FuncOp block, AttentionOp op,
                                  const IRMapping &map) {
  unsigned place = scalarsOf(entry).size();
  Value positions = block.getArgument(place);
  Value held = block.getArgument(xIndex(entry) - 1);
  Value last =
      entry == "prefill" ? Value(block.getArgument(place + 1)) : Value();
  unsigned factor = state->valueFactor;
  Equation value = Equation::parseVerified(op.getValue());
  Value masked =
      maskTokens(builder, op.getLoc(), map.lookup(op.getValueFactors()[factor]),
                 value.terms[1 + factor], held, last);
  SmallVector<Value> states;
  for (unsigned i = 0; i < state->terms.size(); ++i)
    states.push_back(block.getArgument(xIndex(entry) + 1 + i));
  SmallVector<Value> sums;
  if (entry != "verify")
    sums = sumTokens(builder, op, map, masked);
  if (entry == "decode") {
    // The token is in the states before they are read.
    for (auto [value, sum] : llvm::zip_equal(states, sums))
      value =
          t6::AccumulateOp::create(builder, op.getLoc(), value, sum, positions);
    cached.assign(states);
    return readStates(builder, op, map, states);
  }
  Value earlier = readStates(builder, op, map, states);
  Value zeros = arith::ConstantOp::create(
      builder, loc,
      DenseElementsAttr::get(cast<ShapedType>(positions.getType()),
                             builder.getI32IntegerAttr(0)));
  IRMapping ofRun = map;
  auto own = cast<AttentionOp>(builder.clone(*op, ofRun));
  own.getValueFactorsMutable()[factor].assign(masked);
  own.getPositionsMutable().assign(zeros);
  if (entry == "verify")
    own.getAncestorsMutable().assign(block.getArgument(place + 2));
  cached.assign(states);
  for (auto [value, sum] : llvm::zip(states, sums))
    additions.emplace_back(value, sum);
  return addEarlier(builder, op, own, earlier, positions);
}

} // namespace tpa
