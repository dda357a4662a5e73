//===- Nest.h - A loop nest in the making -----------------------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A loop nest in the making: one linalg operation with what fuses around it.
//
//===----------------------------------------------------------------------===//

#ifndef TPA_COMPILER_CODEGEN_CPU_NEST_H
#define TPA_COMPILER_CODEGEN_CPU_NEST_H

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"

namespace tpa::cpu {

/// What the target offers to a nest.
struct Target {
  int64_t lanes = 16;     ///< f32 elements of a vector register
  int64_t registers = 32; ///< vector registers
  /// Operands are in the first-level cache: arithmetic is what takes time.
  bool inCache = false;
  /// How far ahead to ask for what a single stream of memory will give; zero
  /// where the hardware does that better alone.
  int64_t prefetchBytes = 2048;
  bool bf16Dot = false; ///< has a dot product of two bf16 pairs
};

/// The extent of a loop: a constant, or a scalar argument of the kernel.
struct Extent {
  int64_t constant = mlir::ShapedType::kDynamic;
  mlir::Value scalar;

  bool isStatic() const { return !scalar; }
  /// For decisions only: dynamic extents are taken to be middling.
  int64_t estimate() const { return isStatic() ? constant : 64; }
};

/// A second root of a nest: the same loops, operands addressed in the same way,
/// and a result that the same epilogue consumes.
struct Twin {
  mlir::linalg::GenericOp root;
  mlir::linalg::FillOp fill; ///< may be null
  mlir::memref::AllocOp intermediate;
};

/// `root` over memrefs, with the constant that its result starts from and the
/// pointwise operation that consumes the result element by element. The loops
/// of a nest are the root's.
struct Nest {
  mlir::linalg::GenericOp root;
  mlir::linalg::FillOp fill;          ///< may be null
  mlir::linalg::GenericOp epilogue;   ///< may be null
  mlir::memref::AllocOp intermediate; ///< of an epilogue: never materialised
  llvm::SmallVector<Twin, 0> twins;   ///< with an epilogue: of all its results

  llvm::SmallVector<Extent> extents; ///< per loop
  /// Decisions:
  std::optional<unsigned> vectorLoop; ///< none: scalar code
  /// Of a vector reduction: the parallel loop of which `lanes` sums at a time
  /// are gathered into one vector, where there is one.
  std::optional<unsigned> gatherLoop;
  /// Of gathered sums: two products of bf16 a lane and step.
  bool sumsPairs = false;
  llvm::SmallVector<int64_t, 4> unroll; ///< per loop, 1 for reductions
  /// Sums per point that a vector reduction runs side by side: what it reads,
  /// it reads from front to back.
  int64_t partials = 1;
  /// Of such a reduction: the loops in the order of the memory it reads.
  llvm::SmallVector<unsigned, 0> memoryOrder;
  int64_t prefetchBytes = 0; ///< of such a reduction
  /// Short reductions are emitted without a loop.
  bool unrollsReductions = false;
  llvm::SmallVector<int64_t, 2> tile; ///< per loop: of a workgroup; 0 is all

  /// The nest as that of a twin alone.
  Nest ofTwin(const Twin &twin) const {
    Nest other = *this;
    other.twins.clear();
    other.root = twin.root;
    other.fill = twin.fill;
    other.intermediate = twin.intermediate;
    return other;
  }
  /// All operations that the nest stands for, in order.
  llvm::SmallVector<mlir::linalg::GenericOp> operations() const {
    llvm::SmallVector<mlir::linalg::GenericOp> ops = {root};
    for (const Twin &twin : twins)
      ops.push_back(twin.root);
    if (epilogue)
      ops.push_back(epilogue);
    return ops;
  }

  bool isParallel(unsigned loop) const {
    mlir::linalg::GenericOp op = root;
    return op.getIteratorTypesArray()[loop] ==
           mlir::utils::IteratorType::parallel;
  }
  bool isReduction() const {
    mlir::linalg::GenericOp op = root;
    return op.getNumParallelLoops() != op.getNumLoops();
  }
};

/// How an operand is addressed as one loop advances.
enum class Access { Invariant, Contiguous, Strided };
Access accessAlong(mlir::AffineMap map, mlir::Value memref, unsigned loop);

/// Whether some loop other than the reduction's moves the operand.
bool isStreamed(const Nest &nest, mlir::OpOperand &input);

/// Inputs that a vector step along `loop` reads lane by lane.
int64_t stridedInputs(const Nest &nest, unsigned loop);

/// The scalar behind dynamic dimension `dim` of a memref in a kernel; null if
/// there is none.
mlir::Value sizeOf(mlir::Value memref, int64_t dim);

/// The fill that a reduction starts from: of the operations before it that
/// touch its output, the last.
mlir::linalg::FillOp fillBefore(mlir::linalg::GenericOp root, mlir::Value out);

/// Fails, with a diagnostic, where a kernel has tensors for arguments.
mlir::LogicalResult checkIsOverMemory(mlir::func::FuncOp kernel);

/// Finds the nests of a kernel, in order.
mlir::FailureOr<llvm::SmallVector<Nest>> findNests(mlir::func::FuncOp kernel);

/// Sorts loops into the nest's memory order, where it has one.
void sortByMemory(const Nest &nest, llvm::SmallVectorImpl<unsigned> &loops);

/// Chooses the vector loop and the register tile.
void chooseSchedule(Nest &nest, const Target &target);

/// Chooses workgroup tiles and returns the grid: a map from the kernel's
/// scalars to the number of workgroups per parallel loop with a tile.
mlir::AffineMap distribute(Nest &nest, mlir::func::FuncOp kernel);

} // namespace tpa::cpu

#endif // TPA_COMPILER_CODEGEN_CPU_NEST_H
