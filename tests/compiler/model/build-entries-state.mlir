// RUN: tpa-opt %s --t6-instantiate-model=batch=3 --t6-build-entries="linear-state=on verify-tokens=4 max-length=32" | FileCheck %s
// RUN: tpa-opt %s --t6-instantiate-model=batch=3 --t6-build-entries="linear-state=on page-tokens=16 max-length=32" | FileCheck %s --check-prefix=PAGES
// RUN: tpa-opt %s --t6-instantiate-model=batch=3 --t6-build-entries="linear-state=off max-length=32" | FileCheck %s --check-prefix=OFF
// RUN: tpa-opt %s --compile-to=memory --batch=3 --linear-state=on --entries=decode | FileCheck %s --check-prefix=MEMORY

// No cache, but per term of the scores a sum over keys, under the labels that queries and the result tell its numbers
// apart by. The first has the factor of the values' parameter in it, by which it is smaller (4 x 2, not 4 x 8);
// the second has none of that of the keys, by which it would be larger (8 x 2, not 3 x 2).
// CHECK-NOT: @cache
// CHECK: exec.buffer state @state.tokens : tensor<3xi32> {recurrent}
// CHECK-NEXT: exec.buffer state @state.0.0 : tensor<3x4x2xf32> {recurrent}
// CHECK-NEXT: exec.buffer state @state.0.1 : tensor<3x3x2xf32> {recurrent}
// CHECK-NEXT: exec.buffer state @state.1.0 : tensor<3x4x2xf32> {recurrent}
// CHECK-NOT: @cache

// Prefill: what the states say, the attention of the run's tokens to each other, and then the new states. Tokens
// that the states hold already, and padding, have a value of zero.
// CHECK: func.func private @prefill.block(%{{.*}}: index {exec.scalar = "n"}, %{{.*}}: index {exec.scalar = "m"},
// CHECK-SAME: %[[POS:.*]]: tensor<3xi32>, %[[LAST:.*]]: tensor<3xi32>, %[[HELD:.*]]: tensor<3xi32>, %{{.*}}: tensor<3x?x8xf32> {exec.dims = ["", "n", ""]},
// CHECK-SAME: %[[S0:.*]]: tensor<3x4x2xf32>, %[[S1:[^:]*]]: tensor<3x3x2xf32>, %[[WE:[^:]*]]: tensor<8x4xf32>
// CHECK: %[[X:.*]] = t6.rms_norm
// CHECK: %[[E:.*]] = tpa.einsum "bnc,ce->bne"(%[[X]], %[[WE]])
// CHECK: %[[V:.*]] = tpa.map "bnd->bnd"(%[[X]]) {
// CHECK: %[[N:.*]] = tpa.index "n"
// CHECK: %[[H:.*]] = tensor.extract %[[HELD]][
// CHECK: %[[H_INDEX:.*]] = arith.index_cast %[[H]]
// CHECK: %[[IS_NEW:.*]] = arith.cmpi sge, %[[N]], %[[H_INDEX]]
// CHECK: %[[L:.*]] = tensor.extract %[[LAST]][
// CHECK: %[[L_INDEX:.*]] = arith.index_cast %[[L]]
// CHECK: %[[IS_TOKEN:.*]] = arith.cmpi sle, %[[N]], %[[L_INDEX]]
// CHECK: %[[TAKEN:.*]] = arith.andi %[[IS_NEW]], %[[IS_TOKEN]]
// CHECK: arith.select %[[TAKEN]], %{{.*}}, %{{.*}}
// CHECK: %[[U0:.*]] = tpa.einsum "bme,bmd,dv->bev"(%[[E]], %[[V]], %[[WV:.*]])
// CHECK: %[[U1:.*]] = tpa.einsum "bma,bmd,dv->bav"(%{{.*}}, %[[V]], %[[WV]])
// CHECK: %[[R0:.*]] = tpa.einsum "bne,bev->bnv"(%[[E]], %[[S0]]) {scale = 5.000000e-01 : f64}
// CHECK: %[[R1:.*]] = tpa.einsum "bnc,ca,bav->bnv"(%[[X]], %{{.*}}, %[[S1]]) {scale = 5.000000e-01 : f64}
// CHECK: %[[R:.*]] = arith.addf %[[R0]], %[[R1]]
// CHECK: %[[ZERO:.*]] = arith.constant dense<0> : tensor<3xi32>
// CHECK: %[[OWN:.*]] = tpa.attention ["bne,bme->bnm", "bnc,ca,bma->bnm"](%[[E]], %[[E]], %[[X]], %{{.*}}, %{{.*}}) value "bnm,bmd,dv->bnv"(%[[V]], %[[WV]]) at %[[ZERO]]
// A state of a row that begins may be anything: it is not read, rather than weighed by zero.
// CHECK: tpa.map "bnv,bnv->bnv"(%[[OWN]], %[[R]]) {
// CHECK: ^bb0(%[[O:.*]]: f32, %[[EARLIER:.*]]: f32):
// CHECK: %[[SUM:.*]] = arith.addf %[[O]], %[[EARLIER]]
// CHECK: %[[P:.*]] = tensor.extract %[[POS]][
// CHECK: %[[P_INDEX:.*]] = arith.index_cast %[[P]]
// CHECK: %[[FIRST:.*]] = arith.cmpi eq, %[[P_INDEX]], %{{.*}}
// CHECK: arith.select %[[FIRST]], %[[O]], %[[SUM]]
// What they held is read before they are written.
// CHECK: %[[N0:.*]] = t6.accumulate %[[S0]], %[[U0]] at %[[POS]]
// CHECK: %[[N1:.*]] = t6.accumulate %[[S1]], %[[U1]] at %[[POS]]
// CHECK: return %{{.*}}, %[[N0]], %[[N1]]

// How many of a run's tokens the states hold is the same for all layers, and is none where a row begins.
// CHECK: exec.entry @prefill
// CHECK: %[[AT:.*]] = exec.load @prefill.positions
// CHECK: %[[LAST_IN:.*]] = exec.load @prefill.last
// CHECK: %[[TOKENS:.*]] = exec.load @state.tokens
// CHECK: %[[AHEAD:.*]] = arith.subi %[[TOKENS]], %[[AT]]
// CHECK: %[[HELD_IN:.*]] = arith.minsi %[[AHEAD]], %[[AT]]
// CHECK: %[[L0:.*]]:3 = func.call @prefill.block({{.*}}, %[[AT]], %[[LAST_IN]], %[[HELD_IN]],
// CHECK: exec.store %[[L0]]#1, @state.0.0
// CHECK: exec.store %[[L0]]#2, @state.0.1
// CHECK: func.call @prefill.block({{.*}}, %[[AT]], %[[LAST_IN]], %[[HELD_IN]],
// CHECK: %[[ONE:.*]] = arith.constant dense<1>
// CHECK: %[[NEXT:.*]] = arith.addi %[[AT]], %[[ONE]]
// CHECK: %[[END:.*]] = arith.addi %[[NEXT]], %[[LAST_IN]]
// CHECK: exec.store %[[END]], @state.tokens

// Decode: the token is in the states before they are read; nothing else is attended to.
// CHECK: func.func private @decode.block({{.*}}: tensor<3xi32>, %{{.*}}: tensor<3xi32>, %{{.*}}: tensor<3x1x8xf32>, %[[S0:.*]]: tensor<3x4x2xf32>, %[[S1:[^:]*]]: tensor<3x3x2xf32>
// CHECK-NOT: tpa.attention
// CHECK: %[[N0:.*]] = t6.accumulate %[[S0]],
// CHECK: %[[N1:.*]] = t6.accumulate %[[S1]],
// CHECK: tpa.einsum "bne,bev->bnv"(%{{.*}}, %[[N0]])
// CHECK: tpa.einsum "bnc,ca,bav->bnv"(%{{.*}}, %{{.*}}, %[[N1]])
// CHECK-NOT: tpa.attention
// CHECK: return %{{.*}}, %[[N0]], %[[N1]]
// CHECK: exec.entry @decode
// CHECK: exec.store %{{.*}}, @state.tokens

// Guesses leave no trace.
// CHECK: func.func private @verify.block({{.*}}, %[[ANCESTORS:.*]]: tensor<3x4xi64>, %{{.*}}: tensor<3xi32>, %{{.*}}: tensor<3x4x8xf32>, %[[S0:.*]]: tensor<3x4x2xf32>, %[[S1:[^:]*]]: tensor<3x3x2xf32>
// CHECK: tpa.attention {{.*}} at %{{[^ ]*}} ancestors %[[ANCESTORS]]
// CHECK-NOT: t6.accumulate
// CHECK: return %{{.*}}, %[[S0]], %[[S1]]
// CHECK: exec.entry @verify
// CHECK-NOT: exec.store %{{.*}}, @state.tokens

// A loss knows whole rows.
// CHECK: func.func private @loss.block
// CHECK-NOT: tensor<3x4x2xf32>
// CHECK: tpa.attention
// CHECK: exec.entry @loss
// CHECK-NOT: @state.

// Without a cache there are no pages.
// PAGES-NOT: pages
// PAGES-NOT: page_tokens

// A factor of queries and keys is cached for the keys.
// OFF-NOT: recurrent
// OFF: exec.buffer state @cache.0.0 : tensor<3x32x4xf32>
// OFF-NOT: recurrent
// OFF: func.func private @decode.block
// OFF: %[[X:.*]] = t6.rms_norm
// OFF: %[[E:.*]] = tpa.einsum "bnc,ce->bne"(%[[X]],
// OFF: %[[KEYS:.*]] = t6.cache_read
// OFF: tpa.attention {{.*}}(%[[E]], %[[KEYS]], %[[X]], %{{.*}}, %{{.*}}) value

// A state is written where it is read, by the kernel that makes what is added to it.
// MEMORY-LABEL: exec.entry @decode
// MEMORY-NOT: exec.view @decode.arena {{.*}} : memref<3x4x2xf32>
// MEMORY: %[[S0:.*]] = exec.view @state.0.0 at 0 : memref<3x4x2xf32>
// MEMORY-NEXT: %[[S1:.*]] = exec.view @state.0.1 at 0 : memref<3x3x2xf32>
// MEMORY-NEXT: exec.dispatch @{{.*}} writes({{[^)]*}}%[[S0]], %[[S1]] :
// MEMORY: exec.dispatch @{{.*}} reads({{[^)]*}}%[[S1]], {{[^)]*}}%[[S0]],
// MEMORY-NOT: exec.view @decode.arena {{.*}} : memref<3x4x2xf32>
t6.model @linear uses @two_terms {
  vocab = 50, layers = 2, width = 8, ffn = 32, context_length = 64, sizes = {E = 4, A = 3, V = 2}}

func.func @two_terms(%x: tensor<?x?x?xf32>, %pos: tensor<?xi32>) -> tensor<?x?x?xf32> {
  %we = t6.param "e" "C E" : tensor<?x?xf32>
  %wa = t6.param "a" "C A" : tensor<?x?xf32>
  %wv = t6.param "v" "C V" : tensor<?x?xf32>
  %wo = t6.param "o" "V C" : tensor<?x?xf32>
  %e = tpa.einsum "bnc,ce->bne"(%x, %we) : tensor<?x?x?xf32>, tensor<?x?xf32>
  %a = tpa.einsum "bnc,ca->bna"(%x, %wa) : tensor<?x?x?xf32>, tensor<?x?xf32>
  %o = tpa.attention ["bne,bme->bnm", "bnc,ca,bma->bnm"](%e, %e, %x, %wa, %a) value "bnm,bmd,dv->bnv"(%x, %wv) at %pos
         {causal, pin_cache, scale = 0.5 : f64, normalizer = #tpa.normalizer<none>}
      : (tensor<?x?x?xf32>, tensor<?x?x?xf32>, tensor<?x?x?xf32>, tensor<?x?xf32>, tensor<?x?x?xf32>), (tensor<?x?x?xf32>, tensor<?x?xf32>), tensor<?xi32>
  %y = tpa.einsum "bnv,vc->bnc"(%o, %wo) : tensor<?x?x?xf32>, tensor<?x?xf32>
  return %y : tensor<?x?x?xf32>
}
