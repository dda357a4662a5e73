// RUN: tpa-opt %s --verify-roundtrip | FileCheck %s

// CHECK: t6.model @nano uses @tpa {
// CHECK-SAME: context_length = 256 : i64, ffn = 170 : i64, layers = 2 : i64, sizes = {D = 16 : i64, H = 6 : i64, R_Q = 3 : i64}, vocab = 256 : i64, width = 64 : i64}
t6.model @nano uses @tpa {
  vocab = 256, layers = 2, width = 64, ffn = 170, context_length = 256,
  sizes = {H = 6, D = 16, R_Q = 3}}

// CHECK: t6.model @llama uses @gqa {
// CHECK-SAME: checkpoint = #t6.checkpoint<llama>
// CHECK-SAME: norm_eps = 1.000000e-05 : f64
// CHECK-SAME: tied = false
t6.model @llama uses @gqa {
  vocab = 256, layers = 2, width = 64, ffn = 170, context_length = 256,
  sizes = {H = 4, G = 2, D = 16}, norm_eps = 1.0e-5 : f64, tied = false,
  checkpoint = #t6.checkpoint<llama>}

// What is said as the default is not said.
// CHECK: t6.model @defaults
// CHECK-NOT: norm_eps
// CHECK-NOT: tied
// CHECK-NOT: checkpoint
t6.model @defaults uses @tpa {
  vocab = 1, layers = 1, width = 1, ffn = 1, context_length = 1, sizes = {},
  norm_eps = 1.1920928955078125e-07 : f64, tied = true, checkpoint = #t6.checkpoint<reference>}

// CHECK-LABEL: @params
func.func @params() -> (tensor<?x?x?xf32>, tensor<16xbf16>) {
  // CHECK: t6.param "attn.c_qkv.W_A_q.weight" "(H R_Q) C" : tensor<?x?x?xf32>
  %w = t6.param "attn.c_qkv.W_A_q.weight" "(H R_Q) C" : tensor<?x?x?xf32>
  // CHECK: t6.param "attn.c_qkv.W_A_k.weight" "(H R_K) C" {init = #t6.init<xavier>} : tensor<?x?x?xf32>
  %a = t6.param "attn.c_qkv.W_A_k.weight" "(H R_K) C" {init = #t6.init<xavier>} : tensor<?x?x?xf32>
  // CHECK: t6.param "attn.c_proj.weight" "C (H D)" {init = #t6.init<normal, std = 5.000000e-02 : f64>} : tensor<?x?x?xf32>
  %o = t6.param "attn.c_proj.weight" "C (H D)" {init = #t6.init<normal, std = 0.05 : f64>} : tensor<?x?x?xf32>
  // CHECK: t6.param "norm" "D+P" : tensor<16xbf16>
  %g = t6.param "norm" "D+P" : tensor<16xbf16>
  return %w, %g : tensor<?x?x?xf32>, tensor<16xbf16>
}

// CHECK-LABEL: @split
func.func @split(%x: tensor<1x?x40xf32>) -> (tensor<1x?x32xf32>, tensor<1x?x8xf32>) {
  // CHECK: %{{.*}}:2 = t6.split %{{.*}} axis 2 ["L", "P"] : tensor<1x?x40xf32> -> tensor<1x?x32xf32>, tensor<1x?x8xf32>
  %a, %b = t6.split %x axis 2 ["L", "P"] : tensor<1x?x40xf32> -> tensor<1x?x32xf32>, tensor<1x?x8xf32>
  return %a, %b : tensor<1x?x32xf32>, tensor<1x?x8xf32>
}

// CHECK-LABEL: @layers
func.func @layers(%tokens: tensor<1x?xi32>, %table: tensor<256x64xbf16>, %w: tensor<170x64xf32>,
                  %g: tensor<64xf32>, %last: tensor<1xi32>) -> tensor<1x1x170xf32> {
  // CHECK: t6.embedding %{{.*}}, %{{.*}} : tensor<1x?xi32>, tensor<256x64xbf16>
  %x = t6.embedding %tokens, %table : tensor<1x?xi32>, tensor<256x64xbf16>
  // CHECK: t6.rms_norm %{{.*}} {eps = 1.000000e-05 : f64} : tensor<1x?x64xf32>
  %n = t6.rms_norm %x {eps = 1.0e-5 : f64} : tensor<1x?x64xf32>
  // CHECK: t6.rms_norm %{{.*}}, %{{.*}} {eps = 1.000000e-05 : f64} : tensor<1x?x64xf32>, tensor<64xf32>
  %m = t6.rms_norm %n, %g {eps = 1.0e-5 : f64} : tensor<1x?x64xf32>, tensor<64xf32>
  // CHECK: t6.linear %{{.*}}, %{{.*}} : tensor<1x?x64xf32>, tensor<170x64xf32>
  %y = t6.linear %m, %w : tensor<1x?x64xf32>, tensor<170x64xf32>
  // CHECK: t6.swiglu %{{.*}}, %{{.*}} : tensor<1x?x170xf32>
  %z = t6.swiglu %y, %y : tensor<1x?x170xf32>
  // CHECK: t6.select_token %{{.*}}[%{{.*}}] : tensor<1x?x170xf32>, tensor<1xi32>
  %o = t6.select_token %z[%last] : tensor<1x?x170xf32>, tensor<1xi32>
  return %o : tensor<1x1x170xf32>
}

// CHECK-LABEL: @cross_entropy
func.func @cross_entropy(%logits: tensor<1x?x256xf32>, %targets: tensor<1x?xi32>) -> (tensor<1xf32>, tensor<1x?xf32>, tensor<1x?xf32>) {
  // CHECK: t6.cross_entropy %{{.*}}, %{{.*}} : tensor<1x?x256xf32>, tensor<1x?xi32>
  %loss, %token_loss, %lse = t6.cross_entropy %logits, %targets : tensor<1x?x256xf32>, tensor<1x?xi32>
  return %loss, %token_loss, %lse : tensor<1xf32>, tensor<1x?xf32>, tensor<1x?xf32>
}

// CHECK-LABEL: @cache
func.func @cache(%cache: tensor<1x1024x2x64xbf16>, %x: tensor<1x?x2x64xf32>, %pos: tensor<1xi32>, %m: index)
    -> tensor<1x?x2x64xbf16> {
  // CHECK: t6.cache_append %{{.*}}, %{{.*}} at %{{.*}} : tensor<1x1024x2x64xbf16>, tensor<1x?x2x64xf32>, tensor<1xi32>
  %c = t6.cache_append %cache, %x at %pos : tensor<1x1024x2x64xbf16>, tensor<1x?x2x64xf32>, tensor<1xi32>
  // CHECK: t6.cache_read %{{.*}}[%{{.*}}] : tensor<1x1024x2x64xbf16>
  %k = t6.cache_read %c[%m] : tensor<1x1024x2x64xbf16>
  return %k : tensor<1x?x2x64xbf16>
}

// CHECK-LABEL: @ring
func.func @ring(%ring: tensor<1x2x6xbf16>, %x: tensor<1x?x6xf32>, %pos: tensor<1xi32>, %last: tensor<1xi32>) -> tensor<1x2x6xbf16> {
  // CHECK: t6.ring_append %{{.*}}, %{{.*}} at %{{.*}} last %{{.*}} : tensor<1x2x6xbf16>, tensor<1x?x6xf32>, tensor<1xi32>, tensor<1xi32>
  %r = t6.ring_append %ring, %x at %pos last %last : tensor<1x2x6xbf16>, tensor<1x?x6xf32>, tensor<1xi32>, tensor<1xi32>
  // CHECK: t6.ring_append %{{.*}}, %{{.*}} at %{{.*}} : tensor<1x2x6xbf16>, tensor<1x?x6xf32>, tensor<1xi32>
  %s = t6.ring_append %r, %x at %pos : tensor<1x2x6xbf16>, tensor<1x?x6xf32>, tensor<1xi32>
  return %s : tensor<1x2x6xbf16>
}

// CHECK-LABEL: @accumulate
func.func @accumulate(%s: tensor<2x6x4xf32>, %x: tensor<2x6x4xf32>, %pos: tensor<2xi32>) -> tensor<2x6x4xf32> {
  // CHECK: t6.accumulate %{{.*}}, %{{.*}} at %{{.*}} : tensor<2x6x4xf32>, tensor<2x6x4xf32>, tensor<2xi32>
  %t = t6.accumulate %s, %x at %pos : tensor<2x6x4xf32>, tensor<2x6x4xf32>, tensor<2xi32>
  return %t : tensor<2x6x4xf32>
}

// CHECK-LABEL: @paged_cache
func.func @paged_cache(%pool: tensor<17x64x2x64xbf16>, %x: tensor<1x?x2x64xf32>, %pos: tensor<1xi32>,
                       %table: tensor<1x16xi32>, %m: index) -> tensor<1x?x2x64xbf16> {
  // CHECK: t6.cache_append %{{.*}}, %{{.*}} at %{{.*}} pages %{{.*}} : tensor<17x64x2x64xbf16>, tensor<1x?x2x64xf32>, tensor<1xi32>, tensor<1x16xi32>
  %c = t6.cache_append %pool, %x at %pos pages %table : tensor<17x64x2x64xbf16>, tensor<1x?x2x64xf32>, tensor<1xi32>, tensor<1x16xi32>
  // CHECK: t6.cache_read %{{.*}}[%{{.*}}] pages %{{.*}} : tensor<17x64x2x64xbf16>, tensor<1x16xi32>
  %k = t6.cache_read %c[%m] pages %table : tensor<17x64x2x64xbf16>, tensor<1x16xi32>
  return %k : tensor<1x?x2x64xbf16>
}

// CHECK-LABEL: @adamw
func.func @adamw(%p: tensor<64x?xf64>, %g: tensor<64x?xf64>, %m: tensor<64x?xf64>, %v: tensor<64x?xf64>,
                 %s: tensor<1xf32>) -> tensor<64x?xf64> {
  // CHECK: t6.adamw %{{.*}}, %{{.*}}, %{{.*}}, %{{.*}} scale %{{.*}} lr %{{.*}} betas %{{.*}}, %{{.*}} eps %{{.*}} decay %{{.*}} corrections %{{.*}}, %{{.*}} : tensor<64x?xf64>
  %p2, %m2, %v2, %g2, %pp, %mm, %vv = t6.adamw %p, %g, %m, %v scale %s lr %s betas %s, %s eps %s decay %s corrections %s, %s : tensor<64x?xf64>
  return %p2 : tensor<64x?xf64>
}

// CHECK-LABEL: @global_norm
func.func @global_norm(%g: tensor<64x256xf32>, %h: tensor<64xf32>, %s: tensor<1xf32>) -> tensor<1xf32> {
  // CHECK: t6.global_norm %{{.*}}, %{{.*}} : tensor<64x256xf32>, tensor<64xf32>
  %n = t6.global_norm %g, %h : tensor<64x256xf32>, tensor<64xf32>
  // CHECK: t6.global_norm %{{.*}} {squared} : tensor<64xf32>
  %q = t6.global_norm %h {squared} : tensor<64xf32>
  // CHECK: t6.clip_scale %{{.*}}, %{{.*}}, %{{.*}}
  %c = t6.clip_scale %s, %n, %s
  return %c : tensor<1xf32>
}

// CHECK-LABEL: @gradients
func.func @gradients(%g: tensor<256x64xf32>, %tokens: tensor<1x?xi32>, %x: tensor<1x?x64xf32>, %s: tensor<1xf32>,
                     %logits: tensor<1x?x256xf32>, %lse: tensor<1x?xf32>) -> (tensor<256x64xf32>, tensor<1x?x256xf32>) {
  // CHECK: t6.add_gradient %{{.*}}, %{{.*}} : tensor<256x64xf32>, tensor<256x64xf32>
  %a = t6.add_gradient %g, %g : tensor<256x64xf32>, tensor<256x64xf32>
  // CHECK: t6.embedding_gradient %{{.*}}, %{{.*}}, %{{.*}} : tensor<256x64xf32>, tensor<1x?xi32>, tensor<1x?x64xf32>
  %e = t6.embedding_gradient %a, %tokens, %x : tensor<256x64xf32>, tensor<1x?xi32>, tensor<1x?x64xf32>
  // CHECK: t6.cross_entropy_gradient %{{.*}}, %{{.*}}, %{{.*}}, %{{.*}} : tensor<1x?x256xf32>, tensor<1x?xi32>, tensor<1x?xf32>
  %d = t6.cross_entropy_gradient %s, %logits, %tokens, %lse : tensor<1x?x256xf32>, tensor<1x?xi32>, tensor<1x?xf32>
  // CHECK: t6.target_weights %{{.*}} : tensor<1x?xi32>
  %w = t6.target_weights %tokens : tensor<1x?xi32>
  return %e, %d : tensor<256x64xf32>, tensor<1x?x256xf32>
}

// CHECK-LABEL: @dequantize
func.func @dequantize(%q: tensor<6x3x5xi8>, %s: tensor<6x3xf32>) -> tensor<6x3x5xf32> {
  // CHECK: t6.dequantize %{{.*}}, %{{.*}} : tensor<6x3x5xi8>, tensor<6x3xf32>
  %w = t6.dequantize %q, %s : tensor<6x3x5xi8>, tensor<6x3xf32>
  return %w : tensor<6x3x5xf32>
}
