//===- StreamLowering.h - One stream on its way to loops --------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A stream over memrefs becomes loops of linalg over blocks of keys.
//
// A workgroup takes a batch row, a block of queries and a split of the keys.
// Carries live in the stream's outs; what a block computes lives in scratch
// memory of the workgroup, small enough for the first-level cache.
//
//===----------------------------------------------------------------------===//

#ifndef TPA_COMPILER_CODEGEN_CPU_STREAMLOWERING_H
#define TPA_COMPILER_CODEGEN_CPU_STREAMLOWERING_H

#include "compiler/codegen/cpu/LowerStream.h"
#include "dialects/tpa/Equation.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Arith/Utils/Utils.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"

namespace tpa::cpu {

/// A part of a label's range: first index and extent.
struct Range {
  mlir::Value begin;
  mlir::OpFoldResult size;
};

/// Lowers one stream of a kernel.
class StreamLowering {
public:
  StreamLowering(StreamOp stream, const StreamLoweringOptions &options)
      : stream(stream), options(options), b(stream), loc(stream.getLoc()),
        terms(stream.inputTerms()), outs(stream.outTerms()) {}

  mlir::LogicalResult run(mlir::func::FuncOp kernel);

private:
  using Body =
      llvm::function_ref<mlir::Value(mlir::OpBuilder &, mlir::ValueRange)>;

  // Workgroups and blocks: LowerStream.cpp
  mlir::LogicalResult checkBody();
  mlir::FailureOr<mlir::OpFoldResult> sizeOfLabel(char label);
  int64_t blockSize(char label) const;
  void loopOver(mlir::Value from, mlir::Value to, int64_t step, char label,
                llvm::function_ref<void()> body);
  void workgroup();

  // Which keys a block of queries sees: StreamBounds.cpp
  std::pair<mlir::Value, mlir::Value> keyBounds();
  mlir::Value firstPosition(mlir::tensor::ExtractOp position);
  bool alwaysHolds(mlir::Operation *condition) const;

  // Where values are: StreamMemory.cpp
  mlir::Value view(mlir::Value memref, llvm::StringRef labels, bool isOut);
  mlir::Value inputBlock(unsigned input);
  mlir::Value scratch(mlir::Value value, llvm::StringRef labels) {
    return scratch(buffers[value], labels, b.getF32Type());
  }
  mlir::Value scratch(mlir::Value &buffer, llvm::StringRef labels,
                      mlir::Type element);
  mlir::Value carry(unsigned out, llvm::StringRef labels);
  mlir::Value allocate(mlir::Value value, llvm::StringRef labels);
  mlir::Value widen(mlir::Value value, llvm::StringRef term);
  void noteRounding();
  mlir::Value narrow(mlir::Value value, llvm::StringRef term);
  llvm::SmallVector<mlir::Value> nextBlocks();
  mlir::Value matrix(mlir::Value memref, llvm::StringRef labels,
                     llvm::StringRef kept, llvm::StringRef joined,
                     const llvm::DenseMap<char, mlir::Value> &at);
  mlir::Value pairScratch(mlir::Value value, int64_t rows, int64_t columns);

  // The body, operation by operation: StreamBody.cpp
  std::string parallelOrder(mlir::ValueRange inputs,
                            llvm::ArrayRef<std::string> terms,
                            llvm::StringRef outLabels);
  void generic(mlir::ValueRange inputs, llvm::ArrayRef<std::string> terms,
               mlir::Value output, llvm::StringRef labels,
               std::optional<double> init, Body body);
  std::optional<unsigned> operandOfPairs(EinsumOp op, const Equation &equation);
  llvm::SmallVector<mlir::Value> operandsOf(EinsumOp op,
                                            const Equation &equation);
  void emitEinsum(EinsumOp op, std::optional<unsigned> accumulate);
  void emitMap(MapOp op);
  void emitSoftmax(OnlineSoftmaxOp op);
  bool isInvariant(mlir::Operation *op) const;
  void invariants();
  void block();

  // Sums of outer products: StreamOuter.cpp
  bool accumulateOuter(EinsumOp op, unsigned out);
  void remarkOnOuter(EinsumOp op, int64_t rows, bool isNarrow, bool isPaired);

  mlir::Value constant(int64_t value) {
    return mlir::arith::ConstantIndexOp::create(b, loc, value);
  }
  mlir::Value asValue(mlir::OpFoldResult size) {
    return mlir::getValueOrCreateConstantIndexOp(b, loc, size);
  }
  std::string labelsOf(mlir::Value value) const { return labels.lookup(value); }

  StreamOp stream;
  StreamLoweringOptions options;
  mlir::OpBuilder b;
  mlir::Location loc;
  llvm::SmallVector<std::string> terms, outs;
  llvm::DenseMap<mlir::Value, std::string> labels; ///< of the body's values
  llvm::DenseMap<mlir::Value, mlir::Value>
      memory; ///< of the body's values, this block
  llvm::DenseMap<mlir::Value, mlir::Value> buffers;       ///< scratch, whole
  llvm::DenseMap<mlir::Value, mlir::Value> narrowBuffers; ///< in bf16
  llvm::DenseMap<mlir::Value, mlir::Value>
      pairBuffers; ///< of values, as pairs of rows
  llvm::DenseSet<mlir::Operation *> remarked;
  llvm::DenseMap<char, Range> ranges; ///< of b, n and m, this block
  /// Comparisons in masks that hold for every key between the bounds.
  llvm::DenseSet<mlir::Operation *> implied;
  mlir::Value split;
  mlir::OpBuilder::InsertPoint entry;
};

} // namespace tpa::cpu

#endif // TPA_COMPILER_CODEGEN_CPU_STREAMLOWERING_H
