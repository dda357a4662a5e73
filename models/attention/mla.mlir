// Multi-head latent attention: keys and values are linear in a latent c of width L,
// beside one rotated key of width P shared by all heads. Decoding caches the
// latent: composing the up-projections into the equations absorbs them.
func.func @mla(%x: tensor<?x?x?xf32>, %pos: tensor<?xi32>) -> tensor<?x?x?xf32> {
  %wq_a = t6.param "attn.q_a_proj.weight" "L_Q C" : tensor<?x?xf32>
  %g_q = t6.param "attn.q_a_layernorm.weight" "L_Q" : tensor<?xf32>
  %wq_b = t6.param "attn.q_b_proj.weight" "(H D+P) L_Q" : tensor<?x?x?xf32>
  %wkv_a = t6.param "attn.kv_a_proj_with_mqa.weight" "L+P C" : tensor<?x?xf32>
  %g_kv = t6.param "attn.kv_a_layernorm.weight" "L" : tensor<?xf32>
  %wkv_b = t6.param "attn.kv_b_proj.weight" "(H D+E) L" : tensor<?x?x?xf32>
  %wo = t6.param "attn.c_proj.weight" "C (H E)" {init = #t6.init<zeros>} : tensor<?x?x?xf32>
  %q_a = t6.linear %x, %wq_a : tensor<?x?x?xf32>, tensor<?x?xf32>
  %q_n = t6.rms_norm %q_a, %g_q {eps = 1.0e-6 : f64} : tensor<?x?x?xf32>, tensor<?xf32>
  %q = tpa.einsum "bnc,hdc->bnhd"(%q_n, %wq_b) : tensor<?x?x?xf32>, tensor<?x?x?xf32>
  %q_c, %q_p = t6.split %q axis 3 ["D", "P"] : tensor<?x?x?x?xf32> -> tensor<?x?x?x?xf32>, tensor<?x?x?x?xf32>
  %kv = t6.linear %x, %wkv_a : tensor<?x?x?xf32>, tensor<?x?xf32>
  %latent, %k_p = t6.split %kv axis 2 ["L", "P"] : tensor<?x?x?xf32> -> tensor<?x?x?xf32>, tensor<?x?x?xf32>
  %c = t6.rms_norm %latent, %g_kv {eps = 1.0e-6 : f64} : tensor<?x?x?xf32>, tensor<?xf32>
  %w_uk, %w_uv = t6.split %wkv_b axis 1 ["D", "E"] : tensor<?x?x?xf32> -> tensor<?x?x?xf32>, tensor<?x?x?xf32>
  %k = tpa.einsum "bml,hdl->bmhd"(%c, %w_uk) : tensor<?x?x?xf32>, tensor<?x?x?xf32>
  %v = tpa.einsum "bml,hel->bmhe"(%c, %w_uv) : tensor<?x?x?xf32>, tensor<?x?x?xf32>
  %q_rot = tpa.rope %q_p at %pos {rope = #tpa.rope<transposed = true, table = bf16>} : tensor<?x?x?x?xf32>, tensor<?xi32>
  %k_rot = tpa.rope %k_p at %pos {rope = #tpa.rope<transposed = true, table = bf16>} : tensor<?x?x?xf32>, tensor<?xi32>
  %o = tpa.attention ["bnhd,bmhd->bhnm", "bnhp,bmp->bhnm"](%q_c, %k, %q_rot, %k_rot)
      value "bhnm,bmhe->bnhe"(%v) at %pos {per_sqrt = "D+P", causal}
      : (tensor<?x?x?x?xf32>, tensor<?x?x?x?xf32>, tensor<?x?x?x?xf32>, tensor<?x?x?xf32>), (tensor<?x?x?x?xf32>), tensor<?xi32>
  %y = tpa.einsum "bnhe,che->bnc"(%o, %wo) : tensor<?x?x?x?xf32>, tensor<?x?x?xf32>
  return %y : tensor<?x?x?xf32>
}
