// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Attributes of the tpa dialect.

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
    The pair i of a D-wide feature vector turns by the angle
    `position * theta^(-2i/D)` (RoFormer, eq. 15). `pairs` says which two
    features form a pair: `half` is (i, i + D/2), `interleaved` (2i, 2i + 1).
    `transposed` turns the other way (y1 = x1 cos + x2 sin), as the T6
    reference does; Hugging Face LLaMA does not. `table` is the element type to
    which cosines and sines are rounded: the reference rounds to bf16.

    Constraints:
    - (C1) theta is finite and greater than 1
    - (C2) table is f32 or bf16

    ```mlir
    #tpa.rope<theta = 5.0e5 : f64, pairs = interleaved, transposed = true, table = bf16>
    ```
  }];
  let parameters = (ins
    DefaultValuedParameter<"::mlir::FloatAttr",
        "::mlir::FloatAttr::get(::mlir::Float64Type::get($_ctxt), 10000.0)">:$theta,
    DefaultValuedParameter<"RopePairs", "RopePairs::Half">:$pairs,
    DefaultValuedParameter<"bool", "false">:$transposed,
    DefaultValuedParameter<"::mlir::Type", "::mlir::Float32Type::get($_ctxt)">:$table);
  let assemblyFormat = "(`<` struct(params)^ `>`)?";
  let genVerifyDecl = 1;
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
