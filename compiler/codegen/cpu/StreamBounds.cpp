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
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/Matchers.h"

using namespace mlir;
using namespace tpa;
using namespace tpa::cpu;

/// The first operand of a comparison `index m <predicate> limit`, with the
/// constant that is added to m; null where it is something else.
static Value limitOf(arith::CmpIOp op, arith::CmpIPredicate predicate,
                     int64_t &added) {
  if (op.getPredicate() != predicate)
    return {};
  Value key = op.getLhs();
  added = 0;
  APInt constant;
  if (auto sum = key.getDefiningOp<arith::AddIOp>();
      sum && matchPattern(sum.getRhs(), m_ConstantInt(&constant))) {
    key = sum.getLhs();
    added = constant.getSExtValue();
  }
  auto index = key.getDefiningOp<IndexOp>();
  return index && index.getLabel() == "m" ? op.getRhs() : Value();
}

/// Whether einsums alone lie between a value and the end of the body: where it
/// is zero, nothing is added.
static bool isLinearToYield(Value value) {
  return llvm::all_of(value.getUsers(), [](Operation *user) {
    return isa<YieldOp>(user) ||
           (isa<EinsumOp>(user) && isLinearToYield(user->getResult(0)));
  });
}

/// Whether the keys that a selection replaces weigh nothing: it is a map's last
/// word, and gives -inf to the softmax, or zero to what is summed.
static bool hidesKeys(arith::SelectOp select) {
  auto map = select->getParentOfType<MapOp>();
  auto isYielded = [&](Operation *user) {
    return isa<YieldOp>(user) && user->getParentOp() == map;
  };
  APFloat hidden(0.0f);
  if (!map || !llvm::all_of(select->getUsers(), isYielded) ||
      !matchPattern(select.getFalseValue(), m_ConstantFloat(&hidden)))
    return false;
  if (hidden.isZero())
    return isLinearToYield(map.getResult());
  return hidden.isInfinity() && hidden.isNegative() &&
         llvm::all_of(map->getUsers(), llvm::IsaPred<OnlineSoftmaxOp>);
}

/// Keys that some query of the block can see: what maps select by a comparison
/// of m with something monotone in n and free of m. Outside lie only scores
/// that weigh nothing.
std::pair<Value, Value> StreamLowering::keyBounds() {
  implied.clear();
  Value lower = constant(0), upper = asValue(*sizeOfLabel('m'));
  stream.getBody().walk([&](arith::SelectOp select) {
    SmallVector<Value> conditions = {select.getCondition()};
    if (!hidesKeys(select))
      return;
    while (!conditions.empty()) {
      Value condition = conditions.pop_back_val();
      if (auto both = condition.getDefiningOp<arith::AndIOp>()) {
        conditions.append({both.getLhs(), both.getRhs()});
        continue;
      }
      auto comparison = condition.getDefiningOp<arith::CmpIOp>();
      if (!comparison)
        continue;
      int64_t added = 0;
      bool isUpper = true;
      Value limit = limitOf(comparison, arith::CmpIPredicate::sle, added);
      if (!limit) {
        isUpper = false;
        limit = limitOf(comparison, arith::CmpIPredicate::sgt, added);
      }
      // positions[b] + n
      auto sum = limit ? limit.getDefiningOp<arith::AddIOp>() : arith::AddIOp();
      auto query = sum ? sum.getRhs().getDefiningOp<IndexOp>() : IndexOp();
      auto start = sum ? sum.getLhs().getDefiningOp<arith::IndexCastOp>()
                       : arith::IndexCastOp();
      auto position = start ? start.getIn().getDefiningOp<tensor::ExtractOp>()
                            : tensor::ExtractOp();
      if (!query || query.getLabel() != "n" || !position ||
          position.getIndices().size() != 1)
        continue;
      Value first;
      if (auto argument = dyn_cast<BlockArgument>(position.getTensor());
          argument && argument.getOwner() == &stream.getBody().front()) {
        Value loaded = memref::LoadOp::create(
            b, loc, stream.getInputs()[argument.getArgNumber()],
            ranges['b'].begin);
        first = arith::IndexCastOp::create(b, loc, b.getIndexType(), loaded);
      } else if (auto constants =
                     position.getTensor().getDefiningOp<arith::ConstantOp>()) {
        auto values = dyn_cast<DenseIntElementsAttr>(constants.getValue());
        if (!values || !values.isSplat())
          continue;
        first = constant(values.getSplatValue<APInt>().getSExtValue());
      } else {
        continue;
      }
      first = arith::AddIOp::create(b, loc, first, ranges['n'].begin);
      // A single query sees the keys within its bounds, all of them; not where
      // the first is that of a block on a page.
      if (getConstantIntValue(ranges['n'].size) == 1 &&
          (isUpper || !stream.getPages()))
        implied.insert(comparison);
      if (isUpper) {
        Value end =
            arith::AddIOp::create(b, loc, first, asValue(ranges['n'].size));
        end = arith::SubIOp::create(b, loc, end, constant(added));
        upper = arith::MinSIOp::create(b, loc, upper, end);
      } else {
        // m + added > first, at the block's first query.
        Value begin = arith::SubIOp::create(b, loc, first, constant(added - 1));
        lower = arith::MaxSIOp::create(b, loc, lower, begin);
      }
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
