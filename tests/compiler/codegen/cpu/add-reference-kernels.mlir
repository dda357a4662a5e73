// RUN: tpa-opt %s --cpu-add-reference-kernels --split-input-file | FileCheck %s

// The generated kernel is left alone; its copy is plain loops, run by the first
// workgroup, with exp from the C library.

// CHECK-LABEL: func.func private @exponential(
// CHECK-SAME:    %{{[a-z0-9]+}}: index) attributes
// CHECK:         linalg.generic
// CHECK-LABEL: module @reference
// CHECK:         func.func private @expf(f32) -> f32
// CHECK:         func.func private @exponential(%[[N:.*]]: index, %[[GROUP:.*]]: index)
// CHECK-DAG:       %[[ZERO:.*]] = arith.constant 0 : index
// CHECK:           %[[FIRST:.*]] = arith.cmpi eq, %[[GROUP]]
// CHECK:           scf.if %[[FIRST]]
// CHECK:             scf.for
// CHECK:               call @expf
// CHECK-NOT:       linalg.
// CHECK-NOT:       vector.
// CHECK:           return
func.func private @exponential(%n: index) attributes {exec.kernel} {
  %x = exec.binding 0[%n] : memref<?xf32>
  %y = exec.binding 1[%n] : memref<?xf32>
  linalg.generic {indexing_maps = [affine_map<(i) -> (i)>, affine_map<(i) -> (i)>], iterator_types = ["parallel"]}
      ins(%x : memref<?xf32>) outs(%y : memref<?xf32>) {
  ^bb0(%in: f32, %out: f32):
    %e = math.exp %in : f32
    linalg.yield %e : f32
  }
  return
}

// -----

// An intermediate result lives on the heap while the copy runs.

// CHECK-LABEL: func.func private @sum() attributes
// CHECK-LABEL: module @reference
// CHECK:         func.func private @sum(
// CHECK:           %[[ALLOC:.*]] = memref.alloc
// CHECK:           memref.dealloc %[[ALLOC]]
func.func private @sum() attributes {exec.kernel} {
  %x = exec.binding 0 : memref<4x8xf32>
  %y = exec.binding 1 : memref<4xf32>
  %zero = arith.constant 0.0 : f32
  %inner = memref.alloc() : memref<4xf32>
  linalg.fill ins(%zero : f32) outs(%inner : memref<4xf32>)
  linalg.generic {indexing_maps = [affine_map<(i, j) -> (i, j)>, affine_map<(i, j) -> (i)>], iterator_types = ["parallel", "reduction"]}
      ins(%x : memref<4x8xf32>) outs(%inner : memref<4xf32>) {
  ^bb0(%in: f32, %out: f32):
    %s = arith.addf %out, %in : f32
    linalg.yield %s : f32
  }
  linalg.generic {indexing_maps = [affine_map<(i) -> (i)>, affine_map<(i) -> (i)>], iterator_types = ["parallel"]}
      ins(%inner : memref<4xf32>) outs(%y : memref<4xf32>) {
  ^bb0(%in: f32, %out: f32):
    %r = math.sqrt %in : f32
    linalg.yield %r : f32
  }
  return
}

// -----

// Constants are symbols: the module of the copies has its own.

// CHECK-LABEL: func.func private @taps() attributes
// CHECK-LABEL: module @reference
// CHECK:         memref.global "private" constant @two : memref<2xf32> = dense<[1.000000e+00, -1.000000e+00]>
// CHECK:         func.func private @taps(
// CHECK:           memref.get_global @two
memref.global "private" constant @two : memref<2xf32> = dense<[1.0, -1.0]>
func.func private @taps() attributes {exec.kernel} {
  %y = exec.binding 0 : memref<2xf32>
  %taps = memref.get_global @two : memref<2xf32>
  linalg.generic {indexing_maps = [affine_map<(i) -> (i)>, affine_map<(i) -> (i)>], iterator_types = ["parallel"]}
      ins(%taps : memref<2xf32>) outs(%y : memref<2xf32>) {
  ^bb0(%in: f32, %out: f32):
    linalg.yield %in : f32
  }
  return
}

// -----

// A copy is loops, too, where nothing else has brought linalg with it.
// CHECK-LABEL: module @reference
// CHECK:         func.func private @copy
// CHECK:           scf.for
// CHECK-NOT:       memref.copy
// CHECK:           return
func.func private @copy() attributes {exec.kernel} {
  %x = exec.binding 0 : memref<4x8xf32>
  %y = exec.binding 1 : memref<4x8xf32>
  memref.copy %x, %y : memref<4x8xf32> to memref<4x8xf32>
  return
}
