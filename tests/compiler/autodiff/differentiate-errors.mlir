// RUN: tpa-opt %s --tpa-differentiate --split-input-file --verify-diagnostics
// RUN: not tpa-opt %s --split-input-file --tpa-differentiate=recompute=some 2>&1 | FileCheck %s
// CHECK: recompute=some is no policy. HINT: use none, full, dots, factors, or the bytes that may be saved, as 64MB
// RUN: not tpa-opt %s --split-input-file --tpa-differentiate=recompute=64XB 2>&1 | FileCheck %s --check-prefix=BYTES
// BYTES: recompute=64XB is no number of bytes. HINT: write it as 64MB or 1.5GiB: a number and B, kB, MB, GB, TB, KiB, MiB, GiB or TiB

exec.buffer param @w : tensor<4xf32>
exec.buffer output @e.loss : tensor<1xf32>
// expected-error@+1 {{stores no loss "e.other"}}
exec.entry @e scalars [] maxima [] {
  %w = exec.load @w : tensor<4xf32>
} {tpa.differentiate = "e.other"}

// -----

exec.buffer param @w : tensor<4xf32>
exec.buffer output @e.loss : tensor<4xf32>
exec.entry @e scalars [] maxima [] {
  %w = exec.load @w : tensor<4xf32>
  %y = math.exp %w : tensor<4xf32>
  // expected-error@+1 {{stores 'tensor<4xf32>', but a loss is one number, a float}}
  exec.store %y, @e.loss : tensor<4xf32>
} {tpa.differentiate = "e.loss"}

// -----

exec.buffer param @w : tensor<4xf32>
exec.buffer input @e.tokens : tensor<1xi32>
exec.buffer output @e.loss : tensor<1xi32>
exec.entry @e scalars [] maxima [] {
  %w = exec.load @w : tensor<4xf32>
  %i = exec.load @e.tokens : tensor<1xi32>
  // expected-error@+1 {{stores 'tensor<1xi32>', but a loss is one number, a float}}
  exec.store %i, @e.loss : tensor<1xi32>
} {tpa.differentiate = "e.loss"}

// -----

exec.buffer input @e.x : tensor<1xf32>
exec.buffer output @e.loss : tensor<1xf32>
// expected-error@+1 {{loads no parameter to differentiate by}}
exec.entry @e scalars [] maxima [] {
  %x = exec.load @e.x : tensor<1xf32>
  exec.store %x, @e.loss : tensor<1xf32>
} {tpa.differentiate = "e.loss"}

// -----

exec.buffer param @q : tensor<3x4xi8>
exec.buffer output @e.loss : tensor<1xf32>
exec.entry @e scalars [] maxima [] {
  // expected-error@+1 {{loads a parameter of integers, of which there is no gradient: train without --weights=int8}}
  %q = exec.load @q : tensor<3x4xi8>
  %l = arith.constant dense<1.0> : tensor<1xf32>
  exec.store %l, @e.loss : tensor<1xf32>
} {tpa.differentiate = "e.loss"}

// -----

exec.buffer param @w : tensor<1xf32>
exec.buffer output @e.loss : tensor<1xf32>
exec.entry @e scalars [] maxima [] {
  %w = exec.load @w : tensor<1xf32>
  // expected-error@+1 {{has no adjoint: no gradient flows through it to a parameter}}
  %y = math.floor %w : tensor<1xf32>
  exec.store %y, @e.loss : tensor<1xf32>
} {tpa.differentiate = "e.loss"}

// -----

exec.buffer param @w : tensor<1xf32>
exec.buffer output @e.loss : tensor<1xf32>
exec.entry @e scalars [] maxima [] {
  %w = exec.load @w : tensor<1xf32>
  %y = tpa.map "a->a"(%w) {
  ^bb0(%e: f32):
    // expected-error@+1 {{has no derivative here: none is known for it}}
    %0 = math.floor %e : f32
    tpa.yield %0 : f32
  } : tensor<1xf32>
  exec.store %y, @e.loss : tensor<1xf32>
} {tpa.differentiate = "e.loss"}

// -----

// A gradient that would be lost: no operand of the map has one.
exec.buffer param @w : tensor<1xf32>
exec.buffer input @e.x : tensor<1xf32>
exec.buffer output @e.loss : tensor<1xf32>
exec.entry @e scalars [] maxima [] {
  %w = exec.load @w : tensor<1xf32>
  %x = exec.load @e.x : tensor<1xf32>
  // expected-error@+1 {{captures a value of which a gradient is asked: pass it as an operand}}
  %y = tpa.map "a->a"(%x) {
  ^bb0(%e: f32):
    %a = tpa.index "a"
    %0 = tensor.extract %w[%a] : tensor<1xf32>
    %1 = arith.mulf %0, %e : f32
    tpa.yield %1 : f32
  } : tensor<1xf32>
  exec.store %y, @e.loss : tensor<1xf32>
} {tpa.differentiate = "e.loss"}

// -----

exec.buffer param @w : tensor<1x5x3xf32>
exec.buffer input @e.at : tensor<1xi32>
exec.buffer state @e.ring : tensor<1x2x3xf32>
exec.buffer output @e.loss : tensor<1xf32>
exec.entry @e scalars [] maxima [] {
  %w = exec.load @w : tensor<1x5x3xf32>
  %at = exec.load @e.at : tensor<1xi32>
  %ring = exec.load @e.ring : tensor<1x2x3xf32>
  // expected-error@+1 {{has a ring: its adjoint is known for whole rows only}}
  %y = tpa.recent %w at %at ring %ring tokens 2 : tensor<1x5x3xf32>, tensor<1xi32>, tensor<1x2x3xf32>
  %l = tpa.einsum "bnjc->b"(%y) : tensor<1x5x2x3xf32>
  exec.store %l, @e.loss : tensor<1xf32>
} {tpa.differentiate = "e.loss"}

// -----

exec.buffer param @w : tensor<1x5x3xf32>
exec.buffer input @e.targets : tensor<1x5xi32>
exec.buffer output @e.loss : tensor<1xf32>
exec.entry @e scalars [] maxima [] {
  %w = exec.load @w : tensor<1x5x3xf32>
  %targets = exec.load @e.targets : tensor<1x5xi32>
  // expected-error@+1 {{is differentiated at its mean alone}}
  %y, %t, %s = t6.cross_entropy %w, %targets : tensor<1x5x3xf32>, tensor<1x5xi32>
  %l = tpa.einsum "bn->b"(%t) : tensor<1x5xf32>
  exec.store %l, @e.loss : tensor<1xf32>
} {tpa.differentiate = "e.loss"}

// -----

func.func private @outside(tensor<1xf32>) -> tensor<1xf32>
exec.buffer param @w : tensor<1xf32>
exec.buffer output @e.loss : tensor<1xf32>
exec.entry @e scalars [] maxima [] {
  %w = exec.load @w : tensor<1xf32>
  // expected-error@+1 {{calls a function without a body}}
  %y = func.call @outside(%w) : (tensor<1xf32>) -> tensor<1xf32>
  exec.store %y, @e.loss : tensor<1xf32>
} {tpa.differentiate = "e.loss"}

// -----

// Sizes that are known only when a program runs.

func.func private @whole(%x: tensor<1x?xf32>, %w: tensor<1xf32>) -> tensor<1xf32> {
  %y = tpa.einsum "bn,b->b"(%x, %w) : tensor<1x?xf32>, tensor<1xf32>
  return %y : tensor<1xf32>
}
exec.buffer param @w : tensor<1xf32>
exec.buffer input @e.x : tensor<1x?xf32> {dims = ["", "n"]}
exec.buffer output @e.loss : tensor<1xf32>
exec.entry @e scalars ["n"] maxima [8] {
^bb0(%n: index):
  %w = exec.load @w : tensor<1xf32>
  %x = exec.load @e.x[%n] : tensor<1x?xf32>
  // expected-error@+1 {{is differentiated with static sizes only}}
  %y = func.call @whole(%x, %w) : (tensor<1x?xf32>, tensor<1xf32>) -> tensor<1xf32>
  exec.store %y, @e.loss : tensor<1xf32>
} {tpa.differentiate = "e.loss"}

// -----

exec.buffer param @w : tensor<1xf32>
exec.buffer input @e.x : tensor<1x?xf32> {dims = ["", "n"]}
exec.buffer output @e.loss : tensor<1xf32>
exec.entry @e scalars ["n"] maxima [8] {
^bb0(%n: index):
  %w = exec.load @w : tensor<1xf32>
  %x = exec.load @e.x[%n] : tensor<1x?xf32>
  %y = tpa.einsum "bn,b->bn"(%x, %w) : tensor<1x?xf32>, tensor<1xf32>
  // expected-error@+1 {{sums an operand over a dynamic dimension 'n' that nothing else has}}
  %l = tpa.einsum "bn->b"(%y) : tensor<1x?xf32>
  exec.store %l, @e.loss : tensor<1xf32>
} {tpa.differentiate = "e.loss"}

// -----

exec.buffer param @w : tensor<1xf32>
exec.buffer input @e.x : tensor<1x?xf32> {dims = ["", "n"]}
exec.buffer output @e.loss : tensor<1xf32>
exec.entry @e scalars ["n"] maxima [8] {
^bb0(%n: index):
  %w = exec.load @w : tensor<1xf32>
  %x = exec.load @e.x[%n] : tensor<1x?xf32>
  %y = tpa.einsum "bn,b->bn"(%x, %w) : tensor<1x?xf32>, tensor<1xf32>
  // expected-error@+1 {{has a dynamic last dimension}}
  %z = t6.rms_norm %y {eps = 1.0e-5 : f64} : tensor<1x?xf32>
  %l = tpa.einsum "bn,bn->b"(%z, %x) : tensor<1x?xf32>, tensor<1x?xf32>
  exec.store %l, @e.loss : tensor<1xf32>
} {tpa.differentiate = "e.loss"}

// -----

exec.buffer param @w : tensor<4xf32>
exec.buffer input @e.x : tensor<1x?xf32> {dims = ["", "n"]}
exec.buffer output @e.loss : tensor<1xf32>
exec.entry @e scalars ["n"] maxima [8] {
^bb0(%n: index):
  %w = exec.load @w : tensor<4xf32>
  %x = exec.load @e.x[%n] : tensor<1x?xf32>
  %y = tpa.einsum "bn,c->bnc"(%x, %w) : tensor<1x?xf32>, tensor<4xf32>
  // expected-error@+1 {{is differentiated with static sizes only}}
  %first, %last = t6.split %y axis 2 ["A", "B"] : tensor<1x?x4xf32> -> tensor<1x?x1xf32>, tensor<1x?x3xf32>
  %l = tpa.einsum "bnc,bn->b"(%first, %x) : tensor<1x?x1xf32>, tensor<1x?xf32>
  exec.store %l, @e.loss : tensor<1xf32>
} {tpa.differentiate = "e.loss"}

// -----

exec.buffer param @w : tensor<4xf32>
exec.buffer input @e.x : tensor<1x?xf32> {dims = ["", "n"]}
exec.buffer output @e.loss : tensor<1xf32>
exec.entry @e scalars ["n"] maxima [8] {
^bb0(%n: index):
  %w = exec.load @w : tensor<4xf32>
  %x = exec.load @e.x[%n] : tensor<1x?xf32>
  %y = tpa.einsum "bn,c->bnc"(%x, %w) : tensor<1x?xf32>, tensor<4xf32>
  // expected-error@+1 {{is differentiated with static sizes only}}
  %flat = tensor.collapse_shape %y [[0, 1], [2]] : tensor<1x?x4xf32> into tensor<?x4xf32>
  %z = tpa.einsum "nc,bn->b"(%flat, %x) : tensor<?x4xf32>, tensor<1x?xf32>
  exec.store %z, @e.loss : tensor<1xf32>
} {tpa.differentiate = "e.loss"}

// -----

exec.buffer param @w : tensor<4xf32>
exec.buffer input @e.tokens : tensor<1x2xi32>
exec.buffer input @e.x : tensor<?xf32> {dims = ["n"]}
exec.buffer output @e.loss : tensor<1xf32>
exec.entry @e scalars ["n"] maxima [8] {
^bb0(%n: index):
  %w = exec.load @w : tensor<4xf32>
  %x = exec.load @e.x[%n] : tensor<?xf32>
  %tokens = exec.load @e.tokens : tensor<1x2xi32>
  %table = tpa.einsum "n,c->nc"(%x, %w) : tensor<?xf32>, tensor<4xf32>
  // expected-error@+1 {{is differentiated with static sizes only}}
  %y = t6.embedding %tokens, %table : tensor<1x2xi32>, tensor<?x4xf32>
  %l = tpa.einsum "bnc->b"(%y) : tensor<1x2x4xf32>
  exec.store %l, @e.loss : tensor<1xf32>
} {tpa.differentiate = "e.loss"}
