// RUN: tpa-opt %s --tpa-expand-attention --split-input-file --verify-diagnostics

func.func @per_sqrt(%q: tensor<1x?x4x8xf32>) -> tensor<1x?x4x8xf32> {
  // expected-error@+1 {{has a scale that depends on a named size: run t6-instantiate-model first}}
  %o = tpa.attention ["bnhd,bmhd->bhnm"](%q, %q) value "bhnm,bmhe->bnhe"(%q) {per_sqrt = "D"}
      : (tensor<1x?x4x8xf32>, tensor<1x?x4x8xf32>), (tensor<1x?x4x8xf32>)
  return %o : tensor<1x?x4x8xf32>
}

// -----

func.func @dynamic_rank(%a: tensor<1x?x?x4xf32>, %b: tensor<1x?x?x8xf32>) -> tensor<1x?x4x8xf32> {
  // expected-error@+1 {{has a dynamic rank: its mean is unknown}}
  %q = tpa.materialize %a, %b : tensor<1x?x?x4xf32>, tensor<1x?x?x8xf32>
  return %q : tensor<1x?x4x8xf32>
}
