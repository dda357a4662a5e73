//===- NestEmitter.h - Nests to vector loops --------------------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Emits a scheduled nest as scf loops around vector operations.
//
//===----------------------------------------------------------------------===//

#ifndef TPA_COMPILER_CODEGEN_CPU_NESTEMITTER_H
#define TPA_COMPILER_CODEGEN_CPU_NESTEMITTER_H

#include "compiler/codegen/cpu/BodyEmitter.h"
#include "compiler/codegen/cpu/Nest.h"

namespace tpa::cpu {

/// ```
/// for the parallel loops, in steps of the register tile        (remainders
/// follow)
///   accumulators = init                                        (one per point)
///   for the reduction loops: accumulators = body(loads, accumulators)
///   the same for each twin
///   store(epilogue(accumulators))
/// ```
/// The vector loop, where it is parallel, comes last and makes each accumulator
/// a vector; where it is a reduction, accumulators are vectors of partial
/// results that are combined at the end. Its remainder takes narrower vectors,
/// or runs under a mask.
class NestEmitter {
public:
  /// Loops run over [lower, upper) per loop of the nest.
  NestEmitter(mlir::OpBuilder &builder, const Nest &nest, int64_t lanes,
              llvm::ArrayRef<mlir::Value> lower,
              llvm::ArrayRef<mlir::Value> upper);

  mlir::LogicalResult emit();
  /// Stores a result of the root, or what the epilogue makes of it and of those
  /// of the twins.
  void finish(const Point &point, llvm::ArrayRef<mlir::Value> values);

private:
  using Values = llvm::SmallVector<mlir::Value>;

  mlir::LogicalResult findCombiner();
  mlir::Value constant(int64_t value);
  mlir::Value wholeSteps(mlir::Value from, mlir::Value to, int64_t step);
  void loop(mlir::Value from, mlir::Value to, int64_t step,
            llvm::function_ref<void(mlir::Value)> body);
  void emitParallel(unsigned position);
  void emitVectorParallel(unsigned loop);
  void emitRest(unsigned loop, mlir::Value from);
  void emitTile();
  llvm::SmallVector<Point> tilePoints();
  mlir::Value initial();
  Values resultsAt(llvm::ArrayRef<Point> points);
  Values reduce(llvm::ArrayRef<Point> points);
  Values reduceLoops(unsigned position, Values accumulators);
  Values reduceVector(unsigned loop, Values accumulators);
  Values reducePairs(unsigned loop, Values accumulators);
  Values reducePartials(unsigned loop, mlir::Value to, Values accumulators);
  void prefetchAhead(unsigned loop);
  Values step(llvm::ArrayRef<Point> points, mlir::ValueRange accumulators);
  Values reduceLanes(llvm::ArrayRef<Point> points);
  void finishGathered(Point point, Values partial);
  mlir::Value combine(mlir::Value partial, mlir::Value init);
  bool vectorReduction() const;
  bool unrolls(unsigned position) const;

  mlir::OpBuilder &b;
  const Nest &nest;
  mlir::linalg::GenericOp root;
  mlir::Location loc;
  int64_t lanes;
  llvm::ArrayRef<mlir::Value> lower, upper;

  llvm::SmallVector<unsigned> parallel, reduction; ///< order of loops
  mlir::Operation *combiner = nullptr;             ///< of a reduction
  std::vector<NestEmitter> twins; ///< emit reductions at this one's place
  /// The point being emitted and the register tile around it.
  Point current;
  llvm::SmallVector<int64_t> factor;
};

} // namespace tpa::cpu

#endif // TPA_COMPILER_CODEGEN_CPU_NESTEMITTER_H
