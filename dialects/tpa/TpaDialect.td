//===- TpaDialect.td - The tpa dialect ---------------------*- tablegen -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The tpa dialect: factors of attention tensors and their contractions.
//
//===----------------------------------------------------------------------===//

#ifndef TPA_DIALECTS_TPA_TPADIALECT_TD
#define TPA_DIALECTS_TPA_TPADIALECT_TD

include "mlir/IR/DialectBase.td"

def Tpa_Dialect : Dialect {
  let name = "tpa";
  let summary = "Factors of attention tensors and their contractions";
  let description = [{
    An attention mechanism is an einsum over factors. This dialect holds what
    is needed to say that and nothing else: n-ary einsums, the factorisation of
    a projection into head factors A and feature factors B, rotary embedding,
    and attention itself as a score equation and a value equation.

    Glossary, kept to in every file:

    | Name | Meaning |
    |------|---------|
    | `R_Q`, `R_K`, `R_V` | ranks of query, key and value |
    | `H` | heads |
    | `D` | head dimension |
    | `C` | model width |
    | `M` | cache length |
    | A | head factor of a tensor, R×H |
    | B | feature factor of a tensor, R×D |

    Labels of equations:

    | Label | Dimension |
    |-------|-----------|
    | `b` | batch |
    | `n` | query token |
    | `m` | key token |
    | `h` | head |
    | `d` | feature of query and key |
    | `e` | feature of value |
    | `r`, `s`, `u` | rank of query, key, value |
    | `c` | model width |

    Source: "Tensor Product Attention Is All You Need", NeurIPS 2025.
  }];
  let cppNamespace = "::tpa";
  let dependentDialects = ["mlir::arith::ArithDialect", "mlir::tensor::TensorDialect"];
  let useDefaultAttributePrinterParser = 1;
}

#endif // TPA_DIALECTS_TPA_TPADIALECT_TD
