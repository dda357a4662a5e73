//===- EntryBuilder.cpp - The entries of a model --------------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Builds the entries of a model around its attention function.
//
//===----------------------------------------------------------------------===//

#include "compiler/model/EntryBuilder.h"
#include "compiler/model/CheckAttention.h"
#include "compiler/model/Initialiser.h"
#include "compiler/model/Specialize.h"
#include "dialects/t6/Layout.h"
#include "dialects/tpa/Equation.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "llvm/ADT/SetVector.h"
#include "llvm/ADT/StringExtras.h"

using namespace mlir;

namespace tpa {

static CheckpointNames namesOf(t6::Checkpoint checkpoint) {
  if (checkpoint == t6::Checkpoint::Llama)
    return {"model.layers.{}.",       "model.embed_tokens.weight",
            "lm_head.weight",         "mlp.gate_proj.weight",
            "mlp.up_proj.weight",     "mlp.down_proj.weight",
            "input_layernorm.weight", "post_attention_layernorm.weight",
            "model.norm.weight"};
  return {"transformer.h.{}.",
          "transformer.wte.weight",
          "lm_head.weight",
          "mlp.c_fc1.weight",
          "mlp.c_fc2.weight",
          "mlp.c_proj.weight",
          "",
          "",
          ""};
}

EntryBuilder::EntryBuilder(t6::ModelOp model, EntryOptions options)
    : model(model), options(options),
      module(model->getParentOfType<ModuleOp>()),
      names(namesOf(model.getCheckpoint())), loc(model.getLoc()) {}

//===----------------------------------------------------------------------===//
// Parameters and cache
//===----------------------------------------------------------------------===//

/// Operands of the attention that tokens contribute to, each once, with the
/// term under which it is first read.
static SmallVector<std::pair<Value, std::string>>
streamedFactors(AttentionOp op) {
  llvm::MapVector<Value, std::string> streamed;
  auto add = [&](ArrayRef<std::string> terms, ValueRange factors) {
    for (auto [term, factor] : llvm::zip_equal(terms, factors))
      if (llvm::is_contained(term, AttentionOp::streamLabel))
        streamed.insert({factor, term});
  };
  for (unsigned i = 0; i < op.getScores().size(); ++i) {
    auto [text, factors] = op.scoreTerm(i);
    add(Equation::parseVerified(text).terms, factors);
  }
  Equation value = Equation::parseVerified(op.getValue());
  add(ArrayRef(value.terms).drop_front(), op.getValueFactors());
  return llvm::to_vector(streamed);
}

LogicalResult EntryBuilder::prepare() {
  attention = module.lookupSymbol<func::FuncOp>(model.getAttention());
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
    cached.push_back(factor);
    SmallVector<int64_t> shape(type.getShape());
    shape[1] = options.maxLength;
    if (isPaged()) {
      shape[0] = pageCount();
      shape[1] = options.pageTokens;
    }
    cacheTypes.push_back(RankedTensorType::get(shape, weightType));
  }
  if (failed(collectRings()))
    return failure();
  for (int64_t layer = 0; layer < int64_t(model.getLayers()); ++layer) {
    for (auto [i, type] : llvm::enumerate(cacheTypes))
      declareBuffer(exec::BufferKind::State,
                    "cache." + Twine(layer) + "." + Twine(i), type);
    for (auto [i, type] : llvm::enumerate(ringTypes))
      declareBuffer(exec::BufferKind::State,
                    "recent." + Twine(layer) + "." + Twine(i), type);
  }
  return success();
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

Value EntryBuilder::load(OpBuilder &builder, const Twine &name,
                         ValueRange sizes) {
  std::string symbol = name.str();
  return exec::LoadOp::create(builder, loc, bufferTypes.lookup(symbol), symbol,
                              sizes);
}

//===----------------------------------------------------------------------===//
// The block, one function per entry
//===----------------------------------------------------------------------===//

SmallVector<StringRef> EntryBuilder::scalarsOf(StringRef entry) {
  if (entry == "prefill")
    return {"n", "m"};
  return {entry == "loss" ? "n" : "m"};
}

int64_t EntryBuilder::tokensOf(StringRef entry) const {
  return entry == "decode"   ? 1
         : entry == "verify" ? options.verifyTokens
                             : ShapedType::kDynamic;
}

SmallVector<Type> EntryBuilder::placesOf(StringRef entry) const {
  MLIRContext *context = weightType.getContext();
  Type i32 = IntegerType::get(context, 32), i64 = IntegerType::get(context, 64);
  if (entry == "loss")
    return {};
  SmallVector<Type> places = {RankedTensorType::get({batch}, i32)};
  if (entry == "verify")
    for (Type element : {i32, i64})
      places.push_back(
          RankedTensorType::get({batch, options.verifyTokens}, element));
  if (entry == "prefill" && !ringTypes.empty())
    places.push_back(RankedTensorType::get({batch}, i32));
  if (isPaged())
    places.push_back(RankedTensorType::get({batch, pagesOfRow()}, i32));
  return places;
}

Value EntryBuilder::blockParam(OpBuilder &builder, func::FuncOp block,
                               StringRef name) {
  unsigned first = block.getNumArguments() - params.size();
  for (auto [i, param] : llvm::enumerate(params)) {
    if (param.name != name)
      continue;
    Value value = block.getArgument(first + i);
    if (i + 1 == params.size() || params[i + 1].scales != name)
      return value;
    return t6::DequantizeOp::create(builder, loc, value,
                                    block.getArgument(first + i + 1));
  }
  llvm_unreachable("every parameter of a layer is listed");
}

Value EntryBuilder::norm(OpBuilder &builder, Value x, StringRef weight,
                         func::FuncOp block) {
  Value scale = weight.empty() ? Value() : blockParam(builder, block, weight);
  return t6::RmsNormOp::create(builder, loc, x, scale, model.getNormEps());
}

FailureOr<Value> EntryBuilder::inlineAttention(OpBuilder &builder,
                                               StringRef entry,
                                               func::FuncOp block, Value x) {
  OwningOpRef<func::FuncOp> owner = attention.clone();
  func::FuncOp clone = *owner;
  // Loss starts every row at position zero; the cached entries where told to.
  unsigned place = scalarsOf(entry).size();
  Value first = hasCache(entry)
                    ? Value(block.getArgument(place))
                    : arith::ConstantOp::create(
                          builder, loc,
                          DenseElementsAttr::get(
                              cast<ShapedType>(clone.getArgument(1).getType()),
                              builder.getI32IntegerAttr(0)));
  bool isTree = entry == "verify";
  Value positions = isTree ? Value(block.getArgument(place + 1)) : first;
  if (failed(specialize(clone, {x.getType(), positions.getType()})))
    return failure();
  IRMapping map;
  map.map(clone.getArgument(0), x);
  map.map(clone.getArgument(1), positions);
  for (Operation &op : clone.front().without_terminator()) {
    if (auto param = dyn_cast<t6::ParamOp>(op)) {
      map.map(param.getResult(), blockParam(builder, block, param.getName()));
      continue;
    }
    if (auto recent = dyn_cast<RecentOp>(op); recent && hasCache(entry)) {
      if (isTree)
        return recent.emitOpError(
            "cannot verify a tree of tokens: the token before another is its "
            "parent, not the one that stands before it");
      Value ring = block.getArgument(xIndex(entry) + 1 + cacheTypes.size() +
                                     rings.size());
      auto copy = cast<RecentOp>(builder.clone(op, map));
      copy.getRingMutable().assign(ring);
      map.map(recent.getResult(), copy.getResult());
      rings.emplace_back(ring, copy.getX());
      continue;
    }
    auto attend = dyn_cast<AttentionOp>(op);
    if (!attend || !hasCache(entry)) {
      builder.clone(op, map);
      continue;
    }
    IRMapping withCache = map;
    unsigned length = scalarsOf(entry).size() - 1;
    Value pages =
        isPaged() ? Value(block.getArgument(xIndex(entry) - 1)) : Value();
    for (auto [i, streamed] : llvm::enumerate(streamedFactors(attend))) {
      Value cache = block.getArgument(xIndex(entry) + 1 + i);
      Value updated = t6::CacheAppendOp::create(
          builder, loc, cache, map.lookup(streamed.first), first, pages);
      withCache.map(streamed.first,
                    t6::CacheReadOp::create(builder, loc, updated,
                                            block.getArgument(length), pages));
      map.map(cache, updated);
    }
    auto copy = cast<AttentionOp>(builder.clone(op, withCache));
    if (isTree) {
      if (!copy.getCausal() || copy.getWindow() || copy.getSlopes())
        return attend.emitOpError(
            "cannot verify a tree of tokens: it is not causal, or has a window "
            "or slopes, whose distances count cache slots");
      copy.getPositionsMutable().assign(first);
      copy.getAncestorsMutable().assign(block.getArgument(place + 2));
    }
    map.map(op.getResults(), copy->getResults());
  }
  Value result = map.lookup(clone.front().getTerminator()->getOperand(0));
  // The caller returns the caches as the appends left them.
  for (unsigned i = 0; hasCache(entry) && i < cacheTypes.size(); ++i)
    cached[i] = map.lookup(block.getArgument(xIndex(entry) + 1 + i));
  return result;
}

LogicalResult EntryBuilder::buildBlock(StringRef entry) {
  OpBuilder builder = OpBuilder::atBlockEnd(module.getBody());
  Type index = builder.getIndexType();
  int64_t tokens = tokensOf(entry);
  Type hidden = RankedTensorType::get(
      {batch, tokens, int64_t(model.getWidth())}, builder.getF32Type());
  SmallVector<StringRef> scalars = scalarsOf(entry);
  SmallVector<Type> inputs(scalars.size(), index), results = {hidden};
  llvm::append_range(inputs, placesOf(entry));
  inputs.push_back(hidden);
  if (hasCache(entry)) {
    inputs.append(cacheTypes.begin(), cacheTypes.end());
    results.append(cacheTypes.begin(), cacheTypes.end());
    inputs.append(ringTypes.begin(), ringTypes.end());
    results.append(ringTypes.begin(), ringTypes.end());
  }
  for (const Param &param : params)
    inputs.push_back(param.type);

  auto block = func::FuncOp::create(builder, loc, (entry + ".block").str(),
                                    builder.getFunctionType(inputs, results));
  block.setPrivate();
  block.addEntryBlock();
  for (auto [i, name] : llvm::enumerate(scalars))
    block.setArgAttr(i, exec::scalarAttrName, builder.getStringAttr(name));
  if (ShapedType::isDynamic(tokens)) {
    Attribute dims = builder.getStrArrayAttr({"", "n", ""});
    block.setArgAttr(xIndex(entry), exec::dimsAttrName, dims);
    block.setResultAttr(0, exec::dimsAttrName, dims);
  }

  builder.setInsertionPointToStart(&block.front());
  Value x = block.getArgument(xIndex(entry));
  SmallVector<Value> originals(cached);
  FailureOr<Value> attended = inlineAttention(
      builder, entry, block, norm(builder, x, names.attentionNorm, block));
  if (failed(attended))
    return failure();
  x = arith::AddFOp::create(builder, loc, x, *attended);
  Value normed = norm(builder, x, names.ffnNorm, block);
  Value gate = t6::LinearOp::create(builder, loc, normed,
                                    blockParam(builder, block, names.gate));
  Value up = t6::LinearOp::create(builder, loc, normed,
                                  blockParam(builder, block, names.up));
  Value gated = t6::SwigluOp::create(builder, loc, gate, up);
  Value down = t6::LinearOp::create(builder, loc, gated,
                                    blockParam(builder, block, names.down));
  x = arith::AddFOp::create(builder, loc, x, down);
  SmallVector<Value> returned = {x};
  if (hasCache(entry))
    returned.append(cached);
  // Last, because what a ring held is read until then.
  for (auto [ring, recent] : rings) {
    Value last;
    if (entry == "prefill")
      last = block.getArgument(scalars.size() + 1);
    returned.push_back(t6::RingAppendOp::create(
        builder, loc, ring, recent, block.getArgument(scalars.size()), last));
  }
  rings.clear();
  cached = originals;
  func::ReturnOp::create(builder, loc, returned);
  return success();
}

//===----------------------------------------------------------------------===//
// Entries
//===----------------------------------------------------------------------===//

Value EntryBuilder::buildLayers(OpBuilder &builder, exec::EntryOp entry,
                                Value x, ValueRange places) {
  StringRef name = entry.getSymName();
  auto block = module.lookupSymbol<func::FuncOp>((name + ".block").str());
  for (int64_t layer = 0; layer < int64_t(model.getLayers()); ++layer) {
    SmallVector<Value> operands(entry.getBody().getArguments());
    SmallVector<std::string> states;
    llvm::append_range(operands, places);
    if (hasCache(name)) {
      for (unsigned i = 0; i < cacheTypes.size(); ++i)
        states.push_back(("cache." + Twine(layer) + "." + Twine(i)).str());
      for (unsigned i = 0; i < ringTypes.size(); ++i)
        states.push_back(("recent." + Twine(layer) + "." + Twine(i)).str());
    }
    operands.push_back(x);
    for (StringRef state : states)
      operands.push_back(load(builder, state));
    for (const Param &param : params)
      operands.push_back(load(builder, layerName(layer, param.name)));
    auto call = func::CallOp::create(builder, loc, block, operands);
    x = call.getResult(0);
    for (auto [i, state] : llvm::enumerate(states))
      exec::StoreOp::create(builder, loc, call.getResult(1 + i), state);
  }
  return x;
}

Value EntryBuilder::buildHead(OpBuilder &builder, Value x) {
  Value scale =
      names.finalNorm.empty() ? Value() : load(builder, names.finalNorm);
  return t6::RmsNormOp::create(builder, loc, x, scale, model.getNormEps());
}

LogicalResult EntryBuilder::build(StringRef name) {
  auto op = *attention.getOps<AttentionOp>().begin();
  if (hasCache(name) && !op.getCausal())
    return op.emitOpError("is not causal, but @")
           << name << " takes tokens in parts, before later ones are known: "
           << "add {causal} and `at` positions, or build the entry loss alone";
  if (failed(buildBlock(name)))
    return failure();
  bool isLoss = name == "loss", isPrefill = name == "prefill",
       isVerify = name == "verify";
  int64_t vocab = model.getVocab();
  int64_t tokens = tokensOf(name);
  int64_t mostTokens = isLoss ? options.maxLength : options.prefillChunk;

  OpBuilder builder = OpBuilder::atBlockEnd(module.getBody());
  Type i32 = builder.getI32Type(), i64 = builder.getI64Type(),
       f32 = builder.getF32Type();
  auto ids = RankedTensorType::get({batch, tokens}, i32);
  auto rows = RankedTensorType::get({batch}, i32);
  auto input = [&](StringRef what, RankedTensorType type, int64_t low,
                   int64_t high) {
    return declareBuffer(exec::BufferKind::Input, name + "." + what, type, {},
                         {low, high});
  };
  auto output = [&](StringRef what, ArrayRef<int64_t> shape) {
    declareBuffer(exec::BufferKind::Output, name + "." + what,
                  RankedTensorType::get(shape, f32));
  };
  input("tokens", ids, 0, vocab);
  if (isLoss)
    input("targets", ids, -1, vocab);
  else
    input("positions", rows, 0, options.maxLength);
  if (isPrefill)
    input("last", rows, 0, options.prefillChunk).setBelow("n");
  if (isVerify) {
    input("token_positions", ids, 0, options.maxLength);
    declareBuffer(exec::BufferKind::Input, name + ".ancestors",
                  RankedTensorType::get({batch, tokens}, i64));
  }
  if (isPaged() && !isLoss)
    input("pages", RankedTensorType::get({batch, pagesOfRow()}, i32), 0,
          pageCount());
  if (isLoss) {
    output("loss", {1});
    output("token_loss", {batch, tokens});
    output("logits", {batch, tokens, vocab});
  } else if (isVerify) {
    output("logits", {batch, tokens, vocab});
  } else {
    output("logits", {batch, vocab});
  }

  SmallVector<StringRef> scalars = scalarsOf(name);
  SmallVector<int64_t> maxima;
  for (StringRef scalar : scalars)
    maxima.push_back(scalar == "n" ? mostTokens : options.maxLength);
  builder.setInsertionPointToEnd(module.getBody());
  auto entry = exec::EntryOp::create(builder, loc, name,
                                     builder.getStrArrayAttr(scalars),
                                     builder.getDenseI64ArrayAttr(maxima));
  Block *body = builder.createBlock(&entry.getBody());
  for (unsigned i = 0; i < scalars.size(); ++i)
    body->addArgument(builder.getIndexType(), loc);
  SmallVector<Value> n;
  if (ShapedType::isDynamic(tokens))
    n.push_back(body->getArgument(0));

  Value tokenIds = load(builder, name + ".tokens", n);
  SmallVector<Value> places;
  if (!isLoss)
    places.push_back(load(builder, name + ".positions"));
  if (isVerify)
    for (StringRef what : {".token_positions", ".ancestors"})
      places.push_back(load(builder, name + what));
  Value last;
  if (isPrefill)
    last = load(builder, name + ".last");
  if (isPrefill && !ringTypes.empty())
    places.push_back(last);
  if (isPaged() && !isLoss)
    places.push_back(load(builder, name + ".pages"));
  Value table = loadMatrix(builder, names.embedding);
  Value x = t6::EmbeddingOp::create(builder, loc, tokenIds, table);
  x = buildLayers(builder, entry, x, places);
  if (isPrefill)
    x = t6::SelectTokenOp::create(builder, loc, x, last);
  x = buildHead(builder, x);
  Value head = model.getTied() ? table : loadMatrix(builder, names.head);
  StringRef equation = isLoss || isVerify ? "bnc,vc->bnv" : "bnc,vc->bv";
  Value logits = EinsumOp::create(builder, loc, equation, ValueRange{x, head},
                                  APFloat(1.0));
  if (isLoss) {
    auto loss = t6::CrossEntropyOp::create(builder, loc, logits,
                                           load(builder, name + ".targets", n));
    exec::StoreOp::create(builder, loc, loss.getLoss(), (name + ".loss").str());
    exec::StoreOp::create(builder, loc, loss.getTokenLoss(),
                          (name + ".token_loss").str());
  }
  exec::StoreOp::create(builder, loc, logits, (name + ".logits").str());
  return success();
}

int64_t EntryBuilder::finish() {
  Builder builder(model.getContext());
  NamedAttrList summary(model->getAttrs());
  summary.set("batch", builder.getI64IntegerAttr(batch));
  summary.set("max_length", builder.getI64IntegerAttr(options.maxLength));
  summary.set("prefill_chunk", builder.getI64IntegerAttr(options.prefillChunk));
  if (isPaged())
    summary.set("page_tokens", builder.getI64IntegerAttr(options.pageTokens));
  module->setAttr("t6.summary", summary.getDictionary(model.getContext()));
  attention.erase();
  model.erase();
  return cacheTypes.size();
}

} // namespace tpa
