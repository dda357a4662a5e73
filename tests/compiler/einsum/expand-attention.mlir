// RUN: tpa-opt %s --tpa-expand-attention | FileCheck %s

// Scores, scale, mask to -inf beyond position + query, softmax, values.
// CHECK-LABEL: @softmax
// CHECK-SAME: %[[Q:.*]]: tensor<1x?x4x8xf32>, %[[K:.*]]: tensor<1x?x4x8xf32>, %[[V:.*]]: tensor<1x?x4x6xf32>, %[[POS:.*]]: tensor<1xi32>
// CHECK: %[[S:.*]] = tpa.einsum "bnhd,bmhd->bhnm"(%[[Q]], %[[K]]) :
// CHECK: %[[MASKED:.*]] = tpa.map "bhnm->bhnm"(%[[S]])
// CHECK: %[[SCALE:.*]] = arith.constant 1.250000e-01 : f32
// CHECK: %[[X:.*]] = arith.mulf %{{.*}}, %[[SCALE]]
// CHECK: %[[B:.*]] = tpa.index "b"
// CHECK: %[[START:.*]] = tensor.extract %[[POS]][%[[B]]]
// CHECK: %[[START_INDEX:.*]] = arith.index_cast %[[START]]
// CHECK: %[[N:.*]] = tpa.index "n"
// CHECK: %[[QUERY:.*]] = arith.addi %[[START_INDEX]], %[[N]]
// CHECK: %[[M:.*]] = tpa.index "m"
// CHECK: %[[SEEN:.*]] = arith.cmpi sle, %[[M]], %[[QUERY]]
// CHECK: %[[INF:.*]] = arith.constant 0xFF800000 : f32
// CHECK: arith.select %[[SEEN]], %[[X]], %[[INF]]
// CHECK: %[[W:.*]] = tpa.softmax %[[MASKED]]
// CHECK: %[[O:.*]] = tpa.einsum "bhnm,bmhe->bnhe"(%[[W]], %[[V]])
// CHECK: return %[[O]]
func.func @softmax(%q: tensor<1x?x4x8xf32>, %k: tensor<1x?x4x8xf32>, %v: tensor<1x?x4x6xf32>, %pos: tensor<1xi32>) -> tensor<1x?x4x6xf32> {
  %o = tpa.attention ["bnhd,bmhd->bhnm"](%q, %k) value "bhnm,bmhe->bnhe"(%v) at %pos {scale = 0.125 : f64, causal}
      : (tensor<1x?x4x8xf32>, tensor<1x?x4x8xf32>), (tensor<1x?x4x6xf32>), tensor<1xi32>
  return %o : tensor<1x?x4x6xf32>
}

// Without causal every key is visible: no mask, and no scale of one.
// CHECK-LABEL: @not_causal
// CHECK: %[[S:.*]] = tpa.einsum "bnhd,bmhd->bhnm"
// CHECK-NOT: arith.mulf
// CHECK-NOT: arith.select
// CHECK: tpa.softmax
func.func @not_causal(%q: tensor<1x?x4x8xf32>, %k: tensor<1x?x4x8xf32>) -> tensor<1x?x4x8xf32> {
  %o = tpa.attention ["bnhd,bmhd->bhnm"](%q, %k) value "bhnm,bmhe->bnhe"(%k)
      : (tensor<1x?x4x8xf32>, tensor<1x?x4x8xf32>), (tensor<1x?x4x8xf32>)
  return %o : tensor<1x?x4x8xf32>
}

// A key is in the window of 16 if it is less than 16 before the query.
// CHECK-LABEL: @window
// CHECK: %[[QUERY:.*]] = arith.addi
// CHECK: %[[M:.*]] = tpa.index "m"
// CHECK: %[[SEEN:.*]] = arith.cmpi sle, %[[M]], %[[QUERY]]
// CHECK: %[[C16:.*]] = arith.constant 16 : index
// CHECK: %[[END:.*]] = arith.addi %[[M]], %[[C16]]
// CHECK: %[[NEAR:.*]] = arith.cmpi sgt, %[[END]], %[[QUERY]]
// CHECK: %[[BOTH:.*]] = arith.andi %[[SEEN]], %[[NEAR]]
// CHECK: arith.select %[[BOTH]]
func.func @window(%q: tensor<1x?x4x8xf32>, %k: tensor<1x?x4x8xf32>, %pos: tensor<1xi32>) -> tensor<1x?x4x8xf32> {
  %o = tpa.attention ["bnhd,bmhd->bhnm"](%q, %k) value "bhnm,bmhe->bnhe"(%k) at %pos {causal, window = 16}
      : (tensor<1x?x4x8xf32>, tensor<1x?x4x8xf32>), (tensor<1x?x4x8xf32>), tensor<1xi32>
  return %o : tensor<1x?x4x8xf32>
}

// Of the keys of the tree itself, from the first position on, a query sees those whose bit it has.
// CHECK-LABEL: @tree
// CHECK-SAME: %[[POS:.*]]: tensor<1xi32>, %[[ANCESTORS:.*]]: tensor<1x3xi64>
// CHECK: %[[SEEN:.*]] = arith.cmpi sle
// CHECK: %[[FIRST:.*]] = arith.index_cast %{{.*}} : i32 to index
// CHECK: %[[OLDER:.*]] = arith.cmpi slt, %[[M:.*]], %[[FIRST]]
// CHECK: %[[NODE:.*]] = arith.subi %[[M]], %[[FIRST]]
// CHECK: tensor.extract %[[ANCESTORS]]
// CHECK: arith.shrui
// CHECK: %[[BIT:.*]] = arith.trunci %{{.*}} : i64 to i1
// CHECK: %[[EITHER:.*]] = arith.ori %[[OLDER]], %[[BIT]]
// CHECK: %[[BOTH:.*]] = arith.andi %[[SEEN]], %[[EITHER]]
// CHECK: arith.select %[[BOTH]]
func.func @tree(%q: tensor<1x3x4x8xf32>, %k: tensor<1x?x4x8xf32>, %pos: tensor<1xi32>, %tree: tensor<1x3xi64>)
    -> tensor<1x3x4x8xf32> {
  %o = tpa.attention ["bnhd,bmhd->bhnm"](%q, %k) value "bhnm,bmhe->bnhe"(%k) at %pos ancestors %tree {causal}
      : (tensor<1x3x4x8xf32>, tensor<1x?x4x8xf32>), (tensor<1x?x4x8xf32>), tensor<1xi32> ancestors tensor<1x3xi64>
  return %o : tensor<1x3x4x8xf32>
}

// cap * tanh(x / cap), before the mask.
// CHECK-LABEL: @softcap
// CHECK: %[[PER:.*]] = arith.constant 2.500000e-01 : f32
// CHECK: %[[IN:.*]] = arith.mulf %{{.*}}, %[[PER]]
// CHECK: %[[TANH:.*]] = math.tanh %[[IN]]
// CHECK: %[[CAP:.*]] = arith.constant 4.000000e+00 : f32
// CHECK: %[[CAPPED:.*]] = arith.mulf %[[TANH]], %[[CAP]]
// CHECK: arith.select %{{.*}}, %[[CAPPED]], %{{.*}}
func.func @softcap(%q: tensor<1x?x4x8xf32>, %k: tensor<1x?x4x8xf32>, %pos: tensor<1xi32>) -> tensor<1x?x4x8xf32> {
  %o = tpa.attention ["bnhd,bmhd->bhnm"](%q, %k) value "bhnm,bmhe->bnhe"(%k) at %pos {causal, softcap = 4.0 : f64}
      : (tensor<1x?x4x8xf32>, tensor<1x?x4x8xf32>), (tensor<1x?x4x8xf32>), tensor<1xi32>
  return %o : tensor<1x?x4x8xf32>
}

// Sigmoid weights are masked to zero after the sigmoid, and not normalised.
// CHECK-LABEL: @sigmoid
// CHECK: %[[ONE:.*]] = arith.constant 1.000000e+00 : f32
// CHECK: %[[NEG:.*]] = arith.negf
// CHECK: %[[EXP:.*]] = math.exp %[[NEG]]
// CHECK: %[[SUM:.*]] = arith.addf %[[ONE]], %[[EXP]]
// CHECK: %[[SIGMOID:.*]] = arith.divf %[[ONE]], %[[SUM]]
// CHECK: %[[ZERO:.*]] = arith.constant 0.000000e+00 : f32
// CHECK: arith.select %{{.*}}, %[[SIGMOID]], %[[ZERO]]
// CHECK-NOT: tpa.softmax
// CHECK: return
func.func @sigmoid(%q: tensor<1x?x4x8xf32>, %k: tensor<1x?x4x8xf32>, %pos: tensor<1xi32>) -> tensor<1x?x4x8xf32> {
  %o = tpa.attention ["bnhd,bmhd->bhnm"](%q, %k) value "bhnm,bmhe->bnhe"(%k) at %pos {causal, normalizer = #tpa.normalizer<sigmoid>}
      : (tensor<1x?x4x8xf32>, tensor<1x?x4x8xf32>), (tensor<1x?x4x8xf32>), tensor<1xi32>
  return %o : tensor<1x?x4x8xf32>
}

// CHECK-LABEL: @linear_attention
// CHECK-NOT: math.exp
// CHECK: %[[ZERO:.*]] = arith.constant 0.000000e+00 : f32
// CHECK: arith.select %{{.*}}, %{{.*}}, %[[ZERO]]
// CHECK-NOT: tpa.softmax
// CHECK: return
func.func @linear_attention(%q: tensor<1x?x4x8xf32>, %k: tensor<1x?x4x8xf32>, %pos: tensor<1xi32>) -> tensor<1x?x4x8xf32> {
  %o = tpa.attention ["bnhd,bmhd->bhnm"](%q, %k) value "bhnm,bmhe->bnhe"(%k) at %pos {causal, normalizer = #tpa.normalizer<none>}
      : (tensor<1x?x4x8xf32>, tensor<1x?x4x8xf32>), (tensor<1x?x4x8xf32>), tensor<1xi32>
  return %o : tensor<1x?x4x8xf32>
}

// Score terms are added before anything else.
// CHECK-LABEL: @two_terms
// CHECK: %[[S0:.*]] = tpa.einsum "bnhd,bmhd->bhnm"
// CHECK: %[[S1:.*]] = tpa.einsum "bnhp,bmp->bhnm"
// CHECK: %[[SUM:.*]] = tpa.map "bhnm,bhnm->bhnm"(%[[S0]], %[[S1]])
// CHECK: arith.addf
// CHECK: tpa.map "bhnm->bhnm"(%[[SUM]])
// CHECK: arith.mulf
func.func @two_terms(%q: tensor<2x?x4x8xf32>, %k: tensor<2x?x4x8xf32>, %q_p: tensor<2x?x4x2xf32>, %k_p: tensor<2x?x2xf32>) -> tensor<2x?x4x8xf32> {
  %o = tpa.attention ["bnhd,bmhd->bhnm", "bnhp,bmp->bhnm"](%q, %k, %q_p, %k_p) value "bhnm,bmhe->bnhe"(%k) {scale = 0.5 : f64}
      : (tensor<2x?x4x8xf32>, tensor<2x?x4x8xf32>, tensor<2x?x4x2xf32>, tensor<2x?x2xf32>), (tensor<2x?x4x8xf32>)
  return %o : tensor<2x?x4x8xf32>
}

// CHECK-LABEL: @sugar
// CHECK-SAME: %[[X:.*]]: tensor<1x?x24xf32>, %[[WA:.*]]: tensor<4x3x24xf32>, %[[WB:.*]]: tensor<3x8x24xf32>, %[[W:.*]]: tensor<32x24xf32>
// CHECK: %[[A:.*]] = tpa.einsum "bnc,hrc->bnrh"(%[[X]], %[[WA]])
// CHECK: %[[B:.*]] = tpa.einsum "bnc,rdc->bnrd"(%[[X]], %[[WB]])
// The mean over three ranks.
// CHECK: %[[Q:.*]] = tpa.einsum "bnrh,bnrd->bnhd"(%[[A]], %[[B]]) {scale = 0.33333333333333331 : f64}
// CHECK: %[[Y:.*]] = tpa.einsum "bnc,oc->bno"(%[[X]], %[[W]])
// CHECK: return %[[Q]], %[[Y]]
func.func @sugar(%x: tensor<1x?x24xf32>, %wa: tensor<4x3x24xf32>, %wb: tensor<3x8x24xf32>, %w: tensor<32x24xf32>) -> (tensor<1x?x4x8xf32>, tensor<1x?x32xf32>) {
  %a, %b = tpa.factorize %x, %wa, %wb : tensor<1x?x24xf32>, tensor<4x3x24xf32>, tensor<3x8x24xf32>
  %q = tpa.materialize %a, %b : tensor<1x?x3x4xf32>, tensor<1x?x3x8xf32>
  %y = t6.linear %x, %w : tensor<1x?x24xf32>, tensor<32x24xf32>
  return %q, %y : tensor<1x?x4x8xf32>, tensor<1x?x32xf32>
}

// The bias per unit of distance is added before the cap; sinks reach the softmax in the order of its dimensions.
// CHECK-LABEL: @slopes_and_sinks
// CHECK-SAME: %[[SLOPES:[a-z0-9]+]]: tensor<2x3xf32>, %[[SINKS:[a-z0-9]+]]: tensor<3x2xf32>
// CHECK: tpa.map "bgjnm,gj->bgjnm"(%{{.*}}, %[[SLOPES]])
// CHECK: %[[QUERY:.*]] = arith.addi
// CHECK: %[[M:.*]] = tpa.index "m"
// CHECK: %[[DISTANCE:.*]] = arith.subi %{{.*}}, %[[QUERY]]
// CHECK: %[[BIAS:.*]] = arith.mulf %{{.*}}, %{{.*}}
// CHECK: arith.addf %{{.*}}, %[[BIAS]]
// CHECK: math.tanh
// CHECK: %[[ORDERED:.*]] = tpa.einsum "jg->gj"(%[[SINKS]])
// CHECK: tpa.softmax %{{.*}} sinks %[[ORDERED]] along [1, 2]
func.func @slopes_and_sinks(%q: tensor<1x?x2x3x8xf32>, %k: tensor<1x?x2x8xf32>, %pos: tensor<1xi32>,
                            %slopes: tensor<2x3xf32>, %sinks: tensor<3x2xf32>) -> tensor<1x?x2x3x8xf32> {
  %o = tpa.attention ["bngjd,bmgd->bgjnm"](%q, %k) value "bgjnm,bmge->bngje"(%k) at %pos
         slopes "gj"(%slopes) sinks "jg"(%sinks) {causal, softcap = 30.0 : f64}
      : (tensor<1x?x2x3x8xf32>, tensor<1x?x2x8xf32>), (tensor<1x?x2x8xf32>), tensor<1xi32>
        slopes tensor<2x3xf32> sinks tensor<3x2xf32>
  return %o : tensor<1x?x2x3x8xf32>
}
