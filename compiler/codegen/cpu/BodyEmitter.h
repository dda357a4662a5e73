//===- BodyEmitter.h - Bodies of linalg.generic -----------------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Emits the body of a linalg.generic for one point or one vector of points.
//
//===----------------------------------------------------------------------===//

#ifndef TPA_COMPILER_CODEGEN_CPU_BODYEMITTER_H
#define TPA_COMPILER_CODEGEN_CPU_BODYEMITTER_H

#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/IR/IRMapping.h"

namespace tpa::cpu {

/// Where a body runs: an index per loop, of which one may stand for `lanes`
/// consecutive points, the last of them possibly absent.
struct Point {
  llvm::SmallVector<mlir::Value> indices;
  std::optional<unsigned> vectorLoop;
  int64_t lanes = 1;
  mlir::Value mask; ///< vector<lanes x i1>; null: all lanes are present
  mlir::Value last; ///< with a mask: the last valid index of the vector loop
};

/// A value is scalar where all lanes agree, and is broadcast only where it
/// meets a vector.
class BodyEmitter {
public:
  BodyEmitter(mlir::OpBuilder &builder, mlir::Location loc, const Point &point)
      : b(builder), loc(loc), point(point) {}

  /// What the operation reads of an operand at the point.
  mlir::Value load(mlir::Value memref, mlir::AffineMap map);
  /// Writes a value to an operand at the point.
  void store(mlir::Value value, mlir::Value memref, mlir::AffineMap map);
  /// Asks for the memory that `load` at the point would read; it need not
  /// exist.
  void prefetch(mlir::Value memref, mlir::AffineMap map);
  /// Evaluates the body; `arguments` are its block arguments' values.
  mlir::Value evaluate(mlir::linalg::GenericOp op, mlir::ValueRange arguments);
  /// The same of an operation with several results.
  llvm::SmallVector<mlir::Value> evaluateAll(mlir::linalg::GenericOp op,
                                             mlir::ValueRange arguments);
  /// `value` as a vector.
  mlir::Value toVector(mlir::Value value);

private:
  llvm::SmallVector<mlir::Value> indicesOf(mlir::AffineMap map,
                                           mlir::Value lane);
  mlir::Value emit(mlir::Operation *op, mlir::IRMapping &map);
  mlir::Value lookUp(mlir::Value memref, mlir::OperandRange original,
                     mlir::ValueRange indices);
  mlir::Value vectorLoad(mlir::Value memref, mlir::ValueRange indices);
  mlir::Value laneIndex(int64_t lane);
  mlir::VectorType vectorOf(mlir::Type element) {
    return mlir::VectorType::get({point.lanes}, element);
  }

  mlir::OpBuilder &b;
  mlir::Location loc;
  const Point &point;
};

} // namespace tpa::cpu

#endif // TPA_COMPILER_CODEGEN_CPU_BODYEMITTER_H
