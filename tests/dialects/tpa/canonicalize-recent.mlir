// RUN: tpa-opt %s --canonicalize | FileCheck %s

// Gathering heads is gathering their factors; the mean over ranks stays.
// CHECK-LABEL: @materialize(
// CHECK-SAME: %[[A:.*]]: tensor<1x?x2x4xf32>, %[[B:.*]]: tensor<1x?x2x8xf32>, %[[POS:.*]]: tensor<1xi32>)
func.func @materialize(%a: tensor<1x?x2x4xf32>, %b: tensor<1x?x2x8xf32>, %pos: tensor<1xi32>) -> tensor<1x?x3x4x8xf32> {
  // CHECK: %[[AS:.*]] = tpa.recent %[[A]] at %[[POS]] tokens 3
  // CHECK: %[[BS:.*]] = tpa.recent %[[B]] at %[[POS]] tokens 3
  // CHECK: tpa.einsum "bnjrh,bnjrd->bnjhd"(%[[AS]], %[[BS]]) {scale = 5.000000e-01 : f64}
  // CHECK-NOT: tpa.recent
  %k = tpa.materialize %a, %b : tensor<1x?x2x4xf32>, tensor<1x?x2x8xf32>
  %y = tpa.recent %k at %pos tokens 3 : tensor<1x?x4x8xf32>, tensor<1xi32>
  return %y : tensor<1x?x3x4x8xf32>
}

// A factor that is a parameter is the same for the token before.
// CHECK-LABEL: @parameter(
// CHECK-SAME: %[[A:.*]]: tensor<2x4xf32>, %[[B:.*]]: tensor<1x?x2x8xf32>
func.func @parameter(%a: tensor<2x4xf32>, %b: tensor<1x?x2x8xf32>, %pos: tensor<1xi32>) -> tensor<1x?x2x4x8xf32> {
  // CHECK: %[[BS:.*]] = tpa.recent %[[B]]
  // CHECK: tpa.einsum "rh,bnjrd->bnjhd"(%[[A]], %[[BS]])
  %k = tpa.materialize %a, %b : tensor<2x4xf32>, tensor<1x?x2x8xf32>
  %y = tpa.recent %k at %pos tokens 2 : tensor<1x?x4x8xf32>, tensor<1xi32>
  return %y : tensor<1x?x2x4x8xf32>
}

// Then the rotation of what is mixed of the tokens reaches B too.
// CHECK-LABEL: @rotated_mix(
// CHECK-SAME: %[[A:.*]]: tensor<1x?x2x4xf32>, %[[B:.*]]: tensor<1x?x2x8xf32>
func.func @rotated_mix(%a: tensor<1x?x2x4xf32>, %b: tensor<1x?x2x8xf32>, %share: tensor<2x4xf32>, %pos: tensor<1xi32>)
    -> tensor<1x?x4x8xf32> {
  // CHECK: %[[BS:.*]] = tpa.recent %[[B]]
  // CHECK: %[[ROTATED:.*]] = tpa.rope %[[BS]]
  // CHECK: tpa.einsum "bnjrh,bnjrd,jh->bnhd"(%{{.*}}, %[[ROTATED]], %{{.*}}) {scale = 5.000000e-01 : f64}
  %k = tpa.materialize %a, %b : tensor<1x?x2x4xf32>, tensor<1x?x2x8xf32>
  %two = tpa.recent %k at %pos tokens 2 : tensor<1x?x4x8xf32>, tensor<1xi32>
  %mix = tpa.einsum "bnjhd,jh->bnhd"(%two, %share) : tensor<1x?x2x4x8xf32>, tensor<2x4xf32>
  %r = tpa.rope %mix at %pos {rope = #tpa.rope} : tensor<1x?x4x8xf32>, tensor<1xi32>
  return %r : tensor<1x?x4x8xf32>
}

// CHECK-LABEL: @keep_after_shared_materialize
func.func @keep_after_shared_materialize(%a: tensor<1x?x2x4xf32>, %b: tensor<1x?x2x8xf32>, %pos: tensor<1xi32>)
    -> (tensor<1x?x2x4x8xf32>, tensor<1x?x4x8xf32>) {
  // CHECK: %[[K:.*]] = tpa.materialize
  // CHECK: tpa.recent %[[K]]
  %k = tpa.materialize %a, %b : tensor<1x?x2x4xf32>, tensor<1x?x2x8xf32>
  %y = tpa.recent %k at %pos tokens 2 : tensor<1x?x4x8xf32>, tensor<1xi32>
  return %y, %k : tensor<1x?x2x4x8xf32>, tensor<1x?x4x8xf32>
}

// What is in the ring are heads.
// CHECK-LABEL: @keep_with_ring
func.func @keep_with_ring(%a: tensor<1x?x2x4xf32>, %b: tensor<1x?x2x8xf32>, %pos: tensor<1xi32>, %ring: tensor<1x2x4x8xf32>)
    -> tensor<1x?x2x4x8xf32> {
  // CHECK: %[[K:.*]] = tpa.materialize
  // CHECK: tpa.recent %[[K]]
  %k = tpa.materialize %a, %b : tensor<1x?x2x4xf32>, tensor<1x?x2x8xf32>
  %y = tpa.recent %k at %pos ring %ring tokens 2 : tensor<1x?x4x8xf32>, tensor<1xi32>, tensor<1x2x4x8xf32>
  return %y : tensor<1x?x2x4x8xf32>
}

// The mean is over a number that is not known yet.
// CHECK-LABEL: @keep_generic
func.func @keep_generic(%a: tensor<?x?x?x?xf32>, %b: tensor<?x?x?x?xf32>, %pos: tensor<?xi32>) -> tensor<?x?x2x?x?xf32> {
  // CHECK: %[[K:.*]] = tpa.materialize
  // CHECK: tpa.recent %[[K]]
  %k = tpa.materialize %a, %b : tensor<?x?x?x?xf32>, tensor<?x?x?x?xf32>
  %y = tpa.recent %k at %pos tokens 2 : tensor<?x?x?x?xf32>, tensor<?xi32>
  return %y : tensor<?x?x2x?x?xf32>
}
