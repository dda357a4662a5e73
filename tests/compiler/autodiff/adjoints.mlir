// RUN: tpa-opt %s --tpa-differentiate --split-input-file | FileCheck %s

// The adjoint of each operation; what they compute is in
// tests/end_to_end/gradients_test.py.

// An einsum's is one einsum per operand; what only one operand is summed over,
// its share is the same along.
// CHECK-LABEL: exec.entry @einsum
// CHECK: %[[X:.*]] = exec.load @x
// CHECK: %[[W:.*]] = exec.load @w
// CHECK: exec.store
// CHECK: %[[ONE:.*]] = arith.constant dense<1.000000e+00> : tensor<1xf32>
// CHECK: %[[ALONG:.*]] = arith.constant dense<1.000000e+00> : tensor<3xf32>
// CHECK: %[[SHARE:.*]] = tpa.einsum "k,kab->kab"(%[[ONE]], %[[W]]) {scale = 5.000000e-01 : f64}
// CHECK: tpa.einsum "kab,d->kdab"(%[[SHARE]], %[[ALONG]])
// CHECK: tpa.einsum "k,kdab->kab"(%[[ONE]], %[[X]]) {scale = 5.000000e-01 : f64}
exec.buffer param @x : tensor<1x3x5x7xf32>
exec.buffer param @w : tensor<1x5x7xf32>
exec.buffer output @einsum.loss : tensor<1xf32>
exec.entry @einsum scalars [] maxima [] {
  %x = exec.load @x : tensor<1x3x5x7xf32>
  %w = exec.load @w : tensor<1x5x7xf32>
  %l = tpa.einsum "kdab,kab->k"(%x, %w) {scale = 0.5 : f64} : tensor<1x3x5x7xf32>, tensor<1x5x7xf32>
  exec.store %l, @einsum.loss : tensor<1xf32>
} {tpa.differentiate = "einsum.loss"}

// -----

// A value that is both operands has both shares.
// CHECK-LABEL: exec.entry @square
// CHECK: %[[FIRST:.*]] = tpa.einsum "k,ka->ka"
// CHECK: %[[G:.*]] = t6.add_gradient %{{.*}}, %[[FIRST]]
// CHECK: %[[SECOND:.*]] = tpa.einsum "k,ka->ka"
// CHECK: t6.add_gradient %[[G]], %[[SECOND]]
exec.buffer param @x : tensor<1x7xf32>
exec.buffer output @square.loss : tensor<1xf32>
exec.entry @square scalars [] maxima [] {
  %x = exec.load @x : tensor<1x7xf32>
  %l = tpa.einsum "ka,ka->k"(%x, %x) : tensor<1x7xf32>, tensor<1x7xf32>
  exec.store %l, @square.loss : tensor<1xf32>
} {tpa.differentiate = "square.loss"}

// -----

// A share that is one number is summed with what it is the same along.
// CHECK-LABEL: exec.entry @sum
// CHECK: %[[ALONG:.*]] = arith.constant dense<1.000000e+00> : tensor<7xf32>
// CHECK: %[[SHARE:.*]] = tpa.einsum "k,k->k"
// CHECK: tpa.einsum "k,a->a"(%[[SHARE]], %[[ALONG]])
exec.buffer param @x : tensor<7xf32>
exec.buffer output @sum.loss : tensor<1xf32>
exec.entry @sum scalars [] maxima [] {
  %x = exec.load @x : tensor<7xf32>
  %unit = arith.constant dense<1.0> : tensor<1xf32>
  %l = tpa.einsum "a,k->k"(%x, %unit) : tensor<7xf32>, tensor<1xf32>
  exec.store %l, @sum.loss : tensor<1xf32>
} {tpa.differentiate = "sum.loss"}

// -----

// A map's is a map per operand, summed along what the operand lacks: rows
// first, so that an attention's scores can be summed a block at a time.
// CHECK-LABEL: exec.entry @map
// CHECK: %[[DY:.*]] = tpa.einsum "k,k->k"
// CHECK: %[[DX:.*]] = tpa.map "khnm,khnm,h->khnm"(%{{.*}}, %[[X:.*]], %[[S:.*]])
// CHECK: arith.mulf
// CHECK: tpa.yield
// CHECK: t6.add_gradient %{{.*}}, %[[DX]]
// CHECK: %[[SHARE:.*]] = tpa.map "khnm,khnm,h->khnm"(%{{.*}}, %[[X]], %[[S]])
// CHECK: %[[ROWS:.*]] = tpa.einsum "khnm->khn"(%[[SHARE]])
// CHECK: %[[DS:.*]] = tpa.einsum "khn->h"(%[[ROWS]])
// CHECK: t6.add_gradient %{{.*}}, %[[DS]]
exec.buffer param @x : tensor<1x3x5x7xf32>
exec.buffer param @s : tensor<3xf32>
exec.buffer output @map.loss : tensor<1xf32>
exec.entry @map scalars [] maxima [] {
  %x = exec.load @x : tensor<1x3x5x7xf32>
  %s = exec.load @s : tensor<3xf32>
  %y = tpa.map "khnm,h->khnm"(%x, %s) {
  ^bb0(%e: f32, %f: f32):
    %0 = arith.mulf %e, %f : f32
    tpa.yield %0 : f32
  } : tensor<1x3x5x7xf32>, tensor<3xf32>
  %l = tpa.einsum "khnm->k"(%y) : tensor<1x3x5x7xf32>
  %one = arith.constant dense<1.0> : tensor<1xf32>
  %m = tpa.einsum "k,k->k"(%l, %one) : tensor<1xf32>, tensor<1xf32>
  exec.store %m, @map.loss : tensor<1xf32>
} {tpa.differentiate = "map.loss"}

// -----

// The mean of a row of weights is that of their sum, which is smaller. A sink
// weighs what its row's logarithm says.
// CHECK-LABEL: exec.entry @softmax
// CHECK: %[[W:.*]] = tpa.softmax %[[X:.*]] sinks %[[S:.*]] along [1]
// CHECK: %[[Y:.*]] = tpa.einsum "bhm,bmd->bhd"(%[[W]], %[[V:.*]])
// CHECK: %[[DY:.*]] = tpa.einsum "b,bhd->bhd"
// CHECK: %[[DW:.*]] = tpa.einsum "bhd,bmd->bhm"(%[[DY]], %[[V]])
// CHECK: %[[D:.*]] = tpa.einsum "bhd,bhd->bh"(%[[DY]], %[[Y]])
// CHECK: tpa.map "abc,abc,ab->abc"(%[[W]], %[[DW]], %[[D]])
// CHECK: %[[LSE:.*]] = tpa.log_sum_exp %[[X]] sinks %[[S]] along [1]
// CHECK: %[[SHARE:.*]] = tpa.map "ab,ab,b->ab"(%[[D]], %[[LSE]], %[[S]])
// CHECK: tpa.einsum "ab->b"(%[[SHARE]])
exec.buffer param @x : tensor<1x3x7xf32>
exec.buffer param @s : tensor<3xf32>
exec.buffer param @v : tensor<1x7x5xf32>
exec.buffer input @softmax.c : tensor<1x3x5xf32>
exec.buffer output @softmax.loss : tensor<1xf32>
exec.entry @softmax scalars [] maxima [] {
  %x = exec.load @x : tensor<1x3x7xf32>
  %s = exec.load @s : tensor<3xf32>
  %v = exec.load @v : tensor<1x7x5xf32>
  %c = exec.load @softmax.c : tensor<1x3x5xf32>
  %w = tpa.softmax %x sinks %s along [1] : tensor<1x3x7xf32>, tensor<3xf32>
  %y = tpa.einsum "bhm,bmd->bhd"(%w, %v) : tensor<1x3x7xf32>, tensor<1x7x5xf32>
  %l = tpa.einsum "bhd,bhd->b"(%y, %c) : tensor<1x3x5xf32>, tensor<1x3x5xf32>
  exec.store %l, @softmax.loss : tensor<1xf32>
} {tpa.differentiate = "softmax.loss"}

// -----

// A rotation goes back.
// CHECK-LABEL: exec.entry @rope
// CHECK: tpa.rope %{{.*}} at %{{.*}} {rope = #tpa.rope<fraction = 5.000000e-01 : f64, transposed = true, table = bf16>}
// CHECK: %[[DY:.*]] = tpa.einsum "b,bnd->bnd"
// CHECK: tpa.rope %[[DY]] at %{{.*}} {rope = #tpa.rope<fraction = 5.000000e-01 : f64, table = bf16>}
exec.buffer param @x : tensor<1x3x8xf32>
exec.buffer input @rope.at : tensor<1xi32>
exec.buffer input @rope.c : tensor<1x3x8xf32>
exec.buffer output @rope.loss : tensor<1xf32>
exec.entry @rope scalars [] maxima [] {
  %x = exec.load @x : tensor<1x3x8xf32>
  %at = exec.load @rope.at : tensor<1xi32>
  %c = exec.load @rope.c : tensor<1x3x8xf32>
  %y = tpa.rope %x at %at {rope = #tpa.rope<fraction = 0.5 : f64, transposed = true, table = bf16>} : tensor<1x3x8xf32>, tensor<1xi32>
  %l = tpa.einsum "bnd,bnd->b"(%y, %c) : tensor<1x3x8xf32>, tensor<1x3x8xf32>
  exec.store %l, @rope.loss : tensor<1xf32>
} {tpa.differentiate = "rope.loss"}

// -----

// A token's share comes from its own place and from those of later tokens.
// CHECK: #[[$OWN:.*]] = affine_map<(d0, d1, d2) -> (d0, d1, 0, d2)>
// CHECK-LABEL: exec.entry @recent
// CHECK: %[[DY:.*]] = tpa.einsum "b,bnjd->bnjd"
// CHECK: %[[EMPTY:.*]] = tensor.empty() : tensor<1x5x3xf32>
// CHECK: %[[DX:.*]] = linalg.generic {indexing_maps = [#[[$OWN]], #{{.*}}], iterator_types = ["parallel", "parallel", "parallel"]} ins(%[[DY]] : tensor<1x5x2x3xf32>) outs(%[[EMPTY]]
// CHECK: tensor.extract %[[DY]]
// CHECK: arith.select
// CHECK: arith.addf
// CHECK: t6.add_gradient %{{.*}}, %[[DX]]
exec.buffer param @x : tensor<1x5x3xf32>
exec.buffer input @recent.at : tensor<1xi32>
exec.buffer input @recent.c : tensor<1x5x2x3xf32>
exec.buffer output @recent.loss : tensor<1xf32>
exec.entry @recent scalars [] maxima [] {
  %x = exec.load @x : tensor<1x5x3xf32>
  %at = exec.load @recent.at : tensor<1xi32>
  %c = exec.load @recent.c : tensor<1x5x2x3xf32>
  %y = tpa.recent %x at %at tokens 2 : tensor<1x5x3xf32>, tensor<1xi32>
  %l = tpa.einsum "bnjd,bnjd->b"(%y, %c) : tensor<1x5x2x3xf32>, tensor<1x5x2x3xf32>
  exec.store %l, @recent.loss : tensor<1xf32>
} {tpa.differentiate = "recent.loss"}

// -----

// A norm's, by the mean square and the mean of what comes back times x.
// CHECK-LABEL: exec.entry @rms_norm
// CHECK: %[[SQUARE:.*]] = tpa.einsum "abc,abc->ab"(%[[X:.*]], %[[X]]) {scale = 1.250000e-01 : f64}
// CHECK: %[[NORMED:.*]] = tpa.map "abc,ab->abc"(%[[X]], %[[SQUARE]])
// CHECK: %[[DW:.*]] = tpa.einsum "abc,abc->c"(%[[DY:.*]], %[[NORMED]])
// CHECK: t6.add_gradient %{{.*}}, %[[DW]]
// CHECK: %[[G:.*]] = tpa.einsum "abc,c->abc"(%[[DY]], %[[W:.*]])
// CHECK: %[[INNER:.*]] = tpa.einsum "abc,abc->ab"(%[[G]], %[[X]]) {scale = 1.250000e-01 : f64}
// CHECK: tpa.map "abc,abc,ab,ab->abc"(%[[G]], %[[X]], %[[SQUARE]], %[[INNER]])
exec.buffer param @x : tensor<1x3x8xf32>
exec.buffer param @w : tensor<8xf32>
exec.buffer input @rms_norm.c : tensor<1x3x8xf32>
exec.buffer output @rms_norm.loss : tensor<1xf32>
exec.entry @rms_norm scalars [] maxima [] {
  %x = exec.load @x : tensor<1x3x8xf32>
  %w = exec.load @w : tensor<8xf32>
  %c = exec.load @rms_norm.c : tensor<1x3x8xf32>
  %y = t6.rms_norm %x, %w {eps = 1.0e-5 : f64} : tensor<1x3x8xf32>, tensor<8xf32>
  %l = tpa.einsum "bnd,bnd->b"(%y, %c) : tensor<1x3x8xf32>, tensor<1x3x8xf32>
  exec.store %l, @rms_norm.loss : tensor<1xf32>
} {tpa.differentiate = "rms_norm.loss"}

// -----

// A gated unit's is two maps.
// CHECK-LABEL: exec.entry @swiglu
// CHECK: tpa.map "abc,abc,abc->abc"
// CHECK: tpa.map "abc,abc,abc->abc"
exec.buffer param @g : tensor<1x3x8xf32>
exec.buffer param @u : tensor<1x3x8xf32>
exec.buffer output @swiglu.loss : tensor<1xf32>
exec.entry @swiglu scalars [] maxima [] {
  %g = exec.load @g : tensor<1x3x8xf32>
  %u = exec.load @u : tensor<1x3x8xf32>
  %y = t6.swiglu %g, %u : tensor<1x3x8xf32>
  %l = tpa.einsum "bnd->b"(%y) : tensor<1x3x8xf32>
  exec.store %l, @swiglu.loss : tensor<1xf32>
} {tpa.differentiate = "swiglu.loss"}

// -----

// The loss, and a table that is looked up in and multiplied by: both add to one gradient.
// CHECK-LABEL: exec.entry @tied
// CHECK: %[[X:.*]] = t6.embedding %[[TOKENS:.*]], %[[E:.*]] :
// CHECK: %[[LOSS:.*]], %{{.*}}, %[[LSE:.*]] = t6.cross_entropy %[[LOGITS:.*]], %[[TARGETS:.*]] :
// CHECK: %[[ONE:.*]] = arith.constant dense<1.000000e+00>
// CHECK: %[[DL:.*]] = t6.cross_entropy_gradient %[[ONE]], %[[LOGITS]], %[[TARGETS]], %[[LSE]]
// CHECK: %[[DX:.*]] = tpa.einsum "bnv,vc->bnc"(%[[DL]], %[[E]])
// CHECK: %[[DE:.*]] = tpa.einsum "bnv,bnc->vc"(%[[DL]], %[[X]])
// CHECK: %[[G0:.*]] = exec.load @gradient.e
// CHECK: %[[G1:.*]] = t6.add_gradient %[[G0]], %[[DE]]
// CHECK: %[[G2:.*]] = t6.embedding_gradient %[[G1]], %[[TOKENS]], %[[DX]]
// CHECK: exec.store %[[G2]], @gradient.e
exec.buffer param @e : tensor<7x4xf32>
exec.buffer input @tied.tokens : tensor<1x3xi32>
exec.buffer input @tied.targets : tensor<1x3xi32>
exec.buffer output @tied.loss : tensor<1xf32>
exec.entry @tied scalars [] maxima [] {
  %e = exec.load @e : tensor<7x4xf32>
  %tokens = exec.load @tied.tokens : tensor<1x3xi32>
  %targets = exec.load @tied.targets : tensor<1x3xi32>
  %x = t6.embedding %tokens, %e : tensor<1x3xi32>, tensor<7x4xf32>
  %logits = tpa.einsum "bnc,vc->bnv"(%x, %e) : tensor<1x3x4xf32>, tensor<7x4xf32>
  %loss, %each, %lse = t6.cross_entropy %logits, %targets : tensor<1x3x7xf32>, tensor<1x3xi32>
  exec.store %loss, @tied.loss : tensor<1xf32>
} {tpa.differentiate = "tied.loss"}

// -----

// Parts side by side, zeros where one is not read; reshapes are each other's.
// CHECK-LABEL: exec.entry @parts
// CHECK: %[[DZ:.*]] = tpa.einsum "b,bn->bn"
// CHECK: %[[DY:.*]] = tensor.expand_shape %[[DZ]] {{\[\[}}0], [1, 2]] output_shape [1, 3, 2] : tensor<1x6xf32> into tensor<1x3x2xf32>
// CHECK: %[[ZEROS:.*]] = linalg.generic {{.*}} outs(%{{.*}} : tensor<1x3x5xf32>)
// CHECK: %[[DX:.*]] = tensor.insert_slice %[[DY]] into %[[ZEROS]][0, 0, 3] [1, 3, 2] [1, 1, 1]
// CHECK: t6.add_gradient %{{.*}}, %[[DX]]
exec.buffer param @x : tensor<1x3x5xf32>
exec.buffer input @parts.c : tensor<1x6xf32>
exec.buffer output @parts.loss : tensor<1xf32>
exec.entry @parts scalars [] maxima [] {
  %x = exec.load @x : tensor<1x3x5xf32>
  %c = exec.load @parts.c : tensor<1x6xf32>
  %first, %last = t6.split %x axis 2 ["A", "B"] : tensor<1x3x5xf32> -> tensor<1x3x3xf32>, tensor<1x3x2xf32>
  %flat = tensor.collapse_shape %last [[0], [1, 2]] : tensor<1x3x2xf32> into tensor<1x6xf32>
  %l = tpa.einsum "bn,bn->b"(%flat, %c) : tensor<1x6xf32>, tensor<1x6xf32>
  exec.store %l, @parts.loss : tensor<1xf32>
} {tpa.differentiate = "parts.loss"}

// -----

// Of a parameter that a function takes twice, one share is added in place and
// the other afterwards.
// CHECK-LABEL: func.func private @twice.backward.block
// CHECK-SAME: -> (tensor<5x5xf32>, tensor<5x5xf32>)
// CHECK-LABEL: exec.entry @train
// CHECK: %[[B:.*]]:2 = func.call @twice.backward.block
// CHECK: %[[G:.*]] = t6.add_gradient %[[B]]#1, %[[B]]#0
// CHECK: exec.store %[[G]], @gradient.w
func.func private @twice.block(%x: tensor<1x5xf32>, %a: tensor<5x5xf32>, %b: tensor<5x5xf32>) -> tensor<1x5xf32> {
  %0 = tpa.einsum "nc,oc->no"(%x, %a) : tensor<1x5xf32>, tensor<5x5xf32>
  %1 = tpa.einsum "no,oc->nc"(%0, %b) : tensor<1x5xf32>, tensor<5x5xf32>
  return %1 : tensor<1x5xf32>
}
exec.buffer param @w : tensor<5x5xf32>
exec.buffer input @train.x : tensor<1x5xf32>
exec.buffer output @train.loss : tensor<1xf32>
exec.entry @train scalars [] maxima [] {
  %w = exec.load @w : tensor<5x5xf32>
  %x = exec.load @train.x : tensor<1x5xf32>
  %y = func.call @twice.block(%x, %w, %w) : (tensor<1x5xf32>, tensor<5x5xf32>, tensor<5x5xf32>) -> tensor<1x5xf32>
  %l = tpa.einsum "nc->n"(%y) : tensor<1x5xf32>
  exec.store %l, @train.loss : tensor<1xf32>
} {tpa.differentiate = "train.loss"}
