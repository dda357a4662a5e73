// Grouped-query attention: J query heads share the key and value of each of G
// groups. Multi-query attention is G = 1.
func.func @gqa(%x: tensor<?x?x?xf32>, %pos: tensor<?xi32>) -> tensor<?x?x?xf32> {
  %wq = t6.param "attn.c_q.weight" "(G J D) C" : tensor<?x?x?x?xf32>
  %wk = t6.param "attn.c_k.weight" "(G D) C" : tensor<?x?x?xf32>
  %wv = t6.param "attn.c_v.weight" "(G D) C" : tensor<?x?x?xf32>
  %wo = t6.param "attn.c_proj.weight" "C (G J D)" {init = #t6.init<zeros>} : tensor<?x?x?x?xf32>
  %q = tpa.einsum "bnc,gjdc->bngjd"(%x, %wq) : tensor<?x?x?xf32>, tensor<?x?x?x?xf32>
  %k = tpa.einsum "bnc,gdc->bngd"(%x, %wk) : tensor<?x?x?xf32>, tensor<?x?x?xf32>
  %v = tpa.einsum "bnc,gdc->bngd"(%x, %wv) : tensor<?x?x?xf32>, tensor<?x?x?xf32>
  %q_rot = tpa.rope %q at %pos {rope = #tpa.rope<transposed = true, table = bf16>} : tensor<?x?x?x?x?xf32>, tensor<?xi32>
  %k_rot = tpa.rope %k at %pos {rope = #tpa.rope<transposed = true, table = bf16>} : tensor<?x?x?x?xf32>, tensor<?xi32>
  %o = tpa.attention ["bngjd,bmgd->bgjnm"](%q_rot, %k_rot)
      value "bgjnm,bmge->bngje"(%v) at %pos {per_sqrt = "D", causal}
      : (tensor<?x?x?x?x?xf32>, tensor<?x?x?x?xf32>), (tensor<?x?x?x?xf32>), tensor<?xi32>
  %y = tpa.einsum "bngjd,cgjd->bnc"(%o, %wo) : tensor<?x?x?x?x?xf32>, tensor<?x?x?x?xf32>
  return %y : tensor<?x?x?xf32>
}
