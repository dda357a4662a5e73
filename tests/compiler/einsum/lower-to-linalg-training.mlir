// RUN: tpa-opt %s --tpa-lower-to-linalg | FileCheck %s

// What is updated is the init of what updates it, once for all; squares are summed
// on the way.
// CHECK-LABEL: @adamw
// CHECK-SAME: %[[P:.*]]: tensor<4x8xf32>, %[[G:.*]]: tensor<4x8xf32>, %[[M:.*]]: tensor<4x8xf32>, %[[V:.*]]: tensor<4x8xf32>, %[[S:.*]]: tensor<1xf32>
// CHECK-COUNT-3: linalg.fill
// CHECK: %[[R:.*]]:7 = linalg.generic {{.*}}iterator_types = ["parallel", "reduction"]} ins(%[[S]], {{.*}} outs(%[[P]], %[[M]], %[[V]], %[[G]], %{{.*}}, %{{.*}}, %{{.*}} :
// CHECK: math.sqrt
// CHECK: math.copysign
// CHECK-NOT: linalg.generic
// CHECK: return %[[R]]#0, %[[R]]#1, %[[R]]#2, %[[R]]#3, %[[R]]#4, %[[R]]#5, %[[R]]#6
func.func @adamw(%p: tensor<4x8xf32>, %g: tensor<4x8xf32>, %m: tensor<4x8xf32>, %v: tensor<4x8xf32>, %s: tensor<1xf32>)
    -> (tensor<4x8xf32>, tensor<4x8xf32>, tensor<4x8xf32>, tensor<4x8xf32>, tensor<4xf32>, tensor<4xf32>, tensor<4xf32>) {
  %r:7 = t6.adamw %p, %g, %m, %v scale %s lr %s betas %s, %s eps %s decay %s corrections %s, %s : tensor<4x8xf32>
  return %r#0, %r#1, %r#2, %r#3, %r#4, %r#5, %r#6 : tensor<4x8xf32>, tensor<4x8xf32>, tensor<4x8xf32>, tensor<4x8xf32>, tensor<4xf32>, tensor<4xf32>, tensor<4xf32>
}

// Squares are only summed.
// CHECK-LABEL: @global_norm_of_squares
// CHECK-NOT: mulf
// CHECK: math.sqrt
func.func @global_norm_of_squares(%a: tensor<4xf32>, %b: tensor<3x5xf32>) -> tensor<1xf32> {
  %n = t6.global_norm %a, %b {squared} : tensor<4xf32>, tensor<3x5xf32>
  return %n : tensor<1xf32>
}

// A sum that is added to a gradient starts from it.
// CHECK-LABEL: @add_sum
// CHECK-SAME: %[[G:.*]]: tensor<6x8xf32>, %[[X:.*]]: tensor<5x8xf32>, %[[D:.*]]: tensor<5x6xf32>
// CHECK: linalg.generic {{.*}} ins(%[[D]], %[[X]] : {{.*}}) outs(%[[G]] :
// CHECK-NOT: linalg.generic
func.func @add_sum(%g: tensor<6x8xf32>, %x: tensor<5x8xf32>, %d: tensor<5x6xf32>) -> tensor<6x8xf32> {
  %w = tpa.einsum "no,nc->oc"(%d, %x) : tensor<5x6xf32>, tensor<5x8xf32>
  %h = t6.add_gradient %g, %w : tensor<6x8xf32>, tensor<6x8xf32>
  return %h : tensor<6x8xf32>
}

// One that is read elsewhere, too, does not.
// CHECK-LABEL: @add_shared
// CHECK-SAME: %[[G:.*]]: tensor<6x8xf32>, %{{.*}}: tensor<5x8xf32>, %{{.*}}: tensor<5x6xf32>
// CHECK: %[[W:.*]] = linalg.generic
// CHECK: linalg.generic {{.*}} ins(%[[W]] : {{.*}}) outs(%[[G]] :
func.func @add_shared(%g: tensor<6x8xf32>, %x: tensor<5x8xf32>, %d: tensor<5x6xf32>) -> (tensor<6x8xf32>, tensor<6x8xf32>) {
  %w = tpa.einsum "no,nc->oc"(%d, %x) : tensor<5x6xf32>, tensor<5x8xf32>
  %h = t6.add_gradient %g, %w : tensor<6x8xf32>, tensor<6x8xf32>
  return %h, %w : tensor<6x8xf32>, tensor<6x8xf32>
}

// Token by token, in order.
// CHECK-LABEL: @embedding_gradient
// CHECK-SAME: %[[G:.*]]: tensor<9x8xf32>, %[[T:.*]]: tensor<2x3xi32>, %[[X:.*]]: tensor<2x3x8xf32>
// CHECK: scf.for %[[B:.*]] = {{.*}} iter_args(%[[OUTER:.*]] = %[[G]])
// CHECK: scf.for %[[N:.*]] = {{.*}} iter_args(%[[INNER:.*]] = %[[OUTER]])
// CHECK: %[[ID:.*]] = tensor.extract %[[T]][%[[B]], %[[N]]]
// CHECK: %[[SAFE:.*]] = arith.maxsi %[[ID]], %{{.*}}
// CHECK: %[[ROW:.*]] = arith.index_cast %[[SAFE]]
// CHECK: tensor.insert_slice %{{.*}} into %[[INNER]][%[[ROW]], 0] [1, 8] [1, 1]
func.func @embedding_gradient(%g: tensor<9x8xf32>, %t: tensor<2x3xi32>, %x: tensor<2x3x8xf32>) -> tensor<9x8xf32> {
  %h = t6.embedding_gradient %g, %t, %x : tensor<9x8xf32>, tensor<2x3xi32>, tensor<2x3x8xf32>
  return %h : tensor<9x8xf32>
}

// CHECK-LABEL: @log_sum_exp
// CHECK: arith.maximumf
// CHECK: math.exp
// CHECK: math.log
func.func @log_sum_exp(%x: tensor<3x5xf32>) -> tensor<3xf32> {
  %l = tpa.log_sum_exp %x : tensor<3x5xf32>
  return %l : tensor<3xf32>
}
