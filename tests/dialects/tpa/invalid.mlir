// RUN: tpa-opt %s --split-input-file --verify-diagnostics

func.func @einsum_c1_output(%x: tensor<2xf32>) {
  // expected-error @below {{equation "a" has no output: expected "terms->output"}}
  %y = tpa.einsum "a"(%x) : tensor<2xf32>
  return
}

// -----

func.func @einsum_c1_term_letters(%x: tensor<2xf32>) {
  // expected-error @below {{term "1" of equation "1->" is not made of letters}}
  %y = tpa.einsum "1->"(%x) : tensor<2xf32>
  return
}

// -----

func.func @einsum_c1_output_letters(%x: tensor<2xf32>) {
  // expected-error @below {{output "a a" of equation "a->a a" is not made of letters}}
  %y = tpa.einsum "a->a a"(%x) : tensor<2xf32>
  return
}

// -----

func.func @einsum_c1_operands(%x: tensor<2xf32>) {
  // expected-error @below {{equation "a,a->a" has 2 terms for 1 operands}}
  %y = tpa.einsum "a,a->a"(%x) : tensor<2xf32>
  return
}

// -----

func.func @einsum_c1_no_operand() {
  // expected-error @below {{term "" of equation "->" is not made of letters}}
  // expected-error @below {{'tpa.einsum' op failed to infer returned types}}
  %y = "tpa.einsum"() {equation = "->"} : () -> tensor<f32>
  return
}

// -----

func.func @einsum_c2(%x: tensor<2xf32>) {
  // expected-error @below {{term "ab" has 2 labels, but its operand is 'tensor<2xf32>'}}
  %y = tpa.einsum "ab->a"(%x) : tensor<2xf32>
  return
}

// -----

func.func @einsum_c2_unranked(%x: tensor<*xf32>) {
  // expected-error @below {{term "a" has 1 labels, but its operand is 'tensor<*xf32>'}}
  %y = tpa.einsum "a->a"(%x) : tensor<*xf32>
  return
}

// -----

func.func @einsum_c2_no_tensor(%x: f32) {
  // expected-error @below {{term "a" has 1 labels, but its operand is 'f32'}}
  %y = tpa.einsum "a->a"(%x) : f32
  return
}

// -----

func.func @einsum_c3(%x: tensor<2xf32>, %y: tensor<3xf32>) {
  // expected-error @below {{label 'a' has size 2 in one operand and 3 in another}}
  %z = tpa.einsum "a,a->a"(%x, %y) : tensor<2xf32>, tensor<3xf32>
  return
}

// -----

func.func @einsum_c4(%x: tensor<2xf32>) {
  // expected-error @below {{output label 'b' of equation "a->b" occurs in no term}}
  %y = tpa.einsum "a->b"(%x) : tensor<2xf32>
  return
}

// -----

func.func @einsum_c5_term(%x: tensor<2x2xf32>) {
  // expected-error @below {{term "aa" of equation "aa->a" has a label twice}}
  %y = tpa.einsum "aa->a"(%x) : tensor<2x2xf32>
  return
}

// -----

func.func @einsum_c5_output(%x: tensor<2xf32>) {
  // expected-error @below {{output "aa" of equation "a->aa" has a label twice}}
  %y = tpa.einsum "a->aa"(%x) : tensor<2xf32>
  return
}

// -----

func.func @einsum_element_type(%x: tensor<2xi8>) {
  // expected-error @below {{'tpa.einsum' op operand #0 must be variadic of ranked tensor of 32-bit float or bfloat16 type or 64-bit float values, but got 'tensor<2xi8>'}}
  %y = tpa.einsum "a->a"(%x) : tensor<2xi8>
  return
}

// -----

func.func @einsum_result(%x: tensor<2xbf16>) {
  // expected-error @below {{'tpa.einsum' op inferred type(s) 'tensor<2xf32>' are incompatible with return type(s) of operation 'tensor<2xbf16>'}}
  // expected-error @below {{'tpa.einsum' op failed to infer returned types}}
  %y = "tpa.einsum"(%x) {equation = "a->a"} : (tensor<2xbf16>) -> tensor<2xbf16>
  return
}

// -----

func.func @einsum_no_equation(%x: tensor<2xf32>) {
  // expected-error @below {{'tpa.einsum' op requires attribute 'equation'}}
  %y = "tpa.einsum"(%x) : (tensor<2xf32>) -> tensor<2xf32>
  return
}

// -----

func.func @factorize_c1_rank(%x: tensor<2x3xf32>, %wa: tensor<5x6x4xf32>, %wb: tensor<6x7x4xf32>) {
  // expected-error @below {{term "bnc" has 3 labels, but its operand is 'tensor<2x3xf32>'}}
  %a, %b = tpa.factorize %x, %wa, %wb : tensor<2x3xf32>, tensor<5x6x4xf32>, tensor<6x7x4xf32>
  return
}

// -----

func.func @factorize_c1_width(%x: tensor<2x3x4xf32>, %wa: tensor<5x6x8xf32>, %wb: tensor<6x7x4xf32>) {
  // expected-error @below {{label 'c' has size 4 in one operand and 8 in another}}
  %a, %b = tpa.factorize %x, %wa, %wb : tensor<2x3x4xf32>, tensor<5x6x8xf32>, tensor<6x7x4xf32>
  return
}

// -----

func.func @factorize_c2(%x: tensor<2x3x4xf32>, %wa: tensor<5x6x4xf32>, %wb: tensor<8x7x4xf32>) {
  // expected-error @below {{label 'r' has size 6 in one operand and 8 in another}}
  %a, %b = tpa.factorize %x, %wa, %wb : tensor<2x3x4xf32>, tensor<5x6x4xf32>, tensor<8x7x4xf32>
  return
}

// -----

func.func @materialize_c1_rank(%a: tensor<2x3x4xf32>, %b: tensor<2x3x4x6xf32>) {
  // expected-error @below {{term "bnrh" has 4 labels, but its operand is 'tensor<2x3x4xf32>'}}
  %q = tpa.materialize %a, %b : tensor<2x3x4xf32>, tensor<2x3x4x6xf32>
  return
}

// -----

func.func @materialize_c1_parameter(%a: tensor<3x5xf32>, %b: tensor<1x2x4x6xf32>) {
  // expected-error @below {{label 'r' has size 3 in one operand and 4 in another}}
  %q = tpa.materialize %a, %b : tensor<3x5xf32>, tensor<1x2x4x6xf32>
  return
}

// -----

func.func @materialize_c2(%a: tensor<4x5xf32>, %b: tensor<4x6xf32>) {
  // expected-error @below {{neither A nor B has b and n}}
  %q = tpa.materialize %a, %b : tensor<4x5xf32>, tensor<4x6xf32>
  return
}

// -----

func.func @materialize_c1_sizes(%a: tensor<2x3x4x5xf32>, %b: tensor<2x3x6x5xf32>) {
  // expected-error @below {{label 'r' has size 4 in one operand and 6 in another}}
  %q = tpa.materialize %a, %b : tensor<2x3x4x5xf32>, tensor<2x3x6x5xf32>
  return
}

// -----

func.func @rope_c1_rank(%x: tensor<2x4xf32>, %pos: tensor<2xi32>) {
  // expected-error @below {{'tpa.rope' op x must have rank 3 or more, but is 'tensor<2x4xf32>'}}
  %y = tpa.rope %x at %pos {rope = #tpa.rope} : tensor<2x4xf32>, tensor<2xi32>
  return
}

// -----

func.func @rope_c1_even(%x: tensor<2x3x5xf32>, %pos: tensor<2xi32>) {
  // expected-error @below {{'tpa.rope' op rotates pairs, but the rotated part of the last dimension of x, 5, is not an even number}}
  %y = tpa.rope %x at %pos {rope = #tpa.rope} : tensor<2x3x5xf32>, tensor<2xi32>
  return
}

// -----

func.func @rope_c1_rotated(%x: tensor<2x3x6xf32>, %pos: tensor<2xi32>) {
  // expected-error @below {{'tpa.rope' op rotates pairs, but the rotated part of the last dimension of x, 6, is not an even number}}
  %y = tpa.rope %x at %pos {rope = #tpa.rope<fraction = 0.5 : f64>} : tensor<2x3x6xf32>, tensor<2xi32>
  return
}

// -----

func.func @rope_c2_rank(%x: tensor<2x3x4xf32>, %pos: tensor<2x3x1xi32>) {
  // expected-error @below {{'tpa.rope' op positions must have rank 1 or 2, but is 'tensor<2x3x1xi32>'}}
  %y = tpa.rope %x at %pos {rope = #tpa.rope} : tensor<2x3x4xf32>, tensor<2x3x1xi32>
  return
}

// -----

func.func @rope_c2_tokens(%x: tensor<2x3x4xf32>, %pos: tensor<2x5xi32>) {
  // expected-error @below {{'tpa.rope' op label 'n' has size 3 in one operand and 5 in another}}
  %y = tpa.rope %x at %pos {rope = #tpa.rope} : tensor<2x3x4xf32>, tensor<2x5xi32>
  return
}

// -----

func.func @rope_c2_batch(%x: tensor<2x3x4xf32>, %pos: tensor<3xi32>) {
  // expected-error @below {{'tpa.rope' op label 'b' has size 2 in one operand and 3 in another}}
  %y = tpa.rope %x at %pos {rope = #tpa.rope} : tensor<2x3x4xf32>, tensor<3xi32>
  return
}

// -----

func.func @rope_no_attribute(%x: tensor<2x3x4xf32>, %pos: tensor<2xi32>) {
  // expected-error @below {{'tpa.rope' op requires attribute 'rope'}}
  %y = tpa.rope %x at %pos : tensor<2x3x4xf32>, tensor<2xi32>
  return
}

// -----

// expected-error @below {{theta must be finite and greater than 1}}
func.func private @rope_attr_c1_one() attributes {rope = #tpa.rope<theta = 1.0 : f64>}

// -----

// expected-error @below {{theta must be finite and greater than 1}}
func.func private @rope_attr_c1_infinite() attributes {rope = #tpa.rope<theta = 0x7FF0000000000000 : f64>}

// -----

// expected-error @below {{table must be f32 or bf16, but is 'f16'}}
func.func private @rope_attr_c2() attributes {rope = #tpa.rope<table = f16>}

// -----

func.func @log_sum_exp_c1(%x: tensor<f32>) {
  // expected-error @below {{x must have rank 1 or more, but is 'tensor<f32>'}}
  %w = tpa.log_sum_exp %x : tensor<f32>
  return
}

// -----

func.func @log_sum_exp_c2(%x: tensor<2x3xf32>, %s: tensor<3xf32>) {
  // expected-error @below {{'tpa.log_sum_exp' op along must list dimensions of x but the last, in increasing order}}
  %w = tpa.log_sum_exp %x sinks %s along [1] : tensor<2x3xf32>, tensor<3xf32>
  return
}

// -----

func.func @softmax_c1_rank(%x: tensor<f32>) {
  // expected-error @below {{x must have rank 1 or more, but is 'tensor<f32>'}}
  %w = tpa.softmax %x : tensor<f32>
  return
}

// -----

func.func @softmax_c1_element_type(%x: tensor<2xbf16>) {
  // expected-error @below {{'tpa.softmax' op operand #0 must be ranked tensor of 32-bit float or 64-bit float values, but got 'tensor<2xbf16>'}}
  %w = tpa.softmax %x : tensor<2xbf16>
  return
}

// -----

func.func @softmax_c2_along(%x: tensor<2x3xf32>, %s: tensor<2xf32>) {
  // expected-error @below {{'tpa.softmax' op takes sinks if, and only if, it takes along}}
  %w = "tpa.softmax"(%x, %s) : (tensor<2x3xf32>, tensor<2xf32>) -> tensor<2x3xf32>
  return
}

// -----

func.func @softmax_c2_rank(%x: tensor<2x3xf32>, %s: tensor<2xf32>) {
  // expected-error @below {{'tpa.softmax' op along has 2 dimensions, but sinks is 'tensor<2xf32>'}}
  %w = tpa.softmax %x sinks %s along [0, 1] : tensor<2x3xf32>, tensor<2xf32>
  return
}

// -----

func.func @softmax_c2_last(%x: tensor<2x3xf32>, %s: tensor<3xf32>) {
  // expected-error @below {{'tpa.softmax' op along must list dimensions of x but the last, in increasing order}}
  %w = tpa.softmax %x sinks %s along [1] : tensor<2x3xf32>, tensor<3xf32>
  return
}

// -----

func.func @softmax_c2_order(%x: tensor<2x2x3xf32>, %s: tensor<2x2xf32>) {
  // expected-error @below {{'tpa.softmax' op along must list dimensions of x but the last, in increasing order}}
  %w = tpa.softmax %x sinks %s along [1, 0] : tensor<2x2x3xf32>, tensor<2x2xf32>
  return
}

// -----

func.func @softmax_c2_size(%x: tensor<2x3xf32>, %s: tensor<4xf32>) {
  // expected-error @below {{'tpa.softmax' op dimension 0 of x has size 2, but that of sinks 4}}
  %w = tpa.softmax %x sinks %s along [0] : tensor<2x3xf32>, tensor<4xf32>
  return
}

// -----

// expected-error @below {{fraction must be positive and at most 1}}
func.func private @rope_attr_c3() attributes {rope = #tpa.rope<fraction = 1.5 : f64>}

// -----

// expected-error @below {{decay and decay_base must be finite and positive}}
func.func private @rope_attr_c4_decay() attributes {rope = #tpa.rope<decay = -0.5 : f64>}

// -----

// expected-error @below {{decay and decay_base must be finite and positive}}
func.func private @rope_attr_c4_base() attributes {rope = #tpa.rope<decay = 0.5 : f64, decay_base = 0.0 : f64>}

// -----

// expected-error @below {{reciprocal and decay_base need a decay}}
func.func private @rope_attr_c4_reciprocal() attributes {rope = #tpa.rope<reciprocal = true>}

// -----

// expected-error @below {{reciprocal and decay_base need a decay}}
func.func private @rope_attr_c4_base_alone() attributes {rope = #tpa.rope<decay_base = 64.0 : f64>}

// -----

func.func @recent_c1(%x: tensor<4xf32>, %pos: tensor<1xi32>) {
  // expected-error @below {{x must have rank 2 or more, but is 'tensor<4xf32>'}}
  %y = tpa.recent %x at %pos tokens 2 : tensor<4xf32>, tensor<1xi32>
  return
}

// -----

func.func @recent_c2_rank(%x: tensor<1x3x4xf32>, %pos: tensor<1x3xi32>) {
  // expected-error @below {{'tpa.recent' op positions must have rank 1, but is 'tensor<1x3xi32>'}}
  %y = tpa.recent %x at %pos tokens 2 : tensor<1x3x4xf32>, tensor<1x3xi32>
  return
}

// -----

func.func @recent_c3(%x: tensor<1x3x4xf32>, %pos: tensor<1xi32>) {
  // expected-error @below {{'tpa.recent' op gathers 1 tokens, but must gather at least 2, of which one is the token itself}}
  %y = tpa.recent %x at %pos tokens 1 : tensor<1x3x4xf32>, tensor<1xi32>
  return
}

// -----

func.func @recent_c4(%x: tensor<1x3x4xf32>, %pos: tensor<1xi32>, %r: tensor<1x3x4xf32>) {
  // expected-error @below {{'tpa.recent' op ring is 'tensor<1x3x4xf32>', but must be x with 2 tokens, x being 'tensor<1x3x4xf32>'}}
  %y = tpa.recent %x at %pos ring %r tokens 2 : tensor<1x3x4xf32>, tensor<1xi32>, tensor<1x3x4xf32>
  return
}
