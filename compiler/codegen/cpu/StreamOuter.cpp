//===- StreamOuter.cpp - Sums of outer products of a stream ---------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The sum of a stream whose operands share the summed labels alone: a register
// tile of its own.
//
//===----------------------------------------------------------------------===//

#include "compiler/codegen/cpu/RankUpdate.h"
#include "compiler/codegen/cpu/StreamLowering.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/IR/Remarks.h"

using namespace mlir;
using namespace tpa;
using namespace tpa::cpu;

/// Rows of a sum from which the next block is asked for ahead.
static constexpr int64_t leastRowsAhead = 12;

/// Says, once, how a sum of outer products is computed.
void StreamLowering::remarkOnOuter(EinsumOp op, int64_t rows, bool isNarrow,
                                   bool isPaired) {
  if (!remarked.insert(op).second)
    return;
  auto opts = remark::RemarkOpts::name("rank-update").category("tpa");
  remark::passed(op.getLoc(), opts)
      << remark::metric("rows", rows)
      << remark::metric("products", isPaired ? "bf16 pairs" : "f32");
  if (isNarrow && !isPaired)
    remark::missed(op.getLoc(), opts) << remark::reason(
        "{0}", options.bf16Dot ? "an odd number of terms is summed"
                               : "the CPU has no bf16 dot product: values "
                                 "are widened to f32");
}

/// A sum of outer products, row by row of what the block reads: its operands
/// share the summed labels, and others (a head's) only where each index is a
/// sum of its own. False where it is not.
bool StreamLowering::accumulateOuter(EinsumOp op, unsigned out) {
  Equation equation = Equation::parseVerified(op.getEquation());
  if (!options.epilogues || op.getOperands().size() != 2 ||
      !op.getScale().isExactlyValue(1.0))
    return false;
  llvm::DenseMap<char, int64_t> sizes;
  for (char label : equation.labels()) {
    auto range = ranges.find(label);
    std::optional<int64_t> size = range == ranges.end()
                                      ? blockSize(label)
                                      : getConstantIntValue(range->second.size);
    if (!size)
      return false;
    sizes[label] = *size;
  }
  char column = equation.output.back();
  unsigned which = StringRef(equation.terms[1]).contains(column);
  std::string xTerm = equation.terms[1 - which], yTerm = equation.terms[which];
  if (yTerm.back() != column || StringRef(xTerm).contains(column) ||
      sizes[column] % options.target.lanes)
    return false;
  std::string summed, rows, apart;
  for (char label : xTerm) {
    if (sizes[label] == 1)
      continue;
    bool isShared = StringRef(yTerm).contains(label),
         isResult = StringRef(equation.output).contains(label);
    if (!isShared && !isResult)
      return false;
    (!isShared ? rows : isResult ? apart : summed) += label;
  }
  for (char label : yTerm)
    if (sizes[label] > 1 && label != column &&
        !StringRef(summed + apart).contains(label))
      return false;
  if (summed.empty() || rows.empty())
    return false;
  char row = rows.back();
  rows.pop_back();
  int64_t steps = 1;
  for (char label : summed)
    steps *= sizes[label];

  Value yOperand = op.getOperands()[which];
  auto argument = dyn_cast<BlockArgument>(yOperand);
  bool isNarrow = argument && getElementTypeOrSelf(argument.getType()).isBF16();
  bool isPaired = isNarrow && options.bf16Dot && steps % 2 == 0 &&
                  apart.empty() && StringRef(xTerm).ends_with(row);
  Value yMemory = isPaired ? memory.lookup(yOperand) : widen(yOperand, yTerm);
  Value xMemory = memory.lookup(op.getOperands()[1 - which]);
  std::string xKept = summed + row, yKept = summed + column;
  llvm::DenseMap<char, Value> at;
  auto isMatrix = [](Value memref) {
    return memref && cast<MemRefType>(memref.getType()).getRank() == 2;
  };
  Value y = matrix(yMemory, yTerm, yKept, summed, at);
  if (!isMatrix(y) || !isMatrix(matrix(xMemory, xTerm, xKept, summed, at)))
    return false;
  if (isPaired) {
    noteRounding();
    Value pairs = pairScratch(yOperand, steps, sizes[column]);
    emitPairs(b, loc, y, pairs, options.target);
    y = pairs;
  }
  remarkOnOuter(op, sizes[row], isNarrow, isPaired);

  OpBuilder::InsertionGuard guard(b);
  for (char label : apart + rows) {
    auto loop = scf::ForOp::create(b, loc, constant(0), constant(sizes[label]),
                                   constant(1));
    b.setInsertionPointToStart(loop.getBody());
    at[label] = loop.getInductionVar();
  }
  if (!apart.empty())
    y = matrix(yMemory, yTerm, yKept, summed, at);
  Value x = matrix(xMemory, xTerm, xKept, summed, at);
  if (xTerm.find(row) < xTerm.find(summed.front())) {
    SmallVector<unsigned> swapped = {1, 0};
    x = memref::TransposeOp::create(
        b, loc, x,
        AffineMapAttr::get(
            AffineMap::getPermutationMap(swapped, b.getContext())));
  }
  if (isPaired) {
    Value pairs = pairScratch(op.getResult(), steps, sizes[row]);
    emitPairs(b, loc, x, pairs, options.target);
    x = pairs;
  }
  Value target = matrix(carry(out, equation.output), equation.output,
                        std::string{row, column}, "", at);
  // With many queries, or few rows, a block's arithmetic or the hardware alone
  // hides the latency of memory.
  SmallVector<Value> ahead;
  if (rows.empty() && apart.empty() && sizes[row] >= leastRowsAhead)
    ahead = nextBlocks();
  emitRankUpdate(b, loc, {x, y, target, ahead}, options.target);
  return true;
}
