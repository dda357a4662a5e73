// Multi-head attention: every head has its own query, key and value.
func.func @mha(%x: tensor<?x?x?xf32>, %pos: tensor<?xi32>) -> tensor<?x?x?xf32> {
  %wq = t6.param "attn.c_q.weight" "(H D) C" : tensor<?x?x?xf32>
  %wk = t6.param "attn.c_k.weight" "(H D) C" : tensor<?x?x?xf32>
  %wv = t6.param "attn.c_v.weight" "(H D) C" : tensor<?x?x?xf32>
  %wo = t6.param "attn.c_proj.weight" "C (H D)" {init = #t6.init<zeros>} : tensor<?x?x?xf32>
  %q = tpa.einsum "bnc,hdc->bnhd"(%x, %wq) : tensor<?x?x?xf32>, tensor<?x?x?xf32>
  %k = tpa.einsum "bnc,hdc->bnhd"(%x, %wk) : tensor<?x?x?xf32>, tensor<?x?x?xf32>
  %v = tpa.einsum "bnc,hdc->bnhd"(%x, %wv) : tensor<?x?x?xf32>, tensor<?x?x?xf32>
  %q_rot = tpa.rope %q at %pos {rope = #tpa.rope<transposed = true, table = bf16>} : tensor<?x?x?x?xf32>, tensor<?xi32>
  %k_rot = tpa.rope %k at %pos {rope = #tpa.rope<transposed = true, table = bf16>} : tensor<?x?x?x?xf32>, tensor<?xi32>
  %o = tpa.attention ["bnhd,bmhd->bhnm"](%q_rot, %k_rot)
      value "bhnm,bmhe->bnhe"(%v) at %pos {per_sqrt = "D", causal}
      : (tensor<?x?x?x?xf32>, tensor<?x?x?x?xf32>), (tensor<?x?x?x?xf32>), tensor<?xi32>
  %y = tpa.einsum "bnhd,chd->bnc"(%o, %wo) : tensor<?x?x?x?xf32>, tensor<?x?x?xf32>
  return %y : tensor<?x?x?xf32>
}
