// RUN: tpa-opt %s --cpu-vectorize-kernels --canonicalize --cse | FileCheck %s
// RUN: tpa-opt %s --cpu-vectorize-kernels="lanes=8 registers=16" --canonicalize --cse | FileCheck %s --check-prefix=NARROW
// RUN: tpa-opt %s --cpu-vectorize-kernels --remarks-filter=tpa --remark-format=emitRemark 2>&1 >/dev/null | FileCheck %s --check-prefix=REMARK

// What must be gone, and what must not be left to a library.
// CHECK-NOT: linalg.
// CHECK-NOT: memref.copy
// NARROW-NOT: vector<16x

#id = affine_map<(n, o) -> (n, o)>
#row = affine_map<(n, o) -> (n)>
#map = {indexing_maps = [#id, #id], iterator_types = ["parallel", "parallel"]}
#sum = {indexing_maps = [#id, #row], iterator_types = ["parallel", "reduction"]}
#map1 = {indexing_maps = [affine_map<(n) -> (n)>, affine_map<(n) -> (n)>], iterator_types = ["parallel"]}

// The workgroup is the last argument. Features are contiguous: 40 are two vectors
// of 16 and one of 8, or five vectors of 8.
// CHECK-LABEL: func.func private @pointwise
// CHECK-SAME: (%[[N:.*]]: index, %{{.*}}: index) attributes {exec.grid = #{{.*}}, exec.kernel}
// CHECK: %[[X:.*]] = exec.binding 0
// CHECK: %[[Y:.*]] = exec.binding 1
// CHECK: scf.for %[[I:.*]] = %c0 to %[[N]] step %c1
// CHECK: scf.for %[[J:.*]] = %c0 to %c32 step %c16
// CHECK: %[[V:.*]] = vector.load %[[X]][%[[I]], %[[J]]] : memref<?x40xf32>, vector<16xf32>
// CHECK: %[[NEG:.*]] = arith.negf %[[V]] : vector<16xf32>
// CHECK: vector.store %[[NEG]], %[[Y]][%[[I]], %[[J]]]
// CHECK: %[[REST:.*]] = vector.load %[[X]][%[[I]], %c32] : memref<?x40xf32>, vector<8xf32>
// CHECK: %[[NEG8:.*]] = arith.negf %[[REST]] : vector<8xf32>
// CHECK: vector.store %[[NEG8]], %[[Y]][%[[I]], %c32]
// CHECK-NOT: vector.
// CHECK: return
// NARROW-LABEL: func.func private @pointwise
// NARROW: scf.for %{{.*}} = %c0 to %c40 step %c8
// NARROW: vector.load {{.*}} vector<8xf32>
// NARROW-NOT: mask
// NARROW: return
// REMARK: [Passed] vector-loop {{.*}} iterator=parallel, loop=1
// REMARK: [Missed] workgroups {{.*}} Reason="the work is too little to share"
func.func private @pointwise(%n: index) attributes {exec.kernel} {
  %x = exec.binding 0[%n] : memref<?x40xf32>
  %y = exec.binding 1[%n] : memref<?x40xf32>
  linalg.generic #map ins(%x : memref<?x40xf32>) outs(%y : memref<?x40xf32>) {
  ^bb0(%a: f32, %o: f32):
    %0 = arith.negf %a : f32
    linalg.yield %0 : f32
  }
  return
}

// What two narrower vectors do not cover runs under a mask: of 43, the last 11; of 37, the last 5
// are a vector of 4 and one element.
// CHECK-LABEL: func.func private @rests
// CHECK: %[[MASK:.*]] = vector.constant_mask [11] : vector<16xi1>
// CHECK: vector.maskedload %{{.*}}[%c32], %[[MASK]]
// CHECK: vector.maskedstore %{{.*}}[%c32], %[[MASK]]
// CHECK: vector.load %{{.*}}[%c32] : memref<37xf32>, vector<4xf32>
// CHECK: %[[ONE:.*]] = memref.load %{{.*}}[%c36] : memref<37xf32>
// CHECK: arith.negf %[[ONE]] : f32
// CHECK-NOT: vector.
// CHECK: return
func.func private @rests() attributes {exec.kernel} {
  %x = exec.binding 0 : memref<43xf32>
  %y = exec.binding 1 : memref<43xf32>
  linalg.generic #map1 ins(%x : memref<43xf32>) outs(%y : memref<43xf32>) {
  ^bb0(%a: f32, %o: f32):
    %0 = arith.negf %a : f32
    linalg.yield %0 : f32
  }
  %z = exec.binding 2 : memref<37xf32>
  %t = exec.binding 3 : memref<37xf32>
  linalg.generic #map1 ins(%z : memref<37xf32>) outs(%t : memref<37xf32>) {
  ^bb0(%a: f32, %o: f32):
    %0 = arith.negf %a : f32
    linalg.yield %0 : f32
  }
  return
}

// A dynamic extent: whole vectors, then at most one masked step.
// CHECK-LABEL: func.func private @dynamic
// CHECK-SAME: (%[[N:.*]]: index, %{{.*}}: index)
// CHECK: %[[REST:.*]] = arith.remui %[[N]], %c16
// CHECK: %[[WHOLE:.*]] = arith.subi %[[N]], %[[REST]]
// CHECK: scf.for %{{.*}} = %c0 to %[[WHOLE]] step %c16
// CHECK: scf.for %[[AT:.*]] = %{{.*}} to %[[N]] step %c16
// CHECK: %[[LEFT:.*]] = arith.subi %[[N]], %[[AT]]
// CHECK: %[[MASK:.*]] = vector.create_mask %[[LEFT]]
// CHECK: vector.maskedload {{.*}} %[[MASK]]
// CHECK: vector.maskedstore {{.*}} %[[MASK]]
func.func private @dynamic(%n: index) attributes {exec.kernel} {
  %x = exec.binding 0[%n] : memref<?xf32>
  %y = exec.binding 1[%n] : memref<?xf32>
  linalg.generic #map1 ins(%x : memref<?xf32>) outs(%y : memref<?xf32>) {
  ^bb0(%a: f32, %o: f32):
    %0 = arith.negf %a : f32
    linalg.yield %0 : f32
  }
  return
}

// A maximum along the contiguous dimension: partial results from the neutral
// element, absent lanes left alone, lanes combined at the end.
// CHECK-LABEL: func.func private @max
// CHECK: %[[NEUTRAL:.*]] = arith.constant dense<0xFF800000> : vector<16xf32>
// CHECK: %[[PART:.*]] = scf.for {{.*}} iter_args(%[[ACC:.*]] = %[[NEUTRAL]]) -> (vector<16xf32>)
// CHECK: arith.maximumf %{{.*}}, %[[ACC]]
// CHECK: %[[ALL:.*]] = scf.for {{.*}} iter_args(%[[TAIL:.*]] = %[[PART]])
// CHECK: %[[MASK:.*]] = vector.create_mask
// CHECK: %[[MAX:.*]] = arith.maximumf %{{.*}}, %[[TAIL]]
// CHECK: arith.select %[[MASK]], %[[MAX]], %[[TAIL]]
// CHECK: %[[R:.*]] = vector.reduction <maximumf>, %[[ALL]]
// CHECK: memref.store %[[R]]
// REMARK: [Passed] vector-loop {{.*}} iterator=reduction, loop=1
func.func private @max(%m: index) attributes {exec.kernel} {
  %inf = arith.constant 0xFF800000 : f32
  %x = exec.binding 0[%m] : memref<4x?xf32>
  %y = exec.binding 1 : memref<4xf32>
  linalg.fill ins(%inf : f32) outs(%y : memref<4xf32>)
  linalg.generic #sum ins(%x : memref<4x?xf32>) outs(%y : memref<4xf32>) {
  ^bb0(%a: f32, %acc: f32):
    %0 = arith.maximumf %a, %acc : f32
    linalg.yield %0 : f32
  }
  return
}

// The epilogue takes the sum from a register: the intermediate memory is gone.
// CHECK-LABEL: func.func private @epilogue
// CHECK: %[[R:.*]] = exec.binding 1 : memref<4xf32>
// CHECK: %[[Y:.*]] = exec.binding 2 : memref<4xf32>
// CHECK-NOT: memref.alloc
// CHECK: vector.reduction <add>
// CHECK: %[[B:.*]] = memref.load %[[R]][%[[I:.*]]]
// CHECK: %[[S:.*]] = arith.addf %{{.*}}, %[[B]]
// CHECK: memref.store %[[S]], %[[Y]][%[[I]]]
func.func private @epilogue() attributes {exec.kernel} {
  %zero = arith.constant 0.0 : f32
  %x = exec.binding 0 : memref<4x32xf32>
  %r = exec.binding 1 : memref<4xf32>
  %y = exec.binding 2 : memref<4xf32>
  %p = memref.alloc() : memref<4xf32>
  linalg.fill ins(%zero : f32) outs(%p : memref<4xf32>)
  linalg.generic #sum ins(%x : memref<4x32xf32>) outs(%p : memref<4xf32>) {
  ^bb0(%a: f32, %acc: f32):
    %0 = arith.addf %acc, %a : f32
    linalg.yield %0 : f32
  }
  linalg.generic {indexing_maps = [affine_map<(n) -> (n)>, affine_map<(n) -> (n)>, affine_map<(n) -> (n)>], iterator_types = ["parallel"]}
      ins(%p, %r : memref<4xf32>, memref<4xf32>) outs(%y : memref<4xf32>) {
  ^bb0(%a: f32, %b: f32, %o: f32):
    %0 = arith.addf %a, %b : f32
    linalg.yield %0 : f32
  }
  return
}

// One that updates in place reads the old value where it stores.
// CHECK-LABEL: func.func private @update
// CHECK: %[[Y:.*]] = exec.binding 1 : memref<4xf32>
// CHECK-NOT: memref.alloc
// CHECK: %[[NEW:.*]] = vector.reduction <add>
// CHECK: %[[OLD:.*]] = memref.load %[[Y]][%[[I:.*]]]
// CHECK: %[[S:.*]] = arith.addf %{{.*}}, %[[OLD]]
// CHECK: memref.store %[[S]], %[[Y]][%[[I]]]
func.func private @update() attributes {exec.kernel} {
  %zero = arith.constant 0.0 : f32
  %x = exec.binding 0 : memref<4x32xf32>
  %y = exec.binding 1 : memref<4xf32>
  %p = memref.alloc() : memref<4xf32>
  linalg.fill ins(%zero : f32) outs(%p : memref<4xf32>)
  linalg.generic #sum ins(%x : memref<4x32xf32>) outs(%p : memref<4xf32>) {
  ^bb0(%a: f32, %acc: f32):
    %0 = arith.addf %acc, %a : f32
    linalg.yield %0 : f32
  }
  linalg.generic {indexing_maps = [affine_map<(n) -> (n)>, affine_map<(n) -> (n)>], iterator_types = ["parallel"]}
      ins(%p : memref<4xf32>) outs(%y : memref<4xf32>) {
  ^bb0(%a: f32, %o: f32):
    %0 = arith.addf %a, %o : f32
    linalg.yield %0 : f32
  }
  return
}

// Two results: every element is stored where it was, rows are summed on the way, the
// last vector under a mask.
// CHECK-LABEL: func.func private @sweep
// CHECK: %[[Y:.*]] = exec.binding 0
// CHECK: %[[Z:.*]] = exec.binding 1
// CHECK: scf.for %[[I:.*]] =
// CHECK: %[[SUM:.*]] = scf.for %[[J:.*]] = %c0 to %c32 step %c16 iter_args(%[[OLD:.*]] = %{{.*}}) -> (vector<16xf32>)
// CHECK: %[[V:.*]] = vector.load %[[Y]][%[[I]], %[[J]]]
// CHECK: %[[TWICE:.*]] = arith.addf %[[V]], %[[V]]
// CHECK: %[[NEW:.*]] = arith.addf %[[OLD]], %[[TWICE]]
// CHECK: vector.store %[[TWICE]], %[[Y]][%[[I]], %[[J]]]
// CHECK: scf.yield %[[NEW]]
// CHECK: vector.maskedload
// CHECK: vector.maskedstore
// CHECK: %[[ALL:.*]] = arith.select %{{.*}}, %{{.*}}, %[[SUM]]
// CHECK: %[[ROW:.*]] = vector.reduction <add>, %[[ALL]]
// CHECK: memref.store %[[ROW]], %[[Z]][%[[I]]]
func.func private @sweep() attributes {exec.kernel} {
  %y = exec.binding 0 : memref<8x37xf32>
  %z = exec.binding 1 : memref<8xf32>
  %zero = arith.constant 0.0 : f32
  linalg.fill ins(%zero : f32) outs(%z : memref<8xf32>)
  linalg.generic {indexing_maps = [#id, #row], iterator_types = ["parallel", "reduction"]} outs(%y, %z : memref<8x37xf32>, memref<8xf32>) {
  ^bb0(%o: f32, %p: f32):
    %a = arith.addf %o, %o : f32
    %s = arith.addf %p, %a : f32
    linalg.yield %a, %s : f32, f32
  }
  return
}

// A table is read by vectors too: the row of a token is contiguous.
// CHECK-LABEL: func.func private @lookup
// CHECK: %[[TABLE:.*]] = exec.binding 1
// CHECK: %[[T:.*]] = memref.load %{{.*}} : memref<8xi32>
// CHECK: %[[ROW:.*]] = arith.index_cast %[[T]]
// CHECK: %[[E:.*]] = vector.load %[[TABLE]][%[[ROW]], %{{.*}}] : memref<50x32xbf16>, vector<16xbf16>
// CHECK: arith.extf %[[E]] : vector<16xbf16> to vector<16xf32>
func.func private @lookup() attributes {exec.kernel} {
  %t = exec.binding 0 : memref<8xi32>
  %table = exec.binding 1 : memref<50x32xbf16>
  %y = exec.binding 2 : memref<8x32xf32>
  linalg.generic {indexing_maps = [#row, #id], iterator_types = ["parallel", "parallel"]} ins(%t : memref<8xi32>) outs(%y : memref<8x32xf32>) {
  ^bb0(%token: i32, %o: f32):
    %r = arith.index_cast %token : i32 to index
    %c = linalg.index 1 : index
    %0 = memref.load %table[%r, %c] : memref<50x32xbf16>
    %1 = arith.extf %0 : bf16 to f32
    linalg.yield %1 : f32
  }
  return
}

// CHECK-LABEL: func.func private @tiny
// CHECK-NOT: vector
// CHECK: memref.load
// CHECK: return
// REMARK: [Missed] vector-loop {{.*}} Reason="no loop is long enough for a vector"
func.func private @tiny() attributes {exec.kernel} {
  %x = exec.binding 0 : memref<2x3xf32>
  %y = exec.binding 1 : memref<2x3xf32>
  linalg.generic #map ins(%x : memref<2x3xf32>) outs(%y : memref<2x3xf32>) {
  ^bb0(%a: f32, %o: f32):
    %0 = arith.negf %a : f32
    linalg.yield %0 : f32
  }
  return
}

// Two nests, one of them a copy of what the other makes, run one after the other: no workgroups.
// CHECK-LABEL: func.func private @two_nests
// CHECK: vector.store
// CHECK: vector.store
// REMARK: [Missed] workgroups {{.*}} Reason="the kernel is not one loop nest"
func.func private @two_nests() attributes {exec.kernel} {
  %x = exec.binding 0 : memref<32x32xf32>
  %y = exec.binding 1 : memref<32x32xf32>
  %z = exec.binding 2 : memref<32x32xf32>
  linalg.generic #map ins(%x : memref<32x32xf32>) outs(%y : memref<32x32xf32>) {
  ^bb0(%a: f32, %o: f32):
    %0 = arith.negf %a : f32
    linalg.yield %0 : f32
  }
  memref.copy %y, %z : memref<32x32xf32> to memref<32x32xf32>
  return
}

// Nests that have nothing to do with each other run side by side: two workgroups of the first, then one of the second.
// CHECK-LABEL: func.func private @side_by_side
// CHECK-SAME: (%[[WORKGROUP:.*]]: index) attributes {exec.grid = #[[$THREE:.*]], exec.kernel}
// CHECK: %[[FIRST:.*]] = arith.cmpi ult, %[[WORKGROUP]], %c2
// CHECK: scf.if %[[FIRST]] {
// CHECK: arith.negf
// CHECK: %[[OWN:.*]] = arith.subi %[[WORKGROUP]], %c2
// CHECK: %[[SECOND:.*]] = arith.cmpi ult, %[[OWN]], %c1
// CHECK: scf.if %[[SECOND]] {
// CHECK: vector.store
// CHECK: return
// REMARK: [Passed] workgroups {{.*}} grid="affine_map<() -> (3)>"
func.func private @side_by_side() attributes {exec.kernel} {
  %x = exec.binding 0 : memref<256x256xf32>
  %y = exec.binding 1 : memref<256x256xf32>
  %z = exec.binding 2 : memref<32x32xf32>
  %w = exec.binding 3 : memref<32x32xf32>
  linalg.generic #map ins(%x : memref<256x256xf32>) outs(%y : memref<256x256xf32>) {
  ^bb0(%a: f32, %o: f32):
    %0 = arith.negf %a : f32
    linalg.yield %0 : f32
  }
  memref.copy %w, %z : memref<32x32xf32> to memref<32x32xf32>
  return
}

// Inside a loop of the kernel, as in an append to a cache: no workgroups either.
// CHECK-LABEL: func.func private @nested
// CHECK: scf.for
// CHECK: scf.for
// REMARK: [Missed] workgroups {{.*}} Reason="the loop nest is inside another loop"
func.func private @nested(%n: index) attributes {exec.kernel} {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %x = exec.binding 0 : memref<64x64xf32>
  %y = exec.binding 1 : memref<64x64xf32>
  scf.for %i = %c0 to %n step %c1 {
    linalg.generic #map ins(%x : memref<64x64xf32>) outs(%y : memref<64x64xf32>) {
    ^bb0(%a: f32, %o: f32):
      linalg.yield %a : f32
    }
  }
  return
}

// A kernel that has its grid already is not touched again.
// CHECK-LABEL: func.func private @done
// CHECK-SAME: (%{{.*}}: index) attributes
// CHECK-NEXT: return
func.func private @done(%workgroup: index) attributes {exec.kernel, exec.grid = affine_map<() -> ()>} {
  return
}
