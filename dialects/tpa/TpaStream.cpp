// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Shape inference and verifiers of maps and streams; the labels (Cn) are those
// of each operation's description.

#include "dialects/tpa/Equation.h"
#include "dialects/tpa/TpaDialect.h"
#include "mlir/IR/TypeUtilities.h"

using namespace mlir;
using namespace tpa;

//===----------------------------------------------------------------------===//
// map, index
//===----------------------------------------------------------------------===//

LogicalResult MapOp::inferReturnTypes(MLIRContext *,
                                      std::optional<Location> location,
                                      Adaptor adaptor,
                                      SmallVectorImpl<Type> &results) {
  auto emitError = [&] { return mlir::emitError(*location); };
  // map_c1
  FailureOr<Equation> equation =
      Equation::parse(adaptor.getEquation(), emitError);
  if (failed(equation))
    return failure();
  ValueRange operands = adaptor.getOperands();
  if (equation->terms.size() != operands.size())
    return emitError() << "equation \"" << adaptor.getEquation() << "\" has "
                       << equation->terms.size() << " terms for "
                       << operands.size() << " operands";
  if (equation->output != equation->terms.front())
    return emitError() << "the output of \"" << adaptor.getEquation()
                       << "\" must be its first term";
  for (StringRef term : equation->terms)
    for (char label : term)
      if (!llvm::is_contained(equation->output, label))
        return emitError() << "label '" << Twine(label)
                           << "' is not in the output of \""
                           << adaptor.getEquation() << "\"";
  // map_c2
  LabelSizes sizes;
  for (auto [term, operand] : llvm::zip_equal(equation->terms, operands))
    if (failed(addLabelSizes(term, operand.getType(), sizes, emitError)))
      return failure();
  results.push_back(inferredType(equation->output, sizes, operands.getTypes()));
  return success();
}

Value MapOp::create(OpBuilder &builder, Location loc, const Equation &equation,
                    ValueRange operands,
                    function_ref<Value(OpBuilder &, ValueRange)> body) {
  OperationState state(loc, getOperationName());
  state.addOperands(operands);
  state.addAttribute("equation", builder.getStringAttr(equation.str()));
  Type element = accumulatorType(operands.getTypes());
  Region *region = state.addRegion();
  {
    OpBuilder::InsertionGuard guard(builder);
    SmallVector<Type> types(operands.size(), element);
    SmallVector<Location> locations(operands.size(), loc);
    Block *block = builder.createBlock(region, {}, types, locations);
    YieldOp::create(builder, loc, body(builder, block->getArguments()));
  }
  LabelSizes sizes;
  for (auto [term, operand] : llvm::zip_equal(equation.terms, operands))
    (void)addLabelSizes(term, operand.getType(), sizes,
                        [&] { return mlir::emitError(loc); });
  state.addTypes(inferredType(equation.output, sizes, operands.getTypes()));
  return builder.create(state)->getResult(0);
}

LogicalResult MapOp::verifyRegions() {
  // map_c3
  Type element = getElementTypeOrSelf(getType());
  Block &body = getBody().front();
  auto yield = dyn_cast<YieldOp>(body.getTerminator());
  if (body.getNumArguments() != getOperands().size())
    return emitOpError("body has ")
           << body.getNumArguments() << " arguments for "
           << getOperands().size() << " operands";
  if (!yield || yield.getValues().size() != 1)
    return emitOpError("body must yield one element");
  auto isElement = [&](Type type) { return type == element; };
  if (!llvm::all_of(body.getArgumentTypes(), isElement) ||
      !isElement(yield.getValues()[0].getType()))
    return emitOpError("body must take and yield elements of type ") << element;
  return success();
}

LogicalResult IndexOp::verify() {
  // index_c1
  auto map = (*this)->getParentOfType<MapOp>();
  if (!map)
    return emitOpError("is not inside a tpa.map");
  std::string output = Equation::parseVerified(map.getEquation()).output;
  if (getLabel().size() != 1 || !llvm::is_contained(output, getLabel()[0]))
    return emitOpError("asks for \"")
           << getLabel() << "\", but the map's labels are \"" << output << "\"";
  return success();
}

//===----------------------------------------------------------------------===//
// stream
//===----------------------------------------------------------------------===//

static SmallVector<std::string> splitTerms(StringRef text) {
  SmallVector<StringRef> parts;
  text.split(parts, ',');
  return llvm::to_vector_of<std::string>(
      llvm::map_range(parts, [](StringRef part) { return part.str(); }));
}

SmallVector<std::string> StreamOp::inputTerms() {
  return splitTerms(getEquation().split("->").first);
}

SmallVector<std::string> StreamOp::outTerms() {
  return splitTerms(getEquation().split("->").second);
}

OnlineSoftmaxOp StreamOp::getSoftmax() {
  auto ops = getBody().front().getOps<OnlineSoftmaxOp>();
  return ops.empty() ? OnlineSoftmaxOp() : *ops.begin();
}

SmallVector<int64_t> StreamOp::labelShape(unsigned input) {
  SmallVector<int64_t> shape(
      cast<ShapedType>(getInputs()[input].getType()).getShape());
  if (isPaged(input)) {
    shape[0] = cast<ShapedType>(getPages().getType()).getDimSize(0);
    shape[1] = ShapedType::kDynamic;
  }
  return shape;
}

/// On tensors there are none.
void StreamOp::getEffects(
    SmallVectorImpl<SideEffects::EffectInstance<MemoryEffects::Effect>>
        &effects) {
  for (OpOperand &operand : (*this)->getOpOperands()) {
    if (!isa<MemRefType>(operand.get().getType()))
      continue;
    if (isDpsInput(&operand))
      effects.emplace_back(MemoryEffects::Read::get(), &operand);
    else
      effects.emplace_back(MemoryEffects::Write::get(), &operand);
  }
}

/// Adds the sizes of a tensor or memref behind its first `skipped` dimensions.
static LogicalResult addShape(StringRef term, Type type, LabelSizes &sizes,
                              unsigned skipped,
                              function_ref<InFlightDiagnostic()> emitError) {
  auto shaped = cast<ShapedType>(type);
  if (shaped.getRank() < int64_t(skipped))
    return emitError() << type << " has too few dimensions for term \"" << term
                       << "\"";
  return addLabelSizes(
      term,
      RankedTensorType::get(shaped.getShape().drop_front(skipped),
                            shaped.getElementType()),
      sizes, emitError);
}

/// stream_c7
static LogicalResult checkPaged(StreamOp op, ArrayRef<std::string> terms) {
  bool hasPages = bool(op.getPages());
  if (hasPages != bool(op.getLength()) || hasPages != bool(op.getPaged()))
    return op.emitOpError("needs pages, length and paged together");
  if (!hasPages)
    return success();
  auto table = cast<ShapedType>(op.getPages().getType());
  if (table.getRank() != 2 || !table.getElementType().isInteger(32))
    return op.emitOpError("pages must be a table of i32 of rank 2, but is ")
           << table;
  ArrayRef<int64_t> paged = *op.getPaged();
  for (int64_t input : paged) {
    if (input < 0 || input >= int64_t(terms.size()) ||
        !StringRef(terms[input]).starts_with("bm"))
      return op.emitOpError("operand ")
             << input << " cannot be paged: there is none whose term starts "
             << "with \"bm\"";
    auto pool = cast<ShapedType>(op.getInputs()[input].getType());
    if (pool.getRank() < 2 || pool.isDynamicDim(1) ||
        (int64_t(op.getBlock()) > 0 &&
         pool.getDimSize(1) % int64_t(op.getBlock()) != 0))
      return op.emitOpError("a block of ")
             << op.getBlock() << " keys does not divide the pages of " << pool;
  }
  return success();
}

LogicalResult StreamOp::verify() {
  auto emitError = [&] { return emitOpError(); };
  // stream_c1
  if (!getEquation().contains("->"))
    return emitOpError("equation \"") << getEquation() << "\" has no outputs";
  SmallVector<std::string> terms = inputTerms(), outs = outTerms();
  if (terms.size() != getInputs().size() || outs.size() != getOuts().size())
    return emitOpError("equation \"")
           << getEquation() << "\" does not have a term for each of "
           << getInputs().size() << " operands and an output for each of "
           << getOuts().size() << " outs";
  bool streams = false;
  for (StringRef term : terms)
    streams |= term.contains('m');
  for (StringRef out : outs)
    if (out.contains('m'))
      return emitOpError("output \"") << out << "\" keeps m";
  if (!streams)
    return emitOpError("has no operand with the label m");
  if (failed(checkPaged(*this, terms)))
    return failure();
  // stream_c2
  LabelSizes sizes;
  for (auto [i, operand] : llvm::enumerate(getInputs())) {
    auto type = RankedTensorType::get(
        labelShape(i), cast<ShapedType>(operand.getType()).getElementType());
    if (failed(addShape(terms[i], type, sizes, 0, emitError)))
      return failure();
  }
  // stream_c3
  for (auto [out, value] : llvm::zip_equal(outs, getOuts())) {
    if (failed(addShape(out, value.getType(), sizes, 1, emitError)))
      return failure();
    if (cast<ShapedType>(value.getType()).getDimSize(0) != int64_t(getSplits()))
      return emitOpError("an out is ") << value.getType() << ", but there are "
                                       << getSplits() << " splits";
  }
  // stream_c8
  for (char label : {'b', 'n'})
    for (StringRef out : outs)
      if (sizes.contains(label) && sizes.lookup(label) != 1 &&
          !out.contains(label))
        return emitOpError("output \"")
               << out << "\" lacks the label '" << Twine(label)
               << "' that an operand has";
  // stream_c5
  if (int64_t(getBlock()) <= 0 || int64_t(getSplits()) <= 0)
    return emitOpError("block and splits must be positive");
  // stream_c6
  bool onTensors = isa<RankedTensorType>(getOuts().front().getType());
  if (getNumResults() != (onTensors ? getOuts().size() : 0))
    return emitOpError("has ")
           << getNumResults() << " results for " << getOuts().size() << " outs";
  return success();
}

LogicalResult StreamOp::verifyRegions() {
  // stream_c4
  Block &body = getBody().front();
  auto emitError = [&] { return emitOpError(); };
  SmallVector<std::string> terms = inputTerms(), outs = outTerms();
  if (body.getNumArguments() != terms.size())
    return emitOpError("body has ")
           << body.getNumArguments() << " arguments for " << terms.size()
           << " operands";
  LabelSizes sizes;
  for (auto [i, operand, argument] :
       llvm::enumerate(getInputs(), body.getArguments())) {
    StringRef term = terms[i];
    auto shaped = cast<ShapedType>(operand.getType());
    SmallVector<int64_t> shape = labelShape(i);
    if (size_t at = term.find('m'); at != StringRef::npos)
      shape[at] = ShapedType::kDynamic;
    auto expected = RankedTensorType::get(shape, shaped.getElementType());
    if (argument.getType() != expected)
      return emitOpError("body takes ")
             << argument.getType() << " for term \"" << term
             << "\", but must take " << expected;
    if (failed(addShape(term, expected, sizes, 0, emitError)))
      return failure();
  }
  auto softmaxes = llvm::to_vector(body.getOps<OnlineSoftmaxOp>());
  if (softmaxes.size() > 1)
    return emitOpError("has more than one tpa.online_softmax");
  size_t carried = 2 * softmaxes.size();
  auto yield = dyn_cast<YieldOp>(body.getTerminator());
  if (!yield || yield.getValues().size() + carried != outs.size())
    return emitOpError("must yield a value for each of ")
           << outs.size() << " outputs"
           << (carried ? " but the maximum and the sum of weights" : "");
  for (auto [out, value] :
       llvm::zip_equal(ArrayRef(outs).drop_front(carried), yield.getValues())) {
    if (!isa<RankedTensorType>(value.getType()))
      return emitOpError("yields ")
             << value.getType() << ", which is no tensor";
    if (failed(addShape(out, value.getType(), sizes, 0, emitError)))
      return failure();
  }
  return success();
}

LogicalResult OnlineSoftmaxOp::inferReturnTypes(
    MLIRContext *, std::optional<Location> location, Adaptor adaptor,
    SmallVectorImpl<Type> &results) {
  // online_softmax_c1
  auto type = dyn_cast<RankedTensorType>(adaptor.getX().getType());
  int64_t dim = adaptor.getDim();
  if (!type || dim < 0 || dim >= type.getRank())
    return mlir::emitError(*location)
           << "dimension " << dim << " is none of " << adaptor.getX().getType();
  results.push_back(type);
  return success();
}

//===----------------------------------------------------------------------===//
// merge
//===----------------------------------------------------------------------===//

LogicalResult MergeOp::inferReturnTypes(MLIRContext *,
                                        std::optional<Location> location,
                                        Adaptor adaptor,
                                        SmallVectorImpl<Type> &results) {
  auto emitError = [&] { return mlir::emitError(*location); };
  // merge_c1
  FailureOr<Equation> equation =
      Equation::parse(adaptor.getEquation(), emitError);
  if (failed(equation))
    return failure();
  ArrayRef<std::string> terms = equation->terms;
  ValueRange operands = adaptor.getOperands();
  if (terms.size() != operands.size() || terms.size() < 3 || terms.size() > 4)
    return emitError()
           << "equation \"" << adaptor.getEquation()
           << "\" must have a term for each of maxima, sums, values "
              "and, if there are any, sinks";
  auto within = [](StringRef labels, StringRef others) {
    return llvm::all_of(labels, [&](char c) { return others.contains(c); });
  };
  if (terms[0] != terms[1] || !within(terms[0], terms[2]) ||
      equation->output != terms[2] ||
      (terms.size() == 4 && !within(terms[3], terms[0])))
    return emitError() << "equation \"" << adaptor.getEquation()
                       << "\" is not of the form \"rows,rows,values->values\"";
  // merge_c2
  LabelSizes sizes;
  int64_t parts = ShapedType::kDynamic;
  for (auto [i, operand] : llvm::enumerate(operands)) {
    if (!isa<RankedTensorType>(operand.getType()))
      return emitError() << "operands must be ranked tensors";
    bool hasParts = i < 3;
    if (failed(
            addShape(terms[i], operand.getType(), sizes, hasParts, emitError)))
      return failure();
    if (!hasParts)
      continue;
    int64_t first = cast<RankedTensorType>(operand.getType()).getDimSize(0);
    if (i > 0 && first != parts)
      return emitError() << "operands have " << parts << " and " << first
                         << " parts";
    parts = first;
  }
  results.push_back(inferredType(equation->output, sizes, operands.getTypes()));
  return success();
}
