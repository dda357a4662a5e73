//===- StreamLogSumExp.cpp - What a stream's softmax divides by -----------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A stream carries the maximum and the sum of its softmax: the logarithm that
// the reverse of an attention asks for needs no scores in memory.
//
//===----------------------------------------------------------------------===//

#include "compiler/fusion/StreamChain.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Math/IR/Math.h"

using namespace mlir;
using namespace tpa;

/// What reads `value`, at first hand or not, before `root` in its block, in
/// order. Fails where the root reads it, too.
static LogicalResult readersBefore(Operation *root, Value value,
                                   SmallVectorImpl<Operation *> &readers) {
  llvm::SetVector<Operation *> found;
  SmallVector<Value> values = {value};
  while (!values.empty())
    for (Operation *user : values.pop_back_val().getUsers()) {
      Operation *reader = root->getBlock()->findAncestorOpInBlock(*user);
      if (reader == root)
        return failure();
      if (reader && reader->isBeforeInBlock(root) && found.insert(reader))
        llvm::append_range(values, reader->getResults());
    }
  readers.append(found.begin(), found.end());
  llvm::sort(readers,
             [](Operation *a, Operation *b) { return a->isBeforeInBlock(b); });
  return success();
}

/// log sum exp = log of the sum over parts of exp(maximum + log(sum)); a part
/// without visible keys is -inf, by its maximum and by its sum. A row is the
/// same in both: `rows` is the stream's order, the softmax has its own.
void StreamChain::replaceLogSumExp(StreamOp stream, StringRef rows) {
  SmallVector<LogSumExpOp> measured;
  for (Operation *user : softmax.getX().getUsers())
    if (auto op = dyn_cast<LogSumExpOp>(user);
        op && op->getBlock() == root->getBlock() &&
        op.getSinks() == softmax.getSinks() &&
        op.getAlongAttr() == softmax.getAlongAttr())
      measured.push_back(op);
  for (LogSumExpOp op : measured) {
    SmallVector<Operation *> readers;
    if (failed(readersBefore(root, op.getResult(), readers)))
      continue;
    OpBuilder b(root);
    Location loc = op.getLoc();
    char part = Equation::freshLabel(used, 's');
    std::string parts = part + rows.str();
    Value logarithms =
        MapOp::create(b, loc, Equation{{parts, parts}, parts},
                      {stream.getResult(0), stream.getResult(1)},
                      [&](OpBuilder &b, ValueRange in) -> Value {
                        Value log = math::LogOp::create(b, loc, in[1]);
                        return arith::AddFOp::create(b, loc, in[0], log);
                      });
    std::string row =
        StringRef(labelsOf[softmax.getResult()]).drop_back().str();
    bool isWhole = stream.getSplits() == 1 && !op.getSinks();
    std::string order = isWhole ? row : row + part;
    Value result = EinsumOp::create(b, loc, parts + "->" + order,
                                    ValueRange(logarithms), APFloat(1.0));
    if (!isWhole)
      result =
          LogSumExpOp::create(b, loc, result, op.getSinks(), op.getAlongAttr());
    for (Operation *reader : readers)
      reader->moveBefore(root);
    op.replaceAllUsesWith(result);
    op.erase();
  }
}
