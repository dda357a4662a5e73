// RUN: tpa-opt %s --exec-plan-buffers --split-input-file | FileCheck %s

// Layers become one list of dispatches with the layer in each label. Of four
// intermediate results of 10 * 8 * 4 bytes (320, five times 64) no more than two
// live at once. What is stored is computed in its buffer; a state is updated where
// it is. A place is viewed once.
// CHECK: exec.buffer arena @e.arena : tensor<640xi8>
// CHECK-LABEL: exec.entry @e
// CHECK-NEXT: ^bb0(%[[N:.*]]: index):
// CHECK: %[[X:.*]] = exec.view @x at 0[%[[N]]] : memref<?x8xf32>
// CHECK: %[[W:.*]] = exec.view @w at 0 : memref<8x8xf32>
// CHECK: %[[T0:.*]] = exec.view @e.arena at 0[%[[N]]] : memref<?x8xf32>
// CHECK: exec.dispatch @k scalars(%[[N]]) reads(%[[X]], %[[W]] : {{.*}}) writes(%[[T0]] : memref<?x8xf32>) {label = "layer.0/in"}
// CHECK: %[[T1:.*]] = exec.view @e.arena at 320[%[[N]]]
// CHECK: exec.dispatch @k {{.*}} reads(%[[T0]], %[[W]] : {{.*}}) writes(%[[T1]] :{{.*}}) {label = "layer.0/out"}
// The first place is free again.
// CHECK: %[[T2:.*]] = exec.view @e.arena at 0[%[[N]]]
// CHECK: exec.dispatch @k {{.*}} writes(%[[T2]] :{{.*}}) {label = "layer.1/in"}
// CHECK: %[[T3:.*]] = exec.view @e.arena at 320[%[[N]]]
// CHECK: exec.dispatch @k {{.*}} writes(%[[T3]] :{{.*}}) {label = "layer.1/out"}
// CHECK: %[[S:.*]] = exec.view @s at 0 : memref<64x8xf32>
// CHECK: exec.dispatch @append {{.*}} writes(%[[S]] : memref<64x8xf32>) {label = "append"}
// CHECK: %[[Y:.*]] = exec.view @y at 0[%[[N]]]
// CHECK: exec.dispatch @k {{.*}} writes(%[[Y]] :{{.*}}) {label = "head"}
// CHECK-NOT: exec.load
// CHECK-NOT: exec.store
// CHECK-NOT: tensor.empty
// CHECK-NOT: func.func private @block
exec.buffer input @x : tensor<?x8xf32> {dims = ["n", ""]}
exec.buffer param @w : tensor<8x8xf32>
exec.buffer state @s : tensor<64x8xf32>
exec.buffer output @y : tensor<?x8xf32> {dims = ["n", ""]}
func.func private @block(%n: index, %x: tensor<?x8xf32>, %w: tensor<8x8xf32>) -> tensor<?x8xf32> {
  %e = tensor.empty(%n) : tensor<?x8xf32>
  %a = exec.dispatch @k scalars(%n) reads(%x, %w : tensor<?x8xf32>, tensor<8x8xf32>) writes(%e : tensor<?x8xf32>) {label = "in"} -> tensor<?x8xf32>
  %b = exec.dispatch @k scalars(%n) reads(%a, %w : tensor<?x8xf32>, tensor<8x8xf32>) writes(%e : tensor<?x8xf32>) {label = "out"} -> tensor<?x8xf32>
  return %b : tensor<?x8xf32>
}
exec.entry @e scalars ["n"] maxima [10] {
^bb0(%n: index):
  %x = exec.load @x[%n] : tensor<?x8xf32>
  %w = exec.load @w : tensor<8x8xf32>
  %a = func.call @block(%n, %x, %w) : (index, tensor<?x8xf32>, tensor<8x8xf32>) -> tensor<?x8xf32>
  %b = func.call @block(%n, %a, %w) : (index, tensor<?x8xf32>, tensor<8x8xf32>) -> tensor<?x8xf32>
  %s = exec.load @s : tensor<64x8xf32>
  %new = exec.dispatch @append scalars(%n) reads(%b : tensor<?x8xf32>) writes(%s : tensor<64x8xf32>) {label = "append"} -> tensor<64x8xf32>
  %e = tensor.empty(%n) : tensor<?x8xf32>
  %y = exec.dispatch @k scalars(%n) reads(%b, %w : tensor<?x8xf32>, tensor<8x8xf32>) writes(%e : tensor<?x8xf32>) {label = "head"} -> tensor<?x8xf32>
  exec.store %new, @s : tensor<64x8xf32>
  exec.store %y, @y : tensor<?x8xf32>
}

// -----

// A value that is still needed keeps its place; places are multiples of 64 bytes.
// CHECK: exec.buffer arena @e.arena : tensor<192xi8>
// CHECK-LABEL: exec.entry @e
// CHECK: %[[A:.*]] = exec.view @e.arena at 0 : memref<3xf32>
// CHECK: exec.dispatch @a writes(%[[A]] :
// CHECK: %[[B:.*]] = exec.view @e.arena at 64 : memref<3xf32>
// CHECK: exec.dispatch @b {{.*}} writes(%[[B]] :
// CHECK: %[[C:.*]] = exec.view @e.arena at 128 : memref<3xf32>
// CHECK: exec.dispatch @c {{.*}} writes(%[[C]] :
exec.buffer output @y : tensor<3xf32>
exec.entry @e scalars [] maxima [] {
  %e = tensor.empty() : tensor<3xf32>
  %a = exec.dispatch @a writes(%e : tensor<3xf32>) -> tensor<3xf32>
  %b = exec.dispatch @b reads(%a : tensor<3xf32>) writes(%e : tensor<3xf32>) -> tensor<3xf32>
  %c = exec.dispatch @c reads(%b : tensor<3xf32>) writes(%e : tensor<3xf32>) -> tensor<3xf32>
  %y = exec.dispatch @d reads(%a, %c : tensor<3xf32>, tensor<3xf32>) writes(%e : tensor<3xf32>) -> tensor<3xf32>
  exec.store %y, @y : tensor<3xf32>
}

// -----

// An update of an intermediate result stays in its place, and so does the next.
// An entry whose results all have buffers has no arena.
// CHECK-NOT: exec.buffer arena
// CHECK-LABEL: exec.entry @e
// CHECK: %[[Y0:.*]] = exec.view @y at 0 : memref<3xf32>
// CHECK: exec.dispatch @a writes(%[[Y0]] :
// CHECK-NEXT: exec.dispatch @b writes(%[[Y0]] :
exec.buffer output @y : tensor<3xf32>
exec.entry @e scalars [] maxima [] {
  %e = tensor.empty() : tensor<3xf32>
  %a = exec.dispatch @a writes(%e : tensor<3xf32>) -> tensor<3xf32>
  %b = exec.dispatch @b writes(%a : tensor<3xf32>) -> tensor<3xf32>
  exec.store %b, @y : tensor<3xf32>
}

// -----

// A load after the store gives what was stored: it is no second load of the old value.
// CHECK-LABEL: exec.entry @e
// CHECK: %[[S:.*]] = exec.view @s at 0 : memref<3xf32>
// CHECK: exec.dispatch @a writes(%[[S]] :
// CHECK: %[[T:.*]] = exec.view @s at 0 : memref<3xf32>
// CHECK: exec.dispatch @b writes(%[[T]] :
exec.buffer state @s : tensor<3xf32>
exec.entry @e scalars [] maxima [] {
  %s = exec.load @s : tensor<3xf32>
  %a = exec.dispatch @a writes(%s : tensor<3xf32>) -> tensor<3xf32>
  exec.store %a, @s : tensor<3xf32>
  %t = exec.load @s : tensor<3xf32>
  %b = exec.dispatch @b writes(%t : tensor<3xf32>) -> tensor<3xf32>
  exec.store %b, @s : tensor<3xf32>
}

// -----

// Kernels are kept, also without a call.
// CHECK: func.func private @kernel
func.func private @kernel(%x: tensor<3xf32>) -> tensor<3xf32> attributes {exec.kernel} {
  return %x : tensor<3xf32>
}

// -----

// Rows of a buffer are a place in it; some do not meet others.
// CHECK-LABEL: exec.entry @rows
// CHECK: %[[A:.*]] = exec.view @s at 0 : memref<2x4xf32>
// CHECK: exec.dispatch @add writes(%[[A]] :
// CHECK: %[[B:.*]] = exec.view @s at 96 : memref<2x4xf32>
// CHECK: exec.dispatch @add writes(%[[B]] :
exec.buffer state @s : tensor<8x4xf32>
func.func private @add(%x: tensor<2x4xf32>) -> tensor<2x4xf32> attributes {exec.kernel} {
  return %x : tensor<2x4xf32>
}
exec.entry @rows scalars [] maxima [] {
  %a = exec.load @s : tensor<2x4xf32>
  %b = exec.load @s from 6 : tensor<2x4xf32>
  %a2 = exec.dispatch @add writes(%a : tensor<2x4xf32>) -> tensor<2x4xf32>
  %b2 = exec.dispatch @add writes(%b : tensor<2x4xf32>) -> tensor<2x4xf32>
  exec.store %a2, @s from 0 : tensor<2x4xf32>
  exec.store %b2, @s from 6 : tensor<2x4xf32>
}
