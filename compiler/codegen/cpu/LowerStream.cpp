//===- LowerStream.cpp - Streams to loops over blocks ---------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Lowers tpa.stream over memrefs to loops of linalg over blocks of keys.
//
//===----------------------------------------------------------------------===//

#include "compiler/codegen/cpu/LowerStream.h"
#include "compiler/codegen/cpu/Passes.h"
#include "compiler/codegen/cpu/StreamLowering.h"
#include "dialects/exec/ExecDialect.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "mlir/Dialect/X86Vector/X86VectorDialect.h"

using namespace mlir;

namespace tpa::cpu {
#define GEN_PASS_DEF_LOWERSTREAM
#include "compiler/codegen/cpu/Passes.h.inc"
} // namespace tpa::cpu

using namespace tpa;
using namespace tpa::cpu;

FailureOr<OpFoldResult> StreamLowering::sizeOfLabel(char label) {
  Value dynamic = label == 'm' ? stream.getLength() : Value();
  for (auto [i, input] : llvm::enumerate(stream.getInputs())) {
    size_t at = terms[i].find(label);
    if (at == std::string::npos || dynamic)
      continue;
    SmallVector<int64_t> shape = stream.labelShape(i);
    if (!ShapedType::isDynamic(shape[at]))
      return OpFoldResult(b.getIndexAttr(shape[at]));
    dynamic = sizeOf(input, at);
  }
  // A stream without a batch is one row.
  if (!dynamic && label != 'm')
    return OpFoldResult(b.getIndexAttr(1));
  if (!dynamic)
    return stream.emitOpError("has a size that is no scalar: that of '")
           << Twine(label) << "'";
  return OpFoldResult(dynamic);
}

/// The most of a label that one block holds.
int64_t StreamLowering::blockSize(char label) const {
  if (label == 'b')
    return 1;
  StreamOp op = stream;
  if (label == 'm')
    return op.getBlock();
  for (auto [term, input] : llvm::zip_equal(terms, op.getInputs()))
    if (size_t at = term.find(label); at != std::string::npos)
      if (int64_t size = cast<MemRefType>(input.getType()).getDimSize(at);
          !ShapedType::isDynamic(size))
        return label == 'n' && size > options.fewQueries ? options.queryBlock
                                                         : size;
  return options.queryBlock;
}

/// Blocks of keys are computed by einsums, maps and a softmax, from the
/// stream's operands and from each other; maps may read scalar constants, too.
LogicalResult StreamLowering::checkBody() {
  Block &body = stream.getBody().front();
  for (Operation &op : body) {
    if (op.hasTrait<OpTrait::ConstantLike>() &&
        !isa<ShapedType>(op.getResult(0).getType()))
      continue;
    if (!isa<EinsumOp, MapOp, OnlineSoftmaxOp, YieldOp>(op))
      return op.emitOpError("cannot be lowered in the body of a stream: make "
                            "its result an operand of the stream");
    if (isa<EinsumOp>(op) && op.getNumOperands() > 2)
      return op.emitOpError("in a stream has more than two operands: run "
                            "tpa-contract-pairwise first");
    for (Value operand : op.getOperands())
      if (operand.getParentBlock() != &body)
        return op.emitOpError("in a stream reads a tensor from around it: make "
                              "it an operand of the stream");
  }
  return success();
}

/// Runs `body` with the label's range set to each block of [from, to): whole
/// ones, whose extents are constants, then what is left.
void StreamLowering::loopOver(Value from, Value to, int64_t step, char label,
                              function_ref<void()> body) {
  Value size = constant(step);
  // The rest of the queries is one block of many: it goes without code of its
  // own for whole blocks of keys.
  auto queries = ranges.find('n');
  if (label == 'm' && queries != ranges.end() &&
      !getConstantIntValue(queries->second.size)) {
    auto loop = scf::ForOp::create(b, loc, from, to, size);
    OpBuilder::InsertionGuard guard(b);
    b.setInsertionPointToStart(loop.getBody());
    Value left = arith::SubIOp::create(b, loc, to, loop.getInductionVar());
    Value count = arith::MinSIOp::create(b, loc, left, size);
    ranges[label] = {loop.getInductionVar(), count};
    return body();
  }
  Value length = arith::SubIOp::create(b, loc, to, from);
  Value rest = arith::RemSIOp::create(b, loc, length, size);
  Value whole = arith::SubIOp::create(b, loc, to, rest);
  auto loop = scf::ForOp::create(b, loc, from, whole, size);
  {
    OpBuilder::InsertionGuard guard(b);
    b.setInsertionPointToStart(loop.getBody());
    ranges[label] = {loop.getInductionVar(), b.getIndexAttr(step)};
    body();
  }
  if (step == 1)
    return;
  Value zero = constant(0);
  Value left =
      arith::CmpIOp::create(b, loc, arith::CmpIPredicate::sgt, rest, zero);
  auto branch = scf::IfOp::create(b, loc, left, /*withElseRegion=*/false);
  OpBuilder::InsertionGuard guard(b);
  b.setInsertionPointToStart(branch.thenBlock());
  ranges[label] = {whole, rest};
  body();
}

/// The keys of one split, for a row and a block of queries.
void StreamLowering::workgroup() {
  for (auto [i, out] : llvm::enumerate(outs))
    generic({}, {}, carry(i, out), out, std::nullopt,
            [&, i = i](OpBuilder &b, ValueRange in) -> Value {
              constexpr float kInfinity =
                  std::numeric_limits<float>::infinity();
              bool isMaximum = i == 0 && stream.getSoftmax();
              return arith::ConstantOp::create(
                  b, loc, b.getF32FloatAttr(isMaximum ? -kInfinity : 0.0));
            });
  invariants();
  auto [lower, upper] = keyBounds();
  Value keys = arith::SubIOp::create(b, loc, upper, lower);
  int64_t splits = stream.getSplits(), step = stream.getBlock();
  // Splits are whole blocks, but for the last.
  Value blocks = arith::CeilDivUIOp::create(b, loc, keys, constant(step));
  Value share = arith::CeilDivUIOp::create(b, loc, blocks, constant(splits));
  Value length = arith::MulIOp::create(b, loc, share, constant(step));
  Value begin = arith::AddIOp::create(
      b, loc, lower, arith::MulIOp::create(b, loc, split, length));
  begin = arith::MinSIOp::create(b, loc, begin, upper);
  Value end = arith::MinSIOp::create(
      b, loc, upper, arith::AddIOp::create(b, loc, begin, length));
  loopOver(begin, end, step, 'm', [&] { block(); });
}

LogicalResult StreamLowering::run(func::FuncOp kernel) {
  if (failed(checkBody()))
    return failure();
  FailureOr<OpFoldResult> rows = sizeOfLabel('b'), queries = sizeOfLabel('n'),
                          keys = sizeOfLabel('m');
  if (failed(rows) || failed(queries) || failed(keys))
    return failure();
  // The stream's own operands come first; scratch memory follows them.
  OpBuilder start = OpBuilder::atBlockBegin(&kernel.front());
  entry = start.saveInsertionPoint();
  int64_t queryBlock = blockSize('n'), splits = stream.getSplits();
  Value rowCount = asValue(*rows), queryCount = asValue(*queries);
  Value queryBlocks =
      arith::CeilDivUIOp::create(b, loc, queryCount, constant(queryBlock));
  auto place = [&](Value row, Value queryIndex, Value part) {
    split = part;
    ranges['b'] = {row, b.getIndexAttr(1)};
    Value first =
        arith::MulIOp::create(b, loc, queryIndex, constant(queryBlock));
    Value end = arith::AddIOp::create(b, loc, first, constant(queryBlock));
    std::optional<int64_t> known = getConstantIntValue(*queries);
    if (!known || *known % queryBlock != 0)
      end = arith::MinSIOp::create(b, loc, end, queryCount);
    loopOver(first, end, queryBlock, 'n', [&] { workgroup(); });
  };
  if (options.distribute) {
    MLIRContext *context = kernel.getContext();
    auto count = [&](OpFoldResult size, int64_t tile) {
      std::optional<int64_t> known = getConstantIntValue(size);
      AffineExpr expr =
          known ? getAffineConstantExpr(*known, context)
                : getAffineSymbolExpr(
                      cast<BlockArgument>(cast<Value>(size)).getArgNumber(),
                      context);
      return expr.ceilDiv(tile);
    };
    AffineMap grid =
        AffineMap::get(0, kernel.getNumArguments(),
                       {count(*rows, 1), count(*queries, queryBlock),
                        getAffineConstantExpr(splits, context)},
                       context);
    (void)kernel.insertArgument(kernel.getNumArguments(), b.getIndexType(), {},
                                kernel.getLoc());
    kernel->setAttr(exec::gridAttrName, AffineMapAttr::get(grid));
    Value rest = kernel.getArguments().back();
    Value part = arith::RemUIOp::create(b, loc, rest, constant(splits));
    rest = arith::DivUIOp::create(b, loc, rest, constant(splits));
    Value query = arith::RemUIOp::create(b, loc, rest, queryBlocks);
    place(arith::DivUIOp::create(b, loc, rest, queryBlocks), query, part);
  } else {
    Value zero = constant(0), one = constant(1);
    SmallVector<Value> indices;
    for (Value bound : {rowCount, queryBlocks, constant(splits)}) {
      auto loop = scf::ForOp::create(b, loc, zero, bound, one);
      b.setInsertionPointToStart(loop.getBody());
      indices.push_back(loop.getInductionVar());
    }
    place(indices[0], indices[1], indices[2]);
  }
  stream.erase();
  return success();
}

LogicalResult cpu::lowerStream(func::FuncOp kernel,
                               const StreamLoweringOptions &options) {
  if (failed(checkIsOverMemory(kernel)))
    return failure();
  for (StreamOp stream : llvm::to_vector(kernel.getOps<StreamOp>()))
    if (failed(StreamLowering(stream, options).run(kernel)))
      return failure();
  return success();
}

namespace {
struct LowerStream : cpu::impl::LowerStreamBase<LowerStream> {
  using Base::Base;

  void runOnOperation() override {
    StreamLoweringOptions options;
    options.queryBlock = queryBlock;
    options.bf16Dot = bf16Dot;
    options.target = {lanes, registers, /*inCache=*/true};
    for (auto kernel : getOperation().getOps<func::FuncOp>()) {
      if (!kernel->hasAttr(exec::kernelAttrName) ||
          kernel.getOps<StreamOp>().empty())
        continue;
      if (failed(lowerStream(kernel, options)))
        return signalPassFailure();
      ++numStreams;
    }
  }
};
} // namespace
