//===- Passes.td - Passes from linalg to dispatches --------*- tablegen -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef TPA_COMPILER_FUSION_PASSES_TD
#define TPA_COMPILER_FUSION_PASSES_TD

include "mlir/Pass/PassBase.td"

def FuseStream : Pass<"tpa-fuse-stream", "mlir::ModuleOp"> {
  let summary = "fuse chains of einsums over the keys into one pass";
  let description = [{
    Starts from an einsum that sums over the key index m what depends on queries
    (n) and keys, follows its operands back through maps, einsums and a softmax
    over m as far as they depend on both, and makes one `tpa.stream` of them over
    blocks of keys: the score of a query and a key is never in memory. Operands
    that carry m are streamed; the others are invariant, and contractions among
    invariants alone move ahead of the stream. The pairwise order is the cheapest
    in arithmetic and bytes for one block, at the target's rates (CostModel.h): the
    remark `contraction-form` says whether it keeps factors apart (factored), has
    those of the query meet ahead of the stream (pre-contracted), applies factors to
    the sum (deferred) or forms keys or values in it (materialised), with what each
    of these costs for a key.

    The reverse of an attention is made of such chains without a softmax: weights
    are exp(score - log-sum-exp). The gradient of queries sums over keys; those of
    keys and values keep a row for each key and sum over queries, so that the two
    letters change places: `m` is the query there. What sums over both keeps a row
    for each query first. A `tpa.log_sum_exp` of the softmax's scores becomes that
    of the stream's carry, so that nothing reads scores in memory.

    Few queries share every block, and the keys are split among workgroups; many
    are taken in blocks, which the stream transposes once so that their scores lie
    side by side.

    It is right where (fusion.md's conditions, as reason codes of the remark
    `stream`):
    - `weights-escape`: every path from the softmax reaches a sum over m
    - `not-linear`: between the two are only maps linear in the weights
    - `not-pointwise`: what precedes the softmax is pointwise in m
    - `sizes-unknown`: other dimensions than queries and keys are static
    - `captured`: maps capture tensors only element by element
    - `shared-rows`: the sum over m keeps the batch, the queries and the rows of
      the softmax, which has the batch, too
    - `too-many-operands`, `too-many-labels`: an einsum has as many operands as
      the search for its order takes, the chain as many dimensions as letters

    Examples: tests/compiler/fusion/fuse-stream.mlir, fuse-stream-reverse.mlir
  }];
  let options = [
    Option<"targetName", "target", "std::string", "\"cpu\"",
           "Whose rates decide: cpu or sm_80">,
    Option<"block", "block", "int64_t", "32", "Keys in a block">,
    Option<"queryBlock", "query-block", "int64_t", "16",
           "Queries that share a block of keys, where their number varies">,
    Option<"splits", "splits", "int64_t", "8",
           "Parts of the keys that workgroups take, where queries are too few to share">];
  let statistics = [
    Statistic<"numStreams", "streams", "Streams made">,
    Statistic<"numRefused", "refused", "Sums over keys left unfused">];
  let dependentDialects = ["::tpa::TpaDialect", "mlir::arith::ArithDialect",
                           "mlir::math::MathDialect", "mlir::tensor::TensorDialect"];
}

def FuseElementwise : Pass<"tpa-fuse-elementwise", "mlir::ModuleOp"> {
  let summary = "fuse pointwise producers into their only consumer";
  let description = [{
    A pointwise `linalg.generic` used once moves into its consumer where the
    consumer reads each of its elements once, so that nothing is computed twice.

    Example: tests/compiler/fusion/fuse-elementwise.mlir
  }];
  let statistics = [Statistic<"numFused", "fused", "Producers fused">];
  let dependentDialects = ["mlir::linalg::LinalgDialect", "mlir::affine::AffineDialect"];
}

def FormDispatches : Pass<"exec-form-dispatches", "mlir::ModuleOp"> {
  let summary = "outline work into kernels and leave dispatches";
  let description = [{
    Every contraction, reduction or pointwise map becomes a kernel together with
    the views, constants and fills that it reads, and, after a contraction or
    reduction, the pointwise map that alone uses its result (the epilogue). A map
    may follow two contractions that share an operand and run through the same
    loops, where each value of the others is read less than `twin-rows` times, as
    that of a SwiGLU for one token. Equal kernels are one function. Each dispatch states its
    bytes and operations.

    Dynamic sizes must come from the scalars of the entry: of a function's
    arguments, `exec.scalar` names the scalars, and `exec.dims` names the scalar
    of each dynamic dimension of a tensor.

    Example: tests/compiler/fusion/form-dispatches.mlir
  }];
  let options = [
    Option<"twinRows", "twin-rows", "int64_t", "0",
           "Rows from which on a map follows one of two contractions alone; 0: always, as "
           "two streams of memory in turns are slower than one after the other">];
  let statistics = [
    Statistic<"numDispatches", "dispatches", "Dispatches formed">,
    Statistic<"numKernels", "kernels", "Different kernels">,
    Statistic<"numEpilogues", "epilogues", "Pointwise maps joined to the work before them">,
    Statistic<"numSiblings", "siblings", "Contractions joined to others of their operand">];
  let dependentDialects = ["::tpa::exec::ExecDialect", "mlir::arith::ArithDialect",
                           "mlir::func::FuncDialect", "mlir::linalg::LinalgDialect",
                           "mlir::tensor::TensorDialect"];
}

def JoinDispatches : Pass<"exec-join-dispatches", "mlir::ModuleOp"> {
  let summary = "make one dispatch of small ones that follow each other";
  let description = [{
    Neighbouring dispatches that need no scalar, and each move and compute so
    little that one workgroup is done with it in about the time of a fork, become
    one: its kernel is their kernels' bodies, one behind the other. Whatever they
    make stays a result, in memory, and costs add up. The remark `join-dispatches`
    lists what was joined, by labels, and says of a small dispatch that stays
    alone what keeps it apart from its neighbour.

    Example: tests/compiler/fusion/join-dispatches.mlir
  }];
  let options = [
    Option<"mostBytes", "most-bytes", "int64_t", "16384",
           "Bytes that a small dispatch reads at most, and writes at most">,
    Option<"mostFlops", "most-flops", "int64_t", "16384",
           "Floating-point operations of a small dispatch at most">];
  let statistics = [
    Statistic<"numJoined", "joined", "Dispatches joined to the one before">];
  let dependentDialects = ["::tpa::exec::ExecDialect", "mlir::func::FuncDialect"];
}

#endif // TPA_COMPILER_FUSION_PASSES_TD
