// What may follow a contraction or reduction in its kernel, and what may not.
// RUN: tpa-opt %s --exec-form-dispatches=twin-rows=16 | FileCheck %s
// RUN: tpa-opt %s --exec-form-dispatches | FileCheck %s --check-prefix=ALONE
// RUN: tpa-opt %s --exec-form-dispatches=twin-rows=16 --remarks-filter=tpa --remark-format=emitRemark 2>&1 >/dev/null | FileCheck %s --check-prefix=REMARK

#id = affine_map<(d0, d1) -> (d0, d1)>
#swap = affine_map<(d0, d1) -> (d1, d0)>
#row = affine_map<(d0, d1) -> (d0)>
#sum = {indexing_maps = [#id, #row], iterator_types = ["parallel", "reduction"]}
#id1 = affine_map<(d0) -> (d0)>

// The square root joins; the kernel is named after the work.
// CHECK-LABEL: func.func private @joined
// CHECK: exec.dispatch @joined_norm reads(%{{.*}}, %{{.*}} : tensor<4x8xf32>, tensor<4xf32>) writes(%{{.*}} : tensor<4xf32>)
// CHECK-NOT: exec.dispatch
// REMARK: :[[#@LINE+8]]:{{.*}} [Passed] epilogue {{.*}} work=norm
func.func private @joined(%x: tensor<4x8xf32>, %init: tensor<4xf32>) -> tensor<4xf32> {
  %a = linalg.generic #sum ins(%x : tensor<4x8xf32>) outs(%init : tensor<4xf32>) {
  ^bb0(%in: f32, %out: f32):
    %0 = arith.addf %out, %in : f32
    linalg.yield %0 : f32
  } -> tensor<4xf32> loc("norm")
  %e = tensor.empty() : tensor<4xf32>
  %b = linalg.generic {indexing_maps = [#id1, #id1], iterator_types = ["parallel"]} ins(%a : tensor<4xf32>) outs(%e : tensor<4xf32>) {
  ^bb0(%in: f32, %out: f32):
    %0 = math.sqrt %in : f32
    linalg.yield %0 : f32
  } -> tensor<4xf32>
  return %b : tensor<4xf32>
}

// CHECK-LABEL: func.func private @two_uses
// CHECK: %[[A:.*]] = exec.dispatch
// CHECK: %[[B:.*]] = exec.dispatch @two_uses_elementwise reads(%[[A]] :
// CHECK: return %[[A]], %[[B]]
// REMARK: [Missed] epilogue {{.*}} Reason="the result has another use"
func.func private @two_uses(%x: tensor<4x8xf32>, %init: tensor<4xf32>) -> (tensor<4xf32>, tensor<4xf32>) {
  %a = linalg.generic #sum ins(%x : tensor<4x8xf32>) outs(%init : tensor<4xf32>) {
  ^bb0(%in: f32, %out: f32):
    %0 = arith.addf %out, %in : f32
    linalg.yield %0 : f32
  } -> tensor<4xf32>
  %e = tensor.empty() : tensor<4xf32>
  %b = linalg.generic {indexing_maps = [#id1, #id1], iterator_types = ["parallel"]} ins(%a : tensor<4xf32>) outs(%e : tensor<4xf32>) {
  ^bb0(%in: f32, %out: f32):
    %0 = math.sqrt %in : f32
    linalg.yield %0 : f32
  } -> tensor<4xf32>
  return %a, %b : tensor<4xf32>, tensor<4xf32>
}

// The sum of a row is read for each element of the row.
// CHECK-LABEL: func.func private @broadcast
// CHECK-COUNT-2: exec.dispatch
// REMARK: [Missed] epilogue {{.*}} Reason="the map does not read each element once"
func.func private @broadcast(%x: tensor<4x8xf32>, %init: tensor<4xf32>) -> tensor<4x8xf32> {
  %a = linalg.generic #sum ins(%x : tensor<4x8xf32>) outs(%init : tensor<4xf32>) {
  ^bb0(%in: f32, %out: f32):
    %0 = arith.addf %out, %in : f32
    linalg.yield %0 : f32
  } -> tensor<4xf32>
  %e = tensor.empty() : tensor<4x8xf32>
  %b = linalg.generic {indexing_maps = [#id, #row, #id], iterator_types = ["parallel", "parallel"]}
      ins(%x, %a : tensor<4x8xf32>, tensor<4xf32>) outs(%e : tensor<4x8xf32>) {
  ^bb0(%in: f32, %sum: f32, %out: f32):
    %0 = arith.divf %in, %sum : f32
    linalg.yield %0 : f32
  } -> tensor<4x8xf32>
  return %b : tensor<4x8xf32>
}

// A map of two sums follows the first.
// CHECK-LABEL: func.func private @two_roots
// CHECK: %[[Y:.*]] = exec.dispatch
// CHECK: exec.dispatch {{.*}} reads(%{{.*}}, %[[Y]] :
// CHECK-NOT: exec.dispatch
// REMARK: [Passed] epilogue
// REMARK: [Missed] epilogue {{.*}} Reason="the map follows other work already"
func.func private @two_roots(%x: tensor<4x8xf32>, %y: tensor<4x8xf32>, %init: tensor<4xf32>) -> tensor<4xf32> {
  %b = linalg.generic #sum ins(%y : tensor<4x8xf32>) outs(%init : tensor<4xf32>) {
  ^bb0(%in: f32, %out: f32):
    %0 = arith.addf %out, %in : f32
    linalg.yield %0 : f32
  } -> tensor<4xf32>
  %a = linalg.generic #sum ins(%x : tensor<4x8xf32>) outs(%init : tensor<4xf32>) {
  ^bb0(%in: f32, %out: f32):
    %0 = arith.addf %out, %in : f32
    linalg.yield %0 : f32
  } -> tensor<4xf32>
  %e = tensor.empty() : tensor<4xf32>
  %c = linalg.generic {indexing_maps = [#id1, #id1, #id1], iterator_types = ["parallel"]} ins(%a, %b : tensor<4xf32>, tensor<4xf32>) outs(%e : tensor<4xf32>) {
  ^bb0(%in: f32, %in2: f32, %out: f32):
    %0 = arith.divf %in, %in2 : f32
    linalg.yield %0 : f32
  } -> tensor<4xf32>
  return %c : tensor<4xf32>
}

// An append updates the cache that it is given: the cache is written, not read.
// CHECK-LABEL: func.func private @append
// CHECK-SAME: %[[CACHE:.*]]: tensor<2x64x8xf32>, %[[X:.*]]: tensor<2x4x8xf32>, %[[POS:.*]]: tensor<2xindex>
// CHECK: %[[NEW:.*]] = exec.dispatch @append_cache_append reads(%[[X]], %[[POS]] : {{.*}}) writes(%[[CACHE]] :
// CHECK: return %[[NEW]]
func.func private @append(%cache: tensor<2x64x8xf32>, %x: tensor<2x4x8xf32>, %pos: tensor<2xindex>) -> tensor<2x64x8xf32> {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c2 = arith.constant 2 : index
  %y = scf.for %i = %c0 to %c2 step %c1 iter_args(%c = %cache) -> tensor<2x64x8xf32> {
    %from = tensor.extract_slice %x[%i, 0, 0] [1, 4, 8] [1, 1, 1] : tensor<2x4x8xf32> to tensor<1x4x8xf32>
    %at = tensor.extract %pos[%i] : tensor<2xindex>
    %new = tensor.insert_slice %from into %c[%i, %at, 0] [1, 4, 8] [1, 1, 1] : tensor<1x4x8xf32> into tensor<2x64x8xf32>
    scf.yield %new : tensor<2x64x8xf32>
  }
  return %y : tensor<2x64x8xf32>
}

#x = affine_map<(n, o, c) -> (n, c)>
#w = affine_map<(n, o, c) -> (o, c)>
#y = affine_map<(n, o, c) -> (n, o)>
#linear = {indexing_maps = [#x, #w, #y], iterator_types = ["parallel", "parallel", "reduction"]}

// Two products of one operand, with the same loops: the map follows both, in one kernel that reads x once and writes
// neither product. Bytes: 8 numbers, two matrices of 3 * 8, and 3 numbers; operations: 2 * 2 * 24 and 3.
// CHECK-LABEL: func.func private @twins
// CHECK-SAME: %[[X:.*]]: tensor<1x8xf32>, %[[G:.*]]: tensor<3x8xf32>, %[[U:.*]]: tensor<3x8xf32>
// CHECK: %[[Y:.*]] = exec.dispatch @twins_gate reads(%[[X]], %[[G]], %[[U]] :
// CHECK-SAME: read = () -> (224), write = () -> (12), flops = () -> (99)
// CHECK-NOT: exec.dispatch
// CHECK: return %[[Y]]
// Unless asked for, it follows one of them.
// ALONE-LABEL: func.func private @twins
// ALONE: exec.dispatch
// ALONE: exec.dispatch
// ALONE-NOT: exec.dispatch
// ALONE: return
// REMARK: :[[#@LINE+18]]:{{.*}} [Passed] epilogue {{.*}} work=gate
// REMARK: :[[#@LINE+17]]:{{.*}} [Passed] epilogue {{.*}} work=up
func.func private @twins(%x: tensor<1x8xf32>, %g: tensor<3x8xf32>, %u: tensor<3x8xf32>) -> tensor<1x3xf32> {
  %zero = arith.constant 0.0 : f32
  %e = tensor.empty() : tensor<1x3xf32>
  %f = linalg.fill ins(%zero : f32) outs(%e : tensor<1x3xf32>) -> tensor<1x3xf32>
  %up = linalg.generic #linear ins(%x, %u : tensor<1x8xf32>, tensor<3x8xf32>) outs(%f : tensor<1x3xf32>) {
  ^bb0(%a: f32, %b: f32, %acc: f32):
    %0 = arith.mulf %a, %b : f32
    %1 = arith.addf %acc, %0 : f32
    linalg.yield %1 : f32
  } -> tensor<1x3xf32> loc("up")
  %gate = linalg.generic #linear ins(%x, %g : tensor<1x8xf32>, tensor<3x8xf32>) outs(%f : tensor<1x3xf32>) {
  ^bb0(%a: f32, %b: f32, %acc: f32):
    %0 = arith.mulf %a, %b : f32
    %1 = arith.addf %acc, %0 : f32
    linalg.yield %1 : f32
  } -> tensor<1x3xf32> loc("gate")
  %y = linalg.generic {indexing_maps = [#id, #id, #id], iterator_types = ["parallel", "parallel"]}
      ins(%gate, %up : tensor<1x3xf32>, tensor<1x3xf32>) outs(%e : tensor<1x3xf32>) {
  ^bb0(%a: f32, %b: f32, %o: f32):
    %0 = arith.mulf %a, %b : f32
    linalg.yield %0 : f32
  } -> tensor<1x3xf32>
  return %y : tensor<1x3xf32>
}

// Sixteen rows are a product each, which may be packed; the loops of a wide and a transposed matrix are not the same.
// CHECK-LABEL: func.func private @no_twins
// CHECK: exec.dispatch @no_twins_wide reads(
// CHECK: exec.dispatch @no_twins_gate reads(
// CHECK: exec.dispatch @no_twins_wide{{.*}} reads(
// CHECK: exec.dispatch @no_twins_transposed reads(
// CHECK-NOT: exec.dispatch
// REMARK: [Passed] epilogue {{.*}} work=gate
// REMARK: [Missed] epilogue {{.*}} Reason="the map follows other work already, and there are many rows", work=wide
// REMARK: [Passed] epilogue {{.*}} work=transposed
// REMARK: [Missed] epilogue {{.*}} Reason="the map follows other work already", work=wide
func.func private @no_twins(%x: tensor<16x8xf32>, %x1: tensor<1x8xf32>, %g: tensor<3x8xf32>, %u: tensor<3x8xf32>, %t: tensor<8x3xf32>) -> (tensor<16x3xf32>, tensor<1x3xf32>) {
  %zero = arith.constant 0.0 : f32
  %e = tensor.empty() : tensor<16x3xf32>
  %f = linalg.fill ins(%zero : f32) outs(%e : tensor<16x3xf32>) -> tensor<16x3xf32>
  %up = linalg.generic #linear ins(%x, %u : tensor<16x8xf32>, tensor<3x8xf32>) outs(%f : tensor<16x3xf32>) {
  ^bb0(%a: f32, %b: f32, %acc: f32):
    %0 = arith.mulf %a, %b : f32
    %1 = arith.addf %acc, %0 : f32
    linalg.yield %1 : f32
  } -> tensor<16x3xf32> loc("wide")
  %gate = linalg.generic #linear ins(%x, %g : tensor<16x8xf32>, tensor<3x8xf32>) outs(%f : tensor<16x3xf32>) {
  ^bb0(%a: f32, %b: f32, %acc: f32):
    %0 = arith.mulf %a, %b : f32
    %1 = arith.addf %acc, %0 : f32
    linalg.yield %1 : f32
  } -> tensor<16x3xf32> loc("gate")
  %y = linalg.generic {indexing_maps = [#id, #id, #id], iterator_types = ["parallel", "parallel"]}
      ins(%gate, %up : tensor<16x3xf32>, tensor<16x3xf32>) outs(%e : tensor<16x3xf32>) {
  ^bb0(%a: f32, %b: f32, %o: f32):
    %0 = arith.mulf %a, %b : f32
    linalg.yield %0 : f32
  } -> tensor<16x3xf32>
  %e1 = tensor.empty() : tensor<1x3xf32>
  %f1 = linalg.fill ins(%zero : f32) outs(%e1 : tensor<1x3xf32>) -> tensor<1x3xf32>
  %one = linalg.generic #linear ins(%x1, %u : tensor<1x8xf32>, tensor<3x8xf32>) outs(%f1 : tensor<1x3xf32>) {
  ^bb0(%a: f32, %b: f32, %acc: f32):
    %0 = arith.mulf %a, %b : f32
    %1 = arith.addf %acc, %0 : f32
    linalg.yield %1 : f32
  } -> tensor<1x3xf32> loc("wide")
  %other = linalg.generic {indexing_maps = [#x, affine_map<(n, o, c) -> (c, o)>, #y], iterator_types = ["parallel", "parallel", "reduction"]}
      ins(%x1, %t : tensor<1x8xf32>, tensor<8x3xf32>) outs(%f1 : tensor<1x3xf32>) {
  ^bb0(%a: f32, %b: f32, %acc: f32):
    %0 = arith.mulf %a, %b : f32
    %1 = arith.addf %acc, %0 : f32
    linalg.yield %1 : f32
  } -> tensor<1x3xf32> loc("transposed")
  %z = linalg.generic {indexing_maps = [#id, #id, #id], iterator_types = ["parallel", "parallel"]}
      ins(%other, %one : tensor<1x3xf32>, tensor<1x3xf32>) outs(%e1 : tensor<1x3xf32>) {
  ^bb0(%a: f32, %b: f32, %o: f32):
    %0 = arith.mulf %a, %b : f32
    linalg.yield %0 : f32
  } -> tensor<1x3xf32>
  return %y, %z : tensor<16x3xf32>, tensor<1x3xf32>
}
