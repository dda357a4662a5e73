// Tensor product attention whose feature factors are parameters, the same for all
// tokens: only head factors are cached. A parameter has no position to rotate by, and
// a rotation of the heads would put whole keys into the cache: there is none, the
// order of tokens shows through the causal mask alone.
func.func @tpa_noncontextual_b(%x: tensor<?x?x?xf32>, %pos: tensor<?xi32>) -> tensor<?x?x?xf32> {
  %wa_q = t6.param "attn.c_qkv.W_A_q.weight" "(H R_Q) C" {init = #t6.init<xavier>} : tensor<?x?x?xf32>
  %b_q = t6.param "attn.c_qkv.B_q" "R_Q D" {init = #t6.init<normal>} : tensor<?x?xf32>
  %wa_k = t6.param "attn.c_qkv.W_A_k.weight" "(H R_K) C" {init = #t6.init<xavier>} : tensor<?x?x?xf32>
  %b_k = t6.param "attn.c_qkv.B_k" "R_K D" {init = #t6.init<normal>} : tensor<?x?xf32>
  %wa_v = t6.param "attn.c_qkv.W_A_v.weight" "(H R_V) C" {init = #t6.init<xavier>} : tensor<?x?x?xf32>
  %b_v = t6.param "attn.c_qkv.B_v" "R_V D" {init = #t6.init<normal>} : tensor<?x?xf32>
  %wo = t6.param "attn.c_proj.weight" "C (H D)" {init = #t6.init<zeros>} : tensor<?x?x?xf32>
  %a_q = tpa.einsum "bnc,hrc->bnrh"(%x, %wa_q) : tensor<?x?x?xf32>, tensor<?x?x?xf32>
  %q = tpa.materialize %a_q, %b_q : tensor<?x?x?x?xf32>, tensor<?x?xf32>
  %a_k = tpa.einsum "bnc,hrc->bnrh"(%x, %wa_k) : tensor<?x?x?xf32>, tensor<?x?x?xf32>
  %k = tpa.materialize %a_k, %b_k : tensor<?x?x?x?xf32>, tensor<?x?xf32>
  %a_v = tpa.einsum "bnc,hrc->bnrh"(%x, %wa_v) : tensor<?x?x?xf32>, tensor<?x?x?xf32>
  %v = tpa.materialize %a_v, %b_v : tensor<?x?x?x?xf32>, tensor<?x?xf32>
  %o = tpa.attention ["bnhd,bmhd->bhnm"](%q, %k)
      value "bhnm,bmhe->bnhe"(%v) at %pos {per_sqrt = "D", causal}
      : (tensor<?x?x?x?xf32>, tensor<?x?x?x?xf32>), (tensor<?x?x?x?xf32>), tensor<?xi32>
  %y = tpa.einsum "bnhd,chd->bnc"(%o, %wo) : tensor<?x?x?x?xf32>, tensor<?x?x?xf32>
  return %y : tensor<?x?x?xf32>
}
