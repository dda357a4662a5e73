//===- StreamMemory.cpp - Where a stream keeps its values -----------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Views of a stream's operands and carries, and scratch memory of a workgroup.
//
//===----------------------------------------------------------------------===//

#include "compiler/codegen/cpu/StreamLowering.h"
#include "dialects/exec/ExecDialect.h"
#include "mlir/Dialect/SCF/IR/SCF.h"

using namespace mlir;
using namespace tpa;
using namespace tpa::cpu;

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

/// The block's part of an input. Blocks start at multiples of their size, so
/// that one lies on a single page.
Value StreamLowering::inputBlock(unsigned input) {
  Value memref = stream.getInputs()[input];
  if (!stream.isPaged(input))
    return view(memref, terms[input], /*isOut=*/false);
  Range row = ranges['b'], keys = ranges['m'];
  Value tokens = constant(cast<MemRefType>(memref.getType()).getDimSize(1));
  Value slot = arith::DivUIOp::create(b, loc, keys.begin, tokens);
  Value page = memref::LoadOp::create(b, loc, stream.getPages(),
                                      ValueRange{row.begin, slot});
  ranges['b'].begin =
      arith::IndexCastOp::create(b, loc, b.getIndexType(), page);
  ranges['m'].begin = arith::RemUIOp::create(b, loc, keys.begin, tokens);
  Value part = view(memref, terms[input], /*isOut=*/false);
  ranges['b'] = row;
  ranges['m'] = keys;
  return part;
}

/// A fresh view of the block's part of a value's scratch memory.
Value StreamLowering::scratch(Value &buffer, StringRef labels, Type element) {
  if (!buffer) {
    OpBuilder::InsertionGuard guard(b);
    b.restoreInsertionPoint(entry);
    SmallVector<int64_t> shape;
    for (char label : labels)
      shape.push_back(blockSize(label));
    auto type = MemRefType::get(shape, element);
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
      isInvariant(value.getDefiningOp()) ||
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

void StreamLowering::noteRounding() {
  stream->getParentOp()->setAttr(exec::roundsAttrName, b.getUnitAttr());
}

/// A copy of a value's block in bf16.
Value StreamLowering::narrow(Value value, StringRef term) {
  noteRounding();
  auto copy = [&] {
    return scratch(narrowBuffers[value], term, b.getBF16Type());
  };
  generic(memory.lookup(value), term.str(), copy(), term, std::nullopt,
          [&](OpBuilder &nested, ValueRange in) -> Value {
            return arith::TruncFOp::create(nested, loc, b.getBF16Type(), in[0]);
          });
  return copy();
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
  for (auto [i, argument] :
       llvm::enumerate(stream.getBody().front().getArguments())) {
    // Rows of a batch, or pages, are one piece of memory from the keys on.
    if (!memory.lookup(argument) || !StringRef(terms[i]).starts_with("bm"))
      continue;
    auto part = inputBlock(i).getDefiningOp<memref::SubViewOp>();
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
