//===- DispatchCost.cpp - Bytes and operations of the work in a dispatch --===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "compiler/fusion/DispatchCost.h"
#include "compiler/fusion/DynamicSizes.h"
#include "dialects/tpa/TpaDialect.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"

using namespace mlir;

namespace tpa {
namespace {

class CostBuilder {
public:
  CostBuilder(ArrayRef<Operation *> ops, ArrayRef<Value> scalars)
      : ops(ops), scalars(scalars), context(ops.front()->getContext()),
        read(constant(0)), written(constant(0)), flops(constant(0)) {}

  exec::CostAttr build() {
    for (Operation *op : ops) {
      op->walk([&](linalg::GenericOp generic) { add(generic); });
      op->walk([&](tensor::InsertSliceOp append) { add(append); });
      if (auto stream = dyn_cast<StreamOp>(op))
        add(stream);
    }
    return exec::CostAttr::get(context, map(read), map(written), map(flops));
  }

private:
  AffineExpr constant(int64_t value) {
    return getAffineConstantExpr(value, context);
  }
  AffineMap map(AffineExpr expr) {
    return AffineMap::get(0, scalars.size(),
                          simplifyAffineExpr(expr, 0, scalars.size()), context);
  }

  /// Elements of a tensor; sizes that are no scalar count as one.
  AffineExpr elements(Value tensor) {
    AffineExpr product = constant(1);
    auto type = cast<RankedTensorType>(tensor.getType());
    for (int64_t i = 0; i < type.getRank(); ++i) {
      if (!type.isDynamicDim(i)) {
        product = product * type.getDimSize(i);
        continue;
      }
      auto at = llvm::find(scalars, resolveSize(tensor, i));
      if (at != scalars.end())
        product = product * getAffineSymbolExpr(at - scalars.begin(), context);
    }
    return product;
  }

  static int64_t bytesOf(Type type) {
    return getElementTypeOrSelf(type).getIntOrFloatBitWidth() / 8;
  }

  bool isInternal(Value value) {
    return value.getDefiningOp() &&
           llvm::is_contained(ops, value.getDefiningOp());
  }

  /// Iterations of all loops: each is a dimension of some operand.
  AffineExpr iterations(linalg::GenericOp op) {
    AffineExpr product = constant(1);
    for (unsigned loop = 0; loop < op.getNumLoops(); ++loop) {
      SmallVector<std::pair<Value, unsigned>> operands;
      op.mapIterationSpaceDimToAllOperandDims(loop, operands);
      if (operands.empty())
        continue;
      auto [tensor, dim] = operands.front();
      auto type = cast<RankedTensorType>(tensor.getType());
      if (!type.isDynamicDim(dim)) {
        product = product * type.getDimSize(dim);
        continue;
      }
      auto at = llvm::find(scalars, resolveSize(tensor, dim));
      if (at != scalars.end())
        product = product * getAffineSymbolExpr(at - scalars.begin(), context);
    }
    return product;
  }

  /// A copy, unless what a loop inserts is computed in it, and so in place.
  void add(tensor::InsertSliceOp op) {
    if (!llvm::is_contained(ops, op.getOperation()) &&
        op.getSource().getDefiningOp<linalg::GenericOp>())
      return;
    AffineExpr bytes = elements(op.getSource()) * bytesOf(op.getSourceType()) *
                       repetitions(op);
    read = read + bytes;
    written = written + bytes;
  }

  /// Inputs are read once, under however many labels; the body's work is that
  /// of all keys and queries.
  void add(StreamOp op) {
    llvm::DenseMap<char, AffineExpr> sizes;
    for (auto [number, term] : llvm::enumerate(op.inputTerms())) {
      Value input = op.getInputs()[number];
      bool isPaged = op.isPaged(number);
      AffineExpr all = constant(1);
      for (auto [i, extent] : llvm::enumerate(op.labelShape(number))) {
        AffineExpr &size = sizes[term[i]];
        if (!ShapedType::isDynamic(extent)) {
          size = constant(extent);
        } else {
          Value scalar = isPaged ? op.getLength() : resolveSize(input, i);
          auto at = llvm::find(scalars, scalar);
          if (at != scalars.end() && !size)
            size = getAffineSymbolExpr(at - scalars.begin(), context);
        }
        if (size)
          all = all * size;
      }
      if (counted.insert(input).second)
        read =
            read + (isPaged ? all : elements(input)) * bytesOf(input.getType());
    }
    if (Value pages = op.getPages())
      read = read + elements(pages) * bytesOf(pages.getType());
    auto points = [&](StringRef labels) {
      AffineExpr product = constant(1);
      for (char label : labels)
        if (AffineExpr size = sizes.lookup(label))
          product = product * size;
      return product;
    };
    for (Operation &body : op.getBody().front()) {
      if (auto einsum = dyn_cast<EinsumOp>(body)) {
        Equation equation = Equation::parseVerified(einsum.getEquation());
        int64_t perPoint = equation.terms.size() - 1 +
                           (equation.labels().size() > equation.output.size());
        flops = flops + points(equation.labels()) * perPoint;
      } else if (auto map = dyn_cast<MapOp>(body)) {
        Equation equation = Equation::parseVerified(map.getEquation());
        int64_t perPoint = 0;
        for (Operation &inner : map.getBody().front())
          perPoint += computes(inner);
        flops = flops + points(equation.output) * perPoint;
      } else if (isa<OnlineSoftmaxOp>(body)) {
        // Of a score: the maximum, the difference from it, exp, the sum.
        constexpr int64_t perScore = 4;
        flops = flops + points(op.outTerms().front()) * points("m") * perScore;
      }
    }
    for (Value out : op.getOuts())
      written = written + elements(out) * bytesOf(out.getType());
  }

  static bool computes(Operation &op) {
    return isa<arith::ArithDialect, math::MathDialect>(op.getDialect()) &&
           op.getNumResults() == 1 &&
           isa<FloatType>(op.getResult(0).getType()) &&
           !isa<arith::ConstantOp, arith::ExtFOp, arith::TruncFOp,
                arith::SelectOp>(op);
  }

  /// How often the loops around `op` run it. Bounds that are no scalar count as
  /// one, as sizes do.
  AffineExpr repetitions(Operation *op) {
    AffineExpr product = constant(1);
    while (auto loop = op->getParentOfType<scf::ForOp>()) {
      Value bound = loop.getUpperBound();
      if (std::optional<int64_t> known = getConstantIntValue(bound))
        product = product * *known;
      else if (auto at = llvm::find(scalars, bound); at != scalars.end())
        product = product * getAffineSymbolExpr(at - scalars.begin(), context);
      op = loop;
    }
    return product;
  }

  void add(linalg::GenericOp op) {
    AffineExpr times = repetitions(op), points = iterations(op) * times;
    int64_t perPoint = 0;
    for (Operation &body : *op.getBlock()) {
      if (auto lookup = dyn_cast<tensor::ExtractOp>(body))
        read = read + points * bytesOf(lookup.getType());
      perPoint += computes(body);
    }
    flops = flops + points * perPoint;
    for (Value input : op.getDpsInputs())
      if (isa<RankedTensorType>(input.getType()) && !isInternal(input) &&
          counted.insert(input).second)
        read = read + elements(input) * times * bytesOf(input.getType());
    // What is updated in place is read as well.
    for (OpOperand &init : op.getDpsInitsMutable())
      if (op.payloadUsesValueFromOperand(&init) &&
          !init.get().getDefiningOp<linalg::FillOp>() &&
          !isInternal(init.get()) && counted.insert(init.get()).second)
        read =
            read + elements(init.get()) * times * bytesOf(init.get().getType());
    bool isInLoop = op->getParentOfType<scf::ForOp>() != nullptr;
    bool isInner = !isInLoop && llvm::all_of(op->getUsers(), [&](Operation *u) {
      return llvm::is_contained(ops, u);
    });
    if (!isInner)
      for (Value init : op.getDpsInits())
        written = written + elements(init) * times * bytesOf(init.getType());
  }

  ArrayRef<Operation *> ops;
  ArrayRef<Value> scalars;
  MLIRContext *context;
  llvm::SmallPtrSet<Value, 8> counted; ///< operands, each read once
  AffineExpr read, written, flops;
};

} // namespace

exec::CostAttr dispatchCost(ArrayRef<Operation *> ops,
                            ArrayRef<Value> scalars) {
  return CostBuilder(ops, scalars).build();
}

} // namespace tpa
