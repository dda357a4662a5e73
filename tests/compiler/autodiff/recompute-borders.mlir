// RUN: tpa-opt %s --tpa-differentiate=recompute=full | FileCheck %s

// What is computed again has the borders between kernels of the forward pass: a
// sum with one use left, which could now be fused into it, is a result still, as
// fused products and sums round once.

// CHECK-LABEL: func.func private @step.recompute.block
// CHECK-NEXT: %[[SUM:.*]] = arith.addf
// CHECK-NEXT: %[[READ:.*]] = arith.addf %[[SUM]]
// CHECK-NEXT: return %[[READ]], %[[SUM]]
// CHECK: %[[AGAIN:.*]]:2 = func.call @step.recompute.block
// CHECK: func.call @step.backward.block(%[[AGAIN]]#0,
func.func private @step.block(%x: tensor<1x4xf32>, %w: tensor<1x4xf32>) -> tensor<1x4xf32> {
  %sum = arith.addf %x, %w : tensor<1x4xf32>
  %read = arith.addf %sum, %w : tensor<1x4xf32>
  %e = math.exp %read : tensor<1x4xf32>
  %y = arith.addf %sum, %e : tensor<1x4xf32>
  return %y : tensor<1x4xf32>
}

exec.buffer param @w : tensor<1x4xf32>
exec.buffer input @train.x : tensor<1x4xf32>
exec.buffer output @train.loss : tensor<1xf32>

exec.entry @train scalars [] maxima [] {
  %x = exec.load @train.x : tensor<1x4xf32>
  %w = exec.load @w : tensor<1x4xf32>
  %y = func.call @step.block(%x, %w) : (tensor<1x4xf32>, tensor<1x4xf32>) -> tensor<1x4xf32>
  %one = arith.constant dense<1.0> : tensor<1xf32>
  %l = tpa.einsum "bn,k->k"(%y, %one) : tensor<1x4xf32>, tensor<1xf32>
  exec.store %l, @train.loss : tensor<1xf32>
} {tpa.differentiate = "train.loss"}
