// RUN: tpa-opt %s --t6-build-entries=linear-state=on --split-input-file --verify-diagnostics

// What has no state is an error where one is asked for.
t6.model @sigmoid uses @f {
  vocab = 50, layers = 1, width = 8, ffn = 32, context_length = 64, sizes = {}}

func.func @f(%x: tensor<1x?x8xf32>, %pos: tensor<1xi32>) -> tensor<1x?x8xf32> {
  // expected-error@+1 {{has no state of constant size: the sigmoid of a score is no product of factors}}
  %o = tpa.attention ["bnc,bmc->bnm"](%x, %x) value "bnm,bme->bne"(%x) at %pos {causal, normalizer = #tpa.normalizer<sigmoid>}
      : (tensor<1x?x8xf32>, tensor<1x?x8xf32>), (tensor<1x?x8xf32>), tensor<1xi32>
  return %o : tensor<1x?x8xf32>
}

// -----

t6.model @window uses @f {
  vocab = 50, layers = 1, width = 8, ffn = 32, context_length = 64, sizes = {}}

func.func @f(%x: tensor<1x?x8xf32>, %pos: tensor<1xi32>) -> tensor<1x?x8xf32> {
  // expected-error@+1 {{has no state of constant size: keys leave the window, and a sum does not say what they gave}}
  %o = tpa.attention ["bnc,bmc->bnm"](%x, %x) value "bnm,bme->bne"(%x) at %pos {causal, window = 4 : i64, normalizer = #tpa.normalizer<none>}
      : (tensor<1x?x8xf32>, tensor<1x?x8xf32>), (tensor<1x?x8xf32>), tensor<1xi32>
  return %o : tensor<1x?x8xf32>
}

// -----

// One equation of score and value needs a letter for each label of both.
t6.model @letters uses @f {
  vocab = 50, layers = 1, width = 8, ffn = 32, context_length = 64, sizes = {}}

func.func @f(%x: tensor<1x?x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x8xf32>, %pos: tensor<1xi32>) {
  // expected-error@+1 {{has no state of constant size: its equations have more labels than there are letters}}
  %o = tpa.attention ["bnABCDEFGHIJKLMNOPQRSTUVWX,bmABCDEFGHIJKLMNOPQRSTUVWX->bnm"](%x, %x)
      value "bnm,bmABCDEFGHIJKLMNOPQRSTUVWX->bnABCDEFGHIJKLMNOPQRSTUVWX"(%x) at %pos {causal, normalizer = #tpa.normalizer<none>}
      : (tensor<1x?x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x8xf32>, tensor<1x?x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x8xf32>),
        (tensor<1x?x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x8xf32>), tensor<1xi32>
  return
}

// -----

t6.model @per_sqrt uses @f {
  vocab = 50, layers = 1, width = 8, ffn = 32, context_length = 64, sizes = {}}

func.func @f(%x: tensor<1x?x8xf32>, %pos: tensor<1xi32>) -> tensor<1x?x8xf32> {
  // expected-error@+1 {{has a scale that depends on a named size: run t6-instantiate-model first}}
  %o = tpa.attention ["bnc,bmc->bnm"](%x, %x) value "bnm,bme->bne"(%x) at %pos {causal, per_sqrt = "C", normalizer = #tpa.normalizer<none>}
      : (tensor<1x?x8xf32>, tensor<1x?x8xf32>), (tensor<1x?x8xf32>), tensor<1xi32>
  return %o : tensor<1x?x8xf32>
}
