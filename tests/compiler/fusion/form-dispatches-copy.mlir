// RUN: tpa-opt %s --exec-form-dispatches | FileCheck %s

// What is stored as it was loaded is copied by a kernel, where nothing else has brought linalg with it.
// CHECK-LABEL: exec.entry @copy
// CHECK: exec.dispatch @copy_elementwise
// CHECK: func.func private @copy_elementwise
// CHECK: linalg.generic
exec.buffer input @copy.x : tensor<4xf32>
exec.buffer output @copy.y : tensor<4xf32>
exec.entry @copy scalars [] maxima [] {
^bb0:
  %x = exec.load @copy.x : tensor<4xf32>
  exec.store %x, @copy.y : tensor<4xf32>
}
