//===- CheckAttention.cpp - What an attention may be ----------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Whether a function can be the attention of a model: its form. AxisFlow looks
// at what it does with tokens.
//
//===----------------------------------------------------------------------===//

#include "compiler/model/CheckAttention.h"
#include "compiler/model/AxisFlow.h"
#include "dialects/t6/T6Dialect.h"
#include "dialects/tpa/Equation.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/Interfaces/InferTypeOpInterface.h"

using namespace mlir;

namespace tpa {

static LogicalResult checkSignature(func::FuncOp function) {
  FunctionType type = function.getFunctionType();
  auto isTensor = [](Type type, int64_t rank, bool ofFloats) {
    auto tensor = dyn_cast<RankedTensorType>(type);
    return tensor && tensor.getRank() == rank &&
           (ofFloats ? tensor.getElementType().isF32()
                     : tensor.getElementType().isSignlessInteger(32));
  };
  auto refuse = [&] {
    return function.emitOpError(
        "is used as attention, but is not a function of "
        "the hidden state (b, n, C) and positions (b) "
        "to b, n, C: ");
  };
  if (function.isExternal())
    return refuse() << "it has no body";
  if (type.getNumInputs() != 2)
    return refuse() << "it has " << type.getNumInputs() << " arguments";
  if (type.getNumResults() != 1)
    return refuse() << "it has " << type.getNumResults() << " results";
  if (!isTensor(type.getInput(0), 3, true))
    return refuse() << "the hidden state is " << type.getInput(0)
                    << ", but must be 'tensor<?x?x?xf32>'";
  if (!isTensor(type.getInput(1), 1, false))
    return refuse() << "positions are " << type.getInput(1)
                    << ", but must be 'tensor<?xi32>'";
  if (!isTensor(type.getResult(0), 3, true))
    return refuse() << "the result is " << type.getResult(0)
                    << ", but must be 'tensor<?x?x?xf32>'";
  if (!function.getBody().hasOneBlock())
    return function.front().getTerminator()->emitOpError(
        "branches, but an attention function is one block: what depends on an "
        "element can be a tpa.map");
  return success();
}

/// Whether sizes of the operation's results follow from its operands, and
/// AxisFlow knows what becomes of tokens in it.
static LogicalResult checkOperation(Operation &op, func::FuncOp function) {
  if (isa<EinsumOp, MapOp, SoftmaxOp, RopeOp, RecentOp, FactorizeOp,
          MaterializeOp, AttentionOp, t6::ParamOp, t6::SplitOp, t6::LinearOp,
          t6::RmsNormOp, t6::SwigluOp, tensor::CollapseShapeOp, func::ReturnOp>(
          op) ||
      op.hasTrait<OpTrait::ConstantLike>())
    return success();
  if (isa<arith::ArithDialect, math::MathDialect>(op.getDialect()) &&
      isa<InferTypeOpInterface>(op))
    return success();
  if (auto call = dyn_cast<func::CallOp>(op)) {
    if (call.getCallee() == function.getSymName())
      return call.emitOpError("calls @")
             << call.getCallee()
             << " in itself: an attention function does not recur";
    return call.emitOpError("calls @")
           << call.getCallee()
           << ": an attention is one function; write its operations here";
  }
  return op.emitOpError("cannot be in an attention function: its operations "
                        "are tpa, t6, and pointwise arith and math, of which "
                        "sizes are inferred");
}

static FailureOr<AttentionOp> onlyAttention(func::FuncOp function) {
  auto found = llvm::to_vector(function.getOps<AttentionOp>());
  if (found.empty()) {
    // One that is written out is refused where it pairs tokens.
    if (failed(checkAxes(function)))
      return failure();
    return function.emitOpError("is used as attention, but does not contain "
                                "one tpa.attention");
  }
  if (found.size() > 1) {
    InFlightDiagnostic error = found[1].emitOpError(
        "is a second attention in one function: a layer has one, with a score "
        "equation per term of its scores");
    error.attachNote(found[0].getLoc()) << "the first is here";
    return error;
  }
  return found[0];
}

/// Whether the function's result is computed from what the attention yields.
static LogicalResult checkUsed(AttentionOp attention, func::FuncOp function) {
  SmallVector<Value> work(function.front().getTerminator()->getOperands());
  llvm::SmallPtrSet<Operation *, 32> visited;
  while (!work.empty()) {
    Operation *def = work.pop_back_val().getDefiningOp();
    if (def == attention)
      return success();
    if (def && visited.insert(def).second)
      work.append(def->operand_begin(), def->operand_end());
  }
  return attention.emitOpError("does not reach the function's result: return "
                               "what is computed from it");
}

/// A label that one factor alone has is summed within it. That is a slip in an
/// equation of an attention, in which labels say what meets.
static LogicalResult checkLabels(AttentionOp op, StringRef text,
                                 unsigned firstFactor) {
  Equation equation = Equation::parseVerified(text);
  for (auto [i, term] : llvm::enumerate(equation.terms)) {
    if (i < firstFactor)
      continue;
    for (char label : term) {
      auto hasLabel = [&](StringRef other) { return other.contains(label); };
      if (!hasLabel(equation.output) &&
          llvm::count_if(equation.terms, hasLabel) == 1)
        return op.emitOpError("label '")
               << Twine(label) << "' of equation \"" << text
               << "\" is unknown to all but the term \"" << term
               << "\": sum over it before, or name it as the factor that it "
                  "meets does";
    }
  }
  return success();
}

LogicalResult checkCachedTerm(AttentionOp op, StringRef term) {
  if (!term.contains(AttentionOp::streamLabel) || term.starts_with("bm"))
    return success();
  return op.emitOpError("reads a key or value factor as \"")
         << term << "\": a factor with the key index m is cached and must "
         << "be laid out b, m, then static dimensions";
}

static LogicalResult checkEquations(AttentionOp op) {
  SmallVector<std::string> terms;
  auto check = [&](StringRef text, unsigned firstFactor) {
    if (failed(checkLabels(op, text, firstFactor)))
      return failure();
    Equation equation = Equation::parseVerified(text);
    llvm::append_range(terms, ArrayRef(equation.terms).drop_front(firstFactor));
    return success();
  };
  for (unsigned i = 0; i < op.getScores().size(); ++i)
    if (failed(check(op.scoreTerm(i).first, 0)))
      return failure();
  if (failed(check(op.getValue(), 1)))
    return failure();
  for (const std::string &term : terms)
    if (failed(checkCachedTerm(op, term)))
      return failure();
  return success();
}

LogicalResult checkAttention(func::FuncOp function) {
  if (failed(checkSignature(function)))
    return failure();
  for (Operation &op : function.front())
    if (failed(checkOperation(op, function)))
      return failure();
  FailureOr<AttentionOp> attention = onlyAttention(function);
  if (failed(attention))
    return failure();
  if (failed(checkUsed(*attention, function)) || failed(checkAxes(function)))
    return failure();
  return checkEquations(*attention);
}

} // namespace tpa
