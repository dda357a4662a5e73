//===- EntryParams.cpp - What a program keeps ----------------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The parameters, caches and rings of a model, and the buffers that hold them.
//
//===----------------------------------------------------------------------===//

#include "compiler/model/CheckAttention.h"
#include "compiler/model/EntryBuilder.h"
#include "compiler/model/Initialiser.h"
#include "dialects/t6/Layout.h"
#include "dialects/tpa/Equation.h"

using namespace mlir;

namespace tpa {

/// Calls `found` with each term that has the key index, and the number of its
/// operand.
static void walkStreamed(AttentionOp op,
                         llvm::function_ref<void(StringRef, unsigned)> found) {
  auto add = [&](ArrayRef<std::string> terms, OperandRange factors) {
    for (auto [i, term] : llvm::enumerate(terms))
      if (llvm::is_contained(term, AttentionOp::streamLabel))
        found(term, factors.getBeginOperandIndex() + i);
  };
  for (unsigned i = 0; i < op.getScores().size(); ++i) {
    auto [text, factors] = op.scoreTerm(i);
    add(Equation::parseVerified(text).terms, factors);
  }
  Equation value = Equation::parseVerified(op.getValue());
  add(ArrayRef(value.terms).drop_front(), op.getValueFactors());
}

SmallVector<std::pair<Value, std::string>>
EntryBuilder::streamedFactors(AttentionOp op) {
  llvm::MapVector<Value, std::string> streamed;
  walkStreamed(op, [&](StringRef term, unsigned operand) {
    streamed.insert({op->getOperand(operand), term.str()});
  });
  return llvm::to_vector(streamed);
}

SmallVector<unsigned> EntryBuilder::streamedOperands(AttentionOp op) {
  SmallVector<unsigned> operands;
  walkStreamed(
      op, [&](StringRef, unsigned operand) { operands.push_back(operand); });
  return operands;
}

LogicalResult EntryBuilder::prepare() {
  attention = module.lookupSymbol<func::FuncOp>(model.getAttention());
  for (auto function : module.getOps<func::FuncOp>())
    if (function->hasAttr("t6.training"))
      trainingAttention = function;
  // What was instantiated may have been edited since.
  RankedTensorType positions;
  if (attention && !attention.isExternal() &&
      attention.getNumArguments() == 2 &&
      llvm::hasSingleElement(attention.getOps<AttentionOp>()))
    positions = dyn_cast<RankedTensorType>(attention.getArgument(1).getType());
  if (!positions || positions.getRank() != 1 || positions.isDynamicDim(0))
    return model.emitOpError(
        "is not instantiated: run t6-instantiate-model first");
  batch = positions.getDimSize(0);

  if (failed(collectParams()))
    return failure();
  declareParams();
  auto op = *attention.getOps<AttentionOp>().begin();
  for (auto [factor, term] : streamedFactors(op)) {
    if (failed(checkCachedTerm(op, term)))
      return failure();
    auto type = cast<RankedTensorType>(factor.getType());
    if (type.getNumDynamicDims() != 1 || !type.isDynamicDim(1))
      return op.emitOpError("caches a factor of type ")
             << type << ", of which m alone may be dynamic";
  }
  if (failed(chooseState(op)) || failed(planPages()) || failed(collectRings()))
    return failure();
  if (state)
    declareStates();
  else
    collectCaches(op);
  for (int64_t layer = 0; layer < int64_t(model.getLayers()); ++layer) {
    for (auto [i, type] : llvm::enumerate(cacheTypes))
      declareBuffer(exec::BufferKind::State, cacheName(layer, i), type)
          .setRecurrent(state.has_value());
    for (auto [i, type] : llvm::enumerate(ringTypes))
      declareBuffer(exec::BufferKind::State,
                    "recent." + Twine(layer) + "." + Twine(i), type)
          .setRecurrent(true);
  }
  return success();
}

void EntryBuilder::collectCaches(AttentionOp op) {
  for (auto [factor, term] : streamedFactors(op)) {
    cached.push_back(factor);
    auto type = cast<RankedTensorType>(factor.getType());
    SmallVector<int64_t> shape(type.getShape());
    shape[1] = options.maxLength;
    if (isPaged()) {
      shape[0] = pageCount();
      shape[1] = options.pageTokens;
    }
    cacheTypes.push_back(RankedTensorType::get(shape, weightType));
  }
}

LogicalResult EntryBuilder::collectRings() {
  for (auto op : attention.getOps<RecentOp>()) {
    auto type = cast<RankedTensorType>(op.getX().getType());
    if (type.getNumDynamicDims() != 1 || !type.isDynamicDim(1))
      return op.emitOpError("keeps tokens of type ")
             << type << ", of which n alone may be dynamic";
    SmallVector<int64_t> shape(type.getShape());
    shape[1] = op.getTokens();
    ringTypes.push_back(RankedTensorType::get(shape, type.getElementType()));
  }
  return success();
}

LogicalResult EntryBuilder::collectParams() {
  weightType = Float32Type::get(model.getContext());
  llvm::StringMap<Location> declared;
  for (StringRef name :
       {names.gate, names.up, names.down, names.attentionNorm, names.ffnNorm})
    declared.try_emplace(name, loc);
  for (auto op : attention.getOps<t6::ParamOp>()) {
    auto [known, isNew] = declared.try_emplace(op.getName(), op.getLoc());
    if (!isNew) {
      InFlightDiagnostic error = op.emitOpError("\"")
                                 << op.getName()
                                 << "\" is the name of another parameter of "
                                    "the layer: each needs its own";
      error.attachNote(known->second) << "the other is here";
      return error;
    }
    auto type = cast<RankedTensorType>(op.getType());
    std::string error;
    FailureOr<t6::Layout> layout = t6::Layout::parse(op.getLayout(), error);
    SmallVector<int64_t> stored = layout->storedShape(type.getShape());
    FailureOr<exec::InitAttr> init = resolveInit(
        op.getInitAttr(), type, stored, [&] { return op.emitOpError(); });
    if (failed(init))
      return failure();
    params.push_back({op.getName().str(), type, stored, *init, {}});
    if (type.getRank() > 1)
      weightType = type.getElementType();
  }
  int64_t width = model.getWidth(), ffn = model.getFfn();
  params.push_back(outerParam(names.gate, matrix(ffn, width)));
  params.push_back(outerParam(names.up, matrix(ffn, width)));
  params.push_back(
      outerParam(names.down, matrix(width, ffn), t6::InitKind::Zeros));
  for (StringRef norm : {names.attentionNorm, names.ffnNorm})
    if (!norm.empty())
      params.push_back(outerParam(norm, normType()));
  if (options.quantize)
    quantizeParams();
  return success();
}

void EntryBuilder::declareParams() {
  Param embedding =
      outerParam(names.embedding, matrix(model.getVocab(), model.getWidth()));
  std::optional<Param> scales;
  if (options.quantize)
    scales = quantize(embedding, {});
  auto declareTable = [&](StringRef name, StringRef tiedTo) {
    declareParam(name, embedding, tiedTo);
    if (!scales)
      return;
    scales->scales = name.str();
    declareParam(scaleName(name), *scales);
  };
  declareTable(names.embedding,
               model.getTied() ? StringRef(names.head) : StringRef());
  for (int64_t layer = 0; layer < int64_t(model.getLayers()); ++layer)
    for (Param param : params) {
      if (!param.scales.empty())
        param.scales = layerName(layer, param.scales);
      declareParam(layerName(layer, param.name), param);
    }
  if (!names.finalNorm.empty())
    declareParam(names.finalNorm, outerParam(names.finalNorm, normType()));
  if (!model.getTied())
    declareTable(names.head, {});
}

EntryBuilder::Param EntryBuilder::outerParam(StringRef name,
                                             RankedTensorType type,
                                             t6::InitKind reference) {
  constexpr double llamaDeviation = 0.02;
  t6::InitAttr init; // of a vector: one
  if (type.getRank() > 1)
    init = t6::InitAttr::get(
        model.getContext(),
        model.getCheckpoint() == t6::Checkpoint::Llama ? t6::InitKind::Normal
                                                       : reference,
        Builder(model.getContext()).getF64FloatAttr(llamaDeviation));
  // None of these initialisers has a value that could be wrong.
  exec::InitAttr resolved = *resolveInit(init, type, type.getShape(),
                                         [&] { return model.emitOpError(); });
  return {
      name.str(), type, SmallVector<int64_t>(type.getShape()), resolved, {}};
}

void EntryBuilder::declareParam(const Twine &name, const Param &param,
                                StringRef tiedTo) {
  exec::BufferOp buffer =
      declareBuffer(exec::BufferKind::Param, name, param.type, param.stored);
  if (param.init)
    buffer.setInitAttr(param.init);
  if (!param.scales.empty())
    buffer.setScales(param.scales);
  if (!tiedTo.empty())
    buffer.setTiedTo(tiedTo);
}

exec::BufferOp EntryBuilder::declareBuffer(exec::BufferKind kind,
                                           const Twine &name,
                                           RankedTensorType type,
                                           ArrayRef<int64_t> stored,
                                           ArrayRef<int64_t> range) {
  OpBuilder builder = OpBuilder::atBlockEnd(module.getBody());
  SmallVector<StringRef> dims;
  for (int64_t size : type.getShape())
    dims.push_back(ShapedType::isDynamic(size) ? "n" : "");
  bool differs = !stored.empty() && stored != type.getShape();
  bufferTypes[name.str()] = type;
  return exec::BufferOp::create(
      builder, loc, exec::BufferKindAttr::get(builder.getContext(), kind),
      builder.getStringAttr(name), TypeAttr::get(type), Attribute(),
      differs ? builder.getDenseI64ArrayAttr(stored) : DenseI64ArrayAttr(),
      StringAttr(),
      range.empty() ? DenseI64ArrayAttr() : builder.getDenseI64ArrayAttr(range),
      StringAttr(), StringAttr(),
      type.hasStaticShape() ? ArrayAttr() : builder.getStrArrayAttr(dims));
}

std::string EntryBuilder::layerName(int64_t layer, StringRef name) const {
  auto [before, after] = StringRef(names.layerPrefix).split("{}");
  return (before + Twine(layer) + after + name).str();
}

std::string EntryBuilder::cacheName(int64_t layer, int64_t index) const {
  return ((state ? "state." : "cache.") + Twine(layer) + "." + Twine(index))
      .str();
}

Value EntryBuilder::load(OpBuilder &builder, const Twine &name,
                         ValueRange sizes) {
  std::string symbol = name.str();
  return exec::LoadOp::create(builder, loc, bufferTypes.lookup(symbol), symbol,
                              sizes);
}

} // namespace tpa
