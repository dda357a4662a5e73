// The cache follows from what the attention reads by key index: factors, a latent, keys and values.
// DEFINE: %{ready} = --t6-instantiate-model --canonicalize --tpa-compose-attention --canonicalize
// RUN: tpa-opt %s %{ready} --t6-build-entries --split-input-file | FileCheck %s
// RUN: tpa-opt %s %{ready} --t6-build-entries="entries=decode max-length=32" --split-input-file | FileCheck %s --check-prefix=DECODE
// RUN: tpa-opt %s %{ready} --t6-build-entries="entries=verify verify-tokens=5" --split-input-file | FileCheck %s --check-prefix=VERIFY
// RUN: tpa-opt %s %{ready} --t6-build-entries=prefill-chunk=1000 --split-input-file | FileCheck %s --check-prefix=CHUNK

// A tree of guesses: tokens turn by their own positions, go to the cache one after the other, and see
// their ancestors. Each gets logits.
// VERIFY: func.func private @verify.block(%[[M:.*]]: index {exec.scalar = "m"}, %[[FIRST:.*]]: tensor<1xi32>,
// VERIFY-SAME: %[[EACH:.*]]: tensor<1x5xi32>, %[[ANCESTORS:.*]]: tensor<1x5xi64>, %[[X:.*]]: tensor<1x5x24xf32>,
// VERIFY: tpa.rope %{{.*}} at %[[EACH]]
// VERIFY: t6.cache_append %{{.*}} at %[[FIRST]]
// VERIFY: tpa.attention {{.*}} at %[[FIRST]] ancestors %[[ANCESTORS]] {causal
// VERIFY: exec.buffer input @verify.token_positions : tensor<1x5xi32> {range = array<i64: 0, 64>}
// VERIFY: exec.buffer input @verify.ancestors : tensor<1x5xi64>
// VERIFY: exec.buffer output @verify.logits : tensor<1x5x50xf32>
// VERIFY: exec.entry @verify scalars ["m"] maxima [64]
// VERIFY: tpa.einsum "bnc,vc->bnv"

// The model is gone; what the artifact tells about it stays on the module.
// CHECK: module attributes {t6.summary = {attention = @tpa, batch = 1 : i64, {{.*}}max_length = 64 : i64,
// CHECK-SAME: prefill_chunk = 64 : i64,{{.*}} sym_name = "t6"
// CHECK-NOT: t6.model
// CHECK: exec.buffer param @transformer.wte.weight : tensor<50x24xf32> {init = #exec.init<uniform, 0.2041241{{[0-9]*}} : f64>, tied_to = "lm_head.weight"}
// A factor matrix starts within sqrt(6 / (4 * 3 + 24 * 3)).
// CHECK: exec.buffer param @transformer.h.0.attn.c_qkv.W_A_q.weight : tensor<4x3x24xf32> {init = #exec.init<uniform, 0.2672612{{[0-9]*}} : f64>, stored = array<i64: 12, 24>}
// CHECK: exec.buffer param @transformer.h.0.attn.c_proj.weight : tensor<24x4x8xf32> {init = #exec.init<constant, 0.000000e+00 : f64>, stored
// CHECK: exec.buffer param @transformer.h.0.mlp.c_fc1.weight : tensor<32x24xf32> {init = #exec.init<uniform, 0.2041241{{[0-9]*}} : f64>}{{$}}
// CHECK: exec.buffer param @transformer.h.1.mlp.c_proj.weight : tensor<24x32xf32> {init = #exec.init<constant, 0.000000e+00 : f64>}{{$}}
// Factors A_K, B_K, A_V, B_V of each layer.
// CHECK: exec.buffer state @cache.0.0 : tensor<1x64x2x4xf32>
// CHECK-NEXT: exec.buffer state @cache.0.1 : tensor<1x64x2x8xf32>
// CHECK-NEXT: exec.buffer state @cache.0.2 : tensor<1x64x1x4xf32>
// CHECK-NEXT: exec.buffer state @cache.0.3 : tensor<1x64x1x8xf32>
// CHECK-NEXT: exec.buffer state @cache.1.0

// One function for all layers of an entry. It appends this run's factors, then attends to the cache.
// CHECK: func.func private @prefill.block(%{{.*}}: index {exec.scalar = "n"}, %[[M:.*]]: index {exec.scalar = "m"},
// CHECK-SAME: %[[POS:.*]]: tensor<1xi32>, %[[X:.*]]: tensor<1x?x24xf32> {exec.dims = ["", "n", ""]},
// CHECK-SAME: %[[CACHE0:.*]]: tensor<1x64x2x4xf32>, %[[CACHE1:.*]]: tensor<1x64x2x8xf32>,
// CHECK: t6.rms_norm %[[X]]
// CHECK: %[[A_K:.*]], %[[B_K:.*]] = tpa.factorize {{.*}} tensor<4x2x24xf32>, tensor<2x8x24xf32>
// CHECK: %[[ROT:.*]] = tpa.rope %[[B_K]] at %[[POS]]
// CHECK: %[[NEW0:.*]] = t6.cache_append %[[CACHE0]], %[[A_K]] at %[[POS]]
// CHECK: %[[READ0:.*]] = t6.cache_read %[[NEW0]][%[[M]]]
// CHECK: %[[NEW1:.*]] = t6.cache_append %[[CACHE1]], %[[ROT]] at %[[POS]]
// CHECK: %[[READ1:.*]] = t6.cache_read %[[NEW1]][%[[M]]]
// CHECK: tpa.attention ["bnrh,bnrd,bmsh,bmsd->bhnm"](%{{.*}}, %{{.*}}, %[[READ0]], %[[READ1]])
// CHECK: arith.addf %[[X]]
// CHECK: return %{{.*}}, %[[NEW0]], %[[NEW1]],
// CHECK: exec.buffer input @prefill.tokens : tensor<1x?xi32> {dims = ["", "n"], range = array<i64: 0, 50>}
// CHECK: exec.buffer input @prefill.positions : tensor<1xi32> {range = array<i64: 0, 64>}
// CHECK: exec.buffer input @prefill.last : tensor<1xi32> {below = "n", range = array<i64: 0, 64>}
// CHECK: exec.buffer output @prefill.logits : tensor<1x50xf32>
// CHECK: exec.entry @prefill scalars ["n", "m"] maxima [64, 64]
// CHECK: %[[X0:.*]] = t6.embedding
// CHECK: %[[L0:.*]]:5 = func.call @prefill.block({{.*}}, %[[X0]], {{.*}})
// CHECK: exec.store %[[L0]]#1, @cache.0.0
// CHECK: %[[L1:.*]]:5 = func.call @prefill.block({{.*}}, %[[L0]]#0, {{.*}})
// CHECK: exec.store %[[L1]]#4, @cache.1.3
// Only the last valid token of a row is worth logits.
// CHECK: t6.select_token %[[L1]]#0
// CHECK: tpa.einsum "bnc,vc->bv"
// CHECK: exec.store %{{.*}}, @prefill.logits

// CHECK: func.func private @decode.block(%{{.*}}: index {exec.scalar = "m"}, %{{.*}}: tensor<1xi32>, %{{.*}}: tensor<1x1x24xf32>
// CHECK: exec.entry @decode scalars ["m"] maxima [64]
// CHECK-NOT: t6.select_token

// No cache, every row from position zero, logits of every token.
// CHECK: func.func private @loss.block(%{{.*}}: index {exec.scalar = "n"}, %{{.*}}: tensor<1x?x24xf32> {exec.dims = ["", "n", ""]}, %{{[^:]*}}: tensor<4x3x24xf32>
// CHECK-SAME: -> (tensor<1x?x24xf32> {exec.dims = ["", "n", ""]})
// CHECK-NOT: t6.cache
// CHECK: %[[ZERO:.*]] = arith.constant dense<0> : tensor<1xi32>
// CHECK: tpa.attention {{.*}} at %[[ZERO]]
// CHECK: exec.buffer input @loss.targets : tensor<1x?xi32> {dims = ["", "n"], range = array<i64: -1, 50>}
// CHECK: exec.entry @loss scalars ["n"] maxima [64]
// CHECK-NOT: @cache
// CHECK: %[[LOGITS:.*]] = tpa.einsum "bnc,vc->bnv"
// CHECK: t6.cross_entropy %[[LOGITS]]
// CHECK: exec.store %[[LOGITS]], @loss.logits

// Only what is asked for, for the length that is asked for.
// DECODE: exec.buffer state @cache.0.0 : tensor<1x32x2x4xf32>
// DECODE-NOT: prefill.block
// DECODE-NOT: loss.block
// DECODE: exec.entry @decode scalars ["m"] maxima [32]
// DECODE-NOT: exec.entry

// A chunk is no longer than the sequence.
// CHUNK: exec.entry @prefill scalars ["n", "m"] maxima [64, 64]
t6.model @t6 uses @tpa {
  vocab = 50, layers = 2, width = 24, ffn = 32, context_length = 64,
  sizes = {H = 4, D = 8, R_Q = 3, R_K = 2, R_V = 1}}

// -----

// The latent serves keys and values but is cached once, beside the rotated key.
// Its norms, vectors, start at one, and its other matrices within 1 / sqrt of what the checkpoint has last.
// DECODE: sym_name = "latent"
// DECODE: exec.buffer param @transformer.h.0.attn.q_a_layernorm.weight : tensor<7xf32> {init = #exec.init<constant, 1.000000e+00 : f64>}
// DECODE: exec.buffer param @transformer.h.0.attn.q_b_proj.weight : tensor<4x12x7xf32> {init = #exec.init<uniform, 0.3779644{{[0-9]*}} : f64>, stored = array<i64: 48, 7>}
// DECODE: exec.buffer state @cache.0.0 : tensor<1x32x10xf32>
// DECODE-NEXT: exec.buffer state @cache.0.1 : tensor<1x32x4xf32>
// DECODE-NOT: exec.buffer state
// DECODE: %[[LATENT:.*]] = t6.cache_read {{.*}} : tensor<1x32x10xf32>
// DECODE: tpa.attention ["bnhd,bml,hdl->bhnm", "bnhp,bmp->bhnm"](%{{[^,]*}}, %[[LATENT]],
// DECODE-SAME: value "bhnm,bmo,heo->bnhe"(%[[LATENT]],
t6.model @latent uses @mla {
  vocab = 50, layers = 1, width = 24, ffn = 32, context_length = 64,
  sizes = {H = 4, D = 8, P = 4, E = 6, L = 10, L_Q = 7}}

// -----

// Keys and values per group; LLaMA's names, its norm weights and its own head.
// DECODE: sym_name = "groups"
// DECODE: exec.buffer param @model.embed_tokens.weight : tensor<50x24xf32> {init = #exec.init<normal, 2.000000e-02 : f64>}{{$}}
// DECODE: exec.buffer param @model.layers.0.self_attn.o_proj.weight : tensor<24x2x3x8xf32> {init = #exec.init<normal, 2.000000e-02 : f64>,
// DECODE: exec.buffer param @model.layers.0.mlp.gate_proj.weight : tensor<32x24xf32> {init = #exec.init<normal, 2.000000e-02 : f64>}
// DECODE: exec.buffer param @model.layers.0.mlp.down_proj.weight : tensor<24x32xf32> {init = #exec.init<normal, 2.000000e-02 : f64>}
// DECODE: exec.buffer param @model.layers.0.input_layernorm.weight : tensor<24xf32> {init = #exec.init<constant, 1.000000e+00 : f64>}
// DECODE: exec.buffer param @model.norm.weight : tensor<24xf32> {init = #exec.init<constant, 1.000000e+00 : f64>}
// DECODE: exec.buffer param @lm_head.weight : tensor<50x24xf32> {init = #exec.init<normal, 2.000000e-02 : f64>}
// DECODE: exec.buffer state @cache.0.0 : tensor<1x32x2x8xf32>
// DECODE-NEXT: exec.buffer state @cache.0.1 : tensor<1x32x2x8xf32>
// DECODE-NOT: exec.buffer state
// DECODE: t6.rms_norm %{{.*}}, %{{.*}} : tensor<1x1x24xf32>, tensor<24xf32>
t6.model @groups uses @llama {
  vocab = 50, layers = 1, width = 24, ffn = 32, context_length = 64,
  sizes = {G = 2, J = 3, D = 8}, tied = false, checkpoint = #t6.checkpoint<llama>}

// -----

// A linear layer of PyTorch has heads and features in one: it starts within 1 / sqrt(4 * 8).
// DECODE: sym_name = "ours"
// DECODE: exec.buffer param @transformer.h.0.key : tensor<4x8x24xf32> {init = #exec.init<constant, 1.000000e+00 : f64>,
// DECODE: exec.buffer param @transformer.h.0.out : tensor<24x4x8xf32> {init = #exec.init<uniform, 0.1767766{{[0-9]*}} : f64>, stored = array<i64: 24, 32>}
t6.model @ours uses @our_attention {
  vocab = 50, layers = 1, width = 24, ffn = 32, context_length = 64, sizes = {H = 4, D = 8}}

func.func @our_attention(%x: tensor<?x?x?xf32>, %pos: tensor<?xi32>) -> tensor<?x?x?xf32> {
  %wk = t6.param "key" "(H D) C" {init = #t6.init<ones>} : tensor<?x?x?xf32>
  %wo = t6.param "out" "C (H D)" : tensor<?x?x?xf32>
  %k = tpa.einsum "bnc,hdc->bnhd"(%x, %wk) : tensor<?x?x?xf32>, tensor<?x?x?xf32>
  %o = tpa.attention ["bnhd,bmhd->bhnm"](%k, %k) value "bhnm,bmhe->bnhe"(%k) at %pos {causal}
      : (tensor<?x?x?x?xf32>, tensor<?x?x?x?xf32>), (tensor<?x?x?x?xf32>), tensor<?xi32>
  %y = tpa.einsum "bnhd,chd->bnc"(%o, %wo) : tensor<?x?x?x?xf32>, tensor<?x?x?xf32>
  return %y : tensor<?x?x?xf32>
}

// -----

// A module without a model is left as it is.
// CHECK-LABEL: func.func @other
// CHECK-NEXT: return
func.func @other() {
  return
}
