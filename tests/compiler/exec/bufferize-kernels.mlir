// RUN: tpa-opt %s --exec-bufferize-kernels | FileCheck %s
// A loop that hands its buffer on is what canonicalization removes, and the last copy with it.
// RUN: tpa-opt %s --exec-bufferize-kernels --canonicalize | FileCheck %s --check-prefix=CLEAN

// CLEAN-NOT: memref.copy
// CLEAN-NOT: linalg.generic {{.*}}tensor<

#id = affine_map<(n, o) -> (n, o)>
#map = {indexing_maps = [#id, #id], iterator_types = ["parallel", "parallel"]}
#linear = {indexing_maps = [affine_map<(n, o, c) -> (n, c)>, affine_map<(n, o, c) -> (o, c)>, affine_map<(n, o, c) -> (n, o)>],
           iterator_types = ["parallel", "parallel", "reduction"]}

// Scalars are what is left of the arguments; dynamic sizes come from them. The
// result is written where it is bound, without a copy.
// CHECK-LABEL: func.func private @pointwise
// CHECK-SAME: (%{{.*}}: index, %[[M:.*]]: index) attributes {exec.kernel} {
// CHECK: %[[IN:.*]] = exec.binding 0[%[[M]]] : memref<?x4xf32>
// CHECK: %[[OUT:.*]] = exec.binding 1[%[[M]]] : memref<?x4xf32>
// CHECK-NOT: memref.alloc
// CHECK: linalg.generic {{.*}} ins(%[[IN]] :{{.*}}) outs(%[[OUT]] :
// CHECK: }
// CHECK-NEXT: return
func.func private @pointwise(%x: tensor<?x4xf32> {exec.sizes = array<i64: 1>}, %out: tensor<?x4xf32> {exec.sizes = array<i64: 1>},
                             %n: index, %m: index) -> tensor<?x4xf32> attributes {exec.kernel} {
  %y = linalg.generic #map ins(%x : tensor<?x4xf32>) outs(%out : tensor<?x4xf32>) {
  ^bb0(%a: f32, %acc: f32):
    %0 = arith.negf %a : f32
    linalg.yield %0 : f32
  } -> tensor<?x4xf32>
  return %y : tensor<?x4xf32>
}

// What comes before an epilogue is the one thing that has memory of its own.
// CHECK-LABEL: func.func private @epilogue
// CHECK-SAME: (%[[N:.*]]: index)
// CHECK: %[[X:.*]] = exec.binding 0[%[[N]]] : memref<?x8xf32>
// CHECK: %[[W:.*]] = exec.binding 1 : memref<4x8xbf16>
// CHECK: %[[R:.*]] = exec.binding 2[%[[N]]] : memref<?x4xf32>
// CHECK: %[[OUT:.*]] = exec.binding 3[%[[N]]] : memref<?x4xf32>
// CHECK: %[[P:.*]] = memref.alloc(%[[N]])
// CHECK-NOT: memref.alloc
// CHECK: linalg.fill {{.*}} outs(%[[P]] :
// CHECK: linalg.generic {{.*}} ins(%[[X]], %[[W]] :{{.*}}) outs(%[[P]] :
// CHECK: linalg.generic {{.*}} ins(%[[P]], %[[R]] :{{.*}}) outs(%[[OUT]] :
func.func private @epilogue(%x: tensor<?x8xf32> {exec.sizes = array<i64: 0>}, %w: tensor<4x8xbf16>, %r: tensor<?x4xf32> {exec.sizes = array<i64: 0>},
                            %out: tensor<?x4xf32> {exec.sizes = array<i64: 0>}, %n: index) -> tensor<?x4xf32> attributes {exec.kernel} {
  %zero = arith.constant 0.0 : f32
  %e = tensor.empty(%n) : tensor<?x4xf32>
  %f = linalg.fill ins(%zero : f32) outs(%e : tensor<?x4xf32>) -> tensor<?x4xf32>
  %p = linalg.generic #linear ins(%x, %w : tensor<?x8xf32>, tensor<4x8xbf16>) outs(%f : tensor<?x4xf32>) {
  ^bb0(%a: f32, %b: bf16, %acc: f32):
    %0 = arith.extf %b : bf16 to f32
    %1 = arith.mulf %a, %0 : f32
    %2 = arith.addf %acc, %1 : f32
    linalg.yield %2 : f32
  } -> tensor<?x4xf32>
  %y = linalg.generic {indexing_maps = [#id, #id, #id], iterator_types = ["parallel", "parallel"]}
      ins(%p, %r : tensor<?x4xf32>, tensor<?x4xf32>) outs(%out : tensor<?x4xf32>) {
  ^bb0(%a: f32, %b: f32, %acc: f32):
    %0 = arith.addf %a, %b : f32
    linalg.yield %0 : f32
  } -> tensor<?x4xf32>
  return %y : tensor<?x4xf32>
}

// A reduction straight into its result: no intermediate at all.
// CHECK-LABEL: func.func private @reduction
// CHECK: %[[OUT:.*]] = exec.binding 1 : memref<4xf32>
// CHECK-NOT: memref.alloc
// CHECK: linalg.fill {{.*}} outs(%[[OUT]] :
// CHECK: linalg.generic {{.*}} outs(%[[OUT]] :
func.func private @reduction(%x: tensor<4x8xf32>, %out: tensor<4xf32>) -> tensor<4xf32> attributes {exec.kernel} {
  %zero = arith.constant 0.0 : f32
  %f = linalg.fill ins(%zero : f32) outs(%out : tensor<4xf32>) -> tensor<4xf32>
  %y = linalg.generic {indexing_maps = [#id, affine_map<(n, o) -> (n)>], iterator_types = ["parallel", "reduction"]}
      ins(%x : tensor<4x8xf32>) outs(%f : tensor<4xf32>) {
  ^bb0(%a: f32, %acc: f32):
    %0 = arith.addf %acc, %a : f32
    linalg.yield %0 : f32
  } -> tensor<4xf32>
  return %y : tensor<4xf32>
}

// A cache is updated where it is: rows are written into a view of it.
// CHECK-LABEL: func.func private @append
// CHECK: %[[POS:.*]] = exec.binding 1 : memref<2xi32>
// CHECK: %[[CACHE:.*]] = exec.binding 2 : memref<2x64x8xbf16>
// CHECK-NOT: memref.alloc
// CHECK: scf.for %[[I:.*]] = {{.*}} iter_args(%[[C:.*]] = %[[CACHE]])
// CHECK: %[[AT32:.*]] = memref.load %[[POS]][%[[I]]]
// CHECK: %[[AT:.*]] = arith.index_cast %[[AT32]]
// CHECK: %[[PLACE:.*]] = memref.subview %[[C]][%[[I]], %[[AT]], 0]
// CHECK: linalg.generic {{.*}} outs(%[[PLACE]] :
// CHECK-NOT: memref.copy %[[PLACE]]
// CHECK: scf.yield %[[C]]
func.func private @append(%x: tensor<2x?x8xf32> {exec.sizes = array<i64: 0>}, %pos: tensor<2xi32>, %cache: tensor<2x64x8xbf16>, %n: index)
    -> tensor<2x64x8xbf16> attributes {exec.kernel} {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c2 = arith.constant 2 : index
  %y = scf.for %i = %c0 to %c2 step %c1 iter_args(%c = %cache) -> tensor<2x64x8xbf16> {
    %from = tensor.extract_slice %x[%i, 0, 0] [1, %n, 8] [1, 1, 1] : tensor<2x?x8xf32> to tensor<1x?x8xf32>
    %at32 = tensor.extract %pos[%i] : tensor<2xi32>
    %at = arith.index_cast %at32 : i32 to index
    %place = tensor.extract_slice %c[%i, %at, 0] [1, %n, 8] [1, 1, 1] : tensor<2x64x8xbf16> to tensor<1x?x8xbf16>
    %w = linalg.generic {indexing_maps = [affine_map<(b, n, d) -> (b, n, d)>, affine_map<(b, n, d) -> (b, n, d)>], iterator_types = ["parallel", "parallel", "parallel"]}
        ins(%from : tensor<1x?x8xf32>) outs(%place : tensor<1x?x8xbf16>) {
    ^bb0(%a: f32, %o: bf16):
      %t = arith.truncf %a : f32 to bf16
      linalg.yield %t : bf16
    } -> tensor<1x?x8xbf16>
    %new = tensor.insert_slice %w into %c[%i, %at, 0] [1, %n, 8] [1, 1, 1] : tensor<1x?x8xbf16> into tensor<2x64x8xbf16>
    scf.yield %new : tensor<2x64x8xbf16>
  }
  return %y : tensor<2x64x8xbf16>
}

// Two sums with maps after them, whose shapes became one tensor.empty, have memory of their own each; no fill is left
// that nothing reads.
// CHECK-LABEL: func.func private @two_epilogues
// CHECK-COUNT-2: memref.alloc
// CHECK-NOT: memref.alloc
// CHECK: return
func.func private @two_epilogues(%x: tensor<4x8xf32>, %y: tensor<4xf32>, %z: tensor<4xf32>) -> (tensor<4xf32>, tensor<4xf32>) attributes {exec.kernel} {
  %zero = arith.constant 0.0 : f32
  %one = arith.constant 1.0 : f32
  %e = tensor.empty() : tensor<4xf32>
  %f0 = linalg.fill ins(%zero : f32) outs(%e : tensor<4xf32>) -> tensor<4xf32>
  %a = linalg.generic {indexing_maps = [#id, affine_map<(n, o) -> (n)>], iterator_types = ["parallel", "reduction"]} ins(%x : tensor<4x8xf32>) outs(%f0 : tensor<4xf32>) {
  ^bb0(%in: f32, %acc: f32):
    %0 = arith.addf %acc, %in : f32
    linalg.yield %0 : f32
  } -> tensor<4xf32>
  %b = linalg.generic {indexing_maps = [affine_map<(n) -> (n)>, affine_map<(n) -> (n)>], iterator_types = ["parallel"]} ins(%a : tensor<4xf32>) outs(%y : tensor<4xf32>) {
  ^bb0(%in: f32, %o: f32):
    %0 = math.sqrt %in : f32
    linalg.yield %0 : f32
  } -> tensor<4xf32>
  %f1 = linalg.fill ins(%one : f32) outs(%e : tensor<4xf32>) -> tensor<4xf32>
  %c = linalg.generic {indexing_maps = [#id, affine_map<(n, o) -> (n)>], iterator_types = ["parallel", "reduction"]} ins(%x : tensor<4x8xf32>) outs(%f1 : tensor<4xf32>) {
  ^bb0(%in: f32, %acc: f32):
    %0 = arith.mulf %acc, %in : f32
    linalg.yield %0 : f32
  } -> tensor<4xf32>
  %d = linalg.generic {indexing_maps = [affine_map<(n) -> (n)>, affine_map<(n) -> (n)>, affine_map<(n) -> (n)>], iterator_types = ["parallel"]} ins(%c, %b : tensor<4xf32>, tensor<4xf32>) outs(%z : tensor<4xf32>) {
  ^bb0(%in: f32, %other: f32, %o: f32):
    %0 = arith.addf %in, %other : f32
    linalg.yield %0 : f32
  } -> tensor<4xf32>
  return %b, %d : tensor<4xf32>, tensor<4xf32>
}

// A function that is no kernel is left alone.
// CHECK-LABEL: func.func @other
// CHECK-SAME: tensor<4xf32>
func.func @other(%x: tensor<4xf32>) -> tensor<4xf32> {
  return %x : tensor<4xf32>
}
