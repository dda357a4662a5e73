//===- Nest.cpp - Finds loop nests in kernels and decides how to run them -===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "compiler/codegen/cpu/Nest.h"
#include "compiler/codegen/cpu/Sweep.h"
#include "dialects/exec/ExecDialect.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;

namespace tpa::cpu {

Access accessAlong(AffineMap map, Value memref, unsigned loop) {
  AffineExpr dim = getAffineDimExpr(loop, map.getContext());
  auto type = cast<MemRefType>(memref.getType());
  auto [strides, offset] = type.getStridesAndOffset();
  bool used = false;
  for (auto [i, expr] : llvm::enumerate(map.getResults())) {
    if (!expr.isFunctionOfDim(loop))
      continue;
    bool unitStride =
        expr == dim && i + 1 == map.getNumResults() && strides.back() == 1;
    if (!unitStride || used)
      return Access::Strided;
    used = true;
  }
  return used ? Access::Contiguous : Access::Invariant;
}

LogicalResult checkIsOverMemory(func::FuncOp kernel) {
  if (llvm::any_of(kernel.getArgumentTypes(), llvm::IsaPred<TensorType>))
    return kernel.emitOpError("is a kernel over tensors: run "
                              "exec-bufferize-kernels first");
  return success();
}

Value sizeOf(Value memref, int64_t dim) {
  auto type = cast<MemRefType>(memref.getType());
  return llvm::TypeSwitch<Operation *, Value>(memref.getDefiningOp())
      .Case([&](exec::BindingOp op) {
        return op.getSizes()[type.getDynamicDimIndex(dim)];
      })
      .Case([&](memref::AllocOp op) {
        return op.getDynamicSizes()[type.getDynamicDimIndex(dim)];
      })
      .Case([&](memref::SubViewOp op) -> Value {
        // Dropped unit dimensions shift the numbering.
        llvm::SmallBitVector dropped = op.getDroppedDims();
        int64_t kept = -1;
        for (auto [i, size] : llvm::enumerate(op.getMixedSizes()))
          if (!dropped.test(i) && ++kept == dim)
            return dyn_cast<Value>(size);
        return {};
      })
      .Case([&](memref::CastOp op) { return sizeOf(op.getSource(), dim); })
      .Case([&](memref::ExpandShapeOp op) -> Value {
        for (auto [i, group] : llvm::enumerate(op.getReassociationIndices()))
          if (llvm::is_contained(group, dim))
            return sizeOf(op.getSrc(), i);
        return {};
      })
      .Case([&](memref::CollapseShapeOp op) -> Value {
        auto source = cast<MemRefType>(op.getSrc().getType());
        SmallVector<ReassociationIndices> groups = op.getReassociationIndices();
        for (int64_t member : groups[dim])
          if (source.isDynamicDim(member))
            return sizeOf(op.getSrc(), member);
        return {};
      })
      .Default([](Operation *) { return Value(); });
}

static FailureOr<SmallVector<Extent>> extentsOf(linalg::GenericOp op) {
  SmallVector<Extent> extents(op.getNumLoops());
  for (unsigned loop = 0; loop < op.getNumLoops(); ++loop) {
    SmallVector<std::pair<Value, unsigned>> operands;
    op.mapIterationSpaceDimToAllOperandDims(loop, operands);
    for (auto [memref, dim] : operands) {
      int64_t size = cast<MemRefType>(memref.getType()).getDimSize(dim);
      if (!ShapedType::isDynamic(size))
        extents[loop].constant = size;
      else
        extents[loop].scalar = sizeOf(memref, dim);
      if (!ShapedType::isDynamic(size))
        break;
    }
    if (!ShapedType::isDynamic(extents[loop].constant))
      extents[loop].scalar = {};
    else if (!extents[loop].scalar)
      return op.emitOpError("has a loop whose extent is no scalar: loop ")
             << loop;
  }
  return extents;
}

/// The pointwise operation that reads an intermediate, and nothing else does.
static linalg::GenericOp epilogueOf(linalg::GenericOp root,
                                    memref::AllocOp intermediate) {
  linalg::GenericOp epilogue;
  for (Operation *user : intermediate->getUsers()) {
    if (user == root || isa<linalg::FillOp, memref::DeallocOp>(user))
      continue;
    if (epilogue && user != epilogue)
      return {};
    epilogue = dyn_cast<linalg::GenericOp>(user);
    if (!epilogue || epilogue.getNumParallelLoops() != epilogue.getNumLoops())
      return {};
  }
  return epilogue;
}

linalg::FillOp fillBefore(linalg::GenericOp root, Value out) {
  Operation *last = nullptr;
  for (Operation *user : out.getUsers())
    if (user->getBlock() == root->getBlock() && user->isBeforeInBlock(root) &&
        (!last || last->isBeforeInBlock(user)))
      last = user;
  return dyn_cast_or_null<linalg::FillOp>(last);
}

/// Whether the epilogue of `nest`, which is that of `other` too, makes each of
/// its points from one point of both.
static bool areTwins(const Nest &nest, const Nest &other) {
  linalg::GenericOp a = nest.root, b = other.root, epilogue = nest.epilogue;
  auto readOf = [&](linalg::GenericOp root) {
    for (OpOperand *input : epilogue.getDpsInputOperands())
      if (input->get() == root.getDpsInits()[0])
        return epilogue.getMatchingIndexingMap(input);
    return AffineMap();
  };
  auto isSame = [](const Extent &left, const Extent &right) {
    return left.constant == right.constant && left.scalar == right.scalar;
  };
  return a.getIteratorTypesArray() == b.getIteratorTypesArray() &&
         a.getIndexingMapsArray() == b.getIndexingMapsArray() &&
         readOf(a) == readOf(b) && a->getBlock() == b->getBlock() &&
         llvm::all_of(llvm::zip_equal(nest.extents, other.extents),
                      [&](auto pair) {
                        return isSame(std::get<0>(pair), std::get<1>(pair));
                      });
}

FailureOr<SmallVector<Nest>> findNests(func::FuncOp kernel) {
  SmallVector<Nest> nests;
  llvm::DenseMap<Operation *, unsigned> epilogues; // and their nests
  WalkResult walk = kernel.walk([&](linalg::GenericOp op) {
    if (epilogues.contains(op))
      return WalkResult::advance();
    Nest nest;
    nest.root = op;
    nest.unroll.assign(op.getNumLoops(), 1);
    nest.tile.assign(op.getNumLoops(), 0);
    if (isSweep(nest)) {
      FailureOr<SmallVector<Extent>> extents = extentsOf(op);
      if (failed(extents) || failed(matchSweep(nest)))
        return WalkResult::interrupt();
      nest.extents = *extents;
      nests.push_back(nest);
      return WalkResult::advance();
    }
    Value out = op.getDpsInits()[0];
    nest.fill = fillBefore(op, out);
    if (auto alloc = out.getDefiningOp<memref::AllocOp>()) {
      nest.intermediate = alloc;
      nest.epilogue = epilogueOf(op, alloc);
      if (!nest.epilogue) {
        op.emitOpError(
            "leaves an intermediate result in memory: kernels have none");
        return WalkResult::interrupt();
      }
    }
    FailureOr<SmallVector<Extent>> extents = extentsOf(op);
    if (failed(extents))
      return WalkResult::interrupt();
    nest.extents = *extents;
    if (nest.epilogue) {
      auto [known, isNew] = epilogues.insert({nest.epilogue, nests.size()});
      if (!isNew) {
        Nest &first = nests[known->second];
        if (!areTwins(first, nest)) {
          op.emitOpError("does not run through the loops of other work that "
                         "the same operation follows");
          return WalkResult::interrupt();
        }
        first.twins.push_back({op, nest.fill, nest.intermediate});
        return WalkResult::advance();
      }
    }
    nests.push_back(nest);
    return WalkResult::advance();
  });
  if (walk.wasInterrupted())
    return failure();
  return nests;
}

//===----------------------------------------------------------------------===//
// Schedule
//===----------------------------------------------------------------------===//

/// Cycles, roughly, that a vector step along `loop` spends on memory access per
/// lane of useful work; a strided operand costs an access per lane.
static double accessCost(const Nest &nest, unsigned loop, int64_t lanes) {
  double cost = 0;
  linalg::GenericOp root = nest.root;
  auto add = [&](AffineMap map, Value memref, double weight) {
    cost += weight *
            (accessAlong(map, memref, loop) == Access::Strided ? lanes : 1);
  };
  for (OpOperand *input : root.getDpsInputOperands())
    if (isa<MemRefType>(input->get().getType()))
      add(root.getMatchingIndexingMap(input), input->get(), 1.0);
  OpOperand *out = root.getDpsInitOperand(0);
  // A reduction stores once for many loads.
  add(root.getMatchingIndexingMap(out), out->get(),
      nest.isReduction() ? 0.1 : 1.0);
  // Lanes beyond the extent do nothing.
  int64_t extent = nest.extents[loop].estimate();
  int64_t steps = (extent + lanes - 1) / lanes;
  return cost * (double(steps * lanes) / extent);
}

/// Splits `extent` over `factor` copies only where some operand gains: it is
/// the same for all of them, so that its load is shared.
static bool sharesLoads(const Nest &nest, unsigned loop) {
  linalg::GenericOp root = nest.root;
  return llvm::any_of(root.getDpsInputOperands(), [&](OpOperand *input) {
    return isa<MemRefType>(input->get().getType()) &&
           !root.getMatchingIndexingMap(input).isFunctionOfDim(loop);
  });
}

int64_t stridedInputs(const Nest &nest, unsigned loop) {
  linalg::GenericOp root = nest.root;
  return llvm::count_if(root.getDpsInputOperands(), [&](OpOperand *input) {
    return isa<MemRefType>(input->get().getType()) &&
           accessAlong(root.getMatchingIndexingMap(input), input->get(),
                       loop) == Access::Strided;
  });
}

/// Points that are summed into each result.
static int64_t reductionSteps(const Nest &nest) {
  int64_t steps = 1;
  for (unsigned loop = 0; loop < nest.extents.size(); ++loop)
    if (!nest.isParallel(loop))
      steps *= nest.extents[loop].estimate();
  return steps;
}

/// Whether the body adds the product of two bf16 inputs to a sum, both of which
/// have a whole number of vectors of them along `loop`.
static bool sumsPairsAlong(const Nest &nest, unsigned loop, int64_t lanes) {
  linalg::GenericOp root = nest.root;
  const Extent &extent = nest.extents[loop];
  if (!extent.isStatic() || extent.constant % (2 * lanes) != 0 ||
      root.getNumDpsInputs() != 2)
    return false;
  auto isNarrow = [&](OpOperand *input) {
    auto type = dyn_cast<MemRefType>(input->get().getType());
    return type && type.getElementType().isBF16() &&
           accessAlong(root.getMatchingIndexingMap(input), input->get(),
                       loop) == Access::Contiguous;
  };
  Block *body = root.getBlock();
  auto sum = body->getTerminator()->getOperand(0).getDefiningOp();
  auto isWidened = [&](Value value, unsigned argument) {
    auto widened = value.getDefiningOp<arith::ExtFOp>();
    return widened && widened.getIn() == body->getArgument(argument);
  };
  auto product = llvm::find_if(sum->getOperands(), [](Value operand) {
    return operand.getDefiningOp<arith::MulFOp>();
  });
  if (product == sum->operand_end() || body->getOperations().size() != 5)
    return false;
  auto factors = (*product).getDefiningOp()->getOperands();
  return llvm::all_of(root.getDpsInputOperands(), isNarrow) &&
         isWidened(factors[0], 0) && isWidened(factors[1], 1);
}

/// Sums of products along the lanes, written side by side: as many of them as
/// there are lanes share one vector, and one store.
static bool chooseGather(Nest &nest, const Target &target) {
  linalg::GenericOp root = nest.root;
  Operation *last =
      root.getBlock()->getTerminator()->getOperand(0).getDefiningOp();
  if (!nest.vectorLoop || nest.isParallel(*nest.vectorLoop) ||
      !nest.twins.empty() || !isa_and_nonnull<arith::AddFOp>(last) ||
      !last->getResult(0).getType().isF32())
    return false;
  OpOperand *out = root.getDpsInitOperand(0);
  for (unsigned loop = 0; loop < nest.extents.size(); ++loop)
    if (nest.isParallel(loop) &&
        nest.extents[loop].estimate() >= target.lanes &&
        accessAlong(root.getMatchingIndexingMap(out), out->get(), loop) ==
            Access::Contiguous) {
      nest.gatherLoop = loop;
      nest.unroll[loop] = target.lanes;
      nest.sumsPairs = target.bf16Dot &&
                       sumsPairsAlong(nest, *nest.vectorLoop, target.lanes);
      return true;
    }
  return false;
}

bool isStreamed(const Nest &nest, OpOperand &input) {
  linalg::GenericOp root = nest.root;
  AffineMap map = root.getMatchingIndexingMap(&input);
  for (unsigned loop = 0; loop < nest.extents.size(); ++loop)
    if (nest.isParallel(loop) && map.isFunctionOfDim(loop) &&
        nest.extents[loop].estimate() > 1)
      return true;
  return false;
}

/// A matrix-vector product reads its matrix once, as fast as memory gives: as
/// one stream, not several rows at a time.
static void choosePartials(Nest &nest, const Target &target) {
  auto isUnrolled = [](int64_t factor) { return factor > 1; };
  if (target.inCache || !nest.vectorLoop || nest.isParallel(*nest.vectorLoop) ||
      llvm::none_of(nest.unroll, isUnrolled))
    return;
  const Extent &extent = nest.extents[*nest.vectorLoop];
  bool isWhole = extent.isStatic() && extent.constant % (8 * target.lanes) == 0;
  int64_t partials = isWhole ? 8 : 4;
  if (extent.estimate() < partials * target.lanes)
    return;
  linalg::GenericOp root = nest.root;
  SmallVector<OpOperand *> streamed;
  for (OpOperand *input : root.getDpsInputOperands())
    if (isa<MemRefType>(input->get().getType()) && isStreamed(nest, *input))
      streamed.push_back(input);
  if (streamed.size() != 1)
    return;
  for (AffineExpr result :
       root.getMatchingIndexingMap(streamed.front()).getResults())
    if (auto dim = dyn_cast<AffineDimExpr>(result))
      nest.memoryOrder.push_back(dim.getPosition());
  llvm::fill(nest.unroll, 1);
  nest.partials = partials;
  nest.prefetchBytes = target.prefetchBytes;
}

void sortByMemory(const Nest &nest, SmallVectorImpl<unsigned> &loops) {
  SmallVector<unsigned> sorted;
  for (unsigned loop : nest.memoryOrder)
    if (llvm::is_contained(loops, loop))
      sorted.push_back(loop);
  for (unsigned loop : loops)
    if (!llvm::is_contained(sorted, loop))
      sorted.push_back(loop);
  loops = sorted;
}

void chooseSchedule(Nest &nest, const Target &target) {
  if (isSweep(nest))
    return scheduleSweep(nest);
  double best = std::numeric_limits<double>::infinity();
  for (unsigned loop = 0; loop < nest.extents.size(); ++loop) {
    if (nest.extents[loop].isStatic() && nest.extents[loop].constant < 4)
      continue;
    double cost = accessCost(nest, loop, target.lanes);
    if (cost < best) {
      best = cost;
      nest.vectorLoop = loop;
    }
  }
  // Blocks that are not whole are few: they get little code.
  bool isRest =
      target.inCache && !llvm::all_of(nest.extents, [](const Extent &extent) {
        return extent.isStatic();
      });
  if (!nest.isReduction()) {
    // Short rows in the cache need no loop: their masks are constants.
    if (target.inCache && !isRest && nest.vectorLoop)
      nest.unroll[*nest.vectorLoop] = std::clamp<int64_t>(
          nest.extents[*nest.vectorLoop].constant / target.lanes, 1, 4);
    return;
  }

  nest.unrollsReductions = target.inCache && !isRest;
  if (target.inCache && chooseGather(nest, target))
    return;

  // A register tile over the two longest parallel loops, within half of the
  // registers: the other half holds operands. Sums that run long enough to hide
  // the stores of a larger tile leave a quarter.
  bool isLong = target.inCache && reductionSteps(nest) >= 16;
  int64_t budget = isLong ? target.registers * 3 / 4 : target.registers / 2;
  // Operands that are read lane by lane take more code than they gain.
  if (isRest || (target.inCache && nest.vectorLoop &&
                 stridedInputs(nest, *nest.vectorLoop) > 0))
    budget = 4;
  auto unrollBy = [&](unsigned loop, int64_t most, int64_t step) {
    int64_t extent = nest.extents[loop].estimate() / step;
    int64_t factor = std::min({most, extent, budget});
    if (factor < 2)
      return;
    // Three that leave no remainder beat four that do: half of the code, and
    // nothing runs outside of the register tile.
    if (!target.inCache && nest.extents[loop].isStatic() && factor == 4 &&
        extent % 4 != 0 && extent % 3 == 0)
      factor = 3;
    nest.unroll[loop] = factor;
    budget /= factor;
  };
  if (nest.vectorLoop && nest.isParallel(*nest.vectorLoop))
    unrollBy(*nest.vectorLoop, 4, target.lanes);
  SmallVector<unsigned> loops;
  for (unsigned loop = 0; loop < nest.extents.size(); ++loop)
    if (nest.isParallel(loop) && loop != nest.vectorLoop &&
        (isLong || sharesLoads(nest, loop)))
      loops.push_back(loop);
  // In the cache, what operands are read again for comes first: each head of
  // many has loads of its own.
  auto reads = [&](unsigned loop) {
    return !target.inCache || sharesLoads(nest, loop);
  };
  llvm::sort(loops, [&](unsigned a, unsigned b) {
    int64_t left = nest.extents[a].estimate(),
            right = nest.extents[b].estimate();
    if (reads(a) != reads(b))
      return reads(a);
    return left != right ? left > right : a < b;
  });
  for (unsigned loop : ArrayRef(loops).take_front(2))
    unrollBy(loop, isLong ? 6 : 4, 1);
  choosePartials(nest, target);
}

//===----------------------------------------------------------------------===//
// Distribution
//===----------------------------------------------------------------------===//

AffineMap distribute(Nest &nest, func::FuncOp kernel) {
  // Fork and join cost microseconds: a workgroup should be worth about as much,
  // and more than a few hundred of them only add overhead.
  static constexpr double leastWork = 1 << 15, mostGroups = 256;
  double work =
      std::max<int64_t>(1, nest.root.getBlock()->getOperations().size() - 1);
  for (const Extent &extent : nest.extents)
    work *= extent.estimate();
  work *= double(1 + nest.twins.size());
  double target = std::max(leastWork, work / mostGroups);

  SmallVector<unsigned> loops;
  for (unsigned loop = 0; loop < nest.extents.size(); ++loop)
    if (nest.isParallel(loop))
      loops.push_back(loop);
  llvm::sort(loops, [&](unsigned a, unsigned b) {
    bool vectorA = a == nest.vectorLoop, vectorB = b == nest.vectorLoop;
    if (vectorA != vectorB)
      return vectorB;
    int64_t left = nest.extents[a].estimate(),
            right = nest.extents[b].estimate();
    return left != right ? left > right : a < b;
  });
  // Each workgroup of a stream reads one piece of it, which is not cut further
  // for less than a factor of two.
  sortByMemory(nest, loops);
  double most = nest.partials > 1 ? 2 * target : target;
  for (unsigned loop : loops) {
    int64_t extent = nest.extents[loop].estimate();
    if (work <= most || extent < 2)
      break;
    int64_t grain = nest.unroll[loop] * (loop == nest.vectorLoop ? 16 : 1);
    double parts = std::min<double>(extent, std::ceil(work / target));
    int64_t tile = llvm::alignTo(int64_t(std::ceil(extent / parts)), grain);
    if (tile >= extent && nest.extents[loop].isStatic())
      continue;
    nest.tile[loop] = tile;
    work *= double(tile) / extent;
  }

  MLIRContext *context = kernel.getContext();
  SmallVector<AffineExpr> counts;
  for (unsigned loop = 0; loop < nest.extents.size(); ++loop) {
    if (!nest.tile[loop])
      continue;
    const Extent &extent = nest.extents[loop];
    AffineExpr size =
        extent.isStatic()
            ? getAffineConstantExpr(extent.constant, context)
            : getAffineSymbolExpr(
                  cast<BlockArgument>(extent.scalar).getArgNumber(), context);
    counts.push_back(size.ceilDiv(nest.tile[loop]));
  }
  return AffineMap::get(0, kernel.getNumArguments(), counts, context);
}

} // namespace tpa::cpu
