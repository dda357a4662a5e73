//===- AxisFlow.cpp - Tokens through a function ---------------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Follows tokens and batch rows through an attention function.
//
//===----------------------------------------------------------------------===//

#include "compiler/model/AxisFlow.h"
#include "dialects/t6/T6Dialect.h"
#include "dialects/tpa/Equation.h"
#include "dialects/tpa/TpaDialect.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/Transforms/RegionUtils.h"
#include "llvm/ADT/SetVector.h"

using namespace mlir;

namespace tpa {
namespace {

/// A dimension of the hidden state that must pass through the function.
struct Axis {
  StringRef name; ///< of its elements
  int64_t dim;    ///< of the hidden state, given and returned
  /// Labels that it may have in equations of the attention, the result's first.
  StringRef labels;
};

constexpr StringLiteral onlyAttention =
    ": only tpa.attention may, and tpa.recent those just before, for tokens "
    "come in parts and what is cached of one is computed when it comes";
constexpr StringLiteral rowsApart = ": rows are sequences of their own";

class AxisFlow {
public:
  AxisFlow(func::FuncOp function, Axis axis) : function(function), axis(axis) {
    dims[function.getArgument(0)] = axis.dim;
    if (axis.dim == 0)
      dims[function.getArgument(1)] = 0;
  }

  LogicalResult run() {
    for (Operation &op : function.front())
      if (failed(visit(&op)))
        return failure();
    return success();
  }

private:
  /// Where a value has the axis; none if it does not depend on it.
  std::optional<int64_t> dimOf(Value value) const {
    auto known = dims.find(value);
    return known == dims.end() ? std::nullopt
                               : std::optional<int64_t>(known->second);
  }
  bool isTokens() const { return axis.dim == 1; }

  LogicalResult mixes(Operation *op, const Twine &how);
  LogicalResult visit(Operation *op);
  LogicalResult visitEquation(Operation *op, ArrayRef<std::string> terms,
                              ArrayRef<std::string> outputs);
  LogicalResult visitEquation(Operation *op, StringRef text) {
    Equation equation = Equation::parseVerified(text);
    return visitEquation(op, equation.terms, {equation.output});
  }
  LogicalResult visitPointwise(Operation *op);
  LogicalResult visitAlong(Operation *op, int64_t along);
  LogicalResult visitMap(MapOp op);
  LogicalResult visitRope(RopeOp op);
  LogicalResult visitRecent(RecentOp op);
  LogicalResult visitAttention(AttentionOp op);
  LogicalResult visitReturn(Operation *op);

  func::FuncOp function;
  Axis axis;
  llvm::DenseMap<Value, int64_t> dims;
};

/// The attention that reads what `op` computes, or null.
AttentionOp reader(Operation *op) {
  SmallVector<Operation *> work = {op};
  llvm::SmallPtrSet<Operation *, 16> visited;
  while (!work.empty())
    for (Operation *user : work.pop_back_val()->getUsers()) {
      if (auto attention = dyn_cast<AttentionOp>(user))
        return attention;
      if (visited.insert(user).second)
        work.push_back(user);
    }
  return {};
}

} // namespace

LogicalResult AxisFlow::mixes(Operation *op, const Twine &how) {
  InFlightDiagnostic error = op->emitOpError()
                             << how << (isTokens() ? onlyAttention : rowsApart);
  if (AttentionOp attention = reader(op); attention && isTokens())
    error.attachNote(attention.getLoc())
        << "a factor of this attention depends on it";
  return error;
}

LogicalResult AxisFlow::visitEquation(Operation *op,
                                      ArrayRef<std::string> terms,
                                      ArrayRef<std::string> outputs) {
  char label = 0;
  for (auto [term, operand] : llvm::zip_equal(terms, op->getOperands())) {
    std::optional<int64_t> dim = dimOf(operand);
    if (!dim)
      continue;
    char here = term[*dim];
    if (label && here != label)
      return mixes(op, "pairs " + axis.name + ", under the labels " +
                           Twine(label) + " and " + Twine(here));
    label = here;
  }
  if (!label)
    return success();
  for (auto [term, operand] : llvm::zip_equal(terms, op->getOperands()))
    if (!dimOf(operand) && StringRef(term).contains(label))
      return op->emitOpError("reads the ")
             << axis.name << ", label " << Twine(label)
             << ", beside an operand \"" << term
             << "\" that is the same for any " << axis.name
             << " and has no size of theirs";
  for (auto [output, result] : llvm::zip_equal(outputs, op->getResults())) {
    size_t at = output.find(label);
    if (at == std::string::npos)
      return mixes(op, "sums over " + axis.name + ", under the label " +
                           Twine(label));
    dims[result] = at;
  }
  return success();
}

/// Operands and results are of one shape.
LogicalResult AxisFlow::visitPointwise(Operation *op) {
  std::optional<int64_t> dim;
  for (Value operand : op->getOperands())
    if (std::optional<int64_t> here = dimOf(operand)) {
      if (dim && here != dim)
        return mixes(op, "pairs " + axis.name + ", in dimensions " +
                             Twine(*dim) + " and " + Twine(*here));
      dim = here;
    }
  if (dim)
    for (Value result : op->getResults())
      dims[result] = *dim;
  return success();
}

/// Elements of the first operand are combined along one dimension.
LogicalResult AxisFlow::visitAlong(Operation *op, int64_t along) {
  if (dimOf(op->getOperand(0)) == along)
    return mixes(op,
                 "works along " + axis.name + ", dimension " + Twine(along));
  return visitPointwise(op);
}

LogicalResult AxisFlow::visitMap(MapOp op) {
  if (failed(visitEquation(op, op.getEquation())))
    return failure();
  std::optional<int64_t> dim = dimOf(op.getResult());
  if (!isTokens() || !dim)
    return success();
  char label = Equation::parseVerified(op.getEquation()).output[*dim];
  llvm::SetVector<Value> captured;
  getUsedValuesDefinedAbove(op.getBody(), captured);
  for (Value value : captured)
    if (dimOf(value))
      return mixes(op, "captures tokens");
  Value positions = function.getArgument(1);
  if (captured.contains(positions))
    return success();
  WalkResult walked = op.walk([&](IndexOp index) {
    if (index.getLabel() != StringRef(&label, 1))
      return WalkResult::advance();
    index.emitOpError("asks for the index of a token, which counts from the "
                      "first of a part: add the position of its row, an "
                      "element of ")
        << positions.getType();
    return WalkResult::interrupt();
  });
  return failure(walked.wasInterrupted());
}

LogicalResult AxisFlow::visitRope(RopeOp op) {
  std::optional<int64_t> dim = dimOf(op.getX());
  if (dim && dim != axis.dim)
    return op.emitOpError("rotates along dimensions 0 and 1 as batch rows and "
                          "tokens, but ")
           << axis.name << " are dimension " << *dim << " of x";
  return visitPointwise(op.getOperation());
}

LogicalResult AxisFlow::visitRecent(RecentOp op) {
  std::optional<int64_t> dim = dimOf(op.getX());
  if (dim == axis.dim) {
    dims[op.getResult()] = axis.dim;
    return success();
  }
  InFlightDiagnostic error = op.emitOpError(
      "gathers along dimensions 0 and 1 as batch rows and tokens, but ");
  if (dim)
    return error << axis.name << " are dimension " << *dim << " of x";
  return error << "x does not depend on " << axis.name;
}

LogicalResult AxisFlow::visitAttention(AttentionOp op) {
  SmallVector<std::pair<std::string, Value>> factors;
  auto add = [&](ArrayRef<std::string> terms, ValueRange operands) {
    for (auto [term, operand] : llvm::zip_equal(terms, operands))
      factors.emplace_back(term, operand);
  };
  for (unsigned i = 0; i < op.getScores().size(); ++i) {
    auto [text, operands] = op.scoreTerm(i);
    add(Equation::parseVerified(text).terms, operands);
  }
  Equation value = Equation::parseVerified(op.getValue());
  add(ArrayRef(value.terms).drop_front(), op.getValueFactors());
  for (auto &[term, operand] : factors) {
    std::optional<int64_t> dim = dimOf(operand);
    for (auto [i, label] : llvm::enumerate(term)) {
      bool isAxis = dim == int64_t(i);
      if (isAxis == axis.labels.contains(label))
        continue;
      InFlightDiagnostic error = op.emitOpError("reads a factor as \"")
                                 << term << "\": ";
      if (isAxis)
        return error << "its " << axis.name << " are under the label "
                     << Twine(label) << ", but must be under "
                     << (isTokens() ? "n, a query, or m, a key" : "b");
      error << "its label " << Twine(label) << " stands for " << axis.name;
      if (dim)
        return error << ", but these are dimension " << *dim;
      return error << ", on which it does not depend";
    }
  }
  dims[op.getResult()] = value.output.find(axis.labels.front());
  return success();
}

LogicalResult AxisFlow::visitReturn(Operation *op) {
  std::optional<int64_t> dim = dimOf(op->getOperand(0));
  if (dim && *dim == axis.dim)
    return success();
  InFlightDiagnostic error = op->emitOpError("yields ");
  if (dim)
    error << axis.name << " in dimension " << *dim;
  else
    error << "what does not depend on " << axis.name;
  return error << ", but they are dimension " << axis.dim
               << " of a hidden state";
}

LogicalResult AxisFlow::visit(Operation *op) {
  if (auto einsum = dyn_cast<EinsumOp>(op))
    return visitEquation(op, einsum.getEquation());
  if (auto materialize = dyn_cast<MaterializeOp>(op))
    return visitEquation(op, materialize.getEquation());
  if (isa<FactorizeOp>(op))
    return visitEquation(op, {"bnc", "hrc", "rdc"}, {"bnrh", "bnrd"});
  if (isa<t6::LinearOp>(op))
    return visitEquation(op, "bnc,oc->bno");
  if (auto map = dyn_cast<MapOp>(op))
    return visitMap(map);
  if (auto attention = dyn_cast<AttentionOp>(op))
    return visitAttention(attention);
  if (auto rope = dyn_cast<RopeOp>(op))
    return visitRope(rope);
  if (auto recent = dyn_cast<RecentOp>(op))
    return visitRecent(recent);
  if (isa<SoftmaxOp, t6::RmsNormOp>(op))
    return visitAlong(
        op, cast<RankedTensorType>(op->getOperand(0).getType()).getRank() - 1);
  if (auto split = dyn_cast<t6::SplitOp>(op))
    return visitAlong(op, split.getAxis());
  if (auto collapse = dyn_cast<tensor::CollapseShapeOp>(op)) {
    // Canonicalization joins unit dimensions to others.
    if (std::optional<int64_t> dim = dimOf(collapse.getSrc()))
      for (auto [i, group] :
           llvm::enumerate(collapse.getReassociationIndices()))
        if (llvm::is_contained(group, *dim))
          dims[collapse.getResult()] = i;
    return success();
  }
  if (isa<func::ReturnOp>(op))
    return visitReturn(op);
  return visitPointwise(op);
}

LogicalResult checkAxes(func::FuncOp function) {
  for (Axis axis : {Axis{"tokens", 1, "nm"}, Axis{"batch rows", 0, "b"}})
    if (failed(AxisFlow(function, axis).run()))
      return failure();
  return success();
}

} // namespace tpa
