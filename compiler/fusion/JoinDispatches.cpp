//===- JoinDispatches.cpp - Small dispatches become one -------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Joins neighbouring dispatches that are one workgroup's work each.
//
//===----------------------------------------------------------------------===//

#include "compiler/fusion/Passes.h"
#include "dialects/exec/ExecDialect.h"
#include "dialects/tpa/TpaDialect.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/IRMapping.h"
#include "mlir/IR/Remarks.h"
#include "llvm/ADT/SetVector.h"
#include "llvm/ADT/StringMap.h"

using namespace mlir;

namespace tpa {
#define GEN_PASS_DEF_JOINDISPATCHES
#include "compiler/fusion/Passes.h.inc"
} // namespace tpa

using namespace tpa;

static remark::RemarkOpts remarkOptions() {
  return remark::RemarkOpts::name("join-dispatches").category("tpa");
}

static bool isFresh(Value write) {
  return isa_and_nonnull<tensor::EmptyOp>(write.getDefiningOp());
}

/// The memory behind a tensor, as far as it is known: a buffer, or the value
/// that updates in place start from.
static const void *memoryOf(Value value) {
  while (auto dispatch = value.getDefiningOp<exec::DispatchOp>()) {
    Value write = dispatch.getWrites()[cast<OpResult>(value).getResultNumber()];
    if (isFresh(write))
      break;
    value = write;
  }
  if (auto load = value.getDefiningOp<exec::LoadOp>())
    return load.getBufferAttr().getAsOpaquePointer();
  return value.getAsOpaquePointer();
}

/// Costs add up: what one of the dispatches makes and another reads goes
/// through memory as before.
static exec::CostAttr sumOf(ArrayRef<exec::DispatchOp> dispatches) {
  int64_t read = 0, write = 0, flops = 0;
  MLIRContext *context = nullptr;
  for (exec::DispatchOp dispatch : dispatches) {
    exec::CostAttr cost = *dispatch.getCost();
    context = cost.getContext();
    read += cost.getRead().getSingleConstantResult();
    write += cost.getWrite().getSingleConstantResult();
    flops += cost.getFlops().getSingleConstantResult();
  }
  auto map = [&](int64_t value) {
    return AffineMap::getConstantMap(value, context);
  };
  return exec::CostAttr::get(context, map(read), map(write), map(flops));
}

/// The labels, each once: "rope+cache_append".
static std::string labelsOf(ArrayRef<exec::DispatchOp> dispatches) {
  llvm::SetVector<StringRef> labels;
  for (exec::DispatchOp dispatch : dispatches)
    labels.insert(dispatch.getLabel().value_or(dispatch.getKernel()));
  return llvm::join(labels, "+");
}

namespace {

/// Joins runs of dispatches of one module, and shares equal kernels.
class Joiner {
public:
  explicit Joiner(ModuleOp module) : symbols(module) {}

  func::FuncOp kernelOf(exec::DispatchOp dispatch) {
    return symbols.lookup<func::FuncOp>(dispatch.getKernel());
  }
  void join(ArrayRef<exec::DispatchOp> dispatches);
  /// Erases the kernels of dispatches that were joined, where no other is left.
  void eraseUnused(ModuleOp module);

private:
  func::FuncOp buildKernel(ArrayRef<exec::DispatchOp> dispatches,
                           ArrayRef<Value> reads);
  func::FuncOp unify(func::FuncOp kernel, StringRef name);

  SymbolTable symbols;
  llvm::StringMap<func::FuncOp> kernels; ///< by their text
  llvm::SetVector<StringAttr> replaced;
};

} // namespace

/// The bodies of the dispatches' kernels, one behind the other: a function of
/// `reads` and of what each dispatch writes.
func::FuncOp Joiner::buildKernel(ArrayRef<exec::DispatchOp> dispatches,
                                 ArrayRef<Value> reads) {
  SmallVector<Type> inputs(ValueRange(reads).getTypes()), results;
  for (exec::DispatchOp dispatch : dispatches)
    llvm::append_range(results, dispatch.getResultTypes());
  llvm::append_range(inputs, results);
  exec::DispatchOp last = dispatches.back();
  Location loc = last.getLoc();
  OpBuilder builder(last.getContext());
  auto kernel = func::FuncOp::create(builder, loc, "kernel",
                                     builder.getFunctionType(inputs, results));
  kernel->setAttr(exec::kernelAttrName, builder.getUnitAttr());
  kernel.setPrivate();
  Block *body = kernel.addEntryBlock();
  builder.setInsertionPointToStart(body);

  IRMapping values; // of the block that the dispatches are in
  ArrayRef<BlockArgument> arguments = body->getArguments();
  for (auto [read, argument] : llvm::zip(reads, arguments))
    values.map(read, argument);
  arguments = arguments.drop_front(reads.size());
  SmallVector<Value> returned;
  for (exec::DispatchOp dispatch : dispatches) {
    Block &source = kernelOf(dispatch).front();
    IRMapping map;
    unsigned next = 0;
    for (Value read : dispatch.getReads())
      map.map(source.getArgument(next++), values.lookup(read));
    for (size_t i = 0; i < dispatch.getWrites().size(); ++i)
      map.map(source.getArgument(next++), arguments[i]);
    arguments = arguments.drop_front(dispatch.getWrites().size());
    for (Operation &op : source.without_terminator())
      builder.clone(op, map);
    for (auto [result, value] : llvm::zip_equal(
             dispatch.getResults(), source.getTerminator()->getOperands())) {
      values.map(result, map.lookup(value));
      returned.push_back(map.lookup(value));
    }
  }
  func::ReturnOp::create(builder, loc, returned);
  return kernel;
}

/// The kernel itself, or an equal one that exists already.
func::FuncOp Joiner::unify(func::FuncOp kernel, StringRef name) {
  std::string text;
  llvm::raw_string_ostream stream(text);
  kernel->print(stream, OpPrintingFlags().enableDebugInfo(false));
  auto [known, isNew] = kernels.insert({text, kernel});
  if (!isNew) {
    kernel->erase();
    return known->second;
  }
  kernel.setName(name);
  symbols.insert(kernel);
  return kernel;
}

void Joiner::join(ArrayRef<exec::DispatchOp> dispatches) {
  llvm::SetVector<Value> reads;
  SmallVector<Value> writes;
  SmallVector<Type> results;
  for (exec::DispatchOp dispatch : dispatches) {
    for (Value read : dispatch.getReads()) {
      auto maker = read.getDefiningOp<exec::DispatchOp>();
      if (!maker || !llvm::is_contained(dispatches, maker))
        reads.insert(read);
    }
    llvm::append_range(writes, dispatch.getWrites());
    llvm::append_range(results, dispatch.getResultTypes());
    replaced.insert(dispatch.getKernelAttr().getAttr());
  }
  std::string label = labelsOf(dispatches);
  exec::DispatchOp first = dispatches.front(), last = dispatches.back();
  std::string name = (first.getKernel() + "_joined").str();
  func::FuncOp kernel =
      unify(buildKernel(dispatches, reads.getArrayRef()), name);

  OpBuilder builder(last);
  auto joined = exec::DispatchOp::create(
      builder, last.getLoc(), results, kernel.getName(),
      /*scalars=*/ValueRange(), reads.getArrayRef(), writes,
      builder.getStringAttr(label), sumOf(dispatches));
  remark::passed(joined.getLoc(), remarkOptions())
      << remark::metric("dispatches", int64_t(dispatches.size()))
      << remark::metric("label", label);
  ResultRange made = joined.getResults();
  for (exec::DispatchOp dispatch : dispatches) {
    unsigned count = dispatch->getNumResults();
    dispatch->replaceAllUsesWith(made.take_front(count));
    made = made.drop_front(count);
  }
  for (exec::DispatchOp dispatch : llvm::reverse(dispatches))
    dispatch->erase();
}

void Joiner::eraseUnused(ModuleOp module) {
  llvm::DenseSet<StringAttr> used;
  module.walk(
      [&](exec::DispatchOp op) { used.insert(op.getKernelAttr().getAttr()); });
  for (StringAttr name : replaced)
    if (!used.contains(name))
      symbols.erase(symbols.lookup(name));
}

/// What keeps a dispatch, after those of `run`, from being run by their kernel;
/// empty if nothing does.
static StringRef obstacle(ArrayRef<exec::DispatchOp> run,
                          exec::DispatchOp dispatch) {
  llvm::DenseSet<const void *> read, written, updated;
  for (exec::DispatchOp other : run) {
    for (Value value : other.getReads())
      read.insert(memoryOf(value));
    for (auto [write, result] :
         llvm::zip_equal(other.getWrites(), other.getResults())) {
      written.insert(memoryOf(result));
      if (!isFresh(write))
        updated.insert(memoryOf(write));
    }
  }
  // A kernel's operands do not overlap, but for what is read only.
  auto clashes = [](const llvm::DenseSet<const void *> &memory,
                    ValueRange values) {
    return llvm::any_of(values, [&](Value value) {
      return !isFresh(value) && memory.contains(memoryOf(value));
    });
  };
  if (clashes(updated, dispatch.getReads()))
    return "it reads what its neighbour updates in place";
  if (clashes(read, dispatch.getWrites()))
    return "it updates in place what its neighbour reads";
  if (clashes(written, dispatch.getWrites()))
    return "it updates in place what its neighbour writes";
  return {};
}

namespace {
struct JoinDispatches : tpa::impl::JoinDispatchesBase<JoinDispatches> {
  using Base::Base;

  void runOnOperation() override {
    ModuleOp module = getOperation();
    Joiner joiner(module);
    for (Operation &op : llvm::make_early_inc_range(*module.getBody()))
      if (isa<exec::EntryOp>(op) ||
          (isa<func::FuncOp>(op) && !op.hasAttr(exec::kernelAttrName)))
        for (Block &block : op.getRegion(0))
          joinIn(block, joiner);
    joiner.eraseUnused(module);
  }

  /// Whether one workgroup does all of it, in about the time that a fork takes.
  bool isSmall(exec::DispatchOp dispatch, Joiner &joiner) {
    std::optional<exec::CostAttr> cost = dispatch.getCost();
    if (!cost || !dispatch.getScalars().empty() ||
        dispatch->getNumResults() != dispatch.getWrites().size())
      return false;
    auto atMost = [](AffineMap map, int64_t most) {
      return map.isSingleConstant() && map.getSingleConstantResult() <= most;
    };
    func::FuncOp kernel = joiner.kernelOf(dispatch);
    return atMost(cost->getRead(), mostBytes) &&
           atMost(cost->getWrite(), mostBytes) &&
           atMost(cost->getFlops(), mostFlops) && kernel &&
           !kernel.isExternal() && kernel.getOps<StreamOp>().empty();
  }

  void joinIn(Block &block, Joiner &joiner) {
    SmallVector<exec::DispatchOp> run;
    StringRef reason;
    auto finish = [&](StringRef next) {
      if (run.size() > 1) {
        joiner.join(run);
        numJoined += run.size() - 1;
      } else if (run.size() == 1) {
        // The first thing that stood against a neighbour, on either side.
        remark::missed(run.front().getLoc(), remarkOptions())
            << remark::metric("label", labelsOf(run))
            << remark::reason("{0}", reason.empty() ? next : reason);
      }
      run.clear();
      reason = next;
    };
    for (Operation &op : llvm::make_early_inc_range(block)) {
      auto dispatch = dyn_cast<exec::DispatchOp>(op);
      if (dispatch && isSmall(dispatch, joiner)) {
        if (StringRef why = obstacle(run, dispatch); !why.empty())
          finish(why);
        run.push_back(dispatch);
      } else if (dispatch || isa<func::CallOp>(op)) {
        finish("its neighbours are more than one workgroup's work");
      } else if (llvm::any_of(op.getOperands(), [&](Value value) {
                   return llvm::is_contained(run, value.getDefiningOp());
                 })) {
        finish("what one makes is needed before the other");
      }
    }
    finish({});
  }
};
} // namespace
