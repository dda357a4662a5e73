//===- ReshapeAdjoint.cpp - Adjoints of reshapes --------------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The adjoints of tensor.collapse_shape and tensor.expand_shape, each the
// other.
//
//===----------------------------------------------------------------------===//

#include "compiler/autodiff/DifferentiableOpInterface.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"

using namespace mlir;

namespace tpa {
namespace {

/// `Inverse` gives the cotangent the shape of the operand.
template <typename Op, typename Inverse>
struct ReshapeAdjoint
    : DifferentiableOpInterface::ExternalModel<ReshapeAdjoint<Op, Inverse>,
                                               Op> {
  LogicalResult buildAdjoint(Operation *op, AdjointBuilder &adjoint) const {
    auto reshape = cast<Op>(op);
    auto type = cast<RankedTensorType>(reshape.getSrc().getType());
    if (!type.hasStaticShape())
      return reshape.emitOpError("is differentiated with static sizes only");
    adjoint.add(reshape.getSrc(),
                Inverse::create(adjoint.builder, op->getLoc(), type,
                                adjoint.cotangentOf(reshape.getResult()),
                                reshape.getReassociationIndices()));
    return success();
  }
};

} // namespace

void registerReshapeAdjoints(DialectRegistry &registry) {
  using tensor::CollapseShapeOp, tensor::ExpandShapeOp;
  registry.addExtension(+[](MLIRContext *context, tensor::TensorDialect *) {
    CollapseShapeOp::attachInterface<
        ReshapeAdjoint<CollapseShapeOp, ExpandShapeOp>>(*context);
    ExpandShapeOp::attachInterface<
        ReshapeAdjoint<ExpandShapeOp, CollapseShapeOp>>(*context);
  });
}

} // namespace tpa
