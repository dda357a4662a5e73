// RUN: tpa-opt %s --tpa-expand-attention --tpa-fuse-stream --split-input-file | FileCheck %s

// Algorithm 2 of the paper, derived: P from the feature factors, then the head factors, the
// softmax, and the values; the heads lie side by side. Many splits, since there is one query.
// CHECK-LABEL: @decode
// CHECK-SAME: (%[[AQ:.*]]: tensor<1x1x6x47xf32>, %[[BQ:.*]]: tensor<1x1x6x64xf32>, %[[AK:.*]]: tensor<1x?x2x47xf32>, %[[BK:.*]]: tensor<1x?x2x64xf32>, %[[AV:.*]]: tensor<1x?x2x47xf32>, %[[BV:.*]]: tensor<1x?x2x64xf32>, %[[AT:.*]]: tensor<1xi32>)
// CHECK: %[[S:.*]]:3 = tpa.stream "bnrd,bmsd,bnrh,bmsh,b,bmuh,bmue->bnh,bnh,bnhe"(%[[BQ]], %[[BK]], %[[AQ]], %[[AK]], %[[AT]], %[[AV]], %[[BV]])
// CHECK-SAME: block 32 splits 8
// CHECK: %[[P:.*]] = tpa.einsum "bnrd,bmsd->bnrsm"
// CHECK: %[[T:.*]] = tpa.einsum "bnrh,bnrsm->bnmsh"(%{{.*}}, %[[P]])
// CHECK: %[[L:.*]] = tpa.einsum "bnmsh,bmsh->bnmh"(%[[T]], %{{.*}})
// CHECK: %[[X:.*]] = tpa.map "bnmh->bnmh"(%[[L]])
// CHECK: tpa.index "m"
// CHECK: %[[W:.*]] = tpa.online_softmax %[[X]] dim 2
// CHECK: %[[G:.*]] = tpa.einsum "bnmh,bmuh->bnmuh"(%[[W]], %{{.*}})
// CHECK: %[[O:.*]] = tpa.einsum "bnmuh,bmue->bnhe"(%[[G]], %{{.*}})
// CHECK: tpa.yield %[[O]]
// CHECK: %[[R:.*]] = tpa.merge "bnh,bnh,bnhe->bnhe"(%[[S]]#0, %[[S]]#1, %[[S]]#2)
// CHECK-NOT: tpa.softmax
// CHECK: return %[[R]]
func.func @decode(%aq: tensor<1x1x6x47xf32>, %bq: tensor<1x1x6x64xf32>, %ak: tensor<1x?x2x47xf32>, %bk: tensor<1x?x2x64xf32>,
                  %av: tensor<1x?x2x47xf32>, %bv: tensor<1x?x2x64xf32>, %at: tensor<1xi32>) -> tensor<1x1x47x64xf32> {
  %o = tpa.attention ["bnrh,bnrd,bmsh,bmsd->bhnm"](%aq, %bq, %ak, %bk) value "bhnm,bmuh,bmue->bnhe"(%av, %bv) at %at
         {scale = 0.1 : f64, causal}
      : (tensor<1x1x6x47xf32>, tensor<1x1x6x64xf32>, tensor<1x?x2x47xf32>, tensor<1x?x2x64xf32>),
        (tensor<1x?x2x47xf32>, tensor<1x?x2x64xf32>), tensor<1xi32>
  return %o : tensor<1x1x47x64xf32>
}

// -----

// Few heads and many query ranks: contracting the query ahead of the stream is cheaper.
// CHECK-LABEL: @precontracted
// CHECK: %[[Q:.*]] = tpa.einsum "bnrh,bnrd->bn{{[hd]+}}"
// CHECK: tpa.stream "{{[^"]*}}"({{.*}}%[[Q]]
// CHECK-NOT: tensor<1x1x16x16xf32>
// CHECK: tpa.yield
func.func @precontracted(%aq: tensor<1x1x16x16xf32>, %bq: tensor<1x1x16x64xf32>, %ak: tensor<1x?x1x16xf32>, %bk: tensor<1x?x1x64xf32>,
                         %v: tensor<1x?x16x64xf32>) -> tensor<1x1x16x64xf32> {
  %o = tpa.attention ["bnrh,bnrd,bmsh,bmsd->bhnm"](%aq, %bq, %ak, %bk) value "bhnm,bmhe->bnhe"(%v)
      : (tensor<1x1x16x16xf32>, tensor<1x1x16x64xf32>, tensor<1x?x1x16xf32>, tensor<1x?x1x64xf32>), (tensor<1x?x16x64xf32>)
  return %o : tensor<1x1x16x64xf32>
}

// -----

// With many queries a block of values pays for itself: A_V and B_V meet first.
// CHECK-LABEL: @prefill
// CHECK: tpa.stream
// CHECK-SAME: splits 1
// CHECK: %[[W:.*]] = tpa.online_softmax
// CHECK: %[[V:.*]] = tpa.einsum "bmuh,bmue->bmhe"
// CHECK: tpa.einsum "bnmh,bmhe->bnhe"(%[[W]], %[[V]])
func.func @prefill(%aq: tensor<1x?x6x34xf32>, %bq: tensor<1x?x6x64xf32>, %ak: tensor<1x?x2x34xf32>, %bk: tensor<1x?x2x64xf32>,
                   %av: tensor<1x?x2x34xf32>, %bv: tensor<1x?x2x64xf32>) -> tensor<1x?x34x64xf32> {
  %o = tpa.attention ["bnrh,bnrd,bmsh,bmsd->bhnm"](%aq, %bq, %ak, %bk) value "bhnm,bmuh,bmue->bnhe"(%av, %bv)
      : (tensor<1x?x6x34xf32>, tensor<1x?x6x64xf32>, tensor<1x?x2x34xf32>, tensor<1x?x2x64xf32>),
        (tensor<1x?x2x34xf32>, tensor<1x?x2x64xf32>)
  return %o : tensor<1x?x34x64xf32>
}

// -----

// Without a softmax the monoid is addition: one carry, and parts are added.
// CHECK-LABEL: @sigmoid
// CHECK: %[[S:.*]] = tpa.stream "bnhd,bmhd,bmhe->bnhe"
// CHECK-NOT: tpa.online_softmax
// CHECK: %[[R:.*]] = tpa.einsum "{{.}}bnhe->bnhe"(%[[S]])
// CHECK: return %[[R]]
func.func @sigmoid(%q: tensor<2x1x4x8xf32>, %k: tensor<2x?x4x8xf32>, %v: tensor<2x?x4x8xf32>) -> tensor<2x1x4x8xf32> {
  %o = tpa.attention ["bnhd,bmhd->bhnm"](%q, %k) value "bhnm,bmhe->bnhe"(%v) {normalizer = #tpa.normalizer<sigmoid>}
      : (tensor<2x1x4x8xf32>, tensor<2x?x4x8xf32>), (tensor<2x?x4x8xf32>)
  return %o : tensor<2x1x4x8xf32>
}

// -----

// Sinks join where parts are merged; slopes are an operand of the stream.
// CHECK-LABEL: @sinks
// CHECK-SAME: %[[SLOPES:[a-z0-9]+]]: tensor<4xf32>, %[[SINKS:[a-z0-9]+]]: tensor<4xf32>
// CHECK: tpa.stream "bnhd,bmhd,h,b,bmhe->bnh,bnh,bnhe"({{.*}}%[[SLOPES]]
// CHECK: tpa.merge "bnh,bnh,bnhe,h->bnhe"({{.*}}, %[[SINKS]])
func.func @sinks(%q: tensor<2x1x4x8xf32>, %k: tensor<2x?x4x8xf32>, %at: tensor<2xi32>, %slopes: tensor<4xf32>, %sinks: tensor<4xf32>) -> tensor<2x1x4x8xf32> {
  %o = tpa.attention ["bnhd,bmhd->bhnm"](%q, %k) value "bhnm,bmhe->bnhe"(%k) at %at slopes "h"(%slopes) sinks "h"(%sinks) {causal}
      : (tensor<2x1x4x8xf32>, tensor<2x?x4x8xf32>), (tensor<2x?x4x8xf32>), tensor<2xi32> slopes tensor<4xf32> sinks tensor<4xf32>
  return %o : tensor<2x1x4x8xf32>
}

// -----

// A product by a weight matrix sums over no key: it stays.
// CHECK-LABEL: @projection
// CHECK-NOT: tpa.stream
func.func @projection(%x: tensor<1x?x24xf32>, %w: tensor<32x24xf32>) -> tensor<1x?x32xf32> {
  %y = tpa.einsum "bnc,oc->bno"(%x, %w) : tensor<1x?x24xf32>, tensor<32x24xf32>
  return %y : tensor<1x?x32xf32>
}
