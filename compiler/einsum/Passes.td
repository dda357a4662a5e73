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
    Substitutes an einsum or materialize that produces an operand of
    `tpa.attention` into the equation. On the key and value side this moves the
    cut at which a cache holds tokens: it is done where the producer's operands
    take fewer bytes per token than its result. On the query side it is done for
    contractions of activations alone, so that factors stay apart and the
    contraction order may choose; projections by parameters stay ahead.
    Idempotent.

    Example: tests/compiler/einsum/compose-attention.mlir
  }];
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
