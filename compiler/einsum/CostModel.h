//===- CostModel.h - What a target does in a second -------------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The rates of a target, by which the searches for a contraction order and for
// the cut of the cache decide.
//
//===----------------------------------------------------------------------===//

#ifndef TPA_COMPILER_EINSUM_COSTMODEL_H
#define TPA_COMPILER_EINSUM_COSTMODEL_H

#include "mlir/IR/Operation.h"
#include <cstdint>

namespace tpa {

/// What a target does in a second, on one core of a CPU or on a whole GPU: only
/// ratios decide. A new target is a new row of the table.
struct CostModel {
  /// A contraction as a product of matrices, one for each of its `batch`.
  struct Product {
    double batch = 1, rows = 1, columns = 1, depth = 1;
    double flops() const { return 2 * batch * rows * columns * depth; }
  };
  /// What a tensor core multiplies at once; products are padded to it.
  struct Tile {
    int64_t rows, columns, depth;
  };

  llvm::StringRef name;
  double vectorFlops; ///< multiplications and additions of the vector unit
  double exps;        ///< exponentials
  double tensorFlops; ///< of tensor cores, zero where there are none
  Tile tile;
  double memoryBytes; ///< to and from memory
  double cacheBytes;  ///< to and from where a block's intermediates are

  /// The target of this name; emits an error on `where` if there is none.
  static mlir::FailureOr<CostModel> find(mlir::Operation *where,
                                         llvm::StringRef name);

  /// Seconds of arithmetic, on the unit that is faster.
  double productTime(const Product &product) const;
};

} // namespace tpa

#endif // TPA_COMPILER_EINSUM_COSTMODEL_H
