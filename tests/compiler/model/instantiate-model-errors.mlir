// RUN: tpa-opt %s --t6-instantiate-model --split-input-file --verify-diagnostics
// RUN: not tpa-opt %models/t6_nano.mlir --t6-instantiate-model=dtype=f16 2>&1 | FileCheck %s --check-prefix=DTYPE
// RUN: not tpa-opt %models/t6_nano.mlir --t6-instantiate-model=batch=0 2>&1 | FileCheck %s --check-prefix=BATCH

// DTYPE: t6_nano.mlir:2:1: error: 't6.model' op cannot be compiled for dtype 'f16': it must be f32 or bf16
// BATCH: t6_nano.mlir:2:1: error: 't6.model' op cannot be compiled for batch 0

// expected-error@+1 {{uses @mta, which neither this module nor the library defines; the library has gqa, llama, mha, mla, tpa, tpa_alibi, tpa_decay, tpa_gate, tpa_kv_shift, tpa_kvonly, tpa_linear, tpa_noncontextual_a, tpa_noncontextual_b, tpa_partial_rope, tpa_shared_b, tpa_sigmoid, tpa_sigmoid_a, tpa_sinks, tpa_softcap, tpa_softmax_a, tpa_sub_norm, tpa_third_order, tpa_window}}
t6.model @unknown_attention uses @mta {
  vocab = 50, layers = 1, width = 24, ffn = 32, context_length = 64, sizes = {}}

// -----

t6.model @unknown_size uses @f {
  vocab = 50, layers = 1, width = 24, ffn = 32, context_length = 64, sizes = {H = 2}}

func.func @f(%x: tensor<?x?x?xf32>, %pos: tensor<?xi32>) -> tensor<?x?x?xf32> {
  // expected-error@+1 {{uses size 'D', which model @unknown_size does not state}}
  %w = t6.param "w" "(H D) C" : tensor<?x?x?xf32>
  %q = tpa.einsum "bnc,hdc->bnhd"(%x, %w) : tensor<?x?x?xf32>, tensor<?x?x?xf32>
  %o = tpa.attention ["bnhd,bmhd->bhnm"](%q, %q) value "bhnm,bmhe->bnhe"(%q)
      : (tensor<?x?x?x?xf32>, tensor<?x?x?x?xf32>), (tensor<?x?x?x?xf32>)
  %y = tpa.einsum "bnhd,hdc->bnc"(%o, %w) : tensor<?x?x?x?xf32>, tensor<?x?x?xf32>
  return %y : tensor<?x?x?xf32>
}

// -----

t6.model @unknown_scale uses @f {
  vocab = 50, layers = 1, width = 24, ffn = 32, context_length = 64, sizes = {H = 2, D = 12}}

func.func @f(%x: tensor<?x?x?xf32>, %pos: tensor<?xi32>) -> tensor<?x?x?xf32> {
  %w = t6.param "w" "(H D) C" : tensor<?x?x?xf32>
  %q = tpa.einsum "bnc,hdc->bnhd"(%x, %w) : tensor<?x?x?xf32>, tensor<?x?x?xf32>
  // expected-error@+1 {{uses size 'P', which model @unknown_scale does not state}}
  %o = tpa.attention ["bnhd,bmhd->bhnm"](%q, %q) value "bhnm,bmhe->bnhe"(%q) {per_sqrt = "D+P"}
      : (tensor<?x?x?x?xf32>, tensor<?x?x?x?xf32>), (tensor<?x?x?x?xf32>)
  %y = tpa.einsum "bnhd,hdc->bnc"(%o, %w) : tensor<?x?x?x?xf32>, tensor<?x?x?xf32>
  return %y : tensor<?x?x?xf32>
}

// -----

t6.model @wrong_inputs uses @f {
  vocab = 50, layers = 1, width = 24, ffn = 32, context_length = 64, sizes = {}}

// expected-error@+1 {{is used as attention, but is not a function of the hidden state (b, n, C) and positions (b) to b, n, C}}
func.func @f(%x: tensor<?x?x?xf32>) -> tensor<?x?x?xf32> {
  return %x : tensor<?x?x?xf32>
}

// -----

t6.model @wrong_rank uses @f {
  vocab = 50, layers = 1, width = 24, ffn = 32, context_length = 64, sizes = {}}

// expected-error@+1 {{is used as attention, but is not a function of the hidden state}}
func.func @f(%x: tensor<?x?xf32>, %pos: tensor<?xi32>) -> tensor<?x?xf32> {
  return %x : tensor<?x?xf32>
}

// -----

t6.model @no_body uses @f {
  vocab = 50, layers = 1, width = 24, ffn = 32, context_length = 64, sizes = {}}

// expected-error@+1 {{is used as attention, but is not a function of the hidden state}}
func.func private @f(tensor<?x?x?xf32>, tensor<?xi32>) -> tensor<?x?x?xf32>

// -----

t6.model @no_attention uses @f {
  vocab = 50, layers = 1, width = 24, ffn = 32, context_length = 64, sizes = {}}

// expected-error@+1 {{is used as attention, but does not contain one tpa.attention}}
func.func @f(%x: tensor<?x?x?xf32>, %pos: tensor<?xi32>) -> tensor<?x?x?xf32> {
  return %x : tensor<?x?x?xf32>
}

// -----

// A head that is narrower than the hidden state does not fit into the residual stream.
t6.model @wrong_width uses @f {
  vocab = 50, layers = 1, width = 24, ffn = 32, context_length = 64, sizes = {H = 2, D = 8}}

func.func @f(%x: tensor<?x?x?xf32>, %pos: tensor<?xi32>) -> tensor<?x?x?xf32> {
  %w = t6.param "w" "(H D) C" : tensor<?x?x?xf32>
  %q = tpa.einsum "bnc,hdc->bnhd"(%x, %w) : tensor<?x?x?xf32>, tensor<?x?x?xf32>
  %o = tpa.attention ["bnhd,bmhd->bhnm"](%q, %q) value "bhnm,bmhe->bnhe"(%q)
      : (tensor<?x?x?x?xf32>, tensor<?x?x?x?xf32>), (tensor<?x?x?x?xf32>)
  %y = tpa.einsum "bnhd->bnd"(%o) : tensor<?x?x?x?xf32>
  // expected-error@+1 {{'func.return' op yields 'tensor<1x?x8xf32>' for a hidden state of 'tensor<1x?x24xf32>'}}
  return %y : tensor<?x?x?xf32>
}

// -----

// Sizes that do not fit together are found by inference.
t6.model @inconsistent uses @f {
  vocab = 50, layers = 1, width = 24, ffn = 32, context_length = 64, sizes = {H = 2, D = 8, E = 9}}

func.func @f(%x: tensor<?x?x?xf32>, %pos: tensor<?xi32>) -> tensor<?x?x?xf32> {
  %w = t6.param "w" "(H D) C" : tensor<?x?x?xf32>
  %u = t6.param "u" "(H E) C" : tensor<?x?x?xf32>
  %q = tpa.einsum "bnc,hdc->bnhd"(%x, %w) : tensor<?x?x?xf32>, tensor<?x?x?xf32>
  %o = tpa.attention ["bnhd,bmhd->bhnm"](%q, %q) value "bhnm,bmhe->bnhe"(%q)
      : (tensor<?x?x?x?xf32>, tensor<?x?x?x?xf32>), (tensor<?x?x?x?xf32>)
  // expected-error@+1 {{label 'd' has size 8 in one operand and 9 in another}}
  %y = tpa.einsum "bnhd,hdc->bnc"(%o, %u) : tensor<?x?x?x?xf32>, tensor<?x?x?xf32>
  return %y : tensor<?x?x?xf32>
}
