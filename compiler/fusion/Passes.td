//===- Passes.td - Passes from linalg to dispatches --------*- tablegen -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef TPA_COMPILER_FUSION_PASSES_TD
#define TPA_COMPILER_FUSION_PASSES_TD

include "mlir/Pass/PassBase.td"

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
    reduction, the pointwise map that alone uses its result (the epilogue). Equal
    kernels are one function. Each dispatch states its bytes and operations.

    Dynamic sizes must come from the scalars of the entry: of a function's
    arguments, `exec.scalar` names the scalars, and `exec.dims` names the scalar
    of each dynamic dimension of a tensor.

    Example: tests/compiler/fusion/form-dispatches.mlir
  }];
  let statistics = [
    Statistic<"numDispatches", "dispatches", "Dispatches formed">,
    Statistic<"numKernels", "kernels", "Different kernels">,
    Statistic<"numEpilogues", "epilogues", "Pointwise maps joined to the work before them">];
  let dependentDialects = ["::tpa::exec::ExecDialect", "mlir::func::FuncDialect"];
}

#endif // TPA_COMPILER_FUSION_PASSES_TD
