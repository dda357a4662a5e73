//===- EntryLoss.cpp - The loss of a training step -----------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Builds the cross-entropy of an artifact that trains, of its steps and of its
// evaluations, over blocks of the vocabulary:
// the loss of a token is the logarithm of the sum of all exponentials, of each
// block in a function of its own, less the logit of its target, which is an
// inner product with a row of the head.
//
//===----------------------------------------------------------------------===//

#include "compiler/model/EntryBuilder.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Math/IR/Math.h"

using namespace mlir;

namespace tpa {

func::FuncOp EntryBuilder::vocabularyBlock(StringRef entry, ValueRange n,
                                           RankedTensorType x, int64_t rows) {
  std::string name = (entry + ".vocabulary." + Twine(rows) + ".block").str();
  if (auto known = module.lookupSymbol<func::FuncOp>(name))
    return known;
  OpBuilder builder = OpBuilder::atBlockEnd(module.getBody());
  auto head = RankedTensorType::get({rows, x.getShape().back()}, weightType);
  auto sums =
      RankedTensorType::get(x.getShape().drop_back(), builder.getF32Type());
  SmallVector<Type> inputs(n.getTypes());
  inputs.append({x, head});
  auto block = func::FuncOp::create(builder, loc, name,
                                    builder.getFunctionType(inputs, {sums}));
  block.setPrivate();
  if (!n.empty()) {
    block.setArgAttr(0, exec::scalarAttrName, builder.getStringAttr("n"));
    block.setArgAttr(1, exec::dimsAttrName,
                     builder.getStrArrayAttr({"", "n", ""}));
    block.setResultAttr(0, exec::dimsAttrName,
                        builder.getStrArrayAttr({"", "n"}));
  }
  // Its logits are what must not be saved.
  block->setAttr("tpa.recompute", builder.getUnitAttr());
  block.addEntryBlock();
  builder.setInsertionPointToStart(&block.front());
  Value logits =
      EinsumOp::create(builder, loc, "bnc,vc->bnv",
                       block.getArguments().take_back(2), APFloat(1.0));
  Value sum =
      LogSumExpOp::create(builder, loc, logits, Value(), DenseI64ArrayAttr());
  func::ReturnOp::create(builder, loc, sum);
  return block;
}

/// log(exp(x) + exp(y)), element by element.
static Value logAddExp(OpBuilder &builder, Location loc, Value x, Value y) {
  return MapOp::create(
      builder, loc, Equation{{"bn", "bn"}, "bn"}, {x, y},
      [&](OpBuilder &b, ValueRange in) -> Value {
        Value most = arith::MaximumFOp::create(b, loc, in[0], in[1]);
        auto part = [&](Value value) -> Value {
          return math::ExpOp::create(
              b, loc, arith::SubFOp::create(b, loc, value, most));
        };
        Value sum = arith::AddFOp::create(b, loc, part(in[0]), part(in[1]));
        return arith::AddFOp::create(b, loc, most,
                                     math::LogOp::create(b, loc, sum));
      });
}

void EntryBuilder::buildLossByBlocks(OpBuilder &builder, StringRef entry,
                                     ValueRange n, Value x) {
  Value targets = load(builder, (entry + ".targets").str(), n);
  std::string name = model.getTied() ? names.embedding : names.head;
  auto whole = cast<RankedTensorType>(bufferTypes.lookup(name));
  int64_t rows = whole.getDimSize(0), width = whole.getDimSize(1);
  int64_t size =
      llvm::divideCeil(rows, llvm::divideCeil(rows, options.vocabularyBlock));
  Value logSumExp;
  for (int64_t first = 0; first < rows; first += size) {
    int64_t count = std::min(size, rows - first);
    auto type = RankedTensorType::get({count, width}, whole.getElementType());
    Value head = exec::LoadOp::create(
        builder, loc, type, name, ValueRange(),
        count == rows ? IntegerAttr() : builder.getI64IntegerAttr(first));
    SmallVector<Value> operands(n);
    operands.append({x, head});
    auto block =
        vocabularyBlock(entry, n, cast<RankedTensorType>(x.getType()), count);
    Value part =
        func::CallOp::create(builder, loc, block, operands).getResult(0);
    logSumExp = logSumExp ? logAddExp(builder, loc, logSumExp, part) : part;
  }
  // A load of its own: each has a gradient, which is stored before the next.
  Value chosen =
      t6::EmbeddingOp::create(builder, loc, targets, load(builder, name));
  Value logit = EinsumOp::create(builder, loc, "bnc,bnc->bn",
                                 ValueRange{x, chosen}, APFloat(1.0));
  Value losses = arith::SubFOp::create(builder, loc, logSumExp, logit);
  Value weights = t6::TargetWeightsOp::create(builder, loc, targets);
  if (!trains(entry)) {
    Value counted = MapOp::create(
        builder, loc, Equation{{"bn", "bn"}, "bn"}, {losses, weights},
        [&](OpBuilder &b, ValueRange in) -> Value {
          Value zero = arith::ConstantOp::create(
              b, loc, b.getFloatAttr(in[1].getType(), 0.0));
          Value counts = arith::CmpFOp::create(
              b, loc, arith::CmpFPredicate::OGT, in[1], zero);
          return arith::SelectOp::create(b, loc, counts, in[0], zero);
        });
    exec::StoreOp::create(builder, loc, counted, (entry + ".token_loss").str());
  }
  // Rows first: a contraction has a result of one dimension at least.
  Value rowLosses = EinsumOp::create(builder, loc, "bn,bn->b",
                                     ValueRange{losses, weights}, APFloat(1.0));
  Value ones = arith::ConstantOp::create(
      builder, loc,
      DenseElementsAttr::get(
          RankedTensorType::get({batch, 1}, builder.getF32Type()),
          builder.getF32FloatAttr(1.0)));
  Value loss = EinsumOp::create(builder, loc, "b,bk->k",
                                ValueRange{rowLosses, ones}, APFloat(1.0));
  exec::StoreOp::create(builder, loc, loss, (entry + ".loss").str());
}

} // namespace tpa
