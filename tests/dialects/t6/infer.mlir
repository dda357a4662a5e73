// RUN: tpa-opt %s --mlir-print-op-generic | FileCheck %s

// CHECK-LABEL: sym_name = "layers"
func.func @layers(%tokens: tensor<?x5xi32>, %table: tensor<?x64xbf16>, %x: tensor<1x?x?xbf16>,
                  %w: tensor<170x64xbf16>, %index: tensor<?xi32>) {
  // CHECK: "t6.embedding"{{.*}} -> tensor<?x5x64xf32>
  %0 = t6.embedding %tokens, %table : tensor<?x5xi32>, tensor<?x64xbf16>
  // CHECK: "t6.linear"{{.*}} -> tensor<1x?x170xf32>
  %1 = t6.linear %x, %w : tensor<1x?x?xbf16>, tensor<170x64xbf16>
  // CHECK: "t6.rms_norm"{{.*}} -> tensor<1x?x?xf32>
  %2 = t6.rms_norm %x {eps = 1.0e-5 : f64} : tensor<1x?x?xbf16>
  // CHECK: "t6.swiglu"{{.*}} -> tensor<1x?x?xf32>
  %3 = t6.swiglu %x, %x : tensor<1x?x?xbf16>
  // CHECK: "t6.select_token"{{.*}} -> tensor<1x1x?xf32>
  %4 = t6.select_token %x[%index] : tensor<1x?x?xbf16>, tensor<?xi32>
  return
}

// CHECK-LABEL: sym_name = "cross_entropy"
func.func @cross_entropy(%logits: tensor<2x?x?xbf16>, %targets: tensor<?x?xi32>) {
  // CHECK: "t6.cross_entropy"{{.*}} -> (tensor<1xf32>, tensor<2x?xf32>, tensor<2x?xf32>)
  %loss, %token_loss, %lse = t6.cross_entropy %logits, %targets : tensor<2x?x?xbf16>, tensor<?x?xi32>
  return
}

// A cache keeps its element type; what is read of it is as long as said at run time.
// CHECK-LABEL: sym_name = "cache"
func.func @cache(%cache: tensor<1x1024x2x64xbf16>, %x: tensor<?x?x2x?xf32>, %pos: tensor<?xi32>, %m: index) {
  // CHECK: "t6.cache_append"{{.*}} -> tensor<1x1024x2x64xbf16>
  %0 = t6.cache_append %cache, %x at %pos : tensor<1x1024x2x64xbf16>, tensor<?x?x2x?xf32>, tensor<?xi32>
  // CHECK: "t6.cache_read"{{.*}} -> tensor<1x?x2x64xbf16>
  %1 = t6.cache_read %0[%m] : tensor<1x1024x2x64xbf16>
  return
}

// So does a ring, whose number of tokens is its own.
// CHECK-LABEL: sym_name = "ring"
func.func @ring(%ring: tensor<1x3x2xbf16>, %x: tensor<?x?x?xf32>, %pos: tensor<?xi32>) {
  // CHECK: "t6.ring_append"{{.*}} -> tensor<1x3x2xbf16>
  %0 = t6.ring_append %ring, %x at %pos : tensor<1x3x2xbf16>, tensor<?x?x?xf32>, tensor<?xi32>
  return
}

// A state has the sizes that it is declared with.
// CHECK-LABEL: sym_name = "accumulate"
func.func @accumulate(%state: tensor<1x3x2xf32>, %x: tensor<?x?x?xf32>, %pos: tensor<?xi32>) {
  // CHECK: "t6.accumulate"{{.*}} -> tensor<1x3x2xf32>
  %0 = t6.accumulate %state, %x at %pos : tensor<1x3x2xf32>, tensor<?x?x?xf32>, tensor<?xi32>
  return
}
