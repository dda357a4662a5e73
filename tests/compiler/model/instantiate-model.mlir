// RUN: tpa-opt %s --t6-instantiate-model --split-input-file | FileCheck %s
// RUN: tpa-opt %s --t6-instantiate-model=batch=4 --split-input-file | FileCheck %s --check-prefix=BATCH
// RUN: tpa-opt %s --t6-instantiate-model=dtype=bf16 --split-input-file | FileCheck %s --check-prefix=BF16
// RUN: tpa-opt %s --t6-instantiate-model --t6-instantiate-model --split-input-file | FileCheck %s

// The function is not in the module: it comes from the library, without names of
// sizes; the batch is static, the number of tokens is not.
// CHECK: t6.model @from_library uses @tpa
// CHECK: func.func private @tpa(%[[X:.*]]: tensor<1x?x24xf32>, %[[POS:.*]]: tensor<1xi32>) -> tensor<1x?x24xf32>
// CHECK: %[[WA:.*]] = t6.param "attn.c_qkv.W_A_q.weight" "(H R_Q) C" {init = #t6.init<xavier>} : tensor<4x3x24xf32>
// CHECK: %[[WB:.*]] = t6.param "attn.c_qkv.W_B_q.weight" "(R_Q D) C" {init = #t6.init<xavier>} : tensor<3x8x24xf32>
// CHECK: t6.param "attn.c_qkv.W_A_v.weight" "(H R_V) C" {init = #t6.init<xavier>} : tensor<4x1x24xf32>
// CHECK: %[[A:.*]], %[[B:.*]] = tpa.factorize %[[X]], %[[WA]], %[[WB]]
// CHECK: tpa.materialize %[[A]], %[[B]] : tensor<1x?x3x4xf32>, tensor<1x?x3x8xf32>
// Scale 1/sqrt(8).
// CHECK: tpa.attention {{.*}} at %[[POS]] {causal, scale = 0.35355339059327373 : f64}
// CHECK-NOT: per_sqrt
//
// BATCH: func.func private @tpa(%{{.*}}: tensor<4x?x24xf32>, %{{.*}}: tensor<4xi32>) -> tensor<4x?x24xf32>
// BATCH: tpa.materialize {{.*}} : tensor<4x?x3x4xf32>, tensor<4x?x3x8xf32>
//
// Weights take the type, activations stay f32.
// BF16: func.func private @tpa(%{{.*}}: tensor<1x?x24xf32>
// BF16: t6.param "attn.c_qkv.W_A_q.weight" "(H R_Q) C" {init = #t6.init<xavier>} : tensor<4x3x24xbf16>
// BF16: t6.param "attn.c_proj.weight" "C (H D)" {init = #t6.init<zeros>} : tensor<24x4x8xbf16>
// BF16: tpa.factorize {{.*}} : tensor<1x?x24xf32>, tensor<4x3x24xbf16>, tensor<3x8x24xbf16>
// BF16: tpa.materialize {{.*}} : tensor<1x?x3x4xf32>, tensor<1x?x3x8xf32>
t6.model @from_library uses @tpa {
  vocab = 50, layers = 2, width = 24, ffn = 32, context_length = 64,
  sizes = {H = 4, D = 8, R_Q = 3, R_K = 2, R_V = 1}}

// -----

// Sums of sizes, splits by size, and a norm weight, which stays f32.
// CHECK: func.func private @mla
// CHECK: t6.param "attn.q_b_proj.weight" "(H D+P) L_Q" : tensor<4x12x7xf32>
// CHECK: t6.param "attn.kv_a_layernorm.weight" "L" : tensor<10xf32>
// CHECK: t6.split %{{.*}} axis 3 ["D", "P"] : tensor<1x?x4x12xf32> -> tensor<1x?x4x8xf32>, tensor<1x?x4x4xf32>
// CHECK: t6.split %{{.*}} axis 1 ["D", "E"] : tensor<4x14x10xf32> -> tensor<4x8x10xf32>, tensor<4x6x10xf32>
// Scale 1/sqrt(8 + 4).
// CHECK: scale = 0.28867513459481292 : f64
// BF16: t6.param "attn.kv_a_layernorm.weight" "L" : tensor<10xf32>
t6.model @mla_model uses @mla {
  vocab = 50, layers = 1, width = 24, ffn = 32, context_length = 64,
  sizes = {H = 4, D = 8, P = 4, E = 6, L = 10, L_Q = 7}}

// -----

// A function of the module goes before the library's; a stated scale is multiplied.
// CHECK: func.func private @mha
// CHECK-NOT: attn.c_k.weight
// CHECK: t6.param "mine" "(H D) C" : tensor<2x16x24xf32>
// CHECK: scale = 5.000000e-01 : f64
t6.model @own uses @mha {
  vocab = 50, layers = 1, width = 24, ffn = 32, context_length = 64, sizes = {H = 2, D = 16}}

func.func @mha(%x: tensor<?x?x?xf32>, %pos: tensor<?xi32>) -> tensor<?x?x?xf32> {
  %w = t6.param "mine" "(H D) C" : tensor<?x?x?xf32>
  %q = tpa.einsum "bnc,hdc->bnhd"(%x, %w) : tensor<?x?x?xf32>, tensor<?x?x?xf32>
  %o = tpa.attention ["bnhd,bmhd->bhnm"](%q, %q) value "bhnm,bmhe->bnhe"(%q) at %pos {scale = 2.0 : f64, per_sqrt = "D", causal}
      : (tensor<?x?x?x?xf32>, tensor<?x?x?x?xf32>), (tensor<?x?x?x?xf32>), tensor<?xi32>
  %y = tpa.einsum "bnhd,hdc->bnc"(%o, %w) : tensor<?x?x?x?xf32>, tensor<?x?x?xf32>
  return %y : tensor<?x?x?xf32>
}

// -----

// A map over tokens may know where they are: by the positions.
// CHECK-LABEL: func.func private @f
// CHECK: tpa.index "n"
t6.model @by_position uses @f {
  vocab = 50, layers = 1, width = 24, ffn = 32, context_length = 64, sizes = {}}

func.func @f(%x: tensor<?x?x?xf32>, %pos: tensor<?xi32>) -> tensor<?x?x?xf32> {
  %k = tpa.map "bnd->bnd"(%x) {
  ^bb0(%e: f32):
    %b = tpa.index "b"
    %n = tpa.index "n"
    %start = tensor.extract %pos[%b] : tensor<?xi32>
    %0 = arith.index_cast %n : index to i32
    %1 = arith.addi %start, %0 : i32
    %2 = arith.sitofp %1 : i32 to f32
    %3 = arith.mulf %e, %2 : f32
    tpa.yield %3 : f32
  } : tensor<?x?x?xf32>
  %o = tpa.attention ["bnd,bmd->bnm"](%x, %k) value "bnm,bme->bne"(%x) at %pos {causal}
      : (tensor<?x?x?xf32>, tensor<?x?x?xf32>), (tensor<?x?x?xf32>), tensor<?xi32>
  return %o : tensor<?x?x?xf32>
}
