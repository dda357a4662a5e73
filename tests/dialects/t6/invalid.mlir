// RUN: tpa-opt %s --split-input-file --verify-diagnostics

// expected-error @below {{'t6.model' op vocab must be positive, but is 0}}
t6.model @model_c1_vocab uses @f {vocab = 0, layers = 1, width = 1, ffn = 1, context_length = 1, sizes = {}}

// -----

// expected-error @below {{'t6.model' op layers must be positive, but is -1}}
t6.model @model_c1_layers uses @f {vocab = 1, layers = -1, width = 1, ffn = 1, context_length = 1, sizes = {}}

// -----

// expected-error @below {{'t6.model' op width must be positive, but is 0}}
t6.model @model_c1_width uses @f {vocab = 1, layers = 1, width = 0, ffn = 1, context_length = 1, sizes = {}}

// -----

// expected-error @below {{'t6.model' op ffn must be positive, but is 0}}
t6.model @model_c1_ffn uses @f {vocab = 1, layers = 1, width = 1, ffn = 0, context_length = 1, sizes = {}}

// -----

// expected-error @below {{'t6.model' op context_length must be positive, but is 0}}
t6.model @model_c1_context uses @f {vocab = 1, layers = 1, width = 1, ffn = 1, context_length = 0, sizes = {}}

// -----

// expected-error @below {{'t6.model' op size "R_Q" must be a positive integer, but is 0 : i64}}
t6.model @model_c2_zero uses @f {vocab = 1, layers = 1, width = 1, ffn = 1, context_length = 1, sizes = {R_Q = 0}}

// -----

// expected-error @below {{'t6.model' op size "H" must be a positive integer, but is "six"}}
t6.model @model_c2_string uses @f {vocab = 1, layers = 1, width = 1, ffn = 1, context_length = 1, sizes = {H = "six"}}

// -----

// expected-error @below {{'t6.model' op size "H" must be a positive integer, but is 6 : i128}}
t6.model @model_c2_type uses @f {vocab = 1, layers = 1, width = 1, ffn = 1, context_length = 1, sizes = {H = 6 : i128}}

// -----

// expected-error @below {{'t6.model' op size C is the width: state it there only}}
t6.model @model_c2_width uses @f {vocab = 1, layers = 1, width = 1, ffn = 1, context_length = 1, sizes = {C = 1}}

// -----

// expected-error @below {{'t6.model' op norm_eps must be positive}}
t6.model @model_c3 uses @f {vocab = 1, layers = 1, width = 1, ffn = 1, context_length = 1, sizes = {}, norm_eps = 0.0 : f64}

// -----

func.func @param_c1_rank() {
  // expected-error @below {{'t6.param' op layout "(H R_Q) C" names 3 dimensions, but the result has 2}}
  %w = t6.param "w" "(H R_Q) C" : tensor<?x?xf32>
  return
}

// -----

func.func @param_c1_open() {
  // expected-error @below {{'t6.param' op layout "(H R_Q C" is malformed: a group is not closed}}
  %w = t6.param "w" "(H R_Q C" : tensor<?x?x?xf32>
  return
}

// -----

func.func @param_c1_nested() {
  // expected-error @below {{'t6.param' op layout "((H R_Q)) C" is malformed: groups do not nest}}
  %w = t6.param "w" "((H R_Q)) C" : tensor<?x?x?xf32>
  return
}

// -----

func.func @param_c1_group() {
  // expected-error @below {{'t6.param' op layout "() C" is malformed: a group is empty or closes twice}}
  %w = t6.param "w" "() C" : tensor<?xf32>
  return
}

// -----

func.func @param_c1_closed() {
  // expected-error @below {{'t6.param' op layout "C)" is malformed: a group is empty or closes twice}}
  %w = t6.param "w" "C)" : tensor<?xf32>
  return
}

// -----

func.func @param_c1_name() {
  // expected-error @below {{'t6.param' op layout "D+ C" is malformed: 'D+' is not a size name or a sum of names}}
  %w = t6.param "w" "D+ C" : tensor<?x?xf32>
  return
}

// -----

func.func @param_c1_number() {
  // expected-error @below {{'t6.param' op layout "64 C" is malformed: '64' is not a size name or a sum of names}}
  %w = t6.param "w" "64 C" : tensor<?x?xf32>
  return
}

// -----

func.func @param_c1_empty() {
  // expected-error @below {{'t6.param' op layout " " is malformed: it names no dimension}}
  %w = t6.param "w" " " : tensor<f32>
  return
}

// -----

func.func @param_unranked() {
  // expected-error @below {{invalid kind of type specified: expected builtin.tensor, but found 'tensor<*xf32>'}}
  %w = t6.param "w" "C" : tensor<*xf32>
  return
}

// -----

func.func @split_c1_axis(%x: tensor<2x4xf32>) {
  // expected-error @below {{'t6.split' op axis 2 is not a dimension of 'tensor<2x4xf32>'}}
  %a = t6.split %x axis 2 ["L"] : tensor<2x4xf32> -> tensor<2x4xf32>
  return
}

// -----

func.func @split_c1_parts(%x: tensor<2x4xf32>) {
  // expected-error @below {{'t6.split' op 2 part sizes for 1 results}}
  %a = t6.split %x axis 1 ["L", "P"] : tensor<2x4xf32> -> tensor<2x4xf32>
  return
}

// -----

func.func @split_c2_sum(%x: tensor<2x4xf32>) {
  // expected-error @below {{'t6.split' op parts add up to 3, but dimension 1 of x is 4}}
  %a, %b = t6.split %x axis 1 ["L", "P"] : tensor<2x4xf32> -> tensor<2x1xf32>, tensor<2x2xf32>
  return
}

// -----

func.func @split_c2_overflow(%x: tensor<2x?xf32>) {
  // expected-error @below {{'t6.split' op parts add up to more than a tensor can have}}
  %a, %b = t6.split %x axis 1 ["L", "P"] : tensor<2x?xf32> -> tensor<2x9223372036854775807xf32>, tensor<2x9223372036854775807xf32>
  return
}

// -----

func.func @split_c2_rank(%x: tensor<2x4xf32>) {
  // expected-error @below {{'t6.split' op result 'tensor<4xf32>' does not have the rank of 'tensor<2x4xf32>'}}
  %a = t6.split %x axis 1 ["L"] : tensor<2x4xf32> -> tensor<4xf32>
  return
}

// -----

func.func @split_c2_other(%x: tensor<2x4xf32>) {
  // expected-error @below {{'t6.split' op dimension 0 of a result is 3, but dimension 0 of x is 2}}
  %a = t6.split %x axis 1 ["L"] : tensor<2x4xf32> -> tensor<3x4xf32>
  return
}

// -----

func.func @param_c2() {
  // expected-error @below {{'t6.param' op starts xavier, which needs three dimensions, but has 2}}
  %w = t6.param "w" "A B" {init = #t6.init<xavier>} : tensor<?x?xf32>
  return
}

// -----

// expected-error @below {{std must be positive and finite}}
func.func private @init_attr_c1() attributes {init = #t6.init<normal, std = 0.0 : f64>}

// -----

func.func @accumulate_c1_scalar(%s: tensor<f32>, %x: tensor<f32>, %pos: tensor<1xi32>) {
  // expected-error @below {{state must have rank 1 or more, but is 'tensor<f32>'}}
  %y = t6.accumulate %s, %x at %pos : tensor<f32>, tensor<f32>, tensor<1xi32>
  return
}

// -----

func.func @accumulate_c1_rank(%s: tensor<2x4xf32>, %x: tensor<2x1x4xf32>, %pos: tensor<2xi32>) {
  // expected-error @below {{x must have rank 2, but is 'tensor<2x1x4xf32>'}}
  %y = t6.accumulate %s, %x at %pos : tensor<2x4xf32>, tensor<2x1x4xf32>, tensor<2xi32>
  return
}

// -----

func.func @accumulate_c1_sizes(%s: tensor<2x4xf32>, %x: tensor<2x5xf32>, %pos: tensor<2xi32>) {
  // expected-error @below {{dimension 1 of x is 5, but dimension 1 of state is 4}}
  %y = t6.accumulate %s, %x at %pos : tensor<2x4xf32>, tensor<2x5xf32>, tensor<2xi32>
  return
}

// -----

func.func @accumulate_c2_rank(%s: tensor<2x4xf32>, %x: tensor<2x4xf32>, %pos: tensor<2x1xi32>) {
  // expected-error @below {{positions must have rank 1, but is 'tensor<2x1xi32>'}}
  %y = t6.accumulate %s, %x at %pos : tensor<2x4xf32>, tensor<2x4xf32>, tensor<2x1xi32>
  return
}

// -----

func.func @accumulate_c2_size(%s: tensor<2x4xf32>, %x: tensor<2x4xf32>, %pos: tensor<3xi32>) {
  // expected-error @below {{dimension 0 of positions is 3, but dimension 0 of state is 2}}
  %y = t6.accumulate %s, %x at %pos : tensor<2x4xf32>, tensor<2x4xf32>, tensor<3xi32>
  return
}

// -----

func.func @ring_append_c1_rank(%r: tensor<2xf32>, %x: tensor<1x2x4xf32>, %pos: tensor<1xi32>) {
  // expected-error @below {{ring must have rank 2 or more, but is 'tensor<2xf32>'}}
  %y = t6.ring_append %r, %x at %pos : tensor<2xf32>, tensor<1x2x4xf32>, tensor<1xi32>
  return
}

// -----

func.func @ring_append_c1_sizes(%r: tensor<1x2x4xf32>, %x: tensor<1x2x5xf32>, %pos: tensor<1xi32>) {
  // expected-error @below {{dimension 2 of x is 5, but dimension 2 of ring is 4}}
  %y = t6.ring_append %r, %x at %pos : tensor<1x2x4xf32>, tensor<1x2x5xf32>, tensor<1xi32>
  return
}

// -----

func.func @ring_append_c2_positions(%r: tensor<1x2x4xf32>, %x: tensor<1x2x4xf32>, %pos: tensor<3xi32>) {
  // expected-error @below {{dimension 0 of positions is 3, but dimension 0 of ring is 1}}
  %y = t6.ring_append %r, %x at %pos : tensor<1x2x4xf32>, tensor<1x2x4xf32>, tensor<3xi32>
  return
}

// -----

func.func @ring_append_c2_last(%r: tensor<1x2x4xf32>, %x: tensor<1x2x4xf32>, %pos: tensor<1xi32>, %last: tensor<1x1xi32>) {
  // expected-error @below {{last must have rank 1, but is 'tensor<1x1xi32>'}}
  %y = t6.ring_append %r, %x at %pos last %last : tensor<1x2x4xf32>, tensor<1x2x4xf32>, tensor<1xi32>, tensor<1x1xi32>
  return
}

// -----

func.func @ring_append_c3(%r: tensor<1x?x4xf32>, %x: tensor<1x2x4xf32>, %pos: tensor<1xi32>) {
  // expected-error @below {{ring must have a static number of tokens, but is 'tensor<1x?x4xf32>'}}
  %y = t6.ring_append %r, %x at %pos : tensor<1x?x4xf32>, tensor<1x2x4xf32>, tensor<1xi32>
  return
}

// -----

func.func @dequantize_c1(%q: tensor<8x4xi8>, %s: tensor<8x4xf32>) {
  // expected-error @below {{scale must have fewer dimensions than q, at least one, but they are 'tensor<8x4xf32>' and 'tensor<8x4xi8>'}}
  %w = t6.dequantize %q, %s : tensor<8x4xi8>, tensor<8x4xf32>
  return
}

// -----

func.func @dequantize_c2(%q: tensor<8x4xi8>, %s: tensor<4xf32>) {
  // expected-error @below {{dimension 0 of scale is 4, but dimension 0 of q is 8}}
  %w = t6.dequantize %q, %s : tensor<8x4xi8>, tensor<4xf32>
  return
}
