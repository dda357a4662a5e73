// RUN: tpa-opt %s --canonicalize | FileCheck %s

// Nested einsums compose; the inner sum's label is renamed where it clashes, scales multiply.
// CHECK-LABEL: @compose(
// CHECK-SAME: %[[A:.*]]: tensor<2x3xf32>, %[[B:.*]]: tensor<3x4xf32>, %[[C:.*]]: tensor<4x3xf32>)
func.func @compose(%a: tensor<2x3xf32>, %b: tensor<3x4xf32>, %c: tensor<4x3xf32>) -> tensor<2x3xf32> {
  // CHECK: %[[Y:.*]] = tpa.einsum "il,lj,jk->ik"(%[[A]], %[[B]], %[[C]]) {scale = 6.000000e+00 : f64}
  // CHECK-NEXT: return %[[Y]]
  %x = tpa.einsum "ik,kj->ij"(%a, %b) {scale = 2.0 : f64} : tensor<2x3xf32>, tensor<3x4xf32>
  %y = tpa.einsum "ij,jk->ik"(%x, %c) {scale = 3.0 : f64} : tensor<2x4xf32>, tensor<4x3xf32>
  return %y : tensor<2x3xf32>
}

// Each of several renamed labels gets a letter of its own.
// CHECK-LABEL: @compose_renames_apart
func.func @compose_renames_apart(%a: tensor<2x3x5xf32>, %b: tensor<3x5x4xf32>, %c: tensor<4x3xf32>) -> tensor<2x3xf32> {
  // CHECK: tpa.einsum "ilm,lmj,jk->ik"
  %x = tpa.einsum "ikl,klj->ij"(%a, %b) : tensor<2x3x5xf32>, tensor<3x5x4xf32>
  %y = tpa.einsum "ij,jk->ik"(%x, %c) : tensor<2x4xf32>, tensor<4x3xf32>
  return %y : tensor<2x3xf32>
}

// The place of the nested operands is that of the einsum they replace.
// CHECK-LABEL: @compose_second(
// CHECK-SAME: %[[A:.*]]: tensor<2x3xf32>, %[[B:.*]]: tensor<3x4xf32>, %[[C:.*]]: tensor<4x2xf32>)
func.func @compose_second(%a: tensor<2x3xf32>, %b: tensor<3x4xf32>, %c: tensor<4x2xf32>) -> tensor<2x2xf32> {
  // CHECK: tpa.einsum "ab,bc,cd->ad"(%[[A]], %[[B]], %[[C]])
  %x = tpa.einsum "pc,cq->pq"(%b, %c) : tensor<3x4xf32>, tensor<4x2xf32>
  %y = tpa.einsum "ab,bd->ad"(%a, %x) : tensor<2x3xf32>, tensor<3x2xf32>
  return %y : tensor<2x2xf32>
}

// Composing an einsum with two uses would compute it twice.
// CHECK-LABEL: @keep_shared
func.func @keep_shared(%a: tensor<2x3xf32>, %b: tensor<3x2xf32>) -> (tensor<2xf32>, tensor<2x2xf32>) {
  // CHECK: %[[X:.*]] = tpa.einsum "ik,kj->ij"
  // CHECK: tpa.einsum "ij->i"(%[[X]])
  // CHECK: return %{{.*}}, %[[X]]
  %x = tpa.einsum "ik,kj->ij"(%a, %b) : tensor<2x3xf32>, tensor<3x2xf32>
  %y = tpa.einsum "ij->i"(%x) : tensor<2x2xf32>
  return %y, %x : tensor<2xf32>, tensor<2x2xf32>
}

// Two einsums of 28 labels each do not fit into the alphabet together.
// CHECK-LABEL: @keep_when_out_of_letters
func.func @keep_when_out_of_letters(%x: tensor<2x2x2x2x2x2x2x2x2x2x2x2x2x2x2x2x2x2x2x2x2x2x2x2x2x2x2x2xf32>) -> tensor<f32> {
  // CHECK-COUNT-2: tpa.einsum
  %y = tpa.einsum "abcdefghijklmnopqrstuvwxyzAB->abcdefghijklmnopqrstuvwxyzAB"(%x) {scale = 2.0 : f64}
      : tensor<2x2x2x2x2x2x2x2x2x2x2x2x2x2x2x2x2x2x2x2x2x2x2x2x2x2x2x2xf32>
  %z = tpa.einsum "abcdefghijklmnopqrstuvwxyzAB->"(%y)
      : tensor<2x2x2x2x2x2x2x2x2x2x2x2x2x2x2x2x2x2x2x2x2x2x2x2x2x2x2x2xf32>
  return %z : tensor<f32>
}

// CHECK-LABEL: @drop_unit
// CHECK-SAME: %[[A:.*]]: tensor<4x1x3xf32>, %[[B:.*]]: tensor<1x3x5xf32>
func.func @drop_unit(%a: tensor<4x1x3xf32>, %b: tensor<1x3x5xf32>) -> tensor<4x5xf32> {
  // CHECK-DAG: %[[A2:.*]] = tensor.collapse_shape %[[A]] {{\[\[}}0, 1], [2]] : tensor<4x1x3xf32> into tensor<4x3xf32>
  // CHECK-DAG: %[[B2:.*]] = tensor.collapse_shape %[[B]] {{\[\[}}0, 1], [2]] : tensor<1x3x5xf32> into tensor<3x5xf32>
  // CHECK: tpa.einsum "ic,cj->ij"(%[[A2]], %[[B2]])
  %y = tpa.einsum "iuc,ucj->ij"(%a, %b) : tensor<4x1x3xf32>, tensor<1x3x5xf32>
  return %y : tensor<4x5xf32>
}

// CHECK-LABEL: @drop_unit_beside_dynamic
func.func @drop_unit_beside_dynamic(%a: tensor<?x1xf32>) -> tensor<?xf32> {
  // CHECK: tensor.collapse_shape %{{.*}} {{\[\[}}0, 1]] : tensor<?x1xf32> into tensor<?xf32>
  // CHECK: tpa.einsum "i->i"(%{{.*}}) {scale = 2.000000e+00 : f64}
  %y = tpa.einsum "iu->i"(%a) {scale = 2.0 : f64} : tensor<?x1xf32>
  return %y : tensor<?xf32>
}

// A unit dimension of the result stays.
// CHECK-LABEL: @keep_unit_of_result
func.func @keep_unit_of_result(%a: tensor<1x3xf32>, %b: tensor<3x1xf32>) -> tensor<1x1xf32> {
  // CHECK-NOT: collapse_shape
  // CHECK: tpa.einsum "ic,cj->ij"
  %y = tpa.einsum "ic,cj->ij"(%a, %b) : tensor<1x3xf32>, tensor<3x1xf32>
  return %y : tensor<1x1xf32>
}

// A summed unit dimension between two einsums does not keep them apart.
// CHECK-LABEL: @compose_across_unit
func.func @compose_across_unit(%a: tensor<4x3xf32>, %b: tensor<1x3x5xf32>) -> tensor<4x5xf32> {
  // CHECK: %[[B:.*]] = tensor.collapse_shape
  // CHECK: tpa.einsum "ic,cj->ij"(%{{.*}}, %[[B]]) {scale = 2.000000e+00 : f64}
  // CHECK-NOT: tpa.einsum
  %x = tpa.einsum "ucj->ucj"(%b) {scale = 2.0 : f64} : tensor<1x3x5xf32>
  %y = tpa.einsum "ic,ucj->ij"(%a, %x) : tensor<4x3xf32>, tensor<1x3x5xf32>
  return %y : tensor<4x5xf32>
}

// CHECK-LABEL: @splat_to_scale
// CHECK-SAME: %[[A:.*]]: tensor<4x3xf32>
func.func @splat_to_scale(%a: tensor<4x3xf32>) -> tensor<4xf32> {
  // CHECK-NOT: arith.constant
  // CHECK: tpa.einsum "ic->i"(%[[A]]) {scale = 1.500000e+00 : f64}
  %c = arith.constant dense<0.5> : tensor<3xf32>
  %y = tpa.einsum "ic,c->i"(%a, %c) {scale = 3.0 : f64} : tensor<4x3xf32>, tensor<3xf32>
  return %y : tensor<4xf32>
}

// The constant alone has the label j: it is not a number there.
// CHECK-LABEL: @keep_splat_with_own_label
func.func @keep_splat_with_own_label(%a: tensor<4x3xf32>) -> tensor<4x5xf32> {
  // CHECK: %[[C:.*]] = arith.constant
  // CHECK: tpa.einsum "ic,cj->ij"(%{{.*}}, %[[C]])
  %c = arith.constant dense<0.5> : tensor<3x5xf32>
  %y = tpa.einsum "ic,cj->ij"(%a, %c) : tensor<4x3xf32>, tensor<3x5xf32>
  return %y : tensor<4x5xf32>
}

// Summing over j counts the constant five times.
// CHECK-LABEL: @keep_splat_with_own_sum
func.func @keep_splat_with_own_sum(%a: tensor<4x3xf32>) -> tensor<4xf32> {
  // CHECK: %[[C:.*]] = arith.constant
  // CHECK: tpa.einsum "ic,cj->i"(%{{.*}}, %[[C]])
  %c = arith.constant dense<0.5> : tensor<3x5xf32>
  %y = tpa.einsum "ic,cj->i"(%a, %c) : tensor<4x3xf32>, tensor<3x5xf32>
  return %y : tensor<4xf32>
}

// CHECK-LABEL: @keep_constant_that_varies
func.func @keep_constant_that_varies(%a: tensor<4x2xf32>) -> tensor<4xf32> {
  // CHECK: tpa.einsum "ic,c->i"
  %c = arith.constant dense<[0.5, 0.25]> : tensor<2xf32>
  %y = tpa.einsum "ic,c->i"(%a, %c) : tensor<4x2xf32>, tensor<2xf32>
  return %y : tensor<4xf32>
}

// The constant is what makes the result's size static.
// CHECK-LABEL: @keep_splat_with_size
func.func @keep_splat_with_size(%a: tensor<?xf32>) -> tensor<3xf32> {
  // CHECK: tpa.einsum "c,c->c"
  %c = arith.constant dense<0.5> : tensor<3xf32>
  %y = tpa.einsum "c,c->c"(%a, %c) : tensor<?xf32>, tensor<3xf32>
  return %y : tensor<3xf32>
}

// The constant is what makes the sum one in f64.
// CHECK-LABEL: @keep_splat_with_precision
func.func @keep_splat_with_precision(%a: tensor<3xf32>) -> tensor<3xf64> {
  // CHECK: tpa.einsum "c,c->c"
  %c = arith.constant dense<0.5> : tensor<3xf64>
  %y = tpa.einsum "c,c->c"(%a, %c) : tensor<3xf32>, tensor<3xf64>
  return %y : tensor<3xf64>
}

// CHECK-LABEL: @identity
// CHECK-SAME: %[[A:.*]]: tensor<4x?xf32>
func.func @identity(%a: tensor<4x?xf32>) -> tensor<4x?xf32> {
  // CHECK-NEXT: return %[[A]]
  %y = tpa.einsum "ab->ab"(%a) : tensor<4x?xf32>
  return %y : tensor<4x?xf32>
}

// CHECK-LABEL: @keep_what_only_looks_like_identity
func.func @keep_what_only_looks_like_identity(%a: tensor<4x4xf32>, %b: tensor<4xbf16>)
    -> (tensor<4x4xf32>, tensor<4x4xf32>, tensor<4xf32>) {
  // CHECK: tpa.einsum "ab->ba"
  %x = tpa.einsum "ab->ba"(%a) : tensor<4x4xf32>
  // CHECK: tpa.einsum "ab->ab"(%{{.*}}) {scale
  %y = tpa.einsum "ab->ab"(%a) {scale = 2.0 : f64} : tensor<4x4xf32>
  // CHECK: tpa.einsum "a->a"(%{{.*}}) : tensor<4xbf16>
  %z = tpa.einsum "a->a"(%b) : tensor<4xbf16>
  return %x, %y, %z : tensor<4x4xf32>, tensor<4x4xf32>, tensor<4xf32>
}
