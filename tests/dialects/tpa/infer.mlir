// RUN: tpa-opt %s --mlir-print-op-generic | FileCheck %s

// A label is static in the result where any operand says its size.
// CHECK-LABEL: sym_name = "einsum"
func.func @einsum(%a: tensor<?x3x?xf32>, %b: tensor<2x?x?xf32>) {
  // CHECK: "tpa.einsum"{{.*}} -> tensor<2x3x?xf32>
  %0 = tpa.einsum "abc,abc->abc"(%a, %b) : tensor<?x3x?xf32>, tensor<2x?x?xf32>
  // CHECK: "tpa.einsum"{{.*}} -> tensor<?x3x2xf32>
  %1 = tpa.einsum "abc,abc->cba"(%a, %b) : tensor<?x3x?xf32>, tensor<2x?x?xf32>
  // CHECK: "tpa.einsum"{{.*}} -> tensor<f32>
  %2 = tpa.einsum "abc,abc->"(%a, %b) : tensor<?x3x?xf32>, tensor<2x?x?xf32>
  return
}

// Sums are in f32, or in f64 if an operand is.
// CHECK-LABEL: sym_name = "element_type"
func.func @element_type(%a: tensor<2xbf16>, %b: tensor<2xf32>, %c: tensor<2xf64>) {
  // CHECK: "tpa.einsum"{{.*}} -> tensor<2xf32>
  %0 = tpa.einsum "a,a->a"(%a, %a) : tensor<2xbf16>, tensor<2xbf16>
  // CHECK: "tpa.einsum"{{.*}} -> tensor<2xf32>
  %1 = tpa.einsum "a,a->a"(%a, %b) : tensor<2xbf16>, tensor<2xf32>
  // CHECK: "tpa.einsum"{{.*}} -> tensor<2xf64>
  %2 = tpa.einsum "a,a->a"(%b, %c) : tensor<2xf32>, tensor<2xf64>
  return
}

// CHECK-LABEL: sym_name = "factors"
func.func @factors(%x: tensor<1x?x?xf32>, %wa: tensor<34x?x768xbf16>, %wb: tensor<6x64x?xbf16>, %pos: tensor<?xi32>) {
  // The rank is static in W_B only, the width in W_A only.
  // CHECK: "tpa.factorize"{{.*}} -> (tensor<1x?x6x34xf32>, tensor<1x?x6x64xf32>)
  %a, %b = tpa.factorize %x, %wa, %wb : tensor<1x?x?xf32>, tensor<34x?x768xbf16>, tensor<6x64x?xbf16>
  // CHECK: "tpa.materialize"{{.*}} -> tensor<1x?x34x64xf32>
  %q = tpa.materialize %a, %b : tensor<1x?x6x34xf32>, tensor<1x?x6x64xf32>
  // CHECK: "tpa.rope"{{.*}} -> tensor<1x?x34x64xf32>
  %r = tpa.rope %q at %pos {rope = #tpa.rope} : tensor<1x?x34x64xf32>, tensor<?xi32>
  return
}

// CHECK-LABEL: sym_name = "materialize"
func.func @materialize(%a: tensor<?x8x?x34xf32>, %b: tensor<2x?x6x?xf64>, %p: tensor<6x34xf32>, %xy: tensor<2x8x6x4x3xf32>) {
  // CHECK: "tpa.materialize"{{.*}} -> tensor<2x8x34x?xf64>
  %q = tpa.materialize %a, %b : tensor<?x8x?x34xf32>, tensor<2x?x6x?xf64>
  // CHECK: "tpa.materialize"{{.*}} -> tensor<2x?x34x?xf64>
  %k = tpa.materialize %p, %b : tensor<6x34xf32>, tensor<2x?x6x?xf64>
  // CHECK: "tpa.materialize"{{.*}} -> tensor<2x8x34x4x3xf32>
  %v = tpa.materialize %p, %xy : tensor<6x34xf32>, tensor<2x8x6x4x3xf32>
  return
}

// Rotation accumulates like a sum.
// CHECK-LABEL: sym_name = "rope"
func.func @rope(%x: tensor<?x1x?xbf16>, %y: tensor<1x1x2xf64>, %pos: tensor<1xi32>) {
  // CHECK: "tpa.rope"{{.*}} -> tensor<?x1x?xf32>
  %0 = tpa.rope %x at %pos {rope = #tpa.rope} : tensor<?x1x?xbf16>, tensor<1xi32>
  // CHECK: "tpa.rope"{{.*}} -> tensor<1x1x2xf64>
  %1 = tpa.rope %y at %pos {rope = #tpa.rope} : tensor<1x1x2xf64>, tensor<1xi32>
  return
}

// A gather has a dimension for the tokens, behind that of the token itself.
// CHECK-LABEL: sym_name = "recent"
func.func @recent(%x: tensor<?x?x?xbf16>, %y: tensor<1x5xf64>, %pos: tensor<?xi32>) {
  // CHECK: "tpa.recent"{{.*}} -> tensor<?x?x3x?xf32>
  %0 = tpa.recent %x at %pos tokens 3 : tensor<?x?x?xbf16>, tensor<?xi32>
  // CHECK: "tpa.recent"{{.*}} -> tensor<1x5x2xf64>
  %1 = tpa.recent %y at %pos tokens 2 : tensor<1x5xf64>, tensor<?xi32>
  return
}

// Sizes come from scores and values alike.
// CHECK-LABEL: sym_name = "attention"
func.func @attention(%q: tensor<?x5x?x8xf32>, %k: tensor<2x?x?x8xbf16>, %v: tensor<?x?x4x16xbf16>, %w: tensor<?x?x4x16xf64>) {
  // CHECK: "tpa.attention"{{.*}} -> tensor<2x5x4x16xf32>
  %0 = tpa.attention ["bnhd,bmhd->bhnm"](%q, %k) value "bhnm,bmhe->bnhe"(%v)
      : (tensor<?x5x?x8xf32>, tensor<2x?x?x8xbf16>), (tensor<?x?x4x16xbf16>)
  // CHECK: "tpa.attention"{{.*}} -> tensor<5x2x16xf64>
  %1 = tpa.attention ["bnhd,bmhd->bhnm"](%q, %k) value "bhnm,bmhe->nbe"(%w)
      : (tensor<?x5x?x8xf32>, tensor<2x?x?x8xbf16>), (tensor<?x?x4x16xf64>)
  return
}

// CHECK-LABEL: sym_name = "softmax"
func.func @softmax(%x: tensor<?x3xf64>) {
  // CHECK: "tpa.softmax"{{.*}} -> tensor<?x3xf64>
  %0 = tpa.softmax %x : tensor<?x3xf64>
  return
}
