//===- Specialize.cpp - Shapes of a function ------------------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Shape inference over a function: argument types decide all others.
//
//===----------------------------------------------------------------------===//

#include "compiler/model/Specialize.h"
#include "dialects/t6/T6Dialect.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/Interfaces/InferTypeOpInterface.h"

using namespace mlir;

namespace tpa {

/// A split keeps its part sizes and takes the other dimensions from x.
static void inferSplit(t6::SplitOp op) {
  auto whole = cast<RankedTensorType>(op.getX().getType());
  for (Value result : op.getResults()) {
    SmallVector<int64_t> shape(whole.getShape());
    shape[op.getAxis()] =
        cast<RankedTensorType>(result.getType()).getDimSize(op.getAxis());
    result.setType(RankedTensorType::get(shape, whole.getElementType()));
  }
}

/// A collapse keeps its grouping, which canonicalization chose.
static void inferCollapse(tensor::CollapseShapeOp op) {
  op.getResult().setType(tensor::CollapseShapeOp::inferCollapsedType(
      op.getSrcType(), op.getReassociationIndices()));
}

LogicalResult specialize(func::FuncOp function, TypeRange arguments) {
  Block &block = function.front();
  for (auto [argument, type] : llvm::zip_equal(block.getArguments(), arguments))
    argument.setType(type);
  for (Operation &op : block) {
    if (auto split = dyn_cast<t6::SplitOp>(op)) {
      inferSplit(split);
      continue;
    }
    if (auto collapse = dyn_cast<tensor::CollapseShapeOp>(op)) {
      inferCollapse(collapse);
      continue;
    }
    auto inferring = dyn_cast<InferTypeOpInterface>(op);
    if (!inferring)
      continue;
    SmallVector<Type> types;
    if (failed(inferring.inferReturnTypes(
            op.getContext(), op.getLoc(), op.getOperands(),
            op.getAttrDictionary(), op.getPropertiesStorage(), op.getRegions(),
            types)))
      return failure();
    for (auto [result, type] : llvm::zip_equal(op.getResults(), types))
      result.setType(type);
  }
  function.setType(FunctionType::get(function.getContext(), arguments,
                                     block.getTerminator()->getOperandTypes()));
  return success();
}

} // namespace tpa
