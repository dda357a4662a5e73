//===- StreamChain.h - Chains over the keys ---------------------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A chain of einsums, maps and a softmax from queries and keys to a sum over
// the keys, followed back to what it reads, and made into a stream.
//
//===----------------------------------------------------------------------===//

#ifndef TPA_COMPILER_FUSION_STREAMCHAIN_H
#define TPA_COMPILER_FUSION_STREAMCHAIN_H

#include "compiler/fusion/StreamForm.h"
#include "dialects/t6/T6Dialect.h"
#include "dialects/tpa/Equation.h"
#include "dialects/tpa/TpaDialect.h"
#include "mlir/IR/IRMapping.h"
#include <deque>

namespace tpa {

/// Why a chain cannot be one stream.
struct StreamRefusal {
  llvm::StringRef code, reason, suggestion;
};

struct StreamChainOptions {
  StreamShape shape;
  int64_t splits;
};

/// A tensor that the stream reads, under the labels by which it is read. The
/// same tensor under other labels is another input: keys that are values, too.
struct StreamInput {
  mlir::Value value;
  std::string labels;
  mlir::Value argument; ///< of the body, once it reads it
};

/// The read of pages that a stream can do itself, block by block; null where
/// the input is none.
t6::CacheReadOp pagedRead(const StreamInput &input);

/// Splits what a bias has as its gradient, a sum over queries and keys alike:
/// the sum over keys for each query, which it returns, then that over queries.
/// Likewise a sum over the batch. Returns another einsum as it is.
EinsumOp splitSum(EinsumOp root);

/// Whether an einsum sums over the keys, and not the queries, what depends on
/// both, or the other way round. Then the label that it sums over becomes `m`,
/// the one that it keeps `n`, and that of the batch `b`: in a stream over
/// queries m is the query and n the key.
bool nameByRoles(EinsumOp root);

/// One chain in the making. Labels are letters of the root's equation, extended
/// by fresh ones: a letter means one dimension throughout.
class StreamChain {
public:
  StreamChain(EinsumOp root, StreamChainOptions options)
      : root(root), equation(Equation::parseVerified(root.getEquation())),
        used(equation.labels() + "bnm"), options(options) {}

  /// Whether the root sums over keys what is computed from queries and keys.
  bool isCandidate() const;
  /// Follows operands back to the stream's inputs; fails with `refusal`.
  mlir::LogicalResult collect();
  /// Whether every carry belongs to one row; after collect(), and after factors
  /// are deferred. Fails with `refusal`.
  mlir::LogicalResult checkRows();
  /// The most keys up to `block` that divide every page; after collect().
  int64_t blockWithinPages(int64_t block) const;
  /// Makes the stream in front of the root; returns the root's new value.
  mlir::Value build();
  /// Erases what nothing reads any more.
  void eraseFused();
  int64_t size() const { return ops.size(); }
  int64_t inputCount() const { return read.size(); }

  StreamRefusal refusal;

private:
  static constexpr char keyLabel = AttentionOp::streamLabel, queryLabel = 'n',
                        batchLabel = 'b';

  mlir::LogicalResult refuse(llvm::StringRef code, llvm::StringRef reason,
                             llvm::StringRef suggestion) {
    refusal = {code, reason, suggestion};
    return mlir::failure();
  }
  static bool isInside(mlir::Operation *op, llvm::StringRef labels) {
    return llvm::isa_and_nonnull<EinsumOp, MapOp, SoftmaxOp>(op) &&
           labels.contains(keyLabel) && labels.contains(queryLabel);
  }
  mlir::LogicalResult visit(mlir::Value value, llvm::StringRef labels,
                            bool beforeSoftmax);
  mlir::LogicalResult visitSoftmax(SoftmaxOp op, llvm::StringRef labels,
                                   bool beforeSoftmax);
  mlir::LogicalResult visitCaptures(MapOp op, llvm::StringRef labels);
  mlir::LogicalResult checkWeights();
  mlir::LogicalResult checkSizes();
  StreamInput &input(mlir::Value value, llvm::StringRef labels);

  mlir::Value inside(mlir::Value outer, llvm::StringRef labels);
  bool isQueryLast(llvm::StringRef query, llvm::StringRef other,
                   llvm::StringRef result) const;
  std::string layout(llvm::StringRef labels,
                     llvm::ArrayRef<std::string> operands) const;
  void cloneEinsum(EinsumOp op, llvm::StringRef result);
  void cloneMap(MapOp op);
  void cloneOps();
  /// The body belongs to no operation yet.
  mlir::OpBuilder atEndOfBody() {
    mlir::OpBuilder builder(root.getContext());
    builder.setInsertionPointToEnd(body);
    return builder;
  }
  mlir::Value makeOut(mlir::OpBuilder &b, llvm::StringRef labels,
                      int64_t splits);
  // In terms of the stream's carry: StreamLogSumExp.cpp
  void replaceLogSumExp(StreamOp stream, llvm::StringRef rows);

  EinsumOp root;
  Equation equation;
  std::string used;
  StreamChainOptions options;
  SoftmaxOp softmax;
  llvm::SmallVector<mlir::Operation *> ops; ///< producers first, the root last
  std::deque<StreamInput> inputs;           ///< references to them stay valid
  /// Of what the chain computes and of what its maps capture.
  llvm::DenseMap<mlir::Value, std::string> labelsOf;
  llvm::DenseMap<mlir::Operation *, Equation> equations;
  LabelSizes sizes;

  // Of the body in the making.
  mlir::Block *body = nullptr;
  mlir::IRMapping map;                                  ///< outside to inside
  llvm::DenseMap<mlir::Value, std::string> innerLabels; ///< in memory order
  llvm::SmallVector<StreamInput *> read; ///< inputs that the body has, in order
};

} // namespace tpa

#endif // TPA_COMPILER_FUSION_STREAMCHAIN_H
