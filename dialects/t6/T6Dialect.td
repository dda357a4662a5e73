//===- T6Dialect.td - The t6 dialect -----------------------*- tablegen -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The t6 dialect: the model graph around an attention function.
//
//===----------------------------------------------------------------------===//

#ifndef TPA_DIALECTS_T6_T6DIALECT_TD
#define TPA_DIALECTS_T6_T6DIALECT_TD

include "mlir/IR/DialectBase.td"

def T6_Dialect : Dialect {
  let name = "t6";
  let summary = "The model graph around an attention function";
  let description = [{
    A T6 is a stack of equal blocks, attention and SwiGLU each behind an RMS
    norm, over a token embedding. `t6.model` states the sizes and names the
    attention function; the compiler derives the entries (prefill, decode,
    loss) from it.

    Glossary, in addition to that of the tpa dialect:

    | Name | Meaning |
    |------|---------|
    | `R_Q`, `R_K`, `R_V` | ranks of query, key and value |
    | `H` | heads |
    | `D` | head dimension |
    | `C` | model width |
    | `M` | cache length |
    | `b`, `n`, `m` | batch, token of this run, token of the cache |
    | `c`, `o` | input and output feature of a projection |
    | `v` | entry of the vocabulary |
  }];
  let cppNamespace = "::tpa::t6";
  let dependentDialects = ["mlir::arith::ArithDialect", "mlir::tensor::TensorDialect"];
  let useDefaultAttributePrinterParser = 1;
}

#endif // TPA_DIALECTS_T6_T6DIALECT_TD
