// RUN: tpa-opt %s --cpu-lower-stream --split-input-file | FileCheck %s

// A stream without a batch is one row. Its map reads a constant of the stream's body.
// CHECK: #[[$GRID:.*]] = affine_map<() -> (1, 1, 1)>
// CHECK-LABEL: func.func @no_batch
// CHECK-SAME: exec.grid = #[[$GRID]]
// CHECK: linalg.generic
// CHECK: linalg.generic
// CHECK: %[[HALF:.*]] = arith.constant 5.000000e-01 : f32
// CHECK: arith.mulf %{{.*}}, %[[HALF]] : f32
// CHECK-NOT: tpa.stream
func.func @no_batch() attributes {exec.kernel} {
  %q = exec.binding 0 : memref<5x8xf32>
  %k = exec.binding 1 : memref<48x8xf32>
  %y = exec.binding 2 : memref<1x5x8xf32>
  tpa.stream "nd,md->nd"(%q, %k) outs(%y) block 16 splits 1 {
  ^bb0(%qi: tensor<5x8xf32>, %kj: tensor<?x8xf32>):
    %half = arith.constant 0.5 : f32
    %l = tpa.einsum "nd,md->nm"(%qi, %kj) : tensor<5x8xf32>, tensor<?x8xf32>
    %x = tpa.map "nm->nm"(%l) {
    ^bb0(%e: f32):
      %0 = arith.mulf %e, %half : f32
      tpa.yield %0 : f32
    } : tensor<5x?xf32>
    %o = tpa.einsum "nm,md->nd"(%x, %kj) : tensor<5x?xf32>, tensor<?x8xf32>
    tpa.yield %o : tensor<5x8xf32>
  } : (memref<5x8xf32>, memref<48x8xf32>) -> (memref<1x5x8xf32>)
  return
}

// -----

// What is scaled once it is summed is in memory: a map that follows is no epilogue of it.
// CHECK-LABEL: func.func @scaled
// CHECK-NOT: memref.alloc()
// CHECK: return
func.func @scaled() attributes {exec.kernel} {
  %q = exec.binding 0 : memref<1x5x8xf32>
  %k = exec.binding 1 : memref<1x48x8xf32>
  %y = exec.binding 2 : memref<1x1x5x8xf32>
  tpa.stream "bnd,bmd->bnd"(%q, %k) outs(%y) block 16 splits 1 {
  ^bb0(%qi: tensor<1x5x8xf32>, %kj: tensor<1x?x8xf32>):
    %l = tpa.einsum "bnd,bmd->bnm"(%qi, %kj) {scale = 0.5 : f64} : tensor<1x5x8xf32>, tensor<1x?x8xf32>
    %x = tpa.map "bnm->bnm"(%l) {
    ^bb0(%e: f32):
      %0 = math.exp %e : f32
      tpa.yield %0 : f32
    } : tensor<1x5x?xf32>
    %o = tpa.einsum "bnm,bmd->bnd"(%x, %kj) : tensor<1x5x?xf32>, tensor<1x?x8xf32>
    tpa.yield %o : tensor<1x5x8xf32>
  } : (memref<1x5x8xf32>, memref<1x48x8xf32>) -> (memref<1x1x5x8xf32>)
  return
}

// -----

// A mask over positions of something else than rows bounds no keys: it is evaluated key by key, and no sooner.
// CHECK-LABEL: func.func @positions_of_queries
// CHECK-NOT: memref.load
// CHECK: linalg.index
// CHECK: memref.load %{{.*}} : memref<5xi32>
// CHECK: return
func.func @positions_of_queries() attributes {exec.kernel} {
  %q = exec.binding 0 : memref<1x5x8xf32>
  %k = exec.binding 1 : memref<1x16x8xf32>
  %at = exec.binding 2 : memref<5xi32>
  %y = exec.binding 3 : memref<1x1x5x8xf32>
  tpa.stream "bnd,bmd,n->bnd"(%q, %k, %at) outs(%y) block 16 splits 1 {
  ^bb0(%qi: tensor<1x5x8xf32>, %kj: tensor<1x?x8xf32>, %start: tensor<5xi32>):
    %l = tpa.einsum "bnd,bmd->bnm"(%qi, %kj) : tensor<1x5x8xf32>, tensor<1x?x8xf32>
    %x = tpa.map "bnm->bnm"(%l) {
    ^bb0(%e: f32):
      %zero = arith.constant 0.0 : f32
      %n = tpa.index "n"
      %p = tensor.extract %start[%n] : tensor<5xi32>
      %first = arith.index_cast %p : i32 to index
      %query = arith.addi %first, %n : index
      %key = tpa.index "m"
      %seen = arith.cmpi sle, %key, %query : index
      %0 = arith.select %seen, %e, %zero : f32
      tpa.yield %0 : f32
    } : tensor<1x5x?xf32>
    %o = tpa.einsum "bnm,bmd->bnd"(%x, %kj) : tensor<1x5x?xf32>, tensor<1x?x8xf32>
    tpa.yield %o : tensor<1x5x8xf32>
  } : (memref<1x5x8xf32>, memref<1x16x8xf32>, memref<5xi32>) -> (memref<1x1x5x8xf32>)
  return
}
