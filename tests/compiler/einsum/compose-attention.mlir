// RUN: tpa-opt %s --tpa-compose-attention | FileCheck %s
// RUN: tpa-opt %s --tpa-compose-attention --tpa-compose-attention | FileCheck %s
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
// REMARK: compose-attention.mlir:[[#@LINE+7]]:{{.*}} remark: [Passed] cache-cut {{.*}} elementsPerTokenFactored=24, elementsPerTokenFormed=32, factors="bmsh,bmsd->bmhd"
// REMARK: [Passed] cache-cut {{.*}} factors="bmth,bmte->bmhe"
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
// REMARK: [Missed] cache-cut {{.*}} elementsPerTokenFactored=48, elementsPerTokenFormed=32, factors="bmrh,bmrd->bmhd"
func.func @big_rank(%q: tensor<1x?x4x8xf32>, %ak: tensor<1x?x4x4xf32>, %bk: tensor<1x?x4x8xf32>) -> tensor<1x?x4x8xf32> {
  %k = tpa.materialize %ak, %bk : tensor<1x?x4x4xf32>, tensor<1x?x4x8xf32>
  %o = tpa.attention ["bnhd,bmhd->bhnm"](%q, %k) value "bhnm,bmhe->bnhe"(%k)
      : (tensor<1x?x4x8xf32>, tensor<1x?x4x8xf32>), (tensor<1x?x4x8xf32>)
  return %o : tensor<1x?x4x8xf32>
}

// Equal is not fewer: 1 * (4 + 4) against 4 * 2.
// CHECK-LABEL: @equal_size
// CHECK: tpa.einsum
// CHECK: tpa.attention ["bnhd,bmhd->bhnm"]
// REMARK: [Missed] cache-cut {{.*}} elementsPerTokenFactored=8, elementsPerTokenFormed=8
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

// Score terms have one scale together: a term whose producer brings another is refused.
// CHECK-LABEL: @different_scales
// CHECK: tpa.einsum {{.*}} {scale = 5.000000e-01 : f64}
// CHECK: tpa.attention ["bnhd,bmhd->bhnm", "bnhd,bmhd->bhnm"]
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

// -----

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
