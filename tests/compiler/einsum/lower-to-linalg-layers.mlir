// RUN: tpa-opt %s --tpa-lower-to-linalg | FileCheck %s

// A row of the table per token, without touching the others.
// CHECK-LABEL: @embedding
// CHECK-SAME: %[[TOKENS:.*]]: tensor<2x?xi32>, %[[TABLE:.*]]: tensor<50x24xbf16>
// CHECK: linalg.generic {{.*}} ins(%[[TOKENS]] :{{.*}}) outs(%{{.*}} : tensor<2x?x24xf32>)
// A target that is not counted, -1, reads the first.
// CHECK: ^bb0(%[[T:.*]]: i32,
// CHECK: %[[SAFE:.*]] = arith.maxsi %[[T]], %{{.*}}
// CHECK: %[[ROW:.*]] = arith.index_cast %[[SAFE]]
// CHECK: %[[FEATURE:.*]] = linalg.index 2
// CHECK: %[[E:.*]] = tensor.extract %[[TABLE]][%[[ROW]], %[[FEATURE]]]
// CHECK: arith.extf %[[E]]
func.func @embedding(%t: tensor<2x?xi32>, %table: tensor<50x24xbf16>) -> tensor<2x?x24xf32> {
  %x = t6.embedding %t, %table : tensor<2x?xi32>, tensor<50x24xbf16>
  return %x : tensor<2x?x24xf32>
}

// CHECK-LABEL: @select_token
// CHECK-SAME: %[[X:.*]]: tensor<2x?x24xf32>, %[[LAST:.*]]: tensor<2xi32>
// CHECK: linalg.generic {{.*}} ins(%[[LAST]] :{{.*}}) outs(%{{.*}} : tensor<2x1x24xf32>)
// CHECK: ^bb0(%[[T:.*]]: i32,
// CHECK: %[[ROW:.*]] = linalg.index 0
// CHECK: %[[TOKEN:.*]] = arith.index_cast %[[T]]
// CHECK: tensor.extract %[[X]][%[[ROW]], %[[TOKEN]], %{{.*}}]
func.func @select_token(%x: tensor<2x?x24xf32>, %last: tensor<2xi32>) -> tensor<2x1x24xf32> {
  %y = t6.select_token %x[%last] : tensor<2x?x24xf32>, tensor<2xi32>
  return %y : tensor<2x1x24xf32>
}

// x / sqrt(mean of squares + eps), times a weight where there is one.
// CHECK-LABEL: @rms_norm
// CHECK-SAME: %[[X:.*]]: tensor<1x?x8xf32>, %[[G:.*]]: tensor<8xf32>
// CHECK: %[[SQUARES:.*]] = linalg.generic {{.*}} iterator_types = ["parallel", "parallel", "reduction"]} ins(%[[X]] :
// CHECK: linalg.generic {{.*}} ins(%[[X]], %[[SQUARES]], %[[G]] :
// CHECK: ^bb0(%[[E:.*]]: f32, %[[SUM:.*]]: f32, %[[W:.*]]: f32, %{{.*}}: f32):
// CHECK: %[[EIGHTH:.*]] = arith.constant 1.250000e-01 : f32
// CHECK: %[[MEAN:.*]] = arith.mulf %[[SUM]], %[[EIGHTH]]
// CHECK: %[[EPS:.*]] = arith.constant 9.99999974E-6 : f32
// CHECK: %[[SHIFTED:.*]] = arith.addf %[[MEAN]], %[[EPS]]
// CHECK: %[[ROOT:.*]] = math.sqrt %[[SHIFTED]]
// CHECK: %[[Y:.*]] = arith.divf %[[E]], %[[ROOT]]
// CHECK: arith.mulf %[[Y]], %[[W]]
func.func @rms_norm(%x: tensor<1x?x8xf32>, %g: tensor<8xf32>) -> tensor<1x?x8xf32> {
  %y = t6.rms_norm %x, %g {eps = 1.0e-5 : f64} : tensor<1x?x8xf32>, tensor<8xf32>
  return %y : tensor<1x?x8xf32>
}

// CHECK-LABEL: @rms_norm_plain
// CHECK: linalg.generic {{.*}} ins(%{{.*}}, %{{.*}} :
// CHECK: %[[Y:.*]] = arith.divf
// CHECK-NEXT: linalg.yield %[[Y]]
func.func @rms_norm_plain(%x: tensor<1x?x8xf32>) -> tensor<1x?x8xf32> {
  %y = t6.rms_norm %x {eps = 1.0e-5 : f64} : tensor<1x?x8xf32>
  return %y : tensor<1x?x8xf32>
}

// gate * sigmoid(gate) * up
// CHECK-LABEL: @swiglu
// CHECK: ^bb0(%[[GATE:.*]]: f32, %[[UP:.*]]: f32, %{{.*}}: f32):
// CHECK: %[[NEG:.*]] = arith.negf %[[GATE]]
// CHECK: math.exp %[[NEG]]
// CHECK: %[[SIGMOID:.*]] = arith.divf
// CHECK: %[[SILU:.*]] = arith.mulf %[[GATE]], %[[SIGMOID]]
// CHECK: arith.mulf %[[SILU]], %[[UP]]
func.func @swiglu(%g: tensor<1x?x8xf32>, %u: tensor<1x?x8xf32>) -> tensor<1x?x8xf32> {
  %y = t6.swiglu %g, %u : tensor<1x?x8xf32>
  return %y : tensor<1x?x8xf32>
}

// log(sum exp(l - max)) + max - l[target]; a target of -1 reads a valid logit but
// counts for nothing, and no counted target at all is a loss of zero.
// CHECK-LABEL: @cross_entropy
// CHECK-SAME: %[[L:.*]]: tensor<1x?x50xf32>, %[[T:.*]]: tensor<1x?xi32>
// CHECK: %[[MAX:.*]] = linalg.generic {{.*}} ins(%[[L]] :
// CHECK: arith.maximumf
// CHECK: %[[SUM:.*]] = linalg.generic {{.*}} ins(%[[L]], %[[MAX]] :
// CHECK: math.exp
// CHECK: %[[LSE:.*]] = linalg.generic {{.*}} ins(%[[MAX]], %[[SUM]] :
// CHECK: %[[LOG:.*]] = math.log
// CHECK: arith.addf %{{.*}}, %[[LOG]]
// CHECK: %[[TOKEN:.*]] = linalg.generic {{.*}} ins(%[[T]], %[[LSE]] :
// CHECK: ^bb0(%[[TARGET:.*]]: i32,
// CHECK: %[[SAFE:.*]] = arith.maxsi %[[TARGET]], %{{.*}}
// CHECK: %[[AT:.*]] = arith.index_cast %[[SAFE]]
// CHECK: %[[LOGIT:.*]] = tensor.extract %[[L]][%{{.*}}, %{{.*}}, %[[AT]]]
// CHECK: %[[LOSS:.*]] = arith.subf %{{.*}}, %[[LOGIT]]
// CHECK: %[[COUNTED:.*]] = arith.cmpi sge, %[[TARGET]], %{{.*}}
// CHECK: arith.select %[[COUNTED]], %[[LOSS]], %{{.*}}
// CHECK: %[[TOTAL:.*]] = linalg.generic {{.*}} iterator_types = ["parallel", "reduction", "reduction"]} ins(%[[TOKEN]] :
// CHECK: %[[COUNT:.*]] = linalg.generic {{.*}} ins(%[[T]] :
// CHECK: arith.uitofp
// CHECK: %[[MEAN:.*]] = linalg.generic {{.*}} ins(%[[TOTAL]], %[[COUNT]] :
// CHECK: %[[AT_LEAST_ONE:.*]] = arith.maximumf %{{.*}}, %{{.*}}
// CHECK: arith.divf %{{.*}}, %[[AT_LEAST_ONE]]
// CHECK: return %[[MEAN]], %[[TOKEN]]
func.func @cross_entropy(%l: tensor<1x?x50xf32>, %t: tensor<1x?xi32>) -> (tensor<1xf32>, tensor<1x?xf32>) {
  %loss, %token, %lse = t6.cross_entropy %l, %t : tensor<1x?x50xf32>, tensor<1x?xi32>
  return %loss, %token : tensor<1xf32>, tensor<1x?xf32>
}

// CHECK-LABEL: @split
// CHECK: tensor.extract_slice %{{.*}}[0, 0, 0] [1, %{{.*}}, 10] [1, 1, 1]
// CHECK: tensor.extract_slice %{{.*}}[0, 0, 10] [1, %{{.*}}, 4] [1, 1, 1]
func.func @split(%x: tensor<1x?x14xf32>) -> (tensor<1x?x10xf32>, tensor<1x?x4xf32>) {
  %a, %b = t6.split %x axis 2 ["L", "P"] : tensor<1x?x14xf32> -> tensor<1x?x10xf32>, tensor<1x?x4xf32>
  return %a, %b : tensor<1x?x10xf32>, tensor<1x?x4xf32>
}

// CHECK-LABEL: @cache_read
// CHECK-SAME: %[[CACHE:.*]]: tensor<1x64x2x8xbf16>, %[[M:.*]]: index
// CHECK: %[[FIRST:.*]] = tensor.extract_slice %[[CACHE]][0, 0, 0, 0] [1, %[[M]], 2, 8] [1, 1, 1, 1]
// CHECK: return %[[FIRST]]
func.func @cache_read(%cache: tensor<1x64x2x8xbf16>, %m: index) -> tensor<1x?x2x8xbf16> {
  %y = t6.cache_read %cache[%m] : tensor<1x64x2x8xbf16>
  return %y : tensor<1x?x2x8xbf16>
}

// Each row of the batch goes to its own position, rounded to the cache's type.
// CHECK-LABEL: @cache_append
// CHECK-SAME: %[[CACHE:.*]]: tensor<3x64x8xbf16>, %[[X:.*]]: tensor<3x?x8xf32>, %[[POS:.*]]: tensor<3xi32>
// CHECK: scf.for %[[ROW:.*]] = %{{.*}} to %{{.*}} step %{{.*}} iter_args(%[[C:.*]] = %[[CACHE]])
// CHECK: %[[FROM:.*]] = tensor.extract_slice %[[X]][%[[ROW]], 0, 0] [1, %[[N:.*]], 8] [1, 1, 1]
// CHECK: %[[START:.*]] = tensor.extract %[[POS]][%[[ROW]]]
// CHECK: %[[AT:.*]] = arith.index_cast %[[START]]
// CHECK: %[[PLACE:.*]] = tensor.extract_slice %[[C]][%[[ROW]], %[[AT]], 0] [1, %[[N]], 8] [1, 1, 1]
// CHECK: %[[NEW:.*]] = linalg.generic {{.*}} ins(%[[FROM]] :{{.*}}) outs(%[[PLACE]] :
// CHECK: arith.truncf %{{.*}} : f32 to bf16
// CHECK: %[[UPDATED:.*]] = tensor.insert_slice %[[NEW]] into %[[C]][%[[ROW]], %[[AT]], 0] [1, %[[N]], 8] [1, 1, 1]
// CHECK: scf.yield %[[UPDATED]]
func.func @cache_append(%cache: tensor<3x64x8xbf16>, %x: tensor<3x?x8xf32>, %pos: tensor<3xi32>) -> tensor<3x64x8xbf16> {
  %y = t6.cache_append %cache, %x at %pos : tensor<3x64x8xbf16>, tensor<3x?x8xf32>, tensor<3xi32>
  return %y : tensor<3x64x8xbf16>
}

// A row's tokens are gathered from the pages that the table gives it.
// CHECK-LABEL: @paged_read
// CHECK-SAME: %[[POOL:.*]]: tensor<9x16x8xbf16>, %[[M:.*]]: index, %[[TABLE:.*]]: tensor<3x4xi32>
// CHECK: %[[OUT:.*]] = tensor.empty(%[[M]]) : tensor<3x?x8xbf16>
// CHECK: linalg.generic {{.*}} outs(%[[OUT]] :
// CHECK: %[[ROW:.*]] = linalg.index 0
// CHECK: %[[KEY:.*]] = linalg.index 1
// CHECK: %[[D:.*]] = linalg.index 2
// CHECK: %[[T:.*]] = arith.constant 16 : index
// CHECK: %[[SLOT:.*]] = arith.divui %[[KEY]], %[[T]]
// CHECK: %[[ENTRY:.*]] = tensor.extract %[[TABLE]][%[[ROW]], %[[SLOT]]]
// CHECK: %[[PAGE:.*]] = arith.index_cast %[[ENTRY]]
// CHECK: %[[IN:.*]] = arith.remui %[[KEY]], %[[T]]
// CHECK: tensor.extract %[[POOL]][%[[PAGE]], %[[IN]], %[[D]]]
func.func @paged_read(%pool: tensor<9x16x8xbf16>, %m: index, %table: tensor<3x4xi32>) -> tensor<3x?x8xbf16> {
  %y = t6.cache_read %pool[%m] pages %table : tensor<9x16x8xbf16>, tensor<3x4xi32>
  return %y : tensor<3x?x8xbf16>
}

// Where an append says how long rows are, what lies beyond them on their pages is zero.
// CHECK-LABEL: @paged_read_of_append
// CHECK-SAME: %{{.*}}: tensor<9x16x8xbf16>, %[[X:.*]]: tensor<3x?x8xbf16>, %[[POS:.*]]: tensor<3xi32>, %{{.*}}: index
// CHECK: %[[ADDED:.*]] = tensor.dim %[[X]]
// CHECK: linalg.generic
// CHECK: %[[ROW:.*]] = linalg.index 0
// CHECK: %[[KEY:.*]] = linalg.index 1
// CHECK: %[[VALUE:.*]] = tensor.extract %{{.*}} : tensor<9x16x8xbf16>
// CHECK: %[[START:.*]] = tensor.extract %[[POS]][%[[ROW]]]
// CHECK: %[[FIRST:.*]] = arith.index_cast %[[START]]
// CHECK: %[[END:.*]] = arith.addi %[[FIRST]], %[[ADDED]]
// CHECK: %[[IN:.*]] = arith.cmpi ult, %[[KEY]], %[[END]]
// CHECK: arith.select %[[IN]], %[[VALUE]], %{{.*}} : bf16
func.func @paged_read_of_append(%pool: tensor<9x16x8xbf16>, %x: tensor<3x?x8xbf16>, %pos: tensor<3xi32>, %m: index, %table: tensor<3x4xi32>) -> tensor<3x?x8xbf16> {
  %new = t6.cache_append %pool, %x at %pos pages %table : tensor<9x16x8xbf16>, tensor<3x?x8xbf16>, tensor<3xi32>, tensor<3x4xi32>
  %y = t6.cache_read %new[%m] pages %table : tensor<9x16x8xbf16>, tensor<3x4xi32>
  return %y : tensor<3x?x8xbf16>
}

// Each token goes to the page of its own position: a run may cross pages.
// CHECK-LABEL: @paged_append
// CHECK-SAME: %[[POOL:.*]]: tensor<9x16x8xbf16>, %[[X:.*]]: tensor<3x?x8xf32>, %[[POS:.*]]: tensor<3xi32>, %[[TABLE:.*]]: tensor<3x4xi32>
// CHECK: scf.for %[[ROW:.*]] = %{{.*}} iter_args(%[[OUTER:.*]] = %[[POOL]])
// CHECK: scf.for %[[N:.*]] = %{{.*}} iter_args(%[[C:.*]] = %[[OUTER]])
// CHECK: %[[FROM:.*]] = tensor.extract_slice %[[X]][%[[ROW]], %[[N]], 0] [1, 1, 8] [1, 1, 1]
// CHECK: %[[START:.*]] = tensor.extract %[[POS]][%[[ROW]]]
// CHECK: %[[FIRST:.*]] = arith.index_cast %[[START]]
// CHECK: %[[AT:.*]] = arith.addi %[[FIRST]], %[[N]]
// CHECK: %[[T:.*]] = arith.constant 16 : index
// CHECK: %[[SLOT:.*]] = arith.divui %[[AT]], %[[T]]
// CHECK: %[[ENTRY:.*]] = tensor.extract %[[TABLE]][%[[ROW]], %[[SLOT]]]
// CHECK: %[[PAGE:.*]] = arith.index_cast %[[ENTRY]]
// CHECK: %[[IN:.*]] = arith.remui %[[AT]], %[[T]]
// CHECK: %[[PLACE:.*]] = tensor.extract_slice %[[C]][%[[PAGE]], %[[IN]], 0] [1, 1, 8] [1, 1, 1]
// CHECK: %[[NEW:.*]] = linalg.generic {{.*}} ins(%[[FROM]] :{{.*}}) outs(%[[PLACE]] :
// CHECK: %[[UPDATED:.*]] = tensor.insert_slice %[[NEW]] into %[[C]][%[[PAGE]], %[[IN]], 0] [1, 1, 8] [1, 1, 1]
// CHECK: scf.yield %[[UPDATED]]
func.func @paged_append(%pool: tensor<9x16x8xbf16>, %x: tensor<3x?x8xf32>, %pos: tensor<3xi32>, %table: tensor<3x4xi32>) -> tensor<9x16x8xbf16> {
  %y = t6.cache_append %pool, %x at %pos pages %table : tensor<9x16x8xbf16>, tensor<3x?x8xf32>, tensor<3xi32>, tensor<3x4xi32>
  return %y : tensor<9x16x8xbf16>
}

// Sums of tensors become linalg too.
// CHECK-LABEL: @residual
// CHECK: linalg.generic
// CHECK: arith.addf %{{.*}}, %{{.*}} : f32
func.func @residual(%x: tensor<1x?x8xf32>, %y: tensor<1x?x8xf32>) -> tensor<1x?x8xf32> {
  %z = arith.addf %x, %y : tensor<1x?x8xf32>
  return %z : tensor<1x?x8xf32>
}
