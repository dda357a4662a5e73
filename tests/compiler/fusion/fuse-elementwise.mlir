// RUN: tpa-opt %s --tpa-fuse-elementwise | FileCheck %s
// RUN: tpa-opt %s --tpa-fuse-elementwise --tpa-fuse-elementwise | FileCheck %s
// RUN: tpa-opt %s --tpa-fuse-elementwise --remarks-filter=tpa --remark-format=emitRemark 2>&1 >/dev/null | FileCheck %s --check-prefix=REMARK

#id = affine_map<(d0, d1) -> (d0, d1)>
#swap = affine_map<(d0, d1) -> (d1, d0)>
#row = affine_map<(d0, d1) -> (d0)>
#map = {indexing_maps = [#id, #id], iterator_types = ["parallel", "parallel"]}
#zip = {indexing_maps = [#id, #id, #id], iterator_types = ["parallel", "parallel"]}
#sum = {indexing_maps = [#id, #row], iterator_types = ["parallel", "reduction"]}
#matmul = {indexing_maps = [affine_map<(i, j, k) -> (i, k)>, affine_map<(i, j, k) -> (j, k)>, affine_map<(i, j, k) -> (i, j)>],
           iterator_types = ["parallel", "parallel", "reduction"]}

// exp(x) is used once, element by element: one operation is left of three.
// CHECK-LABEL: @chain
// CHECK-SAME: %[[X:.*]]: tensor<4x8xf32>, %[[Y:.*]]: tensor<4x8xf32>
// CHECK: %[[R:.*]] = linalg.generic {{.*}} ins(%[[X]], %[[Y]] :
// CHECK: ^bb0(%[[A:.*]]: f32, %[[B:.*]]: f32,
// CHECK: %[[E:.*]] = math.exp %[[A]]
// CHECK: %[[P:.*]] = arith.mulf %[[E]], %[[B]]
// CHECK: %[[N:.*]] = arith.negf %[[P]]
// CHECK: linalg.yield %[[N]]
// CHECK-NOT: linalg.generic
// CHECK: return %[[R]]
// REMARK-COUNT-2: [Passed] fuse-elementwise {{.*}} operations=1
func.func @chain(%x: tensor<4x8xf32>, %y: tensor<4x8xf32>) -> tensor<4x8xf32> {
  %e = tensor.empty() : tensor<4x8xf32>
  %a = linalg.generic #map ins(%x : tensor<4x8xf32>) outs(%e : tensor<4x8xf32>) {
  ^bb0(%in: f32, %out: f32):
    %0 = math.exp %in : f32
    linalg.yield %0 : f32
  } -> tensor<4x8xf32>
  %b = linalg.generic #zip ins(%a, %y : tensor<4x8xf32>, tensor<4x8xf32>) outs(%e : tensor<4x8xf32>) {
  ^bb0(%in: f32, %in2: f32, %out: f32):
    %0 = arith.mulf %in, %in2 : f32
    linalg.yield %0 : f32
  } -> tensor<4x8xf32>
  %c = linalg.generic #map ins(%b : tensor<4x8xf32>) outs(%e : tensor<4x8xf32>) {
  ^bb0(%in: f32, %out: f32):
    %0 = arith.negf %in : f32
    linalg.yield %0 : f32
  } -> tensor<4x8xf32>
  return %c : tensor<4x8xf32>
}

// A reduction that reads each element once takes its producer in, also transposed.
// CHECK-LABEL: @into_reduction
// CHECK-SAME: %[[X:.*]]: tensor<8x4xf32>
// CHECK: linalg.generic {indexing_maps = [#[[$SWAP:.*]], #{{.*}}], iterator_types = ["parallel", "reduction"]} ins(%[[X]] :
// CHECK: %[[E:.*]] = math.exp
// CHECK: arith.addf %{{.*}}, %[[E]]
// CHECK-NOT: linalg.generic
// REMARK: [Passed] fuse-elementwise
func.func @into_reduction(%x: tensor<8x4xf32>, %init: tensor<4xf32>) -> tensor<4xf32> {
  %e = tensor.empty() : tensor<4x8xf32>
  %a = linalg.generic {indexing_maps = [#swap, #id], iterator_types = ["parallel", "parallel"]}
      ins(%x : tensor<8x4xf32>) outs(%e : tensor<4x8xf32>) {
  ^bb0(%in: f32, %out: f32):
    %0 = math.exp %in : f32
    linalg.yield %0 : f32
  } -> tensor<4x8xf32>
  %b = linalg.generic #sum ins(%a : tensor<4x8xf32>) outs(%init : tensor<4xf32>) {
  ^bb0(%in: f32, %out: f32):
    %0 = arith.addf %out, %in : f32
    linalg.yield %0 : f32
  } -> tensor<4xf32>
  return %b : tensor<4xf32>
}

// A matrix product reads each element for every column: exp would be computed anew.
// CHECK-LABEL: @reread
// CHECK: %[[A:.*]] = linalg.generic
// CHECK: math.exp
// CHECK: linalg.generic {{.*}} ins(%[[A]], %{{.*}} :
// REMARK: fuse-elementwise.mlir:[[#@LINE+3]]:{{.*}} [Missed] fuse-elementwise {{.*}} Reason="its consumer does not read each element once"
func.func @reread(%x: tensor<4x8xf32>, %w: tensor<5x8xf32>, %init: tensor<4x5xf32>) -> tensor<4x5xf32> {
  %e = tensor.empty() : tensor<4x8xf32>
  %a = linalg.generic #map ins(%x : tensor<4x8xf32>) outs(%e : tensor<4x8xf32>) {
  ^bb0(%in: f32, %out: f32):
    %0 = math.exp %in : f32
    linalg.yield %0 : f32
  } -> tensor<4x8xf32>
  %b = linalg.generic #matmul ins(%a, %w : tensor<4x8xf32>, tensor<5x8xf32>) outs(%init : tensor<4x5xf32>) {
  ^bb0(%in: f32, %in2: f32, %out: f32):
    %0 = arith.mulf %in, %in2 : f32
    %1 = arith.addf %out, %0 : f32
    linalg.yield %1 : f32
  } -> tensor<4x5xf32>
  return %b : tensor<4x5xf32>
}

// A result with two uses stays, even where both are element by element.
// CHECK-LABEL: @two_uses
// CHECK: %[[A:.*]] = linalg.generic
// CHECK: math.exp
// CHECK: %[[B:.*]] = linalg.generic {{.*}} ins(%[[A]] :
// CHECK: return %[[A]], %[[B]]
// REMARK: [Missed] fuse-elementwise {{.*}} Reason="its result has 2 uses"
func.func @two_uses(%x: tensor<4x8xf32>) -> (tensor<4x8xf32>, tensor<4x8xf32>) {
  %e = tensor.empty() : tensor<4x8xf32>
  %a = linalg.generic #map ins(%x : tensor<4x8xf32>) outs(%e : tensor<4x8xf32>) {
  ^bb0(%in: f32, %out: f32):
    %0 = math.exp %in : f32
    linalg.yield %0 : f32
  } -> tensor<4x8xf32>
  %b = linalg.generic #map ins(%a : tensor<4x8xf32>) outs(%e : tensor<4x8xf32>) {
  ^bb0(%in: f32, %out: f32):
    %0 = arith.negf %in : f32
    linalg.yield %0 : f32
  } -> tensor<4x8xf32>
  return %a, %b : tensor<4x8xf32>, tensor<4x8xf32>
}

// A reduction moves into no consumer: that is what an epilogue is for.
// CHECK-LABEL: @after_reduction
// CHECK: %[[A:.*]] = linalg.generic {{.*}} iterator_types = ["parallel", "reduction"]
// CHECK: linalg.generic {{.*}} iterator_types = ["parallel"]} ins(%[[A]] :
// REMARK-NOT: remark:
func.func @after_reduction(%x: tensor<4x8xf32>, %init: tensor<4xf32>) -> tensor<4xf32> {
  %a = linalg.generic #sum ins(%x : tensor<4x8xf32>) outs(%init : tensor<4xf32>) {
  ^bb0(%in: f32, %out: f32):
    %0 = arith.addf %out, %in : f32
    linalg.yield %0 : f32
  } -> tensor<4xf32>
  %e = tensor.empty() : tensor<4xf32>
  %b = linalg.generic {indexing_maps = [affine_map<(i) -> (i)>, affine_map<(i) -> (i)>], iterator_types = ["parallel"]}
      ins(%a : tensor<4xf32>) outs(%e : tensor<4xf32>) {
  ^bb0(%in: f32, %out: f32):
    %0 = math.sqrt %in : f32
    linalg.yield %0 : f32
  } -> tensor<4xf32>
  return %b : tensor<4xf32>
}
