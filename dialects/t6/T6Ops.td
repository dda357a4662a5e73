//===- T6Ops.td - Operations of the t6 dialect -------------*- tablegen -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef TPA_DIALECTS_T6_T6OPS_TD
#define TPA_DIALECTS_T6_T6OPS_TD

include "dialects/t6/T6Dialect.td"
include "mlir/IR/AttrTypeBase.td"
include "mlir/IR/EnumAttr.td"
include "mlir/IR/OpBase.td"
include "mlir/IR/SymbolInterfaces.td"
include "mlir/Interfaces/InferTypeOpInterface.td"
include "mlir/Interfaces/SideEffectInterfaces.td"

class T6_Op<string mnemonic, list<Trait> traits = []>
    : Op<T6_Dialect, mnemonic, traits>;

class T6_InferredOp<string mnemonic, list<Trait> traits = []>
    : T6_Op<mnemonic, !listconcat([Pure, InferTypeOpAdaptor], traits)>;

def T6_FloatTensor : RankedTensorOf<[F32, BF16, F64]>;
def T6_IdTensor : RankedTensorOf<[I32]>;
def T6_OneFloat : Type<
    CPred<"$_self == ::mlir::RankedTensorType::get({1}, ::mlir::Float32Type::get($_self.getContext()))">,
    "one f32 in a tensor", "::mlir::RankedTensorType">,
    BuildableType<"::mlir::RankedTensorType::get({1}, $_builder.getF32Type())">;
def T6_OneInteger : Type<
    CPred<"$_self == ::mlir::RankedTensorType::get({1}, ::mlir::IntegerType::get($_self.getContext(), 32))">,
    "one i32 in a tensor", "::mlir::RankedTensorType">,
    BuildableType<"::mlir::RankedTensorType::get({1}, $_builder.getI32Type())">;

//===----------------------------------------------------------------------===//
// Model and parameters
//===----------------------------------------------------------------------===//

def T6_Checkpoint : I32EnumAttr<"Checkpoint", "whose parameter names a checkpoint uses", [
    I32EnumAttrCase<"Reference", 0, "reference">,
    I32EnumAttrCase<"Llama", 1, "llama">]> {
  let cppNamespace = "::tpa::t6";
  let genSpecializedAttr = 0;
}
def T6_CheckpointAttr : EnumAttr<T6_Dialect, T6_Checkpoint, "checkpoint"> {
  let assemblyFormat = "`<` $value `>`";
}

def T6_InitKind : I32EnumAttr<"InitKind", "a distribution of initial values", [
    I32EnumAttrCase<"Linear", 0, "linear">,
    I32EnumAttrCase<"Xavier", 1, "xavier">,
    I32EnumAttrCase<"Normal", 2, "normal">,
    I32EnumAttrCase<"Zeros", 3, "zeros">,
    I32EnumAttrCase<"Ones", 4, "ones">]> {
  let cppNamespace = "::tpa::t6";
  let genSpecializedAttr = 0;
}

def T6_InitAttr : AttrDef<T6_Dialect, "Init"> {
  let mnemonic = "init";
  let summary = "The values that a parameter has before training";
  let description = [{
    `linear` is uniform within 1/sqrt(in), in being the last dimension in the
    checkpoint, as a linear layer of PyTorch starts. `xavier` is uniform within
    sqrt(6 / (in + out)) (Glorot and Bengio, eq. 16) with in and out as PyTorch
    counts them for the reference's factor matrices, whose three dimensions
    X×Y×C stand for a C×X×Y view: in = X*Y, out = C*Y. `normal` has mean zero and
    the deviation `std`. `zeros` and `ones` say so.

    Constraints:
    - (C1) std is positive and finite

    ```mlir
    [#t6.init<xavier>, #t6.init<normal, std = 0.02 : f64>]
    ```
  }];
  let parameters = (ins EnumParameter<T6_InitKind>:$kind,
    DefaultValuedParameter<"::mlir::FloatAttr",
        "::mlir::FloatAttr::get(::mlir::Float64Type::get($_ctxt), 0.02)">:$std);
  let assemblyFormat = "`<` $kind (`,` struct($std)^)? `>`";
  let genVerifyDecl = 1;
}

def T6_ModelOp : T6_Op<"model", [Symbol]> {
  let summary = "state a model's sizes and the attention function it uses";
  let description = [{
    `x = embedding(tokens)`; per layer `x += attention(norm(x))`,
    `x += W_down swiglu(W_gate norm(x), W_up norm(x))`; `logits = W_head norm(x)`.

    `sizes` gives values to the names that the attention function's parameters
    use (`H`, `D`, `R_Q`, …); `C` is the width. `checkpoint` selects the names
    of the parameters outside attention and whether norms have weights:
    `reference` as in the T6 reference code (weightless norms), `llama` as in
    Hugging Face LLaMA (weighted norms). The attention function takes the
    normed hidden state (b×n×C) and the position of each row's first token (b)
    and returns b×n×C; where the module does not define it, it is looked up in
    the library models/attention.

    Constraints:
    - (C1) vocab, layers, width, ffn and context_length are positive
    - (C2) sizes are positive integers (i64), and C is not among them
    - (C3) norm_eps is positive

    ```mlir
    t6.model @t6_nano uses @tpa {
      vocab = 256, layers = 2, width = 64, ffn = 170, context_length = 256,
      sizes = {H = 6, D = 16, R_Q = 3, R_K = 2, R_V = 2}}
    ```
  }];
  let arguments = (ins SymbolNameAttr:$sym_name, FlatSymbolRefAttr:$attention,
                       I64Attr:$vocab, I64Attr:$layers, I64Attr:$width,
                       I64Attr:$ffn, I64Attr:$context_length, DictionaryAttr:$sizes,
                       DefaultValuedAttr<F64Attr, "1.1920928955078125e-07">:$norm_eps,
                       DefaultValuedAttr<BoolAttr, "true">:$tied,
                       DefaultValuedAttr<T6_CheckpointAttr, "Checkpoint::Reference">:$checkpoint);
  let assemblyFormat = "$sym_name `uses` $attention attr-dict";
  let hasVerifier = 1;
}

def T6_ParamOp : T6_Op<"param", [Pure]> {
  let summary = "name a parameter of the enclosing attention function";
  let description = [{
    The value of the checkpoint tensor `<layer prefix><name>`. `layout` names
    the sizes of its dimensions; parentheses group what the checkpoint stores
    as one dimension, as in einops: `"(H R_Q) C"` is stored (H·R_Q)×C and read
    as H×R_Q×C. A size may be a sum, `D+E`. `init` is what training starts from;
    without it a vector starts at one and anything else `linear`.

    Constraints:
    - (C1) the layout is well formed and has one size per dimension of the result
    - (C2) init is xavier for parameters of three dimensions only

    ```mlir
    %w = t6.param "attn.c_qkv.W_A_q.weight" "(H R_Q) C" {init = #t6.init<xavier>} : tensor<?x?x?xf32>
    ```
  }];
  let arguments = (ins StrAttr:$name, StrAttr:$layout, OptionalAttr<T6_InitAttr>:$init);
  let results = (outs T6_FloatTensor:$result);
  let assemblyFormat = "$name $layout attr-dict `:` type($result)";
  let hasVerifier = 1;
}

def T6_DequantizeOp : T6_InferredOp<"dequantize"> {
  let summary = "read a matrix of 8-bit integers as the numbers it stands for";
  let description = [{
    `result[o..., c...] = q[o..., c...] * scale[o...]`, in f32: symmetric, one
    scale per output channel o, the leading dimensions of q.

    Read by a contraction that keeps the output channels, the scale waits until
    the sum is done: sum_c x[c] q[o,c], times scale[o]. The f32 matrix is never
    in memory.

    Constraints:
    - (C1) scale has fewer dimensions than q, at least one
    - (C2) scale has the leading sizes of q

    ```mlir
    %w = t6.dequantize %q, %s : tensor<170x64xi8>, tensor<170xf32>
    ```
  }];
  let arguments = (ins RankedTensorOf<[I8]>:$q, RankedTensorOf<[F32]>:$scale);
  let results = (outs T6_FloatTensor:$result);
  let assemblyFormat = "$q `,` $scale attr-dict `:` type($q) `,` type($scale)";
}

def T6_SplitOp : T6_Op<"split", [Pure]> {
  let summary = "split a tensor along one dimension into parts of named sizes";
  let description = [{
    `results[k] = x[..., offset_k : offset_k + size_k, ...]`, sizes named as in
    `t6.param`.

    Constraints:
    - (C1) axis is a dimension of x; there is one size per result
    - (C2) static sizes of the results along axis add up to that of x; other
      dimensions are those of x

    ```mlir
    %latent, %rotary = t6.split %x axis 2 ["L", "P"]
        : tensor<1x?x40xf32> -> tensor<1x?x32xf32>, tensor<1x?x8xf32>
    ```
  }];
  let arguments = (ins T6_FloatTensor:$x, I64Attr:$axis, StrArrayAttr:$parts);
  let results = (outs Variadic<T6_FloatTensor>:$results);
  let assemblyFormat = "$x `axis` $axis $parts attr-dict `:` type($x) `->` type($results)";
  let hasVerifier = 1;
}

//===----------------------------------------------------------------------===//
// Layers
//===----------------------------------------------------------------------===//

def T6_EmbeddingOp : T6_InferredOp<"embedding"> {
  let summary = "look tokens up in the embedding table";
  let description = [{
    `result[b,n,c] = table[tokens[b,n], c]`, in f32; a token of -1, as targets
    have it where nothing is counted, reads row 0.

    Constraints:
    - (C1) tokens and table have rank 2

    ```mlir
    %x = t6.embedding %tokens, %table : tensor<1x?xi32>, tensor<256x64xf32>
    ```
  }];
  let arguments = (ins T6_IdTensor:$tokens, T6_FloatTensor:$table);
  let results = (outs T6_FloatTensor:$result);
  let assemblyFormat = "$tokens `,` $table attr-dict `:` type($tokens) `,` type($table)";
}

def T6_LinearOp : T6_InferredOp<"linear"> {
  let summary = "multiply by a weight matrix without a bias";
  let description = [{
    `result[b,n,o] = sum_c x[b,n,c] weight[o,c]`; sugar over `tpa.einsum`.

    Constraints:
    - (C1) x has rank 3, weight rank 2, and they agree on c

    ```mlir
    %y = t6.linear %x, %w : tensor<1x?x64xf32>, tensor<170x64xf32>
    ```
  }];
  let arguments = (ins T6_FloatTensor:$x, T6_FloatTensor:$weight);
  let results = (outs T6_FloatTensor:$result);
  let assemblyFormat = "$x `,` $weight attr-dict `:` type($x) `,` type($weight)";
}

def T6_RmsNormOp : T6_InferredOp<"rms_norm"> {
  let summary = "scale the last dimension to unit root mean square";
  let description = [{
    `result = x / sqrt(mean(x^2) + eps) * weight`, over the last dimension; a
    missing weight is one.

    Constraints:
    - (C1) weight has rank 1 and the size of x's last dimension
    - (C2) eps is positive
    - (C3) x has rank 1 or more

    ```mlir
    %y = t6.rms_norm %x {eps = 1.0e-5 : f64} : tensor<1x?x64xf32>
    ```
  }];
  let arguments = (ins T6_FloatTensor:$x, Optional<T6_FloatTensor>:$weight, F64Attr:$eps);
  let results = (outs T6_FloatTensor:$result);
  let assemblyFormat = "$x (`,` $weight^)? attr-dict `:` type($x) (`,` type($weight)^)?";
  let hasVerifier = 1;
}

def T6_SwigluOp : T6_InferredOp<"swiglu", [/*swiglu_c1*/SameTypeOperands]> {
  let summary = "gate one projection by the SiLU of another";
  let description = [{
    `result = gate * sigmoid(gate) * up`

    Constraints:
    - (C1) gate and up have the same type

    ```mlir
    %y = t6.swiglu %gate, %up : tensor<1x?x170xf32>
    ```
  }];
  let arguments = (ins T6_FloatTensor:$gate, T6_FloatTensor:$up);
  let results = (outs T6_FloatTensor:$result);
  let assemblyFormat = "$gate `,` $up attr-dict `:` type($gate)";
}

def T6_CrossEntropyOp : T6_InferredOp<"cross_entropy"> {
  let summary = "measure the surprise of the target tokens";
  let description = [{
    `log_sum_exp[b,n] = log sum_v exp logits[b,n,v]`,
    `token_loss[b,n] = log_sum_exp[b,n] - logits[b,n,targets[b,n]]`, zero where
    the target is -1; `loss[0]` is their mean over the other targets (zero if
    there are none).

    Constraints:
    - (C1) logits has rank 3, targets rank 2 and the first two sizes of logits

    ```mlir
    %loss, %token_loss, %lse = t6.cross_entropy %logits, %targets : tensor<1x?x256xf32>, tensor<1x?xi32>
    ```
  }];
  let arguments = (ins T6_FloatTensor:$logits, T6_IdTensor:$targets);
  let results = (outs T6_FloatTensor:$loss, T6_FloatTensor:$token_loss,
                      T6_FloatTensor:$log_sum_exp);
  let assemblyFormat = "$logits `,` $targets attr-dict `:` type($logits) `,` type($targets)";
}

def T6_SelectTokenOp : T6_InferredOp<"select_token"> {
  let summary = "pick one token of each row";
  let description = [{
    `result[b,0,c] = x[b,index[b],c]`: prefill needs logits for the last valid
    token of a row only.

    Constraints:
    - (C1) x has rank 3, index rank 1 and the batch size of x

    ```mlir
    %y = t6.select_token %x[%last] : tensor<2x?x64xf32>, tensor<2xi32>
    ```
  }];
  let arguments = (ins T6_FloatTensor:$x, T6_IdTensor:$index);
  let results = (outs T6_FloatTensor:$result);
  let assemblyFormat = "$x `[` $index `]` attr-dict `:` type($x) `,` type($index)";
}

//===----------------------------------------------------------------------===//
// Cache
//===----------------------------------------------------------------------===//

def T6_CacheAppendOp : T6_InferredOp<"cache_append"> {
  let summary = "write new tokens into a cache";
  let description = [{
    `result[b, positions[b] + n, ...] = x[b, n, ...]`, elsewhere the cache,
    rounded to the cache's element type.

    `cache`: b×M×…, `x`: b×n×…, `positions`: b. The old value of the cache is
    dead afterwards: the append happens in place. positions[b] + n <= M is owed
    by the caller; the runtime checks it before every run.

    With `pages`, a b×k table, the cache is a pool of pages instead, p×T×…:
    token m of row b is at `cache[pages[b, m / T], m % T, ...]`, and M is k T.
    Tokens that share a place overwrite each other in order, later rows last.

    Constraints:
    - (C1) cache and x have the same rank, at least 2, and sizes but for dimension
      1, with pages but for the first two
    - (C2) positions has rank 1 and the batch size of x
    - (C3) pages has rank 2 and the batch size of x; a page has a static number of
      tokens, a power of two

    ```mlir
    %c = t6.cache_append %cache, %x at %pos
        : tensor<1x1024x2x64xbf16>, tensor<1x?x2x64xf32>, tensor<1xi32>
    %d = t6.cache_append %pool, %x at %pos pages %table
        : tensor<17x64x2x64xbf16>, tensor<1x?x2x64xf32>, tensor<1xi32>, tensor<1x16xi32>
    ```
  }];
  let arguments = (ins T6_FloatTensor:$cache, T6_FloatTensor:$x, T6_IdTensor:$positions,
                       Optional<T6_IdTensor>:$pages);
  let results = (outs T6_FloatTensor:$result);
  let assemblyFormat = [{
    $cache `,` $x `at` $positions (`pages` $pages^)? attr-dict
    `:` type($cache) `,` type($x) `,` type($positions) (`,` type($pages)^)?
  }];
}

def T6_CacheReadOp : T6_InferredOp<"cache_read"> {
  let summary = "view the first tokens of a cache";
  let description = [{
    `result = cache[:, 0:length, ...]`; with `pages`, as t6.cache_append has them,
    `result[b, m, ...] = cache[pages[b, m / T], m % T, ...]` for m < length, a
    gather: entries of the table beyond the length are not looked at. Tokens that
    a row has not reached are no values: where t6.cache_append gives the cache, by
    the same table, they become zero as the gather is lowered.

    Constraints:
    - (C1) cache has rank 2 or more
    - (C2) pages has rank 2; a page has a static number of tokens, a power of two

    ```mlir
    %k = t6.cache_read %cache[%m] : tensor<1x1024x2x64xbf16>
    %l = t6.cache_read %pool[%m] pages %table : tensor<17x64x2x64xbf16>, tensor<1x16xi32>
    ```
  }];
  let arguments = (ins T6_FloatTensor:$cache, Index:$length, Optional<T6_IdTensor>:$pages);
  let results = (outs T6_FloatTensor:$result);
  let assemblyFormat = [{
    $cache `[` $length `]` (`pages` $pages^)? attr-dict
    `:` type($cache) (`,` type($pages)^)?
  }];
}

def T6_AccumulateOp : T6_InferredOp<"accumulate"> {
  let summary = "add to a state of each row";
  let description = [{
    `result[b, ...] = state[b, ...] + x[b, ...]`; where positions[b] is zero a row
    begins, and the result is x: nothing of what the state held, which need not be
    a number, is left.

    `state`, `x`: b×…, `positions`: b. The old value of the state is dead
    afterwards: the addition happens in place.

    Constraints:
    - (C1) state and x have the same shape, of rank 1 or more
    - (C2) positions has rank 1 and the batch size of the state

    ```mlir
    %s = t6.accumulate %state, %x at %pos
        : tensor<1x6x16x16xf32>, tensor<1x6x16x16xf32>, tensor<1xi32>
    ```
  }];
  let arguments = (ins RankedTensorOf<[F32]>:$state, RankedTensorOf<[F32]>:$x,
                       T6_IdTensor:$positions);
  let results = (outs T6_FloatTensor:$result);
  let assemblyFormat = [{
    $state `,` $x `at` $positions attr-dict `:` type($state) `,` type($x) `,` type($positions)
  }];
}

def T6_RingAppendOp : T6_InferredOp<"ring_append"> {
  let summary = "keep the last tokens of each row";
  let description = [{
    `result[b, p mod T, ...] = x[b, n, ...]`, p = positions[b] + n, for the last T
    tokens n <= last[b] of x, elsewhere the ring, rounded to its element type.

    `ring`: b×T×…, `x`: b×n×…, `positions` and `last`: b; tokens behind last[b]
    are padding, without `last` there are none. A ring of T tokens is what a run
    at the row's end needs to know of its last T - 1 tokens, and also what a run
    that repeats the row's last token needs: that changes nothing. The old value
    of the ring is dead afterwards: the append happens in place.

    Constraints:
    - (C1) ring and x have the same rank, at least 2, and sizes but for dimension 1
    - (C2) positions and last have rank 1 and the batch size of the ring
    - (C3) the ring's number of tokens is static

    ```mlir
    %r = t6.ring_append %ring, %x at %pos last %last
        : tensor<1x2x6x16xf32>, tensor<1x?x6x16xf32>, tensor<1xi32>, tensor<1xi32>
    ```
  }];
  let arguments = (ins T6_FloatTensor:$ring, T6_FloatTensor:$x, T6_IdTensor:$positions,
                       Optional<T6_IdTensor>:$last);
  let results = (outs T6_FloatTensor:$result);
  let assemblyFormat = [{
    $ring `,` $x `at` $positions (`last` $last^)? attr-dict
    `:` type($ring) `,` type($x) `,` type($positions) (`,` type($last)^)?
  }];
}

include "dialects/t6/T6TrainingOps.td"

#endif // TPA_DIALECTS_T6_T6OPS_TD
