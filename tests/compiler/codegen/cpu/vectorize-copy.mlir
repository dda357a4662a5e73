// RUN: tpa-opt %s --cpu-vectorize-kernels | FileCheck %s

// A copy is a nest, too, where nothing else has brought linalg with it.
// CHECK-LABEL: func.func private @copy
// CHECK: vector.load
// CHECK: vector.store
// CHECK-NOT: memref.copy
func.func private @copy() attributes {exec.kernel} {
  %x = exec.binding 0 : memref<4x32xf32>
  %y = exec.binding 1 : memref<4x32xf32>
  memref.copy %x, %y : memref<4x32xf32> to memref<4x32xf32>
  return
}
