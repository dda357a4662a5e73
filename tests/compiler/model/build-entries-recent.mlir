// RUN: tpa-opt %s --t6-instantiate-model --canonicalize --t6-build-entries | FileCheck %s

// What runs have to know of the tokens before theirs is in rings, behind the caches. Only prefill has padding,
// and so reads where a row ends; what the rings held is read before they are written.
// CHECK: sym_name = "shifted"
// CHECK: exec.buffer state @cache.0.0 : tensor<1x64x8xf32>
// CHECK-NEXT: exec.buffer state @recent.0.0 : tensor<1x3x8xf32>
// CHECK-NEXT: exec.buffer state @recent.0.1 : tensor<1x2x8xf32>
// CHECK-NEXT: exec.buffer state @cache.1.0 : tensor<1x64x8xf32>
// CHECK-NEXT: exec.buffer state @recent.1.0 : tensor<1x3x8xf32>
// CHECK: func.func private @prefill.block(%{{.*}}: index {exec.scalar = "n"}, %{{.*}}: index {exec.scalar = "m"},
// CHECK-SAME: %[[POS:.*]]: tensor<1xi32>, %[[LAST:.*]]: tensor<1xi32>, %{{.*}}: tensor<1x?x8xf32> {exec.dims = ["", "n", ""]},
// CHECK-SAME: %[[CACHE:.*]]: tensor<1x64x8xf32>, %[[THREE:[^:]*]]: tensor<1x3x8xf32>, %[[TWO:[^:]*]]: tensor<1x2x8xf32>,
// CHECK: %[[X:.*]] = t6.rms_norm
// CHECK: tpa.recent %[[X]] at %[[POS]] ring %[[THREE]] tokens 3
// CHECK: tpa.recent %[[K:.*]] at %[[POS]] ring %[[TWO]] tokens 2
// CHECK: %[[NEW:.*]] = t6.cache_append %[[CACHE]]
// CHECK: %[[NEW_THREE:.*]] = t6.ring_append %[[THREE]], %[[X]] at %[[POS]] last %[[LAST]]
// CHECK: %[[NEW_TWO:.*]] = t6.ring_append %[[TWO]], %[[K]] at %[[POS]] last %[[LAST]]
// CHECK: return %{{.*}}, %[[NEW]], %[[NEW_THREE]], %[[NEW_TWO]]
// CHECK: exec.entry @prefill
// CHECK: %[[LAST_IN:.*]] = exec.load @prefill.last
// CHECK: %[[L0:.*]]:4 = func.call @prefill.block(%{{[^,]*}}, %{{[^,]*}}, %{{[^,]*}}, %[[LAST_IN]],
// CHECK: exec.store %[[L0]]#1, @cache.0.0
// CHECK: exec.store %[[L0]]#2, @recent.0.0
// CHECK: exec.store %[[L0]]#3, @recent.0.1
// CHECK: func.func private @decode.block
// CHECK: t6.ring_append %{{.*}}, %{{.*}} at %{{[^ ]*}} : tensor<1x3x8xf32>
// A loss knows whole rows.
// CHECK: func.func private @loss.block
// CHECK: tpa.recent %{{.*}} at %{{[^ ]*}} tokens 3
// CHECK-NOT: t6.ring_append
t6.model @shifted uses @shift {
  vocab = 50, layers = 2, width = 8, ffn = 32, context_length = 64, sizes = {}}

func.func @shift(%x: tensor<?x?x?xf32>, %pos: tensor<?xi32>) -> tensor<?x?x?xf32> {
  %a = t6.param "a" "C" : tensor<?xf32>
  %three = tpa.recent %x at %pos tokens 3 : tensor<?x?x?xf32>, tensor<?xi32>
  %k = tpa.einsum "bnjc,c->bnc"(%three, %a) : tensor<?x?x3x?xf32>, tensor<?xf32>
  %two = tpa.recent %k at %pos tokens 2 : tensor<?x?x?xf32>, tensor<?xi32>
  %v = tpa.einsum "bnjc->bnc"(%two) : tensor<?x?x2x?xf32>
  %o = tpa.attention ["bnc,bmc->bnm"](%x, %v) value "bnm,bmc->bnc"(%v) at %pos {causal, pin_cache}
      : (tensor<?x?x?xf32>, tensor<?x?x?xf32>), (tensor<?x?x?xf32>), tensor<?xi32>
  return %o : tensor<?x?x?xf32>
}
