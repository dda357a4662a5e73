//===- EntryBlock.cpp - The block of an entry ----------------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Builds the function that an entry calls once per layer.
//
//===----------------------------------------------------------------------===//

#include "compiler/model/EntryBuilder.h"
#include "compiler/model/Specialize.h"
#include "mlir/Dialect/Arith/IR/Arith.h"

using namespace mlir;

namespace tpa {

SmallVector<StringRef> EntryBuilder::scalarsOf(StringRef entry) {
  if (trains(entry))
    return {};
  if (entry == "prefill")
    return {"n", "m"};
  return {entry == "loss" ? "n" : "m"};
}

int64_t EntryBuilder::tokensOf(StringRef entry) const {
  return entry == "decode"   ? 1
         : entry == "verify" ? options.verifyTokens
         : trains(entry)     ? options.maxLength
                             : ShapedType::kDynamic;
}

SmallVector<Type> EntryBuilder::placesOf(StringRef entry) const {
  MLIRContext *context = weightType.getContext();
  Type i32 = IntegerType::get(context, 32), i64 = IntegerType::get(context, 64);
  if (!hasCache(entry))
    return {};
  SmallVector<Type> places = {RankedTensorType::get({batch}, i32)};
  if (entry == "verify")
    for (Type element : {i32, i64})
      places.push_back(
          RankedTensorType::get({batch, options.verifyTokens}, element));
  if (entry == "prefill" && readsLast())
    places.push_back(RankedTensorType::get({batch}, i32));
  if (state)
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
  OwningOpRef<func::FuncOp> owner = trains(entry) && trainingAttention
                                        ? trainingAttention.clone()
                                        : attention.clone();
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
    if (state) {
      map.map(attend.getResult(),
              attendByState(builder, entry, block, attend, map));
      continue;
    }
    llvm::DenseMap<Value, Value> keys;
    unsigned length = scalarsOf(entry).size() - 1;
    Value pages =
        isPaged() ? Value(block.getArgument(xIndex(entry) - 1)) : Value();
    for (auto [i, streamed] : llvm::enumerate(streamedFactors(attend))) {
      Value cache = block.getArgument(xIndex(entry) + 1 + i);
      Value updated = t6::CacheAppendOp::create(
          builder, loc, cache, map.lookup(streamed.first), first, pages);
      keys[streamed.first] = t6::CacheReadOp::create(
          builder, loc, updated, block.getArgument(length), pages);
      map.map(cache, updated);
    }
    auto copy = cast<AttentionOp>(builder.clone(op, map));
    // A factor of keys may be one of queries, too.
    for (unsigned operand : streamedOperands(attend))
      copy->setOperand(operand, keys.lookup(attend->getOperand(operand)));
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
  for (unsigned i = 0; hasCache(entry) && !state && i < cacheTypes.size(); ++i)
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
  // Last, because what states and rings held is read until then.
  for (auto [i, addition] : llvm::enumerate(additions))
    cached[i] =
        t6::AccumulateOp::create(builder, loc, addition.first, addition.second,
                                 block.getArgument(scalars.size()));
  additions.clear();
  if (hasCache(entry))
    returned.append(cached);
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

} // namespace tpa
