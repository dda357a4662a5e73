//===- TpaOps.cpp - Shapes and verifiers of tpa operations ----------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Shape inference and verifiers of the tpa operations; the labels (Cn) are
// those of each operation's description.
//
//===----------------------------------------------------------------------===//

#include "dialects/tpa/Equation.h"
#include "dialects/tpa/TpaDialect.h"
#include "mlir/IR/Builders.h"
#include "mlir/IR/TypeUtilities.h"
#include <cmath>

using namespace mlir;
using namespace tpa;

/// Results on tensors are the outs; nothing is written about them.
static ParseResult parseStreamResults(OpAsmParser &,
                                      SmallVectorImpl<Type> &results,
                                      ArrayRef<Type> outs) {
  if (!outs.empty() && isa<RankedTensorType>(outs.front()))
    llvm::append_range(results, outs);
  return success();
}

static void printStreamResults(OpAsmPrinter &, Operation *, TypeRange,
                               TypeRange) {}

#define GET_OP_CLASSES
#include "dialects/tpa/TpaOps.cpp.inc"

static LogicalResult checkRank(Value value, StringRef name, int64_t rank,
                               function_ref<InFlightDiagnostic()> emitError) {
  auto type = dyn_cast<RankedTensorType>(value.getType());
  if (!type || type.getRank() != rank)
    return emitError() << name << " must have rank " << rank << ", but is "
                       << value.getType();
  return success();
}

/// Runs inference of an operation that is an einsum under fixed labels.
static FailureOr<LabelSizes>
inferSizes(ArrayRef<std::pair<StringRef, Value>> terms,
           function_ref<InFlightDiagnostic()> emitError) {
  LabelSizes sizes;
  for (auto [term, value] : terms)
    if (failed(addLabelSizes(term, value.getType(), sizes, emitError)))
      return failure();
  return sizes;
}

//===----------------------------------------------------------------------===//
// einsum, factorize, materialize, softmax
//===----------------------------------------------------------------------===//

LogicalResult EinsumOp::inferReturnTypes(MLIRContext *,
                                         std::optional<Location> location,
                                         Adaptor adaptor,
                                         SmallVectorImpl<Type> &results) {
  auto emitError = [&] { return mlir::emitError(*location); };
  ValueRange operands = adaptor.getOperands();
  // einsum_c1, einsum_c4, einsum_c5
  FailureOr<Equation> equation =
      Equation::parse(adaptor.getEquation(), emitError);
  if (failed(equation))
    return failure();
  if (equation->terms.size() != operands.size())
    return emitError() << "equation \"" << adaptor.getEquation() << "\" has "
                       << equation->terms.size() << " terms for "
                       << operands.size() << " operands";
  // einsum_c2, einsum_c3
  LabelSizes sizes;
  for (auto [term, operand] : llvm::zip_equal(equation->terms, operands))
    if (failed(addLabelSizes(term, operand.getType(), sizes, emitError)))
      return failure();
  results.push_back(inferredType(equation->output, sizes, operands.getTypes()));
  return success();
}

LogicalResult FactorizeOp::inferReturnTypes(MLIRContext *,
                                            std::optional<Location> location,
                                            Adaptor adaptor,
                                            SmallVectorImpl<Type> &results) {
  // factorize_c1, factorize_c2
  FailureOr<LabelSizes> sizes =
      inferSizes({{"bnc", adaptor.getX()},
                  {"hrc", adaptor.getWA()},
                  {"rdc", adaptor.getWB()}},
                 [&] { return mlir::emitError(*location); });
  if (failed(sizes))
    return failure();
  TypeRange operands(adaptor.getOperands());
  results.push_back(inferredType("bnrh", *sizes, operands));
  results.push_back(inferredType("bnrd", *sizes, operands));
  return success();
}

std::string MaterializeOp::equationOf(Type a, Type b) {
  auto rankOf = [](Type type) {
    auto tensor = dyn_cast<RankedTensorType>(type);
    return tensor ? tensor.getRank() : 0;
  };
  StringRef featureLabels = "defgijkl";
  StringRef features =
      featureLabels.take_front(std::max<int64_t>(rankOf(b) - 3, 1));
  StringRef termA = rankOf(a) == 2 ? "rh" : "bnrh";
  StringRef tokenB = rankOf(b) == 2 ? "r" : "bnr";
  return (termA + "," + tokenB + features + "->bnh" + features).str();
}

LogicalResult MaterializeOp::inferReturnTypes(MLIRContext *,
                                              std::optional<Location> location,
                                              Adaptor adaptor,
                                              SmallVectorImpl<Type> &results) {
  Value a = adaptor.getA(), b = adaptor.getB();
  std::string text = equationOf(a.getType(), b.getType());
  // materialize_c2
  if (StringRef(text).starts_with("rh,rd->"))
    return mlir::emitError(*location) << "neither A nor B has b and n";
  Equation equation = Equation::parseVerified(text);
  // materialize_c1
  FailureOr<LabelSizes> sizes =
      inferSizes({{equation.terms[0], a}, {equation.terms[1], b}},
                 [&] { return mlir::emitError(*location); });
  if (failed(sizes))
    return failure();
  results.push_back(
      inferredType(equation.output, *sizes, TypeRange(adaptor.getOperands())));
  return success();
}

LogicalResult SoftmaxOp::inferReturnTypes(MLIRContext *,
                                          std::optional<Location> location,
                                          Adaptor adaptor,
                                          SmallVectorImpl<Type> &results) {
  // softmax_c1
  auto type = dyn_cast<RankedTensorType>(adaptor.getX().getType());
  if (!type || type.getRank() == 0)
    return mlir::emitError(*location)
           << "x must have rank 1 or more, but is " << adaptor.getX().getType();
  results.push_back(type);
  return success();
}

/// softmax_c2, log_sum_exp_c2
template <typename Op> static LogicalResult verifySinks(Op op) {
  if (bool(op.getSinks()) != bool(op.getAlong()))
    return op.emitOpError("takes sinks if, and only if, it takes along");
  if (!op.getSinks())
    return success();
  auto type = cast<RankedTensorType>(op.getX().getType());
  auto sinks = cast<RankedTensorType>(op.getSinks().getType());
  ArrayRef<int64_t> along = *op.getAlong();
  if (int64_t(along.size()) != sinks.getRank())
    return op.emitOpError("along has ")
           << along.size() << " dimensions, but sinks is " << sinks;
  int64_t previous = -1;
  for (auto [dim, size] : llvm::zip_equal(along, sinks.getShape())) {
    if (dim <= previous || dim >= type.getRank() - 1)
      return op.emitOpError("along must list dimensions of x but the last, "
                            "in increasing order");
    previous = dim;
    if (failed(verifyCompatibleShape({type.getDimSize(dim)}, {size})))
      return op.emitOpError("dimension ")
             << dim << " of x has size " << type.getDimSize(dim)
             << ", but that of sinks " << size;
  }
  return success();
}

LogicalResult SoftmaxOp::verify() { return verifySinks(*this); }

LogicalResult LogSumExpOp::inferReturnTypes(MLIRContext *,
                                            std::optional<Location> location,
                                            Adaptor adaptor,
                                            SmallVectorImpl<Type> &results) {
  // log_sum_exp_c1
  auto type = dyn_cast<RankedTensorType>(adaptor.getX().getType());
  if (!type || type.getRank() == 0)
    return mlir::emitError(*location)
           << "x must have rank 1 or more, but is " << adaptor.getX().getType();
  results.push_back(RankedTensorType::get(type.getShape().drop_back(),
                                          type.getElementType()));
  return success();
}

LogicalResult LogSumExpOp::verify() { return verifySinks(*this); }

//===----------------------------------------------------------------------===//
// rope
//===----------------------------------------------------------------------===//

LogicalResult RopeOp::inferReturnTypes(MLIRContext *,
                                       std::optional<Location> location,
                                       Adaptor adaptor,
                                       SmallVectorImpl<Type> &results) {
  auto type = cast<RankedTensorType>(adaptor.getX().getType());
  results.push_back(
      RankedTensorType::get(type.getShape(), accumulatorType(type)));
  return success();
}

LogicalResult RopeOp::verify() {
  auto type = cast<RankedTensorType>(getX().getType());
  // rope_c1
  if (type.getRank() < 3)
    return emitOpError("x must have rank 3 or more, but is ") << type;
  int64_t width = type.getShape().back();
  double rotated = getRope().rotaryWidth(width);
  if (!ShapedType::isDynamic(width) &&
      (rotated < 2 || std::fmod(rotated, 2.0) != 0.0))
    return emitOpError("rotates pairs, but the rotated part of the last "
                       "dimension of x, ")
           << width << ", is not an even number";
  // rope_c2
  auto emitError = [&] { return emitOpError(); };
  auto positions = cast<RankedTensorType>(getPositions().getType());
  if (positions.getRank() != 1 && positions.getRank() != 2)
    return emitOpError("positions must have rank 1 or 2, but is ") << positions;
  LabelSizes sizes;
  sizes['b'] = type.getDimSize(0);
  sizes['n'] = type.getDimSize(1);
  return addLabelSizes(StringRef("bn").take_front(positions.getRank()),
                       positions, sizes, emitError);
}

//===----------------------------------------------------------------------===//
// recent
//===----------------------------------------------------------------------===//

LogicalResult RecentOp::inferReturnTypes(MLIRContext *,
                                         std::optional<Location> location,
                                         Adaptor adaptor,
                                         SmallVectorImpl<Type> &results) {
  auto type = cast<RankedTensorType>(adaptor.getX().getType());
  // recent_c1
  if (type.getRank() < 2)
    return mlir::emitError(*location)
           << "x must have rank 2 or more, but is " << type;
  SmallVector<int64_t> shape(type.getShape());
  shape.insert(shape.begin() + 2, adaptor.getTokens());
  results.push_back(RankedTensorType::get(shape, accumulatorType(type)));
  return success();
}

LogicalResult RecentOp::verify() {
  auto type = cast<RankedTensorType>(getX().getType());
  auto emitError = [&] { return emitOpError(); };
  // recent_c2
  auto positions = cast<RankedTensorType>(getPositions().getType());
  if (positions.getRank() != 1)
    return emitOpError("positions must have rank 1, but is ") << positions;
  LabelSizes sizes;
  sizes['b'] = type.getDimSize(0);
  if (failed(addLabelSizes("b", positions, sizes, emitError)))
    return failure();
  // recent_c3
  if (int64_t(getTokens()) < 2)
    return emitOpError("gathers ")
           << int64_t(getTokens())
           << " tokens, but must gather at least 2, of which one is the token "
              "itself";
  // recent_c4
  if (!getRing())
    return success();
  auto ring = cast<RankedTensorType>(getRing().getType());
  SmallVector<int64_t> shape(type.getShape());
  shape[1] = getTokens();
  if (failed(verifyCompatibleShape(ring.getShape(), shape)))
    return emitOpError("ring is ")
           << ring << ", but must be x with " << int64_t(getTokens())
           << " tokens, x being " << type;
  return success();
}

//===----------------------------------------------------------------------===//
// attention
//===----------------------------------------------------------------------===//

namespace {
/// What the equations of an attention, checked against its operands, yield.
struct AttentionShape {
  LabelSizes sizes;
  /// Labels of the scores.
  std::string weight;
  RankedTensorType result;
};
} // namespace

/// attention_c4, attention_c10
static LogicalResult checkFactor(StringRef term, Type type, LabelSizes &sizes,
                                 function_ref<InFlightDiagnostic()> emitError) {
  if (term.contains('n') && term.contains(AttentionOp::streamLabel))
    return emitError() << "factor \"" << term
                       << "\" has the query index n and the key index m: what "
                          "is cached of a key cannot depend on a query";
  return addLabelSizes(term, type, sizes, emitError);
}

/// attention_c1, attention_c2, attention_c4
static LogicalResult inferScores(AttentionOp::Adaptor op, AttentionShape &shape,
                                 function_ref<InFlightDiagnostic()> emitError) {
  ValueRange factors = op.getScoreFactors();
  for (Attribute text : op.getScores()) {
    // Inference runs on what was parsed, before attributes are verified.
    auto source = dyn_cast<StringAttr>(text);
    if (!source)
      return emitError() << "score equations must be strings, but one is "
                         << text;
    auto [terms, output] = source.getValue().split("->");
    if (output.contains(AttentionOp::streamLabel) &&
        !terms.contains(AttentionOp::streamLabel))
      return emitError() << "no factor of score equation " << source
                         << " has the key index m";
    FailureOr<Equation> score = Equation::parse(source.getValue(), emitError);
    if (failed(score))
      return failure();
    if (score->terms.size() > factors.size())
      return emitError() << "score equations have more terms than the "
                         << op.getScoreFactors().size() << " score factors";
    for (StringRef term : score->terms) {
      if (failed(checkFactor(term, factors.front().getType(), shape.sizes,
                             emitError)))
        return failure();
      factors = factors.drop_front();
    }
    output = score->output;
    if (!output.starts_with("b") || !output.contains('n') ||
        !output.ends_with(StringRef(&AttentionOp::streamLabel, 1)))
      return emitError() << "score equation " << source
                         << " must yield b first, m last and n between them";
    if (!shape.weight.empty() && shape.weight != output)
      return emitError() << "score equations yield \"" << shape.weight
                         << "\" and \"" << output
                         << "\": all must yield the same labels";
    shape.weight = output.str();
  }
  if (shape.weight.empty())
    return emitError() << "needs a score equation";
  if (!factors.empty())
    return emitError() << "score equations have fewer terms than the "
                       << op.getScoreFactors().size() << " score factors";
  return success();
}

/// attention_c3, attention_c4, attention_c5
static LogicalResult inferValue(AttentionOp::Adaptor op, AttentionShape &shape,
                                function_ref<InFlightDiagnostic()> emitError) {
  FailureOr<Equation> value = Equation::parse(op.getValue(), emitError);
  if (failed(value))
    return failure();
  if (value->terms.front() != shape.weight)
    return emitError() << "the value equation's first term is \""
                       << value->terms.front() << "\", but the scores yield \""
                       << shape.weight << "\"";
  if (value->terms.size() != op.getValueFactors().size() + 1)
    return emitError() << "the value equation has " << value->terms.size() - 1
                       << " terms after the weight for "
                       << op.getValueFactors().size() << " value factors";
  if (llvm::is_contained(value->output, AttentionOp::streamLabel))
    return emitError() << "the value equation keeps m: it must be summed over";
  for (char label : {'b', 'n'})
    if (!llvm::is_contained(value->output, label))
      return emitError() << "the value equation sums over " << Twine(label)
                         << ": its output must have b and n";
  bool streamed = false;
  for (auto [term, factor] : llvm::zip_equal(
           ArrayRef(value->terms).drop_front(), op.getValueFactors())) {
    if (failed(checkFactor(term, factor.getType(), shape.sizes, emitError)))
      return failure();
    streamed |= llvm::is_contained(term, AttentionOp::streamLabel);
  }
  if (!streamed)
    return emitError() << "no value factor has the key index m";
  SmallVector<Type> factors(op.getScoreFactors().getTypes());
  llvm::append_range(factors, op.getValueFactors().getTypes());
  shape.result = inferredType(value->output, shape.sizes, factors);
  return success();
}

static FailureOr<AttentionShape>
inferAttention(AttentionOp::Adaptor op,
               function_ref<InFlightDiagnostic()> emitError) {
  AttentionShape shape;
  if (failed(inferScores(op, shape, emitError)) ||
      failed(inferValue(op, shape, emitError)))
    return failure();
  return shape;
}

LogicalResult AttentionOp::inferReturnTypes(MLIRContext *,
                                            std::optional<Location> location,
                                            Adaptor adaptor,
                                            SmallVectorImpl<Type> &results) {
  FailureOr<AttentionShape> shape =
      inferAttention(adaptor, [&] { return mlir::emitError(*location); });
  if (failed(shape))
    return failure();
  results.push_back(shape->result);
  return success();
}

/// attention_c8: `what` is indexed by labels that tell rows of scores apart.
static LogicalResult checkRowOperand(AttentionOp op, StringRef what,
                                     std::optional<StringRef> labels,
                                     Value operand, AttentionShape &shape) {
  auto emitError = [&] { return op.emitOpError(); };
  if (bool(operand) != labels.has_value())
    return emitError() << "states " << what
                       << " if, and only if, it states their labels";
  if (!operand)
    return success();
  std::string rows = shape.weight;
  llvm::erase_if(rows, [](char label) {
    return label == 'b' || label == 'n' || label == AttentionOp::streamLabel;
  });
  for (auto [i, label] : llvm::enumerate(*labels))
    if (rows.find(label) == std::string::npos ||
        labels->take_front(i).contains(label))
      return emitError() << what << " are indexed by \"" << *labels
                         << "\", but must be by labels of \"" << rows
                         << "\", each once";
  return addLabelSizes(*labels, operand.getType(), shape.sizes, emitError);
}

/// attention_c13
static LogicalResult checkPinned(AttentionOp op) {
  if (!op.getPinCache())
    return success();
  SmallVector<std::string> terms;
  for (auto text : op.getScores().getAsRange<StringAttr>())
    llvm::append_range(terms, Equation::parseVerified(text.getValue()).terms);
  Equation value = Equation::parseVerified(op.getValue());
  llvm::append_range(terms, llvm::drop_begin(value.terms));
  for (StringRef term : terms)
    if (term.contains(AttentionOp::streamLabel) && !term.starts_with("bm"))
      return op.emitOpError() << "pins the cache to a factor read as \"" << term
                              << "\": b and m must be its first labels";
  return success();
}

LogicalResult AttentionOp::verify() {
  // attention_c6
  if (bool(getPositions()) != getCausal())
    return emitOpError("takes positions if, and only if, it is causal");
  auto emitError = [&] { return emitOpError(); };
  FailureOr<AttentionShape> shape = inferAttention(Adaptor(*this), emitError);
  if (failed(shape))
    return failure();
  if (getPositions() &&
      (failed(checkRank(getPositions(), "positions", 1, emitError)) ||
       failed(addLabelSizes("b", getPositions().getType(), shape->sizes,
                            emitError))))
    return failure();
  if (failed(checkRowOperand(*this, "slopes", getSlopeLabels(), getSlopes(),
                             *shape)) ||
      failed(
          checkRowOperand(*this, "sinks", getSinkLabels(), getSinks(), *shape)))
    return failure();
  // attention_c11
  for (auto [i, factor] : llvm::enumerate(getScoreFactors())) {
    Operation *def = factor.getDefiningOp();
    if (def && def->getBlock() == (*this)->getBlock() &&
        !def->isBeforeInBlock(*this))
      return emitOpError("score factor ")
             << i << " is not computed before the attention: a score cannot "
             << "depend on the value side";
  }
  // attention_c9
  if (getSinks() && getNormalizer() != Normalizer::Softmax)
    return emitOpError("has sinks, but no softmax that they take part in");
  if (getSlopes() && !getCausal())
    return emitOpError("has slopes but is not causal");
  // attention_c12
  if (getAncestors()) {
    if (failed(checkRank(getAncestors(), "ancestors", 2, emitError)) ||
        failed(addLabelSizes("bn", getAncestors().getType(), shape->sizes,
                             emitError)))
      return failure();
    int64_t tokens =
        cast<RankedTensorType>(getAncestors().getType()).getDimSize(1);
    if (ShapedType::isDynamic(tokens) || tokens > 64)
      return emitOpError("has ancestors of ")
             << (ShapedType::isDynamic(tokens) ? "an unknown number of"
                                               : Twine(tokens))
             << " queries, but a mask holds 64 bits";
    if (!getCausal() || getWindow() || getSlopes())
      return emitOpError("has ancestors, but is not causal or has a window or "
                         "slopes");
  }
  // attention_c7
  if (getWindow() && !getCausal())
    return emitOpError("has a window but is not causal");
  if (getWindow() && *getWindow() <= 0)
    return emitOpError("window must be positive");
  if (getSoftcap() && !(getSoftcap()->convertToDouble() > 0))
    return emitOpError("softcap must be positive");
  return checkPinned(*this);
}

std::pair<StringRef, OperandRange> AttentionOp::scoreTerm(unsigned i) {
  unsigned first = 0;
  for (unsigned k = 0;; ++k) {
    StringRef equation = cast<StringAttr>(getScores()[k]).getValue();
    unsigned terms = Equation::parseVerified(equation).terms.size();
    if (k == i)
      return {equation, getScoreFactors().slice(first, terms)};
    first += terms;
  }
}
