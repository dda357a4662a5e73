// Operations as programs, for operations_test.py: what no model of tests/data uses.
// Compiled from the phase `entries` on; `tokens` and `positions` are where scalars come from.

exec.buffer input @rope.tokens : tensor<2x?xi32> {dims = ["", "n"]}
exec.buffer input @rope.positions : tensor<2xi32> {range = array<i64: 0, 64>}
exec.buffer input @rope.x : tensor<2x?x3x8xf32> {dims = ["", "n", "", ""]}
exec.buffer output @rope.partial : tensor<2x?x3x8xf32> {dims = ["", "n", "", ""]}
exec.buffer output @rope.interleaved : tensor<2x?x3x8xf32> {dims = ["", "n", "", ""]}
exec.buffer output @rope.query : tensor<2x?x3x8xf32> {dims = ["", "n", "", ""]}
exec.buffer output @rope.key : tensor<2x?x3x8xf32> {dims = ["", "n", "", ""]}
exec.entry @rope scalars ["n", "m"] maxima [17, 64] {
^bb0(%n: index, %m: index):
  %x = exec.load @rope.x[%n] : tensor<2x?x3x8xf32>
  %at = exec.load @rope.positions : tensor<2xi32>
  %partial = tpa.rope %x at %at {rope = #tpa.rope<fraction = 0.5 : f64>} : tensor<2x?x3x8xf32>, tensor<2xi32>
  exec.store %partial, @rope.partial : tensor<2x?x3x8xf32>
  %interleaved = tpa.rope %x at %at {rope = #tpa.rope<fraction = 0.75 : f64, pairs = interleaved, transposed = true>}
      : tensor<2x?x3x8xf32>, tensor<2xi32>
  exec.store %interleaved, @rope.interleaved : tensor<2x?x3x8xf32>
  %query = tpa.rope %x at %at {rope = #tpa.rope<decay = 0.4 : f64>} : tensor<2x?x3x8xf32>, tensor<2xi32>
  exec.store %query, @rope.query : tensor<2x?x3x8xf32>
  %key = tpa.rope %x at %at {rope = #tpa.rope<decay = 0.4 : f64, reciprocal = true>} : tensor<2x?x3x8xf32>, tensor<2xi32>
  exec.store %key, @rope.key : tensor<2x?x3x8xf32>
}

exec.buffer input @attend.positions : tensor<2xi32> {range = array<i64: 0, 64>}
exec.buffer input @attend.q : tensor<2x5x2x3x8xf32>
exec.buffer input @attend.k : tensor<2x21x2x8xf32>
exec.buffer input @attend.v : tensor<2x21x2x8xf32>
exec.buffer input @attend.slopes : tensor<2x3xf32>
exec.buffer input @attend.sinks : tensor<3x2xf32>
exec.buffer output @attend.sloped : tensor<2x5x2x3x8xf32>
exec.buffer output @attend.sunk : tensor<2x5x2x3x8xf32>
exec.buffer output @attend.all : tensor<2x5x2x3x8xf32>
exec.entry @attend scalars [] maxima [] {
^bb0:
  %at = exec.load @attend.positions : tensor<2xi32>
  %q = exec.load @attend.q : tensor<2x5x2x3x8xf32>
  %k = exec.load @attend.k : tensor<2x21x2x8xf32>
  %v = exec.load @attend.v : tensor<2x21x2x8xf32>
  %slopes = exec.load @attend.slopes : tensor<2x3xf32>
  %sinks = exec.load @attend.sinks : tensor<3x2xf32>
  %sloped = tpa.attention ["bngjd,bmgd->bgjnm"](%q, %k) value "bgjnm,bmge->bngje"(%v) at %at
      slopes "gj"(%slopes) {causal, scale = 0.25 : f64}
      : (tensor<2x5x2x3x8xf32>, tensor<2x21x2x8xf32>), (tensor<2x21x2x8xf32>), tensor<2xi32> slopes tensor<2x3xf32>
  exec.store %sloped, @attend.sloped : tensor<2x5x2x3x8xf32>
  %sunk = tpa.attention ["bngjd,bmgd->bgjnm"](%q, %k) value "bgjnm,bmge->bngje"(%v)
      sinks "jg"(%sinks) {scale = 0.25 : f64}
      : (tensor<2x5x2x3x8xf32>, tensor<2x21x2x8xf32>), (tensor<2x21x2x8xf32>) sinks tensor<3x2xf32>
  exec.store %sunk, @attend.sunk : tensor<2x5x2x3x8xf32>
  %all = tpa.attention ["bngjd,bmgd->bgjnm"](%q, %k) value "bgjnm,bmge->bngje"(%v) at %at
      slopes "gj"(%slopes) sinks "jg"(%sinks) {causal, window = 4, softcap = 2.0 : f64}
      : (tensor<2x5x2x3x8xf32>, tensor<2x21x2x8xf32>), (tensor<2x21x2x8xf32>), tensor<2xi32>
        slopes tensor<2x3xf32> sinks tensor<3x2xf32>
  exec.store %all, @attend.all : tensor<2x5x2x3x8xf32>
}

// A ring of four tokens, in bf16, and what a run reads and leaves there; a constant that is more than a number.
exec.buffer input @recent.tokens : tensor<2x?xi32> {dims = ["", "n"]}
exec.buffer input @recent.positions : tensor<2xi32> {range = array<i64: 0, 64>}
exec.buffer input @recent.last : tensor<2xi32> {below = "n", range = array<i64: 0, 17>}
exec.buffer input @recent.x : tensor<2x?x3x5xf32> {dims = ["", "n", "", ""]}
exec.buffer input @recent.negative_ring : tensor<2x4x3x5xbf16>
exec.buffer input @recent.negative_other : tensor<2x4x3x5xbf16>
exec.buffer output @recent.alone : tensor<2x?x4x3x5xf32> {dims = ["", "n", "", "", ""]}
exec.buffer output @recent.behind : tensor<2x?x4x3x5xf32> {dims = ["", "n", "", "", ""]}
exec.buffer output @recent.convolved : tensor<2x?x3x5xf32> {dims = ["", "n", "", ""]}
exec.buffer output @recent.kept : tensor<2x4x3x5xbf16>
exec.buffer output @recent.kept_all : tensor<2x4x3x5xbf16>
exec.entry @recent scalars ["n", "m"] maxima [17, 64] {
^bb0(%n: index, %m: index):
  %x = exec.load @recent.x[%n] : tensor<2x?x3x5xf32>
  %at = exec.load @recent.positions : tensor<2xi32>
  %last = exec.load @recent.last : tensor<2xi32>
  // Inputs stay as they are: a ring is written in place.
  %negative = exec.load @recent.negative_ring : tensor<2x4x3x5xbf16>
  %ring = arith.negf %negative : tensor<2x4x3x5xbf16>
  %other_negative = exec.load @recent.negative_other : tensor<2x4x3x5xbf16>
  %other = arith.negf %other_negative : tensor<2x4x3x5xbf16>
  %alone = tpa.recent %x at %at tokens 4 : tensor<2x?x3x5xf32>, tensor<2xi32>
  exec.store %alone, @recent.alone : tensor<2x?x4x3x5xf32>
  %behind = tpa.recent %x at %at ring %ring tokens 4 : tensor<2x?x3x5xf32>, tensor<2xi32>, tensor<2x4x3x5xbf16>
  exec.store %behind, @recent.behind : tensor<2x?x4x3x5xf32>
  %taps = arith.constant dense<[0.5, -2.0, 0.25, 3.0]> : tensor<4xf32>
  %convolved = tpa.einsum "bnjhd,j->bnhd"(%behind, %taps) : tensor<2x?x4x3x5xf32>, tensor<4xf32>
  exec.store %convolved, @recent.convolved : tensor<2x?x3x5xf32>
  %kept = t6.ring_append %ring, %x at %at last %last : tensor<2x4x3x5xbf16>, tensor<2x?x3x5xf32>, tensor<2xi32>, tensor<2xi32>
  exec.store %kept, @recent.kept : tensor<2x4x3x5xbf16>
  %kept_all = t6.ring_append %other, %x at %at : tensor<2x4x3x5xbf16>, tensor<2x?x3x5xf32>, tensor<2xi32>
  exec.store %kept_all, @recent.kept_all : tensor<2x4x3x5xbf16>
}

exec.buffer input @step.param : tensor<5x47xf32>
exec.buffer input @step.grad : tensor<5x47xf32>
exec.buffer input @step.m : tensor<5x47xf32>
exec.buffer input @step.v : tensor<5x47xf32>
exec.buffer input @step.lr : tensor<1xf32>
exec.buffer input @step.grad_scale : tensor<1xf32>
exec.buffer input @step.beta1 : tensor<1xf32>
exec.buffer input @step.beta2 : tensor<1xf32>
exec.buffer input @step.epsilon : tensor<1xf32>
exec.buffer input @step.weight_decay : tensor<1xf32>
exec.buffer input @step.correction1 : tensor<1xf32>
exec.buffer input @step.correction2 : tensor<1xf32>
exec.buffer output @step.new_param : tensor<5x47xf32>
exec.buffer output @step.new_m : tensor<5x47xf32>
exec.buffer output @step.new_v : tensor<5x47xf32>
exec.buffer output @step.cleared : tensor<5x47xf32>
exec.buffer output @step.param_squares : tensor<5xf32>
exec.buffer output @step.m_squares : tensor<5xf32>
exec.buffer output @step.v_squares : tensor<5xf32>
exec.entry @step scalars [] maxima [] {
^bb0:
  // Inputs do not change: what is updated in place is a sum.
  %zeros = arith.constant dense<0.0> : tensor<5x47xf32>
  %p0 = exec.load @step.param : tensor<5x47xf32>
  %g0 = exec.load @step.grad : tensor<5x47xf32>
  %m0 = exec.load @step.m : tensor<5x47xf32>
  %v0 = exec.load @step.v : tensor<5x47xf32>
  %p = arith.addf %p0, %zeros : tensor<5x47xf32>
  %g = arith.addf %g0, %zeros : tensor<5x47xf32>
  %m = arith.addf %m0, %zeros : tensor<5x47xf32>
  %v = arith.addf %v0, %zeros : tensor<5x47xf32>
  %lr = exec.load @step.lr : tensor<1xf32>
  %s = exec.load @step.grad_scale : tensor<1xf32>
  %beta1 = exec.load @step.beta1 : tensor<1xf32>
  %beta2 = exec.load @step.beta2 : tensor<1xf32>
  %epsilon = exec.load @step.epsilon : tensor<1xf32>
  %weight_decay = exec.load @step.weight_decay : tensor<1xf32>
  %correction1 = exec.load @step.correction1 : tensor<1xf32>
  %correction2 = exec.load @step.correction2 : tensor<1xf32>
  %p2, %m2, %v2, %g2, %pp, %mm, %vv = t6.adamw %p, %g, %m, %v scale %s lr %lr betas %beta1, %beta2
      eps %epsilon decay %weight_decay corrections %correction1, %correction2 : tensor<5x47xf32>
  exec.store %p2, @step.new_param : tensor<5x47xf32>
  exec.store %m2, @step.new_m : tensor<5x47xf32>
  exec.store %v2, @step.new_v : tensor<5x47xf32>
  exec.store %g2, @step.cleared : tensor<5x47xf32>
  exec.store %pp, @step.param_squares : tensor<5xf32>
  exec.store %mm, @step.m_squares : tensor<5xf32>
  exec.store %vv, @step.v_squares : tensor<5xf32>
}

// A state to which a product is added, and one to which what is in memory is.
exec.buffer input @accumulate.positions : tensor<2xi32> {range = array<i64: 0, 64>}
exec.buffer input @accumulate.k : tensor<2x7x3xf32>
exec.buffer input @accumulate.v : tensor<2x7x21xf32>
exec.buffer input @accumulate.x : tensor<2x3x21xf32>
exec.buffer input @accumulate.negative_state : tensor<2x3x21xf32>
exec.buffer input @accumulate.negative_other : tensor<2x3x21xf32>
exec.buffer output @accumulate.product : tensor<2x3x21xf32>
exec.buffer output @accumulate.sum : tensor<2x3x21xf32>
exec.entry @accumulate scalars [] maxima [] {
  %at = exec.load @accumulate.positions : tensor<2xi32>
  %k = exec.load @accumulate.k : tensor<2x7x3xf32>
  %v = exec.load @accumulate.v : tensor<2x7x21xf32>
  %x = exec.load @accumulate.x : tensor<2x3x21xf32>
  // Inputs stay as they are: a state is written in place.
  %negative = exec.load @accumulate.negative_state : tensor<2x3x21xf32>
  %state = arith.negf %negative : tensor<2x3x21xf32>
  %other_negative = exec.load @accumulate.negative_other : tensor<2x3x21xf32>
  %other = arith.negf %other_negative : tensor<2x3x21xf32>
  %outer = tpa.einsum "bmd,bme->bde"(%k, %v) : tensor<2x7x3xf32>, tensor<2x7x21xf32>
  %product = t6.accumulate %state, %outer at %at : tensor<2x3x21xf32>, tensor<2x3x21xf32>, tensor<2xi32>
  exec.store %product, @accumulate.product : tensor<2x3x21xf32>
  %sum = t6.accumulate %other, %x at %at : tensor<2x3x21xf32>, tensor<2x3x21xf32>, tensor<2xi32>
  exec.store %sum, @accumulate.sum : tensor<2x3x21xf32>
}
