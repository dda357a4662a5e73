//===- T6TrainingOps.cpp - Shapes of gradients and the optimiser ----------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Shape inference of T6TrainingOps.td; the labels (Cn) are those of each
// operation's description.
//
//===----------------------------------------------------------------------===//

#include "dialects/t6/ShapeChecks.h"
#include "dialects/t6/T6Dialect.h"
#include "mlir/IR/Builders.h"

using namespace mlir;
using namespace tpa::t6;

static LogicalResult checkSameShape(Value x, StringRef name, Value like,
                                    StringRef likeName, EmitError error) {
  auto type = dyn_cast<RankedTensorType>(like.getType());
  if (!type)
    return error() << likeName << " must have a rank";
  if (failed(checkRank(x, name, type.getRank(), error)))
    return failure();
  for (int64_t i = 0; i < type.getRank(); ++i)
    if (failed(checkSize(x, i, name, like, i, likeName, error)))
      return failure();
  return success();
}

LogicalResult AddGradientOp::inferReturnTypes(MLIRContext *,
                                              std::optional<Location> location,
                                              Adaptor op,
                                              SmallVectorImpl<Type> &results) {
  auto error = [&] { return mlir::emitError(*location); };
  // add_gradient_c1
  if (failed(
          checkSameShape(op.getX(), "x", op.getGradient(), "gradient", error)))
    return failure();
  results.push_back(op.getGradient().getType());
  return success();
}

LogicalResult EmbeddingGradientOp::inferReturnTypes(
    MLIRContext *, std::optional<Location> location, Adaptor op,
    SmallVectorImpl<Type> &results) {
  auto error = [&] { return mlir::emitError(*location); };
  Value tokens = op.getTokens(), x = op.getX(), gradient = op.getGradient();
  // embedding_gradient_c1
  if (failed(checkRank(gradient, "gradient", 2, error)) ||
      failed(checkRank(tokens, "tokens", 2, error)) ||
      failed(checkRank(x, "x", 3, error)) ||
      failed(checkSize(x, 0, "x", tokens, 0, "tokens", error)) ||
      failed(checkSize(x, 1, "x", tokens, 1, "tokens", error)) ||
      failed(checkSize(x, 2, "x", gradient, 1, "gradient", error)))
    return failure();
  results.push_back(gradient.getType());
  return success();
}

LogicalResult CrossEntropyGradientOp::inferReturnTypes(
    MLIRContext *context, std::optional<Location> location, Adaptor op,
    SmallVectorImpl<Type> &results) {
  auto error = [&] { return mlir::emitError(*location); };
  // cross_entropy_gradient_c1
  if (failed(checkRank(op.getLogits(), "logits", 3, error)))
    return failure();
  for (auto [value, name] :
       {std::pair(op.getTargets(), StringRef("targets")),
        std::pair(op.getLogSumExp(), StringRef("log_sum_exp"))}) {
    if (failed(checkRank(value, name, 2, error)))
      return failure();
    for (int64_t i : {0, 1})
      if (failed(checkSize(value, i, name, op.getLogits(), i, "logits", error)))
        return failure();
  }
  auto type = cast<RankedTensorType>(op.getLogits().getType());
  results.push_back(f32Tensor(context, type.getShape()));
  return success();
}

LogicalResult
TargetWeightsOp::inferReturnTypes(MLIRContext *context,
                                  std::optional<Location> location, Adaptor op,
                                  SmallVectorImpl<Type> &results) {
  auto error = [&] { return mlir::emitError(*location); };
  // target_weights_c1
  if (failed(checkRank(op.getTargets(), "targets", 2, error)))
    return failure();
  results.push_back(f32Tensor(
      context, cast<RankedTensorType>(op.getTargets().getType()).getShape()));
  return success();
}

LogicalResult GlobalNormOp::verify() {
  // global_norm_c1
  if (getTensors().empty())
    return emitOpError("has no tensor to measure");
  for (Value tensor : getTensors())
    if (cast<RankedTensorType>(tensor.getType()).getRank() < 1)
      return emitOpError("tensors must have rank 1 or more, but one is ")
             << tensor.getType();
  return success();
}

LogicalResult AdamWOp::inferReturnTypes(MLIRContext *,
                                        std::optional<Location> loc, Adaptor op,
                                        SmallVectorImpl<Type> &results) {
  auto type = cast<RankedTensorType>(op.getParam().getType());
  // adamw_c2
  if (type.getRank() < 1)
    return emitOptionalError(
        loc, "'t6.adamw' op tensors must have rank 1 or more, but they are ",
        type);
  results.assign(4, type);
  results.append(3, RankedTensorType::get(type.getShape().take_front(),
                                          type.getElementType()));
  return success();
}
