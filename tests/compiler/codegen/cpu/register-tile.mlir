// RUN: tpa-opt %s --cpu-vectorize-kernels --canonicalize --split-input-file | FileCheck %s
// RUN: tpa-opt %s --cpu-vectorize-kernels=prefetch-bytes=0 --split-input-file | FileCheck %s --check-prefix=NONE
// RUN: tpa-opt %s --cpu-vectorize-kernels=bf16-dot=true --split-input-file | FileCheck %s --check-prefix=DOT

// Six rows are two tiles of three: no row is left for a remainder, so there is one
// reduction loop, with a sum for each of three rows and two vectors.
// CHECK-LABEL: func.func private @whole
// CHECK: scf.for {{.*}} step %c3
// CHECK: %{{.*}}:6 = scf.for
// CHECK-NOT: scf.for
// CHECK: return
func.func private @whole() attributes {exec.kernel} {
  %x = exec.binding 0 : memref<2x192xf32>
  %w = exec.binding 1 : memref<6x192xf32>
  %y = exec.binding 2 : memref<2x6xf32>
  %zero = arith.constant 0.0 : f32
  linalg.fill ins(%zero : f32) outs(%y : memref<2x6xf32>)
  linalg.generic {indexing_maps = [affine_map<(n, o, c) -> (n, c)>, affine_map<(n, o, c) -> (o, c)>, affine_map<(n, o, c) -> (n, o)>], iterator_types = ["parallel", "parallel", "reduction"]}
      ins(%x, %w : memref<2x192xf32>, memref<6x192xf32>) outs(%y : memref<2x6xf32>) {
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
// CHECK: %{{.*}}:8 = scf.for
// CHECK: %{{.*}}:6 = scf.for
// CHECK-NOT: scf.for
// CHECK: return
func.func private @remainder() attributes {exec.kernel} {
  %x = exec.binding 0 : memref<2x192xf32>
  %w = exec.binding 1 : memref<7x192xf32>
  %y = exec.binding 2 : memref<2x7xf32>
  %zero = arith.constant 0.0 : f32
  linalg.fill ins(%zero : f32) outs(%y : memref<2x7xf32>)
  linalg.generic {indexing_maps = [affine_map<(n, o, c) -> (n, c)>, affine_map<(n, o, c) -> (o, c)>, affine_map<(n, o, c) -> (n, o)>], iterator_types = ["parallel", "parallel", "reduction"]}
      ins(%x, %w : memref<2x192xf32>, memref<7x192xf32>) outs(%y : memref<2x7xf32>) {
  ^bb0(%a: f32, %b: f32, %acc: f32):
    %p = arith.mulf %a, %b : f32
    %s = arith.addf %acc, %p : f32
    linalg.yield %s : f32
  }
  return
}

// -----

// A matrix-vector product reads one stream: a row at a time, as four sums side by side, each line of
// the matrix (two vectors of bf16) asked for once, 2048 bytes ahead. What is no whole step follows,
// vector by vector, then under a mask. With --cpu-vectorize-kernels=prefetch-bytes=0 the hardware
// prefetches.
// CHECK-LABEL: func.func private @stream
// CHECK-SAME: (%{{.*}}: index)
// CHECK: scf.for %[[ROW:.*]] = %c0 to %c7 step %c1
// CHECK: %[[SUMS:.*]]:4 = scf.for %[[C:.*]] = %c0 to %c192 step %c64
// CHECK: %[[AHEAD:.*]] = arith.addi %[[C]], %c1024
// CHECK: memref.prefetch %{{.*}}[%[[ROW]], %[[AHEAD]]], read
// CHECK: memref.prefetch
// CHECK-NOT: memref.prefetch
// NONE-NOT: memref.prefetch
// CHECK-COUNT-4: arith.extf
// CHECK-NOT: arith.extf
// CHECK: scf.yield
// CHECK: vector.load
// CHECK: vector.maskedload
// CHECK: arith.addf {{.*}}, %[[SUMS]]#1
// CHECK: vector.reduction <add>
// CHECK: return
func.func private @stream() attributes {exec.kernel} {
  %x = exec.binding 0 : memref<211xf32>
  %w = exec.binding 1 : memref<7x211xbf16>
  %y = exec.binding 2 : memref<7xf32>
  %zero = arith.constant 0.0 : f32
  linalg.fill ins(%zero : f32) outs(%y : memref<7xf32>)
  linalg.generic {indexing_maps = [affine_map<(o, c) -> (c)>, affine_map<(o, c) -> (o, c)>, affine_map<(o, c) -> (o)>], iterator_types = ["parallel", "reduction"]}
      ins(%x, %w : memref<211xf32>, memref<7x211xbf16>) outs(%y : memref<7xf32>) {
  ^bb0(%a: f32, %b: bf16, %acc: f32):
    %e = arith.extf %b : bf16 to f32
    %p = arith.mulf %a, %e : f32
    %s = arith.addf %acc, %p : f32
    linalg.yield %s : f32
  }
  return
}

// -----

// Loops go in the order of the matrix, whatever that of the result, and workgroups share out the
// outermost; loops of the sum that all operands run through as one are one, here with eight sums, as
// they leave no rest.
// CHECK-LABEL: func.func private @transposed
// CHECK: scf.for %[[H:.*]] = %{{.*}} to %{{.*}} step %c1
// CHECK: scf.for %[[R:.*]] = %c0 to %c3 step %c1
// CHECK: %[[SUMS:.*]]:8 = scf.for %[[K:.*]] = %c0 to %c1152 step %c128
// CHECK: memref.prefetch %{{.*}}[%[[H]], %[[R]], %{{.*}}]
// CHECK: scf.yield
// CHECK: arith.addf %[[SUMS]]#0, %[[SUMS]]#1
// CHECK: memref.store %{{.*}}, %{{.*}}[%[[R]], %[[H]]]
func.func private @transposed() attributes {exec.kernel} {
  %x = exec.binding 0 : memref<9x128xf32>
  %w = exec.binding 1 : memref<5x3x9x128xf32>
  %y = exec.binding 2 : memref<3x5xf32>
  %zero = arith.constant 0.0 : f32
  linalg.fill ins(%zero : f32) outs(%y : memref<3x5xf32>)
  linalg.generic {indexing_maps = [affine_map<(r, h, k, c) -> (k, c)>, affine_map<(r, h, k, c) -> (h, r, k, c)>, affine_map<(r, h, k, c) -> (r, h)>], iterator_types = ["parallel", "parallel", "reduction", "reduction"]}
      ins(%x, %w : memref<9x128xf32>, memref<5x3x9x128xf32>) outs(%y : memref<3x5xf32>) {
  ^bb0(%a: f32, %b: f32, %acc: f32):
    %p = arith.mulf %a, %b : f32
    %s = arith.addf %acc, %p : f32
    linalg.yield %s : f32
  }
  return
}

// -----

// Where they stay two, the sums run on through both.
// CHECK-LABEL: func.func private @two_sums
// CHECK: %[[OUTER:.*]]:4 = scf.for %{{.*}} = %c0 to %c9 step %c1
// CHECK: %[[INNER:.*]]:4 = scf.for %{{.*}} = %c0 to %c192 step %c64
// CHECK: scf.yield %[[INNER]]#0, %[[INNER]]#1, %[[INNER]]#2, %[[INNER]]#3
// CHECK: arith.addf %[[OUTER]]#0, %[[OUTER]]#1
func.func private @two_sums() attributes {exec.kernel} {
  %x = exec.binding 0 : memref<192xf32>
  %w = exec.binding 1 : memref<5x9x192xf32>
  %y = exec.binding 2 : memref<5xf32>
  %zero = arith.constant 0.0 : f32
  linalg.fill ins(%zero : f32) outs(%y : memref<5xf32>)
  linalg.generic {indexing_maps = [affine_map<(h, k, c) -> (c)>, affine_map<(h, k, c) -> (h, k, c)>, affine_map<(h, k, c) -> (h)>], iterator_types = ["parallel", "reduction", "reduction"]}
      ins(%x, %w : memref<192xf32>, memref<5x9x192xf32>) outs(%y : memref<5xf32>) {
  ^bb0(%a: f32, %b: f32, %acc: f32):
    %p = arith.mulf %a, %b : f32
    %s = arith.addf %acc, %p : f32
    linalg.yield %s : f32
  }
  return
}

// -----

// In a block that is in the cache, sums along the lanes are gathered by as many as there are lanes.
// Where both factors are bf16, a step adds two products a lane, if the CPU has an instruction for that.
// CHECK-LABEL: func.func private @pairs
// CHECK-NOT: x86vector
// CHECK: arith.extf {{.*}} : vector<16xbf16> to vector<16xf32>
// CHECK: vector.shuffle
// DOT-LABEL: func.func private @pairs
// DOT-NOT: arith.extf
// DOT: %[[X:.*]] = vector.load %{{.*}} : memref<6x64xbf16>, vector<32xbf16>
// DOT: %[[K:.*]] = vector.load %{{.*}} : memref<32x64xbf16>, vector<32xbf16>
// DOT: x86vector.avx512.dot %{{.*}}, %[[X]], %[[K]] : vector<32xbf16> -> vector<16xf32>
// DOT-COUNT-31: x86vector.avx512.dot
// DOT-NOT: x86vector.avx512.dot
// DOT: vector.shuffle
// DOT: return
func.func private @pairs(%workgroup: index) attributes {exec.kernel, exec.grid = affine_map<()[s0] -> ()>} {
  %x = exec.binding 0 : memref<6x64xbf16>
  %k = exec.binding 1 : memref<32x64xbf16>
  %y = exec.binding 2 : memref<6x32xf32>
  %zero = arith.constant 0.0 : f32
  linalg.fill ins(%zero : f32) outs(%y : memref<6x32xf32>)
  linalg.generic {indexing_maps = [affine_map<(r, m, d) -> (r, d)>, affine_map<(r, m, d) -> (m, d)>, affine_map<(r, m, d) -> (r, m)>], iterator_types = ["parallel", "parallel", "reduction"]}
      ins(%x, %k : memref<6x64xbf16>, memref<32x64xbf16>) outs(%y : memref<6x32xf32>) {
  ^bb0(%a: bf16, %b: bf16, %acc: f32):
    %l = arith.extf %a : bf16 to f32
    %r = arith.extf %b : bf16 to f32
    %p = arith.mulf %l, %r : f32
    %s = arith.addf %acc, %p : f32
    linalg.yield %s : f32
  }
  return
}

// -----

// Not where a rest of the sum would be left: 40 are no whole vectors of pairs.
// DOT-LABEL: func.func private @no_pairs
// DOT-NOT: x86vector
// DOT: return
func.func private @no_pairs(%workgroup: index) attributes {exec.kernel, exec.grid = affine_map<()[s0] -> ()>} {
  %x = exec.binding 0 : memref<6x40xbf16>
  %k = exec.binding 1 : memref<32x40xbf16>
  %y = exec.binding 2 : memref<6x32xf32>
  %zero = arith.constant 0.0 : f32
  linalg.fill ins(%zero : f32) outs(%y : memref<6x32xf32>)
  linalg.generic {indexing_maps = [affine_map<(r, m, d) -> (r, d)>, affine_map<(r, m, d) -> (m, d)>, affine_map<(r, m, d) -> (r, m)>], iterator_types = ["parallel", "parallel", "reduction"]}
      ins(%x, %k : memref<6x40xbf16>, memref<32x40xbf16>) outs(%y : memref<6x32xf32>) {
  ^bb0(%a: bf16, %b: bf16, %acc: f32):
    %l = arith.extf %a : bf16 to f32
    %r = arith.extf %b : bf16 to f32
    %p = arith.mulf %l, %r : f32
    %s = arith.addf %acc, %p : f32
    linalg.yield %s : f32
  }
  return
}
