// What a stream cost, and what other orders would have.
// RUN: tpa-opt %s --tpa-expand-attention --tpa-fuse-stream --remarks-filter=tpa --remark-format=emitRemark 2>&1 >/dev/null | FileCheck %s

// Scores of a key: 2 * 6 * 2 * 64 for P, 2 * 6 * 2 * 47 and 2 * 2 * 47 for the heads: 2,852 operations, against 12,032
// and more for keys formed from q = A_Q B_Q.
// CHECK: [Analysis] contraction-order {{.*}}equation="bnrh,bnrd,bmsh,bmsd->bhnm", flopsPerKey=2.852000e+03, leftToRightFlopsPerKey=2.408
// CHECK: [Analysis] contraction-order {{.*}}equation="bhnm,bmuh,bmue->bnhe"
// CHECK: [Passed] stream {{.*}}inputs=7, operations=4
func.func @decode(%aq: tensor<1x1x6x47xf32>, %bq: tensor<1x1x6x64xf32>, %ak: tensor<1x?x2x47xf32>, %bk: tensor<1x?x2x64xf32>,
                  %av: tensor<1x?x2x47xf32>, %bv: tensor<1x?x2x64xf32>, %at: tensor<1xi32>) -> tensor<1x1x47x64xf32> {
  %o = tpa.attention ["bnrh,bnrd,bmsh,bmsd->bhnm"](%aq, %bq, %ak, %bk) value "bhnm,bmuh,bmue->bnhe"(%av, %bv) at %at
         {scale = 0.1 : f64, causal}
      : (tensor<1x1x6x47xf32>, tensor<1x1x6x64xf32>, tensor<1x?x2x47xf32>, tensor<1x?x2x64xf32>),
        (tensor<1x?x2x47xf32>, tensor<1x?x2x64xf32>), tensor<1xi32>
  return %o : tensor<1x1x47x64xf32>
}
