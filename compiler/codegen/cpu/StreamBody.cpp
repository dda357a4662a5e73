//===- StreamBody.cpp - A stream's operations on one block ----------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The operations of a stream's body on one block, as linalg on memory.
//
//===----------------------------------------------------------------------===//

#include "compiler/codegen/cpu/StreamLowering.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/IRMapping.h"
#include "mlir/Transforms/RegionUtils.h"

using namespace mlir;
using namespace tpa;
using namespace tpa::cpu;

static constexpr double kInfinity = std::numeric_limits<double>::infinity();

static Value constantF32(OpBuilder &b, Location loc, double value) {
  return arith::ConstantOp::create(b, loc, b.getF32FloatAttr(value));
}

/// The output's labels, those of the largest input first, in its order.
std::string StreamLowering::parallelOrder(ValueRange inputs,
                                          ArrayRef<std::string> terms,
                                          StringRef outLabels) {
  std::string order;
  int64_t most = 0;
  for (auto [input, term] : llvm::zip_equal(inputs, terms)) {
    int64_t size = 1;
    for (char label : term)
      size *= blockSize(label);
    if (size <= most)
      continue;
    most = size;
    order.clear();
    for (char label : term)
      if (outLabels.contains(label))
        order += label;
  }
  for (char label : outLabels)
    if (!llvm::is_contained(order, label))
      order += label;
  return order;
}

/// A linalg.generic whose loops are the output's labels, then those summed; it
/// starts from `init`, or from what the output holds.
void StreamLowering::generic(ValueRange inputs, ArrayRef<std::string> terms,
                             Value output, StringRef outLabels,
                             std::optional<double> init, Body body) {
  // Parallel loops run in the order in which the largest input lies in memory,
  // so that it is read from front to back.
  std::string loops = parallelOrder(inputs, terms, outLabels);
  for (StringRef term : terms)
    for (char label : term)
      if (!llvm::is_contained(loops, label))
        loops += label;
  auto mapOf = [&](StringRef term) {
    SmallVector<AffineExpr> results;
    for (char label : term)
      results.push_back(b.getAffineDimExpr(loops.find(label)));
    return AffineMap::get(loops.size(), 0, results, b.getContext());
  };
  SmallVector<AffineMap> maps;
  for (StringRef term : terms)
    maps.push_back(mapOf(term));
  maps.push_back(mapOf(outLabels));
  SmallVector<utils::IteratorType> iterators(loops.size(),
                                             utils::IteratorType::parallel);
  for (size_t i = outLabels.size(); i < loops.size(); ++i)
    iterators[i] = utils::IteratorType::reduction;
  if (init) {
    Value value = arith::ConstantOp::create(b, loc, b.getF32FloatAttr(*init));
    linalg::FillOp::create(b, loc, value, output);
  }
  linalg::GenericOp::create(
      b, loc, inputs, output, maps, iterators,
      [&](OpBuilder &nested, Location, ValueRange arguments) {
        SmallVector<Value> values;
        for (Value argument : arguments)
          values.push_back(argument.getType().isF32()
                               ? argument
                               : arith::ExtFOp::create(
                                     nested, loc, nested.getF32Type(), argument)
                                     .getResult());
        linalg::YieldOp::create(nested, loc, body(nested, values));
      });
}

/// The operand that a sum of bf16 pairs has to be given in bf16, where the
/// other is keys in bf16 that lie along the sum; none where the sum takes
/// another form.
std::optional<unsigned>
StreamLowering::operandOfPairs(EinsumOp op, const Equation &equation) {
  if (!options.distribute || !options.bf16Dot || op.getOperands().size() != 2 ||
      !op.getScale().isExactlyValue(1.0))
    return std::nullopt;
  auto isNarrow = [&](Value operand) {
    return isa<BlockArgument>(operand) &&
           getElementTypeOrSelf(operand.getType()).isBF16();
  };
  unsigned keys = isNarrow(op.getOperands()[1]);
  StringRef keyTerm = equation.terms[keys], other = equation.terms[1 - keys];
  char summed = keyTerm.back(), gathered = equation.output.back();
  bool isSumAlong = isNarrow(op.getOperands()[keys]) &&
                    !isNarrow(op.getOperands()[1 - keys]) &&
                    other.back() == summed &&
                    !StringRef(equation.output).contains(summed) &&
                    blockSize(summed) % (2 * options.target.lanes) == 0;
  bool isGathered = keyTerm.contains(gathered) && !other.contains(gathered) &&
                    blockSize(gathered) >= options.target.lanes;
  if (!isSumAlong || !isGathered)
    return std::nullopt;
  return 1 - keys;
}

/// Memory of the operands. A narrow one that is read for more than one result
/// is widened once, unless it is multiplied in pairs.
SmallVector<Value> StreamLowering::operandsOf(EinsumOp op,
                                              const Equation &equation) {
  SmallVector<Value> operands;
  if (std::optional<unsigned> narrowed = operandOfPairs(op, equation)) {
    for (auto [i, operand] : llvm::enumerate(op.getOperands()))
      operands.push_back(i == *narrowed ? narrow(operand, equation.terms[i])
                                        : memory.lookup(operand));
    return operands;
  }
  for (auto [term, operand] :
       llvm::zip_equal(equation.terms, op.getOperands())) {
    int64_t reads = 1;
    for (char label : equation.output)
      if (!llvm::is_contained(term, label))
        reads *= blockSize(label);
    if (options.distribute && reads > 1)
      widen(operand, term);
    operands.push_back(memory.lookup(operand));
  }
  return operands;
}

void StreamLowering::emitEinsum(EinsumOp op, std::optional<unsigned> out) {
  if (out && accumulateOuter(op, *out))
    return;
  Equation equation = Equation::parseVerified(op.getEquation());
  labels[op.getResult()] = equation.output;
  bool sums = equation.labels().size() > equation.output.size();
  double scale = op.getScale().convertToDouble();
  bool rescales = scale != 1.0 && sums;
  SmallVector<Value> inputs = operandsOf(op, equation);
  // What is scaled afterwards has to be in memory: no map is its epilogue.
  Value target = out        ? carry(*out, equation.output)
                 : rescales ? memory[op.getResult()] =
                                  scratch(op.getResult(), equation.output)
                            : allocate(op.getResult(), equation.output);
  bool adds = sums || out;
  generic(inputs, equation.terms, target, equation.output,
          sums && !out ? std::optional<double>(0.0) : std::nullopt,
          [&](OpBuilder &b, ValueRange in) -> Value {
            Value product = in[0];
            if (equation.terms.size() == 2)
              product = arith::MulFOp::create(b, loc, in[0], in[1]);
            if (scale != 1.0 && (!sums || out))
              product = arith::MulFOp::create(
                  b, loc, product,
                  arith::ConstantOp::create(b, loc, b.getF32FloatAttr(scale)));
            return adds ? arith::AddFOp::create(b, loc, in.back(), product)
                              .getResult()
                        : product;
          });
  if (rescales && !out)
    generic({}, {}, target, equation.output, std::nullopt,
            [&](OpBuilder &b, ValueRange in) -> Value {
              return arith::MulFOp::create(
                  b, loc, in[0],
                  arith::ConstantOp::create(b, loc, b.getF32FloatAttr(scale)));
            });
}

void StreamLowering::emitMap(MapOp op) {
  Equation equation = Equation::parseVerified(op.getEquation());
  labels[op.getResult()] = equation.output;
  SmallVector<Value> inputs;
  for (Value operand : op.getOperands())
    inputs.push_back(memory.lookup(operand));
  Value target = allocate(op.getResult(), equation.output);
  Block &body = op.getBody().front();
  std::string order = parallelOrder(inputs, equation.terms, equation.output);
  generic(
      inputs, equation.terms, target, equation.output, std::nullopt,
      [&](OpBuilder &nested, ValueRange in) -> Value {
        IRMapping map;
        map.map(body.getArguments(), in.drop_back());
        llvm::SetVector<Value> captured;
        getUsedValuesDefinedAbove(op.getBody(), captured);
        for (Value value : captured)
          if (Operation *constant = value.getDefiningOp();
              constant && constant->getParentOp() == stream)
            map.map(value, nested.clone(*constant)->getResult(0));
        for (Operation &inner : body.without_terminator()) {
          if (alwaysHolds(&inner))
            continue;
          if (auto index = dyn_cast<IndexOp>(inner)) {
            char label = index.getLabel()[0];
            Value at = linalg::IndexOp::create(nested, loc,
                                               equation.output.find(label));
            auto range = ranges.find(label);
            if (range != ranges.end())
              at = arith::AddIOp::create(nested, loc, range->second.begin, at);
            map.map(index.getResult(), at);
            continue;
          }
          auto extract = dyn_cast<tensor::ExtractOp>(inner);
          auto argument = extract ? dyn_cast<BlockArgument>(extract.getTensor())
                                  : BlockArgument();
          if (argument && argument.getOwner() == &stream.getBody().front()) {
            SmallVector<Value> indices;
            for (Value index : extract.getIndices())
              indices.push_back(map.lookup(index));
            map.map(extract.getResult(),
                    Value(memref::LoadOp::create(
                        nested, loc,
                        stream.getInputs()[argument.getArgNumber()], indices)));
            continue;
          }
          // What holds for every key selects nothing.
          if (auto select = dyn_cast<arith::SelectOp>(inner);
              select && alwaysHolds(select.getCondition().getDefiningOp())) {
            map.map(select.getResult(),
                    map.lookupOrDefault(select.getTrueValue()));
            continue;
          }
          if (auto both = dyn_cast<arith::AndIOp>(inner)) {
            bool left = alwaysHolds(both.getLhs().getDefiningOp());
            if (left || alwaysHolds(both.getRhs().getDefiningOp())) {
              map.map(both.getResult(),
                      map.lookup(left ? both.getRhs() : both.getLhs()));
              continue;
            }
          }
          nested.clone(inner, map);
        }
        return map.lookupOrDefault(body.getTerminator()->getOperand(0));
      });
}

/// The carry's algebra (FlashAttention, alg. 1): a greater maximum rescales
/// what was accumulated under the old one. Most blocks bring none.
void StreamLowering::emitSoftmax(OnlineSoftmaxOp op) {
  std::string all = labelsOf(op.getX());
  labels[op.getResult()] = all;
  std::string rows = all;
  llvm::erase(rows, 'm');
  Value scores = memory.lookup(op.getX());
  auto rowScratch = [&](unsigned which) {
    // Keys of the scratch map that no value of the body is. There are three:
    // with the maximum and the sum goes something that is summed.
    return scratch(stream.getOuts()[which], rows);
  };
  auto isEmpty = [&](OpBuilder &b, Value maximum) -> Value {
    return arith::CmpFOp::create(b, loc, arith::CmpFPredicate::OEQ, maximum,
                                 constantF32(b, loc, -kInfinity));
  };
  generic(scores, all, rowScratch(0), rows, -kInfinity,
          [&](OpBuilder &b, ValueRange in) -> Value {
            return arith::MaxNumFOp::create(b, loc, in[1], in[0]);
          });
  Value grown = scratch(stream.getOuts()[2], "");
  generic({rowScratch(0), carry(0, rows)}, {rows, rows}, grown, "", 0.0,
          [&](OpBuilder &b, ValueRange in) -> Value {
            Value isGreater = arith::CmpFOp::create(
                b, loc, arith::CmpFPredicate::OGT, in[0], in[1]);
            Value one = arith::SelectOp::create(b, loc, isGreater,
                                                constantF32(b, loc, 1.0),
                                                constantF32(b, loc, 0.0));
            return arith::AddFOp::create(b, loc, in[2], one);
          });
  Value count = memref::LoadOp::create(b, loc, grown, ValueRange());
  Value anyGrown = arith::CmpFOp::create(b, loc, arith::CmpFPredicate::OGT,
                                         count, constantF32(b, loc, 0.0));
  auto branch = scf::IfOp::create(b, loc, anyGrown, /*withElseRegion=*/false);
  {
    OpBuilder::InsertionGuard guard(b);
    b.setInsertionPointToStart(branch.thenBlock());
    // rowScratch(1): how the old maximum's weights shrink; a row without
    // visible keys yet has neither maximum nor weights.
    generic({rowScratch(0), carry(0, rows)}, {rows, rows}, rowScratch(1), rows,
            std::nullopt, [&](OpBuilder &b, ValueRange in) -> Value {
              Value greatest = arith::MaxNumFOp::create(b, loc, in[0], in[1]);
              Value change = arith::SubFOp::create(b, loc, in[1], greatest);
              Value factor = math::ExpOp::create(b, loc, change);
              return arith::SelectOp::create(b, loc, isEmpty(b, in[1]),
                                             constantF32(b, loc, 0.0), factor);
            });
    generic(rowScratch(0), rows, carry(0, rows), rows, std::nullopt,
            [&](OpBuilder &b, ValueRange in) -> Value {
              return arith::MaxNumFOp::create(b, loc, in[0], in[1]);
            });
    for (unsigned out = 1; out < outs.size(); ++out)
      generic(rowScratch(1), rows, carry(out, outs[out]), outs[out],
              std::nullopt, [&](OpBuilder &b, ValueRange in) -> Value {
                return arith::MulFOp::create(b, loc, in[1], in[0]);
              });
  }
  // What scores are measured from: a row without visible keys has no maximum.
  generic(carry(0, rows), rows, rowScratch(1), rows, std::nullopt,
          [&](OpBuilder &b, ValueRange in) -> Value {
            return arith::SelectOp::create(b, loc, isEmpty(b, in[0]),
                                           constantF32(b, loc, 0.0), in[0]);
          });
  Value weights = memory[op.getResult()] = scratch(op.getResult(), all);
  generic({scores, rowScratch(1)}, {all, rows}, weights, all, std::nullopt,
          [&](OpBuilder &b, ValueRange in) -> Value {
            return math::ExpOp::create(
                b, loc, arith::SubFOp::create(b, loc, in[0], in[1]));
          });
  generic(scratch(op.getResult(), all), all, carry(1, rows), rows, std::nullopt,
          [&](OpBuilder &b, ValueRange in) -> Value {
            return arith::AddFOp::create(b, loc, in[1], in[0]);
          });
}

/// Whether an einsum of the body is the same for all keys, and not summed up
/// over them.
bool StreamLowering::isInvariant(Operation *op) const {
  auto einsum = dyn_cast_or_null<EinsumOp>(op);
  if (!einsum || StringRef(einsum.getEquation()).contains('m') ||
      llvm::any_of(einsum->getUsers(), llvm::IsaPred<YieldOp>))
    return false;
  return llvm::all_of(einsum.getOperands(), [&](Value operand) {
    return isa<BlockArgument>(operand) || isInvariant(operand.getDefiningOp());
  });
}

/// What is the same for all keys, once for the block of queries: the body finds
/// it in scratch memory.
void StreamLowering::invariants() {
  Block &body = stream.getBody().front();
  memory.clear();
  for (Operation &op : body) {
    if (!isInvariant(&op))
      continue;
    for (Value operand : op.getOperands())
      if (auto argument = dyn_cast<BlockArgument>(operand)) {
        labels[argument] = terms[argument.getArgNumber()];
        memory[argument] = inputBlock(argument.getArgNumber());
      }
    emitEinsum(cast<EinsumOp>(op), std::nullopt);
  }
}

/// One block of keys: the body, operation by operation.
void StreamLowering::block() {
  Block &body = stream.getBody().front();
  memory.clear();
  for (auto [i, argument] : llvm::enumerate(body.getArguments())) {
    labels[argument] = terms[i];
    bool isRead = llvm::any_of(argument.getUsers(), [](Operation *user) {
      return !isa<tensor::ExtractOp>(user);
    });
    if (isRead)
      memory[argument] = inputBlock(i);
  }
  unsigned carried = stream.getSoftmax() ? 2 : 0;
  auto yielded = cast<YieldOp>(body.getTerminator()).getValues();
  for (Operation &op : body.without_terminator()) {
    if (isInvariant(&op)) {
      memory[op.getResult(0)] =
          scratch(op.getResult(0), labelsOf(op.getResult(0)));
      continue;
    }
    std::optional<unsigned> out;
    if (op.hasOneUse() && isa<YieldOp>(*op.user_begin()))
      out = carried + llvm::find(yielded, op.getResult(0)) - yielded.begin();
    if (auto einsum = dyn_cast<EinsumOp>(op))
      emitEinsum(einsum, out);
    else if (auto map = dyn_cast<MapOp>(op))
      emitMap(map);
    else if (auto softmax = dyn_cast<OnlineSoftmaxOp>(op))
      emitSoftmax(softmax);
  }
  // What is yielded by anything else than an einsum of its own is added.
  for (auto [i, value] : llvm::enumerate(yielded)) {
    auto einsum = value.getDefiningOp<EinsumOp>();
    if (einsum && einsum->hasOneUse())
      continue;
    std::string from = labelsOf(value);
    generic(memory.lookup(value), from, carry(carried + i, outs[carried + i]),
            outs[carried + i], std::nullopt,
            [&](OpBuilder &b, ValueRange in) -> Value {
              return arith::AddFOp::create(b, loc, in[1], in[0]);
            });
  }
}
