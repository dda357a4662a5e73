// What a stream costs, and what other orders would have. Figures are for a key: operations in the loop, step by step;
// then those that happen once; bytes of intermediates, written and read.
// RUN: tpa-opt %s --tpa-expand-attention --tpa-fuse-stream --split-input-file --remarks-filter=tpa --remark-format=emitRemark 2>&1 >/dev/null | FileCheck %s
// RUN: tpa-opt %s --tpa-expand-attention --tpa-fuse-stream=target=sm_80 --split-input-file --remarks-filter=tpa --remark-format=emitRemark 2>&1 >/dev/null | FileCheck %s --check-prefix=TENSOR

// H=47, ranks (6,2,2): 2 * 6 * 2 * (64 + 47) = 2664 from factors against 2 * 2 * 47 * 64 = 12032 from q = A_Q B_Q, 4.5
// times as many; to both come 2 * 2 * 47 = 188 for A_K.
// CHECK: [Analysis] contraction-form {{.*}}equation="bnrh,bnrd,bmsh,bmsd->bhnm",
// CHECK-SAME: factored="2852 FLOP (1536 + 1128 + 188), 1224 B, 22.21 ns",
// CHECK-SAME: form=factored,
// CHECK-SAME: materialised="18048 FLOP (12032 + 6016) and 36096 once, 24440 B, 195.04 ns",
// CHECK-SAME: pre-contracted="12220 FLOP (12032 + 188) and 36096 once, 1128 B, 82.97 ns",
// CHECK-SAME: queries=1, target=cpu
// The values: the query side is the weight alone, nothing can meet ahead.
// CHECK: [Analysis] contraction-form {{.*}}equation="bhnm,bmuh,bmue->bnhe",
// CHECK-SAME: factored="12220 FLOP (188 + 12032), 1504 B, 83.15 ns",
// CHECK-SAME: form=factored,
// CHECK-SAME: materialised="18048 FLOP (12032 + 6016), 24816 B, 195.23 ns",
// CHECK-SAME: queries=1
// CHECK-NOT: pre-contracted
// CHECK: [Passed] stream {{.*}}inputs=7, operations=4
func.func @factored(%aq: tensor<1x1x6x47xf32>, %bq: tensor<1x1x6x64xf32>, %ak: tensor<1x?x2x47xf32>, %bk: tensor<1x?x2x64xf32>,
                    %av: tensor<1x?x2x47xf32>, %bv: tensor<1x?x2x64xf32>, %at: tensor<1xi32>) -> tensor<1x1x47x64xf32> {
  %o = tpa.attention ["bnrh,bnrd,bmsh,bmsd->bhnm"](%aq, %bq, %ak, %bk) value "bhnm,bmuh,bmue->bnhe"(%av, %bv) at %at
         {scale = 0.1 : f64, causal}
      : (tensor<1x1x6x47xf32>, tensor<1x1x6x64xf32>, tensor<1x?x2x47xf32>, tensor<1x?x2x64xf32>),
        (tensor<1x?x2x47xf32>, tensor<1x?x2x64xf32>), tensor<1xi32>
  return %o : tensor<1x1x47x64xf32>
}

// -----

// H=16, R_Q=16, R_K=1: 2 * 16 * (64 + 16) = 2560 from factors against 2 * 16 * 64 = 2048, and 32 for A_K.
// CHECK: [Analysis] contraction-form {{.*}}factored="2592 FLOP (2048 + 512 + 32), 384 B, 17.85 ns",
// CHECK-SAME: form=pre-contracted,
// CHECK-SAME: materialised="4096 FLOP (2048 + 2048) and 32768 once, 8320 B, 53.33 ns",
// CHECK-SAME: pre-contracted="2080 FLOP (2048 + 32) and 32768 once, 256 B, 14.56 ns",
// CHECK-SAME: queries=1
func.func @precontracted(%aq: tensor<1x1x16x16xf32>, %bq: tensor<1x1x16x64xf32>, %ak: tensor<1x?x1x16xf32>, %bk: tensor<1x?x1x64xf32>,
                         %v: tensor<1x?x16x64xf32>) -> tensor<1x1x16x64xf32> {
  %o = tpa.attention ["bnrh,bnrd,bmsh,bmsd->bhnm"](%aq, %bq, %ak, %bk) value "bhnm,bmhe->bnhe"(%v)
      : (tensor<1x1x16x16xf32>, tensor<1x1x16x64xf32>, tensor<1x?x1x16xf32>, tensor<1x?x1x64xf32>), (tensor<1x?x16x64xf32>)
  return %o : tensor<1x1x16x64xf32>
}

// -----

// Many queries, training and prefill: 16 of them share a block of keys. Keys of these ranks are formed once, 2 * 4 * 16 *
// 64 = 8192, and cost a query 2 * 16 * 64 = 2048 then; from q it would pay 2 * 4 * 16 * 65 = 8320.
// CHECK: [Analysis] contraction-form {{.*}}equation="bnrh,bnrd,bmsh,bmsd->bhnm",
// CHECK-SAME: factored="165888 FLOP (131072 + 32768 + 2048),
// CHECK-SAME: form=materialised,
// CHECK-SAME: materialised="40960 FLOP (8192 + 32768) and 524288 once,
// CHECK-SAME: pre-contracted="133120 FLOP (131072 + 2048) and 524288 once,
// CHECK-SAME: queries=16
// CHECK: [Analysis] contraction-form {{.*}}equation="bhnm,bmuh,bmue->bnhe",
// CHECK-SAME: factored="33280 FLOP (512 + 32768),
// CHECK-SAME: form=factored,
// CHECK-SAME: materialised="34816 FLOP (2048 + 32768),
func.func @materialised(%aq: tensor<1x?x16x16xf32>, %bq: tensor<1x?x16x64xf32>, %ak: tensor<1x?x4x16xf32>, %bk: tensor<1x?x4x64xf32>,
                        %av: tensor<1x?x1x16xf32>, %bv: tensor<1x?x1x64xf32>) -> tensor<1x?x16x64xf32> {
  %o = tpa.attention ["bnrh,bnrd,bmsh,bmsd->bhnm"](%aq, %bq, %ak, %bk) value "bhnm,bmuh,bmue->bnhe"(%av, %bv)
      : (tensor<1x?x16x16xf32>, tensor<1x?x16x64xf32>, tensor<1x?x4x16xf32>, tensor<1x?x4x64xf32>),
        (tensor<1x?x1x16xf32>, tensor<1x?x1x64xf32>)
  return %o : tensor<1x?x16x64xf32>
}

// -----

// The values of prefill are formed by a vector unit: 2 * 2 * 34 * 64 once for 16 queries. Tensor cores multiply 16 rows
// as fast as one, so that factors stay apart.
// CHECK: [Analysis] contraction-form {{.*}}equation="bnrh,bnrd,bmsh,bmsd->bhnm", {{.*}}form=factored,
// CHECK: [Analysis] contraction-form {{.*}}equation="bhnm,bmuh,bmue->bnhe",
// CHECK-SAME: factored="141440 FLOP (2176 + 139264), 17408 B, 962.46 ns", form=materialised,
// CHECK-SAME: materialised="78336 FLOP (8704 + 69632), 26112 B, 585.85 ns",
// TENSOR: factored="141440 FLOP (2176 + 139264), 17408 B, 1.45 ns", form=factored,
// TENSOR-SAME: materialised="78336 FLOP (8704 + 69632), 26112 B, 1.82 ns", queries=16, target=sm_80
func.func @targets_differ(%aq: tensor<1x?x6x34xf32>, %bq: tensor<1x?x6x64xf32>, %ak: tensor<1x?x2x34xf32>, %bk: tensor<1x?x2x64xf32>,
                          %av: tensor<1x?x2x34xf32>, %bv: tensor<1x?x2x64xf32>) -> tensor<1x?x34x64xf32> {
  %o = tpa.attention ["bnrh,bnrd,bmsh,bmsd->bhnm"](%aq, %bq, %ak, %bk) value "bhnm,bmuh,bmue->bnhe"(%av, %bv)
      : (tensor<1x?x6x34xf32>, tensor<1x?x6x64xf32>, tensor<1x?x2x34xf32>, tensor<1x?x2x64xf32>),
        (tensor<1x?x2x34xf32>, tensor<1x?x2x64xf32>)
  return %o : tensor<1x?x34x64xf32>
}

// -----

// A latent under up-projections (MLA): one goes to the query, the other to the sum, 2 * 12 * 256 operations for each.
// Keys or values formed in the loop would take 64 times as many, and read the weight for every block.
// CHECK: [Analysis] contraction-form {{.*}}deferred="6144 FLOP and 393216 once, 768 B, 43.31 ns", equation="bhnm,bmo,heo->bnhe",
// CHECK-SAME: factored="786432 FLOP (393216 + 393216), 1597632 B
// CHECK-SAME: form=deferred,
// CHECK-SAME: materialised="394752 FLOP (393216 + 1536), 30912 B
// CHECK: [Analysis] contraction-form {{.*}}equation="bnhd,bml,hdl->bhnm",
// CHECK-SAME: form=pre-contracted,
// CHECK-SAME: materialised="394752 FLOP (393216 + 1536), 30816 B
// CHECK-SAME: pre-contracted="6144 FLOP and 393216 once, 96 B
func.func @absorbed(%q: tensor<1x1x12x64xf32>, %c: tensor<1x?x256xf32>, %uk: tensor<12x64x256xf32>, %uv: tensor<12x64x256xf32>) -> tensor<1x1x12x64xf32> {
  %o = tpa.attention ["bnhd,bml,hdl->bhnm"](%q, %c, %uk) value "bhnm,bmo,heo->bnhe"(%c, %uv)
      : (tensor<1x1x12x64xf32>, tensor<1x?x256xf32>, tensor<12x64x256xf32>), (tensor<1x?x256xf32>, tensor<12x64x256xf32>)
  return %o : tensor<1x1x12x64xf32>
}

// -----

// Two operands have one order.
// CHECK-NOT: contraction-form
// CHECK: [Passed] stream
func.func @heads(%q: tensor<1x1x4x8xf32>, %k: tensor<1x?x4x8xf32>) -> tensor<1x1x4x8xf32> {
  %o = tpa.attention ["bnhd,bmhd->bhnm"](%q, %k) value "bhnm,bmhe->bnhe"(%k)
      : (tensor<1x1x4x8xf32>, tensor<1x?x4x8xf32>), (tensor<1x?x4x8xf32>)
  return %o : tensor<1x1x4x8xf32>
}
