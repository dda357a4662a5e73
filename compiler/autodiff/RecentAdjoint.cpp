//===- RecentAdjoint.cpp - The adjoint of gathered tokens -----------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The adjoint of tpa.recent. A token's cotangent comes from the places of later
// tokens, which no einsum says: it is a generic that reads there, as the
// operation itself becomes one.
//
//===----------------------------------------------------------------------===//

#include "compiler/autodiff/DifferentiableOpInterface.h"
#include "dialects/tpa/TpaDialect.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Arith/Utils/Utils.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"

using namespace mlir;

namespace tpa {
namespace {

/// dx[b,n] = sum over j of dy[b, n + j, j], as far as the row has tokens.
struct RecentAdjoint
    : DifferentiableOpInterface::ExternalModel<RecentAdjoint, RecentOp> {
  LogicalResult buildAdjoint(Operation *op, AdjointBuilder &adjoint) const {
    auto recent = cast<RecentOp>(op);
    if (recent.getRing())
      return recent.emitOpError(
          "has a ring: its adjoint is known for whole rows only");
    OpBuilder &b = adjoint.builder;
    Location loc = op->getLoc();
    Value x = recent.getX(), cotangent = adjoint.cotangentOf(recent);
    auto type = cast<RankedTensorType>(x.getType());
    int64_t rank = type.getRank();
    // Not x's sizes, though they are the same: x need not be saved for them.
    SmallVector<OpFoldResult> sizes = tensor::getMixedSizes(b, loc, cotangent);
    sizes.erase(sizes.begin() + 2);
    Value length = getValueOrCreateConstantIndexOp(b, loc, sizes[1]);
    Value empty = tensor::EmptyOp::create(b, loc, sizes, type.getElementType());

    // The token's own place, j = 0, is an operand; what is behind it is read.
    SmallVector<AffineExpr> own;
    for (int64_t i = 0; i < rank; ++i)
      own.push_back(b.getAffineDimExpr(i));
    own.insert(own.begin() + 2, b.getAffineConstantExpr(0));
    SmallVector<AffineMap> maps = {AffineMap::get(rank, 0, own, b.getContext()),
                                   b.getMultiDimIdentityMap(rank)};
    SmallVector<utils::IteratorType> loops(rank, utils::IteratorType::parallel);
    auto sum = linalg::GenericOp::create(
        b, loc, empty.getType(), cotangent, empty, maps, loops,
        [&](OpBuilder &b, Location, ValueRange in) {
          Value total = in[0];
          for (int64_t j = 1, tokens = recent.getTokens(); j < tokens; ++j)
            total = arith::AddFOp::create(
                b, loc, total, later(b, loc, cotangent, length, j, rank));
          linalg::YieldOp::create(b, loc, total);
        });
    adjoint.add(x, sum.getResult(0));
    return success();
  }

private:
  /// What the token j places on has of this one; zero behind the row's end.
  static Value later(OpBuilder &b, Location loc, Value cotangent, Value length,
                     int64_t j, int64_t rank) {
    Value distance = arith::ConstantIndexOp::create(b, loc, j);
    Value token = arith::AddIOp::create(
        b, loc, linalg::IndexOp::create(b, loc, 1), distance);
    Value isInside =
        arith::CmpIOp::create(b, loc, arith::CmpIPredicate::slt, token, length);
    // An element is read wherever it stands: it must be inside the tensor.
    Value first = arith::ConstantIndexOp::create(b, loc, 0);
    SmallVector<Value> indices = {
        linalg::IndexOp::create(b, loc, 0),
        arith::SelectOp::create(b, loc, isInside, token, first), distance};
    for (int64_t i = 2; i < rank; ++i)
      indices.push_back(linalg::IndexOp::create(b, loc, i));
    Value share = tensor::ExtractOp::create(b, loc, cotangent, indices);
    Value zero = arith::ConstantOp::create(
        b, loc, cast<TypedAttr>(b.getZeroAttr(share.getType())));
    return arith::SelectOp::create(b, loc, isInside, share, zero);
  }
};

} // namespace

void registerRecentAdjoint(DialectRegistry &registry) {
  registry.addExtension(+[](MLIRContext *context, TpaDialect *) {
    RecentOp::attachInterface<RecentAdjoint>(*context);
  });
}

} // namespace tpa
