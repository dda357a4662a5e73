// RUN: tpa-opt %s --tpa-contract-pairwise | FileCheck %s
// RUN: tpa-opt %s --tpa-contract-pairwise --tpa-contract-pairwise | FileCheck %s
// RUN: tpa-opt %s --tpa-contract-pairwise=balance=0.01 | FileCheck %s --check-prefix=FLOPS
// RUN: tpa-opt %s --tpa-contract-pairwise=dynamic-size=1 | FileCheck %s --check-prefix=SHORT
// RUN: tpa-opt %s --tpa-contract-pairwise --remarks-filter=tpa --remark-format=emitRemark 2>&1 >/dev/null | FileCheck %s --check-prefix=REMARK

// 47 heads of ranks 6 and 2: products of feature factors first, <B_Q, B_K>, since
// there are 12 of them where heads would be 47 (times 64 features). Flops of the
// three steps: 2 * 1024 * (6 * 2 * 64 + 47 * 6 * 2 + 47 * 2).
// CHECK-LABEL: @factored
// CHECK-SAME: %[[AQ:.*]]: tensor<1x1x6x47xf32>, %[[BQ:.*]]: tensor<1x1x6x64xf32>, %[[AK:.*]]: tensor<1x?x2x47xf32>, %[[BK:.*]]: tensor<1x?x2x64xf32>
// CHECK: %[[P:.*]] = tpa.einsum "bnrd,bmsd->bnrms"(%[[BQ]], %[[BK]]) :
// CHECK: %[[Z:.*]] = tpa.einsum "bnrh,bnrms->bnhms"(%[[AQ]], %[[P]]) :
// The scale comes with the last step, once.
// CHECK: %[[S:.*]] = tpa.einsum "bnhms,bmsh->bhnm"(%[[Z]], %[[AK]]) {scale = 5.000000e-01 : f64}
// CHECK: return %[[S]]
// REMARK: contract-pairwise.mlir:[[#@LINE+2]]:{{.*}} remark: [Passed] contraction-order {{.*}} equation="bnrh,bnrd,bmsh,bmsd->bhnm", flops=2.920448e+06
func.func @factored(%aq: tensor<1x1x6x47xf32>, %bq: tensor<1x1x6x64xf32>, %ak: tensor<1x?x2x47xf32>, %bk: tensor<1x?x2x64xf32>) -> tensor<1x47x1x?xf32> {
  %s = tpa.einsum "bnrh,bnrd,bmsh,bmsd->bhnm"(%aq, %bq, %ak, %bk) {scale = 0.5 : f64}
      : tensor<1x1x6x47xf32>, tensor<1x1x6x64xf32>, tensor<1x?x2x47xf32>, tensor<1x?x2x64xf32>
  return %s : tensor<1x47x1x?xf32>
}

// 16 heads, query rank 16, key rank 1: the query is cheaper formed, which takes
// its rank out of the work per cached token.
// CHECK-LABEL: @formed_query
// CHECK-SAME: %[[AQ:.*]]: tensor<1x1x16x16xf32>, %[[BQ:.*]]: tensor<1x1x16x64xf32>, %[[AK:.*]]: tensor<1x?x1x16xf32>, %[[BK:.*]]: tensor<1x?x1x64xf32>
// CHECK: %[[Q:.*]] = tpa.einsum "bnrh,bnrd->bnhd"(%[[AQ]], %[[BQ]])
// CHECK: %[[Z:.*]] = tpa.einsum "bnhd,bmsd->bnhms"(%[[Q]], %[[BK]])
// CHECK: tpa.einsum "bnhms,bmsh->bhnm"(%[[Z]], %[[AK]])
// REMARK: [Passed] contraction-order {{.*}} flops=2.162688e+06
func.func @formed_query(%aq: tensor<1x1x16x16xf32>, %bq: tensor<1x1x16x64xf32>, %ak: tensor<1x?x1x16xf32>, %bk: tensor<1x?x1x64xf32>) -> tensor<1x16x1x?xf32> {
  %s = tpa.einsum "bnrh,bnrd,bmsh,bmsd->bhnm"(%aq, %bq, %ak, %bk)
      : tensor<1x1x16x16xf32>, tensor<1x1x16x64xf32>, tensor<1x?x1x16xf32>, tensor<1x?x1x64xf32>
  return %s : tensor<1x16x1x?xf32>
}

// Absorption: the weights of the latent's up-projection go to the one query, not to every key.
// CHECK-LABEL: @absorbed
// CHECK-SAME: %[[Q:.*]]: tensor<1x1x4x8xf32>, %[[C:.*]]: tensor<1x?x10xf32>, %[[U:.*]]: tensor<4x8x10xf32>
// CHECK: %[[QU:.*]] = tpa.einsum "bnhd,hdl->bnhl"(%[[Q]], %[[U]])
// CHECK: tpa.einsum "bnhl,bml->bhnm"(%[[QU]], %[[C]])
func.func @absorbed(%q: tensor<1x1x4x8xf32>, %c: tensor<1x?x10xf32>, %u: tensor<4x8x10xf32>) -> tensor<1x4x1x?xf32> {
  %s = tpa.einsum "bnhd,bml,hdl->bhnm"(%q, %c, %u) : tensor<1x1x4x8xf32>, tensor<1x?x10xf32>, tensor<4x8x10xf32>
  return %s : tensor<1x4x1x?xf32>
}

// A chain of matrices, ? x 64 by 64 x 64 by 64 x 64: many rows are multiplied
// once, by the product of the two matrices; one row is multiplied twice.
// CHECK-LABEL: @dynamic_rows
// CHECK-SAME: %[[X:.*]]: tensor<?x64xf32>, %[[A:.*]]: tensor<64x64xf32>, %[[B:.*]]: tensor<64x64xf32>
// CHECK: %[[AB:.*]] = tpa.einsum "bc,cd->bd"(%[[A]], %[[B]])
// CHECK: tpa.einsum "ab,bd->ad"(%[[X]], %[[AB]])
// SHORT-LABEL: @dynamic_rows
// SHORT: tpa.einsum "ab,bc->ac"
// SHORT: tpa.einsum "ac,cd->ad"
func.func @dynamic_rows(%x: tensor<?x64xf32>, %a: tensor<64x64xf32>, %b: tensor<64x64xf32>) -> tensor<?x64xf32> {
  %y = tpa.einsum "ab,bc,cd->ad"(%x, %a, %b) : tensor<?x64xf32>, tensor<64x64xf32>, tensor<64x64xf32>
  return %y : tensor<?x64xf32>
}

// By operations alone (bc)(cd) goes first, 120 against 198; its result of 10
// numbers against 9 costs 8 bytes more, and 12 operations take as long as a byte.
// CHECK-LABEL: @balance
// CHECK: tpa.einsum "ab,bc->{{ac|ca}}"
// FLOPS-LABEL: @balance
// FLOPS: tpa.einsum "bc,cd->{{bd|db}}"
func.func @balance(%x: tensor<3x1xf32>, %a: tensor<1x3xf32>, %b: tensor<3x10xf32>) -> tensor<3x10xf32> {
  %y = tpa.einsum "ab,bc,cd->ad"(%x, %a, %b) : tensor<3x1xf32>, tensor<1x3xf32>, tensor<3x10xf32>
  return %y : tensor<3x10xf32>
}

// Two operands are a contraction already.
// CHECK-LABEL: @pair
// CHECK: tpa.einsum "ab,bc->ac"(%{{.*}}, %{{.*}}) {scale = 2.000000e+00 : f64}
// REMARK-NOT: "ab,bc->ac"
func.func @pair(%x: tensor<3x1xf32>, %y: tensor<1x3xf32>) -> tensor<3x3xf32> {
  %z = tpa.einsum "ab,bc->ac"(%x, %y) {scale = 2.0 : f64} : tensor<3x1xf32>, tensor<1x3xf32>
  return %z : tensor<3x3xf32>
}

// As many operands as the search takes: eleven contractions.
// CHECK-LABEL: @twelve
// CHECK-COUNT-11: tpa.einsum "{{[^,]*,[^,]*}}->
// CHECK-NOT: tpa.einsum
func.func @twelve(%x: tensor<3xf32>) -> tensor<3xf32> {
  %y = tpa.einsum "a,a,a,a,a,a,a,a,a,a,a,a->a"(%x, %x, %x, %x, %x, %x, %x, %x, %x, %x, %x, %x)
      : tensor<3xf32>, tensor<3xf32>, tensor<3xf32>, tensor<3xf32>, tensor<3xf32>, tensor<3xf32>,
        tensor<3xf32>, tensor<3xf32>, tensor<3xf32>, tensor<3xf32>, tensor<3xf32>, tensor<3xf32>
  return %y : tensor<3xf32>
}
