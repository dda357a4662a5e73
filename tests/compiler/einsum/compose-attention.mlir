// RUN: tpa-opt %s --tpa-compose-attention | FileCheck %s
// RUN: tpa-opt %s --tpa-compose-attention --tpa-compose-attention | FileCheck %s
// RUN: tpa-opt %s --tpa-compose-attention=target=sm_80 | FileCheck %s --check-prefix=TENSOR
// RUN: tpa-opt %s --tpa-compose-attention --remarks-filter=tpa --remark-format=emitRemark 2>&1 >/dev/null | FileCheck %s --check-prefix=REMARK

// Rank 2 of 4 heads of 8: 2 * (4 + 8) numbers a token instead of 4 * 8, so keys
// and values stay factors; queries do too, being made of activations alone. The
// means' 1/3 * 1/2 go to the scores' scale, the values' 1/2 to the result.
// CHECK-LABEL: @small_ranks
// CHECK-SAME: %[[AQ:.*]]: tensor<1x?x3x4xf32>, %[[BQ:.*]]: tensor<1x?x3x8xf32>, %[[AK:.*]]: tensor<1x?x2x4xf32>, %[[BK:.*]]: tensor<1x?x2x8xf32>
// CHECK: %[[O:.*]] = tpa.attention ["bnrh,bnrd,bmsh,bmsd->bhnm"](%[[AQ]], %[[BQ]], %[[AK]], %[[BK]])
// CHECK-SAME: value "bhnm,bmth,bmte->bnhe"(%[[AK]], %[[BK]])
// CHECK-SAME: scale = 0.16666666666666666 : f64
// CHECK: %[[HALF:.*]] = tpa.einsum "bnhe->bnhe"(%[[O]]) {scale = 5.000000e-01 : f64}
// CHECK: return %[[HALF]]
// Keys and values of the same factors are cached once; one alone would be cached beside them.
// REMARK: compose-attention.mlir:[[#@LINE+7]]:{{.*}} remark: [Passed] cache-cut {{.*}} bytesPerToken=96, cached="bmsh,bmsd: 96 B, 7.4 ns + 288 FLOP, 3.3 ns", cuts=4,
// REMARK-SAME: rivals="bmhd,bmsh,bmse: 224 B, 17.2 ns + 208 FLOP, 2.6 ns; bmsh,bmsd,bmhe: 224 B, 17.2 ns + 208 FLOP, 2.6 ns; bmhd,bmhe: 256 B, 19.7 ns + 128 FLOP, 1.9 ns"
func.func @small_ranks(%aq: tensor<1x?x3x4xf32>, %bq: tensor<1x?x3x8xf32>,
                       %ak: tensor<1x?x2x4xf32>, %bk: tensor<1x?x2x8xf32>) -> tensor<1x?x4x8xf32> {
  %q = tpa.materialize %aq, %bq : tensor<1x?x3x4xf32>, tensor<1x?x3x8xf32>
  %k = tpa.materialize %ak, %bk : tensor<1x?x2x4xf32>, tensor<1x?x2x8xf32>
  %v = tpa.materialize %ak, %bk : tensor<1x?x2x4xf32>, tensor<1x?x2x8xf32>
  %o = tpa.attention ["bnhd,bmhd->bhnm"](%q, %k) value "bhnm,bmhe->bnhe"(%v)
      : (tensor<1x?x4x8xf32>, tensor<1x?x4x8xf32>), (tensor<1x?x4x8xf32>)
  return %o : tensor<1x?x4x8xf32>
}

// Rank 4: 4 * (4 + 8) = 48 numbers a token are more than 32, so keys are formed.
// CHECK-LABEL: @big_rank
// CHECK: %[[K:.*]] = tpa.materialize
// CHECK: tpa.attention ["bnhd,bmhd->bhnm"](%{{.*}}, %[[K]]) value "bhnm,bmhe->bnhe"(%[[K]])
// REMARK: [Analysis] cache-cut {{.*}} cached="bmhd: 128 B, 9.8 ns + 128 FLOP, 1.9 ns", cuts=2, rivals="bmrh,bmrd: 192 B, 14.8 ns + 576 FLOP, 5.6 ns"
func.func @big_rank(%q: tensor<1x?x4x8xf32>, %ak: tensor<1x?x4x4xf32>, %bk: tensor<1x?x4x8xf32>) -> tensor<1x?x4x8xf32> {
  %k = tpa.materialize %ak, %bk : tensor<1x?x4x4xf32>, tensor<1x?x4x8xf32>
  %o = tpa.attention ["bnhd,bmhd->bhnm"](%q, %k) value "bhnm,bmhe->bnhe"(%k)
      : (tensor<1x?x4x8xf32>, tensor<1x?x4x8xf32>), (tensor<1x?x4x8xf32>)
  return %o : tensor<1x?x4x8xf32>
}

// Equal is not fewer: 1 * (4 + 4) against 4 * 2. The arithmetic decides.
// CHECK-LABEL: @equal_size
// CHECK: tpa.einsum
// CHECK: tpa.attention ["bnhd,bmhd->bhnm"]
// REMARK: [Analysis] cache-cut {{.*}} cached="bmhd,bmhe: 160 B, 12.3 ns + 80 FLOP, 1.6 ns", cuts=2, rivals="bma,bmh,bmhe: 160 B, 12.3 ns + 104 FLOP, 1.8 ns"
func.func @equal_size(%q: tensor<1x?x4x2xf32>, %v: tensor<1x?x4x8xf32>, %a: tensor<1x?x4xf32>, %c: tensor<1x?x4xf32>, %w: tensor<4x4x2xf32>) -> tensor<1x?x4x8xf32> {
  %k = tpa.einsum "bma,bmh,ahd->bmhd"(%a, %c, %w) : tensor<1x?x4xf32>, tensor<1x?x4xf32>, tensor<4x4x2xf32>
  %o = tpa.attention ["bnhd,bmhd->bhnm"](%q, %k) value "bhnm,bmhe->bnhe"(%v)
      : (tensor<1x?x4x2xf32>, tensor<1x?x4x2xf32>), (tensor<1x?x4x8xf32>)
  return %o : tensor<1x?x4x8xf32>
}

// A latent of 10 numbers a token under weights that no token brings: 10 < 32. The
// weights join the equation (absorption). Its label d is taken for the query's.
// CHECK-LABEL: @latent
// CHECK-SAME: %[[Q:.*]]: tensor<1x?x4x8xf32>, %[[C:.*]]: tensor<1x?x10xf32>, %[[UK:.*]]: tensor<4x8x10xf32>, %[[UV:.*]]: tensor<4x8x10xf32>
// CHECK: tpa.attention ["bnhd,bml,hdl->bhnm"](%[[Q]], %[[C]], %[[UK]]) value "bhnm,bmo,heo->bnhe"(%[[C]], %[[UV]])
func.func @latent(%q: tensor<1x?x4x8xf32>, %c: tensor<1x?x10xf32>, %uk: tensor<4x8x10xf32>, %uv: tensor<4x8x10xf32>) -> tensor<1x?x4x8xf32> {
  %k = tpa.einsum "bml,hdl->bmhd"(%c, %uk) : tensor<1x?x10xf32>, tensor<4x8x10xf32>
  %v = tpa.einsum "bml,hdl->bmhd"(%c, %uv) : tensor<1x?x10xf32>, tensor<4x8x10xf32>
  %o = tpa.attention ["bnhd,bmhd->bhnm"](%q, %k) value "bhnm,bmhe->bnhe"(%v)
      : (tensor<1x?x4x8xf32>, tensor<1x?x4x8xf32>), (tensor<1x?x4x8xf32>)
  return %o : tensor<1x?x4x8xf32>
}

// Producers of producers are reached: the key is c's up-projection twice over.
// CHECK-LABEL: @chain
// CHECK: tpa.attention ["bnd,bmy,zy,dz->bnm"]
func.func @chain(%q: tensor<1x?x8xf32>, %c: tensor<1x?x2xf32>, %u: tensor<4x2xf32>, %w: tensor<8x4xf32>) -> tensor<1x?x8xf32> {
  %l = tpa.einsum "bmy,zy->bmz"(%c, %u) : tensor<1x?x2xf32>, tensor<4x2xf32>
  %k = tpa.einsum "bmz,dz->bmd"(%l, %w) : tensor<1x?x4xf32>, tensor<8x4xf32>
  %o = tpa.attention ["bnd,bmd->bnm"](%q, %k) value "bnm,bme->bne"(%q)
      : (tensor<1x?x8xf32>, tensor<1x?x8xf32>), (tensor<1x?x8xf32>)
  return %o : tensor<1x?x8xf32>
}

// The query side: a projection by a parameter stays ahead, it is done once a token.
// CHECK-LABEL: @query_projection
// CHECK: %[[Q:.*]] = tpa.einsum "bnc,hdc->bnhd"
// CHECK: tpa.attention ["bnhd,bmhd->bhnm"](%[[Q]],
func.func @query_projection(%x: tensor<1x?x24xf32>, %w: tensor<4x8x24xf32>, %k: tensor<1x?x4x8xf32>) -> tensor<1x?x4x8xf32> {
  %q = tpa.einsum "bnc,hdc->bnhd"(%x, %w) : tensor<1x?x24xf32>, tensor<4x8x24xf32>
  %o = tpa.attention ["bnhd,bmhd->bhnm"](%q, %k) value "bhnm,bmhe->bnhe"(%k)
      : (tensor<1x?x4x8xf32>, tensor<1x?x4x8xf32>), (tensor<1x?x4x8xf32>)
  return %o : tensor<1x?x4x8xf32>
}

// Score terms have one scale together: a cut whose terms have two is refused, here those through the first term's
// producer. The second's, of scale 1, may be read through.
// CHECK-LABEL: @different_scales
// CHECK: tpa.einsum {{.*}} {scale = 5.000000e-01 : f64}
// CHECK: tpa.attention ["bnhd,bmhd->bhnm", "bnhd,bmh,bmd->bhnm"]
// REMARK: [Missed] cache-cut {{.*}}Reason="score terms would need scales of their own", Suggestion="give the terms' producers equal scales", cuts=2
// REMARK: [Passed] cache-cut {{.*}}cached="bmhd,bmh,bmd,bmhe: 304 B
func.func @different_scales(%q: tensor<1x?x4x8xf32>, %a: tensor<1x?x4xf32>, %b: tensor<1x?x8xf32>) -> tensor<1x?x4x8xf32> {
  %k = tpa.einsum "bmh,bmd->bmhd"(%a, %b) {scale = 0.5 : f64} : tensor<1x?x4xf32>, tensor<1x?x8xf32>
  %l = tpa.einsum "bmh,bmd->bmhd"(%a, %b) : tensor<1x?x4xf32>, tensor<1x?x8xf32>
  %o = tpa.attention ["bnhd,bmhd->bhnm", "bnhd,bmhd->bhnm"](%q, %k, %q, %l) value "bhnm,bmhe->bnhe"(%q)
      : (tensor<1x?x4x8xf32>, tensor<1x?x4x8xf32>, tensor<1x?x4x8xf32>, tensor<1x?x4x8xf32>), (tensor<1x?x4x8xf32>)
  return %o : tensor<1x?x4x8xf32>
}

// What attention is besides its equations is kept.
// CHECK-LABEL: @attributes
// CHECK: at %{{[^ ]*}} {causal, normalizer = #tpa.normalizer<sigmoid>, per_sqrt = "D", scale = 5.000000e-01 : f64, softcap = 3.000000e+01 : f64, window = 16 : i64}
func.func @attributes(%q: tensor<1x?x4x8xf32>, %a: tensor<1x?x1x4xf32>, %b: tensor<1x?x1x8xf32>, %pos: tensor<1xi32>) -> tensor<1x?x4x8xf32> {
  %k = tpa.materialize %a, %b : tensor<1x?x1x4xf32>, tensor<1x?x1x8xf32>
  %o = tpa.attention ["bnhd,bmhd->bhnm"](%q, %k) value "bhnm,bmhe->bnhe"(%q) at %pos
      {scale = 0.5 : f64, per_sqrt = "D", causal, window = 16, softcap = 30.0 : f64, normalizer = #tpa.normalizer<sigmoid>}
      : (tensor<1x?x4x8xf32>, tensor<1x?x4x8xf32>), (tensor<1x?x4x8xf32>), tensor<1xi32>
  return %o : tensor<1x?x4x8xf32>
}

// Factors that are parameters are read where they are; a third factor leaves the product of features: 2 * (4 + 4 + 3)
// numbers instead of 4 * 4 * 3.
// CHECK-LABEL: @parameter_and_third_factor
// CHECK-SAME: %[[P:[a-z0-9]+]]: tensor<2x4xf32>, %[[A:[a-z0-9]+]]: tensor<1x?x2x4xf32>, %[[B:[a-z0-9]+]]: tensor<1x?x2x4xf32>, %[[C:[a-z0-9]+]]: tensor<1x?x2x3xf32>
// CHECK: tpa.attention ["bnhxy,rh,bmrx,bmry->bhnm"](%{{.*}}, %[[P]], %[[B]], %[[C]])
// CHECK-SAME: value "bhnm,bmsh,bmsz,bmsw->bnhzw"(%[[A]], %[[B]], %[[C]])
// CHECK-SAME: scale = 5.000000e-01 : f64
func.func @parameter_and_third_factor(%p: tensor<2x4xf32>, %a: tensor<1x?x2x4xf32>, %b: tensor<1x?x2x4xf32>,
                                      %c: tensor<1x?x2x3xf32>, %q: tensor<1x?x4x4x3xf32>) -> tensor<1x?x4x4x3xf32> {
  %bc = tpa.einsum "bnrx,bnry->bnrxy"(%b, %c) : tensor<1x?x2x4xf32>, tensor<1x?x2x3xf32>
  %k = tpa.materialize %p, %bc : tensor<2x4xf32>, tensor<1x?x2x4x3xf32>
  %v = tpa.materialize %a, %bc : tensor<1x?x2x4xf32>, tensor<1x?x2x4x3xf32>
  %o = tpa.attention ["bnhxy,bmhxy->bhnm"](%q, %k) value "bhnm,bmhzw->bnhzw"(%v)
      : (tensor<1x?x4x4x3xf32>, tensor<1x?x4x4x3xf32>), (tensor<1x?x4x4x3xf32>)
  return %o : tensor<1x?x4x4x3xf32>
}

// The hidden state is 96 numbers, the factors of 47 heads are 222. But a step would make A of it again for every key, 2 * 96
// * 94 operations, and read its weight: far more time than the memory saves.
// CHECK-LABEL: @hidden_state_loses
// CHECK: tpa.attention ["bnhd,bmrh,bmrd->bhnm"]
// REMARK: [Passed] cache-cut {{.*}} bytesPerToken=888, cached="bmrh,bmrd: 888 B, 68.3 ns + 24440 FLOP, 175.8 ns", cuts=5,
// REMARK-SAME: rivals="bmrh,bmc: 760 B, 58.5 ns + 36472 FLOP, 268.6 ns; bmc,bmrd: 896 B and 2256 B of parameters, 242.5 ns + 60536 FLOP, 412.0 ns;
// REMARK-SAME: bmc: 384 B and 2256 B of parameters, 203.1 ns + 72568 FLOP, 504.8 ns; bmhd: 12032 B, 925.5 ns + 12032 FLOP, 91.4 ns"
func.func @hidden_state_loses(%x: tensor<1x?x96xf32>, %q: tensor<1x?x47x64xf32>, %wa: tensor<47x2x96xf32>, %wb: tensor<2x64x96xf32>) -> tensor<1x?x47x64xf32> {
  %a, %b = tpa.factorize %x, %wa, %wb : tensor<1x?x96xf32>, tensor<47x2x96xf32>, tensor<2x64x96xf32>
  %k = tpa.materialize %a, %b : tensor<1x?x2x47xf32>, tensor<1x?x2x64xf32>
  %o = tpa.attention ["bnhd,bmhd->bhnm"](%q, %k) value "bhnm,bmhe->bnhe"(%k)
      : (tensor<1x?x47x64xf32>, tensor<1x?x47x64xf32>), (tensor<1x?x47x64xf32>)
  return %o : tensor<1x?x47x64xf32>
}

// Of values without a rotation the hidden state is 96 numbers instead of 120, and its weight goes to the sum: 1200
// operations instead of 480 take 5 ns, and save 7.
// CHECK-LABEL: @hidden_state_wins
// CHECK-SAME: %[[X:.*]]: tensor<1x?x96xf32>, %[[W:.*]]: tensor<5x24x96xf32>
// CHECK: tpa.attention ["bnhd,bmhd->bhnm"]({{.*}}) value "bhnm,bmc,hec->bnhe"(%[[X]], %[[W]])
// REMARK: [Passed] cache-cut {{.*}} bytesPerToken=864, cached="bmhd,bmc: 864 B, 66.5 ns + 1200 FLOP, 9.4 ns", cuts=2,
// REMARK-SAME: rivals="bmhd,bmhe: 960 B, 73.8 ns + 480 FLOP, 4.4 ns"
func.func @hidden_state_wins(%x: tensor<1x?x96xf32>, %w: tensor<5x24x96xf32>, %q: tensor<1x?x5x24xf32>, %k: tensor<1x?x5x24xf32>) -> tensor<1x?x5x24xf32> {
  %v = tpa.einsum "bnc,hdc->bnhd"(%x, %w) : tensor<1x?x96xf32>, tensor<5x24x96xf32>
  %o = tpa.attention ["bnhd,bmhd->bhnm"](%q, %k) value "bhnm,bmhe->bnhe"(%v)
      : (tensor<1x?x5x24xf32>, tensor<1x?x5x24xf32>), (tensor<1x?x5x24xf32>)
  return %o : tensor<1x?x5x24xf32>
}

// What two producers share is cached once: 96 numbers instead of 256, and 24576 operations instead of 16384. A vector unit
// takes longer for those than the memory saves; tensor cores do not.
// CHECK-LABEL: @targets_differ
// CHECK: tpa.attention ["bngjd,bmgd->bgjnm"]
// TENSOR-LABEL: @targets_differ
// TENSOR-SAME: %[[X:.*]]: tensor<1x?x96xf32>, %[[WK:.*]]: tensor<2x64x96xf32>, %[[WV:.*]]: tensor<2x64x96xf32>
// TENSOR: tpa.attention ["bngjd,bmc,gdc->bgjnm"](%{{.*}}, %[[X]], %[[WK]]) value "bgjnm,bmf,gef->bngje"(%[[X]], %[[WV]])
// REMARK: [Analysis] cache-cut {{.*}} bytesPerToken=1024, cached="bmgd,bmge: 1024 B, 78.8 ns + 16384 FLOP, 124.5 ns", cuts=4,
// REMARK-SAME: rivals="bmc: 384 B, 29.5 ns + 24576 FLOP, 186.6 ns;
func.func @targets_differ(%x: tensor<1x?x96xf32>, %wk: tensor<2x64x96xf32>, %wv: tensor<2x64x96xf32>, %q: tensor<1x?x2x32x64xf32>) -> tensor<1x?x2x32x64xf32> {
  %k = tpa.einsum "bnc,gdc->bngd"(%x, %wk) : tensor<1x?x96xf32>, tensor<2x64x96xf32>
  %v = tpa.einsum "bnc,gdc->bngd"(%x, %wv) : tensor<1x?x96xf32>, tensor<2x64x96xf32>
  %o = tpa.attention ["bngjd,bmgd->bgjnm"](%q, %k) value "bgjnm,bmge->bngje"(%v)
      : (tensor<1x?x2x32x64xf32>, tensor<1x?x2x64xf32>), (tensor<1x?x2x64xf32>)
  return %o : tensor<1x?x2x32x64xf32>
}

// A linear layer is an equation, too: its input is a cut. What is none, as a norm, is one's left end.
// CHECK-LABEL: @through_linear
// CHECK: %[[C:.*]] = t6.rms_norm
// CHECK: tpa.attention ["bnd,bmc,dc->bnm"](%{{.*}}, %[[C]], %{{.*}}) value "bnm,bme->bne"
func.func @through_linear(%x: tensor<1x?x4xf32>, %w: tensor<64x4xf32>, %q: tensor<1x?x64xf32>) -> tensor<1x?x64xf32> {
  %l = t6.rms_norm %x {eps = 1.0e-6 : f64} : tensor<1x?x4xf32>
  %k = t6.linear %l, %w : tensor<1x?x4xf32>, tensor<64x4xf32>
  %o = tpa.attention ["bnd,bmd->bnm"](%q, %k) value "bnm,bme->bne"(%q)
      : (tensor<1x?x64xf32>, tensor<1x?x64xf32>), (tensor<1x?x64xf32>)
  return %o : tensor<1x?x64xf32>
}

// A pinned cache holds what is written; queries are read through their factors all the same.
// CHECK-LABEL: @pinned
// CHECK: %[[K:.*]] = tpa.materialize %{{.*}}, %{{.*}} : tensor<1x?x2x4xf32>
// CHECK: tpa.attention ["bnrh,bnrd,bmhd->bhnm"](%{{.*}}, %{{.*}}, %[[K]]) value "bhnm,bmhe->bnhe"(%[[K]]) {pin_cache,
// REMARK: [Analysis] cache-cut {{.*}}Reason="the cache is pinned"{{.*}} cached="bmhd: 128 B, {{.*}} rivals="bmsh,bmsd: 96 B,
func.func @pinned(%aq: tensor<1x?x3x4xf32>, %bq: tensor<1x?x3x8xf32>, %ak: tensor<1x?x2x4xf32>, %bk: tensor<1x?x2x8xf32>) -> tensor<1x?x4x8xf32> {
  %q = tpa.materialize %aq, %bq : tensor<1x?x3x4xf32>, tensor<1x?x3x8xf32>
  %k = tpa.materialize %ak, %bk : tensor<1x?x2x4xf32>, tensor<1x?x2x8xf32>
  %o = tpa.attention ["bnhd,bmhd->bhnm"](%q, %k) value "bhnm,bmhe->bnhe"(%k) {pin_cache}
      : (tensor<1x?x4x8xf32>, tensor<1x?x4x8xf32>), (tensor<1x?x4x8xf32>)
  return %o : tensor<1x?x4x8xf32>
}

// A sum over tokens has no one token to cache: it stays.
// CHECK-LABEL: @sum_over_tokens
// CHECK: %[[K:.*]] = tpa.einsum "bnd,btd->bnd"
// CHECK: tpa.attention ["bnd,bmd->bnm"](%{{.*}}, %[[K]])
// REMARK: [Analysis] cache-cut {{.*}} cuts=1, rivals=
func.func @sum_over_tokens(%x: tensor<1x?x8xf32>, %y: tensor<1x?x8xf32>) -> tensor<1x?x8xf32> {
  %k = tpa.einsum "bnd,btd->bnd"(%x, %y) : tensor<1x?x8xf32>, tensor<1x?x8xf32>
  %o = tpa.attention ["bnd,bmd->bnm"](%x, %k) value "bnm,bme->bne"(%x)
      : (tensor<1x?x8xf32>, tensor<1x?x8xf32>), (tensor<1x?x8xf32>)
  return %o : tensor<1x?x8xf32>
}

// Queries bring scales, too; where terms have two, a pinned attention stays as it is.
// CHECK-LABEL: @pinned_scales
// CHECK: tpa.attention ["bnhd,bmhd->bhnm", "bnhd,bmhd->bhnm"]
func.func @pinned_scales(%aq: tensor<1x?x3x4xf32>, %bq: tensor<1x?x3x8xf32>, %k: tensor<1x?x4x8xf32>) -> tensor<1x?x4x8xf32> {
  %q = tpa.materialize %aq, %bq : tensor<1x?x3x4xf32>, tensor<1x?x3x8xf32>
  %l = tpa.einsum "bnhd->bnhd"(%k) : tensor<1x?x4x8xf32>
  %o = tpa.attention ["bnhd,bmhd->bhnm", "bnhd,bmhd->bhnm"](%q, %l, %k, %l) value "bhnm,bmhe->bnhe"(%l) {pin_cache}
      : (tensor<1x?x4x8xf32>, tensor<1x?x4x8xf32>, tensor<1x?x4x8xf32>, tensor<1x?x4x8xf32>), (tensor<1x?x4x8xf32>)
  return %o : tensor<1x?x4x8xf32>
}

// A model caches in the type of its weights. In bf16 the hidden state saves half of what it did above, less than its
// arithmetic takes.
// CHECK-LABEL: @bf16_cache
// CHECK: %[[V:.*]] = tpa.einsum
// CHECK: tpa.attention {{.*}} value "bhnm,bmhe->bnhe"(%[[V]])
// REMARK: [Analysis] cache-cut {{.*}} bytesPerToken=480, cached="bmhd,bmhe: 480 B, 36.9 ns + 480 FLOP, 4.4 ns", cuts=2,
// REMARK-SAME: rivals="bmhd,bmc: 432 B, 33.2 ns + 1200 FLOP, 9.4 ns"
func.func @bf16_cache(%x: tensor<1x?x96xf32>, %q: tensor<1x?x5x24xf32>, %k: tensor<1x?x5x24xf32>) -> tensor<1x?x5x24xf32> {
  %w = t6.param "w" "(H D) C" : tensor<5x24x96xbf16>
  %v = tpa.einsum "bnc,hdc->bnhd"(%x, %w) : tensor<1x?x96xf32>, tensor<5x24x96xbf16>
  %o = tpa.attention ["bnhd,bmhd->bhnm"](%q, %k) value "bhnm,bmhe->bnhe"(%v)
      : (tensor<1x?x5x24xf32>, tensor<1x?x5x24xf32>), (tensor<1x?x5x24xf32>)
  return %o : tensor<1x?x5x24xf32>
}

// A cache is appended to behind the batch: a factor in another order stays formed.
// CHECK-LABEL: func.func @token_first
// REMARK: [Missed] cache-cut {{.*}} Reason="the factor mbh cannot be appended to"
// CHECK: tpa.attention ["bnhd,bmhd->bhnm"]
func.func @token_first(%q: tensor<1x?x4x8xf32>, %a: tensor<?x1x4xf32>, %b: tensor<1x?x8xf32>) -> tensor<1x?x4x8xf32> {
  %k = tpa.einsum "mbh,bmd->bmhd"(%a, %b) : tensor<?x1x4xf32>, tensor<1x?x8xf32>
  %o = tpa.attention ["bnhd,bmhd->bhnm"](%q, %k) value "bhnm,bmhe->bnhe"(%q)
      : (tensor<1x?x4x8xf32>, tensor<1x?x4x8xf32>), (tensor<1x?x4x8xf32>)
  return %o : tensor<1x?x4x8xf32>
}
