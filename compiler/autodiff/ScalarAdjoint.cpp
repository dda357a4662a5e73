//===- ScalarAdjoint.cpp - Reverse mode over scalars ----------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Reverse mode over the scalar operations of a pointwise body.
//
//===----------------------------------------------------------------------===//

#include "compiler/autodiff/ScalarAdjoint.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "llvm/ADT/SetVector.h"
#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;

namespace tpa {
namespace {

/// The rules, written at one location.
class Rules {
public:
  Rules(OpBuilder &b, Location loc) : b(b), loc(loc) {}

  /// Cotangents of the operands of `op`, null for those that have none; fails
  /// where there is no rule.
  FailureOr<SmallVector<Value>> of(Operation *op, Value c);

private:
  Value constant(Value like, double value) {
    return arith::ConstantOp::create(b, loc,
                                     b.getFloatAttr(like.getType(), value));
  }
  Value mul(Value x, Value y) { return arith::MulFOp::create(b, loc, x, y); }
  Value div(Value x, Value y) { return arith::DivFOp::create(b, loc, x, y); }
  Value sub(Value x, Value y) { return arith::SubFOp::create(b, loc, x, y); }
  Value neg(Value x) { return arith::NegFOp::create(b, loc, x); }
  Value select(Value condition, Value x, Value y) {
    return arith::SelectOp::create(b, loc, condition, x, y);
  }
  /// c where x is taken, else zero; and the other way round.
  SmallVector<Value> choose(arith::CmpFPredicate predicate, Operation *op,
                            Value c) {
    Value first = arith::CmpFOp::create(b, loc, predicate, op->getOperand(0),
                                        op->getOperand(1));
    Value zero = constant(c, 0.0);
    return {select(first, c, zero), select(first, zero, c)};
  }

  OpBuilder &b;
  Location loc;
};

} // namespace

FailureOr<SmallVector<Value>> Rules::of(Operation *op, Value c) {
  using Result = FailureOr<SmallVector<Value>>;
  auto x = [&](unsigned i = 0) { return op->getOperand(i); };
  Value y = op->getResult(0);
  return llvm::TypeSwitch<Operation *, Result>(op)
      .Case<arith::AddFOp>([&](auto) -> Result {
        return {{c, c}};
      })
      .Case<arith::SubFOp>([&](auto) -> Result {
        return {{c, neg(c)}};
      })
      .Case<arith::MulFOp>([&](auto) -> Result {
        return {{mul(c, x(1)), mul(c, x(0))}};
      })
      .Case<arith::DivFOp>([&](auto) -> Result {
        Value quotient = div(c, x(1));
        return {{quotient, neg(mul(quotient, y))}};
      })
      .Case<arith::NegFOp>([&](auto) -> Result { return {{neg(c)}}; })
      .Case<arith::MaximumFOp, arith::MaxNumFOp>([&](auto) -> Result {
        return choose(arith::CmpFPredicate::OGE, op, c);
      })
      .Case<arith::MinimumFOp, arith::MinNumFOp>([&](auto) -> Result {
        return choose(arith::CmpFPredicate::OLE, op, c);
      })
      .Case<arith::SelectOp>([&](auto) -> Result {
        Value zero = constant(c, 0.0);
        return {{Value(), select(x(0), c, zero), select(x(0), zero, c)}};
      })
      .Case<math::ExpOp>([&](auto) -> Result { return {{mul(c, y)}}; })
      .Case<math::LogOp>([&](auto) -> Result { return {{div(c, x())}}; })
      .Case<math::TanhOp>([&](auto) -> Result {
        return {{mul(c, sub(constant(c, 1.0), mul(y, y)))}};
      })
      .Case<math::SqrtOp>(
          [&](auto) -> Result { return {{div(mul(c, constant(c, 0.5)), y)}}; })
      .Case<math::RsqrtOp>([&](auto) -> Result {
        return {{mul(mul(c, constant(c, -0.5)), mul(y, mul(y, y)))}};
      })
      .Default([&](Operation *) -> Result { return failure(); });
}

FailureOr<Value> scalarAdjoint(OpBuilder &builder, Location loc, Value value,
                               Value argument, Value cotangent) {
  // What lies between, users after producers.
  llvm::SetVector<Value> dependent;
  dependent.insert(argument);
  SmallVector<Operation *> path;
  for (Operation &op : *builder.getInsertionBlock()) {
    if (op.getNumResults() != 1 ||
        llvm::none_of(op.getOperands(),
                      [&](Value x) { return dependent.contains(x); }))
      continue;
    dependent.insert(op.getResult(0));
    path.push_back(&op);
  }
  llvm::DenseMap<Value, Value> cotangents;
  cotangents[value] = cotangent;
  Rules rules(builder, loc);
  for (Operation *op : llvm::reverse(path)) {
    Value known = cotangents.lookup(op->getResult(0));
    if (!known)
      continue;
    FailureOr<SmallVector<Value>> shares = rules.of(op, known);
    if (failed(shares))
      return op->emitOpError("has no derivative here: none is known for it");
    for (auto [operand, share] : llvm::zip_equal(op->getOperands(), *shares)) {
      if (!share || !dependent.contains(operand))
        continue;
      Value &sum = cotangents[operand];
      sum =
          sum ? Value(arith::AddFOp::create(builder, loc, sum, share)) : share;
    }
  }
  if (Value result = cotangents.lookup(argument))
    return result;
  return Value(arith::ConstantOp::create(
      builder, loc, builder.getFloatAttr(argument.getType(), 0.0)));
}

} // namespace tpa
