// Grouped-query attention under Hugging Face LLaMA's parameter names, with its
// sign of rotation and exact tables.
func.func @llama(%x: tensor<?x?x?xf32>, %pos: tensor<?xi32>) -> tensor<?x?x?xf32> {
  %wq = t6.param "self_attn.q_proj.weight" "(G J D) C" {init = #t6.init<normal, std = 0.02 : f64>} : tensor<?x?x?x?xf32>
  %wk = t6.param "self_attn.k_proj.weight" "(G D) C" {init = #t6.init<normal, std = 0.02 : f64>} : tensor<?x?x?xf32>
  %wv = t6.param "self_attn.v_proj.weight" "(G D) C" {init = #t6.init<normal, std = 0.02 : f64>} : tensor<?x?x?xf32>
  %wo = t6.param "self_attn.o_proj.weight" "C (G J D)" {init = #t6.init<normal, std = 0.02 : f64>} : tensor<?x?x?x?xf32>
  %q = tpa.einsum "bnc,gjdc->bngjd"(%x, %wq) : tensor<?x?x?xf32>, tensor<?x?x?x?xf32>
  %k = tpa.einsum "bnc,gdc->bngd"(%x, %wk) : tensor<?x?x?xf32>, tensor<?x?x?xf32>
  %v = tpa.einsum "bnc,gdc->bngd"(%x, %wv) : tensor<?x?x?xf32>, tensor<?x?x?xf32>
  %q_rot = tpa.rope %q at %pos {rope = #tpa.rope<>} : tensor<?x?x?x?x?xf32>, tensor<?xi32>
  %k_rot = tpa.rope %k at %pos {rope = #tpa.rope<>} : tensor<?x?x?x?xf32>, tensor<?xi32>
  %o = tpa.attention ["bngjd,bmgd->bgjnm"](%q_rot, %k_rot)
      value "bgjnm,bmge->bngje"(%v) at %pos {per_sqrt = "D", causal}
      : (tensor<?x?x?x?x?xf32>, tensor<?x?x?x?xf32>), (tensor<?x?x?x?xf32>), tensor<?xi32>
  %y = tpa.einsum "bngjd,cgjd->bnc"(%o, %wo) : tensor<?x?x?x?x?xf32>, tensor<?x?x?x?xf32>
  return %y : tensor<?x?x?xf32>
}
