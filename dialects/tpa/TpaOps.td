//===- TpaOps.td - Operations of the tpa dialect -----------*- tablegen -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef TPA_DIALECTS_TPA_TPAOPS_TD
#define TPA_DIALECTS_TPA_TPAOPS_TD

include "dialects/tpa/TpaAttrs.td"
include "mlir/Interfaces/InferTypeOpInterface.td"
include "mlir/Interfaces/SideEffectInterfaces.td"
include "mlir/IR/OpBase.td"

class Tpa_Op<string mnemonic, list<Trait> traits = []>
    : Op<Tpa_Dialect, mnemonic, !listconcat([Pure], traits)>;

// Result shapes follow from operands, so that a function over dynamic shapes
// becomes static once its arguments are.
class Tpa_InferredOp<string mnemonic, list<Trait> traits = []>
    : Tpa_Op<mnemonic, !listconcat([InferTypeOpAdaptor], traits)>;

def Tpa_FloatTensor : RankedTensorOf<[F32, BF16, F64]>;
def Tpa_PositionTensor : RankedTensorOf<[I32]>;

//===----------------------------------------------------------------------===//
// Contractions
//===----------------------------------------------------------------------===//

def Tpa_EinsumOp : Tpa_InferredOp<"einsum"> {
  let summary = "contract any number of tensors over named dimensions";
  let description = [{
    `result[output labels] = scale * sum over the other labels of the product of the operands`

    The equation names one label, a letter, per dimension: `"bnrd,bmsd->bnmrs"`.
    Labels absent from the output are summed over. Sums accumulate in f32 (f64
    for f64 operands), which is also the result's element type, whatever the
    operands' are.

    Constraints:
    - (C1) the equation has one term per operand and an output, of letters only
    - (C2) a term has as many labels as its operand has dimensions
    - (C3) equal labels have equal sizes
    - (C4) every output label occurs in an operand
    - (C5) a label occurs once in a term and once in the output

    Canonical form: nested einsums with one use compose, unit dimensions that
    are summed away fold, a constant factor moves to `scale`.

    ```mlir
    %p = tpa.einsum "bnrd,bmsd->bnmrs"(%bq, %bk) {scale = 0.125 : f64}
        : tensor<1x1x6x64xf32>, tensor<1x?x2x64xbf16>
    ```
  }];
  let arguments = (ins StrAttr:$equation, Variadic<Tpa_FloatTensor>:$operands,
                       DefaultValuedAttr<F64Attr, "1.0">:$scale);
  let results = (outs Tpa_FloatTensor:$result);
  let assemblyFormat = "$equation `(` $operands `)` attr-dict `:` type($operands)";
  let hasCanonicalizer = 1;
}

def Tpa_FactorizeOp : Tpa_InferredOp<"factorize"> {
  let summary = "project tokens onto a head factor A and a feature factor B";
  let description = [{
    `A[b,n,r,h] = sum_c x[b,n,c] W_A[h,r,c]`, `B[b,n,r,d] = sum_c x[b,n,c] W_B[r,d,c]`
    (paper, eq. 3.2)

    `x`: b×n×C, `W_A`: H×R×C, `W_B`: R×D×C. Sugar over two einsums, so that
    factors are ordinary tensors to every pass.

    Constraints:
    - (C1) x, W_A and W_B have rank 3 and agree on C
    - (C2) W_A and W_B agree on R

    ```mlir
    %a, %b = tpa.factorize %x, %wa, %wb
        : tensor<1x?x768xf32>, tensor<34x6x768xf32>, tensor<6x64x768xf32>
    ```
  }];
  let arguments = (ins Tpa_FloatTensor:$x, Tpa_FloatTensor:$w_a, Tpa_FloatTensor:$w_b);
  let results = (outs Tpa_FloatTensor:$a, Tpa_FloatTensor:$b);
  let assemblyFormat = "$x `,` $w_a `,` $w_b attr-dict `:` type($x) `,` type($w_a) `,` type($w_b)";
}

def Tpa_MaterializeOp : Tpa_InferredOp<"materialize"> {
  let summary = "form the tensor that a pair of factors stands for";
  let description = [{
    `result[b,n,h,d] = 1/R sum_r A[b,n,r,h] B[b,n,r,d]`   (paper, eq. 3.1)

    `A`: b×n×R×H, `B`: b×n×R×D. Sugar over einsum: whether the result is ever
    formed is a matter of cost, decided where the einsum meets the attention
    that uses it.

    Constraints:
    - (C1) A and B have rank 4 and agree on b, n and R

    ```mlir
    %q = tpa.materialize %a, %b : tensor<1x1x6x34xf32>, tensor<1x1x6x64xf32>
    ```
  }];
  let arguments = (ins Tpa_FloatTensor:$a, Tpa_FloatTensor:$b);
  let results = (outs Tpa_FloatTensor:$result);
  let assemblyFormat = "$a `,` $b attr-dict `:` type($a) `,` type($b)";
}

//===----------------------------------------------------------------------===//
// Rotary embedding
//===----------------------------------------------------------------------===//

def Tpa_RopeOp : Tpa_InferredOp<"rope"> {
  let summary = "rotate feature pairs by an angle proportional to the position";
  let description = [{
    With c, s the cosine and sine of `(positions[b] + n) * theta^(-2i/W)`:
    `y1 = x1 c - x2 s`, `y2 = x2 c + x1 s`, signs of s swapped if `transposed`,
    and both scaled where the rotation has a decay; features from W on stay.

    `x`: b×n×…×D, `positions`: b, the position of each row's first token. A
    rotation acts on the last dimension only, so it commutes with
    `tpa.materialize` (paper, Theorem 3.1); canonicalization moves it onto B.

    Constraints:
    - (C1) x has rank 3 or more and a last dimension of which an even number of
      features rotates
    - (C2) positions has rank 1 and the batch size of x

    ```mlir
    %y = tpa.rope %x at %pos {rope = #tpa.rope<theta = 1.0e4 : f64, transposed = true, table = bf16>}
        : tensor<1x?x2x64xf32>, tensor<1xi32>
    ```
  }];
  let arguments = (ins Tpa_FloatTensor:$x, Tpa_PositionTensor:$positions, Tpa_RopeAttr:$rope);
  let results = (outs Tpa_FloatTensor:$result);
  let assemblyFormat = "$x `at` $positions attr-dict `:` type($x) `,` type($positions)";
  let hasVerifier = 1;
  let hasCanonicalizer = 1;
}

//===----------------------------------------------------------------------===//
// Attention
//===----------------------------------------------------------------------===//

def Tpa_AttentionOp : Tpa_InferredOp<"attention", [AttrSizedOperandSegments]> {
  let summary = "attend to keys scored by einsums over factors";
  let description = [{
    ```
    L = scale * (sum of the score einsums) + slope * (m - positions[b] - n),
        soft-capped by cap * tanh(L / cap)
    w = normalizer over m of L where key m is visible to query n, else 0
    result = the value einsum of w and the value factors
    ```

    Each score equation yields the same labels, the stream index m last; the
    first operand of the value equation is the weight w under these labels.
    Operands are factors: those with the label m belong to keys or values and
    are what a cache has to hold, the others to queries or parameters.
    `positions` (b) is the position of each row's first query token; key m is
    visible to query n of row b under `causal` if m <= positions[b] + n, and
    with `window` also if m > positions[b] + n - window. Without either
    condition all keys are visible. `per_sqrt` names a model size (`"D"`,
    `"D+P"`) by whose square root the scale is divided; it is folded into `scale`
    when the model's sizes become known. MHA, MQA, GQA, MLA and TPA differ only in
    equations and operands.

    `slopes` is a bias per unit of distance, usually one a head (ALiBi);
    `sinks` is the logit of one more key without a value, which takes its
    share of a softmax and gives nothing. Each states the labels of the scores
    that index it.

    Constraints:
    - (C1) the score equations have one term per score operand together, and
      each is a well-formed einsum of its operands
    - (C2) every score equation has the same output labels, m the last of them,
      b the first, and n among them
    - (C3) the value equation's first term is the score output, it has one more
      term per value operand, and m is not in its output
    - (C4) sizes of equal labels agree over all equations
    - (C5) some value factor has the label m
    - (C6) positions has rank 1 and the batch size of the scores; it is given
      if, and only if, the attention is causal
    - (C7) window and softcap are positive; a window needs causal
    - (C8) slopes and sinks are stated with their labels, which are labels of the
      scores other than b, n and m, and have these labels' sizes
    - (C9) sinks need the softmax normaliser, slopes need causal

    ```mlir
    %o = tpa.attention ["bnrh,bnrd,bmsh,bmsd->bhnm"](%aq, %bq, %ak, %bk)
           value "bhnm,bmuh,bmue->bnhe"(%av, %bv) at %pos
           {scale = 1.0e-2 : f64, causal}
        : (tensor<1x1x6x34xf32>, tensor<1x1x6x64xf32>, tensor<1x?x2x34xf32>, tensor<1x?x2x64xf32>),
          (tensor<1x?x2x34xf32>, tensor<1x?x2x64xf32>), tensor<1xi32>
    ```
  }];
  let arguments = (ins StrArrayAttr:$scores, Variadic<Tpa_FloatTensor>:$score_factors,
                       StrAttr:$value, Variadic<Tpa_FloatTensor>:$value_factors,
                       Optional<Tpa_PositionTensor>:$positions,
                       OptionalAttr<StrAttr>:$slope_labels, Optional<Tpa_FloatTensor>:$slopes,
                       OptionalAttr<StrAttr>:$sink_labels, Optional<Tpa_FloatTensor>:$sinks,
                       DefaultValuedAttr<F64Attr, "1.0">:$scale,
                       OptionalAttr<StrAttr>:$per_sqrt,
                       UnitAttr:$causal,
                       OptionalAttr<I64Attr>:$window,
                       OptionalAttr<F64Attr>:$softcap,
                       DefaultValuedAttr<Tpa_NormalizerAttr, "Normalizer::Softmax">:$normalizer);
  let results = (outs Tpa_FloatTensor:$result);
  let assemblyFormat = [{
    $scores `(` $score_factors `)` `value` $value `(` $value_factors `)`
    (`at` $positions^)? (`slopes` $slope_labels^ `(` $slopes `)`)?
    (`sinks` $sink_labels^ `(` $sinks `)`)? attr-dict
    `:` `(` type($score_factors) `)` `,` `(` type($value_factors) `)` (`,` type($positions)^)?
    (`slopes` type($slopes)^)? (`sinks` type($sinks)^)?
  }];
  let hasVerifier = 1;
  let extraClassDeclaration = [{
    /// The label of the stream index: keys, and the normaliser's dimension.
    static constexpr char streamLabel = 'm';
    /// The equation of score term `i` and the operands it reads.
    std::pair<llvm::StringRef, mlir::OperandRange> scoreTerm(unsigned i);
  }];
}

def Tpa_SoftmaxOp : Tpa_InferredOp<"softmax"> {
  let summary = "normalise the last dimension to exponential weights";
  let description = [{
    `result[..., m] = exp(x[..., m] - max_m x) / sum_m exp(x[..., m] - max_m x)`

    A row whose every element is -inf yields zeros: no key is visible, no value
    is read. `sinks`, whose dimensions are those of x listed by `along`, is one
    more element of each row, in the maximum and in the sum but not in the result.

    Constraints:
    - (C1) x has rank 1 or more and element type f32 or f64
    - (C2) sinks is given with along, one increasing dimension of x but the last
      per dimension of sinks, of the same size

    ```mlir
    %w = tpa.softmax %l : tensor<1x34x1x?xf32>
    %v = tpa.softmax %l sinks %s along [1] : tensor<1x34x1x?xf32>, tensor<34xf32>
    ```
  }];
  let arguments = (ins /*softmax_c1*/RankedTensorOf<[F32, F64]>:$x,
                       Optional<Tpa_FloatTensor>:$sinks,
                       OptionalAttr<DenseI64ArrayAttr>:$along);
  let results = (outs Tpa_FloatTensor:$result);
  let assemblyFormat = [{
    $x (`sinks` $sinks^ `along` $along)? attr-dict `:` type($x) (`,` type($sinks)^)?
  }];
  let hasVerifier = 1;
}

#endif // TPA_DIALECTS_TPA_TPAOPS_TD
