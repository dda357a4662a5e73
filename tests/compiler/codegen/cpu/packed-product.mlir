// Large matrix products: what is packed, the register tile and the grid.
// RUN: tpa-opt %s --cpu-vectorize-kernels --canonicalize --cse | FileCheck %s
// RUN: tpa-opt %s --cpu-vectorize-kernels=bf16-dot=true --canonicalize --cse | FileCheck %s --check-prefix=DOT
// RUN: tpa-opt %s --cpu-vectorize-kernels=bf16-dot=true --remarks-filter=tpa --remark-format=emitRemark 2>&1 >/dev/null | FileCheck %s --check-prefix=PAIRS
// RUN: tpa-opt %s --cpu-vectorize-kernels --remarks-filter=tpa --remark-format=emitRemark 2>&1 >/dev/null | FileCheck %s --check-prefix=REMARK

// CHECK-NOT: linalg.

// Rows of both are contiguous along the sum: right is transposed into panels, left is
// broadcast from where it lies. Fewer than 16 tokens keep the nest. Where the CPU multiplies pairs
// of bf16, words of two steps are transposed, and the left factor is rounded into such.
// CHECK: affine_map<()[s0] -> (16, s0 ceildiv 1024)>
// CHECK-LABEL: func.func private @outputs
// CHECK-SAME: (%[[N:.*]]: index, %{{.*}}: index)
// CHECK: %[[X:.*]] = exec.binding 0
// CHECK: memref.alloca() {alignment = 64 : i64} : memref<73728xf32>
// CHECK: %[[FEW:.*]] = arith.cmpi ult, %[[N]], %c16
// CHECK: scf.if %[[FEW]] {
// CHECK: vector.reduction
// CHECK: } else {
// CHECK: vector.shuffle
// CHECK-COUNT-3: vector.load {{.*}} : memref<73728xf32>, vector<16xf32>
// CHECK-COUNT-24: vector.fma
// CHECK: vector.maskedstore
// DOT-LABEL: func.func private @outputs
// DOT-SAME: exec.rounds_to_bf16
// DOT: vector.load {{.*}} : memref<1179648xbf16>, vector<32xbf16>
// DOT: vector.shuffle
// DOT: vector.load {{.*}} : memref<?xf32{{.*}}>, vector<32xf32>
// DOT: arith.truncf {{.*}} : vector<32xf32> to vector<32xbf16>
// DOT-COUNT-24: x86vector.avx512.dot
// DOT-NOT: x86vector.avx512.dot
// PAIRS: [Passed] packed-product {{.*}} products="bf16 pairs"
// REMARK: [Passed] packed-product {{.*}} columnBlock=96, products=f32, rowBlock=1024, sumBlock=768, tileColumns=48, tileRows=8
func.func private @outputs(%n: index) attributes {exec.kernel} {
  %zero = arith.constant 0.0 : f32
  %x = exec.binding 0[%n] : memref<1x?x768xf32>
  %w = exec.binding 1 : memref<1536x768xbf16>
  %y = exec.binding 2[%n] : memref<1x?x1536xf32>
  linalg.fill ins(%zero : f32) outs(%y : memref<1x?x1536xf32>)
  linalg.generic {indexing_maps = [affine_map<(b, n, o, c) -> (b, n, c)>, affine_map<(b, n, o, c) -> (o, c)>, affine_map<(b, n, o, c) -> (b, n, o)>],
                  iterator_types = ["parallel", "parallel", "parallel", "reduction"]}
      ins(%x, %w : memref<1x?x768xf32>, memref<1536x768xbf16>) outs(%y : memref<1x?x1536xf32>) {
  ^bb0(%a: f32, %b: bf16, %acc: f32):
    %0 = arith.extf %b : bf16 to f32
    %1 = arith.mulf %a, %0 : f32
    %2 = arith.addf %acc, %1 : f32
    linalg.yield %2 : f32
  }
  return
}

// Neither is contiguous along the sum: both are copied, a step at a time, and nothing is
// transposed. The sum varies, so its blocks are added to the result.
// DOT-LABEL: func.func private @gradient
// DOT-NOT: x86vector
// DOT-NOT: exec.rounds_to_bf16
// DOT: return
// CHECK-LABEL: func.func private @gradient
// CHECK-NOT: vector.shuffle
// CHECK: scf.for %{{.*}} = %c0 to %{{.*}} step %c256
// CHECK: memref.prefetch
// CHECK-COUNT-24: vector.fma
// CHECK: vector.maskedload
// CHECK: vector.maskedstore
// REMARK: [Passed] packed-product {{.*}} sumBlock=256
func.func private @gradient(%n: index) attributes {exec.kernel} {
  %zero = arith.constant 0.0 : f32
  %x = exec.binding 0[%n] : memref<?x192xf32>
  %dy = exec.binding 1[%n] : memref<?x96xf32>
  %dw = exec.binding 2 : memref<96x192xf32>
  linalg.fill ins(%zero : f32) outs(%dw : memref<96x192xf32>)
  linalg.generic {indexing_maps = [affine_map<(o, c, n) -> (n, o)>, affine_map<(o, c, n) -> (n, c)>, affine_map<(o, c, n) -> (o, c)>],
                  iterator_types = ["parallel", "parallel", "reduction"]}
      ins(%dy, %x : memref<?x96xf32>, memref<?x192xf32>) outs(%dw : memref<96x192xf32>) {
  ^bb0(%a: f32, %b: f32, %acc: f32):
    %0 = arith.mulf %a, %b : f32
    %1 = arith.addf %acc, %0 : f32
    linalg.yield %1 : f32
  }
  return
}

// REMARK: [Missed] packed-product {{.*}} Reason="there are few rows"
func.func private @vector() attributes {exec.kernel} {
  %zero = arith.constant 0.0 : f32
  %x = exec.binding 0 : memref<1x64xf32>
  %w = exec.binding 1 : memref<96x64xf32>
  %y = exec.binding 2 : memref<1x96xf32>
  linalg.fill ins(%zero : f32) outs(%y : memref<1x96xf32>)
  linalg.generic {indexing_maps = [affine_map<(n, o, c) -> (n, c)>, affine_map<(n, o, c) -> (o, c)>, affine_map<(n, o, c) -> (n, o)>],
                  iterator_types = ["parallel", "parallel", "reduction"]}
      ins(%x, %w : memref<1x64xf32>, memref<96x64xf32>) outs(%y : memref<1x96xf32>) {
  ^bb0(%a: f32, %b: f32, %acc: f32):
    %0 = arith.mulf %a, %b : f32
    %1 = arith.addf %acc, %0 : f32
    linalg.yield %1 : f32
  }
  return
}

// REMARK: [Missed] packed-product {{.*}} Reason="it is a batch of products"
func.func private @batch() attributes {exec.kernel} {
  %zero = arith.constant 0.0 : f32
  %x = exec.binding 0 : memref<4x32x64xf32>
  %w = exec.binding 1 : memref<4x96x64xf32>
  %y = exec.binding 2 : memref<4x32x96xf32>
  linalg.fill ins(%zero : f32) outs(%y : memref<4x32x96xf32>)
  linalg.generic {indexing_maps = [affine_map<(h, n, o, c) -> (h, n, c)>, affine_map<(h, n, o, c) -> (h, o, c)>, affine_map<(h, n, o, c) -> (h, n, o)>],
                  iterator_types = ["parallel", "parallel", "parallel", "reduction"]}
      ins(%x, %w : memref<4x32x64xf32>, memref<4x96x64xf32>) outs(%y : memref<4x32x96xf32>) {
  ^bb0(%a: f32, %b: f32, %acc: f32):
    %0 = arith.mulf %a, %b : f32
    %1 = arith.addf %acc, %0 : f32
    linalg.yield %1 : f32
  }
  return
}

// REMARK: [Missed] packed-product {{.*}} Reason="another product shares its loops"
func.func private @twins() attributes {exec.kernel} {
  %zero = arith.constant 0.0 : f32
  %x = exec.binding 0 : memref<32x64xf32>
  %g = exec.binding 1 : memref<96x64xf32>
  %u = exec.binding 2 : memref<96x64xf32>
  %y = exec.binding 3 : memref<32x96xf32>
  %p = memref.alloc() : memref<32x96xf32>
  %q = memref.alloc() : memref<32x96xf32>
  linalg.fill ins(%zero : f32) outs(%p : memref<32x96xf32>)
  linalg.generic {indexing_maps = [affine_map<(n, o, c) -> (n, c)>, affine_map<(n, o, c) -> (o, c)>, affine_map<(n, o, c) -> (n, o)>],
                  iterator_types = ["parallel", "parallel", "reduction"]}
      ins(%x, %g : memref<32x64xf32>, memref<96x64xf32>) outs(%p : memref<32x96xf32>) {
  ^bb0(%a: f32, %b: f32, %acc: f32):
    %0 = arith.mulf %a, %b : f32
    %1 = arith.addf %acc, %0 : f32
    linalg.yield %1 : f32
  }
  linalg.fill ins(%zero : f32) outs(%q : memref<32x96xf32>)
  linalg.generic {indexing_maps = [affine_map<(n, o, c) -> (n, c)>, affine_map<(n, o, c) -> (o, c)>, affine_map<(n, o, c) -> (n, o)>],
                  iterator_types = ["parallel", "parallel", "reduction"]}
      ins(%x, %u : memref<32x64xf32>, memref<96x64xf32>) outs(%q : memref<32x96xf32>) {
  ^bb0(%a: f32, %b: f32, %acc: f32):
    %0 = arith.mulf %a, %b : f32
    %1 = arith.addf %acc, %0 : f32
    linalg.yield %1 : f32
  }
  linalg.generic {indexing_maps = [affine_map<(n, o) -> (n, o)>, affine_map<(n, o) -> (n, o)>, affine_map<(n, o) -> (n, o)>],
                  iterator_types = ["parallel", "parallel"]}
      ins(%p, %q : memref<32x96xf32>, memref<32x96xf32>) outs(%y : memref<32x96xf32>) {
  ^bb0(%a: f32, %b: f32, %o: f32):
    %0 = arith.mulf %a, %b : f32
    linalg.yield %0 : f32
  }
  return
}
