// Tensor product attention whose keys and values share their feature factors, which
// are cached once. One tensor in the cache means one rotation: values are made of
// the rotated factors too.
func.func @tpa_shared_b(%x: tensor<?x?x?xf32>, %pos: tensor<?xi32>) -> tensor<?x?x?xf32> {
  %wa_q = t6.param "attn.c_qkv.W_A_q.weight" "(H R_Q) C" {init = #t6.init<xavier>} : tensor<?x?x?xf32>
  %wa_k = t6.param "attn.c_qkv.W_A_k.weight" "(H R_KV) C" {init = #t6.init<xavier>} : tensor<?x?x?xf32>
  %wa_v = t6.param "attn.c_qkv.W_A_v.weight" "(H R_KV) C" {init = #t6.init<xavier>} : tensor<?x?x?xf32>
  %wb_q = t6.param "attn.c_qkv.W_B_q.weight" "(R_Q D) C" {init = #t6.init<xavier>} : tensor<?x?x?xf32>
  %wb_kv = t6.param "attn.c_qkv.W_B_kv.weight" "(R_KV D) C" {init = #t6.init<xavier>} : tensor<?x?x?xf32>
  %wo = t6.param "attn.c_proj.weight" "C (H D)" {init = #t6.init<zeros>} : tensor<?x?x?xf32>
  %a_q, %b_q = tpa.factorize %x, %wa_q, %wb_q : tensor<?x?x?xf32>, tensor<?x?x?xf32>, tensor<?x?x?xf32>
  %q = tpa.materialize %a_q, %b_q : tensor<?x?x?x?xf32>, tensor<?x?x?x?xf32>
  %a_k, %b_kv = tpa.factorize %x, %wa_k, %wb_kv : tensor<?x?x?xf32>, tensor<?x?x?xf32>, tensor<?x?x?xf32>
  %a_v = tpa.einsum "bnc,hrc->bnrh"(%x, %wa_v) : tensor<?x?x?xf32>, tensor<?x?x?xf32>
  %b_rot = tpa.rope %b_kv at %pos {rope = #tpa.rope<transposed = true, table = bf16>} : tensor<?x?x?x?xf32>, tensor<?xi32>
  %k = tpa.materialize %a_k, %b_rot : tensor<?x?x?x?xf32>, tensor<?x?x?x?xf32>
  %v = tpa.materialize %a_v, %b_rot : tensor<?x?x?x?xf32>, tensor<?x?x?x?xf32>
  %q_rot = tpa.rope %q at %pos {rope = #tpa.rope<transposed = true, table = bf16>} : tensor<?x?x?x?xf32>, tensor<?xi32>
  %o = tpa.attention ["bnhd,bmhd->bhnm"](%q_rot, %k)
      value "bhnm,bmhe->bnhe"(%v) at %pos {per_sqrt = "D", causal}
      : (tensor<?x?x?x?xf32>, tensor<?x?x?x?xf32>), (tensor<?x?x?x?xf32>), tensor<?xi32>
  %y = tpa.einsum "bnhd,chd->bnc"(%o, %wo) : tensor<?x?x?x?xf32>, tensor<?x?x?xf32>
  return %y : tensor<?x?x?xf32>
}
