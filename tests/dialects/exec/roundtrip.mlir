// RUN: tpa-opt %s --verify-roundtrip | FileCheck %s

// CHECK: exec.buffer param @transformer.wte.weight : tensor<256x64xf32> {init = #exec.init<uniform, 1.250000e-01 : f64>}
exec.buffer param @"transformer.wte.weight" : tensor<256x64xf32> {init = #exec.init<uniform, 0.125>}
// CHECK: exec.buffer param @norm : tensor<64xf32> {init = #exec.init<constant, 1.000000e+00 : f64>}
exec.buffer param @norm : tensor<64xf32> {init = #exec.init<constant, 1.0>}
// CHECK: exec.buffer param @normal : tensor<64xf32> {init = #exec.init<normal, 2.000000e-02 : f64>}
exec.buffer param @normal : tensor<64xf32> {init = #exec.init<normal, 0.02 : f64>}
// CHECK: exec.buffer param @w_a_q : tensor<34x6x768xbf16> {stored = array<i64: 204, 768>, tied_to = "lm_head.weight"}
exec.buffer param @w_a_q : tensor<34x6x768xbf16> {stored = array<i64: 204, 768>, tied_to = "lm_head.weight"}
// CHECK: exec.buffer state @cache.0.a_k : tensor<1x1024x2x34xf32>
exec.buffer state @cache.0.a_k : tensor<1x1024x2x34xf32>
// CHECK: exec.buffer state @recent.0.0 : tensor<1x2x34xf32> {recurrent}
exec.buffer state @recent.0.0 : tensor<1x2x34xf32> {recurrent}
// CHECK: exec.buffer constant @table : tensor<2xf32> {init = dense<1.000000e+00> : tensor<2xf32>}
exec.buffer constant @table : tensor<2xf32> {init = dense<1.0> : tensor<2xf32>}
// CHECK: exec.buffer input @decode.tokens : tensor<1x?xi32> {dims = ["", "n"], range = array<i64: 0, 256>}
exec.buffer input @decode.tokens : tensor<1x?xi32> {dims = ["", "n"], range = array<i64: 0, 256>}
// CHECK: exec.buffer input @prefill.last : tensor<1xi32> {below = "n", range = array<i64: 0, 128>}
exec.buffer input @prefill.last : tensor<1xi32> {below = "n", range = array<i64: 0, 128>}
// CHECK: exec.buffer output @decode.logits : tensor<1x256xf32>
exec.buffer output @decode.logits : tensor<1x256xf32>
// CHECK: exec.buffer arena @decode.arena : tensor<65536xi8>
exec.buffer arena @decode.arena : tensor<65536xi8>

// CHECK: exec.entry @none scalars [] maxima [] {
exec.entry @none scalars [] maxima [] {
}

// CHECK: exec.entry @tensors scalars ["n", "m"] maxima [1, 1024] {
// CHECK-NEXT: ^bb0(%[[N:.*]]: index, %{{.*}}: index):
exec.entry @tensors scalars ["n", "m"] maxima [1, 1024] {
^bb0(%n: index, %m: index):
  // CHECK: exec.load @decode.tokens[%[[N]]] : tensor<1x?xi32>
  %t = exec.load @decode.tokens[%n] : tensor<1x?xi32>
  // CHECK: exec.load @w : tensor<64x64xf32>
  %w = exec.load @w : tensor<64x64xf32>
  // CHECK: %[[ROWS:.*]] = exec.load @w from 32 : tensor<16x64xf32>
  %rows = exec.load @w from 32 : tensor<16x64xf32>
  // CHECK: exec.store %[[ROWS]], @w from 32 : tensor<16x64xf32>
  exec.store %rows, @w from 32 : tensor<16x64xf32>
  %x = tensor.empty(%n) : tensor<1x?x64xf32>
  // CHECK: exec.dispatch @linear scalars(%[[N]]) reads(%{{.*}}, %{{.*}} : tensor<1x?xi32>, tensor<64x64xf32>) writes(%{{.*}} : tensor<1x?x64xf32>)
  // CHECK-SAME: {cost = #exec.cost<read = ()[s0] -> (s0 * 256), write = ()[s0] -> (s0 * 256), flops = ()[s0] -> (s0 * 8192)>, label = "attn/linear"}
  // CHECK-SAME: -> tensor<1x?x64xf32>
  %y = exec.dispatch @linear scalars(%n)
      reads(%t, %w : tensor<1x?xi32>, tensor<64x64xf32>) writes(%x : tensor<1x?x64xf32>)
      {label = "attn/linear", cost = #exec.cost<read = ()[s0] -> (s0 * 256), write = ()[s0] -> (s0 * 256), flops = ()[s0] -> (s0 * 8192)>}
      -> tensor<1x?x64xf32>
  // CHECK: exec.store %{{.*}}, @hidden : tensor<1x?x64xf32>
  exec.store %y, @hidden : tensor<1x?x64xf32>
}

// CHECK: exec.entry @memrefs
// CHECK-NEXT: ^bb0(%[[N:.*]]: index):
exec.entry @memrefs scalars ["n"] maxima [128] {
^bb0(%n: index):
  // CHECK: exec.view @w at 0 : memref<64x64xf32>
  %w = exec.view @w at 0 : memref<64x64xf32>
  // CHECK: exec.view @decode.arena at 4096[%[[N]]] : memref<1x?x64xf32>
  %x = exec.view @decode.arena at 4096[%n] : memref<1x?x64xf32>
  // CHECK: exec.dispatch @fill writes(%{{.*}} : memref<1x?x64xf32>){{$}}
  exec.dispatch @fill writes(%x : memref<1x?x64xf32>)
  // CHECK: exec.dispatch @linear scalars(%[[N]]) reads(%{{.*}} : memref<64x64xf32>) writes(%{{.*}}, %{{.*}} : memref<1x?x64xf32>, memref<1x?x64xf32>){{$}}
  exec.dispatch @linear scalars(%n) reads(%w : memref<64x64xf32>) writes(%x, %x : memref<1x?x64xf32>, memref<1x?x64xf32>)
}

// CHECK-LABEL: @kernel
func.func @kernel(%n: index) {
  // CHECK: exec.binding 0[%{{.*}}] : memref<1x?x64xf32>
  %x = exec.binding 0[%n] : memref<1x?x64xf32>
  // CHECK: exec.binding 1 : memref<64x64xf32>
  %w = exec.binding 1 : memref<64x64xf32>
  return
}
