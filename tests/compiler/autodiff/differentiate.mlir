// RUN: tpa-opt %s --tpa-differentiate | FileCheck %s
// RUN: tpa-opt %s --tpa-differentiate=recompute=full | FileCheck %s --check-prefix=FULL

// The loss's gradient is added to a state per parameter that the entry loads, in
// place; a block becomes a forward pass and its reverse.

// CHECK-LABEL: func.func private @step.forward.block
// CHECK-SAME: (%[[X:.*]]: tensor<1x4x8xf32>, %[[W:.*]]: tensor<8x8xf32>)
// CHECK: %[[Y:.*]] = tpa.einsum "bnc,oc->bno"(%[[X]], %[[W]])
// CHECK: %[[Z:.*]] = math.exp %[[Y]]
// What the exponential's adjoint reads is saved.
// CHECK: return %[[Z]], %[[Y]]

// CHECK-LABEL: func.func private @step.backward.block
// CHECK-SAME: (%[[X:.*]]: tensor<1x4x8xf32>, %[[W:.*]]: tensor<8x8xf32>, %[[Y:.*]]: tensor<1x4x8xf32>, %[[DZ:.*]]: tensor<1x4x8xf32>, %[[G:.*]]: tensor<8x8xf32>)
// CHECK: %[[DY:.*]] = tpa.map "abc,abc->abc"(%[[DZ]], %[[Y]])
// CHECK: math.exp
// CHECK: arith.mulf
// CHECK: %[[DX:.*]] = tpa.einsum "bno,oc->bnc"(%[[DY]], %[[W]])
// CHECK: %[[DW:.*]] = tpa.einsum "bno,bnc->oc"(%[[DY]], %[[X]])
// CHECK: %[[G2:.*]] = t6.add_gradient %[[G]], %[[DW]]
// CHECK: return %[[DX]], %[[G2]]

// What is saved is computed again, without what only the result needs, before
// the reverse of each call: by the same operations, which have the same bits.
// FULL-LABEL: func.func private @step.forward.block
// FULL: return %{{[^,]*}}, %{{[^,]*}} : tensor<1x4x8xf32>, tensor<1x4x8xf32>
// FULL-LABEL: func.func private @step.recompute.block
// FULL-SAME: (%[[X:.*]]: tensor<1x4x8xf32>, %[[W:.*]]: tensor<8x8xf32>)
// FULL-NEXT: %[[Y:.*]] = tpa.einsum "bnc,oc->bno"(%[[X]], %[[W]])
// FULL-NEXT: return %[[Y]]
// FULL-LABEL: func.func private @step.backward.block
// FULL-LABEL: exec.entry @train
// FULL: %[[H:.*]]:2 = func.call @step.forward.1.block
// FULL: func.call @step.forward.block
// FULL: %[[Y2:.*]] = func.call @step.recompute.block(%[[H]]#0, %[[W2:[0-9]*]])
// FULL: func.call @step.backward.block(%[[H]]#0, %[[W2]], %[[Y2]],
// FULL: %[[Y1:.*]] = func.call @step.recompute.1.block
// FULL: func.call @step.backward.1.block(%{{.*}}, %[[Y1]],

// CHECK-NOT: @step.block
func.func private @step.block(%x: tensor<1x4x8xf32>, %w: tensor<8x8xf32>) -> tensor<1x4x8xf32> {
  %y = tpa.einsum "bnc,oc->bno"(%x, %w) : tensor<1x4x8xf32>, tensor<8x8xf32>
  %z = math.exp %y : tensor<1x4x8xf32>
  return %z : tensor<1x4x8xf32>
}

exec.buffer param @first : tensor<8x8xf32>
exec.buffer param @second : tensor<8x8xf32>
exec.buffer param @unused : tensor<8x8xf32>
exec.buffer input @train.x : tensor<1x4x8xf32>
exec.buffer output @train.loss : tensor<1xf32>

// CHECK-DAG: exec.buffer state @gradient.first : tensor<8x8xf32>
// CHECK-DAG: exec.buffer state @gradient.second : tensor<8x8xf32>
// CHECK-NOT: @gradient.unused
// CHECK-LABEL: exec.entry @train
// CHECK: %[[X:.*]] = exec.load @train.x
// CHECK: %[[W1:.*]] = exec.load @first
// CHECK: %[[W2:.*]] = exec.load @second
// The input needs no cotangent: the first call has a reverse of its own.
// CHECK: %[[H1:.*]]:2 = func.call @step.forward.1.block(%[[X]], %[[W1]])
// CHECK: %[[H2:.*]]:2 = func.call @step.forward.block(%[[H1]]#0, %[[W2]])
// CHECK: exec.store %{{.*}}, @train.loss
// CHECK: %[[G2:.*]] = exec.load @gradient.second
// CHECK: %[[D2:.*]]:2 = func.call @step.backward.block(%[[H1]]#0, %[[W2]], %[[H2]]#1, %{{.*}}, %[[G2]])
// CHECK: exec.store %[[D2]]#1, @gradient.second
// CHECK: %[[G1:.*]] = exec.load @gradient.first
// CHECK: %[[D1:.*]] = func.call @step.backward.1.block(%[[X]], %[[H1]]#1, %[[D2]]#0, %[[G1]])
// CHECK: exec.store %[[D1]], @gradient.first
exec.entry @train scalars [] maxima [] {
  %x = exec.load @train.x : tensor<1x4x8xf32>
  %w1 = exec.load @first : tensor<8x8xf32>
  %w2 = exec.load @second : tensor<8x8xf32>
  %y = func.call @step.block(%x, %w1) : (tensor<1x4x8xf32>, tensor<8x8xf32>) -> tensor<1x4x8xf32>
  %z = func.call @step.block(%y, %w2) : (tensor<1x4x8xf32>, tensor<8x8xf32>) -> tensor<1x4x8xf32>
  %one = arith.constant dense<1.0> : tensor<1xf32>
  %l = tpa.einsum "bnc,k->k"(%z, %one) : tensor<1x4x8xf32>, tensor<1xf32>
  exec.store %l, @train.loss : tensor<1xf32>
} {tpa.differentiate = "train.loss"}
