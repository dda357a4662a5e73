//===- T6Ops.cpp - Shapes and verifiers of t6 operations ------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Shape inference and verifiers of the t6 operations; the labels (Cn) are those
// of each operation's description.
//
//===----------------------------------------------------------------------===//

#include "dialects/t6/Layout.h"
#include "dialects/t6/ShapeChecks.h"
#include "dialects/t6/T6Dialect.h"
#include "mlir/IR/Builders.h"
#include "llvm/Support/MathExtras.h"

using namespace mlir;
using namespace tpa::t6;

#define GET_OP_CLASSES
#include "dialects/t6/T6Ops.cpp.inc"

//===----------------------------------------------------------------------===//
// model, param, split
//===----------------------------------------------------------------------===//

LogicalResult ModelOp::verify() {
  // model_c1
  for (auto [name, value] :
       {std::pair("vocab", getVocab()), std::pair("layers", getLayers()),
        std::pair("width", getWidth()), std::pair("ffn", getFfn()),
        std::pair("context_length", getContextLength())})
    if (int64_t(value) <= 0)
      return emitOpError(name)
             << " must be positive, but is " << int64_t(value);
  // model_c2
  for (NamedAttribute size : getSizes()) {
    auto value = dyn_cast<IntegerAttr>(size.getValue());
    if (!value || !value.getType().isSignlessInteger(64) || value.getInt() <= 0)
      return emitOpError("size ")
             << size.getName() << " must be a positive integer, but is "
             << size.getValue();
    if (size.getName() == "C")
      return emitOpError("size C is the width: state it there only");
  }
  // model_c3
  if (!(getNormEps().convertToDouble() > 0))
    return emitOpError("norm_eps must be positive");
  return success();
}

LogicalResult ParamOp::verify() {
  // param_c1
  std::string error;
  FailureOr<Layout> layout = Layout::parse(getLayout(), error);
  if (failed(layout))
    return emitOpError("layout \"")
           << getLayout() << "\" is malformed: " << error;
  int64_t rank = cast<RankedTensorType>(getType()).getRank();
  if (rank != int64_t(layout->dims.size()))
    return emitOpError("layout \"")
           << getLayout() << "\" names " << layout->dims.size()
           << " dimensions, but the result has " << rank;
  // param_c2
  if (getInit() && getInit()->getKind() == InitKind::Xavier && rank != 3)
    return emitOpError("starts xavier, which needs three dimensions, but has ")
           << rank;
  return success();
}

LogicalResult DequantizeOp::inferReturnTypes(MLIRContext *context,
                                             std::optional<Location> location,
                                             Adaptor op,
                                             SmallVectorImpl<Type> &results) {
  auto error = [&] { return mlir::emitError(*location); };
  auto type = dyn_cast<RankedTensorType>(op.getQ().getType());
  auto scale = dyn_cast<RankedTensorType>(op.getScale().getType());
  // dequantize_c1
  if (!type || !scale || scale.getRank() < 1 ||
      scale.getRank() >= type.getRank())
    return error() << "scale must have fewer dimensions than q, at least one, "
                      "but they are "
                   << op.getScale().getType() << " and " << op.getQ().getType();
  // dequantize_c2
  for (int64_t i = 0; i < scale.getRank(); ++i)
    if (failed(checkSize(op.getScale(), i, "scale", op.getQ(), i, "q", error)))
      return failure();
  results.push_back(f32Tensor(context, type.getShape()));
  return success();
}

LogicalResult SplitOp::verify() {
  auto type = cast<RankedTensorType>(getX().getType());
  // split_c1
  int64_t axis = getAxis();
  if (axis < 0 || axis >= type.getRank())
    return emitOpError("axis ") << axis << " is not a dimension of " << type;
  if (getParts().size() != getNumResults())
    return emitOpError() << getParts().size() << " part sizes for "
                         << getNumResults() << " results";
  // split_c2
  int64_t total = 0;
  for (Value result : getResults()) {
    auto part = cast<RankedTensorType>(result.getType());
    if (part.getRank() != type.getRank())
      return emitOpError("result ")
             << part << " does not have the rank of " << type;
    for (int64_t i = 0; i < type.getRank(); ++i)
      if (i != axis && failed(checkSize(result, i, "a result", getX(), i, "x",
                                        [&] { return emitOpError(); })))
        return failure();
    int64_t size = part.getDimSize(axis);
    if (ShapedType::isDynamic(size) || ShapedType::isDynamic(total))
      total = ShapedType::kDynamic;
    else if (llvm::AddOverflow(total, size, total))
      return emitOpError("parts add up to more than a tensor can have");
  }
  int64_t whole = type.getDimSize(axis);
  if (!ShapedType::isDynamic(total) && !ShapedType::isDynamic(whole) &&
      total != whole)
    return emitOpError("parts add up to ")
           << total << ", but dimension " << axis << " of x is " << whole;
  return success();
}

//===----------------------------------------------------------------------===//
// Layers
//===----------------------------------------------------------------------===//

LogicalResult EmbeddingOp::inferReturnTypes(MLIRContext *context,
                                            std::optional<Location> location,
                                            Adaptor op,
                                            SmallVectorImpl<Type> &results) {
  auto error = [&] { return mlir::emitError(*location); };
  // embedding_c1
  if (failed(checkRank(op.getTokens(), "tokens", 2, error)) ||
      failed(checkRank(op.getTable(), "table", 2, error)))
    return failure();
  results.push_back(
      f32Tensor(context, {dim(op.getTokens(), 0), dim(op.getTokens(), 1),
                          dim(op.getTable(), 1)}));
  return success();
}

LogicalResult LinearOp::inferReturnTypes(MLIRContext *context,
                                         std::optional<Location> location,
                                         Adaptor op,
                                         SmallVectorImpl<Type> &results) {
  auto error = [&] { return mlir::emitError(*location); };
  // linear_c1
  if (failed(checkRank(op.getX(), "x", 3, error)) ||
      failed(checkRank(op.getWeight(), "weight", 2, error)) ||
      failed(checkSize(op.getX(), 2, "x", op.getWeight(), 1, "weight", error)))
    return failure();
  results.push_back(f32Tensor(
      context, {dim(op.getX(), 0), dim(op.getX(), 1), dim(op.getWeight(), 0)}));
  return success();
}

LogicalResult RmsNormOp::inferReturnTypes(MLIRContext *context,
                                          std::optional<Location> location,
                                          Adaptor op,
                                          SmallVectorImpl<Type> &results) {
  auto type = dyn_cast<RankedTensorType>(op.getX().getType());
  // rms_norm_c3
  if (!type || type.getRank() == 0)
    return mlir::emitError(*location)
           << "x must have rank 1 or more, but is " << op.getX().getType();
  results.push_back(f32Tensor(context, type.getShape()));
  return success();
}

LogicalResult RmsNormOp::verify() {
  auto error = [&] { return emitOpError(); };
  // rms_norm_c1
  int64_t last = cast<RankedTensorType>(getX().getType()).getRank() - 1;
  if (getWeight() &&
      (failed(checkRank(getWeight(), "weight", 1, error)) ||
       failed(checkSize(getWeight(), 0, "weight", getX(), last, "x", error))))
    return failure();
  // rms_norm_c2
  if (!(getEps().convertToDouble() > 0))
    return emitOpError("eps must be positive");
  return success();
}

LogicalResult SwigluOp::inferReturnTypes(MLIRContext *context,
                                         std::optional<Location> location,
                                         Adaptor op,
                                         SmallVectorImpl<Type> &results) {
  auto type = cast<RankedTensorType>(op.getGate().getType());
  results.push_back(f32Tensor(context, type.getShape()));
  return success();
}

LogicalResult CrossEntropyOp::inferReturnTypes(MLIRContext *context,
                                               std::optional<Location> location,
                                               Adaptor op,
                                               SmallVectorImpl<Type> &results) {
  auto error = [&] { return mlir::emitError(*location); };
  // cross_entropy_c1
  if (failed(checkRank(op.getLogits(), "logits", 3, error)) ||
      failed(checkRank(op.getTargets(), "targets", 2, error)))
    return failure();
  for (int64_t i : {0, 1})
    if (failed(checkSize(op.getTargets(), i, "targets", op.getLogits(), i,
                         "logits", error)))
      return failure();
  results.push_back(f32Tensor(context, {1}));
  results.append(
      2, f32Tensor(context, {dim(op.getLogits(), 0), dim(op.getLogits(), 1)}));
  return success();
}

LogicalResult SelectTokenOp::inferReturnTypes(MLIRContext *context,
                                              std::optional<Location> location,
                                              Adaptor op,
                                              SmallVectorImpl<Type> &results) {
  auto error = [&] { return mlir::emitError(*location); };
  // select_token_c1
  if (failed(checkRank(op.getX(), "x", 3, error)) ||
      failed(checkRank(op.getIndex(), "index", 1, error)) ||
      failed(checkSize(op.getIndex(), 0, "index", op.getX(), 0, "x", error)))
    return failure();
  results.push_back(
      f32Tensor(context, {dim(op.getX(), 0), 1, dim(op.getX(), 2)}));
  return success();
}

//===----------------------------------------------------------------------===//
// Cache
//===----------------------------------------------------------------------===//

/// cache_append_c3, cache_read_c2: a pool p×T×… and a table of its pages.
static LogicalResult
checkPages(RankedTensorType pool, Value pages,
           llvm::function_ref<InFlightDiagnostic()> error) {
  if (failed(checkRank(pages, "pages", 2, error)))
    return failure();
  int64_t tokens = pool.getDimSize(1);
  if (ShapedType::isDynamic(tokens) || !llvm::isPowerOf2_64(tokens))
    return error() << "a page must have a power of two of tokens, but cache is "
                   << pool;
  return success();
}

LogicalResult CacheAppendOp::inferReturnTypes(MLIRContext *,
                                              std::optional<Location> location,
                                              Adaptor op,
                                              SmallVectorImpl<Type> &results) {
  auto error = [&] { return mlir::emitError(*location); };
  auto cache = dyn_cast<RankedTensorType>(op.getCache().getType());
  // cache_append_c1
  if (!cache || cache.getRank() < 2)
    return error() << "cache must have rank 2 or more, but is "
                   << op.getCache().getType();
  if (failed(checkRank(op.getX(), "x", cache.getRank(), error)))
    return failure();
  Value pages = op.getPages();
  for (int64_t i = pages ? 2 : 0; i < cache.getRank(); ++i)
    if (i != 1 &&
        failed(checkSize(op.getX(), i, "x", op.getCache(), i, "cache", error)))
      return failure();
  // cache_append_c2
  Value batch = pages ? op.getX() : op.getCache();
  StringRef batchName = pages ? "x" : "cache";
  if (failed(checkRank(op.getPositions(), "positions", 1, error)) ||
      failed(checkSize(op.getPositions(), 0, "positions", batch, 0, batchName,
                       error)))
    return failure();
  if (pages && (failed(checkPages(cache, pages, error)) ||
                failed(checkSize(pages, 0, "pages", op.getX(), 0, "x", error))))
    return failure();
  results.push_back(cache);
  return success();
}

LogicalResult CacheReadOp::inferReturnTypes(MLIRContext *,
                                            std::optional<Location> location,
                                            Adaptor op,
                                            SmallVectorImpl<Type> &results) {
  auto cache = dyn_cast<RankedTensorType>(op.getCache().getType());
  // cache_read_c1
  if (!cache || cache.getRank() < 2)
    return mlir::emitError(*location)
           << "cache must have rank 2 or more, but is "
           << op.getCache().getType();
  SmallVector<int64_t> shape(cache.getShape());
  if (Value pages = op.getPages()) {
    if (failed(checkPages(cache, pages,
                          [&] { return mlir::emitError(*location); })))
      return failure();
    shape[0] = cast<RankedTensorType>(pages.getType()).getDimSize(0);
  }
  shape[1] = ShapedType::kDynamic;
  results.push_back(RankedTensorType::get(shape, cache.getElementType()));
  return success();
}

LogicalResult AccumulateOp::inferReturnTypes(MLIRContext *,
                                             std::optional<Location> location,
                                             Adaptor op,
                                             SmallVectorImpl<Type> &results) {
  auto error = [&] { return mlir::emitError(*location); };
  auto state = dyn_cast<RankedTensorType>(op.getState().getType());
  // accumulate_c1
  if (!state || state.getRank() < 1)
    return error() << "state must have rank 1 or more, but is "
                   << op.getState().getType();
  if (failed(checkRank(op.getX(), "x", state.getRank(), error)))
    return failure();
  for (int64_t i = 0; i < state.getRank(); ++i)
    if (failed(checkSize(op.getX(), i, "x", op.getState(), i, "state", error)))
      return failure();
  // accumulate_c2
  if (failed(checkRank(op.getPositions(), "positions", 1, error)) ||
      failed(checkSize(op.getPositions(), 0, "positions", op.getState(), 0,
                       "state", error)))
    return failure();
  results.push_back(state);
  return success();
}

LogicalResult RingAppendOp::inferReturnTypes(MLIRContext *,
                                             std::optional<Location> location,
                                             Adaptor op,
                                             SmallVectorImpl<Type> &results) {
  auto error = [&] { return mlir::emitError(*location); };
  auto ring = dyn_cast<RankedTensorType>(op.getRing().getType());
  // ring_append_c1
  if (!ring || ring.getRank() < 2)
    return error() << "ring must have rank 2 or more, but is "
                   << op.getRing().getType();
  if (failed(checkRank(op.getX(), "x", ring.getRank(), error)))
    return failure();
  for (int64_t i = 0; i < ring.getRank(); ++i)
    if (i != 1 &&
        failed(checkSize(op.getX(), i, "x", op.getRing(), i, "ring", error)))
      return failure();
  // ring_append_c2
  if (failed(checkRank(op.getPositions(), "positions", 1, error)) ||
      failed(checkSize(op.getPositions(), 0, "positions", op.getRing(), 0,
                       "ring", error)))
    return failure();
  if (op.getLast() && (failed(checkRank(op.getLast(), "last", 1, error)) ||
                       failed(checkSize(op.getLast(), 0, "last", op.getRing(),
                                        0, "ring", error))))
    return failure();
  // ring_append_c3
  if (ring.isDynamicDim(1))
    return error() << "ring must have a static number of tokens, but is "
                   << ring;
  results.push_back(ring);
  return success();
}
