//===- LowerStream.cpp - Streams to loops over blocks ---------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Lowers tpa.stream over memrefs to loops of linalg over blocks of keys.
//
// A workgroup takes a batch row, a block of queries and a split of the keys.
// Carries live in the stream's outs; what a block computes lives in scratch
// memory of the workgroup, small enough for the first-level cache.
//
//===----------------------------------------------------------------------===//

#include "compiler/codegen/cpu/LowerStream.h"
#include "compiler/codegen/cpu/Nest.h"
#include "compiler/codegen/cpu/Passes.h"
#include "compiler/codegen/cpu/RankUpdate.h"
#include "dialects/exec/ExecDialect.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "mlir/Dialect/X86Vector/X86VectorDialect.h"
#include "mlir/IR/IRMapping.h"
#include "mlir/IR/Matchers.h"
#include "mlir/IR/Remarks.h"

using namespace mlir;

namespace tpa::cpu {
#define GEN_PASS_DEF_LOWERSTREAM
#include "compiler/codegen/cpu/Passes.h.inc"
} // namespace tpa::cpu

using namespace tpa;
using namespace tpa::cpu;

static Value constantF32(OpBuilder &b, Location loc, double value) {
  return arith::ConstantOp::create(b, loc, b.getF32FloatAttr(value));
}

namespace {

/// Rows of a sum from which the next block is asked for ahead.
constexpr int64_t leastRowsAhead = 12;
constexpr double kInfinity = std::numeric_limits<double>::infinity();

/// A part of a label's range: first index and extent.
struct Range {
  Value begin;
  OpFoldResult size;
};

class StreamLowering {
public:
  StreamLowering(StreamOp stream, const StreamLoweringOptions &options)
      : stream(stream), options(options), b(stream), loc(stream.getLoc()),
        terms(stream.inputTerms()), outs(stream.outTerms()) {}

  LogicalResult run(func::FuncOp kernel);

private:
  using Body = function_ref<Value(OpBuilder &, ValueRange)>;

  // Sizes and ranges.
  FailureOr<OpFoldResult> sizeOfLabel(char label);
  int64_t blockSize(char label) const;
  Value constant(int64_t value) {
    return arith::ConstantIndexOp::create(b, loc, value);
  }
  Value asValue(OpFoldResult size) {
    return getValueOrCreateConstantIndexOp(b, loc, size);
  }
  std::pair<Value, Value> keyBounds();
  bool alwaysHolds(Operation *condition) const;
  void loopOver(Value from, Value to, int64_t step, char label,
                function_ref<void()> body);

  // Memory.
  Value view(Value memref, StringRef labels, bool isOut);
  Value scratch(Value value, StringRef labels);
  Value carry(unsigned out, StringRef labels);
  Value matrix(Value memref, StringRef labels, StringRef kept, StringRef joined,
               const llvm::DenseMap<char, Value> &at);
  Value pairScratch(Value value, int64_t rows, int64_t columns);

  // Work.
  std::string parallelOrder(ValueRange inputs, ArrayRef<std::string> terms,
                            StringRef outLabels);
  void generic(ValueRange inputs, ArrayRef<std::string> terms, Value output,
               StringRef labels, std::optional<double> init, Body body);
  void workgroup();
  void block();
  void emitEinsum(EinsumOp op, std::optional<unsigned> accumulate);
  bool accumulateOuter(EinsumOp op, unsigned out);
  void remarkOnOuter(EinsumOp op, int64_t rows, bool isNarrow, bool isPaired);
  SmallVector<Value> nextBlocks();
  Value widen(Value value, StringRef term);
  SmallVector<Value> operandsOf(EinsumOp op, const Equation &equation);
  void emitMap(MapOp op);
  void emitSoftmax(OnlineSoftmaxOp op);
  Value allocate(Value value, StringRef labels);
  std::string labelsOf(Value value) const { return labels.lookup(value); }

  StreamOp stream;
  StreamLoweringOptions options;
  OpBuilder b;
  Location loc;
  SmallVector<std::string> terms, outs;
  llvm::DenseMap<Value, std::string> labels; ///< of the body's values
  llvm::DenseMap<Value, Value> memory;  ///< of the body's values, this block
  llvm::DenseMap<Value, Value> buffers; ///< scratch, whole
  llvm::DenseMap<Value, Value> pairBuffers; ///< of values, as pairs of rows
  llvm::DenseSet<Operation *> remarked;
  llvm::DenseMap<char, Range> ranges; ///< of b, n and m, this block
  /// Comparisons in masks that hold for every key between the bounds.
  llvm::DenseSet<Operation *> implied;
  Value split;
  OpBuilder::InsertPoint entry;
};

} // namespace

//===----------------------------------------------------------------------===//
// Sizes and ranges
//===----------------------------------------------------------------------===//

FailureOr<OpFoldResult> StreamLowering::sizeOfLabel(char label) {
  Value dynamic;
  for (auto [term, input] : llvm::zip_equal(terms, stream.getInputs())) {
    size_t at = term.find(label);
    if (at == std::string::npos)
      continue;
    auto type = cast<MemRefType>(input.getType());
    if (!type.isDynamicDim(at))
      return OpFoldResult(b.getIndexAttr(type.getDimSize(at)));
    dynamic = sizeOf(input, at);
  }
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
        return size;
  return options.queryBlock;
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

/// The first operand of a comparison `index m <predicate> limit`, with the
/// constant that is added to m; null where it is something else.
static Value limitOf(arith::CmpIOp op, arith::CmpIPredicate predicate,
                     int64_t &added) {
  if (op.getPredicate() != predicate)
    return {};
  Value key = op.getLhs();
  added = 0;
  APInt constant;
  if (auto sum = key.getDefiningOp<arith::AddIOp>();
      sum && matchPattern(sum.getRhs(), m_ConstantInt(&constant))) {
    key = sum.getLhs();
    added = constant.getSExtValue();
  }
  auto index = key.getDefiningOp<IndexOp>();
  return index && index.getLabel() == "m" ? op.getRhs() : Value();
}

/// Whether einsums alone lie between a value and the end of the body: where it
/// is zero, nothing is added.
static bool isLinearToYield(Value value) {
  return llvm::all_of(value.getUsers(), [](Operation *user) {
    return isa<YieldOp>(user) ||
           (isa<EinsumOp>(user) && isLinearToYield(user->getResult(0)));
  });
}

/// Whether the keys that a selection replaces weigh nothing: it is a map's last
/// word, and gives -inf to the softmax, or zero to what is summed.
static bool hidesKeys(arith::SelectOp select) {
  auto map = select->getParentOfType<MapOp>();
  auto isYielded = [&](Operation *user) {
    return isa<YieldOp>(user) && user->getParentOp() == map;
  };
  APFloat hidden(0.0f);
  if (!map || !llvm::all_of(select->getUsers(), isYielded) ||
      !matchPattern(select.getFalseValue(), m_ConstantFloat(&hidden)))
    return false;
  if (hidden.isZero())
    return isLinearToYield(map.getResult());
  return hidden.isInfinity() && hidden.isNegative() &&
         llvm::all_of(map->getUsers(), llvm::IsaPred<OnlineSoftmaxOp>);
}

/// Keys that some query of the block can see: what maps select by a comparison
/// of m with something monotone in n and free of m. Outside lie only scores
/// that weigh nothing.
std::pair<Value, Value> StreamLowering::keyBounds() {
  implied.clear();
  Value lower = constant(0), upper = asValue(*sizeOfLabel('m'));
  stream.getBody().walk([&](arith::SelectOp select) {
    SmallVector<Value> conditions = {select.getCondition()};
    if (!hidesKeys(select))
      return;
    while (!conditions.empty()) {
      Value condition = conditions.pop_back_val();
      if (auto both = condition.getDefiningOp<arith::AndIOp>()) {
        conditions.append({both.getLhs(), both.getRhs()});
        continue;
      }
      auto comparison = condition.getDefiningOp<arith::CmpIOp>();
      if (!comparison)
        continue;
      int64_t added = 0;
      bool isUpper = true;
      Value limit = limitOf(comparison, arith::CmpIPredicate::sle, added);
      if (!limit) {
        isUpper = false;
        limit = limitOf(comparison, arith::CmpIPredicate::sgt, added);
      }
      // positions[b] + n
      auto sum = limit ? limit.getDefiningOp<arith::AddIOp>() : arith::AddIOp();
      auto query = sum ? sum.getRhs().getDefiningOp<IndexOp>() : IndexOp();
      auto start = sum ? sum.getLhs().getDefiningOp<arith::IndexCastOp>()
                       : arith::IndexCastOp();
      auto position = start ? start.getIn().getDefiningOp<tensor::ExtractOp>()
                            : tensor::ExtractOp();
      if (!query || query.getLabel() != "n" || !position ||
          position.getIndices().size() != 1)
        continue;
      Value first;
      if (auto argument = dyn_cast<BlockArgument>(position.getTensor());
          argument && argument.getOwner() == &stream.getBody().front()) {
        Value loaded = memref::LoadOp::create(
            b, loc, stream.getInputs()[argument.getArgNumber()],
            ranges['b'].begin);
        first = arith::IndexCastOp::create(b, loc, b.getIndexType(), loaded);
      } else if (auto constants =
                     position.getTensor().getDefiningOp<arith::ConstantOp>()) {
        auto values = dyn_cast<DenseIntElementsAttr>(constants.getValue());
        if (!values || !values.isSplat())
          continue;
        first = constant(values.getSplatValue<APInt>().getSExtValue());
      } else {
        continue;
      }
      first = arith::AddIOp::create(b, loc, first, ranges['n'].begin);
      // A single query sees the keys within its bounds, all of them.
      if (getConstantIntValue(ranges['n'].size) == 1)
        implied.insert(comparison);
      if (isUpper) {
        Value end =
            arith::AddIOp::create(b, loc, first, asValue(ranges['n'].size));
        end = arith::SubIOp::create(b, loc, end, constant(added));
        upper = arith::MinSIOp::create(b, loc, upper, end);
      } else {
        // m + added > first, at the block's first query.
        Value begin = arith::SubIOp::create(b, loc, first, constant(added - 1));
        lower = arith::MaxSIOp::create(b, loc, lower, begin);
      }
    }
  });
  return {lower, arith::MaxSIOp::create(b, loc, upper, lower)};
}

/// Whether a condition of a mask holds for every key between the bounds.
bool StreamLowering::alwaysHolds(Operation *condition) const {
  if (auto both = dyn_cast_or_null<arith::AndIOp>(condition))
    return alwaysHolds(both.getLhs().getDefiningOp()) &&
           alwaysHolds(both.getRhs().getDefiningOp());
  return implied.contains(condition);
}

//===----------------------------------------------------------------------===//
// Memory
//===----------------------------------------------------------------------===//

/// The block's part of a memref; an out has the split in front.
Value StreamLowering::view(Value memref, StringRef labels, bool isOut) {
  auto type = cast<MemRefType>(memref.getType());
  SmallVector<OpFoldResult> offsets, sizes;
  SmallVector<int64_t> shape;
  if (isOut) {
    offsets.push_back(split);
    sizes.push_back(b.getIndexAttr(1));
  }
  for (auto [i, label] : llvm::enumerate(labels)) {
    auto range = ranges.find(label);
    offsets.push_back(range == ranges.end() ? OpFoldResult(b.getIndexAttr(0))
                                            : range->second.begin);
    sizes.push_back(
        range == ranges.end()
            ? OpFoldResult(b.getIndexAttr(type.getDimSize(i + (isOut ? 1 : 0))))
            : range->second.size);
    shape.push_back(
        getConstantIntValue(sizes.back()).value_or(ShapedType::kDynamic));
  }
  SmallVector<OpFoldResult> strides(sizes.size(), b.getIndexAttr(1));
  if (!isOut)
    return memref::SubViewOp::create(b, loc, memref, offsets, sizes, strides);
  auto reduced = cast<MemRefType>(memref::SubViewOp::inferRankReducedResultType(
      shape, type, offsets, sizes, strides));
  return memref::SubViewOp::create(b, loc, reduced, memref, offsets, sizes,
                                   strides);
}

/// A fresh view of the block's part of a value's scratch memory.
Value StreamLowering::scratch(Value value, StringRef labels) {
  Value &buffer = buffers[value];
  if (!buffer) {
    OpBuilder::InsertionGuard guard(b);
    b.restoreInsertionPoint(entry);
    SmallVector<int64_t> shape;
    for (char label : labels)
      shape.push_back(blockSize(label));
    auto type = MemRefType::get(shape, b.getF32Type());
    buffer = memref::AllocaOp::create(b, loc, type, b.getI64IntegerAttr(64));
    entry = b.saveInsertionPoint();
  }
  SmallVector<OpFoldResult> offsets(labels.size(), b.getIndexAttr(0)), sizes;
  for (char label : labels) {
    auto range = ranges.find(label);
    sizes.push_back(range == ranges.end()
                        ? OpFoldResult(b.getIndexAttr(blockSize(label)))
                        : range->second.size);
  }
  SmallVector<OpFoldResult> strides(labels.size(), b.getIndexAttr(1));
  return memref::SubViewOp::create(b, loc, buffer, offsets, sizes, strides);
}

Value StreamLowering::carry(unsigned out, StringRef labels) {
  return view(stream.getOuts()[out], labels, /*isOut=*/true);
}

/// Memory of a value's block: scratch, or, where one map alone reads it, a
/// buffer that code generation does without.
Value StreamLowering::allocate(Value value, StringRef labels) {
  auto onlyUser =
      value.hasOneUse() ? dyn_cast<MapOp>(*value.user_begin()) : MapOp();
  // A map follows one computation: that of the operand which comes last.
  auto comesLater = [&](Value other) {
    return other != value && other.getDefiningOp() &&
           value.getDefiningOp()->isBeforeInBlock(other.getDefiningOp());
  };
  // A map that follows a map reads memory: it is nobody's last word.
  if (!options.epilogues || !onlyUser || value.getDefiningOp<MapOp>() ||
      llvm::any_of(onlyUser.getOperands(), comesLater))
    return memory[value] = scratch(value, labels);
  SmallVector<int64_t> shape;
  SmallVector<Value> sizes;
  for (char label : labels) {
    auto range = ranges.find(label);
    OpFoldResult size = range == ranges.end()
                            ? OpFoldResult(b.getIndexAttr(blockSize(label)))
                            : range->second.size;
    std::optional<int64_t> known = getConstantIntValue(size);
    shape.push_back(known.value_or(ShapedType::kDynamic));
    if (!known)
      sizes.push_back(cast<Value>(size));
  }
  return memory[value] = memref::AllocOp::create(
             b, loc, MemRefType::get(shape, b.getF32Type()), sizes);
}

//===----------------------------------------------------------------------===//
// Work
//===----------------------------------------------------------------------===//

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

/// Memory of a value's block in f32.
Value StreamLowering::widen(Value value, StringRef term) {
  Value &known = memory[value];
  if (cast<MemRefType>(known.getType()).getElementType().isF32())
    return known;
  Value wide = scratch(value, term);
  generic(known, term.str(), wide, term, std::nullopt,
          [](OpBuilder &, ValueRange in) { return in[0]; });
  return known = scratch(value, term);
}

/// Memory of the operands. A narrow one that is read for more than one result
/// is widened once.
SmallVector<Value> StreamLowering::operandsOf(EinsumOp op,
                                              const Equation &equation) {
  SmallVector<Value> operands;
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

/// What the next block reads, each operand as one row of memory. After the last
/// block it is the same block again, which costs nothing.
SmallVector<Value> StreamLowering::nextBlocks() {
  SmallVector<Value> next;
  int64_t step = stream.getBlock();
  Range here = ranges['m'];
  Value ahead = arith::AddIOp::create(b, loc, here.begin, constant(step));
  Value behind = arith::AddIOp::create(b, loc, ahead, constant(step));
  Value isThere = arith::CmpIOp::create(b, loc, arith::CmpIPredicate::sle,
                                        behind, asValue(*sizeOfLabel('m')));
  ranges['m'].begin =
      arith::SelectOp::create(b, loc, isThere, ahead, here.begin);
  for (auto [term, input, argument] :
       llvm::zip_equal(terms, stream.getInputs(),
                       stream.getBody().front().getArguments())) {
    // Rows of a batch are one piece of memory from the keys on.
    if (!memory.lookup(argument) || !StringRef(term).starts_with("bm"))
      continue;
    auto part =
        view(input, term, /*isOut=*/false).getDefiningOp<memref::SubViewOp>();
    SmallVector<int64_t> shape(part.getType().getShape().drop_front());
    auto type = cast<MemRefType>(memref::SubViewOp::inferRankReducedResultType(
        shape, part.getSourceType(), part.getMixedOffsets(),
        part.getMixedSizes(), part.getMixedStrides()));
    Value row = memref::SubViewOp::create(
        b, loc, type, part.getSource(), part.getMixedOffsets(),
        part.getMixedSizes(), part.getMixedStrides());
    SmallVector<ReassociationIndices> all(1);
    for (size_t i = 0; i < shape.size(); ++i)
      all[0].push_back(i);
    if (memref::CollapseShapeOp::isGuaranteedCollapsible(type, all))
      next.push_back(memref::CollapseShapeOp::create(b, loc, row, all));
  }
  ranges['m'] = here;
  return next;
}

/// The part of a block with the labels `kept`, the neighbours `joined` among
/// them as one dimension; other labels are at `at`, or of size one. Null where
/// memory has no such form.
Value StreamLowering::matrix(Value memref, StringRef labels, StringRef kept,
                             StringRef joined,
                             const llvm::DenseMap<char, Value> &at) {
  auto type = cast<MemRefType>(memref.getType());
  SmallVector<OpFoldResult> offsets, sizes,
      strides(labels.size(), b.getIndexAttr(1));
  SmallVector<int64_t> shape;
  SmallVector<ReassociationIndices> groups;
  bool isJoining = false;
  for (auto [i, label] : llvm::enumerate(labels)) {
    Value index = at.lookup(label);
    offsets.push_back(index ? OpFoldResult(index)
                            : OpFoldResult(b.getIndexAttr(0)));
    bool isKept = kept.contains(label);
    sizes.push_back(b.getIndexAttr(isKept ? type.getDimSize(i) : 1));
    if (!isKept)
      continue;
    if (!isJoining || !joined.contains(label))
      groups.emplace_back();
    isJoining = joined.contains(label);
    groups.back().push_back(shape.size());
    shape.push_back(type.getDimSize(i));
  }
  auto reduced = cast<MemRefType>(memref::SubViewOp::inferRankReducedResultType(
      shape, type, offsets, sizes, strides));
  if (groups.size() < shape.size() &&
      !memref::CollapseShapeOp::isGuaranteedCollapsible(reduced, groups))
    return {};
  Value part = memref::SubViewOp::create(b, loc, reduced, memref, offsets,
                                         sizes, strides);
  if (groups.size() == shape.size())
    return part;
  return memref::CollapseShapeOp::create(b, loc, part, groups);
}

/// Room for the pairs of a value's rows.
Value StreamLowering::pairScratch(Value value, int64_t rows, int64_t columns) {
  Value &buffer = pairBuffers[value];
  if (!buffer) {
    OpBuilder::InsertionGuard guard(b);
    b.restoreInsertionPoint(entry);
    auto type = MemRefType::get({rows / 2, 2 * columns}, b.getBF16Type());
    buffer = memref::AllocaOp::create(b, loc, type, b.getI64IntegerAttr(64));
    entry = b.saveInsertionPoint();
  }
  return buffer;
}

/// A sum whose operands have no label in common but those summed: outer
/// products, row by row of what the block reads. False where it is not.
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
  std::string summed, rows;
  for (char label : xTerm) {
    if (sizes[label] == 1)
      continue;
    bool isShared = StringRef(yTerm).contains(label),
         isResult = StringRef(equation.output).contains(label);
    if (isShared == isResult)
      return false;
    (isShared ? summed : rows) += label;
  }
  for (char label : yTerm)
    if (sizes[label] > 1 && label != column &&
        !StringRef(summed).contains(label))
      return false;
  if (summed.empty() || rows.empty() ||
      !StringRef(xTerm).ends_with(rows.back()))
    return false;
  char row = rows.back();
  int64_t steps = 1;
  for (char label : summed)
    steps *= sizes[label];

  Value yOperand = op.getOperands()[which];
  auto argument = dyn_cast<BlockArgument>(yOperand);
  bool isNarrow = argument && getElementTypeOrSelf(argument.getType()).isBF16();
  bool isPaired = isNarrow && options.bf16Dot && steps % 2 == 0;
  Value yMemory = isPaired ? memory.lookup(yOperand) : widen(yOperand, yTerm);
  Value xMemory = memory.lookup(op.getOperands()[1 - which]);
  std::string xKept = summed + row, yKept = summed + column;
  llvm::DenseMap<char, Value> at;
  Value y = matrix(yMemory, yTerm, yKept, summed, at);
  if (!y || !matrix(xMemory, xTerm, xKept, summed, at))
    return false;
  if (isPaired) {
    Value pairs = pairScratch(yOperand, steps, sizes[column]);
    emitPairs(b, loc, y, pairs, options.target);
    y = pairs;
  }
  remarkOnOuter(op, sizes[row], isNarrow, isPaired);

  OpBuilder::InsertionGuard guard(b);
  for (char label : StringRef(rows).drop_back()) {
    auto loop = scf::ForOp::create(b, loc, constant(0), constant(sizes[label]),
                                   constant(1));
    b.setInsertionPointToStart(loop.getBody());
    at[label] = loop.getInductionVar();
  }
  Value x = matrix(xMemory, xTerm, xKept, summed, at);
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
  if (rows.size() == 1 && sizes[row] >= leastRowsAhead)
    ahead = nextBlocks();
  emitRankUpdate(b, loc, {x, y, target, ahead}, options.target);
  return true;
}

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

void StreamLowering::emitEinsum(EinsumOp op, std::optional<unsigned> out) {
  if (out && accumulateOuter(op, *out))
    return;
  Equation equation = Equation::parseVerified(op.getEquation());
  labels[op.getResult()] = equation.output;
  bool sums = equation.labels().size() > equation.output.size();
  double scale = op.getScale().convertToDouble();
  bool rescales = scale != 1.0 && sums;
  SmallVector<Value> inputs = operandsOf(op, equation);
  Value target = out ? carry(*out, equation.output)
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
            map.map(select.getResult(), map.lookup(select.getTrueValue()));
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
        return map.lookup(body.getTerminator()->getOperand(0));
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

/// One block of keys: the body, operation by operation.
void StreamLowering::block() {
  Block &body = stream.getBody().front();
  memory.clear();
  for (auto [term, input, argument] :
       llvm::zip_equal(terms, stream.getInputs(), body.getArguments())) {
    labels[argument] = term;
    bool isRead = llvm::any_of(argument.getUsers(), [](Operation *user) {
      return !isa<tensor::ExtractOp>(user);
    });
    if (isRead)
      memory[argument] = view(input, term, /*isOut=*/false);
  }
  unsigned carried = stream.getSoftmax() ? 2 : 0;
  auto yielded = cast<YieldOp>(body.getTerminator()).getValues();
  for (Operation &op : body.without_terminator()) {
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

/// The keys of one split, for a row and a block of queries.
void StreamLowering::workgroup() {
  for (auto [i, out] : llvm::enumerate(outs))
    generic({}, {}, carry(i, out), out, std::nullopt,
            [&, i = i](OpBuilder &b, ValueRange in) -> Value {
              bool isMaximum = i == 0 && stream.getSoftmax();
              return constantF32(b, loc, isMaximum ? -kInfinity : 0.0);
            });
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
    if (!getConstantIntValue(*queries))
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
