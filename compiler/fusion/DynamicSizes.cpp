//===- DynamicSizes.cpp - Sizes from an entry -----------------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Where dynamic sizes come from: the scalars of an entry.
//
//===----------------------------------------------------------------------===//

#include "compiler/fusion/DynamicSizes.h"
#include "dialects/exec/ExecDialect.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/Interfaces/DestinationStyleOpInterface.h"
#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;

namespace tpa {

/// Scalars are named: the index of the function argument called `name`.
static std::optional<unsigned> scalarArgument(func::FuncOp function,
                                              StringRef name) {
  for (unsigned i = 0; i < function.getNumArguments(); ++i)
    if (auto scalar =
            function.getArgAttrOfType<StringAttr>(i, exec::scalarAttrName))
      if (scalar.getValue() == name)
        return i;
  return std::nullopt;
}

static StringRef dimName(ArrayAttr dims, int64_t dim) {
  return dims ? cast<StringAttr>(dims[dim]).getValue() : StringRef();
}

static Value sizeOfArgument(BlockArgument argument, int64_t dim) {
  auto function = dyn_cast<func::FuncOp>(argument.getOwner()->getParentOp());
  if (!function)
    return {};
  auto dims = function.getArgAttrOfType<ArrayAttr>(argument.getArgNumber(),
                                                   exec::dimsAttrName);
  std::optional<unsigned> scalar = scalarArgument(function, dimName(dims, dim));
  return scalar ? Value(function.getArgument(*scalar)) : Value();
}

static Value sizeOfCall(func::CallOp call, OpResult result, int64_t dim) {
  auto callee = SymbolTable::lookupNearestSymbolFrom<func::FuncOp>(
      call, call.getCalleeAttr());
  if (!callee)
    return {};
  auto dims = callee.getResultAttrOfType<ArrayAttr>(result.getResultNumber(),
                                                    exec::dimsAttrName);
  std::optional<unsigned> scalar = scalarArgument(callee, dimName(dims, dim));
  return scalar ? call.getOperand(*scalar) : Value();
}

/// The source dimension of a reshape that is dynamic like the result's: each
/// group of reassociated dimensions has at most one.
static Value sizeOfReshape(Value source, ArrayRef<ReassociationIndices> groups,
                           int64_t dim, bool expands) {
  auto type = cast<RankedTensorType>(source.getType());
  for (auto [i, group] : llvm::enumerate(groups)) {
    if (expands && llvm::is_contained(group, dim))
      return resolveSize(source, i);
    if (!expands && int64_t(i) == dim) {
      for (int64_t member : group)
        if (type.isDynamicDim(member))
          return llvm::all_of(group,
                              [&](int64_t other) {
                                return other == member ||
                                       type.getDimSize(other) == 1;
                              })
                     ? resolveSize(source, member)
                     : Value();
    }
  }
  return {};
}

Value resolveSize(Value tensor, int64_t dim) {
  if (auto argument = dyn_cast<BlockArgument>(tensor))
    return sizeOfArgument(argument, dim);
  auto result = cast<OpResult>(tensor);
  auto type = cast<RankedTensorType>(tensor.getType());
  auto fromSizes = [&](ValueRange sizes) {
    return sizes[type.getDynamicDimIndex(dim)];
  };
  return llvm::TypeSwitch<Operation *, Value>(result.getOwner())
      .Case([&](exec::LoadOp op) { return fromSizes(op.getSizes()); })
      .Case([&](tensor::EmptyOp op) { return fromSizes(op.getDynamicSizes()); })
      .Case([&](tensor::ExtractSliceOp op) -> Value {
        return dyn_cast<Value>(op.getMixedSizes()[dim]);
      })
      .Case([&](tensor::ExpandShapeOp op) {
        return sizeOfReshape(op.getSrc(), op.getReassociationIndices(), dim,
                             true);
      })
      .Case([&](tensor::CollapseShapeOp op) {
        return sizeOfReshape(op.getSrc(), op.getReassociationIndices(), dim,
                             false);
      })
      .Case([&](func::CallOp op) { return sizeOfCall(op, result, dim); })
      .Case([&](scf::ForOp op) {
        return resolveSize(op.getInitArgs()[result.getResultNumber()], dim);
      })
      .Case([&](exec::DispatchOp op) {
        return resolveSize(op.getWrites()[result.getResultNumber()], dim);
      })
      .Case([&](DestinationStyleOpInterface op) {
        return resolveSize(op.getDpsInits()[result.getResultNumber()], dim);
      })
      .Default([](Operation *) { return Value(); });
}

LogicalResult resolveDims(ModuleOp module) {
  WalkResult walk = module.walk([](tensor::DimOp op) {
    std::optional<int64_t> dim = op.getConstantIndex();
    auto type = dyn_cast<RankedTensorType>(op.getSource().getType());
    if (!dim || !type) {
      op.emitOpError("of an unknown dimension does not come from a scalar");
      return WalkResult::interrupt();
    }
    Value size;
    if (type.isDynamicDim(*dim)) {
      size = resolveSize(op.getSource(), *dim);
    } else {
      OpBuilder builder(op);
      size = arith::ConstantIndexOp::create(builder, op.getLoc(),
                                            type.getDimSize(*dim));
    }
    if (!size) {
      op.emitOpError("does not come from a scalar of the entry");
      return WalkResult::interrupt();
    }
    op.replaceAllUsesWith(size);
    op.erase();
    return WalkResult::advance();
  });
  return failure(walk.wasInterrupted());
}

} // namespace tpa
