// RUN: tpa-opt %s --tpa-fuse-stream | FileCheck %s

// Keys and values share a factor: one tensor, read by the letters of each.
// CHECK-LABEL: @shared
// CHECK-SAME: %[[B:[a-z0-9]+]]: tensor<1x?x2x8xf32>
// CHECK: tpa.stream "{{[^"]*}}->bnh,bnh,bnhe"({{.*}}%[[B]]{{.*}}%[[B]]
// CHECK: tpa.einsum "{{.*}}bmsd{{.*}}"
// CHECK: tpa.online_softmax
// CHECK: tpa.einsum "{{.*}}bmue{{.*}}"
func.func @shared(%q: tensor<1x1x4x8xf32>, %b: tensor<1x?x2x8xf32>, %ak: tensor<1x?x2x4xf32>, %av: tensor<1x?x2x4xf32>) -> tensor<1x1x4x8xf32> {
  %l = tpa.einsum "bnhd,bmsh,bmsd->bhnm"(%q, %ak, %b) : tensor<1x1x4x8xf32>, tensor<1x?x2x4xf32>, tensor<1x?x2x8xf32>
  %w = tpa.softmax %l : tensor<1x4x1x?xf32>
  %o = tpa.einsum "bhnm,bmuh,bmue->bnhe"(%w, %av, %b) : tensor<1x4x1x?xf32>, tensor<1x?x2x4xf32>, tensor<1x?x2x8xf32>
  return %o : tensor<1x1x4x8xf32>
}

// What is free of m is applied to the sum where that costs less, as a latent's up-projection is ...
// CHECK-LABEL: @up_projection
// CHECK-SAME: %[[UP:[a-z0-9]+]]: tensor<4x8x3xf32>
// CHECK: tpa.stream {{.*}}->bnh,bnh,bnhc"
// CHECK-NOT: %[[UP]]
// CHECK: %[[SUM:.*]] = tpa.merge
// CHECK: tpa.einsum "bnhc,hec->bnhe"(%[[SUM]], %[[UP]])
func.func @up_projection(%up: tensor<4x8x3xf32>, %q: tensor<1x1x4x3xf32>, %c: tensor<1x?x3xf32>) -> tensor<1x1x4x8xf32> {
  %l = tpa.einsum "bnhc,bmc->bhnm"(%q, %c) : tensor<1x1x4x3xf32>, tensor<1x?x3xf32>
  %w = tpa.softmax %l : tensor<1x4x1x?xf32>
  %o = tpa.einsum "bhnm,bmc,hec->bnhe"(%w, %c, %up) : tensor<1x4x1x?xf32>, tensor<1x?x3xf32>, tensor<4x8x3xf32>
  return %o : tensor<1x1x4x8xf32>
}

// ... even where the sum is larger than the result then: 2 ranks of 4 heads. The features stay contiguous.
// CHECK-LABEL: @selector
// CHECK-SAME: %[[A:[a-z0-9]+]]: tensor<2x4xf32>
// CHECK: tpa.stream {{.*}}->bnh,bnh,bnhue"
// CHECK-NOT: %[[A]]
// CHECK: %[[SUM:.*]] = tpa.merge
// CHECK: tpa.einsum "bnhue,uh->bnhe"(%[[SUM]], %[[A]])
func.func @selector(%a: tensor<2x4xf32>, %q: tensor<1x1x4x8xf32>, %b: tensor<1x?x2x8xf32>) -> tensor<1x1x4x8xf32> {
  %l = tpa.einsum "bnhd,sh,bmsd->bhnm"(%q, %a, %b) : tensor<1x1x4x8xf32>, tensor<2x4xf32>, tensor<1x?x2x8xf32>
  %w = tpa.softmax %l : tensor<1x4x1x?xf32>
  %o = tpa.einsum "bhnm,uh,bmue->bnhe"(%w, %a, %b) : tensor<1x4x1x?xf32>, tensor<2x4xf32>, tensor<1x?x2x8xf32>
  return %o : tensor<1x1x4x8xf32>
}

// It stays inside where carrying the sum from block to block takes longer: 512 features.
// CHECK-LABEL: @wide_selector
// CHECK: tpa.stream {{.*}}->bnh,bnh,bnhe"
// CHECK: tpa.yield
// CHECK: tpa.merge
// CHECK-NOT: tpa.einsum
// CHECK: return
func.func @wide_selector(%a: tensor<2x4xf32>, %q: tensor<1x1x4x8xf32>, %k: tensor<1x?x4x8xf32>, %b: tensor<1x?x2x512xf32>) -> tensor<1x1x4x512xf32> {
  %l = tpa.einsum "bnhd,bmhd->bhnm"(%q, %k) : tensor<1x1x4x8xf32>, tensor<1x?x4x8xf32>
  %w = tpa.softmax %l : tensor<1x4x1x?xf32>
  %o = tpa.einsum "bhnm,uh,bmue->bnhe"(%w, %a, %b) : tensor<1x4x1x?xf32>, tensor<2x4xf32>, tensor<1x?x2x512xf32>
  return %o : tensor<1x1x4x512xf32>
}
