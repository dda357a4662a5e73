//===- TpaOps.td - Operations of the tpa dialect -----------*- tablegen -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef TPA_DIALECTS_TPA_TPAOPS_TD
#define TPA_DIALECTS_TPA_TPAOPS_TD

include "dialects/tpa/TpaAttrs.td"
include "mlir/Interfaces/DestinationStyleOpInterface.td"
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
def Tpa_AncestorTensor : RankedTensorOf<[I64]>;

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

    `A`: b×n×R×H, `B`: b×n×R×D. One of them may be the same for all tokens, a
    parameter without b and n (the paper's non-contextual factors); the feature
    may be several dimensions, b×n×R×X×Y, as products of further factors have.
    Sugar over einsum: whether the result is ever formed is a matter of cost,
    decided where the einsum meets the attention that uses it.

    Constraints:
    - (C1) A has rank 4 or 2, B rank 4 or more or 2; they agree on b, n and R
    - (C2) one of them has b and n

    ```mlir
    %q = tpa.materialize %a, %b : tensor<1x1x6x34xf32>, tensor<1x1x6x64xf32>
    %k = tpa.materialize %p, %b : tensor<6x34xf32>, tensor<1x1x6x64xf32>
    ```
  }];
  let arguments = (ins Tpa_FloatTensor:$a, Tpa_FloatTensor:$b);
  let results = (outs Tpa_FloatTensor:$result);
  let assemblyFormat = "$a `,` $b attr-dict `:` type($a) `,` type($b)";
  let extraClassDeclaration = [{
    /// The einsum that this is: "bnrh,bnrd->bnhd", "rh,bnrd->bnhd", ...
    std::string getEquation() {
      return equationOf(getA().getType(), getB().getType());
    }
    static std::string equationOf(::mlir::Type a, ::mlir::Type b);
  }];
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

    `x`: b×n×…×D, `positions`: b, the position of each row's first token, or b×n,
    that of each token, then without n added. A
    rotation acts on the last dimension only, so it commutes with
    `tpa.materialize` (paper, Theorem 3.1); canonicalization moves it onto B.

    Constraints:
    - (C1) x has rank 3 or more and a last dimension of which an even number of
      features rotates
    - (C2) positions has rank 1 or 2 and the sizes of b and n in x

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
// Earlier tokens
//===----------------------------------------------------------------------===//

def Tpa_RecentOp : Tpa_InferredOp<"recent"> {
  let summary = "gather each token with those just before it";
  let description = [{
    `result[b,n,j,...] = x[b, n - j, ...]`, j < tokens: each token and the
    tokens - 1 before it in its row, zeros before the row's first. A sum over j
    is an einsum, so a shift of keys and values or a short convolution is one.

    `x`: b×n×…, `positions`: b, the position of each row's first token, result:
    b×n×tokens×…. What came before x in the row is read from `ring`,
    b×tokens×…, in which the token at position p stands at p mod tokens
    (`t6.ring_append`); without a ring x begins its row, and positions[b] is not
    looked at. An attention function has no ring: the entries that take a
    sequence in parts give it one. It gathers along the row only, so it commutes
    with `tpa.materialize`; canonicalization moves it onto A and B.

    Constraints:
    - (C1) x has rank 2 or more
    - (C2) positions has rank 1 and the batch size of x
    - (C3) tokens is at least 2
    - (C4) ring has the rank of x, tokens for its dimension 1, and x's other sizes

    ```mlir
    %y = tpa.recent %x at %pos tokens 2 : tensor<1x?x6x16xf32>, tensor<1xi32>
    %z = tpa.recent %x at %pos ring %r tokens 2
        : tensor<1x?x6x16xf32>, tensor<1xi32>, tensor<1x2x6x16xf32>
    ```
  }];
  let arguments = (ins Tpa_FloatTensor:$x, Tpa_PositionTensor:$positions,
                       Optional<Tpa_FloatTensor>:$ring, I64Attr:$tokens);
  let results = (outs Tpa_FloatTensor:$result);
  let assemblyFormat = [{
    $x `at` $positions (`ring` $ring^)? `tokens` $tokens attr-dict
    `:` type($x) `,` type($positions) (`,` type($ring)^)?
  }];
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

    With `ancestors` (b×n) the queries are the nodes of a tree of guesses, each
    after its parent, as speculative decoding verifies them (SpecInfer, sec. 4):
    of the keys from positions[b] on, which are the tree's own, query n sees those
    whose bit m - positions[b] is set in ancestors[b,n]; its own is one of them.

    What a cache holds is the compiler's choice, a cut through what the factors
    with m are made of. `pin_cache` pins it to these factors as they are written.

    Constraints:
    - (C1) the score equations have one term per score operand together, and
      each is a well-formed einsum of its operands
    - (C2) every score equation has the same output labels, m the last of them,
      b the first, and n among them
    - (C3) the value equation's first term is the score output, it has one more
      term per value operand, and b and n, but not m, are in its output
    - (C4) sizes of equal labels agree over all equations
    - (C5) some value factor has the label m
    - (C6) positions has rank 1 and the batch size of the scores; it is given
      if, and only if, the attention is causal
    - (C7) window and softcap are positive; a window needs causal
    - (C8) slopes and sinks are stated with their labels, which are labels of the
      scores other than b, n and m, and have these labels' sizes
    - (C9) sinks need the softmax normaliser, slopes need causal
    - (C10) no factor has both n and m: what is cached of a key cannot depend on
      a query
    - (C11) score factors are computed before the attention: a score cannot
      depend on the value side
    - (C12) ancestors has the sizes of b and n, at most 64 of n; it needs causal
      and goes without window and slopes, whose distances count cache slots
    - (C13) under pin_cache every factor with the label m has b and m first, as a
      cache is laid out

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
                       Optional<Tpa_AncestorTensor>:$ancestors,
                       OptionalAttr<StrAttr>:$slope_labels, Optional<Tpa_FloatTensor>:$slopes,
                       OptionalAttr<StrAttr>:$sink_labels, Optional<Tpa_FloatTensor>:$sinks,
                       DefaultValuedAttr<F64Attr, "1.0">:$scale,
                       OptionalAttr<StrAttr>:$per_sqrt,
                       UnitAttr:$causal,
                       OptionalAttr<I64Attr>:$window,
                       OptionalAttr<F64Attr>:$softcap,
                       DefaultValuedAttr<Tpa_NormalizerAttr, "Normalizer::Softmax">:$normalizer,
                       UnitAttr:$pin_cache);
  let results = (outs Tpa_FloatTensor:$result);
  let assemblyFormat = [{
    $scores `(` $score_factors `)` `value` $value `(` $value_factors `)`
    (`at` $positions^)? (`ancestors` $ancestors^)?
    (`slopes` $slope_labels^ `(` $slopes `)`)?
    (`sinks` $sink_labels^ `(` $sinks `)`)? attr-dict
    `:` `(` type($score_factors) `)` `,` `(` type($value_factors) `)` (`,` type($positions)^)?
    (`ancestors` type($ancestors)^)?
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

def Tpa_LogSumExpOp : Tpa_InferredOp<"log_sum_exp"> {
  let summary = "measure the last dimension by the logarithm of its exponentials' sum";
  let description = [{
    `result[...] = log sum_m exp(x[..., m])`, -inf for a row of -inf only: what a
    softmax divides by. With it, `exp(x - result)` are the softmax's weights, each
    without a look at the others: the reverse of an attention need not save them.
    `sinks` and `along` are those of the softmax.

    Constraints:
    - (C1) x has rank 1 or more and element type f32 or f64
    - (C2) sinks is given with along, one increasing dimension of x but the last
      per dimension of sinks, of the same size

    ```mlir
    %l = tpa.log_sum_exp %x : tensor<1x34x1x?xf32>
    ```
  }];
  let arguments = (ins /*log_sum_exp_c1*/RankedTensorOf<[F32, F64]>:$x,
                       Optional<Tpa_FloatTensor>:$sinks,
                       OptionalAttr<DenseI64ArrayAttr>:$along);
  let results = (outs Tpa_FloatTensor:$result);
  let assemblyFormat = [{
    $x (`sinks` $sinks^ `along` $along)? attr-dict `:` type($x) (`,` type($sinks)^)?
  }];
  let hasVerifier = 1;
}

//===----------------------------------------------------------------------===//
// Pointwise maps
//===----------------------------------------------------------------------===//

def Tpa_MapOp : Tpa_InferredOp<"map", [SingleBlock]> {
  let summary = "compute each element of a tensor from elements under the same labels";
  let description = [{
    `result[output labels] = body(operands[their labels])`

    The body sees each operand's element in the element type of the result, f32
    (f64 if an operand has it), and may ask where it is by `tpa.index`. With
    einsum, it is all that a score is made of: scale, bias, cap, mask.

    Constraints:
    - (C1) the equation has one term per operand and an output of the first
      operand's labels, in its order
    - (C2) equal labels have equal sizes
    - (C3) the body has one argument per operand and yields one value, all of the
      result's element type

    ```mlir
    %y = tpa.map "bhnm,h->bhnm"(%x, %slope) {
    ^bb0(%e: f32, %s: f32):
      %0 = arith.mulf %e, %s : f32
      tpa.yield %0 : f32
    } : tensor<1x34x1x?xf32>, tensor<34xf32>
    ```
  }];
  let arguments = (ins StrAttr:$equation, Variadic<Tpa_FloatTensor>:$operands);
  let results = (outs Tpa_FloatTensor:$result);
  let regions = (region SizedRegion<1>:$body);
  let assemblyFormat = "$equation `(` $operands `)` $body attr-dict `:` type($operands)";
  let hasRegionVerifier = 1;
  let extraClassDeclaration = [{
    /// Builds the map with a body of one yielded value. An einsum accumulates in
    /// its elements' type, so do maps.
    static mlir::Value
    create(mlir::OpBuilder &builder, mlir::Location loc, const Equation &equation,
           mlir::ValueRange operands,
           llvm::function_ref<mlir::Value(mlir::OpBuilder &, mlir::ValueRange)> body);
  }];
}

def Tpa_IndexOp : Tpa_Op<"index"> {
  let summary = "say where along a label a map is";
  let description = [{
    The index of the map's current element along `label`. Inside `tpa.stream`
    indices of the stream and of the queries count in the whole tensors, not in
    the block.

    Constraints:
    - (C1) it is inside a `tpa.map` whose output has the label

    ```mlir
    %y = tpa.map "nm->nm"(%x) {
    ^bb0(%e: f32):
      %m = tpa.index "m"
      %0 = arith.index_cast %m : index to i32
      %1 = arith.sitofp %0 : i32 to f32
      tpa.yield %1 : f32
    } : tensor<4x?xf32>
    ```
  }];
  let arguments = (ins StrAttr:$label);
  let results = (outs Index:$result);
  let assemblyFormat = "$label attr-dict";
  let hasVerifier = 1;
}

def Tpa_YieldOp : Tpa_Op<"yield", [Terminator, ParentOneOf<["MapOp", "StreamOp"]>]> {
  let summary = "end the body of a map or a stream";
  let description = [{
    A map yields its element; a stream yields what it accumulates.

    ```mlir
    %y = tpa.map "n->n"(%x) {
    ^bb0(%e: f32):
      tpa.yield %e : f32
    } : tensor<?xf32>
    ```
  }];
  let arguments = (ins Variadic<AnyType>:$values);
  let assemblyFormat = "attr-dict ($values^ `:` type($values))?";
}

//===----------------------------------------------------------------------===//
// Streams
//===----------------------------------------------------------------------===//

def Tpa_TensorOrMemRef : AnyTypeOf<[AnyRankedTensor, AnyMemRef]>;

def Tpa_StreamOp : Op<Tpa_Dialect, "stream", [
    SingleBlock, AttrSizedOperandSegments, DestinationStyleOpInterface,
    DeclareOpInterfaceMethods<MemoryEffectsOpInterface>]> {
  let summary = "fold over blocks of one dimension in one pass";
  let description = [{
    ```
    for each row b, block of n, and split, a part of m of `splits` equal ones:
      carry = the identity of the merge                      (flash-decoding)
      for block in blocks of `block` indices m of the split:
        carry = merge(carry, body(block))
      outs[split] = carry
    ```

    Three letters have a part, whatever the tensors mean. `m` is the dimension
    that is streamed: summed over, in blocks. `n` is the one that is kept, with a
    carry for each index, and `b` the batch. In the forward pass of an attention,
    and in the gradient of its queries, n counts queries and m keys; the gradients of keys and
    values keep a carry for each key and stream over queries: there n is the key
    and m the query. A stream may be without b or n: then there is one of it.

    The equation names the dimensions of all operands: those with the label m are
    streamed, the body sees a block of them; the others are invariant. After the
    arrow stand the labels of what the body yields. A yielded value is summed over
    the blocks. If the body has a `tpa.online_softmax`, its running maximum and sum
    are the first two results and what follows is rescaled as the maximum grows;
    carries are merged by (max, sum of weights, weighted sums), whose identity is
    (-inf, 0, 0).

    Results are per split, in a first dimension of that size; they need to be
    merged (`tpa.merge`). A letter means the same dimension in all equations of
    the body.

    With `pages`, the operands that `paged` counts are pools of pages, as
    `t6.cache_append` has them: index m of row b, a key, is at
    `operand[pages[b, m / T], m % T, ...]`, and there are `length` of them. A block
    lies on one page.

    Constraints:
    - (C1) the equation has one term per operand and one output per out, of
      letters; some term has m and no output does
    - (C2) operands have the rank of their terms; equal labels have equal sizes,
      where a paged operand's b is that of pages and its m is dynamic
    - (C3) out i has its labels' sizes behind a first dimension of size splits
    - (C4) the body has one argument per operand, of the operand's type with a
      dynamic size for m (and, paged, the batch for b), and yields a value per output of its labels' sizes, two
      fewer with a tpa.online_softmax; there is at most one
    - (C5) block and splits are positive
    - (C6) on tensors there is one result per out, on memrefs there are none
    - (C7) pages, length and paged come together; pages is a b×k table of i32, and
      each paged operand has a term `bm...` and pages of a static number of tokens,
      a multiple of block
    - (C8) each output has the labels b and n, if an operand has them and their
      size is not 1: carries are not shared

    ```mlir
    %o:3 = tpa.stream "bnhd,bmhd,bmhe->bhn,bhn,bnhe"(%q, %k, %v) outs(%mu, %sigma, %y) block 32 splits 8 {
    ^bb0(%qi: tensor<1x1x4x8xf32>, %kj: tensor<1x?x4x8xf32>, %vj: tensor<1x?x4x8xf32>):
      %l = tpa.einsum "bnhd,bmhd->bhnm"(%qi, %kj) : tensor<1x1x4x8xf32>, tensor<1x?x4x8xf32>
      %w = tpa.online_softmax %l dim 3 : tensor<1x4x1x?xf32>
      %o = tpa.einsum "bhnm,bmhe->bnhe"(%w, %vj) : tensor<1x4x1x?xf32>, tensor<1x?x4x8xf32>
      tpa.yield %o : tensor<1x1x4x8xf32>
    } : (tensor<1x1x4x8xf32>, tensor<1x?x4x8xf32>, tensor<1x?x4x8xf32>)
      -> (tensor<8x1x4x1xf32>, tensor<8x1x4x1xf32>, tensor<8x1x1x4x8xf32>)
    ```

    ```mlir
    %s = tpa.stream "bnd,bmd->bnd"(%x, %pool) pages(%table : tensor<2x4xi32>) length %m of [1] outs(%z) block 16 splits 1 {
    ^bb0(%xi: tensor<2x1x8xf32>, %kj: tensor<2x?x8xf32>):
      %l = tpa.einsum "bnd,bmd->bnm"(%xi, %kj) : tensor<2x1x8xf32>, tensor<2x?x8xf32>
      %o = tpa.einsum "bnm,bmd->bnd"(%l, %kj) : tensor<2x1x?xf32>, tensor<2x?x8xf32>
      tpa.yield %o : tensor<2x1x8xf32>
    } : (tensor<2x1x8xf32>, tensor<9x64x8xf32>) -> (tensor<1x2x1x8xf32>)
    ```
  }];
  let arguments = (ins StrAttr:$equation, Variadic<Tpa_TensorOrMemRef>:$inputs,
                       Optional<Tpa_TensorOrMemRef>:$pages, Optional<Index>:$length,
                       Variadic<Tpa_TensorOrMemRef>:$outs,
                       I64Attr:$block, I64Attr:$splits,
                       OptionalAttr<DenseI64ArrayAttr>:$paged);
  let results = (outs Variadic<AnyRankedTensor>:$results);
  let regions = (region SizedRegion<1>:$body);
  let assemblyFormat = [{
    $equation `(` $inputs `)` (`pages` `(` $pages^ `:` type($pages) `)` `length` $length `of` $paged)?
    `outs` `(` $outs `)` `block` $block `splits` $splits $body attr-dict
    `:` `(` type($inputs) `)` `->` `(` type($outs) `)` custom<StreamResults>(type($results), ref(type($outs)))
  }];
  let hasVerifier = 1;
  let hasRegionVerifier = 1;
  let extraClassDeclaration = [{
    mlir::MutableOperandRange getDpsInitsMutable() { return getOutsMutable(); }
    /// The body's online softmax, or null.
    OnlineSoftmaxOp getSoftmax();
    /// Whether an operand's keys are found through the table of pages.
    bool isPaged(unsigned input) {
      return getPaged() && llvm::is_contained(*getPaged(), int64_t(input));
    }
    /// The sizes of an operand's labels; those of a paged one, of its rows.
    llvm::SmallVector<int64_t> labelShape(unsigned input);
    /// Terms of the operands, and labels of the outs.
    llvm::SmallVector<std::string> inputTerms();
    llvm::SmallVector<std::string> outTerms();
  }];
}

def Tpa_OnlineSoftmaxOp : Tpa_InferredOp<"online_softmax", [HasParent<"StreamOp">]> {
  let summary = "weigh a block of scores against the running maximum";
  let description = [{
    `result[..., m, ...] = exp(x[..., m, ...] - mu[...])`, m the dimension `dim`,
    mu the maximum over this block and those before it (Milakov and Gimelshein, "Online normalizer calculation
    for softmax"; FlashAttention, alg. 1).

    The stream around it carries mu and the sum of the weights, and rescales what
    it has accumulated by exp(mu_old - mu). A score of -inf weighs nothing, also
    where all are.

    Constraints:
    - (C1) x has element type f32, and dim is one of its dimensions

    ```mlir
    %o:3 = tpa.stream "nm,me->n,n,ne"(%x, %v) outs(%mu, %sigma, %y) block 16 splits 1 {
    ^bb0(%l: tensor<4x?xf32>, %vj: tensor<?x8xf32>):
      %w = tpa.online_softmax %l dim 1 : tensor<4x?xf32>
      %o = tpa.einsum "nm,me->ne"(%w, %vj) : tensor<4x?xf32>, tensor<?x8xf32>
      tpa.yield %o : tensor<4x8xf32>
    } : (tensor<4x?xf32>, tensor<?x8xf32>) -> (tensor<1x4xf32>, tensor<1x4xf32>, tensor<1x4x8xf32>)
    ```
  }];
  let arguments = (ins RankedTensorOf<[F32]>:$x, I64Attr:$dim);
  let results = (outs RankedTensorOf<[F32]>:$result);
  let assemblyFormat = "$x `dim` $dim attr-dict `:` type($x)";
}

def Tpa_MergeOp : Tpa_InferredOp<"merge"> {
  let summary = "merge the parts of a softmax and normalise";
  let description = [{
    `mu = max_s maxima[s]`, `c_s = exp(maxima[s] - mu)`,
    `result = (sum_s c_s sums_y[s]) / (sum_s c_s sums[s])`; a row whose parts are
    all empty (maximum -inf) is zero. `sinks` joins mu and the denominator with
    the weight of one key, as in `tpa.softmax`.

    The equation names the dimensions behind the first, which counts the parts:
    `"rows,rows,values(,sinks)->values"`.

    Constraints:
    - (C1) the equation has one term per operand; the first two are equal, their
      labels occur in the third, the output is the third, and the labels of sinks
      are among the first's
    - (C2) maxima, sums and values have one more dimension than their terms, the
      same first; equal labels have equal sizes

    ```mlir
    %o = tpa.merge "bhn,bhn,bnhe->bnhe"(%mu, %sigma, %y)
        : tensor<8x1x4x1xf32>, tensor<8x1x4x1xf32>, tensor<8x1x1x4x8xf32>
    ```
  }];
  let arguments = (ins StrAttr:$equation, Variadic<Tpa_FloatTensor>:$operands);
  let results = (outs Tpa_FloatTensor:$result);
  let assemblyFormat = "$equation `(` $operands `)` attr-dict `:` type($operands)";
}

#endif // TPA_DIALECTS_TPA_TPAOPS_TD
