//===- PackedProduct.h - Large matrix products ------------------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Recognises nests that are large matrix products and decides their blocks.
//
//===----------------------------------------------------------------------===//

#ifndef TPA_COMPILER_CODEGEN_CPU_PACKEDPRODUCT_H
#define TPA_COMPILER_CODEGEN_CPU_PACKEDPRODUCT_H

#include "compiler/codegen/cpu/Nest.h"

namespace tpa::cpu {

/// result[rows, columns] = sum over `summed` of left[rows, summed] *
/// right[columns, summed], in blocks whose part of `right` is packed into
/// scratch memory: for each register tile's columns, one row of them per step
/// of the sum. Each of the three is a list of loops that together count as one,
/// the last fastest; loops of extent one are in none of them.
struct PackedProduct {
  /// Fewer use a packed value too seldom, and need not fill a register tile.
  static constexpr int64_t leastRows = 16;

  llvm::SmallVector<unsigned> rows, columns, summed;
  mlir::OpOperand *left = nullptr, *right = nullptr;
  /// Neighbours in memory are steps of the sum; else they are rows (columns).
  bool leftAlongSum = false, rightAlongSum = false;
  bool leftRowsAreOne = false; ///< rows of `left` are equally far apart
  /// Both factors are packed as pairs of bf16, the products of two steps of the
  /// sum at a time.
  bool sumsPairs = false;

  int64_t tileRows = 0;                  ///< of a register tile
  int64_t tileColumns = 0;               ///< of a register tile: whole vectors
  int64_t rowBlock = 0, columnBlock = 0; ///< of a workgroup
  int64_t sumBlock = 0;                  ///< steps of the sum that are packed
  /// Consecutive workgroups share columns, so that `right` is read once.
  bool rowsFastest = true;
  /// The sum takes several blocks, and its parts are no results yet: they wait
  /// in scratch memory.
  bool keepsParts = false;

  /// Rows of `left` in the order of memory are broadcast from where they lie.
  bool packsLeft() const;
  /// Steps of the sum that one of a packed factor holds.
  int64_t stepsPerWord() const { return sumsPairs ? 2 : 1; }
};

/// The loops of a projected permutation's results, without those of extent one.
llvm::SmallVector<unsigned> loopsOf(const Nest &nest, mlir::AffineMap map);

/// The product that a nest is; none where other code serves it better, with the
/// reason in `why` if the nest is a product at all.
std::optional<PackedProduct>
matchProduct(const Nest &nest, const Target &target, std::string &why);

/// The number of workgroups: row blocks by column blocks.
mlir::AffineMap gridOf(const PackedProduct &product, const Nest &nest,
                       mlir::func::FuncOp kernel);

} // namespace tpa::cpu

#endif // TPA_COMPILER_CODEGEN_CPU_PACKEDPRODUCT_H
