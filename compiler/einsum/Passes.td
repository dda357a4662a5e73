//===- Passes.td - Passes from attention to linalg ---------*- tablegen -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Passes from attention to pairwise contractions to linalg.
//
//===----------------------------------------------------------------------===//

#ifndef TPA_COMPILER_EINSUM_PASSES_TD
#define TPA_COMPILER_EINSUM_PASSES_TD

include "mlir/Pass/PassBase.td"

def ComposeAttention : Pass<"tpa-compose-attention", "mlir::ModuleOp"> {
  let summary = "write attention over the factors of its queries, keys and values";
  let description = [{
    Key and value sides are a graph from the hidden state to the loop over m:
    everything left of a cut through it is computed once, when a token arrives and
    the cut's tensors are cached, everything right of it at every step. A cut may lie
    at any operand of the equations (einsum, materialize, factorize, linear) that
    lead to an operand of `tpa.attention`; what is no equation, such as a rotation or
    a norm, stays left of it. All cuts are tried. The chosen one takes a step least
    time for a token: its bytes at the memory's rate, with parameters that the loop
    would read, and the arithmetic of the cheapest contraction orders (CostModel.h).
    So a cut with fewer bytes wins where its extra arithmetic takes less than the
    memory time that it saves; of equals, that with fewer bytes. Substituting the
    equations right of the cut makes its tensors the operands of the attention. The
    remark `cache-cut` lists the cuts with their bytes and operations. `pin_cache`
    keeps the operands as they are.

    On the query side, equations of activations alone are substituted, so that
    factors stay apart and the contraction order may choose; projections by
    parameters stay ahead. Idempotent.

    Example: tests/compiler/einsum/compose-attention.mlir
  }];
  let options = [
    Option<"targetName", "target", "std::string", "\"cpu\"",
           "Whose rates decide: cpu or sm_80">];
  let statistics = [Statistic<"numComposed", "composed", "Operands composed">];
  let dependentDialects = ["::tpa::TpaDialect"];
}

def ExpandAttention : Pass<"tpa-expand-attention", "mlir::ModuleOp"> {
  let summary = "write attention as einsums, a mask and a softmax";
  let description = [{
    The score einsums are added, scaled, capped and masked, normalised over the
    keys, and contracted by the value einsum: the unfused form, which names every
    intermediate. `tpa.factorize`, `tpa.materialize` and `t6.linear` become
    einsums too.

    Example: tests/compiler/einsum/expand-attention.mlir
  }];
  let statistics = [Statistic<"numExpanded", "expanded", "Operations expanded">];
  let dependentDialects = ["::tpa::TpaDialect", "mlir::arith::ArithDialect",
                           "mlir::linalg::LinalgDialect", "mlir::math::MathDialect",
                           "mlir::tensor::TensorDialect"];
}

def ContractPairwise : Pass<"tpa-contract-pairwise", "mlir::ModuleOp"> {
  let summary = "split einsums into contractions of two operands, cheapest order first";
  let description = [{
    Exact: dynamic programming over subsets of operands, at most 12 of them. The
    cost of a contraction is the time of its floating-point operations and that of
    its result's bytes, written once and read once, at the target's rates
    (CostModel.h). Dynamic sizes count as `dynamic-size`.

    Example: tests/compiler/einsum/contract-pairwise.mlir
  }];
  let options = [
    Option<"targetName", "target", "std::string", "\"cpu\"",
           "Whose rates decide: cpu or sm_80">,
    Option<"balance", "balance", "double", "0.0",
           "Floating-point operations that take as long as moving one byte; 0 is the target's">,
    Option<"dynamicSize", "dynamic-size", "int64_t", "1024",
           "Size assumed for dynamic dimensions">];
  let statistics = [Statistic<"numContractions", "contractions", "Pairwise einsums made">];
  let dependentDialects = ["::tpa::TpaDialect"];
}

def LowerToLinalg : Pass<"tpa-lower-to-linalg", "mlir::ModuleOp"> {
  let summary = "lower tensor operations to linalg";
  let description = [{
    Einsums of one or two operands, softmax, rotary embedding and the layers of
    the t6 dialect become `linalg.generic` over f32 with explicit conversions from
    and to bf16. Cosines and sines come from a constant buffer per set of
    conventions, `rope.N`, with a row per position that an entry can reach.

    Example: tests/compiler/einsum/lower-to-linalg.mlir
  }];
  let options = [
    Option<"positions", "positions", "int64_t", "0",
           "Least number of positions in rotary tables; entries' maxima raise it">];
  let statistics = [Statistic<"numLowered", "lowered", "Operations lowered">];
  let dependentDialects = ["::tpa::exec::ExecDialect", "mlir::arith::ArithDialect",
                           "mlir::bufferization::BufferizationDialect",
                           "mlir::linalg::LinalgDialect", "mlir::math::MathDialect",
                           "mlir::scf::SCFDialect", "mlir::tensor::TensorDialect"];
}

#endif // TPA_COMPILER_EINSUM_PASSES_TD
