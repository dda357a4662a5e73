// RUN: tpa-opt %s --cpu-vectorize-kernels --canonicalize --split-input-file | FileCheck %s

// Six rows are two tiles of three: no row is left for a remainder, so there is one
// reduction loop, with three accumulators.
// CHECK-LABEL: func.func private @whole
// CHECK: scf.for {{.*}} step %c3
// CHECK: %{{.*}}:3 = scf.for
// CHECK-NOT: scf.for
// CHECK: return
func.func private @whole() attributes {exec.kernel} {
  %x = exec.binding 0 : memref<192xf32>
  %w = exec.binding 1 : memref<6x192xf32>
  %y = exec.binding 2 : memref<6xf32>
  %zero = arith.constant 0.0 : f32
  linalg.fill ins(%zero : f32) outs(%y : memref<6xf32>)
  linalg.generic {indexing_maps = [affine_map<(o, c) -> (c)>, affine_map<(o, c) -> (o, c)>, affine_map<(o, c) -> (o)>], iterator_types = ["parallel", "reduction"]}
      ins(%x, %w : memref<192xf32>, memref<6x192xf32>) outs(%y : memref<6xf32>) {
  ^bb0(%a: f32, %b: f32, %acc: f32):
    %p = arith.mulf %a, %b : f32
    %s = arith.addf %acc, %p : f32
    linalg.yield %s : f32
  }
  return
}

// -----

// Seven rows are a tile of four and one of three.
// CHECK-LABEL: func.func private @remainder
// CHECK: %{{.*}}:4 = scf.for
// CHECK: %{{.*}}:3 = scf.for
// CHECK-NOT: scf.for
// CHECK: return
func.func private @remainder() attributes {exec.kernel} {
  %x = exec.binding 0 : memref<192xf32>
  %w = exec.binding 1 : memref<7x192xf32>
  %y = exec.binding 2 : memref<7xf32>
  %zero = arith.constant 0.0 : f32
  linalg.fill ins(%zero : f32) outs(%y : memref<7xf32>)
  linalg.generic {indexing_maps = [affine_map<(o, c) -> (c)>, affine_map<(o, c) -> (o, c)>, affine_map<(o, c) -> (o)>], iterator_types = ["parallel", "reduction"]}
      ins(%x, %w : memref<192xf32>, memref<7x192xf32>) outs(%y : memref<7xf32>) {
  ^bb0(%a: f32, %b: f32, %acc: f32):
    %p = arith.mulf %a, %b : f32
    %s = arith.addf %acc, %p : f32
    linalg.yield %s : f32
  }
  return
}
