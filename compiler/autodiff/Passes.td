//===- Passes.td - Reverse mode ----------------------------*- tablegen -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Passes from a loss to its gradients.
//
//===----------------------------------------------------------------------===//

#ifndef TPA_COMPILER_AUTODIFF_PASSES_TD
#define TPA_COMPILER_AUTODIFF_PASSES_TD

include "mlir/Pass/PassBase.td"

def Autocast : Pass<"tpa-autocast", "mlir::ModuleOp"> {
  let summary = "round the factors of products in entries that ask for it";
  let description = [{
    In an `exec.entry` with the attribute `tpa.autocast = bf16`, and in the
    functions that it calls, f32 operands of einsums that multiply matrices are
    rounded to bf16; so are those with rows that `t6.embedding` chose. All else
    stays in f32: sums of products, norms, softmax, the loss, and parameters, of
    which what is rounded is a copy. So do products over queries and keys, whose
    labels are n and m.

    It comes before `tpa-differentiate`: the reverse multiplies by what the
    forward pass rounded, and a gradient of a rounded parameter is added to that
    of the parameter in f32.

    Example: tests/compiler/autodiff/autocast.mlir
  }];
  let statistics = [
    Statistic<"numRounded", "rounded", "Factors rounded">];
  let dependentDialects = ["mlir::arith::ArithDialect"];
}

def Differentiate : Pass<"tpa-differentiate", "mlir::ModuleOp"> {
  let summary = "add gradients to entries that ask for them";
  let description = [{
    An `exec.entry` with the attribute `tpa.differentiate`, the name of its output
    buffer of one number, also adds the derivative of that number by each
    parameter p that it loads to the state `gradient.p`, in f32.

    Reverse mode, operation by operation through `DifferentiableOpInterface`. A
    called function becomes two, `<name>.forward`, which also yields what is
    saved, and `<name>.backward`; once for all calls that differentiate it alike,
    so a block is differentiated once for all layers. Gradients of parameters are
    added up in place, in the order of the reversed program.

    A function with the attribute `tpa.recompute` saves nothing, whatever the
    option says.

    What the reverse reads of the forward pass of a function is saved by it, or
    computed again by a third function, `<name>.recompute`, from the arguments
    and what is saved, by the same operations in kernels with the same borders,
    so that gradients have the same bits. `recompute` says which:
    - `none`: all is saved but what is quadratic in the number of tokens or only
      rounds an argument
    - `full`: nothing is, all comes again from the arguments
    - `dots`: results of contractions are saved, what is pointwise, norms and
      rotations come again
    - `factors`: saved is what stands for keys and values (the factors of a
      product, a latent that a parameter expands, else they themselves), for
      queries the factors of a product, and what the attention yields: its output
      and the logarithms of its sums
    - bytes, as `64MB` or `1.5GiB`: what spares most operations, within so many
      bytes of all that a training step saves. Exact over all choices of what
      the reverse reads, the same for all calls of a function
      (ForwardFrontier.cpp); fewer bytes than `full` needs are an error.

    What the pass over the scores of an attention yields is saved or computed
    again all of it. Scores and weights of an attention are always computed
    again, weights from the logarithm of their sum. The remark `recompute` lists
    each value with its bytes or operations, `recompute-table` prints them with
    what the other policies take.

    Example: tests/compiler/autodiff/differentiate.mlir
  }];
  let options = [
    Option<"recompute", "recompute", "std::string", "\"none\"",
           "What the reverse computes again: none, full, dots, factors, or the bytes saved">,
    Option<"recomputeTable", "recompute-table", "bool", "false",
           "Print to stderr what is saved and computed again">];
  let statistics = [
    Statistic<"numFunctions", "functions", "Functions differentiated">,
    Statistic<"numSaved", "saved", "Values saved for the reverse of a function">];
  let dependentDialects = ["::tpa::TpaDialect", "::tpa::t6::T6Dialect",
                           "::tpa::exec::ExecDialect",
                           "mlir::arith::ArithDialect", "mlir::func::FuncDialect",
                           "mlir::linalg::LinalgDialect",
                           "mlir::math::MathDialect", "mlir::tensor::TensorDialect"];
}

#endif // TPA_COMPILER_AUTODIFF_PASSES_TD
