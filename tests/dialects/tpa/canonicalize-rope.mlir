// RUN: tpa-opt %s --canonicalize | FileCheck %s

// Theorem 3.1: rotating the heads is rotating B.
// CHECK-LABEL: @materialize(
// CHECK-SAME: %[[A:.*]]: tensor<1x?x6x34xf32>, %[[B:.*]]: tensor<1x?x6x64xbf16>, %[[POS:.*]]: tensor<1xi32>)
func.func @materialize(%a: tensor<1x?x6x34xf32>, %b: tensor<1x?x6x64xbf16>, %pos: tensor<1xi32>) -> tensor<1x?x34x64xf32> {
  // CHECK: %[[ROTATED:.*]] = tpa.rope %[[B]] at %[[POS]] {rope = #tpa.rope<transposed = true>}
  // CHECK-NEXT: %[[Q:.*]] = tpa.materialize %[[A]], %[[ROTATED]]
  // CHECK-NEXT: return %[[Q]]
  %q = tpa.materialize %a, %b : tensor<1x?x6x34xf32>, tensor<1x?x6x64xbf16>
  %r = tpa.rope %q at %pos {rope = #tpa.rope<transposed = true>} : tensor<1x?x34x64xf32>, tensor<1xi32>
  return %r : tensor<1x?x34x64xf32>
}

// CHECK-LABEL: @keep_after_shared_materialize
func.func @keep_after_shared_materialize(%a: tensor<1x?x6x34xf32>, %b: tensor<1x?x6x64xf32>, %pos: tensor<1xi32>)
    -> (tensor<1x?x34x64xf32>, tensor<1x?x34x64xf32>) {
  // CHECK: %[[Q:.*]] = tpa.materialize
  // CHECK: tpa.rope %[[Q]]
  %q = tpa.materialize %a, %b : tensor<1x?x6x34xf32>, tensor<1x?x6x64xf32>
  %r = tpa.rope %q at %pos {rope = #tpa.rope} : tensor<1x?x34x64xf32>, tensor<1xi32>
  return %q, %r : tensor<1x?x34x64xf32>, tensor<1x?x34x64xf32>
}

// CHECK-LABEL: @einsum(
// CHECK-SAME: %[[A:.*]]: tensor<1x?x2x4xf32>, %[[B:.*]]: tensor<1x?x2x8xf32>, %[[POS:.*]]: tensor<1xi32>)
func.func @einsum(%a: tensor<1x?x2x4xf32>, %b: tensor<1x?x2x8xf32>, %pos: tensor<1xi32>) -> tensor<1x?x4x8xf32> {
  // CHECK: %[[ROTATED:.*]] = tpa.rope %[[B]] at %[[POS]]
  // CHECK-NEXT: tpa.einsum "bnrh,bnrd->bnhd"(%[[A]], %[[ROTATED]]) {scale = 5.000000e-01 : f64}
  // CHECK-NOT: tpa.rope
  %k = tpa.einsum "bnrh,bnrd->bnhd"(%a, %b) {scale = 0.5 : f64} : tensor<1x?x2x4xf32>, tensor<1x?x2x8xf32>
  %r = tpa.rope %k at %pos {rope = #tpa.rope} : tensor<1x?x4x8xf32>, tensor<1xi32>
  return %r : tensor<1x?x4x8xf32>
}

// A rotation passes through a chain of einsums down to the factor.
// CHECK-LABEL: @einsum_of_materialize
func.func @einsum_of_materialize(%g: tensor<4x6xf32>, %a: tensor<1x?x2x4xf32>, %b: tensor<1x?x2x8xf32>, %pos: tensor<1xi32>)
    -> tensor<1x?x6x8xf32> {
  // CHECK: %[[ROTATED:.*]] = tpa.rope %{{.*}} : tensor<1x?x2x8xf32>
  // CHECK: %[[K:.*]] = tpa.materialize %{{.*}}, %[[ROTATED]]
  // CHECK: tpa.einsum "bnhd,hg->bngd"(%[[K]], %{{.*}})
  %k = tpa.materialize %a, %b : tensor<1x?x2x4xf32>, tensor<1x?x2x8xf32>
  %e = tpa.einsum "bnhd,hg->bngd"(%k, %g) : tensor<1x?x4x8xf32>, tensor<4x6xf32>
  %r = tpa.rope %e at %pos {rope = #tpa.rope} : tensor<1x?x6x8xf32>, tensor<1xi32>
  return %r : tensor<1x?x6x8xf32>
}

// Rotating each of two factors of a feature is not rotating their product.
// CHECK-LABEL: @keep_two_carriers
func.func @keep_two_carriers(%a: tensor<1x?x4x8xf32>, %b: tensor<1x?x4x8xf32>, %pos: tensor<1xi32>) -> tensor<1x?x4x8xf32> {
  // CHECK: %[[K:.*]] = tpa.einsum
  // CHECK: tpa.rope %[[K]]
  %k = tpa.einsum "bnhd,bnhd->bnhd"(%a, %b) : tensor<1x?x4x8xf32>, tensor<1x?x4x8xf32>
  %r = tpa.rope %k at %pos {rope = #tpa.rope} : tensor<1x?x4x8xf32>, tensor<1xi32>
  return %r : tensor<1x?x4x8xf32>
}

// A parameter has no position to rotate by.
// CHECK-LABEL: @keep_without_token
func.func @keep_without_token(%x: tensor<1x?x16xf32>, %w: tensor<16x4x8xf32>, %pos: tensor<1xi32>) -> tensor<1x?x4x8xf32> {
  // CHECK: %[[K:.*]] = tpa.einsum
  // CHECK: tpa.rope %[[K]]
  %k = tpa.einsum "bnc,chd->bnhd"(%x, %w) : tensor<1x?x16xf32>, tensor<16x4x8xf32>
  %r = tpa.rope %k at %pos {rope = #tpa.rope} : tensor<1x?x4x8xf32>, tensor<1xi32>
  return %r : tensor<1x?x4x8xf32>
}

// tpa.rope rotates the last dimension and takes batch and token first: other orders stay.
// CHECK-LABEL: @keep_other_order
func.func @keep_other_order(%a: tensor<1x?x2x4xf32>, %b: tensor<1x?x8x2xf32>, %pos: tensor<1xi32>) -> tensor<1x?x4x8xf32> {
  // CHECK: %[[K:.*]] = tpa.einsum
  // CHECK: tpa.rope %[[K]]
  %k = tpa.einsum "bnrh,bndr->bnhd"(%a, %b) : tensor<1x?x2x4xf32>, tensor<1x?x8x2xf32>
  %r = tpa.rope %k at %pos {rope = #tpa.rope} : tensor<1x?x4x8xf32>, tensor<1xi32>
  return %r : tensor<1x?x4x8xf32>
}

// CHECK-LABEL: @keep_after_shared_einsum
func.func @keep_after_shared_einsum(%a: tensor<1x?x2x4xf32>, %b: tensor<1x?x2x8xf32>, %pos: tensor<1xi32>)
    -> (tensor<1x?x4x8xf32>, tensor<1x?x4x8xf32>) {
  // CHECK: %[[K:.*]] = tpa.einsum
  // CHECK: tpa.rope %[[K]]
  %k = tpa.einsum "bnrh,bnrd->bnhd"(%a, %b) : tensor<1x?x2x4xf32>, tensor<1x?x2x8xf32>
  %r = tpa.rope %k at %pos {rope = #tpa.rope} : tensor<1x?x4x8xf32>, tensor<1xi32>
  return %k, %r : tensor<1x?x4x8xf32>, tensor<1x?x4x8xf32>
}

// A parameter has no position: a rotation stays where there is one.
// CHECK-LABEL: @keep_after_parameter
func.func @keep_after_parameter(%a: tensor<1x?x2x4xf32>, %b: tensor<2x8xf32>, %pos: tensor<1xi32>) -> tensor<1x?x4x8xf32> {
  // CHECK: %[[K:.*]] = tpa.materialize
  // CHECK: tpa.rope %[[K]]
  %k = tpa.materialize %a, %b : tensor<1x?x2x4xf32>, tensor<2x8xf32>
  %rotated = tpa.rope %k at %pos {rope = #tpa.rope<>} : tensor<1x?x4x8xf32>, tensor<1xi32>
  return %rotated : tensor<1x?x4x8xf32>
}
