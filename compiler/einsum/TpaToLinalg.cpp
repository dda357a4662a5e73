//===- TpaToLinalg.cpp - Lowers einsum, map and rope to linalg ------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "compiler/einsum/LinalgBuilder.h"
#include "compiler/einsum/LoweringPatterns.h"
#include "dialects/exec/ExecDialect.h"
#include "dialects/t6/T6Dialect.h"
#include "dialects/tpa/Equation.h"
#include "dialects/tpa/TpaDialect.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/IRMapping.h"

using namespace mlir;

namespace tpa {
namespace {

/// Loops are the output's labels, then the summed ones.
struct LowerEinsum : OpRewritePattern<EinsumOp> {
  using OpRewritePattern::OpRewritePattern;

  LogicalResult matchAndRewrite(EinsumOp op,
                                PatternRewriter &rewriter) const override {
    if (op->getParentOfType<StreamOp>())
      return rewriter.notifyMatchFailure(op, "streams are lowered as a whole");
    if (op.getOperands().size() > 2)
      return op.emitOpError("has more than two operands: run "
                            "tpa-contract-pairwise first");
    Equation equation = Equation::parseVerified(op.getEquation());
    std::string loops = equation.output;
    for (char label : equation.labels())
      if (!llvm::is_contained(loops, label))
        loops += label;
    bool sums = loops.size() > equation.output.size();
    SmallVector<Value> operands(op.getOperands());
    SmallVector<std::pair<Value, std::string>> scales;
    if (sums)
      for (auto [term, operand] : llvm::zip_equal(equation.terms, operands))
        if (Value scale = deferredScale(operand, term, equation.output))
          scales.push_back(
              {scale,
               term.substr(0,
                           cast<RankedTensorType>(scale.getType()).getRank())});

    Location loc = op.getLoc();
    SmallVector<AffineMap> maps;
    for (StringRef term : equation.terms)
      maps.push_back(mapOf(term, loops, op.getContext()));
    maps.push_back(mapOf(equation.output, loops, op.getContext()));
    SmallVector<OpFoldResult> sizes;
    for (char label : equation.output)
      sizes.push_back(sizeOf(rewriter, loc, op, equation, label));
    Type element = cast<RankedTensorType>(op.getType()).getElementType();
    double scale = op.getScale().convertToDouble();
    auto scaled = [&](OpBuilder &b, Value value) -> Value {
      if (scale == 1.0)
        return value;
      Value factor = arith::ConstantOp::create(
          b, loc, b.getFloatAttr(value.getType(), scale));
      return arith::MulFOp::create(b, loc, value, factor);
    };
    Value result =
        generic(rewriter, loc, operands, maps, sizes, element,
                sums ? std::optional<double>(0.0) : std::nullopt,
                [&](OpBuilder &b, ValueRange in) -> Value {
                  Value product = in[0];
                  if (equation.terms.size() == 2)
                    product = arith::MulFOp::create(b, loc, in[0], in[1]);
                  if (!sums)
                    return scaled(b, product);
                  return arith::AddFOp::create(b, loc, in.back(), product);
                });
    if (!scales.empty())
      result = applyScales(rewriter, loc, result, equation.output, scales);
    if (sums && scale != 1.0)
      result =
          elementwise(rewriter, loc, result, [&](OpBuilder &b, ValueRange in) {
            return scaled(b, in[0]);
          });
    rewriter.replaceOp(op, result);
    return success();
  }

private:
  /// The scale of a dequantised operand whose output channels all stay: it can
  /// wait until the sum is done, and the operand becomes the integers. Null for
  /// others.
  static Value deferredScale(Value &operand, StringRef term, StringRef output) {
    auto matrix = operand.getDefiningOp<t6::DequantizeOp>();
    if (!matrix)
      return {};
    Value scale = matrix.getScale();
    int64_t channels = cast<RankedTensorType>(scale.getType()).getRank();
    for (char label : term.take_front(channels))
      if (!llvm::is_contained(output, label))
        return {};
    operand = matrix.getQ();
    return scale;
  }

  static Value applyScales(OpBuilder &b, Location loc, Value result,
                           StringRef output,
                           ArrayRef<std::pair<Value, std::string>> scales) {
    SmallVector<Value> inputs = {result};
    SmallVector<AffineMap> maps = {mapOf(output, output, b.getContext())};
    for (auto [scale, labels] : scales) {
      inputs.push_back(scale);
      maps.push_back(mapOf(labels, output, b.getContext()));
    }
    maps.push_back(maps.front());
    return generic(b, loc, inputs, maps, sizesOf(b, loc, result),
                   getElementTypeOrSelf(result.getType()), std::nullopt,
                   [&](OpBuilder &nested, ValueRange in) {
                     Value value = in[0];
                     for (Value scale : in.drop_front().drop_back())
                       value = arith::MulFOp::create(nested, loc, value, scale);
                     return value;
                   });
  }

  static OpFoldResult sizeOf(OpBuilder &b, Location loc, EinsumOp op,
                             const Equation &equation, char label) {
    for (auto [term, operand] :
         llvm::zip_equal(equation.terms, op.getOperands()))
      if (size_t at = StringRef(term).find(label); at != StringRef::npos)
        return tensor::getMixedSize(b, loc, operand, at);
    llvm_unreachable("every output label occurs in an operand");
  }
};

/// The loops of a map are its labels; indices are those of its loops.
struct LowerMap : OpRewritePattern<MapOp> {
  using OpRewritePattern::OpRewritePattern;

  LogicalResult matchAndRewrite(MapOp op,
                                PatternRewriter &rewriter) const override {
    if (op->getParentOfType<StreamOp>())
      return rewriter.notifyMatchFailure(op, "streams are lowered as a whole");
    Equation equation = Equation::parseVerified(op.getEquation());
    StringRef loops = equation.output;
    Location loc = op.getLoc();
    SmallVector<AffineMap> maps;
    for (StringRef term : equation.terms)
      maps.push_back(mapOf(term, loops, op.getContext()));
    maps.push_back(mapOf(loops, loops, op.getContext()));
    Type element = getElementTypeOrSelf(op.getType());
    Block &body = op.getBody().front();
    Value result = generic(
        rewriter, loc, op.getOperands(), maps,
        sizesOf(rewriter, loc, op.getOperands()[0]), element, std::nullopt,
        [&](OpBuilder &b, ValueRange in) {
          IRMapping map;
          for (auto [argument, value] :
               llvm::zip(body.getArguments(), in.drop_back()))
            map.map(argument,
                    value.getType() == element
                        ? value
                        : Value(arith::ExtFOp::create(b, loc, element, value)));
          for (Operation &inner : body.without_terminator()) {
            auto index = dyn_cast<IndexOp>(inner);
            if (!index) {
              b.clone(inner, map);
              continue;
            }
            map.map(index.getResult(),
                    Value(linalg::IndexOp::create(
                        b, loc, loops.find(index.getLabel()))));
          }
          return map.lookupOrDefault(body.getTerminator()->getOperand(0));
        });
    rewriter.replaceOp(op, result);
    return success();
  }
};

/// Looks cosines and sines up in a constant buffer [positions][2][D/2].
struct LowerRope : OpRewritePattern<RopeOp> {
  LowerRope(MLIRContext *context, ModuleOp module, int64_t positions)
      : OpRewritePattern(context), module(module), positions(positions) {}

  LogicalResult matchAndRewrite(RopeOp op,
                                PatternRewriter &rewriter) const override {
    auto type = cast<RankedTensorType>(op.getX().getType());
    if (type.isDynamicDim(type.getRank() - 1))
      return op.emitOpError("has a dynamic feature dimension");
    if (positions <= 0)
      return op.emitOpError("has no bound on positions: the module has no "
                            "exec.entry and the pass no option positions");
    Location loc = named(op.getLoc(), "rope");
    int64_t rank = type.getRank(), width = type.getShape().back();
    int64_t pairs = int64_t(op.getRope().rotaryWidth(width)) / 2;
    Value whole = op.getX();
    Value rotating = pairs * 2 == width
                         ? whole
                         : firstFeatures(rewriter, loc, whole, pairs * 2);
    bool interleaved = op.getRope().getPairs() == RopePairs::Interleaved;
    Value table = tableOf(rewriter, op, pairs);

    SmallVector<ReassociationIndices> split;
    for (int64_t i = 0; i < rank; ++i)
      split.push_back({i});
    split.back().push_back(rank);
    SmallVector<OpFoldResult> sizes = sizesOf(rewriter, loc, whole);
    sizes.back() = rewriter.getIndexAttr(interleaved ? pairs : 2);
    sizes.push_back(rewriter.getIndexAttr(interleaved ? 2 : pairs));
    SmallVector<int64_t> shape(type.getShape());
    shape.back() = interleaved ? pairs : 2;
    shape.push_back(interleaved ? 2 : pairs);
    Value x = tensor::ExpandShapeOp::create(
        rewriter, loc, RankedTensorType::get(shape, type.getElementType()),
        rotating, split, sizes);

    // The loop `half` selects x1 or x2 of a pair, the loop `pair` which pair.
    unsigned half = interleaved ? rank : rank - 1;
    unsigned pair = interleaved ? rank - 1 : rank;
    AffineMap same = rewriter.getMultiDimIdentityMap(rank + 1);
    SmallVector<AffineExpr> partner(same.getResults());
    partner[half] = 1 - partner[half];
    AffineMap other = AffineMap::get(rank + 1, 0, partner, op.getContext());
    Type element = cast<RankedTensorType>(op.getType()).getElementType();
    Value rotated =
        generic(rewriter, loc, {x, x}, {same, other, same}, sizes, element,
                std::nullopt, [&](OpBuilder &b, ValueRange in) {
                  return rotate(b, loc, op, table, in[0], in[1], half, pair);
                });
    Value result =
        tensor::CollapseShapeOp::create(rewriter, loc, rotated, split);
    if (rotating != whole)
      result = replaceFirstFeatures(rewriter, loc, whole, result, element);
    rewriter.replaceOp(op, result);
    return success();
  }

private:
  static Value firstFeatures(OpBuilder &b, Location loc, Value x,
                             int64_t count) {
    SmallVector<OpFoldResult> sizes = sizesOf(b, loc, x);
    sizes.back() = b.getIndexAttr(count);
    SmallVector<OpFoldResult> offsets(sizes.size(), b.getIndexAttr(0));
    SmallVector<OpFoldResult> strides(sizes.size(), b.getIndexAttr(1));
    return tensor::ExtractSliceOp::create(b, loc, x, offsets, sizes, strides);
  }

  /// x with its first features replaced by those of `first`.
  static Value replaceFirstFeatures(OpBuilder &b, Location loc, Value x,
                                    Value first, Type element) {
    int64_t rank = cast<RankedTensorType>(x.getType()).getRank();
    int64_t count = cast<RankedTensorType>(first.getType()).getShape().back();
    SmallVector<AffineMap> maps(2, b.getMultiDimIdentityMap(rank));
    return generic(
        b, loc, x, maps, sizesOf(b, loc, x), element, std::nullopt,
        [&](OpBuilder &b, ValueRange in) -> Value {
          SmallVector<Value> indices;
          for (int64_t i = 0; i < rank; ++i)
            indices.push_back(linalg::IndexOp::create(b, loc, i));
          Value last = arith::ConstantIndexOp::create(b, loc, count - 1);
          Value rotates = arith::CmpIOp::create(
              b, loc, arith::CmpIPredicate::sle, indices.back(), last);
          // Where nothing rotates, the lookup has to stay inside.
          indices.back() = arith::MinSIOp::create(b, loc, indices.back(), last);
          Value rotated = tensor::ExtractOp::create(b, loc, first, indices);
          return arith::SelectOp::create(b, loc, rotates, rotated, in[0]);
        });
  }

  Value tableOf(PatternRewriter &rewriter, RopeOp op, int64_t pairs) const {
    auto type =
        RankedTensorType::get({positions, 2, pairs}, rewriter.getF32Type());
    unsigned count = 0;
    std::string name;
    for (auto buffer : module.getOps<exec::BufferOp>()) {
      if (!buffer.getSymName().starts_with("rope."))
        continue;
      ++count;
      if (buffer.getType() == type &&
          buffer.getInit() == Attribute(op.getRope()))
        name = buffer.getSymName().str();
    }
    if (name.empty()) {
      name = ("rope." + Twine(count)).str();
      OpBuilder::InsertionGuard guard(rewriter);
      rewriter.setInsertionPointToStart(module.getBody());
      exec::BufferOp::create(rewriter, op.getLoc(),
                             exec::BufferKindAttr::get(
                                 op.getContext(), exec::BufferKind::Constant),
                             rewriter.getStringAttr(name), TypeAttr::get(type),
                             op.getRope(), DenseI64ArrayAttr(), StringAttr(),
                             DenseI64ArrayAttr(), StringAttr(), StringAttr(),
                             ArrayAttr());
    }
    return exec::LoadOp::create(rewriter, op.getLoc(), type, name,
                                ValueRange());
  }

  static Value rotate(OpBuilder &b, Location loc, RopeOp op, Value table,
                      Value self, Value partner, unsigned half, unsigned pair) {
    auto index = [&](unsigned loop) -> Value {
      return linalg::IndexOp::create(b, loc, loop);
    };
    auto constant = [&](int64_t value) -> Value {
      return arith::ConstantIndexOp::create(b, loc, value);
    };
    bool isPerToken =
        cast<RankedTensorType>(op.getPositions().getType()).getRank() == 2;
    SmallVector<Value> token = {index(0)};
    if (isPerToken)
      token.push_back(index(1));
    Value stated = tensor::ExtractOp::create(b, loc, op.getPositions(), token);
    Value position =
        arith::IndexCastOp::create(b, loc, b.getIndexType(), stated);
    if (!isPerToken)
      position = arith::AddIOp::create(b, loc, position, index(1));
    auto entry = [&](int64_t which) -> Value {
      return tensor::ExtractOp::create(
          b, loc, table, ValueRange{position, constant(which), index(pair)});
    };
    Value cosine = entry(0), sine = entry(1);
    Value kept = arith::MulFOp::create(b, loc, self, cosine);
    Value mixed = arith::MulFOp::create(b, loc, partner, sine);
    Value sum = arith::AddFOp::create(b, loc, kept, mixed);
    Value difference = arith::SubFOp::create(b, loc, kept, mixed);
    // y1 = x1 c - x2 s, y2 = x2 c + x1 s; transposed, the signs swap.
    auto predicate = op.getRope().getTransposed() ? arith::CmpIPredicate::ne
                                                  : arith::CmpIPredicate::eq;
    Value subtracts =
        arith::CmpIOp::create(b, loc, predicate, index(half), constant(0));
    return arith::SelectOp::create(b, loc, subtracts, difference, sum);
  }

  mutable ModuleOp module;
  int64_t positions;
};

} // namespace

void populateTpaToLinalgPatterns(RewritePatternSet &patterns, ModuleOp module,
                                 int64_t positions) {
  patterns.add<LowerEinsum, LowerMap>(patterns.getContext());
  patterns.add<LowerRope>(patterns.getContext(), module, positions);
}

} // namespace tpa
