// RUN: tpa-opt %s --tpa-lower-to-linalg=positions=16 --split-input-file | FileCheck %s

// CHECK-DAG: #[[$X:.*]] = affine_map<(d0, d1, d2, d3) -> (d0, d1, d3)>
// CHECK-DAG: #[[$W:.*]] = affine_map<(d0, d1, d2, d3) -> (d2, d3)>
// CHECK-DAG: #[[$Y:.*]] = affine_map<(d0, d1, d2, d3) -> (d0, d1, d2)>
// CHECK-DAG: #[[$ID2:.*]] = affine_map<(d0, d1) -> (d0, d1)>
// CHECK-DAG: #[[$T2:.*]] = affine_map<(d0, d1) -> (d1, d0)>
// CHECK-DAG: #[[$NONE:.*]] = affine_map<(d0) -> ()>

// Loops are the output's labels, then what is summed. bf16 is widened; a scale is
// applied to the sum, not to every product.
// CHECK-LABEL: @contraction
// CHECK-SAME: %[[X:.*]]: tensor<2x?x3xf32>, %[[W:.*]]: tensor<5x3xbf16>
// CHECK: %[[N:.*]] = tensor.dim %[[X]], %c1
// CHECK: %[[EMPTY:.*]] = tensor.empty(%[[N]]) : tensor<2x?x5xf32>
// CHECK: %[[ZERO:.*]] = linalg.fill ins(%{{.*}} : f32) outs(%[[EMPTY]]
// CHECK: %[[SUM:.*]] = linalg.generic {indexing_maps = [#[[$X]], #[[$W]], #[[$Y]]], iterator_types = ["parallel", "parallel", "parallel", "reduction"]} ins(%[[X]], %[[W]] :{{.*}}) outs(%[[ZERO]] :
// CHECK: ^bb0(%[[A:.*]]: f32, %[[B:.*]]: bf16, %[[ACC:.*]]: f32):
// CHECK: %[[WIDE:.*]] = arith.extf %[[B]] : bf16 to f32
// CHECK: %[[P:.*]] = arith.mulf %[[A]], %[[WIDE]]
// CHECK: %[[S:.*]] = arith.addf %[[ACC]], %[[P]]
// CHECK: linalg.yield %[[S]]
// CHECK: linalg.generic {{.*}} ins(%[[SUM]] :
// CHECK: %[[HALF:.*]] = arith.constant 5.000000e-01 : f32
// CHECK: arith.mulf %{{.*}}, %[[HALF]]
func.func @contraction(%x: tensor<2x?x3xf32>, %w: tensor<5x3xbf16>) -> tensor<2x?x5xf32> {
  %y = tpa.einsum "bnc,oc->bno"(%x, %w) {scale = 0.5 : f64} : tensor<2x?x3xf32>, tensor<5x3xbf16>
  return %y : tensor<2x?x5xf32>
}

// A product without a sum has no initial value, and takes its scale with it.
// CHECK-LABEL: @product
// CHECK-NOT: linalg.fill
// CHECK: linalg.generic {{.*}} iterator_types = ["parallel", "parallel", "parallel", "parallel"]
// CHECK: %[[P:.*]] = arith.mulf
// CHECK: %[[C:.*]] = arith.constant 2.000000e+00 : f32
// CHECK: arith.mulf %[[P]], %[[C]]
// CHECK-NOT: linalg.generic
func.func @product(%a: tensor<1x2x4xf32>, %b: tensor<1x2x8xf32>) -> tensor<1x2x4x8xf32> {
  %y = tpa.einsum "bnh,bnd->bnhd"(%a, %b) {scale = 2.0 : f64} : tensor<1x2x4xf32>, tensor<1x2x8xf32>
  return %y : tensor<1x2x4x8xf32>
}

// CHECK-LABEL: @transpose
// CHECK: linalg.generic {indexing_maps = [#[[$T2]], #[[$ID2]]], iterator_types = ["parallel", "parallel"]}
// CHECK-NEXT: ^bb0(%[[A:.*]]: f32, %{{.*}}: f32):
// CHECK-NEXT: linalg.yield %[[A]]
func.func @transpose(%x: tensor<3x4xf32>) -> tensor<4x3xf32> {
  %y = tpa.einsum "ab->ba"(%x) : tensor<3x4xf32>
  return %y : tensor<4x3xf32>
}

// CHECK-LABEL: @total
// CHECK: linalg.fill {{.*}} tensor<f64>
// CHECK: linalg.generic {indexing_maps = [#{{.*}}, #[[$NONE]]], iterator_types = ["reduction"]} ins(%{{.*}} : tensor<4xf64>) outs(%{{.*}} : tensor<f64>)
func.func @total(%x: tensor<4xf64>) -> tensor<f64> {
  %y = tpa.einsum "a->"(%x) : tensor<4xf64>
  return %y : tensor<f64>
}

// Maximum, sum of exponentials, quotient. A row that is all -inf (a query with no
// visible key) has no maximum to subtract and no sum to divide by: it gives zeros.
// CHECK-LABEL: @softmax
// CHECK-SAME: %[[X:.*]]: tensor<2x?xf32>
// CHECK: arith.constant 0xFF800000 : f32
// CHECK: %[[MAX:.*]] = linalg.generic {{.*}} iterator_types = ["parallel", "reduction"]} ins(%[[X]] :
// CHECK: arith.maximumf
// CHECK: %[[SUM:.*]] = linalg.generic {{.*}} iterator_types = ["parallel", "reduction"]} ins(%[[X]], %[[MAX]] :
// CHECK: ^bb0(%[[E:.*]]: f32, %[[M:.*]]: f32, %[[ACC:.*]]: f32):
// CHECK: %[[INF:.*]] = arith.constant 0xFF800000 : f32
// CHECK: %[[EMPTY:.*]] = arith.cmpf oeq, %[[M]], %[[INF]]
// CHECK: %[[ZERO:.*]] = arith.constant 0.000000e+00 : f32
// CHECK: %[[SHIFT:.*]] = arith.select %[[EMPTY]], %[[ZERO]], %[[M]]
// CHECK: %[[D:.*]] = arith.subf %[[E]], %[[SHIFT]]
// CHECK: %[[EXP:.*]] = math.exp %[[D]]
// CHECK: arith.addf %[[ACC]], %[[EXP]]
// CHECK: linalg.generic {{.*}} iterator_types = ["parallel", "parallel"]} ins(%[[X]], %[[MAX]], %[[SUM]] :
// CHECK: ^bb0(%{{.*}}: f32, %{{.*}}: f32, %[[S:.*]]: f32, %{{.*}}: f32):
// CHECK: math.exp
// CHECK: %[[ZERO2:.*]] = arith.constant 0.000000e+00 : f32
// CHECK: %[[NO_SUM:.*]] = arith.cmpf oeq, %[[S]], %[[ZERO2]]
// CHECK: %[[Q:.*]] = arith.divf %{{.*}}, %[[S]]
// CHECK: arith.select %[[NO_SUM]], %[[ZERO2]], %[[Q]]
func.func @softmax(%x: tensor<2x?xf32>) -> tensor<2x?xf32> {
  %y = tpa.softmax %x : tensor<2x?xf32>
  return %y : tensor<2x?xf32>
}

// -----

// A table per set of conventions, for the positions that there can be: a cosine
// and a sine for each of four pairs. The first and third rotation share one.
// CHECK-DAG: exec.buffer constant @rope.0 : tensor<16x2x4xf32> {init = #tpa.rope<transposed = true, table = bf16>}
// CHECK-DAG: exec.buffer constant @rope.1 : tensor<16x2x4xf32> {init = #tpa.rope<pairs = interleaved>}
// CHECK-DAG: exec.buffer constant @rope.2 : tensor<16x2x3xf32> {init = #tpa.rope<pairs = interleaved>}
// CHECK-DAG: #[[$SELF:.*]] = affine_map<(d0, d1, d2, d3, d4) -> (d0, d1, d2, d3, d4)>
// CHECK-DAG: #[[$OTHER_HALF:.*]] = affine_map<(d0, d1, d2, d3, d4) -> (d0, d1, d2, -d3 + 1, d4)>
// CHECK-DAG: #[[$NEIGHBOUR:.*]] = affine_map<(d0, d1, d2, d3, d4) -> (d0, d1, d2, d3, -d4 + 1)>
// CHECK-NOT: exec.buffer

// Pairs (i, i + 4). Transposed: y1 = x1 c + x2 s, y2 = x2 c - x1 s.
// CHECK-LABEL: @half_transposed
// CHECK-SAME: %[[X:.*]]: tensor<1x?x2x8xf32>, %[[POS:.*]]: tensor<1xi32>
// CHECK: %[[TABLE:.*]] = exec.load @rope.0
// CHECK: %[[PAIRS:.*]] = tensor.expand_shape %[[X]] {{.*}} into tensor<1x?x2x2x4xf32>
// CHECK: %[[ROT:.*]] = linalg.generic {indexing_maps = [#[[$SELF]], #[[$OTHER_HALF]], #[[$SELF]]], {{.*}}} ins(%[[PAIRS]], %[[PAIRS]] :
// CHECK: ^bb0(%[[X1:.*]]: f32, %[[X2:.*]]: f32, %{{.*}}: f32):
// CHECK: %[[ROW:.*]] = linalg.index 0
// CHECK: %[[START:.*]] = tensor.extract %[[POS]][%[[ROW]]]
// CHECK: %[[START_INDEX:.*]] = arith.index_cast %[[START]]
// CHECK: %[[TOKEN:.*]] = linalg.index 1
// CHECK: %[[P:.*]] = arith.addi %[[START_INDEX]], %[[TOKEN]]
// CHECK: %[[ZERO:.*]] = arith.constant 0 : index
// CHECK: %[[PAIR:.*]] = linalg.index 4
// CHECK: %[[COS:.*]] = tensor.extract %[[TABLE]][%[[P]], %[[ZERO]], %[[PAIR]]]
// CHECK: %[[ONE:.*]] = arith.constant 1 : index
// CHECK: %[[SIN:.*]] = tensor.extract %[[TABLE]][%[[P]], %[[ONE]], %{{.*}}]
// CHECK: %[[C:.*]] = arith.mulf %[[X1]], %[[COS]]
// CHECK: %[[S:.*]] = arith.mulf %[[X2]], %[[SIN]]
// CHECK: %[[PLUS:.*]] = arith.addf %[[C]], %[[S]]
// CHECK: %[[MINUS:.*]] = arith.subf %[[C]], %[[S]]
// CHECK: %[[HALF:.*]] = linalg.index 3
// CHECK: %[[SECOND:.*]] = arith.cmpi ne, %[[HALF]], %{{.*}}
// CHECK: arith.select %[[SECOND]], %[[MINUS]], %[[PLUS]]
// CHECK: tensor.collapse_shape %[[ROT]] {{.*}} into tensor<1x?x2x8xf32>
func.func @half_transposed(%x: tensor<1x?x2x8xf32>, %pos: tensor<1xi32>) -> tensor<1x?x2x8xf32> {
  %y = tpa.rope %x at %pos {rope = #tpa.rope<transposed = true, table = bf16>} : tensor<1x?x2x8xf32>, tensor<1xi32>
  return %y : tensor<1x?x2x8xf32>
}

// Pairs (2i, 2i + 1): y1 = x1 c - x2 s, y2 = x2 c + x1 s. The pair index moves.
// CHECK-LABEL: @interleaved
// CHECK: %[[TABLE:.*]] = exec.load @rope.1
// CHECK: tensor.expand_shape {{.*}} into tensor<1x?x2x4x2xbf16>
// CHECK: linalg.generic {indexing_maps = [#[[$SELF]], #[[$NEIGHBOUR]], #[[$SELF]]]
// CHECK: arith.extf
// CHECK: %[[PAIR:.*]] = linalg.index 3
// CHECK: tensor.extract %[[TABLE]][%{{.*}}, %{{.*}}, %[[PAIR]]]
// CHECK: %[[HALF:.*]] = linalg.index 4
// CHECK: arith.cmpi eq, %[[HALF]]
func.func @interleaved(%x: tensor<1x?x2x8xbf16>, %pos: tensor<1xi32>) -> tensor<1x?x2x8xf32> {
  %y = tpa.rope %x at %pos {rope = #tpa.rope<pairs = interleaved>} : tensor<1x?x2x8xbf16>, tensor<1xi32>
  return %y : tensor<1x?x2x8xf32>
}

// CHECK-LABEL: @same_table
// CHECK: exec.load @rope.0
// CHECK: exec.load @rope.2
func.func @same_table(%x: tensor<1x4x8xf32>, %y: tensor<1x4x6xf32>, %pos: tensor<1xi32>) -> (tensor<1x4x8xf32>, tensor<1x4x6xf32>) {
  %a = tpa.rope %x at %pos {rope = #tpa.rope<transposed = true, table = bf16>} : tensor<1x4x8xf32>, tensor<1xi32>
  %b = tpa.rope %y at %pos {rope = #tpa.rope<pairs = interleaved>} : tensor<1x4x6xf32>, tensor<1xi32>
  return %a, %b : tensor<1x4x8xf32>, tensor<1x4x6xf32>
}

// -----

// The longest entry says how many positions a table has.
// CHECK: exec.buffer constant @rope.0 : tensor<100x2x4xf32>
exec.entry @long scalars ["m", "n"] maxima [100, 8] {
^bb0(%m: index, %n: index):
}
exec.entry @short scalars ["n"] maxima [8] {
^bb0(%n: index):
}
func.func @rope(%x: tensor<1x4x8xf32>, %pos: tensor<1xi32>) -> tensor<1x4x8xf32> {
  %y = tpa.rope %x at %pos {rope = #tpa.rope<>} : tensor<1x4x8xf32>, tensor<1xi32>
  return %y : tensor<1x4x8xf32>
}

// A sink joins the maximum and the sum of a row after the keys, and is no part of the result.
// CHECK-LABEL: @softmax_sinks
// CHECK-SAME: %[[X:.*]]: tensor<2x3x?xf32>, %[[SINKS:.*]]: tensor<3xf32>
// CHECK: %[[KEYS:.*]] = linalg.generic {{.*}}"reduction"]} ins(%[[X]] :
// CHECK: %[[MAX:.*]] = linalg.generic {{.*}} ins(%[[KEYS]], %[[SINKS]] :
// CHECK: arith.maximumf
// CHECK: %[[SUM:.*]] = linalg.generic {{.*}}"reduction"]} ins(%[[X]], %[[MAX]] :
// CHECK: %[[TOTAL:.*]] = linalg.generic {{.*}} ins(%[[SUM]], %[[MAX]], %[[SINKS]] :
// CHECK: math.exp
// CHECK: linalg.generic {{.*}} ins(%[[X]], %[[MAX]], %[[TOTAL]] :{{.*}} outs(%{{.*}} : tensor<2x3x?xf32>)
func.func @softmax_sinks(%x: tensor<2x3x?xf32>, %s: tensor<3xf32>) -> tensor<2x3x?xf32> {
  %w = tpa.softmax %x sinks %s along [1] : tensor<2x3x?xf32>, tensor<3xf32>
  return %w : tensor<2x3x?xf32>
}

// Half of eight features rotate: two pairs, the other four stay.
// CHECK-LABEL: @rope_partial
// CHECK-SAME: %[[X:.*]]: tensor<1x?x3x8xf32>
// CHECK: %[[FIRST:.*]] = tensor.extract_slice %[[X]][0, 0, 0, 0] [1, %{{.*}}, 3, 4] [1, 1, 1, 1]
// CHECK: tensor.expand_shape %[[FIRST]]
// CHECK: %[[TURNED:.*]] = tensor.collapse_shape
// CHECK: linalg.generic {{.*}} ins(%[[X]] :
// CHECK: %[[D:.*]] = linalg.index 3
// CHECK: %[[LAST:.*]] = arith.constant 3 : index
// CHECK: %[[TURNS:.*]] = arith.cmpi sle, %[[D]], %[[LAST]]
// CHECK: %[[E:.*]] = tensor.extract %[[TURNED]]
// CHECK: arith.select %[[TURNS]], %[[E]]
func.func @rope_partial(%x: tensor<1x?x3x8xf32>, %pos: tensor<1xi32>) -> tensor<1x?x3x8xf32> {
  %y = tpa.rope %x at %pos {rope = #tpa.rope<fraction = 0.5 : f64>} : tensor<1x?x3x8xf32>, tensor<1xi32>
  return %y : tensor<1x?x3x8xf32>
}
