// RUN: tpa-opt %s --verify-roundtrip | FileCheck %s

// CHECK-LABEL: @einsum
func.func @einsum(%bq: tensor<1x1x6x64xf32>, %bk: tensor<1x?x2x64xbf16>) -> tensor<1x1x?x6x2xf32> {
  // CHECK: tpa.einsum "bnrd,bmsd->bnmrs"(%{{.*}}, %{{.*}}) : tensor<1x1x6x64xf32>, tensor<1x?x2x64xbf16>
  %p = tpa.einsum "bnrd,bmsd->bnmrs"(%bq, %bk) : tensor<1x1x6x64xf32>, tensor<1x?x2x64xbf16>
  return %p : tensor<1x1x?x6x2xf32>
}

// CHECK-LABEL: @einsum_scale
func.func @einsum_scale(%x: tensor<4x?xf64>) -> tensor<?x4xf64> {
  // CHECK: tpa.einsum "ab->ba"(%{{.*}}) {scale = 1.250000e-01 : f64} : tensor<4x?xf64>
  %y = tpa.einsum "ab->ba"(%x) {scale = 0.125 : f64} : tensor<4x?xf64>
  return %y : tensor<?x4xf64>
}

// A term without labels is a number; so is an output without labels.
// CHECK-LABEL: @einsum_scalars
func.func @einsum_scalars(%x: tensor<4xf32>, %s: tensor<f32>) -> tensor<f32> {
  // CHECK: tpa.einsum "a,->"(%{{.*}}, %{{.*}}) : tensor<4xf32>, tensor<f32>
  %y = tpa.einsum "a,->"(%x, %s) : tensor<4xf32>, tensor<f32>
  return %y : tensor<f32>
}

// CHECK-LABEL: @factorize
func.func @factorize(%x: tensor<1x?x768xf32>, %wa: tensor<34x6x768xf32>, %wb: tensor<6x64x768xbf16>)
    -> (tensor<1x?x6x34xf32>, tensor<1x?x6x64xf32>) {
  // CHECK: tpa.factorize %{{.*}}, %{{.*}}, %{{.*}} : tensor<1x?x768xf32>, tensor<34x6x768xf32>, tensor<6x64x768xbf16>
  %a, %b = tpa.factorize %x, %wa, %wb : tensor<1x?x768xf32>, tensor<34x6x768xf32>, tensor<6x64x768xbf16>
  return %a, %b : tensor<1x?x6x34xf32>, tensor<1x?x6x64xf32>
}

// CHECK-LABEL: @materialize
func.func @materialize(%a: tensor<1x1x6x34xf32>, %b: tensor<1x1x6x64xf32>) -> tensor<1x1x34x64xf32> {
  // CHECK: tpa.materialize %{{.*}}, %{{.*}} : tensor<1x1x6x34xf32>, tensor<1x1x6x64xf32>
  %q = tpa.materialize %a, %b : tensor<1x1x6x34xf32>, tensor<1x1x6x64xf32>
  return %q : tensor<1x1x34x64xf32>
}

// CHECK-LABEL: @rope
func.func @rope(%x: tensor<1x?x2x64xf32>, %pos: tensor<1xi32>) -> tensor<1x?x2x64xf32> {
  // CHECK: tpa.rope %{{.*}} at %{{.*}} {rope = #tpa.rope<transposed = true, table = bf16>} : tensor<1x?x2x64xf32>, tensor<1xi32>
  %y = tpa.rope %x at %pos {rope = #tpa.rope<transposed = true, table = bf16>} : tensor<1x?x2x64xf32>, tensor<1xi32>
  return %y : tensor<1x?x2x64xf32>
}

// CHECK-LABEL: @recent
func.func @recent(%x: tensor<1x?x6x16xf32>, %pos: tensor<1xi32>, %ring: tensor<1x2x6x16xbf16>) -> tensor<1x?x2x6x16xf32> {
  // CHECK: tpa.recent %{{.*}} at %{{.*}} tokens 3 : tensor<1x?x6x16xf32>, tensor<1xi32>
  %alone = tpa.recent %x at %pos tokens 3 : tensor<1x?x6x16xf32>, tensor<1xi32>
  // CHECK: tpa.recent %{{.*}} at %{{.*}} ring %{{.*}} tokens 2 : tensor<1x?x6x16xf32>, tensor<1xi32>, tensor<1x2x6x16xbf16>
  %y = tpa.recent %x at %pos ring %ring tokens 2 : tensor<1x?x6x16xf32>, tensor<1xi32>, tensor<1x2x6x16xbf16>
  return %y : tensor<1x?x2x6x16xf32>
}

// CHECK-LABEL: @rope_attribute
// CHECK-SAME: all = #tpa.rope<theta = 5.000000e+05 : f64, pairs = interleaved, transposed = true, table = bf16>
// CHECK-SAME: defaults = #tpa.rope,
// CHECK-SAME: keys = #tpa.rope<decay = 4.000000e-01 : f64, decay_base = 1.024000e+03 : f64, reciprocal = true>
// CHECK-SAME: pairs = #tpa.rope<pairs = interleaved>
// CHECK-SAME: partial = #tpa.rope<fraction = 2.500000e-01 : f64>
// CHECK-SAME: same = #tpa.rope}
func.func private @rope_attribute() attributes {
  all = #tpa.rope<theta = 5.0e5 : f64, pairs = interleaved, transposed = true, table = bf16>,
  defaults = #tpa.rope,
  keys = #tpa.rope<decay = 0.4 : f64, decay_base = 1024.0 : f64, reciprocal = true>,
  pairs = #tpa.rope<pairs = interleaved>,
  partial = #tpa.rope<fraction = 0.25 : f64>,
  same = #tpa.rope<theta = 1.0e4 : f64, pairs = half, transposed = false, table = f32>}

// CHECK-LABEL: @normalizers
// CHECK-SAME: all = [#tpa.normalizer<softmax>, #tpa.normalizer<sigmoid>, #tpa.normalizer<none>]
func.func private @normalizers() attributes {
  all = [#tpa.normalizer<softmax>, #tpa.normalizer<sigmoid>, #tpa.normalizer<none>]}

// CHECK-LABEL: @attention
func.func @attention(%q: tensor<1x?x4x8xf32>, %k: tensor<1x?x4x8xf32>, %v: tensor<1x?x4x16xbf16>) -> tensor<1x?x4x16xf32> {
  // CHECK: tpa.attention ["bnhd,bmhd->bhnm"](%{{.*}}, %{{.*}}) value "bhnm,bmhe->bnhe"(%{{.*}}) :
  // CHECK-SAME: (tensor<1x?x4x8xf32>, tensor<1x?x4x8xf32>), (tensor<1x?x4x16xbf16>)
  %o = tpa.attention ["bnhd,bmhd->bhnm"](%q, %k) value "bhnm,bmhe->bnhe"(%v)
      : (tensor<1x?x4x8xf32>, tensor<1x?x4x8xf32>), (tensor<1x?x4x16xbf16>)
  return %o : tensor<1x?x4x16xf32>
}

// CHECK-LABEL: @attention_pinned
func.func @attention_pinned(%q: tensor<1x?x4x8xf32>) -> tensor<1x?x4x8xf32> {
  // CHECK: tpa.attention {{.*}} {pin_cache} :
  %o = tpa.attention ["bnhd,bmhd->bhnm"](%q, %q) value "bhnm,bmhe->bnhe"(%q) {pin_cache}
      : (tensor<1x?x4x8xf32>, tensor<1x?x4x8xf32>), (tensor<1x?x4x8xf32>)
  return %o : tensor<1x?x4x8xf32>
}

// CHECK-LABEL: @attention_causal
func.func @attention_causal(%aq: tensor<1x1x6x34xf32>, %bq: tensor<1x1x6x64xf32>,
                            %ak: tensor<1x?x2x34xf32>, %bk: tensor<1x?x2x64xf32>,
                            %av: tensor<1x?x2x34xf32>, %bv: tensor<1x?x2x64xf32>,
                            %pos: tensor<1xi32>) -> tensor<1x1x34x64xf32> {
  // CHECK: tpa.attention ["bnrh,bnrd,bmsh,bmsd->bhnm"](%{{.*}}) value "bhnm,bmuh,bmue->bnhe"(%{{.*}}) at %{{[^ ]*}}
  // CHECK-SAME: {causal, normalizer = #tpa.normalizer<sigmoid>, per_sqrt = "D", scale = 1.000000e-02 : f64, softcap = 3.000000e+01 : f64, window = 128 : i64}
  %o = tpa.attention ["bnrh,bnrd,bmsh,bmsd->bhnm"](%aq, %bq, %ak, %bk)
         value "bhnm,bmuh,bmue->bnhe"(%av, %bv) at %pos
         {scale = 1.0e-2 : f64, per_sqrt = "D", causal, window = 128, softcap = 30.0 : f64,
          normalizer = #tpa.normalizer<sigmoid>}
      : (tensor<1x1x6x34xf32>, tensor<1x1x6x64xf32>, tensor<1x?x2x34xf32>, tensor<1x?x2x64xf32>),
        (tensor<1x?x2x34xf32>, tensor<1x?x2x64xf32>), tensor<1xi32>
  return %o : tensor<1x1x34x64xf32>
}

// Two score terms, one of them with a key shared by all heads.
// CHECK-LABEL: @attention_scores
func.func @attention_scores(%q: tensor<2x?x4x8xf32>, %k: tensor<2x?x4x8xf32>,
                            %q_p: tensor<2x?x4x2xf32>, %k_p: tensor<2x?x2xf32>,
                            %v: tensor<2x?x4x8xf32>) -> tensor<2x?x4x8xf32> {
  // CHECK: tpa.attention ["bnhd,bmhd->bhnm", "bnhp,bmp->bhnm"]
  %o = tpa.attention ["bnhd,bmhd->bhnm", "bnhp,bmp->bhnm"](%q, %k, %q_p, %k_p) value "bhnm,bmhe->bnhe"(%v)
      : (tensor<2x?x4x8xf32>, tensor<2x?x4x8xf32>, tensor<2x?x4x2xf32>, tensor<2x?x2xf32>), (tensor<2x?x4x8xf32>)
  return %o : tensor<2x?x4x8xf32>
}

// CHECK-LABEL: @attention_tree
func.func @attention_tree(%q: tensor<1x3x4x8xf32>, %k: tensor<1x?x4x8xf32>, %pos: tensor<1xi32>,
                          %each: tensor<1x3xi32>, %ancestors: tensor<1x3xi64>) -> tensor<1x3x4x8xf32> {
  // CHECK: tpa.rope %{{.*}} at %{{.*}} {rope = #tpa.rope} : tensor<1x3x4x8xf32>, tensor<1x3xi32>
  %r = tpa.rope %q at %each {rope = #tpa.rope} : tensor<1x3x4x8xf32>, tensor<1x3xi32>
  // CHECK: tpa.attention ["bnhd,bmhd->bhnm"](%{{.*}}) value "bhnm,bmhe->bnhe"(%{{.*}}) at %{{.*}} ancestors %{{.*}} {causal} :
  // CHECK-SAME: tensor<1xi32> ancestors tensor<1x3xi64>
  %o = tpa.attention ["bnhd,bmhd->bhnm"](%r, %k) value "bhnm,bmhe->bnhe"(%k) at %pos ancestors %ancestors {causal}
      : (tensor<1x3x4x8xf32>, tensor<1x?x4x8xf32>), (tensor<1x?x4x8xf32>), tensor<1xi32> ancestors tensor<1x3xi64>
  return %o : tensor<1x3x4x8xf32>
}

// CHECK-LABEL: @attention_slopes_and_sinks
func.func @attention_slopes_and_sinks(%q: tensor<1x?x2x4x8xf32>, %k: tensor<1x?x2x8xf32>, %pos: tensor<1xi32>,
                                      %slopes: tensor<2x4xf32>, %sinks: tensor<4xbf16>) -> tensor<1x?x2x4x8xf32> {
  // CHECK: tpa.attention ["bngjd,bmgd->bgjnm"](%{{.*}}) value "bgjnm,bmge->bngje"(%{{.*}}) at %{{.*}} slopes "gj"(%{{.*}}) sinks "j"(%{{.*}}) {causal} :
  // CHECK-SAME: (tensor<1x?x2x4x8xf32>, tensor<1x?x2x8xf32>), (tensor<1x?x2x8xf32>), tensor<1xi32> slopes tensor<2x4xf32> sinks tensor<4xbf16>
  %o = tpa.attention ["bngjd,bmgd->bgjnm"](%q, %k) value "bgjnm,bmge->bngje"(%k) at %pos
         slopes "gj"(%slopes) sinks "j"(%sinks) {causal}
      : (tensor<1x?x2x4x8xf32>, tensor<1x?x2x8xf32>), (tensor<1x?x2x8xf32>), tensor<1xi32>
        slopes tensor<2x4xf32> sinks tensor<4xbf16>
  return %o : tensor<1x?x2x4x8xf32>
}

// CHECK-LABEL: @log_sum_exp
func.func @log_sum_exp(%x: tensor<1x34x1x?xf32>, %s: tensor<34xf32>) -> (tensor<1x34x1xf32>, tensor<1x34x1xf32>) {
  // CHECK: tpa.log_sum_exp %{{.*}} : tensor<1x34x1x?xf32>
  %l = tpa.log_sum_exp %x : tensor<1x34x1x?xf32>
  // CHECK: tpa.log_sum_exp %{{.*}} sinks %{{.*}} along [1] : tensor<1x34x1x?xf32>, tensor<34xf32>
  %k = tpa.log_sum_exp %x sinks %s along [1] : tensor<1x34x1x?xf32>, tensor<34xf32>
  return %l, %k : tensor<1x34x1xf32>, tensor<1x34x1xf32>
}

// CHECK-LABEL: @softmax
func.func @softmax(%l: tensor<1x34x1x?xf32>) -> tensor<1x34x1x?xf32> {
  // CHECK: tpa.softmax %{{.*}} : tensor<1x34x1x?xf32>
  %w = tpa.softmax %l : tensor<1x34x1x?xf32>
  return %w : tensor<1x34x1x?xf32>
}

// CHECK-LABEL: @softmax_sinks
func.func @softmax_sinks(%l: tensor<1x34x2x?xf32>, %s: tensor<34x2xf32>) -> tensor<1x34x2x?xf32> {
  // CHECK: tpa.softmax %{{.*}} sinks %{{.*}} along [1, 2] : tensor<1x34x2x?xf32>, tensor<34x2xf32>
  %w = tpa.softmax %l sinks %s along [1, 2] : tensor<1x34x2x?xf32>, tensor<34x2xf32>
  return %w : tensor<1x34x2x?xf32>
}
