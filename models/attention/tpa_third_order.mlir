// Tensor product attention of third order: a feature d is a pair (x, y), D = X Y, and
// heads are means of products of a head factor, a factor over x, which rotates (paper,
// Theorem C.1), and a factor over y. All three are cached.
func.func @tpa_third_order(%x: tensor<?x?x?xf32>, %pos: tensor<?xi32>) -> tensor<?x?x?xf32> {
  %wa_q = t6.param "attn.c_qkv.W_A_q.weight" "(H R_Q) C" {init = #t6.init<xavier>} : tensor<?x?x?xf32>
  %wb_q = t6.param "attn.c_qkv.W_B_q.weight" "(R_Q X) C" {init = #t6.init<xavier>} : tensor<?x?x?xf32>
  %wc_q = t6.param "attn.c_qkv.W_C_q.weight" "(Y R_Q) C" {init = #t6.init<xavier>} : tensor<?x?x?xf32>
  %wa_k = t6.param "attn.c_qkv.W_A_k.weight" "(H R_K) C" {init = #t6.init<xavier>} : tensor<?x?x?xf32>
  %wb_k = t6.param "attn.c_qkv.W_B_k.weight" "(R_K X) C" {init = #t6.init<xavier>} : tensor<?x?x?xf32>
  %wc_k = t6.param "attn.c_qkv.W_C_k.weight" "(Y R_K) C" {init = #t6.init<xavier>} : tensor<?x?x?xf32>
  %wa_v = t6.param "attn.c_qkv.W_A_v.weight" "(H R_V) C" {init = #t6.init<xavier>} : tensor<?x?x?xf32>
  %wb_v = t6.param "attn.c_qkv.W_B_v.weight" "(R_V X) C" {init = #t6.init<xavier>} : tensor<?x?x?xf32>
  %wc_v = t6.param "attn.c_qkv.W_C_v.weight" "(Y R_V) C" {init = #t6.init<xavier>} : tensor<?x?x?xf32>
  %wo = t6.param "attn.c_proj.weight" "C (H X Y)" {init = #t6.init<zeros>} : tensor<?x?x?x?xf32>
  %a_q = tpa.einsum "bnc,hrc->bnrh"(%x, %wa_q) : tensor<?x?x?xf32>, tensor<?x?x?xf32>
  %c_q, %b_q = tpa.factorize %x, %wc_q, %wb_q : tensor<?x?x?xf32>, tensor<?x?x?xf32>, tensor<?x?x?xf32>
  %b_q_rot = tpa.rope %b_q at %pos {rope = #tpa.rope<transposed = true, table = bf16>} : tensor<?x?x?x?xf32>, tensor<?xi32>
  %bc_q = tpa.einsum "bnrx,bnry->bnrxy"(%b_q_rot, %c_q) : tensor<?x?x?x?xf32>, tensor<?x?x?x?xf32>
  %q = tpa.materialize %a_q, %bc_q : tensor<?x?x?x?xf32>, tensor<?x?x?x?x?xf32>
  %a_k = tpa.einsum "bnc,hrc->bnrh"(%x, %wa_k) : tensor<?x?x?xf32>, tensor<?x?x?xf32>
  %c_k, %b_k = tpa.factorize %x, %wc_k, %wb_k : tensor<?x?x?xf32>, tensor<?x?x?xf32>, tensor<?x?x?xf32>
  %b_k_rot = tpa.rope %b_k at %pos {rope = #tpa.rope<transposed = true, table = bf16>} : tensor<?x?x?x?xf32>, tensor<?xi32>
  %bc_k = tpa.einsum "bnrx,bnry->bnrxy"(%b_k_rot, %c_k) : tensor<?x?x?x?xf32>, tensor<?x?x?x?xf32>
  %k = tpa.materialize %a_k, %bc_k : tensor<?x?x?x?xf32>, tensor<?x?x?x?x?xf32>
  %a_v = tpa.einsum "bnc,hrc->bnrh"(%x, %wa_v) : tensor<?x?x?xf32>, tensor<?x?x?xf32>
  %c_v, %b_v = tpa.factorize %x, %wc_v, %wb_v : tensor<?x?x?xf32>, tensor<?x?x?xf32>, tensor<?x?x?xf32>
  %bc_v = tpa.einsum "bnrx,bnry->bnrxy"(%b_v, %c_v) : tensor<?x?x?x?xf32>, tensor<?x?x?x?xf32>
  %v = tpa.materialize %a_v, %bc_v : tensor<?x?x?x?xf32>, tensor<?x?x?x?x?xf32>
  %o = tpa.attention ["bnhxy,bmhxy->bhnm"](%q, %k)
      value "bhnm,bmhzw->bnhzw"(%v) at %pos {per_sqrt = "D", causal}
      : (tensor<?x?x?x?x?xf32>, tensor<?x?x?x?x?xf32>), (tensor<?x?x?x?x?xf32>), tensor<?xi32>
  %y = tpa.einsum "bnhxy,chxy->bnc"(%o, %wo) : tensor<?x?x?x?x?xf32>, tensor<?x?x?x?xf32>
  return %y : tensor<?x?x?xf32>
}
