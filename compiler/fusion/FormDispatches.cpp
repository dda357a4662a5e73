//===- FormDispatches.cpp - Work to kernels and dispatches ----------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Outlines work into kernels and leaves dispatches.
//
//===----------------------------------------------------------------------===//

#include "compiler/exec/SeparateResults.h"
#include "compiler/fusion/DispatchCost.h"
#include "compiler/fusion/DynamicSizes.h"
#include "compiler/fusion/Epilogue.h"
#include "compiler/fusion/Passes.h"
#include "dialects/exec/ExecDialect.h"
#include "dialects/tpa/TpaDialect.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/IRMapping.h"
#include "mlir/IR/Remarks.h"
#include "mlir/Transforms/RegionUtils.h"
#include "llvm/ADT/SetVector.h"
#include "llvm/ADT/StringMap.h"

using namespace mlir;

namespace tpa {
#define GEN_PASS_DEF_FORMDISPATCHES
#include "compiler/fusion/Passes.h.inc"
} // namespace tpa

using namespace tpa;

/// Cheap to repeat: cloned into each kernel that reads it.
static bool isCloned(Operation *op) {
  bool isScalar = op->getNumResults() == 1 &&
                  op->getResult(0).getType().isIntOrIndex() && isPure(op) &&
                  op->getNumRegions() == 0;
  return isScalar || isa<arith::ConstantOp, tensor::EmptyOp, linalg::FillOp,
                         tensor::ExtractSliceOp, tensor::ExpandShapeOp,
                         tensor::CollapseShapeOp>(op);
}

namespace {

/// One kernel in the making: its operations in order and what they need.
struct Group {
  SmallVector<Operation *> ops;
  SmallVector<Operation *> yielding; ///< of them: the others are inner
  llvm::SetVector<Operation *> cloned;
  llvm::SetVector<Value> reads, scalars;
  SmallVector<Value> writes;      ///< initial values of the results
  SmallVector<Operation *> fresh; ///< tensor.empty behind each write, or null
};

class Outliner {
public:
  Outliner(ModuleOp module) : module(module), symbols(module) {}

  LogicalResult outline(StringRef parent, ArrayRef<Operation *> ops,
                        ArrayRef<Operation *> yielding);
  bool addedKernel = false;

private:
  LogicalResult collect(Group &group);
  LogicalResult collectUse(Group &group, Value value);
  void collectWrites(Group &group);
  LogicalResult collectSizes(Group &group);
  func::FuncOp buildKernel(Group &group, StringRef name);
  func::FuncOp unify(func::FuncOp kernel);

  ModuleOp module;
  SymbolTable symbols;
  llvm::StringMap<func::FuncOp> kernels;
};

} // namespace

LogicalResult Outliner::collectUse(Group &group, Value value) {
  Operation *def = value.getDefiningOp();
  if (def && llvm::is_contained(group.ops, def))
    return success();
  if (def && isCloned(def)) {
    for (Value operand : def->getOperands())
      if (failed(collectUse(group, operand)))
        return failure();
    group.cloned.insert(def);
    return success();
  }
  if (value.getType().isIndex())
    group.scalars.insert(value);
  else if (isa<RankedTensorType>(value.getType())) {
    if (!llvm::is_contained(group.writes, value))
      group.reads.insert(value);
  } else
    return emitError(value.getLoc(), "cannot pass ")
           << value.getType() << " to a kernel";
  return success();
}

/// Results replace their initial values: new memory, or a tensor updated.
void Outliner::collectWrites(Group &group) {
  SmallVector<Value> inits;
  for (Operation *op : group.yielding) {
    if (auto loop = dyn_cast<scf::ForOp>(op))
      llvm::append_range(inits, loop.getInitArgs());
    else
      llvm::append_range(inits,
                         cast<DestinationStyleOpInterface>(op).getDpsInits());
  }
  for (Value init : inits) {
    Operation *source = init.getDefiningOp();
    if (auto fill = dyn_cast_or_null<linalg::FillOp>(source))
      source = fill.getDpsInits()[0].getDefiningOp();
    group.fresh.push_back(isa_and_nonnull<tensor::EmptyOp>(source) ? source
                                                                   : nullptr);
    group.writes.push_back(init);
  }
}

LogicalResult Outliner::collect(Group &group) {
  for (Operation *op : group.ops)
    if (auto inits = dyn_cast<DestinationStyleOpInterface>(op))
      separateResults(inits);
  collectWrites(group);
  for (Operation *op : group.ops) {
    llvm::SetVector<Value> used(op->operand_begin(), op->operand_end());
    getUsedValuesDefinedAbove(op->getRegions(), used);
    for (Value value : used)
      if (failed(collectUse(group, value)))
        return failure();
  }
  return collectSizes(group);
}

/// The kernel rebuilds operands from bare pointers: it needs their sizes.
LogicalResult Outliner::collectSizes(Group &group) {
  SmallVector<Value> operands(group.reads.begin(), group.reads.end());
  llvm::append_range(operands, group.writes);
  for (Value operand : operands) {
    auto type = cast<RankedTensorType>(operand.getType());
    for (int64_t i = 0; i < type.getRank(); ++i) {
      if (!type.isDynamicDim(i))
        continue;
      Value size = resolveSize(operand, i);
      if (!size)
        return emitError(operand.getLoc(), "size ")
               << i << " of " << type << " does not come from a scalar";
      group.scalars.insert(size);
    }
  }
  return success();
}

func::FuncOp Outliner::buildKernel(Group &group, StringRef name) {
  MLIRContext *context = module.getContext();
  SmallVector<Type> inputs, results;
  SmallVector<Value> operands(group.reads.begin(), group.reads.end());
  llvm::append_range(operands, group.writes);
  for (Value operand : operands)
    inputs.push_back(operand.getType());
  inputs.append(group.scalars.size(), IndexType::get(context));
  for (Value write : group.writes)
    results.push_back(write.getType());

  OpBuilder builder(context);
  auto kernel =
      func::FuncOp::create(builder, group.ops.back()->getLoc(), name,
                           FunctionType::get(context, inputs, results));
  kernel->setAttr(exec::kernelAttrName, builder.getUnitAttr());
  kernel.setPrivate();
  Block *body = kernel.addEntryBlock();
  for (auto [i, operand] : llvm::enumerate(operands)) {
    SmallVector<int64_t> sizes;
    auto type = cast<RankedTensorType>(operand.getType());
    for (int64_t d = 0; d < type.getRank(); ++d)
      if (type.isDynamicDim(d))
        sizes.push_back(llvm::find(group.scalars, resolveSize(operand, d)) -
                        group.scalars.begin());
    if (!sizes.empty())
      kernel.setArgAttr(i, exec::sizesAttrName,
                        builder.getDenseI64ArrayAttr(sizes));
  }

  IRMapping map;
  ArrayRef<BlockArgument> arguments = body->getArguments();
  for (Value read : group.reads) {
    map.map(read, arguments.front());
    arguments = arguments.drop_front();
  }
  for (auto [write, fresh] : llvm::zip_equal(group.writes, group.fresh)) {
    map.map(fresh ? Value(fresh->getResult(0)) : write, arguments.front());
    arguments = arguments.drop_front();
  }
  for (auto [scalar, argument] : llvm::zip_equal(group.scalars, arguments))
    map.map(scalar, argument);
  builder.setInsertionPointToStart(body);
  for (Operation *op : group.cloned)
    if (!llvm::is_contained(group.fresh, op))
      builder.clone(*op, map);
  for (Operation *op : group.ops)
    builder.clone(*op, map);
  SmallVector<Value> yielded;
  for (Operation *op : group.yielding)
    for (Value result : op->getResults())
      yielded.push_back(map.lookup(result));
  func::ReturnOp::create(builder, kernel.getLoc(), yielded);
  return kernel;
}

/// The kernel itself, or an equal one that exists already.
func::FuncOp Outliner::unify(func::FuncOp kernel) {
  std::string name = kernel.getName().str(), text;
  kernel.setName("kernel");
  llvm::raw_string_ostream stream(text);
  // Where a kernel came from does not tell it apart, whatever is printed
  // elsewhere.
  kernel->print(stream, OpPrintingFlags().enableDebugInfo(false));
  auto [known, isNew] = kernels.insert({text, kernel});
  addedKernel = isNew;
  if (!isNew) {
    kernel->erase();
    return known->second;
  }
  kernel.setName(name);
  symbols.insert(kernel, module.getBody()->end());
  return kernel;
}

LogicalResult Outliner::outline(StringRef parent, ArrayRef<Operation *> ops,
                                ArrayRef<Operation *> yielding) {
  Group group;
  group.ops.assign(ops.begin(), ops.end());
  group.yielding.assign(yielding.begin(), yielding.end());
  if (failed(collect(group)))
    return failure();
  // Users of the first result come after it; siblings wait for nothing more.
  Operation *last = yielding.front();
  std::string label = labelOf(ops.front());
  std::string name = (parent + "_" + label).str();
  for (char &c : name)
    if (!llvm::isAlnum(c))
      c = '_';
  func::FuncOp kernel = unify(buildKernel(group, name));

  OpBuilder builder(last);
  SmallVector<Value> writes;
  for (auto [write, fresh] : llvm::zip_equal(group.writes, group.fresh))
    writes.push_back(fresh ? builder.clone(*fresh)->getResult(0) : write);
  auto scalars = group.scalars.takeVector();
  auto reads = group.reads.takeVector();
  auto dispatch = exec::DispatchOp::create(
      builder, last->getLoc(), TypeRange(ValueRange(writes)), kernel.getName(),
      scalars, reads, writes, builder.getStringAttr(label),
      dispatchCost(group.ops, scalars));
  ValueRange results = dispatch.getResults();
  for (Operation *op : yielding) {
    op->replaceAllUsesWith(results.take_front(op->getNumResults()));
    results = results.drop_front(op->getNumResults());
  }
  for (Operation *op : llvm::reverse(ops))
    op->erase();
  return success();
}

/// A buffer gets what a kernel computes. Other stored values (a reshape, a
/// slice, another buffer) are copied by one.
static void copyStoredViews(exec::EntryOp entry) {
  for (auto store : entry.getBody().front().getOps<exec::StoreOp>()) {
    Value value = store.getValue();
    Operation *def = value.getDefiningOp();
    auto load = dyn_cast<exec::LoadOp>(def);
    bool isSelf = load && load.getBuffer() == store.getBuffer() &&
                  load.getFirst() == store.getFirst();
    if (isSelf || !(load || isCloned(def)))
      continue;
    OpBuilder builder(store);
    Location loc = store.getLoc();
    auto type = cast<RankedTensorType>(value.getType());
    SmallVector<Value> sizes;
    for (int64_t i = 0; i < type.getRank(); ++i)
      if (type.isDynamicDim(i))
        sizes.push_back(tensor::DimOp::create(builder, loc, value, i));
    Value empty = tensor::EmptyOp::create(builder, loc, type, sizes);
    SmallVector<AffineMap> maps(2,
                                builder.getMultiDimIdentityMap(type.getRank()));
    SmallVector<utils::IteratorType> loops(type.getRank(),
                                           utils::IteratorType::parallel);
    auto copy = linalg::GenericOp::create(
        builder, loc, type, value, empty, maps, loops,
        [](OpBuilder &b, Location loc, ValueRange in) {
          linalg::YieldOp::create(b, loc, in[0]);
        });
    store.getValueMutable().set(copy.getResult(0));
  }
}

//===----------------------------------------------------------------------===//
// Siblings
//===----------------------------------------------------------------------===//

/// Results of a contraction for each value of an operand: the loops that the
/// operand has not, but the result has.
static int64_t usesOf(linalg::GenericOp root, OpOperand *operand) {
  AffineMap map = root.getMatchingIndexingMap(operand);
  int64_t uses = 1;
  for (auto [loop, size] : llvm::enumerate(root.getStaticLoopRanges()))
    if (!map.isFunctionOfDim(loop) &&
        root.getIteratorTypesArray()[loop] == utils::IteratorType::parallel)
      uses *= size;
  return uses;
}

/// The contraction of a group that has so few tokens that it reads its weights
/// and is done. Null for others, which code for large products serves.
static linalg::GenericOp smallContraction(ArrayRef<Operation *> group) {
  constexpr int64_t mostTokens = 15;
  auto root = dyn_cast<linalg::GenericOp>(group.front());
  if (!root || isPointwise(root) || root.getNumDpsInputs() != 2 ||
      root.getNumResults() != 1 ||
      llvm::any_of(root.getStaticLoopRanges(), ShapedType::isDynamic))
    return {};
  bool isSmall = llvm::any_of(root.getDpsInputOperands(), [&](OpOperand *in) {
    return usesOf(root, in) <= mostTokens;
  });
  return isSmall ? root : linalg::GenericOp();
}

/// Whether all that `group` needs is there before `first`.
static bool mayMoveBefore(ArrayRef<Operation *> group, Operation *first) {
  SmallVector<Operation *> work(group);
  llvm::DenseSet<Operation *> seen(group.begin(), group.end());
  while (!work.empty()) {
    Operation *op = work.pop_back_val();
    llvm::SetVector<Value> used(op->operand_begin(), op->operand_end());
    getUsedValuesDefinedAbove(op->getRegions(), used);
    for (Value value : used) {
      Operation *def = value.getDefiningOp();
      if (!def || def->getBlock() != first->getBlock() ||
          def->isBeforeInBlock(first) || !seen.insert(def).second)
        continue;
      if (!isCloned(def))
        return false;
      work.push_back(def);
    }
  }
  return true;
}

/// Groups in which contractions of one operand, the projections of a token, are
/// one kernel: one fork and one join, and the operand is read once.
static SmallVector<SmallVector<SmallVector<Operation *>>>
joinSiblings(ArrayRef<SmallVector<Operation *>> groups) {
  SmallVector<SmallVector<SmallVector<Operation *>>> kernels;
  for (ArrayRef<Operation *> group : groups) {
    linalg::GenericOp root = smallContraction(group);
    auto isSibling = [&](ArrayRef<SmallVector<Operation *>> kernel) {
      linalg::GenericOp other = smallContraction(kernel.front());
      return other && other->getBlock() == root->getBlock() &&
             llvm::any_of(root.getDpsInputs(),
                          [&](Value x) {
                            return x.getDefiningOp() &&
                                   llvm::is_contained(other.getDpsInputs(), x);
                          }) &&
             mayMoveBefore(group, kernel.front().back());
    };
    auto kernel = root ? llvm::find_if(kernels, isSibling) : kernels.end();
    if (kernel == kernels.end()) {
      kernels.emplace_back();
      kernel = std::prev(kernels.end());
    } else {
      remark::passed(root.getLoc(),
                     remark::RemarkOpts::name("siblings").category("tpa"))
          << remark::metric("with", labelOf(kernel->front().front()));
    }
    kernel->emplace_back(group);
  }
  return kernels;
}

namespace {
struct FormDispatches : tpa::impl::FormDispatchesBase<FormDispatches> {
  using Base::Base;

  void runOnOperation() override {
    ModuleOp module = getOperation();
    for (auto entry : module.getOps<exec::EntryOp>())
      copyStoredViews(entry);
    if (failed(resolveDims(module)))
      return signalPassFailure();
    Outliner outliner(module);
    for (Operation &op : llvm::make_early_inc_range(*module.getBody())) {
      auto function = dyn_cast<func::FuncOp>(op);
      auto entry = dyn_cast<exec::EntryOp>(op);
      if (entry && failed(outline(outliner, entry.getSymName(),
                                  entry.getBody().front())))
        return signalPassFailure();
      if (!function || function.isExternal() ||
          function->hasAttr(exec::kernelAttrName))
        continue;
      StringRef parent = function.getName();
      parent.consume_back(".block");
      if (failed(outline(outliner, parent, function.front())))
        return signalPassFailure();
    }
    eraseDead(module);
  }

  LogicalResult outline(Outliner &outliner, StringRef parent, Block &block) {
    SmallVector<SmallVector<Operation *>> groups;
    llvm::DenseSet<Operation *> joined;
    for (Operation &op : block) {
      if (!isa<linalg::GenericOp, scf::ForOp, tensor::InsertSliceOp, StreamOp>(
              op))
        continue;
      groups.emplace_back();
      for (Operation *root : epilogueRoots(&op, twinRows))
        if (joined.insert(root).second)
          groups.back().push_back(root);
      numEpilogues += !groups.back().empty();
      groups.back().push_back(&op);
    }
    llvm::erase_if(groups, [&](ArrayRef<Operation *> group) {
      return group.size() == 1 && joined.contains(group.front());
    });
    for (ArrayRef<SmallVector<Operation *>> kernel : joinSiblings(groups)) {
      SmallVector<Operation *> ops, yielding;
      for (ArrayRef<Operation *> group : kernel) {
        llvm::append_range(ops, group);
        yielding.push_back(group.back());
      }
      numSiblings += kernel.size() - 1;
      if (failed(outliner.outline(parent, ops, yielding)))
        return failure();
      ++numDispatches;
      numKernels += outliner.addedKernel;
    }
    return success();
  }

  static void eraseDead(ModuleOp module) {
    for (Operation &op : *module.getBody())
      for (Region &region : op.getRegions())
        for (Block &block : region)
          for (Operation &inner :
               llvm::make_early_inc_range(llvm::reverse(block)))
            if (isOpTriviallyDead(&inner))
              inner.erase();
  }
};
} // namespace
