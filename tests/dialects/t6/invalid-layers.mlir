// RUN: tpa-opt %s --split-input-file --verify-diagnostics

func.func @embedding_c1_tokens(%tokens: tensor<2xi32>, %table: tensor<5x4xf32>) {
  // expected-error @below {{tokens must have rank 2, but is 'tensor<2xi32>'}}
  %x = t6.embedding %tokens, %table : tensor<2xi32>, tensor<5x4xf32>
  return
}

// -----

func.func @embedding_c1_table(%tokens: tensor<1x2xi32>, %table: tensor<5xf32>) {
  // expected-error @below {{table must have rank 2, but is 'tensor<5xf32>'}}
  %x = t6.embedding %tokens, %table : tensor<1x2xi32>, tensor<5xf32>
  return
}

// -----

func.func @linear_c1_x(%x: tensor<2x4xf32>, %w: tensor<5x4xf32>) {
  // expected-error @below {{x must have rank 3, but is 'tensor<2x4xf32>'}}
  %y = t6.linear %x, %w : tensor<2x4xf32>, tensor<5x4xf32>
  return
}

// -----

func.func @linear_c1_weight(%x: tensor<1x2x4xf32>, %w: tensor<4xf32>) {
  // expected-error @below {{weight must have rank 2, but is 'tensor<4xf32>'}}
  %y = t6.linear %x, %w : tensor<1x2x4xf32>, tensor<4xf32>
  return
}

// -----

func.func @linear_c1_width(%x: tensor<1x2x4xf32>, %w: tensor<5x6xf32>) {
  // expected-error @below {{dimension 2 of x is 4, but dimension 1 of weight is 6}}
  %y = t6.linear %x, %w : tensor<1x2x4xf32>, tensor<5x6xf32>
  return
}

// -----

func.func @rms_norm_c1_rank(%x: tensor<1x2x4xf32>, %w: tensor<1x4xf32>) {
  // expected-error @below {{'t6.rms_norm' op weight must have rank 1, but is 'tensor<1x4xf32>'}}
  %y = t6.rms_norm %x, %w {eps = 1.0e-5 : f64} : tensor<1x2x4xf32>, tensor<1x4xf32>
  return
}

// -----

func.func @rms_norm_c1_size(%x: tensor<1x2x4xf32>, %w: tensor<5xf32>) {
  // expected-error @below {{'t6.rms_norm' op dimension 0 of weight is 5, but dimension 2 of x is 4}}
  %y = t6.rms_norm %x, %w {eps = 1.0e-5 : f64} : tensor<1x2x4xf32>, tensor<5xf32>
  return
}

// -----

func.func @rms_norm_c2(%x: tensor<1x2x4xf32>) {
  // expected-error @below {{'t6.rms_norm' op eps must be positive}}
  %y = t6.rms_norm %x {eps = 0.0 : f64} : tensor<1x2x4xf32>
  return
}

// -----

func.func @rms_norm_c3(%x: tensor<f32>) {
  // expected-error @below {{x must have rank 1 or more, but is 'tensor<f32>'}}
  %y = t6.rms_norm %x {eps = 1.0e-5 : f64} : tensor<f32>
  return
}

// -----

func.func @swiglu_c1(%gate: tensor<1x2x4xf32>, %up: tensor<1x2x5xf32>) {
  // expected-error @below {{'t6.swiglu' op requires all operands to have the same type}}
  %y = "t6.swiglu"(%gate, %up) : (tensor<1x2x4xf32>, tensor<1x2x5xf32>) -> tensor<1x2x4xf32>
  return
}

// -----

func.func @cross_entropy_c1_logits(%logits: tensor<2x4xf32>, %targets: tensor<1x2xi32>) {
  // expected-error @below {{logits must have rank 3, but is 'tensor<2x4xf32>'}}
  %l, %t, %s = t6.cross_entropy %logits, %targets : tensor<2x4xf32>, tensor<1x2xi32>
  return
}

// -----

func.func @cross_entropy_c1_targets(%logits: tensor<1x2x4xf32>, %targets: tensor<2xi32>) {
  // expected-error @below {{targets must have rank 2, but is 'tensor<2xi32>'}}
  %l, %t, %s = t6.cross_entropy %logits, %targets : tensor<1x2x4xf32>, tensor<2xi32>
  return
}

// -----

func.func @cross_entropy_c1_sizes(%logits: tensor<1x2x4xf32>, %targets: tensor<1x3xi32>) {
  // expected-error @below {{dimension 1 of targets is 3, but dimension 1 of logits is 2}}
  %l, %t, %s = t6.cross_entropy %logits, %targets : tensor<1x2x4xf32>, tensor<1x3xi32>
  return
}

// -----

func.func @select_token_c1_x(%x: tensor<2x4xf32>, %i: tensor<2xi32>) {
  // expected-error @below {{x must have rank 3, but is 'tensor<2x4xf32>'}}
  %y = t6.select_token %x[%i] : tensor<2x4xf32>, tensor<2xi32>
  return
}

// -----

func.func @select_token_c1_index(%x: tensor<2x3x4xf32>, %i: tensor<2x1xi32>) {
  // expected-error @below {{index must have rank 1, but is 'tensor<2x1xi32>'}}
  %y = t6.select_token %x[%i] : tensor<2x3x4xf32>, tensor<2x1xi32>
  return
}

// -----

func.func @select_token_c1_batch(%x: tensor<2x3x4xf32>, %i: tensor<3xi32>) {
  // expected-error @below {{dimension 0 of index is 3, but dimension 0 of x is 2}}
  %y = t6.select_token %x[%i] : tensor<2x3x4xf32>, tensor<3xi32>
  return
}

// -----

func.func @cache_append_c1_cache(%c: tensor<2xf32>, %x: tensor<2xf32>, %pos: tensor<2xi32>) {
  // expected-error @below {{cache must have rank 2 or more, but is 'tensor<2xf32>'}}
  %y = t6.cache_append %c, %x at %pos : tensor<2xf32>, tensor<2xf32>, tensor<2xi32>
  return
}

// -----

func.func @cache_append_c1_rank(%c: tensor<2x8x4xf32>, %x: tensor<2x1xf32>, %pos: tensor<2xi32>) {
  // expected-error @below {{x must have rank 3, but is 'tensor<2x1xf32>'}}
  %y = t6.cache_append %c, %x at %pos : tensor<2x8x4xf32>, tensor<2x1xf32>, tensor<2xi32>
  return
}

// -----

func.func @cache_append_c1_size(%c: tensor<2x8x4xf32>, %x: tensor<2x1x5xf32>, %pos: tensor<2xi32>) {
  // expected-error @below {{dimension 2 of x is 5, but dimension 2 of cache is 4}}
  %y = t6.cache_append %c, %x at %pos : tensor<2x8x4xf32>, tensor<2x1x5xf32>, tensor<2xi32>
  return
}

// -----

func.func @cache_append_c2_rank(%c: tensor<2x8x4xf32>, %x: tensor<2x1x4xf32>, %pos: tensor<2x1xi32>) {
  // expected-error @below {{positions must have rank 1, but is 'tensor<2x1xi32>'}}
  %y = t6.cache_append %c, %x at %pos : tensor<2x8x4xf32>, tensor<2x1x4xf32>, tensor<2x1xi32>
  return
}

// -----

func.func @cache_append_c2_batch(%c: tensor<2x8x4xf32>, %x: tensor<2x1x4xf32>, %pos: tensor<3xi32>) {
  // expected-error @below {{dimension 0 of positions is 3, but dimension 0 of cache is 2}}
  %y = t6.cache_append %c, %x at %pos : tensor<2x8x4xf32>, tensor<2x1x4xf32>, tensor<3xi32>
  return
}

// -----

func.func @cache_append_c2_paged(%c: tensor<5x8x4xf32>, %x: tensor<2x1x4xf32>, %pos: tensor<3xi32>, %t: tensor<2x2xi32>) {
  // expected-error @below {{dimension 0 of positions is 3, but dimension 0 of x is 2}}
  %y = t6.cache_append %c, %x at %pos pages %t : tensor<5x8x4xf32>, tensor<2x1x4xf32>, tensor<3xi32>, tensor<2x2xi32>
  return
}

// -----

func.func @cache_append_c1_paged(%c: tensor<5x8x4xf32>, %x: tensor<2x1x5xf32>, %pos: tensor<2xi32>, %t: tensor<2x2xi32>) {
  // expected-error @below {{dimension 2 of x is 5, but dimension 2 of cache is 4}}
  %y = t6.cache_append %c, %x at %pos pages %t : tensor<5x8x4xf32>, tensor<2x1x5xf32>, tensor<2xi32>, tensor<2x2xi32>
  return
}

// -----

func.func @cache_append_c3_rank(%c: tensor<5x8x4xf32>, %x: tensor<2x1x4xf32>, %pos: tensor<2xi32>, %t: tensor<2xi32>) {
  // expected-error @below {{pages must have rank 2, but is 'tensor<2xi32>'}}
  %y = t6.cache_append %c, %x at %pos pages %t : tensor<5x8x4xf32>, tensor<2x1x4xf32>, tensor<2xi32>, tensor<2xi32>
  return
}

// -----

func.func @cache_append_c3_batch(%c: tensor<5x8x4xf32>, %x: tensor<2x1x4xf32>, %pos: tensor<2xi32>, %t: tensor<3x2xi32>) {
  // expected-error @below {{dimension 0 of pages is 3, but dimension 0 of x is 2}}
  %y = t6.cache_append %c, %x at %pos pages %t : tensor<5x8x4xf32>, tensor<2x1x4xf32>, tensor<2xi32>, tensor<3x2xi32>
  return
}

// -----

func.func @cache_append_c3_tokens(%c: tensor<5x12x4xf32>, %x: tensor<2x1x4xf32>, %pos: tensor<2xi32>, %t: tensor<2x2xi32>) {
  // expected-error @below {{a page must have a power of two of tokens, but cache is 'tensor<5x12x4xf32>'}}
  %y = t6.cache_append %c, %x at %pos pages %t : tensor<5x12x4xf32>, tensor<2x1x4xf32>, tensor<2xi32>, tensor<2x2xi32>
  return
}

// -----

func.func @cache_read_c2_rank(%c: tensor<5x8x4xf32>, %m: index, %t: tensor<2xi32>) {
  // expected-error @below {{pages must have rank 2, but is 'tensor<2xi32>'}}
  %y = t6.cache_read %c[%m] pages %t : tensor<5x8x4xf32>, tensor<2xi32>
  return
}

// -----

func.func @cache_read_c2_tokens(%c: tensor<5x?x4xf32>, %m: index, %t: tensor<2x2xi32>) {
  // expected-error @below {{a page must have a power of two of tokens, but cache is 'tensor<5x?x4xf32>'}}
  %y = t6.cache_read %c[%m] pages %t : tensor<5x?x4xf32>, tensor<2x2xi32>
  return
}

// -----

func.func @cache_read_c1(%c: tensor<2xf32>, %m: index) {
  // expected-error @below {{cache must have rank 2 or more, but is 'tensor<2xf32>'}}
  %y = t6.cache_read %c[%m] : tensor<2xf32>
  return
}

// -----

func.func @adamw_c1(%p: tensor<4xf32>, %g: tensor<5xf32>, %s: tensor<1xf32>) {
  // expected-error @below {{'t6.adamw' op failed to verify that all of {param, grad, m, v} have same type}}
  %r:7 = "t6.adamw"(%p, %g, %p, %p, %s, %s, %s, %s, %s, %s, %s, %s)
      : (tensor<4xf32>, tensor<5xf32>, tensor<4xf32>, tensor<4xf32>, tensor<1xf32>, tensor<1xf32>, tensor<1xf32>, tensor<1xf32>, tensor<1xf32>, tensor<1xf32>, tensor<1xf32>, tensor<1xf32>)
      -> (tensor<4xf32>, tensor<4xf32>, tensor<4xf32>, tensor<4xf32>, tensor<4xf32>, tensor<4xf32>, tensor<4xf32>)
  return
}

// -----

func.func @adamw_c2(%p: tensor<f32>, %s: tensor<1xf32>) {
  // expected-error @below {{tensors must have rank 1 or more, but they are 'tensor<f32>'}}
  %r:7 = t6.adamw %p, %p, %p, %p scale %s lr %s betas %s, %s eps %s decay %s corrections %s, %s : tensor<f32>
  return
}

// -----

func.func @add_gradient_c1(%g: tensor<4x2xf32>, %x: tensor<4x3xf32>) {
  // expected-error @below {{dimension 1 of x is 3, but dimension 1 of gradient is 2}}
  %h = t6.add_gradient %g, %x : tensor<4x2xf32>, tensor<4x3xf32>
  return
}

// -----

func.func @embedding_gradient_c1_rank(%g: tensor<4x2xf32>, %t: tensor<3xi32>, %x: tensor<1x3x2xf32>) {
  // expected-error @below {{tokens must have rank 2, but is 'tensor<3xi32>'}}
  %h = t6.embedding_gradient %g, %t, %x : tensor<4x2xf32>, tensor<3xi32>, tensor<1x3x2xf32>
  return
}

// -----

func.func @embedding_gradient_c1_sizes(%g: tensor<4x2xf32>, %t: tensor<1x3xi32>, %x: tensor<1x3x5xf32>) {
  // expected-error @below {{dimension 2 of x is 5, but dimension 1 of gradient is 2}}
  %h = t6.embedding_gradient %g, %t, %x : tensor<4x2xf32>, tensor<1x3xi32>, tensor<1x3x5xf32>
  return
}

// -----

func.func @cross_entropy_gradient_c1(%s: tensor<1xf32>, %l: tensor<1x3x8xf32>, %t: tensor<1x3xi32>, %e: tensor<1x4xf32>) {
  // expected-error @below {{dimension 1 of log_sum_exp is 4, but dimension 1 of logits is 3}}
  %d = t6.cross_entropy_gradient %s, %l, %t, %e : tensor<1x3x8xf32>, tensor<1x3xi32>, tensor<1x4xf32>
  return
}

// -----

func.func @global_norm_c1(%x: tensor<f32>) {
  // expected-error @below {{tensors must have rank 1 or more, but one is 'tensor<f32>'}}
  %n = t6.global_norm %x : tensor<f32>
  return
}

// -----

func.func @target_weights_c1(%t: tensor<3xi32>) {
  // expected-error @below {{targets must have rank 2, but is 'tensor<3xi32>'}}
  %w = t6.target_weights %t : tensor<3xi32>
  return
}
