// Tensor product attention whose keys and values are mixed, head by head, with those of
// the token before: k'[n] = a k[n] + (1 - a) k[n - 1] (KV shifting attention, Xu et al.
// 2024). Earlier tokens are gathered as factors, and keys rotate after they are mixed.
func.func @tpa_kv_shift(%x: tensor<?x?x?xf32>, %pos: tensor<?xi32>) -> tensor<?x?x?xf32> {
  %wa_q = t6.param "attn.c_qkv.W_A_q.weight" "(H R_Q) C" {init = #t6.init<xavier>} : tensor<?x?x?xf32>
  %wb_q = t6.param "attn.c_qkv.W_B_q.weight" "(R_Q D) C" {init = #t6.init<xavier>} : tensor<?x?x?xf32>
  %wa_k = t6.param "attn.c_qkv.W_A_k.weight" "(H R_K) C" {init = #t6.init<xavier>} : tensor<?x?x?xf32>
  %wb_k = t6.param "attn.c_qkv.W_B_k.weight" "(R_K D) C" {init = #t6.init<xavier>} : tensor<?x?x?xf32>
  %wa_v = t6.param "attn.c_qkv.W_A_v.weight" "(H R_V) C" {init = #t6.init<xavier>} : tensor<?x?x?xf32>
  %wb_v = t6.param "attn.c_qkv.W_B_v.weight" "(R_V D) C" {init = #t6.init<xavier>} : tensor<?x?x?xf32>
  %mix_k = t6.param "attn.shift_k" "H" : tensor<?xf32>
  %mix_v = t6.param "attn.shift_v" "H" : tensor<?xf32>
  %wo = t6.param "attn.c_proj.weight" "C (H D)" {init = #t6.init<zeros>} : tensor<?x?x?xf32>
  %a_q, %b_q = tpa.factorize %x, %wa_q, %wb_q : tensor<?x?x?xf32>, tensor<?x?x?xf32>, tensor<?x?x?xf32>
  %q = tpa.materialize %a_q, %b_q : tensor<?x?x?x?xf32>, tensor<?x?x?x?xf32>
  %a_k, %b_k = tpa.factorize %x, %wa_k, %wb_k : tensor<?x?x?xf32>, tensor<?x?x?xf32>, tensor<?x?x?xf32>
  %k = tpa.materialize %a_k, %b_k : tensor<?x?x?x?xf32>, tensor<?x?x?x?xf32>
  %a_v, %b_v = tpa.factorize %x, %wa_v, %wb_v : tensor<?x?x?xf32>, tensor<?x?x?xf32>, tensor<?x?x?xf32>
  %v = tpa.materialize %a_v, %b_v : tensor<?x?x?x?xf32>, tensor<?x?x?x?xf32>
  %sign = arith.constant dense<[1.0, -1.0]> : tensor<2xf32>
  %k_two = tpa.recent %k at %pos tokens 2 : tensor<?x?x?x?xf32>, tensor<?xi32>
  %k_signed = tpa.einsum "j,h->jh"(%sign, %mix_k) : tensor<2xf32>, tensor<?xf32>
  %k_share = tpa.map "jh->jh"(%k_signed) {
  ^bb0(%e: f32):
    %j = tpa.index "j"
    %i = arith.index_cast %j : index to i32
    %one_before = arith.sitofp %i : i32 to f32
    %share = arith.addf %e, %one_before : f32
    tpa.yield %share : f32
  } : tensor<2x?xf32>
  %k_mix = tpa.einsum "bnjhd,jh->bnhd"(%k_two, %k_share) : tensor<?x?x2x?x?xf32>, tensor<2x?xf32>
  %v_two = tpa.recent %v at %pos tokens 2 : tensor<?x?x?x?xf32>, tensor<?xi32>
  %v_signed = tpa.einsum "j,h->jh"(%sign, %mix_v) : tensor<2xf32>, tensor<?xf32>
  %v_share = tpa.map "jh->jh"(%v_signed) {
  ^bb0(%e: f32):
    %j = tpa.index "j"
    %i = arith.index_cast %j : index to i32
    %one_before = arith.sitofp %i : i32 to f32
    %share = arith.addf %e, %one_before : f32
    tpa.yield %share : f32
  } : tensor<2x?xf32>
  %v_mix = tpa.einsum "bnjhd,jh->bnhd"(%v_two, %v_share) : tensor<?x?x2x?x?xf32>, tensor<2x?xf32>
  %q_rot = tpa.rope %q at %pos {rope = #tpa.rope<transposed = true, table = bf16>} : tensor<?x?x?x?xf32>, tensor<?xi32>
  %k_rot = tpa.rope %k_mix at %pos {rope = #tpa.rope<transposed = true, table = bf16>} : tensor<?x?x?x?xf32>, tensor<?xi32>
  %o = tpa.attention ["bnhd,bmhd->bhnm"](%q_rot, %k_rot)
      value "bhnm,bmhe->bnhe"(%v_mix) at %pos {per_sqrt = "D", causal}
      : (tensor<?x?x?x?xf32>, tensor<?x?x?x?xf32>), (tensor<?x?x?x?xf32>), tensor<?xi32>
  %y = tpa.einsum "bnhd,chd->bnc"(%o, %wo) : tensor<?x?x?x?xf32>, tensor<?x?x?xf32>
  return %y : tensor<?x?x?xf32>
}
