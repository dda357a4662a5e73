// RUN: tpa-opt %s --tpa-lower-to-linalg --split-input-file --verify-diagnostics

func.func @three_operands(%x: tensor<3xf32>) -> tensor<3xf32> {
  // expected-error@+2 {{has more than two operands: run tpa-contract-pairwise first}}
  // expected-error@+1 {{cannot be lowered to linalg}}
  %y = tpa.einsum "a,a,a->a"(%x, %x, %x) : tensor<3xf32>, tensor<3xf32>, tensor<3xf32>
  return %y : tensor<3xf32>
}

// -----

func.func @positions(%x: tensor<1x4x8xf32>, %pos: tensor<1xi32>) -> tensor<1x4x8xf32> {
  // expected-error@+2 {{has no bound on positions: the module has no exec.entry and the pass no option positions}}
  // expected-error@+1 {{cannot be lowered to linalg}}
  %y = tpa.rope %x at %pos {rope = #tpa.rope<>} : tensor<1x4x8xf32>, tensor<1xi32>
  return %y : tensor<1x4x8xf32>
}

// -----

func.func @dynamic_features(%x: tensor<1x4x?xf32>, %pos: tensor<1xi32>) -> tensor<1x4x?xf32> {
  // expected-error@+2 {{has a dynamic feature dimension}}
  // expected-error@+1 {{cannot be lowered to linalg}}
  %y = tpa.rope %x at %pos {rope = #tpa.rope<>} : tensor<1x4x?xf32>, tensor<1xi32>
  return %y : tensor<1x4x?xf32>
}

// -----

func.func @dynamic_width(%x: tensor<1x4x?xf32>) -> tensor<1x4x?xf32> {
  // expected-error@+2 {{has a dynamic last dimension}}
  // expected-error@+1 {{cannot be lowered to linalg}}
  %y = t6.rms_norm %x {eps = 1.0e-5 : f64} : tensor<1x4x?xf32>
  return %y : tensor<1x4x?xf32>
}

// -----

func.func @dynamic_parts(%x: tensor<1x4x?xf32>) -> tensor<1x4x?xf32> {
  // expected-error@+2 {{has parts of unknown size: run t6-instantiate-model first}}
  // expected-error@+1 {{cannot be lowered to linalg}}
  %a, %b = t6.split %x axis 2 ["L", "P"] : tensor<1x4x?xf32> -> tensor<1x4x?xf32>, tensor<1x4x?xf32>
  return %a : tensor<1x4x?xf32>
}

// -----

func.func @attention(%q: tensor<1x?x8xf32>) -> tensor<1x?x8xf32> {
  // expected-error@+1 {{cannot be lowered to linalg}}
  %o = tpa.attention ["bnd,bmd->bnm"](%q, %q) value "bnm,bme->bne"(%q)
      : (tensor<1x?x8xf32>, tensor<1x?x8xf32>), (tensor<1x?x8xf32>)
  return %o : tensor<1x?x8xf32>
}
