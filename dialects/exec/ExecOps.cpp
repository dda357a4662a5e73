//===- ExecOps.cpp - Verifiers of the exec operations ---------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Verifiers of the exec operations; the labels (Cn) are those of each
// operation's description.
//
//===----------------------------------------------------------------------===//

#include "dialects/exec/ExecDialect.h"
#include "mlir/IR/Builders.h"
#include "llvm/Support/MathExtras.h"

using namespace mlir;
using namespace tpa::exec;

#define GET_OP_CLASSES
#include "dialects/exec/ExecOps.cpp.inc"

/// Product of the sizes; none if one is negative or the product overflows.
static std::optional<int64_t> elementCount(ArrayRef<int64_t> shape) {
  int64_t count = 1;
  for (int64_t size : shape)
    if (size < 0 || llvm::MulOverflow(count, size, count))
      return std::nullopt;
  return count;
}

LogicalResult BufferOp::verify() {
  auto type = cast<RankedTensorType>(getType());
  // buffer_c1
  std::optional<Attribute> init = getInit();
  bool isParam = getKind() == BufferKind::Param;
  if (getKind() == BufferKind::Constant) {
    if (!init)
      return emitOpError("constant needs an init");
  } else if (init && !isParam) {
    return emitOpError("only constants and parameters have an init");
  }
  if (isParam && init && !isa<InitAttr>(*init))
    return emitOpError("init of a parameter is an exec.init, but is ") << *init;
  // buffer_c2
  bool perRun =
      getKind() == BufferKind::Input || getKind() == BufferKind::Output;
  if (!type.hasStaticShape() && !perRun)
    return emitOpError(
               "only inputs and outputs have dynamic dimensions, but is ")
           << type;
  if (std::optional<ArrayAttr> dims = getDims()) {
    if (int64_t(dims->size()) != type.getRank())
      return emitOpError("dims names ")
             << dims->size() << " dimensions of " << type;
    for (auto [i, name] : llvm::enumerate(dims->getAsValueRange<StringAttr>()))
      if (name.empty() == type.isDynamicDim(i))
        return emitOpError("dims must name dynamic dimensions only, and all: ")
               << "see dimension " << i;
  } else if (!type.hasStaticShape()) {
    return emitOpError("dynamic dimensions must be named by dims");
  }
  // buffer_c3
  if (DenseI64ArrayAttr stored = getStoredAttr()) {
    std::optional<int64_t> elements = elementCount(stored.asArrayRef());
    if (getKind() != BufferKind::Param || !elements ||
        elements != elementCount(type.getShape()))
      return emitOpError("stored is for parameters, with as many elements as ")
             << type;
  }
  // buffer_c4
  if (std::optional<ArrayRef<int64_t>> range = getRange())
    if (getKind() != BufferKind::Input || range->size() != 2 ||
        range->front() >= range->back())
      return emitOpError(
          "range is for inputs, the bounds [lo, hi) with lo < hi");
  // buffer_c5
  if (std::optional<StringRef> below = getBelow())
    if (!getRange() || below->empty())
      return emitOpError(
                 "below names the scalar that ends a range, but there is no ")
             << (getRange() ? "name" : "range");
  // buffer_c6
  if (getScales() && (!isParam || !type.getElementType().isF32()))
    return emitOpError("scales is for parameters of f32");
  // buffer_c7
  if (getRecurrent() && getKind() != BufferKind::State)
    return emitOpError("recurrent is for states");
  return success();
}

LogicalResult EntryOp::verify() {
  // entry_c1
  Block &block = getBody().front();
  if (getScalars().size() != block.getNumArguments() ||
      getMaxima().size() != block.getNumArguments())
    return emitOpError() << getScalars().size() << " scalars, "
                         << getMaxima().size() << " maxima and "
                         << block.getNumArguments()
                         << " region arguments must agree in number";
  for (BlockArgument argument : block.getArguments())
    if (!argument.getType().isIndex())
      return emitOpError("region arguments must be of type index, but one is ")
             << argument.getType();
  for (int64_t maximum : getMaxima())
    if (maximum <= 0)
      return emitOpError("maxima must be positive, but one is ") << maximum;
  return success();
}

/// load_c1, view_c1, binding_c1
template <typename OpTy> static LogicalResult verifySizes(OpTy op) {
  auto type = cast<ShapedType>(op.getResult().getType());
  if (type.getNumDynamicDims() != op.getSizes().size())
    return op.emitOpError("has ")
           << op.getSizes().size() << " sizes for the "
           << type.getNumDynamicDims() << " dynamic dimensions of " << type;
  return success();
}

/// load_c2, store_c1
template <typename Op> static LogicalResult verifyFirst(Op op, Type type) {
  std::optional<uint64_t> first = op.getFirst();
  if (!first)
    return success();
  if (int64_t(*first) < 0)
    return op.emitOpError("first must not be negative, but is ")
           << int64_t(*first);
  if (!cast<RankedTensorType>(type).hasStaticShape())
    return op.emitOpError("is of some rows, which must have static sizes");
  return success();
}

LogicalResult LoadOp::verify() {
  return failure(failed(verifySizes(*this)) ||
                 failed(verifyFirst(*this, getType())));
}

LogicalResult StoreOp::verify() {
  return verifyFirst(*this, getValue().getType());
}
LogicalResult BindingOp::verify() { return verifySizes(*this); }

LogicalResult ViewOp::verify() { return verifySizes(*this); }

LogicalResult DispatchOp::verify() {
  // dispatch_c2
  if (std::optional<CostAttr> cost = getCost())
    if (cost->getRead().getNumSymbols() != getScalars().size())
      return emitOpError("has ")
             << getScalars().size() << " scalars, but its cost is of "
             << cost->getRead().getNumSymbols();
  // dispatch_c3
  auto isMemRef = [](Type type) { return isa<MemRefType>(type); };
  SmallVector<Type> types(getReads().getTypes());
  llvm::append_range(types, getWrites().getTypes());
  bool onMemRefs = llvm::any_of(types, isMemRef);
  if (onMemRefs && !llvm::all_of(types, isMemRef))
    return emitOpError("mixes tensors and memrefs");
  // dispatch_c1
  if (onMemRefs && getNumResults() != 0)
    return emitOpError("on memrefs has no results");
  if (!onMemRefs && getResultTypes() != getWrites().getTypes())
    return emitOpError("on tensors has one result per write, of its type");
  return success();
}
