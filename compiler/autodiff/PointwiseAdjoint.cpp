//===- PointwiseAdjoint.cpp - Adjoints of pointwise operations ------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The adjoint of what computes each element from elements under the same
// labels, and of elementwise arithmetic on tensors, which is that.
//
//===----------------------------------------------------------------------===//

#include "compiler/autodiff/PointwiseAdjoint.h"
#include "compiler/autodiff/DifferentiableOpInterface.h"
#include "compiler/autodiff/ScalarAdjoint.h"
#include "dialects/tpa/TpaDialect.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Math/IR/Math.h"

using namespace mlir;

namespace tpa {

std::string lettersOf(int64_t rank) {
  std::string letters;
  for (int64_t i = 0; i < rank; ++i)
    letters += Equation::freshLabel(letters, 'a');
  return letters;
}

LogicalResult
addPointwiseAdjoint(AdjointBuilder &adjoint, Operation *op,
                    const Equation &equation,
                    function_ref<Value(OpBuilder &, ValueRange)> body) {
  Value cotangent = adjoint.cotangentOf(op->getResult(0));
  Equation scaled = equation;
  scaled.terms.insert(scaled.terms.begin(), equation.output);
  SmallVector<Value> operands = {cotangent};
  llvm::append_range(operands, op->getOperands());
  for (unsigned i = 0; i < op->getNumOperands(); ++i) {
    Value operand = op->getOperand(i);
    if (!adjoint.isActive(operand))
      continue;
    LogicalResult known = success();
    Value share = MapOp::create(
        adjoint.builder, op->getLoc(), scaled, operands,
        [&](OpBuilder &b, ValueRange in) {
          FailureOr<Value> scalar = scalarAdjoint(
              b, op->getLoc(), body(b, in.drop_front()), in[i + 1], in.front());
          known = success(succeeded(scalar));
          return succeeded(scalar) ? *scalar : in.front();
        });
    if (failed(known))
      return failure();
    auto sumTo = [&](StringRef from, StringRef to) {
      if (from != to)
        share = EinsumOp::create(adjoint.builder, op->getLoc(),
                                 (from + "->" + to).str(), ValueRange(share),
                                 APFloat(1.0));
    };
    // Rows first: what an attention's scores are computed from, a row of them
    // has a share of, and a pass over blocks of keys sums rows.
    StringRef term = equation.terms[i], whole = equation.output;
    if (!whole.empty() && !term.contains(whole.back())) {
      sumTo(whole, whole.drop_back());
      whole = whole.drop_back();
    }
    sumTo(whole, term);
    adjoint.add(operand, share);
  }
  return success();
}

namespace {

/// arith and math on whole tensors.
template <typename Op>
struct ElementwiseAdjoint
    : DifferentiableOpInterface::ExternalModel<ElementwiseAdjoint<Op>, Op> {
  LogicalResult buildAdjoint(Operation *op, AdjointBuilder &adjoint) const {
    auto type = dyn_cast<RankedTensorType>(op->getResult(0).getType());
    if (!type)
      return op->emitOpError("is differentiated on tensors only");
    Equation equation;
    equation.output = lettersOf(type.getRank());
    equation.terms.assign(op->getNumOperands(), equation.output);
    return addPointwiseAdjoint(
        adjoint, op, equation, [&](OpBuilder &b, ValueRange in) {
          OperationState state(op->getLoc(), op->getName().getStringRef(), in,
                               type.getElementType(), op->getAttrs());
          return b.create(state)->getResult(0);
        });
  }
};

/// Needs no map.
struct AddAdjoint
    : DifferentiableOpInterface::ExternalModel<AddAdjoint, arith::AddFOp> {
  LogicalResult buildAdjoint(Operation *op, AdjointBuilder &adjoint) const {
    for (Value operand : op->getOperands())
      adjoint.add(operand, adjoint.cotangentOf(op->getResult(0)));
    return success();
  }
};

/// Rounding counts as the identity. Cotangents are not rounded.
struct RoundAdjoint
    : DifferentiableOpInterface::ExternalModel<RoundAdjoint, arith::TruncFOp> {
  LogicalResult buildAdjoint(Operation *op, AdjointBuilder &adjoint) const {
    Value cotangent = adjoint.cotangentOf(op->getResult(0));
    Type type = op->getOperand(0).getType();
    if (cotangent.getType() != type)
      cotangent =
          arith::ExtFOp::create(adjoint.builder, op->getLoc(), type, cotangent);
    adjoint.add(op->getOperand(0), cotangent);
    return success();
  }
};

template <typename... Ops> void attachElementwise(MLIRContext *context) {
  (Ops::template attachInterface<ElementwiseAdjoint<Ops>>(*context), ...);
}

} // namespace

void registerElementwiseAdjoints(DialectRegistry &registry) {
  registry.addExtension(+[](MLIRContext *context, arith::ArithDialect *) {
    arith::AddFOp::attachInterface<AddAdjoint>(*context);
    arith::TruncFOp::attachInterface<RoundAdjoint>(*context);
    attachElementwise<arith::SubFOp, arith::MulFOp, arith::DivFOp,
                      arith::NegFOp, arith::MaximumFOp, arith::MinimumFOp>(
        context);
  });
  registry.addExtension(+[](MLIRContext *context, math::MathDialect *) {
    attachElementwise<math::ExpOp, math::LogOp, math::TanhOp, math::SqrtOp,
                      math::RsqrtOp>(context);
  });
}

} // namespace tpa
