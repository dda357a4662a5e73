//===- FunctionGradient.cpp - The reverse of a function -------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Makes one function of the forward pass and its reverse, then cuts it in two.
//
//===----------------------------------------------------------------------===//

#include "compiler/autodiff/FunctionGradient.h"
#include "compiler/autodiff/DifferentiableOpInterface.h"
#include "compiler/autodiff/ForwardCost.h"
#include "compiler/autodiff/PointwiseAdjoint.h"
#include "dialects/exec/ExecDialect.h"
#include "dialects/t6/T6Dialect.h"
#include "dialects/tpa/TpaDialect.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/IRMapping.h"
#include "mlir/Interfaces/SideEffectInterfaces.h"
#include "mlir/Transforms/RegionUtils.h"

using namespace mlir;

namespace tpa {
namespace {

/// Both passes in one block.
class JointFunction {
public:
  JointFunction(func::FuncOp function, ArrayRef<ArgumentRole> roles)
      : function(function), roles(roles), joint(function.clone()) {}

  /// Builds the reverse.
  LogicalResult reverse();
  /// Cuts.
  FunctionGradient split();

private:
  Block &block() { return joint->front(); }
  func::ReturnOp terminator() {
    return cast<func::ReturnOp>(block().getTerminator());
  }
  void weighByLogSumExp();
  bool isReverse(Operation *op) { return reversed.contains(op); }
  bool isSaved(Value value);
  void need(Value value);
  void needOperandsOf(Operation *op);
  std::string freshName(StringRef suffix);
  func::FuncOp addFunction(StringRef suffix, ArrayRef<unsigned> arguments,
                           TypeRange others, IRMapping &map);
  func::FuncOp buildForward();
  func::FuncOp buildBackward();

  func::FuncOp function;
  ArrayRef<ArgumentRole> roles;
  OwningOpRef<func::FuncOp> joint;
  SmallVector<Value> results;             ///< of the function
  SmallVector<Value> seeds, oldGradients; ///< added arguments
  SmallVector<Value> reverseResults;      ///< cotangents, then gradients
  llvm::DenseSet<Operation *> reversed;   ///< what depends on a seed
  llvm::SetVector<Value> saved;
  llvm::DenseSet<Operation *> recomputed;
  llvm::DenseSet<Value> neededArguments;
};

} // namespace

LogicalResult JointFunction::reverse() {
  Location loc = function.getLoc();
  llvm::append_range(results, terminator().getOperands());
  SmallVector<Operation *> forward;
  for (Operation &op : block().without_terminator())
    forward.push_back(&op);
  OpBuilder builder(terminator());
  AdjointBuilder adjoint(builder);
  // Arguments that are added move those that were there.
  SmallVector<Value> arguments(block().getArguments());
  for (Value result : results)
    seeds.push_back(block().addArgument(result.getType(), loc));
  for (auto [argument, role] : llvm::zip_equal(arguments, roles)) {
    if (role == ArgumentRole::Cotangent)
      adjoint.activate(argument);
    if (role != ArgumentRole::Gradient)
      continue;
    auto type = cast<RankedTensorType>(argument.getType());
    oldGradients.push_back(block().addArgument(
        RankedTensorType::get(type.getShape(), builder.getF32Type()), loc));
    adjoint.activate(argument, oldGradients.back());
  }
  adjoint.findActive(block());
  for (auto [result, seed] : llvm::zip_equal(results, seeds))
    adjoint.add(result, seed);
  for (Operation *op : llvm::reverse(forward))
    if (failed(adjoint.reverse(op)))
      return failure();
  auto collect = [&](ArgumentRole wanted, auto valueOf) {
    for (auto [argument, role] : llvm::zip_equal(arguments, roles)) {
      if (role != wanted)
        continue;
      Value value = valueOf(argument);
      if (!value)
        value = arith::ConstantOp::create(
            builder, loc,
            cast<TypedAttr>(builder.getZeroAttr(argument.getType())));
      reverseResults.push_back(value);
    }
  };
  collect(ArgumentRole::Cotangent,
          [&](Value value) { return adjoint.cotangentOf(value); });
  collect(ArgumentRole::Gradient,
          [&](Value value) { return adjoint.gradientOf(value); });

  llvm::DenseSet<Value> dependent(seeds.begin(), seeds.end());
  dependent.insert(oldGradients.begin(), oldGradients.end());
  for (Operation &op : block().without_terminator()) {
    if (llvm::none_of(op.getOperands(),
                      [&](Value value) { return dependent.contains(value); }))
      continue;
    reversed.insert(&op);
    dependent.insert(op.getResults().begin(), op.getResults().end());
  }
  weighByLogSumExp();
  return success();
}

/// In the reverse, weights come from scores and the logarithm of their sum, so
/// that a block of them needs no other.
void JointFunction::weighByLogSumExp() {
  for (auto op : llvm::make_early_inc_range(block().getOps<SoftmaxOp>())) {
    if (!isQuadratic(op.getResult()) ||
        llvm::none_of(op->getUsers(),
                      [&](Operation *user) { return isReverse(user); }))
      continue;
    OpBuilder b(op->getNextNode());
    Location loc = op.getLoc();
    Value logSumExp = LogSumExpOp::create(b, loc, op.getX(), op.getSinks(),
                                          op.getAlongAttr());
    std::string all = lettersOf(cast<RankedTensorType>(op.getType()).getRank());
    std::string row = StringRef(all).drop_back().str();
    Value weights =
        MapOp::create(b, loc, Equation{{all, row}, all}, {op.getX(), logSumExp},
                      [&](OpBuilder &b, ValueRange in) -> Value {
                        auto constant = [&](double value) -> Value {
                          return arith::ConstantOp::create(
                              b, loc, b.getFloatAttr(in[0].getType(), value));
                        };
                        Value shifted =
                            arith::SubFOp::create(b, loc, in[0], in[1]);
                        Value weight = math::ExpOp::create(b, loc, shifted);
                        // A row without keys weighs nothing.
                        Value isEmpty = arith::CmpFOp::create(
                            b, loc, arith::CmpFPredicate::OEQ, in[1],
                            constant(-std::numeric_limits<double>::infinity()));
                        return arith::SelectOp::create(b, loc, isEmpty,
                                                       constant(0.0), weight);
                      });
    op.getResult().replaceUsesWithIf(
        weights, [&](OpOperand &use) { return isReverse(use.getOwner()); });
  }
}

bool JointFunction::isSaved(Value value) {
  // A part of a tensor is no memory of its own: the whole is saved.
  if (isQuadratic(value) || value.getDefiningOp<t6::SplitOp>())
    return false;
  // What only rounds an argument would be a second copy of all parameters.
  if (auto rounded = value.getDefiningOp<arith::TruncFOp>();
      rounded && isa<BlockArgument>(rounded.getIn()))
    return false;
  // What the reverse begins a sum with is no value of the forward pass.
  auto generic = value.getDefiningOp<linalg::GenericOp>();
  if (value.getDefiningOp<tensor::EmptyOp>() ||
      (generic && generic.getInputs().empty()))
    return false;
  return true;
}

void JointFunction::need(Value value) {
  Operation *op = value.getDefiningOp();
  if (!op) {
    neededArguments.insert(value);
    return;
  }
  if (isReverse(op) || saved.contains(value) || recomputed.contains(op))
    return;
  if (!op->hasTrait<OpTrait::ConstantLike>() && isSaved(value)) {
    saved.insert(value);
    return;
  }
  recomputed.insert(op);
  needOperandsOf(op);
}

void JointFunction::needOperandsOf(Operation *op) {
  llvm::SetVector<Value> used(op->operand_begin(), op->operand_end());
  getUsedValuesDefinedAbove(op->getRegions(), used);
  for (Value value : used)
    need(value);
}

/// The function's name with a suffix, and a number where calls differ in what
/// they differentiate.
std::string JointFunction::freshName(StringRef suffix) {
  StringRef name = function.getName();
  StringRef last = name.consume_back(".block") ? ".block" : "";
  auto module = function->getParentOfType<ModuleOp>();
  std::string fresh = (name + suffix + last).str();
  for (unsigned i = 1; module.lookupSymbol(fresh); ++i)
    fresh = (name + suffix + "." + Twine(i) + last).str();
  return fresh;
}

/// A private function of some of the joint one's arguments, then others.
func::FuncOp JointFunction::addFunction(StringRef suffix,
                                        ArrayRef<unsigned> arguments,
                                        TypeRange others, IRMapping &map) {
  OpBuilder builder(function);
  SmallVector<Type> types;
  for (unsigned i : arguments)
    types.push_back(block().getArgument(i).getType());
  llvm::append_range(types, others);
  auto added =
      func::FuncOp::create(builder, function.getLoc(), freshName(suffix),
                           builder.getFunctionType(types, {}));
  added.setPrivate();
  Block *body = added.addEntryBlock();
  for (auto [i, argument] : llvm::enumerate(arguments)) {
    map.map(block().getArgument(argument), body->getArgument(i));
    if (DictionaryAttr attributes = function.getArgAttrDict(argument))
      cast<FunctionOpInterface>(added.getOperation())
          .setArgAttrs(i, attributes);
  }
  return added;
}

static void finish(func::FuncOp function, ValueRange results) {
  OpBuilder builder = OpBuilder::atBlockEnd(&function.front());
  func::ReturnOp::create(builder, function.getLoc(), results);
  function.setFunctionType(builder.getFunctionType(
      function.getFunctionType().getInputs(), results.getTypes()));
}

func::FuncOp JointFunction::buildForward() {
  IRMapping map;
  auto all = llvm::to_vector(llvm::seq<unsigned>(0, roles.size()));
  func::FuncOp forward = addFunction(".forward", all, {}, map);
  OpBuilder builder = OpBuilder::atBlockEnd(&forward.front());
  for (Operation &op : block().without_terminator())
    if (!isReverse(&op))
      builder.clone(op, map);
  SmallVector<Value> returned;
  for (Value result : results)
    returned.push_back(map.lookup(result));
  for (Value value : saved)
    returned.push_back(map.lookup(value));
  finish(forward, returned);
  for (auto [i, result] : llvm::enumerate(results))
    if (DictionaryAttr attributes = function.getResultAttrDict(i))
      cast<FunctionOpInterface>(forward.getOperation())
          .setResultAttrs(i, attributes);
  return forward;
}

func::FuncOp JointFunction::buildBackward() {
  IRMapping map;
  SmallVector<unsigned> arguments;
  for (unsigned i = 0; i < roles.size(); ++i)
    if (neededArguments.contains(block().getArgument(i)))
      arguments.push_back(i);
  SmallVector<Value> others(saved.begin(), saved.end());
  llvm::append_range(others, seeds);
  llvm::append_range(others, oldGradients);
  func::FuncOp backward =
      addFunction(".backward", arguments, TypeRange(ValueRange(others)), map);
  Block &body = backward.front();
  for (auto [value, argument] : llvm::zip_equal(
           others, body.getArguments().drop_front(arguments.size())))
    map.map(value, argument);
  OpBuilder builder = OpBuilder::atBlockEnd(&body);
  for (Operation &op : block().without_terminator())
    if (isReverse(&op) || recomputed.contains(&op))
      builder.clone(op, map);
  SmallVector<Value> returned;
  for (Value result : reverseResults)
    returned.push_back(map.lookup(result));
  finish(backward, returned);
  return backward;
}

FunctionGradient JointFunction::split() {
  for (Operation *op : reversed)
    needOperandsOf(op);
  for (Value result : reverseResults)
    need(result);
  // In the order of the block, whatever that of the set.
  llvm::SetVector<Value> ordered;
  for (Operation &op : block())
    for (Value result : op.getResults())
      if (saved.contains(result))
        ordered.insert(result);
  saved = std::move(ordered);
  FunctionGradient gradient;
  gradient.forward = buildForward();
  gradient.backward = buildBackward();
  for (unsigned i = 0; i < roles.size(); ++i)
    if (neededArguments.contains(block().getArgument(i)))
      gradient.arguments.push_back(i);
  gradient.numSaved = saved.size();
  return gradient;
}

FailureOr<FunctionGradient> differentiate(func::FuncOp function,
                                          ArrayRef<ArgumentRole> roles) {
  JointFunction joint(function, roles);
  if (failed(joint.reverse()))
    return failure();
  return joint.split();
}

} // namespace tpa
