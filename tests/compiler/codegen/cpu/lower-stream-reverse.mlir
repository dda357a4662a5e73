// Streams of an attention's reverse: their masks hide keys by way of exp and products, or bound them from the other side.
// RUN: tpa-opt %s --cpu-lower-stream --split-input-file | FileCheck %s

// Here m is the query and n the key, of many: blocks of 16. A block of keys is needed by the queries from its first key
// on, less the position; no query is too late. What the body computes of n alone is there before the loop over m.
// CHECK: #[[$GRID:.*]] = affine_map<() -> (2, 6, 1)>
// CHECK-LABEL: func.func @over_queries
// CHECK-SAME: exec.grid = #[[$GRID]]
// CHECK-DAG: %[[POSITIONS:.*]] = exec.binding 4 : memref<2xi32>
// CHECK-DAG: %[[T:.*]] = memref.alloca() {alignment = 64 : i64} : memref<1x3x8x16xf32>
// CHECK: scf.for %[[N:.*]] = %{{.*}} to %{{.*}} step %c16
// CHECK: memref.subview %[[T]]
// CHECK: linalg.generic
// CHECK: %[[P:.*]] = memref.load %[[POSITIONS]]
// CHECK: %[[FIRST:.*]] = arith.index_cast %[[P]]
// CHECK: %[[KEY:.*]] = arith.addi %[[N]], %{{.*}} : index
// CHECK: %[[LIMIT:.*]] = arith.subi %[[KEY]], %[[FIRST]] : index
// CHECK: %[[LOWER:.*]] = arith.maxsi %{{.*}}, %[[LIMIT]] : index
// CHECK: arith.maxsi %{{.*}}, %[[LOWER]] : index
// CHECK: scf.for
// CHECK: return
func.func @over_queries() attributes {exec.kernel} {
  %q = exec.binding 0 : memref<2x96x3x8xf32>
  %k = exec.binding 1 : memref<2x96x3x8xf32>
  %z = exec.binding 2 : memref<2x3x96xf32>
  %g = exec.binding 3 : memref<2x96x3x8xf32>
  %at = exec.binding 4 : memref<2xi32>
  %y = exec.binding 5 : memref<1x2x96x3x8xf32>
  tpa.stream "bmhd,bnhd,bhm,bmhe,b->bnhe"(%q, %k, %z, %g, %at) outs(%y) block 32 splits 1 {
  ^bb0(%qj: tensor<2x?x3x8xf32>, %ki: tensor<2x96x3x8xf32>, %zj: tensor<2x3x?xf32>, %gj: tensor<2x?x3x8xf32>, %start: tensor<2xi32>):
    %t = tpa.einsum "bnhd->bhdn"(%ki) : tensor<2x96x3x8xf32>
    %l = tpa.einsum "bmhd,bhdn->bmhn"(%qj, %t) : tensor<2x?x3x8xf32>, tensor<2x3x8x96xf32>
    %x = tpa.map "bmhn->bmhn"(%l) {
    ^bb0(%e: f32):
      %hidden = arith.constant 0xFF800000 : f32
      %b = tpa.index "b"
      %p = tensor.extract %start[%b] : tensor<2xi32>
      %first = arith.index_cast %p : i32 to index
      %m = tpa.index "m"
      %query = arith.addi %first, %m : index
      %key = tpa.index "n"
      %seen = arith.cmpi sle, %key, %query : index
      %0 = arith.select %seen, %e, %hidden : f32
      tpa.yield %0 : f32
    } : tensor<2x?x3x96xf32>
    %w = tpa.map "bmhn,bhm->bmhn"(%x, %zj) {
    ^bb0(%e: f32, %log: f32):
      %0 = arith.subf %e, %log : f32
      %1 = math.exp %0 : f32
      tpa.yield %1 : f32
    } : tensor<2x?x3x96xf32>, tensor<2x3x?xf32>
    %o = tpa.einsum "bmhn,bmhe->bnhe"(%w, %gj) : tensor<2x?x3x96xf32>, tensor<2x?x3x8xf32>
    tpa.yield %o : tensor<2x96x3x8xf32>
  } : (memref<2x96x3x8xf32>, memref<2x96x3x8xf32>, memref<2x3x96xf32>, memref<2x96x3x8xf32>, memref<2xi32>)
    -> (memref<1x2x96x3x8xf32>)
  return
}

// -----

// A window ends what queries see of a key: n + 5 > position + m, so m < n + 5 - position for the block's last n.
// CHECK-LABEL: func.func @window
// CHECK: %[[FIRST:.*]] = arith.index_cast
// CHECK: %[[LAST:.*]] = arith.addi %{{.*}}, %{{.*}} : index
// CHECK: %[[END:.*]] = arith.addi %[[LAST]], %c5{{.*}} : index
// CHECK: %[[LIMIT:.*]] = arith.subi %[[END]], %[[FIRST]] : index
// CHECK: %[[UPPER:.*]] = arith.minsi %{{.*}}, %[[LIMIT]] : index
// CHECK: arith.maxsi %[[UPPER]], %{{.*}} : index
// CHECK: return
func.func @window() attributes {exec.kernel} {
  %x = exec.binding 0 : memref<1x96x96xf32>
  %v = exec.binding 1 : memref<1x96x8xf32>
  %at = exec.binding 2 : memref<1xi32>
  %y = exec.binding 3 : memref<1x1x96x8xf32>
  tpa.stream "bnm,bmd,b->bnd"(%x, %v, %at) outs(%y) block 32 splits 1 {
  ^bb0(%xj: tensor<1x96x?xf32>, %vj: tensor<1x?x8xf32>, %start: tensor<1xi32>):
    %w = tpa.map "bnm->bnm"(%xj) {
    ^bb0(%e: f32):
      %zero = arith.constant 0.0 : f32
      %scale = arith.constant 0.5 : f32
      %b = tpa.index "b"
      %p = tensor.extract %start[%b] : tensor<1xi32>
      %first = arith.index_cast %p : i32 to index
      %m = tpa.index "m"
      %query = arith.addi %first, %m : index
      %key = tpa.index "n"
      %size = arith.constant 5 : index
      %end = arith.addi %key, %size : index
      %seen = arith.cmpi sgt, %end, %query : index
      %0 = arith.select %seen, %e, %zero : f32
      %1 = arith.mulf %0, %scale : f32
      tpa.yield %1 : f32
    } : tensor<1x96x?xf32>
    %o = tpa.einsum "bnm,bmd->bnd"(%w, %vj) : tensor<1x96x?xf32>, tensor<1x?x8xf32>
    tpa.yield %o : tensor<1x96x8xf32>
  } : (memref<1x96x96xf32>, memref<1x96x8xf32>, memref<1xi32>) -> (memref<1x1x96x8xf32>)
  return
}

// -----

// What is hidden counts one here: every key is read.
// CHECK-LABEL: func.func @counts_hidden
// CHECK-NOT: arith.minsi %c96
// CHECK: scf.for %{{.*}} step %c16
// CHECK-NOT: arith.minsi %c96
// CHECK: scf.for %{{.*}} step %c32
// CHECK: linalg.generic
// CHECK: return
func.func @counts_hidden() attributes {exec.kernel} {
  %x = exec.binding 0 : memref<1x96x96xf32>
  %v = exec.binding 1 : memref<1x96x8xf32>
  %y = exec.binding 2 : memref<1x1x96x8xf32>
  tpa.stream "bnm,bmd->bnd"(%x, %v) outs(%y) block 32 splits 1 {
  ^bb0(%xj: tensor<1x96x?xf32>, %vj: tensor<1x?x8xf32>):
    %w = tpa.map "bnm->bnm"(%xj) {
    ^bb0(%e: f32):
      %at = arith.constant dense<3> : tensor<1xi32>
      %zero = arith.constant 0.0 : f32
      %one = arith.constant 1.0 : f32
      %b = tpa.index "b"
      %p = tensor.extract %at[%b] : tensor<1xi32>
      %first = arith.index_cast %p : i32 to index
      %n = tpa.index "n"
      %query = arith.addi %first, %n : index
      %key = tpa.index "m"
      %seen = arith.cmpi sle, %key, %query : index
      %0 = arith.select %seen, %e, %zero : f32
      %1 = arith.addf %0, %one : f32
      tpa.yield %1 : f32
    } : tensor<1x96x?xf32>
    %o = tpa.einsum "bnm,bmd->bnd"(%w, %vj) : tensor<1x96x?xf32>, tensor<1x?x8xf32>
    tpa.yield %o : tensor<1x96x8xf32>
  } : (memref<1x96x96xf32>, memref<1x96x8xf32>) -> (memref<1x1x96x8xf32>)
  return
}
