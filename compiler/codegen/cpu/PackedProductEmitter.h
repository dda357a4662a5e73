//===- PackedProductEmitter.h - Products to vector loops --------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Emits a packed matrix product as scf loops around vector operations.
//
//===----------------------------------------------------------------------===//

#ifndef TPA_COMPILER_CODEGEN_CPU_PACKEDPRODUCTEMITTER_H
#define TPA_COMPILER_CODEGEN_CPU_PACKEDPRODUCTEMITTER_H

#include "compiler/codegen/cpu/NestEmitter.h"
#include "compiler/codegen/cpu/PackedProduct.h"

namespace tpa::cpu {

/// ```
/// for blocks of the sum
///   pack right: panels of a tile's columns, a row of them per step
///   for the workgroup's rows, a tile of them at a time     (left is packed too
///     for panels                              where its rows are neighbours)
///       tile = sum over the block, in registers
///       for the tile's rows: add to parts, or finish and store
/// ```
/// Registers hold whole tiles always: the last rows of all are computed
/// together with some before them, columns that do not exist are not stored.
class PackedProductEmitter {
public:
  /// The builder stands in the kernel's body.
  PackedProductEmitter(mlir::OpBuilder &builder, const Nest &nest,
                       const PackedProduct &product, int64_t lanes,
                       mlir::Value workgroup);

  void emit();
  /// Whether there are too few rows for a tile; null where their number is
  /// known.
  mlir::Value hasFewRows();
  /// The workgroup's share of all loops where there are few rows.
  void fewRowsBounds(llvm::SmallVectorImpl<mlir::Value> &lower,
                     llvm::SmallVectorImpl<mlir::Value> &upper);

private:
  /// A factor as the product sees it: lines (rows or columns) by steps.
  struct Factor {
    mlir::Value memory; ///< of one dimension
    mlir::AffineMap map;
    mlir::ArrayRef<unsigned> lines;
    mlir::Value count; ///< lines
    bool alongSum;
  };
  using Body = llvm::function_ref<void(mlir::Value)>;

  // Index arithmetic.
  mlir::Value constant(int64_t value);
  mlir::Value add(mlir::Value left, mlir::Value right);
  mlir::Value mul(mlir::Value left, mlir::Value right);
  mlir::Value min(mlir::Value left, mlir::Value right);
  mlir::Value extent(unsigned loop);
  mlir::Value extent(llvm::ArrayRef<unsigned> loops);
  llvm::SmallVector<mlir::Value> split(mlir::Value flat,
                                       llvm::ArrayRef<unsigned> loops);
  mlir::Value offset(mlir::AffineMap map, llvm::ArrayRef<unsigned> loops,
                     mlir::Value flat);
  void loop(mlir::Value from, mlir::Value to, int64_t step, Body body);

  // Memory.
  mlir::Value flatten(mlir::Value memref);
  mlir::Value scratch(int64_t elements);
  Factor factor(mlir::OpOperand *operand, llvm::ArrayRef<unsigned> lines,
                bool alongSum);
  mlir::Value maskUpTo(mlir::Value count);
  mlir::Value load(const Factor &factor, mlir::Value at, mlir::Value next,
                   int64_t count);
  mlir::Value loadPairs(const Factor &factor, mlir::Value at, mlir::Value next,
                        int64_t count);

  // Work.
  void pack(const Factor &factor, mlir::Value first, mlir::Value end,
            mlir::Value target, int64_t lines, int64_t width);
  void transposeLines(const Factor &factor, mlir::Value first,
                      mlir::Value target, mlir::Value at, int64_t width);
  void copyLines(const Factor &factor, mlir::Value from, mlir::Value next,
                 mlir::Value left, int64_t i, mlir::Value target,
                 mlir::Value to);
  void emitRows();
  void emitTiles(mlir::Value row, mlir::Value base, mlir::Value leftMemory,
                 llvm::ArrayRef<mlir::Value> leftAt, int64_t leftStep,
                 mlir::Value ahead);
  void prefetch(mlir::Value memory, mlir::Value at);
  void prefetchResult(mlir::Value row, mlir::Value column);
  void emitTile(mlir::Value panel, mlir::Value leftMemory,
                llvm::ArrayRef<mlir::Value> leftAt, int64_t leftStep,
                mlir::Value ahead);
  mlir::Value multiplyAdd(mlir::Value row, mlir::Value column, mlir::Value sum);
  void finishTile(mlir::Value row, mlir::Value base, mlir::Value column);
  void finishVector(mlir::Value row, mlir::Value column, mlir::Value value,
                    mlir::Value part);
  void finishEpilogue(mlir::Value row, mlir::Value column, mlir::Value value,
                      mlir::Value mask);

  mlir::OpBuilder &b;
  const Nest &nest;
  const PackedProduct &product;
  mlir::linalg::GenericOp root;
  mlir::Location loc;
  int64_t lanes;
  int64_t wordsPerBlock = 0; ///< of a packed line: one or two steps each
  mlir::VectorType vectorType;
  Factor left, right;

  mlir::Value columnGroup, columnGroups;                ///< the workgroup's
  mlir::Value rowBegin, rowEnd, columnBegin, columnEnd; ///< of the workgroup
  mlir::Value stepBegin, steps, words;                  ///< of the block
  mlir::Value isFirst, isLast; ///< of the blocks; null: there is one
  mlir::Value rightPanels, leftPanel, tile, parts; ///< scratch
};

} // namespace tpa::cpu

#endif // TPA_COMPILER_CODEGEN_CPU_PACKEDPRODUCTEMITTER_H
