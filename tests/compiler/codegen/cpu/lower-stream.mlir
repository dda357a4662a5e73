// RUN: tpa-opt %s --cpu-lower-stream --split-input-file | FileCheck %s
// RUN: tpa-opt %s --cpu-lower-stream=bf16-dot=true --split-input-file | FileCheck %s --check-prefix=DOT
// RUN: tpa-opt %s --cpu-lower-stream --split-input-file --remarks-filter=tpa --remark-format=emitRemark 2>&1 >/dev/null | FileCheck %s --check-prefix=REMARK

// A workgroup is a row, a block of queries and a split; its keys end where the row's last query
// sees none any more. Blocks have constant extents, the rest has what is left.
// CHECK: #[[$GRID:.*]] = affine_map<()[s0] -> (2, 1, 4)>
// CHECK-LABEL: func.func @causal
// CHECK-SAME: (%[[M:.*]]: index, %[[WORKGROUP:.*]]: index) attributes {exec.grid = #[[$GRID]], exec.kernel}
// CHECK-DAG: memref.alloca() {alignment = 64 : i64} : memref<1x1x3x16xf32>
// CHECK-DAG: %[[AT:.*]] = exec.binding 3 : memref<2xi32>
// CHECK: %[[SPLIT:.*]] = arith.remui %[[WORKGROUP]], %c4
// The carries start from the identity of the merge.
// CHECK: arith.constant 0xFF800000 : f32
// CHECK: arith.constant 0.000000e+00 : f32
// The bound: the position and one more.
// CHECK: %[[P:.*]] = memref.load %[[AT]]
// CHECK: %[[FIRST:.*]] = arith.index_cast %[[P]]
// CHECK: arith.minsi %[[M]], %{{.*}} : index
// CHECK: scf.for %{{.*}} step %c16
// CHECK: memref.subview %{{.*}} [1, 16, 3, 8]
// A single query sees every key within its bounds: no mask is left of the mask.
// CHECK-NOT: arith.cmpi sle
// CHECK: linalg.generic
// CHECK: arith.maxnumf
// Rescaling waits for a greater maximum.
// CHECK: %[[COUNT:.*]] = memref.load %{{.*}}[] : memref<f32
// CHECK: %[[GROWN:.*]] = arith.cmpf ogt, %[[COUNT]], %{{.*}} : f32
// CHECK: scf.if %[[GROWN]] {
// CHECK: math.exp
// CHECK: }
// CHECK: math.exp
// The keys that are no whole block.
// CHECK: scf.if
// CHECK-NOT: tpa.stream
// CHECK: return
func.func @causal(%m: index) attributes {exec.kernel} {
  %q = exec.binding 0 : memref<2x1x3x8xf32>
  %k = exec.binding 1[%m] : memref<2x?x3x8xf32>
  %v = exec.binding 2[%m] : memref<2x?x3x8xf32>
  %at = exec.binding 3 : memref<2xi32>
  %mu = exec.binding 4 : memref<4x2x1x3xf32>
  %sigma = exec.binding 5 : memref<4x2x1x3xf32>
  %y = exec.binding 6 : memref<4x2x1x3x8xf32>
  tpa.stream "bnhd,bmhd,b,bmhe->bnh,bnh,bnhe"(%q, %k, %at, %v) outs(%mu, %sigma, %y) block 16 splits 4 {
  ^bb0(%qi: tensor<2x1x3x8xf32>, %kj: tensor<2x?x3x8xf32>, %start: tensor<2xi32>, %vj: tensor<2x?x3x8xf32>):
    %l = tpa.einsum "bnhd,bmhd->bnhm"(%qi, %kj) : tensor<2x1x3x8xf32>, tensor<2x?x3x8xf32>
    %x = tpa.map "bnhm->bnhm"(%l) {
    ^bb0(%e: f32):
      %hidden = arith.constant 0xFF800000 : f32
      %b = tpa.index "b"
      %p = tensor.extract %start[%b] : tensor<2xi32>
      %first = arith.index_cast %p : i32 to index
      %n = tpa.index "n"
      %query = arith.addi %first, %n : index
      %key = tpa.index "m"
      %seen = arith.cmpi sle, %key, %query : index
      %0 = arith.select %seen, %e, %hidden : f32
      tpa.yield %0 : f32
    } : tensor<2x1x3x?xf32>
    %w = tpa.online_softmax %x dim 3 : tensor<2x1x3x?xf32>
    %o = tpa.einsum "bnhm,bmhe->bnhe"(%w, %vj) : tensor<2x1x3x?xf32>, tensor<2x?x3x8xf32>
    tpa.yield %o : tensor<2x1x3x8xf32>
  } : (memref<2x1x3x8xf32>, memref<2x?x3x8xf32>, memref<2xi32>, memref<2x?x3x8xf32>)
    -> (memref<4x2x1x3xf32>, memref<4x2x1x3xf32>, memref<4x2x1x3x8xf32>)
  return
}

// -----

// Without a softmax one sum is carried, and nothing is rescaled.
// CHECK-LABEL: func.func @plain
// CHECK-NOT: math.exp
// CHECK: scf.for
// CHECK: linalg.generic
// CHECK-NOT: math.exp
// CHECK: return
func.func @plain(%n: index, %m: index) attributes {exec.kernel} {
  %x = exec.binding 0[%n, %m] : memref<1x?x?xf32>
  %v = exec.binding 1[%m] : memref<1x?x8xf32>
  %y = exec.binding 2[%n] : memref<1x1x?x8xf32>
  tpa.stream "bnm,bme->bne"(%x, %v) outs(%y) block 16 splits 1 {
  ^bb0(%l: tensor<1x?x?xf32>, %vj: tensor<1x?x8xf32>):
    %o = tpa.einsum "bnm,bme->bne"(%l, %vj) : tensor<1x?x?xf32>, tensor<1x?x8xf32>
    tpa.yield %o : tensor<1x?x8xf32>
  } : (memref<1x?x?xf32>, memref<1x?x8xf32>) -> (memref<1x1x?x8xf32>)
  return
}

// -----

// A score of zero is no hidden key: it weighs exp(0 - mu), so every key is read.
// CHECK-LABEL: func.func @zero_score
// CHECK-SAME: (%[[M:.*]]: index, %{{.*}}: index)
// CHECK-NOT: arith.minsi %[[M]], %{{.*}}
// CHECK: math.exp
// CHECK: return
func.func @zero_score(%m: index) attributes {exec.kernel} {
  %x = exec.binding 0[%m] : memref<1x1x?xf32>
  %v = exec.binding 1[%m] : memref<1x?x8xf32>
  %at = exec.binding 2 : memref<1xi32>
  %mu = exec.binding 3 : memref<1x1x1xf32>
  %sigma = exec.binding 4 : memref<1x1x1xf32>
  %y = exec.binding 5 : memref<1x1x1x8xf32>
  tpa.stream "bnm,bme,b->bn,bn,bne"(%x, %v, %at) outs(%mu, %sigma, %y) block 16 splits 1 {
  ^bb0(%l: tensor<1x1x?xf32>, %vj: tensor<1x?x8xf32>, %start: tensor<1xi32>):
    %z = tpa.map "bnm->bnm"(%l) {
    ^bb0(%e: f32):
      %zero = arith.constant 0.0 : f32
      %b = tpa.index "b"
      %p = tensor.extract %start[%b] : tensor<1xi32>
      %first = arith.index_cast %p : i32 to index
      %n = tpa.index "n"
      %query = arith.addi %first, %n : index
      %key = tpa.index "m"
      %near = arith.cmpi sle, %key, %query : index
      %0 = arith.select %near, %e, %zero : f32
      tpa.yield %0 : f32
    } : tensor<1x1x?xf32>
    %w = tpa.online_softmax %z dim 2 : tensor<1x1x?xf32>
    %o = tpa.einsum "bnm,bme->bne"(%w, %vj) : tensor<1x1x?xf32>, tensor<1x?x8xf32>
    tpa.yield %o : tensor<1x1x8xf32>
  } : (memref<1x1x?xf32>, memref<1x?x8xf32>, memref<1xi32>) -> (memref<1x1x1xf32>, memref<1x1x1xf32>, memref<1x1x1x8xf32>)
  return
}

// -----

// Operands that share the summed labels only: a register tile of outer products, six rows by four
// vectors, that asks for the next block's lines as it goes. Values in bf16 meet weights in bf16 where
// the CPU has a dot product of two; else they are widened first.
// CHECK-LABEL: func.func @outer
// CHECK-NOT: x86vector
// CHECK: arith.extf
// CHECK: scf.for %{{.*}} = %c0{{.*}} to %c12{{.*}} step %c6
// CHECK: %{{.*}}:24 = scf.for
// CHECK: memref.prefetch %{{.*}}, read, locality<2>, data : memref<4096xbf16
// CHECK-COUNT-48: vector.fma
// CHECK: scf.yield
// The last row, and the keys that are no whole block.
// CHECK: %{{.*}}:4 = scf.for
// CHECK: scf.if
// CHECK: linalg.generic
// CHECK: return
// DOT-LABEL: func.func @outer
// DOT-DAG: memref.alloca() {alignment = 64 : i64} : memref<32x128xbf16>
// DOT-DAG: memref.alloca() {alignment = 64 : i64} : memref<32x26xbf16>
// DOT-NOT: vector.fma
// DOT: arith.truncf {{.*}} : vector<16xf32> to vector<16xbf16>
// DOT: vector.interleave
// DOT: %{{.*}}:24 = scf.for
// DOT-COUNT-48: x86vector.avx512.dot
// DOT: return
// REMARK: remark: [Passed] rank-update | Category:tpa | products=f32, rows=13
// REMARK: remark: [Missed] rank-update {{.*}}Reason="the CPU has no bf16 dot product: values are widened to f32"
func.func @outer(%m: index) attributes {exec.kernel} {
  %w = exec.binding 0[%m] : memref<1x1x?x2x13xf32>
  %v = exec.binding 1[%m] : memref<1x?x2x64xbf16>
  %y = exec.binding 2 : memref<1x1x1x13x64xf32>
  tpa.stream "bnmuh,bmue->bnhe"(%w, %v) outs(%y) block 32 splits 1 {
  ^bb0(%wj: tensor<1x1x?x2x13xf32>, %vj: tensor<1x?x2x64xbf16>):
    %o = tpa.einsum "bnmuh,bmue->bnhe"(%wj, %vj) : tensor<1x1x?x2x13xf32>, tensor<1x?x2x64xbf16>
    tpa.yield %o : tensor<1x1x13x64xf32>
  } : (memref<1x1x?x2x13xf32>, memref<1x?x2x64xbf16>) -> (memref<1x1x1x13x64xf32>)
  return
}

// -----

// A head of its own for each of three: one after the other, queries are the rows. Weights lie query by query.
// CHECK-LABEL: func.func @heads
// CHECK: scf.for %[[H:.*]] = %c0{{.*}} to %c3{{.*}} step %c1
// CHECK: %[[V:.*]] = memref.subview %{{.*}}[0, 0, %[[H]], 0] [1, 32, 1, 32]
// CHECK: %[[W:.*]] = memref.subview %{{.*}}[0, 0, 0, %[[H]]] [1, 4, 32, 1]
// CHECK: memref.transpose %[[W]]
// CHECK: memref.subview %{{.*}}[0, 0, %[[H]], 0] [1, 4, 1, 32]
// CHECK: %{{.*}}:8 = scf.for
// CHECK-NOT: memref.prefetch
// CHECK-COUNT-16: vector.fma
// CHECK: return
func.func @heads(%m: index) attributes {exec.kernel} {
  %w = exec.binding 0[%m] : memref<1x4x?x3xf32>
  %v = exec.binding 1[%m] : memref<1x?x3x32xf32>
  %y = exec.binding 2 : memref<1x1x4x3x32xf32>
  tpa.stream "bnmh,bmhe->bnhe"(%w, %v) outs(%y) block 32 splits 1 {
  ^bb0(%wj: tensor<1x4x?x3xf32>, %vj: tensor<1x?x3x32xf32>):
    %o = tpa.einsum "bnmh,bmhe->bnhe"(%wj, %vj) : tensor<1x4x?x3xf32>, tensor<1x?x3x32xf32>
    tpa.yield %o : tensor<1x4x3x32xf32>
  } : (memref<1x4x?x3xf32>, memref<1x?x3x32xf32>) -> (memref<1x1x4x3x32xf32>)
  return
}

// -----

// The page of a block is looked up once a block, and where its keys begin there.
// CHECK-LABEL: func.func @paged
// CHECK-SAME: (%[[M:.*]]: index, %[[WORKGROUP:.*]]: index)
// CHECK: %[[POOL:.*]] = exec.binding 1 : memref<9x64x8xf32>
// CHECK: %[[TABLE:.*]] = exec.binding 2 : memref<2x4xi32>
// CHECK: %[[UPPER:.*]] = arith.maxsi %[[M]],
// CHECK: scf.for %[[KEY:.*]] = %{{.*}} step %c16
// CHECK: %[[SLOT:.*]] = arith.divui %[[KEY]], %c64
// CHECK: %[[ENTRY:.*]] = memref.load %[[TABLE]][%{{.*}}, %[[SLOT]]]
// CHECK: %[[PAGE:.*]] = arith.index_cast %[[ENTRY]]
// CHECK: %[[PLACE:.*]] = arith.remui %[[KEY]], %c64
// CHECK: memref.subview %[[POOL]][%[[PAGE]], %[[PLACE]], 0] [1, 16, 8]
func.func @paged(%m: index) attributes {exec.kernel} {
  %x = exec.binding 0 : memref<2x1x8xf32>
  %k = exec.binding 1 : memref<9x64x8xf32>
  %t = exec.binding 2 : memref<2x4xi32>
  %y = exec.binding 3 : memref<1x2x1x8xf32>
  tpa.stream "bnd,bmd->bnd"(%x, %k) pages(%t : memref<2x4xi32>) length %m of [1] outs(%y) block 16 splits 1 {
  ^bb0(%xi: tensor<2x1x8xf32>, %kj: tensor<2x?x8xf32>):
    %l = tpa.einsum "bnd,bmd->bnm"(%xi, %kj) : tensor<2x1x8xf32>, tensor<2x?x8xf32>
    %o = tpa.einsum "bnm,bmd->bnd"(%l, %kj) : tensor<2x1x?xf32>, tensor<2x?x8xf32>
    tpa.yield %o : tensor<2x1x8xf32>
  } : (memref<2x1x8xf32>, memref<9x64x8xf32>) -> (memref<1x2x1x8xf32>)
  return
}

// -----

// A query meets keys in bf16 as bf16, where the CPU multiplies pairs and the sum lies along the keys' memory.
// CHECK-LABEL: func.func @inner
// CHECK: arith.extf
// CHECK-NOT: arith.truncf
// DOT-LABEL: func.func @inner
// DOT-DAG: %[[NARROW:.*]] = memref.alloca() {alignment = 64 : i64} : memref<1x1x6x64xbf16>
// DOT: scf.for
// DOT: %[[COPY:.*]] = memref.subview %[[NARROW]]
// DOT: linalg.generic {{.*}} outs(%[[COPY]]
// DOT: arith.truncf %{{.*}} : f32 to bf16
// DOT: linalg.generic {{.*}} ins(%{{.*}}, %{{.*}} : memref<1x1x6x64xbf16, {{.*}}>, memref<1x32x64xbf16
// DOT: return
func.func @inner(%m: index) attributes {exec.kernel} {
  %q = exec.binding 0 : memref<1x1x6x64xf32>
  %k = exec.binding 1[%m] : memref<1x?x64xbf16>
  %v = exec.binding 2[%m] : memref<1x?x64xf32>
  %y = exec.binding 3 : memref<1x1x1x6x64xf32>
  tpa.stream "bnhd,bmd,bme->bnhe"(%q, %k, %v) outs(%y) block 32 splits 1 {
  ^bb0(%qi: tensor<1x1x6x64xf32>, %kj: tensor<1x?x64xbf16>, %vj: tensor<1x?x64xf32>):
    %l = tpa.einsum "bnhd,bmd->bnhm"(%qi, %kj) : tensor<1x1x6x64xf32>, tensor<1x?x64xbf16>
    %o = tpa.einsum "bnhm,bme->bnhe"(%l, %vj) : tensor<1x1x6x?xf32>, tensor<1x?x64xf32>
    tpa.yield %o : tensor<1x1x6x64xf32>
  } : (memref<1x1x6x64xf32>, memref<1x?x64xbf16>, memref<1x?x64xf32>) -> (memref<1x1x1x6x64xf32>)
  return
}
