// RUN: tpa-opt %s --t6-build-entries=verify-tokens=4 --split-input-file --verify-diagnostics
// DEFINE: %{ready} = %models/t6_nano.mlir --t6-instantiate-model
// RUN: not tpa-opt %{ready} --t6-build-entries=entries=decode,train 2>&1 | FileCheck %s --check-prefix=ENTRY
// RUN: not tpa-opt %{ready} --t6-build-entries=prefill-chunk=-8 2>&1 | FileCheck %s --check-prefix=CHUNK

// RUN: not tpa-opt %{ready} --t6-build-entries=page-tokens=48 2>&1 | FileCheck %s --check-prefix=PAGE
// RUN: not tpa-opt %{ready} --t6-build-entries=page-tokens=8 2>&1 | FileCheck %s --check-prefix=SMALL
// PAGE: t6_nano.mlir:2:1: error: 't6.model' op cannot be compiled for pages of 48 tokens: a page has a power of two of them, 16 or more
// SMALL: t6_nano.mlir:2:1: error: 't6.model' op cannot be compiled for pages of 8 tokens

// RUN: not tpa-opt %{ready} --t6-build-entries=cache-tokens=-1 2>&1 | FileCheck %s --check-prefix=NEGATIVE
// RUN: not tpa-opt %{ready} --t6-build-entries=cache-tokens=63 2>&1 | FileCheck %s --check-prefix=LESS
// RUN: not tpa-opt %{ready} --t6-build-entries=cache-tokens=257 2>&1 | FileCheck %s --check-prefix=MORE
// RUN: not tpa-opt %{ready} --t6-build-entries="cache-tokens=128 page-tokens=0" 2>&1 | FileCheck %s --check-prefix=PIECE
// RUN: not tpa-opt %{ready} --t6-build-entries="cache-tokens=64 max-length=64" 2>&1 | FileCheck %s --check-prefix=SHORT
// RUN: not tpa-opt %{ready} --t6-build-entries="max-length=1099511627776" 2>&1 | FileCheck %s --check-prefix=PAGES
// RUN: not tpa-opt %models/t6_nano.mlir --t6-instantiate-model=batch=1073741824 --t6-build-entries="max-length=1099511627776 cache-tokens=1099511627776" 2>&1 | FileCheck %s --check-prefix=PAGES
// NEGATIVE: t6_nano.mlir:2:1: error: 't6.model' op cannot be compiled for a cache of -1 tokens: a number of tokens is not negative
// LESS: cannot be compiled for a cache of 63 tokens: a page has 64
// MORE: cannot be compiled for a cache of 257 tokens: all rows at their longest take 256
// PIECE: cannot be compiled for a cache of 128 tokens: each row is in one piece, of 256 tokens, and pages alone can be shared
// SHORT: cannot be compiled for a cache of 64 tokens: each row is in one piece, of 64 tokens
// PAGES: cannot be compiled for a cache of more than 2147483646 pages

// RUN: not tpa-opt %{ready} --t6-build-entries="train compute=f16" 2>&1 | FileCheck %s --check-prefix=COMPUTE
// RUN: not tpa-opt %{ready} --t6-build-entries=compute=bf16 2>&1 | FileCheck %s --check-prefix=MASTER
// RUN: not tpa-opt %models/t6_nano.mlir --t6-instantiate-model=dtype=bf16 --t6-build-entries=train 2>&1 | FileCheck %s --check-prefix=NARROW
// COMPUTE: t6_nano.mlir:2:1: error: 't6.model' op cannot be compiled to compute in f16: f32 or bf16
// MASTER: t6_nano.mlir:2:1: error: 't6.model' op computes in bf16 from parameters in f32 only where it is built to train
// NARROW: t6_nano.mlir:2:1: error: 't6.model' op has parameters in 'bf16', but what trains keeps them in f32: instantiate it with dtype=f32, and compute=bf16 here

// ENTRY: t6_nano.mlir:2:1: error: 't6.model' op has no entry 'train': there are prefill, decode, verify, loss, accumulate_gradients, apply_adamw
// RUN: not tpa-opt %{ready} --t6-build-entries=entries=verify 2>&1 | FileCheck %s --check-prefix=TOKENS
// RUN: not tpa-opt %{ready} --t6-build-entries=verify-tokens=65 2>&1 | FileCheck %s --check-prefix=MANY
// RUN: not tpa-opt %{ready} --t6-build-entries="max-length=8 verify-tokens=9" 2>&1 | FileCheck %s --check-prefix=LONG
// TOKENS: t6_nano.mlir:2:1: error: 't6.model' op has an entry 'verify' only for a number of tokens: state it as verify-tokens
// MANY: t6_nano.mlir:2:1: error: 't6.model' op cannot be compiled to verify 65 tokens a run: at most 64, and no more than a sequence has
// LONG: cannot be compiled to verify 9 tokens a run
// CHUNK: t6_nano.mlir:2:1: error: 't6.model' op cannot be compiled for a prefill chunk of -8

// expected-error@+1 {{is not instantiated: run t6-instantiate-model first}}
t6.model @no_function uses @f {
  vocab = 50, layers = 1, width = 24, ffn = 32, context_length = 64, sizes = {}}

// -----

// expected-error@+1 {{is not instantiated: run t6-instantiate-model first}}
t6.model @generic uses @f {
  vocab = 50, layers = 1, width = 24, ffn = 32, context_length = 64, sizes = {}}

func.func @f(%x: tensor<?x?x?xf32>, %pos: tensor<?xi32>) -> tensor<?x?x?xf32> {
  return %x : tensor<?x?x?xf32>
}

// -----

t6.model @first uses @f {
  vocab = 50, layers = 1, width = 24, ffn = 32, context_length = 64, sizes = {}}

// expected-error@+1 {{is a second model: a module compiles to one program}}
t6.model @second uses @f {
  vocab = 50, layers = 1, width = 24, ffn = 32, context_length = 64, sizes = {}}

// -----

// Distances to guesses are not those of their places in the cache.
t6.model @window uses @f {
  vocab = 50, layers = 1, width = 8, ffn = 32, context_length = 64, sizes = {}}

func.func @f(%x: tensor<1x?x8xf32>, %pos: tensor<1xi32>) -> tensor<1x?x8xf32> {
  // expected-error@+1 {{cannot verify a tree of tokens: it is not causal, or has a window or slopes, whose distances count cache slots}}
  %o = tpa.attention ["bnc,bmc->bnm"](%x, %x) value "bnm,bmc->bnc"(%x) at %pos {causal, window = 4 : i64}
      : (tensor<1x?x8xf32>, tensor<1x?x8xf32>), (tensor<1x?x8xf32>), tensor<1xi32>
  return %o : tensor<1x?x8xf32>
}

// -----

// A cache is appended to along m: it must be the dimension after the batch.
t6.model @key_first uses @f {
  vocab = 50, layers = 1, width = 8, ffn = 32, context_length = 64, sizes = {}}

func.func @f(%x: tensor<1x?x8xf32>, %pos: tensor<1xi32>) -> tensor<1x?x8xf32> {
  %k = tpa.einsum "bnc->nbc"(%x) : tensor<1x?x8xf32>
  // expected-error@+1 {{reads a key or value factor as "mbd": a factor with the key index m is cached and must be laid out b, m, then static dimensions}}
  %o = tpa.attention ["bnd,mbd->bnm"](%x, %k) value "bnm,bme->bne"(%x) at %pos {causal}
      : (tensor<1x?x8xf32>, tensor<?x1x8xf32>), (tensor<1x?x8xf32>), tensor<1xi32>
  return %o : tensor<1x?x8xf32>
}

// -----

t6.model @wide uses @f {
  vocab = 50, layers = 1, width = 8, ffn = 32, context_length = 64, sizes = {}}

func.func @f(%x: tensor<1x?x8xf32>, %pos: tensor<1xi32>) -> tensor<1x?x8xf32> {
  // expected-error@+1 {{'t6.param' op an initial value must lie in the range of f32, but is}}
  %w = t6.param "w" "C" {init = #t6.init<normal, std = 1.0e300 : f64>} : tensor<8xf32>
  %o = tpa.attention ["bnd,bmd->bnm"](%x, %x) value "bnm,bme->bne"(%x) at %pos {causal}
      : (tensor<1x?x8xf32>, tensor<1x?x8xf32>), (tensor<1x?x8xf32>), tensor<1xi32>
  return %o : tensor<1x?x8xf32>
}

// -----

t6.model @same_name uses @f {
  vocab = 50, layers = 1, width = 8, ffn = 32, context_length = 64, sizes = {}}

func.func @f(%x: tensor<1x?x8xf32>, %pos: tensor<1xi32>) -> tensor<1x?x8xf32> {
  // expected-note@+1 {{the other is here}}
  %w = t6.param "w" "C C" : tensor<8x8xf32>
  // expected-error@+1 {{'t6.param' op "w" is the name of another parameter of the layer: each needs its own}}
  %u = t6.param "w" "C C" : tensor<8x8xf32>
  %o = tpa.attention ["bnd,bmd->bnm"](%x, %x) value "bnm,bme->bne"(%x) at %pos {causal}
      : (tensor<1x?x8xf32>, tensor<1x?x8xf32>), (tensor<1x?x8xf32>), tensor<1xi32>
  return %o : tensor<1x?x8xf32>
}

// -----

t6.model @not_causal uses @f {
  vocab = 50, layers = 1, width = 8, ffn = 32, context_length = 64, sizes = {}}

func.func @f(%x: tensor<1x?x8xf32>, %pos: tensor<1xi32>) -> tensor<1x?x8xf32> {
  // expected-error@+1 {{is not causal, but @prefill takes tokens in parts, before later ones are known: add {causal} and `at` positions, or build the entry loss alone}}
  %o = tpa.attention ["bnd,bmd->bnm"](%x, %x) value "bnm,bme->bne"(%x)
      : (tensor<1x?x8xf32>, tensor<1x?x8xf32>), (tensor<1x?x8xf32>)
  return %o : tensor<1x?x8xf32>
}

// -----

// expected-error@+1 {{is not instantiated: run t6-instantiate-model first}}
t6.model @no_attention uses @f {
  vocab = 50, layers = 1, width = 8, ffn = 32, context_length = 64, sizes = {}}

func.func @f(%x: tensor<1x?x8xf32>, %pos: tensor<1xi32>) -> tensor<1x?x8xf32> {
  return %x : tensor<1x?x8xf32>
}

// -----

// expected-error@+1 {{is not instantiated: run t6-instantiate-model first}}
t6.model @no_positions uses @f {
  vocab = 50, layers = 1, width = 8, ffn = 32, context_length = 64, sizes = {}}

func.func @f(%x: tensor<1x?x8xf32>) -> tensor<1x?x8xf32> {
  %o = tpa.attention ["bnd,bmd->bnm"](%x, %x) value "bnm,bme->bne"(%x)
      : (tensor<1x?x8xf32>, tensor<1x?x8xf32>), (tensor<1x?x8xf32>)
  return %o : tensor<1x?x8xf32>
}

// -----

// The token before a guess is its parent, wherever that stands.
t6.model @tree_of_shifted uses @f {
  vocab = 50, layers = 1, width = 8, ffn = 32, context_length = 64, sizes = {}}

func.func @f(%x: tensor<1x?x8xf32>, %pos: tensor<1xi32>) -> tensor<1x?x8xf32> {
  // expected-error@+1 {{'tpa.recent' op cannot verify a tree of tokens: the token before another is its parent, not the one that stands before it}}
  %two = tpa.recent %x at %pos tokens 2 : tensor<1x?x8xf32>, tensor<1xi32>
  %k = tpa.einsum "bnjc->bnc"(%two) : tensor<1x?x2x8xf32>
  %o = tpa.attention ["bnc,bmc->bnm"](%x, %k) value "bnm,bmc->bnc"(%k) at %pos {causal}
      : (tensor<1x?x8xf32>, tensor<1x?x8xf32>), (tensor<1x?x8xf32>), tensor<1xi32>
  return %o : tensor<1x?x8xf32>
}

// -----

t6.model @ring_of_unknown_width uses @f {
  vocab = 50, layers = 1, width = 8, ffn = 32, context_length = 64, sizes = {}}

func.func @f(%x: tensor<1x?x8xf32>, %pos: tensor<1xi32>) -> tensor<1x?x8xf32> {
  %w = t6.param "w" "C" : tensor<8xf32>
  %wide = tensor.cast %w : tensor<8xf32> to tensor<?xf32>
  %y = tpa.einsum "bnc,d->bnd"(%x, %wide) : tensor<1x?x8xf32>, tensor<?xf32>
  // expected-error@+1 {{'tpa.recent' op keeps tokens of type 'tensor<1x?x?xf32>', of which n alone may be dynamic}}
  %two = tpa.recent %y at %pos tokens 2 : tensor<1x?x?xf32>, tensor<1xi32>
  %k = tpa.einsum "bnjc,c->bnc"(%two, %w) : tensor<1x?x2x?xf32>, tensor<8xf32>
  %o = tpa.attention ["bnc,bmc->bnm"](%x, %k) value "bnm,bmc->bnc"(%k) at %pos {causal}
      : (tensor<1x?x8xf32>, tensor<1x?x8xf32>), (tensor<1x?x8xf32>), tensor<1xi32>
  return %o : tensor<1x?x8xf32>
}
