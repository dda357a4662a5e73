// RUN: tpa-opt %s --tpa-autocast --split-input-file | FileCheck %s
// RUN: tpa-opt %s --tpa-autocast --tpa-differentiate --split-input-file | FileCheck %s --check-prefix=REVERSE

// Products of matrices, and of rows that an embedding chose, get factors in
// bf16, in the entry and in what it calls; a gather, weights of a sum and an
// elementwise product do not.

// CHECK-LABEL: func.func private @step.block
// CHECK-SAME: (%[[X:.*]]: tensor<1x4x8xf32>, %[[W:.*]]: tensor<8x8xf32>)
// CHECK: %[[WR:.*]] = arith.truncf %[[W]] : tensor<8x8xf32> to tensor<8x8xbf16>
// CHECK: %[[H:.*]] = math.exp %[[X]]
// CHECK: %[[HR:.*]] = arith.truncf %[[H]] : tensor<1x4x8xf32> to tensor<1x4x8xbf16>
// CHECK: tpa.einsum "bnc,oc->bno"(%[[HR]], %[[WR]]) : tensor<1x4x8xbf16>, tensor<8x8xbf16>
// CHECK: tpa.einsum "bno,bno->bno"(%{{.*}}) : tensor<1x4x8xf32>, tensor<1x4x8xf32>

// The reverse multiplies by what was rounded, an activation as the forward pass
// saved it and a parameter rounded again. The share of the parameter is added to
// its gradient as the product's sum, in f32.
// REVERSE-LABEL: func.func private @step.backward.block
// REVERSE-SAME: %[[W:[a-z0-9]+]]: tensor<8x8xf32>, %[[HR:[a-z0-9]+]]: tensor<1x4x8xbf16>,
// REVERSE-SAME: %[[G:[a-z0-9]+]]: tensor<8x8xf32>)
// REVERSE: %[[WR:.*]] = arith.truncf %[[W]] : tensor<8x8xf32> to tensor<8x8xbf16>
// REVERSE: tpa.einsum "bno,oc->bnc"(%[[DY:.*]], %[[WR]]) : tensor<1x4x8xf32>, tensor<8x8xbf16>
// REVERSE: %[[DW:.*]] = tpa.einsum "bno,bnc->oc"(%[[DY]], %[[HR]]) : tensor<1x4x8xf32>, tensor<1x4x8xbf16>
// REVERSE-NEXT: t6.add_gradient %[[G]], %[[DW]] : tensor<8x8xf32>, tensor<8x8xf32>
// REVERSE-NOT: arith.extf
func.func private @step.block(%x: tensor<1x4x8xf32>, %w: tensor<8x8xf32>) -> tensor<1x4x8xf32> {
  %h = math.exp %x : tensor<1x4x8xf32>
  %y = tpa.einsum "bnc,oc->bno"(%h, %w) : tensor<1x4x8xf32>, tensor<8x8xf32>
  %z = tpa.einsum "bno,bno->bno"(%y, %x) : tensor<1x4x8xf32>, tensor<1x4x8xf32>
  return %z : tensor<1x4x8xf32>
}

exec.buffer param @table : tensor<16x8xf32>
exec.buffer param @w : tensor<8x8xf32>
exec.buffer input @step.tokens : tensor<1x4xi32>
exec.buffer input @step.weights : tensor<1x4xf32>
exec.buffer output @step.loss : tensor<1xf32>

// CHECK-LABEL: exec.entry @step
// CHECK: %[[TABLE:.*]] = exec.load @table
// CHECK: %[[X:.*]] = t6.embedding %{{.*}}, %[[TABLE]] : tensor<1x4xi32>, tensor<16x8xf32>
// CHECK: %[[XR:.*]] = arith.truncf %[[X]]
// CHECK: %[[Y:.*]] = func.call @step.block(%[[X]], %{{.*}})
// CHECK: %[[YR:.*]] = arith.truncf %[[Y]]
// CHECK: tpa.einsum "bnc,bnc->bn"(%[[YR]], %[[XR]])
// CHECK: tpa.einsum "bn,bn->b"(%{{.*}}) : tensor<1x4xf32>, tensor<1x4xf32>
// CHECK-NOT: tpa.autocast
exec.entry @step scalars [] maxima [] {
  %tokens = exec.load @step.tokens : tensor<1x4xi32>
  %weights = exec.load @step.weights : tensor<1x4xf32>
  %table = exec.load @table : tensor<16x8xf32>
  %w = exec.load @w : tensor<8x8xf32>
  %x = t6.embedding %tokens, %table : tensor<1x4xi32>, tensor<16x8xf32>
  %y = func.call @step.block(%x, %w) : (tensor<1x4x8xf32>, tensor<8x8xf32>) -> tensor<1x4x8xf32>
  %s = tpa.einsum "bnc,bnc->bn"(%y, %x) : tensor<1x4x8xf32>, tensor<1x4x8xf32>
  %l = tpa.einsum "bn,bn->b"(%s, %weights) : tensor<1x4xf32>, tensor<1x4xf32>
  exec.store %l, @step.loss : tensor<1xf32>
} {tpa.autocast = bf16, tpa.differentiate = "step.loss"}

// -----

// An attention's products of queries and keys stay as they are.
// CHECK-LABEL: exec.entry @attend
// CHECK-NOT: arith.truncf
exec.buffer param @q : tensor<1x4x8xf32>
exec.buffer param @v : tensor<1x4x8xf32>
exec.buffer output @attend.y : tensor<1x4x8xf32>
exec.entry @attend scalars [] maxima [] {
  %q = exec.load @q : tensor<1x4x8xf32>
  %v = exec.load @v : tensor<1x4x8xf32>
  %s = tpa.einsum "bnd,bmd->bnm"(%q, %q) : tensor<1x4x8xf32>, tensor<1x4x8xf32>
  %w = tpa.softmax %s : tensor<1x4x4xf32>
  %y = tpa.einsum "bnm,bmd->bnd"(%w, %v) : tensor<1x4x4xf32>, tensor<1x4x8xf32>
  exec.store %y, @attend.y : tensor<1x4x8xf32>
} {tpa.autocast = bf16}

// -----

// An entry that does not ask keeps its products.
// CHECK-LABEL: exec.entry @exact
// CHECK-NOT: arith.truncf
exec.buffer param @a : tensor<4x8xf32>
exec.buffer output @exact.y : tensor<4x4xf32>
exec.entry @exact scalars [] maxima [] {
  %a = exec.load @a : tensor<4x8xf32>
  %y = tpa.einsum "ac,bc->ab"(%a, %a) : tensor<4x8xf32>, tensor<4x8xf32>
  exec.store %y, @exact.y : tensor<4x4xf32>
}
