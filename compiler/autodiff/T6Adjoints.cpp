//===- T6Adjoints.cpp - Adjoints of the t6 dialect ------------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Adjoints of the layers, of the loss and of the embedding.
//
//===----------------------------------------------------------------------===//

#include "compiler/autodiff/DifferentiableOpInterface.h"
#include "compiler/autodiff/PointwiseAdjoint.h"
#include "dialects/t6/T6Dialect.h"
#include "dialects/tpa/TpaDialect.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"

using namespace mlir;

namespace tpa {
namespace {

/// With r = 1 / sqrt(mean(x^2) + eps) and g = dy weight:
/// dx = r (g - x r^2 mean(g x)), d weight = sum over tokens of dy x r.
struct RmsNormAdjoint
    : DifferentiableOpInterface::ExternalModel<RmsNormAdjoint, t6::RmsNormOp> {
  LogicalResult buildAdjoint(Operation *op, AdjointBuilder &adjoint) const {
    auto norm = cast<t6::RmsNormOp>(op);
    OpBuilder &b = adjoint.builder;
    Location loc = op->getLoc();
    Value x = norm.getX(), g = adjoint.cotangentOf(norm.getResult());
    auto type = cast<RankedTensorType>(x.getType());
    int64_t width = type.getShape().back();
    if (ShapedType::isDynamic(width))
      return norm.emitOpError("has a dynamic last dimension");
    std::string all = lettersOf(type.getRank());
    std::string row = StringRef(all).drop_back().str(), last(1, all.back());
    auto meanOfProduct = [&](Value left, Value right) -> Value {
      return EinsumOp::create(b, loc, all + "," + all + "->" + row,
                              ValueRange{left, right}, APFloat(1.0 / width));
    };
    double eps = norm.getEps().convertToDouble();
    auto inverseRoot = [&](OpBuilder &b, Value square) -> Value {
      Value shift = arith::ConstantOp::create(
          b, loc, b.getFloatAttr(square.getType(), eps));
      Value shifted = arith::AddFOp::create(b, loc, square, shift);
      return math::RsqrtOp::create(b, loc, shifted);
    };
    Value square = meanOfProduct(x, x);
    if (Value weight = norm.getWeight()) {
      Value normed = MapOp::create(
          b, loc, Equation{{all, row}, all}, {x, square},
          [&](OpBuilder &b, ValueRange in) -> Value {
            return arith::MulFOp::create(b, loc, in[0], inverseRoot(b, in[1]));
          });
      adjoint.add(weight,
                  EinsumOp::create(b, loc, all + "," + all + "->" + last,
                                   ValueRange{g, normed}, APFloat(1.0)));
      g = EinsumOp::create(b, loc, all + "," + last + "->" + all,
                           ValueRange{g, weight}, APFloat(1.0));
    }
    Value inner = meanOfProduct(g, x);
    adjoint.add(
        x,
        MapOp::create(b, loc, Equation{{all, all, row, row}, all},
                      {g, x, square, inner},
                      [&](OpBuilder &b, ValueRange in) -> Value {
                        Value root = inverseRoot(b, in[2]);
                        Value part = arith::MulFOp::create(b, loc, in[3], root);
                        part = arith::MulFOp::create(b, loc, part, root);
                        part = arith::MulFOp::create(b, loc, part, in[1]);
                        Value rest = arith::SubFOp::create(b, loc, in[0], part);
                        return arith::MulFOp::create(b, loc, rest, root);
                      }));
    return success();
  }
};

struct SwigluAdjoint
    : DifferentiableOpInterface::ExternalModel<SwigluAdjoint, t6::SwigluOp> {
  LogicalResult buildAdjoint(Operation *op, AdjointBuilder &adjoint) const {
    Location loc = op->getLoc();
    Equation equation;
    equation.output =
        lettersOf(cast<RankedTensorType>(op->getResult(0).getType()).getRank());
    equation.terms.assign(2, equation.output);
    return addPointwiseAdjoint(
        adjoint, op, equation, [&](OpBuilder &b, ValueRange in) -> Value {
          Value one = arith::ConstantOp::create(
              b, loc, b.getFloatAttr(in[0].getType(), 1.0));
          Value power =
              math::ExpOp::create(b, loc, arith::NegFOp::create(b, loc, in[0]));
          Value spread = arith::AddFOp::create(b, loc, one, power);
          Value silu = arith::DivFOp::create(b, loc, in[0], spread);
          return arith::MulFOp::create(b, loc, silu, in[1]);
        });
  }
};

struct CrossEntropyAdjoint
    : DifferentiableOpInterface::ExternalModel<CrossEntropyAdjoint,
                                               t6::CrossEntropyOp> {
  LogicalResult buildAdjoint(Operation *op, AdjointBuilder &adjoint) const {
    auto loss = cast<t6::CrossEntropyOp>(op);
    if (adjoint.cotangentOf(loss.getTokenLoss()) ||
        adjoint.cotangentOf(loss.getLogSumExp()))
      return loss.emitOpError("is differentiated at its mean alone");
    adjoint.add(loss.getLogits(),
                t6::CrossEntropyGradientOp::create(
                    adjoint.builder, op->getLoc(),
                    adjoint.cotangentOf(loss.getLoss()), loss.getLogits(),
                    loss.getTargets(), loss.getLogSumExp()));
    return success();
  }
};

struct EmbeddingAdjoint
    : DifferentiableOpInterface::ExternalModel<EmbeddingAdjoint,
                                               t6::EmbeddingOp> {
  LogicalResult buildAdjoint(Operation *op, AdjointBuilder &adjoint) const {
    auto embedding = cast<t6::EmbeddingOp>(op);
    Value cotangent = adjoint.cotangentOf(embedding.getResult());
    if (!cast<RankedTensorType>(embedding.getTable().getType())
             .hasStaticShape())
      return embedding.emitOpError("is differentiated with static sizes only");
    adjoint.update(embedding.getTable(), [&](Value gradient) -> Value {
      return t6::EmbeddingGradientOp::create(adjoint.builder, op->getLoc(),
                                             gradient, embedding.getTokens(),
                                             cotangent);
    });
    return success();
  }
};

/// The parts' cotangents side by side.
struct SplitAdjoint
    : DifferentiableOpInterface::ExternalModel<SplitAdjoint, t6::SplitOp> {
  LogicalResult buildAdjoint(Operation *op, AdjointBuilder &adjoint) const {
    auto split = cast<t6::SplitOp>(op);
    OpBuilder &b = adjoint.builder;
    Location loc = op->getLoc();
    auto type = cast<RankedTensorType>(split.getX().getType());
    int64_t axis = split.getAxis(), offset = 0;
    if (!type.hasStaticShape())
      return split.emitOpError("is differentiated with static sizes only");
    bool isWhole = llvm::all_of(split.getResults(), [&](Value part) {
      return bool(adjoint.cotangentOf(part));
    });
    Value whole = isWhole ? Value(tensor::EmptyOp::create(
                                b, loc, type.getShape(), type.getElementType()))
                          : adjoint.zeros(loc, type);
    for (Value part : split.getResults()) {
      int64_t size = cast<RankedTensorType>(part.getType()).getDimSize(axis);

      if (Value cotangent = adjoint.cotangentOf(part)) {
        SmallVector<OpFoldResult> offsets(type.getRank(), b.getIndexAttr(0)),
            strides(type.getRank(), b.getIndexAttr(1)),
            sizes = tensor::getMixedSizes(b, loc, part);
        offsets[axis] = b.getIndexAttr(offset);
        whole = tensor::InsertSliceOp::create(b, loc, cotangent, whole, offsets,
                                              sizes, strides);
      }
      offset += size;
    }
    adjoint.add(split.getX(), whole);
    return success();
  }
};

} // namespace

void registerT6Adjoints(DialectRegistry &registry) {
  registry.addExtension(+[](MLIRContext *context, t6::T6Dialect *) {
    t6::RmsNormOp::attachInterface<RmsNormAdjoint>(*context);
    t6::SwigluOp::attachInterface<SwigluAdjoint>(*context);
    t6::CrossEntropyOp::attachInterface<CrossEntropyAdjoint>(*context);
    t6::EmbeddingOp::attachInterface<EmbeddingAdjoint>(*context);
    t6::SplitOp::attachInterface<SplitAdjoint>(*context);
  });
}

} // namespace tpa
