//===- TpaAttrs.td - Attributes of the tpa dialect ---------*- tablegen -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef TPA_DIALECTS_TPA_TPAATTRS_TD
#define TPA_DIALECTS_TPA_TPAATTRS_TD

include "dialects/tpa/TpaDialect.td"
include "mlir/IR/AttrTypeBase.td"
include "mlir/IR/EnumAttr.td"

def Tpa_RopePairs : I32EnumAttr<"RopePairs", "which features rotate together", [
    I32EnumAttrCase<"Half", 0, "half">,
    I32EnumAttrCase<"Interleaved", 1, "interleaved">]> {
  let cppNamespace = "::tpa";
  let genSpecializedAttr = 0;
}

def Tpa_RopeAttr : AttrDef<Tpa_Dialect, "Rope"> {
  let mnemonic = "rope";
  let summary = "A rotary position embedding: its frequencies and conventions";
  let description = [{
    Of a D-wide feature vector the first W = fraction * D features rotate, the
    others stay. The pair i turns by the angle `position * theta^(-2i/W)`
    (RoFormer, eq. 15). `pairs` says which two features form a pair: `half` is
    (i, i + W/2), `interleaved` (2i, 2i + 1). `transposed` turns the other way
    (y1 = x1 cos + x2 sin), as the T6 reference does; Hugging Face LLaMA does
    not. `table` is the element type to which cosines and sines are rounded: the
    reference rounds to bf16.

    With `decay` the pair i is also scaled by `zeta_i^(position / decay_base)`,
    zeta_i = (2i/W + decay) / (1 + decay), as queries are, or by the reciprocal
    with `reciprocal`, as keys are: scores then decay with the distance, low
    pairs faster (xPos, "A Length-Extrapolatable Transformer", eq. 10-12).

    Constraints:
    - (C1) theta is finite and greater than 1
    - (C2) table is f32 or bf16
    - (C3) fraction is positive and at most 1
    - (C4) decay and decay_base are finite and positive; reciprocal and
      decay_base need decay

    ```mlir
    [#tpa.rope<theta = 5.0e5 : f64, fraction = 0.25 : f64, pairs = interleaved, transposed = true, table = bf16>,
     #tpa.rope<decay = 0.4 : f64, reciprocal = true>]
    ```
  }];
  let parameters = (ins
    DefaultValuedParameter<"::mlir::FloatAttr",
        "::mlir::FloatAttr::get(::mlir::Float64Type::get($_ctxt), 10000.0)">:$theta,
    DefaultValuedParameter<"::mlir::FloatAttr",
        "::mlir::FloatAttr::get(::mlir::Float64Type::get($_ctxt), 1.0)">:$fraction,
    DefaultValuedParameter<"RopePairs", "RopePairs::Half">:$pairs,
    DefaultValuedParameter<"bool", "false">:$transposed,
    DefaultValuedParameter<"::mlir::Type", "::mlir::Float32Type::get($_ctxt)">:$table,
    OptionalParameter<"::mlir::FloatAttr">:$decay,
    DefaultValuedParameter<"::mlir::FloatAttr",
        "::mlir::FloatAttr::get(::mlir::Float64Type::get($_ctxt), 512.0)">:$decay_base,
    DefaultValuedParameter<"bool", "false">:$reciprocal);
  let assemblyFormat = "(`<` struct(params)^ `>`)?";
  let genVerifyDecl = 1;
  let extraClassDeclaration = [{
    /// How many of `width` features rotate: W, which need not be an even integer
    /// before an operation verifies it.
    double rotaryWidth(int64_t width) const {
      return getFraction().getValueAsDouble() * width;
    }
  }];
}

def Tpa_Normalizer : I32EnumAttr<"Normalizer", "how scores become weights over the keys", [
    I32EnumAttrCase<"Softmax", 0, "softmax">,
    I32EnumAttrCase<"Sigmoid", 1, "sigmoid">,
    I32EnumAttrCase<"None", 2, "none">]> {
  let cppNamespace = "::tpa";
  let genSpecializedAttr = 0;
}
def Tpa_NormalizerAttr : EnumAttr<Tpa_Dialect, Tpa_Normalizer, "normalizer"> {
  let assemblyFormat = "`<` $value `>`";
}

#endif // TPA_DIALECTS_TPA_TPAATTRS_TD
