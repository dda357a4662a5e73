// What a state costs and what a cache does, and why an attention without a normaliser has no state.
// DEFINE: %{remarks} = --remarks-filter=tpa --remark-format=emitRemark 2>&1 >/dev/null
// RUN: tpa-opt %s --split-input-file --t6-build-entries="entries=loss max-length=64" %{remarks} | FileCheck %s
// RUN: tpa-opt %s --split-input-file --t6-build-entries="entries=loss max-length=48" %{remarks} | FileCheck %s --check-prefix=SHORT
// RUN: tpa-opt %s --split-input-file --t6-build-entries="entries=loss linear-state=off" %{remarks} | FileCheck %s --check-prefix=OFF
// RUN: tpa-opt %s --split-input-file --t6-build-entries="entries=loss max-length=64 page-tokens=16" %{remarks} | FileCheck %s --check-prefix=PAGES
// RUN: tpa-opt %S/../../../models/t6_nano.mlir --compile-to=entries %{remarks} | FileCheck %s --check-prefix=NANO --allow-empty
// RUN: not tpa-opt %S/../../../models/t6_nano.mlir --compile-to=entries --linear-state=on 2>&1 | FileCheck %s --check-prefix=ASKED
// RUN: not tpa-opt %S/../../../models/t6_nano.mlir --t6-instantiate-model --t6-build-entries=linear-state=maybe 2>&1 | FileCheck %s --check-prefix=MAYBE
// RUN: not tpa-opt %s --split-input-file --t6-build-entries="entries=loss linear-state=on max-length=64 page-tokens=16 cache-tokens=32" 2>&1 | FileCheck %s --check-prefix=POOL

// POOL: error: 't6.model' op cannot be compiled for a cache of 32 tokens: a state stands for all tokens, and none is cached

// Nobody asked.
// NANO-NOT: linear-state
// ASKED: tpa.mlir:21:8: error: 'tpa.attention' op has no state of constant size: a softmax is no sum over keys
// MAYBE: error: 't6.model' op cannot be compiled with linear-state=maybe: it is auto, on or off

// A state of 8 x 8 f32 against 8 numbers a token, key and value being one: three passes over 256 bytes are those over 24
// tokens. A row of 64 at most is 32 on average, one of 48 is 24.
// CHECK: :[[@LINE+7]]:8: remark: [Passed] linear-state {{.*}}Suggestion="use linear-state=off for the other form", cacheBytesPerToken=32, crossoverTokens=24, form=state, stateBytes=256
// SHORT: :[[@LINE+6]]:8: remark: [Analysis] linear-state {{.*}}Suggestion="use linear-state=on for the other form", cacheBytesPerToken=32, crossoverTokens=24, form=cache, stateBytes=256
// PAGES: :[[@LINE+5]]:8: remark: [Passed] linear-state {{.*}}form=state, pages="none, as there is no cache"
// OFF: :[[@LINE+4]]:8: remark: [Analysis] linear-state {{.*}}Reason="the form is pinned by linear-state", Suggestion="use linear-state=on for the other form", cacheBytesPerToken=32, crossoverTokens=24, form=cache, stateBytes=256
t6.model @eligible uses @f {
  vocab = 50, layers = 1, width = 8, ffn = 32, context_length = 64, sizes = {}}
func.func @f(%x: tensor<1x?x8xf32>, %pos: tensor<1xi32>) -> tensor<1x?x8xf32> {
  %o = tpa.attention ["bnc,bmc->bnm"](%x, %x) value "bnm,bme->bne"(%x) at %pos {causal, normalizer = #tpa.normalizer<none>}
      : (tensor<1x?x8xf32>, tensor<1x?x8xf32>), (tensor<1x?x8xf32>), tensor<1xi32>
  return %o : tensor<1x?x8xf32>
}

// -----

// CHECK: [Analysis] linear-state {{.*}}Reason="the cache is pinned", {{.*}}form=cache
t6.model @pinned uses @f {
  vocab = 50, layers = 1, width = 8, ffn = 32, context_length = 64, sizes = {}}
func.func @f(%x: tensor<1x?x8xf32>, %pos: tensor<1xi32>) -> tensor<1x?x8xf32> {
  %o = tpa.attention ["bnc,bmc->bnm"](%x, %x) value "bnm,bme->bne"(%x) at %pos {causal, normalizer = #tpa.normalizer<none>, pin_cache}
      : (tensor<1x?x8xf32>, tensor<1x?x8xf32>), (tensor<1x?x8xf32>), tensor<1xi32>
  return %o : tensor<1x?x8xf32>
}

// -----

// CHECK: [Missed] linear-state {{.*}}Reason="a query sees keys that come after it", Suggestion="make it causal"
t6.model @not_causal uses @f {
  vocab = 50, layers = 1, width = 8, ffn = 32, context_length = 64, sizes = {}}
func.func @f(%x: tensor<1x?x8xf32>, %pos: tensor<1xi32>) -> tensor<1x?x8xf32> {
  %o = tpa.attention ["bnc,bmc->bnm"](%x, %x) value "bnm,bme->bne"(%x) {normalizer = #tpa.normalizer<none>}
      : (tensor<1x?x8xf32>, tensor<1x?x8xf32>), (tensor<1x?x8xf32>)
  return %o : tensor<1x?x8xf32>
}

// -----

// CHECK: [Missed] linear-state {{.*}}Reason="keys leave the window, and a sum does not say what they gave", Suggestion="drop the window"
t6.model @window uses @f {
  vocab = 50, layers = 1, width = 8, ffn = 32, context_length = 64, sizes = {}}
func.func @f(%x: tensor<1x?x8xf32>, %pos: tensor<1xi32>) -> tensor<1x?x8xf32> {
  %o = tpa.attention ["bnc,bmc->bnm"](%x, %x) value "bnm,bme->bne"(%x) at %pos {causal, window = 4 : i64, normalizer = #tpa.normalizer<none>}
      : (tensor<1x?x8xf32>, tensor<1x?x8xf32>), (tensor<1x?x8xf32>), tensor<1xi32>
  return %o : tensor<1x?x8xf32>
}

// -----

// CHECK: [Missed] linear-state {{.*}}Reason="a capped score is no product of factors", Suggestion="drop softcap"
t6.model @softcap uses @f {
  vocab = 50, layers = 1, width = 8, ffn = 32, context_length = 64, sizes = {}}
func.func @f(%x: tensor<1x?x8xf32>, %pos: tensor<1xi32>) -> tensor<1x?x8xf32> {
  %o = tpa.attention ["bnc,bmc->bnm"](%x, %x) value "bnm,bme->bne"(%x) at %pos {causal, softcap = 2.0 : f64, normalizer = #tpa.normalizer<none>}
      : (tensor<1x?x8xf32>, tensor<1x?x8xf32>), (tensor<1x?x8xf32>), tensor<1xi32>
  return %o : tensor<1x?x8xf32>
}

// -----

// CHECK: [Missed] linear-state {{.*}}Reason="the bias of a key changes with the query", Suggestion="drop the slopes"
t6.model @slopes uses @f {
  vocab = 50, layers = 1, width = 8, ffn = 32, context_length = 64, sizes = {}}
func.func @f(%x: tensor<1x?x8xf32>, %pos: tensor<1xi32>) -> tensor<1x?x8xf32> {
  %s = t6.param "slopes" "C" : tensor<8xf32>
  %o = tpa.attention ["bnc,bmc->bcnm"](%x, %x) value "bcnm,bmc->bnc"(%x) at %pos slopes "c"(%s) {causal, normalizer = #tpa.normalizer<none>}
      : (tensor<1x?x8xf32>, tensor<1x?x8xf32>), (tensor<1x?x8xf32>), tensor<1xi32> slopes tensor<8xf32>
  return %o : tensor<1x?x8xf32>
}

// -----

// Of other normalisers nothing is said.
// CHECK-NOT: linear-state
t6.model @sigmoid uses @f {
  vocab = 50, layers = 1, width = 8, ffn = 32, context_length = 64, sizes = {}}
func.func @f(%x: tensor<1x?x8xf32>, %pos: tensor<1xi32>) -> tensor<1x?x8xf32> {
  %o = tpa.attention ["bnc,bmc->bnm"](%x, %x) value "bnm,bme->bne"(%x) at %pos {causal, normalizer = #tpa.normalizer<sigmoid>}
      : (tensor<1x?x8xf32>, tensor<1x?x8xf32>), (tensor<1x?x8xf32>), tensor<1xi32>
  return %o : tensor<1x?x8xf32>
}
