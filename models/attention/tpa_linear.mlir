// Tensor product attention without a normaliser: the scores themselves weigh the
// values. Either factors are cached, as everywhere, or the sum over keys of k times v
// stands for all of them; the compiler derives it and chooses.
func.func @tpa_linear(%x: tensor<?x?x?xf32>, %pos: tensor<?xi32>) -> tensor<?x?x?xf32> {
  %wa_q = t6.param "attn.c_qkv.W_A_q.weight" "(H R_Q) C" {init = #t6.init<xavier>} : tensor<?x?x?xf32>
  %wb_q = t6.param "attn.c_qkv.W_B_q.weight" "(R_Q D) C" {init = #t6.init<xavier>} : tensor<?x?x?xf32>
  %wa_k = t6.param "attn.c_qkv.W_A_k.weight" "(H R_K) C" {init = #t6.init<xavier>} : tensor<?x?x?xf32>
  %wb_k = t6.param "attn.c_qkv.W_B_k.weight" "(R_K D) C" {init = #t6.init<xavier>} : tensor<?x?x?xf32>
  %wa_v = t6.param "attn.c_qkv.W_A_v.weight" "(H R_V) C" {init = #t6.init<xavier>} : tensor<?x?x?xf32>
  %wb_v = t6.param "attn.c_qkv.W_B_v.weight" "(R_V D) C" {init = #t6.init<xavier>} : tensor<?x?x?xf32>
  %wo = t6.param "attn.c_proj.weight" "C (H D)" {init = #t6.init<zeros>} : tensor<?x?x?xf32>
  %a_q, %b_q = tpa.factorize %x, %wa_q, %wb_q : tensor<?x?x?xf32>, tensor<?x?x?xf32>, tensor<?x?x?xf32>
  %q = tpa.materialize %a_q, %b_q : tensor<?x?x?x?xf32>, tensor<?x?x?x?xf32>
  %a_k, %b_k = tpa.factorize %x, %wa_k, %wb_k : tensor<?x?x?xf32>, tensor<?x?x?xf32>, tensor<?x?x?xf32>
  %k = tpa.materialize %a_k, %b_k : tensor<?x?x?x?xf32>, tensor<?x?x?x?xf32>
  %a_v, %b_v = tpa.factorize %x, %wa_v, %wb_v : tensor<?x?x?xf32>, tensor<?x?x?xf32>, tensor<?x?x?xf32>
  %v = tpa.materialize %a_v, %b_v : tensor<?x?x?x?xf32>, tensor<?x?x?x?xf32>
  %q_rot = tpa.rope %q at %pos {rope = #tpa.rope<transposed = true, table = bf16>} : tensor<?x?x?x?xf32>, tensor<?xi32>
  %k_rot = tpa.rope %k at %pos {rope = #tpa.rope<transposed = true, table = bf16>} : tensor<?x?x?x?xf32>, tensor<?xi32>
  %o = tpa.attention ["bnhd,bmhd->bhnm"](%q_rot, %k_rot)
      value "bhnm,bmhe->bnhe"(%v) at %pos {per_sqrt = "D", causal, normalizer = #tpa.normalizer<none>}
      : (tensor<?x?x?x?xf32>, tensor<?x?x?x?xf32>), (tensor<?x?x?x?xf32>), tensor<?xi32>
  %y = tpa.einsum "bnhd,chd->bnc"(%o, %wo) : tensor<?x?x?x?xf32>, tensor<?x?x?xf32>
  return %y : tensor<?x?x?xf32>
}
