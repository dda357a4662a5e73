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
        states.push_back(cacheName(layer, i));
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

ArrayRef<StringLiteral> EntryBuilder::entryNames() {
  static constexpr StringLiteral names[] = {
      "prefill",    "decode", "verify", "loss", "accumulate_gradients",
      "apply_adamw"};
  return names;
}

LogicalResult EntryBuilder::build(StringRef name) {
  auto op = *attention.getOps<AttentionOp>().begin();
  if (hasCache(name) && !op.getCausal())
    return op.emitOpError("is not causal, but @")
           << name << " takes tokens in parts, before later ones are known: "
           << "add {causal} and `at` positions, or build the entry loss alone";
  if (failed(buildBlock(name)))
    return failure();
  bool isLoss = !hasCache(name), isPrefill = name == "prefill",
       isVerify = name == "verify", isTraining = trains(name),
       byBlocks = isTraining || (isLoss && options.lossByBlocks);
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
    if (!isTraining)
      output("token_loss", {batch, tokens});
    if (!byBlocks)
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
  if (isLoss && options.autocast)
    entry->setAttr("tpa.autocast", TypeAttr::get(builder.getBF16Type()));
  if (isTraining)
    entry->setAttr("tpa.differentiate", builder.getStringAttr(name + ".loss"));
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
  if (isPrefill && readsLast())
    places.push_back(last);
  if (state && !isLoss)
    places.push_back(heldTokens(builder, places.front()));
  if (isPaged() && !isLoss)
    places.push_back(load(builder, name + ".pages"));
  Value table = loadMatrix(builder, names.embedding);
  Value x = t6::EmbeddingOp::create(builder, loc, tokenIds, table);
  x = buildLayers(builder, entry, x, places);
  if (isPrefill)
    x = t6::SelectTokenOp::create(builder, loc, x, last);
  x = buildHead(builder, x);
  if (byBlocks) {
    buildLossByBlocks(builder, name, n, x);
    return success();
  }
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
  if (state && !isLoss && !isVerify)
    storeHeld(builder, places.front(), last);
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
  if (options.autocast)
    summary.set("compute", TypeAttr::get(builder.getBF16Type()));
  module->setAttr("t6.summary", summary.getDictionary(model.getContext()));
  attention.erase();
  if (trainingAttention)
    trainingAttention.erase();
  model.erase();
  return state ? 0 : cacheTypes.size();
}

} // namespace tpa
