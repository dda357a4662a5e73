// Tensor product attention whose head factors are parameters, the same for all
// tokens: only feature factors are cached. MHA, MQA and GQA are special cases.
func.func @tpa_noncontextual_a(%x: tensor<?x?x?xf32>, %pos: tensor<?xi32>) -> tensor<?x?x?xf32> {
  %a_q = t6.param "attn.c_qkv.A_q" "R_Q H" {init = #t6.init<normal>} : tensor<?x?xf32>
  %wb_q = t6.param "attn.c_qkv.W_B_q.weight" "(R_Q D) C" {init = #t6.init<xavier>} : tensor<?x?x?xf32>
  %a_k = t6.param "attn.c_qkv.A_k" "R_K H" {init = #t6.init<normal>} : tensor<?x?xf32>
  %wb_k = t6.param "attn.c_qkv.W_B_k.weight" "(R_K D) C" {init = #t6.init<xavier>} : tensor<?x?x?xf32>
  %a_v = t6.param "attn.c_qkv.A_v" "R_V H" {init = #t6.init<normal>} : tensor<?x?xf32>
  %wb_v = t6.param "attn.c_qkv.W_B_v.weight" "(R_V D) C" {init = #t6.init<xavier>} : tensor<?x?x?xf32>
  %wo = t6.param "attn.c_proj.weight" "C (H D)" {init = #t6.init<zeros>} : tensor<?x?x?xf32>
  %b_q = tpa.einsum "bnc,rdc->bnrd"(%x, %wb_q) : tensor<?x?x?xf32>, tensor<?x?x?xf32>
  %q = tpa.materialize %a_q, %b_q : tensor<?x?xf32>, tensor<?x?x?x?xf32>
  %b_k = tpa.einsum "bnc,rdc->bnrd"(%x, %wb_k) : tensor<?x?x?xf32>, tensor<?x?x?xf32>
  %k = tpa.materialize %a_k, %b_k : tensor<?x?xf32>, tensor<?x?x?x?xf32>
  %b_v = tpa.einsum "bnc,rdc->bnrd"(%x, %wb_v) : tensor<?x?x?xf32>, tensor<?x?x?xf32>
  %v = tpa.materialize %a_v, %b_v : tensor<?x?xf32>, tensor<?x?x?x?xf32>
  %q_rot = tpa.rope %q at %pos {rope = #tpa.rope<transposed = true, table = bf16>} : tensor<?x?x?x?xf32>, tensor<?xi32>
  %k_rot = tpa.rope %k at %pos {rope = #tpa.rope<transposed = true, table = bf16>} : tensor<?x?x?x?xf32>, tensor<?xi32>
  %o = tpa.attention ["bnhd,bmhd->bhnm"](%q_rot, %k_rot)
      value "bhnm,bmhe->bnhe"(%v) at %pos {per_sqrt = "D", causal}
      : (tensor<?x?x?x?xf32>, tensor<?x?x?x?xf32>), (tensor<?x?x?x?xf32>), tensor<?xi32>
  %y = tpa.einsum "bnhd,chd->bnc"(%o, %wo) : tensor<?x?x?x?xf32>, tensor<?x?x?xf32>
  return %y : tensor<?x?x?xf32>
}
