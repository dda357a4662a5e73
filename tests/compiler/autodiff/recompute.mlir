// RUN: tpa-opt %s --tpa-differentiate=recompute=none | FileCheck %s --check-prefix=NONE
// RUN: tpa-opt %s --tpa-differentiate=recompute=full | FileCheck %s --check-prefix=FULL
// RUN: tpa-opt %s --tpa-differentiate=recompute=dots | FileCheck %s --check-prefix=DOTS
// RUN: tpa-opt %s --tpa-differentiate=recompute=factors | FileCheck %s --check-prefix=FACTORS
// RUN: tpa-opt %s --tpa-differentiate=recompute=768 | FileCheck %s --check-prefix=BUDGET
// RUN: tpa-opt %s --tpa-differentiate="recompute=768 recompute-table=true" -o /dev/null 2>&1 | FileCheck %s --check-prefix=TABLE
// RUN: tpa-opt %s --tpa-differentiate=recompute=factors --remarks-filter=tpa --remark-format=emitRemark -o /dev/null 2>&1 | FileCheck %s --check-prefix=REMARK
// RUN: not tpa-opt %s --tpa-differentiate=recompute=255B 2>&1 | FileCheck %s --check-prefix=LEAST
// RUN: tpa-opt %s --tpa-differentiate=recompute=256B | FileCheck %s --check-prefix=FULL

// What each policy saves of a layer: a norm, queries projected and rotated, keys
// as the product of two factors, their attention, and the sum with its input.

// Whatever the policy, the forward pass returns all that its reverse reads.
// NONE-LABEL: func.func private @layer.forward.block
// NONE-NOT: recompute.block
// NONE: call @layer.backward.block

// FULL-LABEL: func.func private @layer.recompute.block(%arg0: tensor<1x4x8xf32>, %arg1: tensor<2x4x8xf32>, %arg2: tensor<2x1x8xf32>, %arg3: tensor<1x4x8xf32>)
// FULL: tpa.softmax
// FULL: return %{{.*}} : tensor<1x4x8xf32>, tensor<1x4x2x4xf32>, tensor<1x4x1x2xf32>, tensor<1x4x1x4xf32>, tensor<1x4x2x4xf32>, tensor<1x2x4xf32>, tensor<1x4x2x4xf32>, tensor<1x4xf32>
// FULL: %[[X:.*]]:9 = func.call @layer.forward.block
// FULL: %[[AGAIN:.*]]:8 = func.call @layer.recompute.block(%[[X]]#0, %[[WQ:.*]], %[[WA:.*]], %[[WB:[^)]*]])
// FULL: func.call @layer.backward.block(%[[X]]#0, %[[WQ]], %[[WA]], %[[WB]], %{{[^,]*}}, %[[AGAIN]]#0, %[[AGAIN]]#1, %[[AGAIN]]#2, %[[AGAIN]]#3, %[[AGAIN]]#4, %[[AGAIN]]#5, %[[AGAIN]]#6, %[[AGAIN]]#7,

// Projections are saved as they are before they are rotated, which the reverse
// does not read, and the logarithms of sums with what the weights sum.
// DOTS-LABEL: func.func private @layer.forward.block
// DOTS: %[[P:.*]] = tpa.einsum "bnc,hdc->bnhd"
// DOTS: %[[B:.*]] = tpa.einsum "bnc,rdc->bnrd"
// DOTS: return {{.*}}, %[[P]], %[[B]] :
// DOTS-LABEL: func.func private @layer.recompute.block
// DOTS-SAME: (%[[X:.*]]: tensor<1x4x8xf32>, %[[P:.*]]: tensor<1x4x2x4xf32>, %[[B:.*]]: tensor<1x4x1x4xf32>)
// DOTS-NEXT: arith.constant
// DOTS-NEXT: %[[N:.*]] = t6.rms_norm %[[X]]
// DOTS-NEXT: %[[Q:.*]] = tpa.rope %[[P]]
// DOTS-NEXT: %[[R:.*]] = tpa.rope %[[B]]
// DOTS-NEXT: return %[[N]], %[[Q]], %[[R]]
// DOTS: %[[H:.*]]:11 = func.call @layer.forward.block
// DOTS: %[[Y:.*]]:11 = func.call @layer.forward.block
// DOTS: %[[AGAIN:.*]]:3 = func.call @layer.recompute.block(%[[H]]#0, %[[Y]]#9, %[[Y]]#10)
// DOTS: func.call @layer.backward.block(%[[H]]#0, {{.*}}, %[[AGAIN]]#0, %[[AGAIN]]#1, %[[Y]]#3, %[[AGAIN]]#2, %[[Y]]#5, %[[Y]]#6, %[[Y]]#7, %[[Y]]#8,

// Queries are no product of factors; keys are.
// FACTORS-LABEL: func.func private @layer.recompute.block
// FACTORS-SAME: (%[[X:.*]]: tensor<1x4x8xf32>, %[[WQ:.*]]: tensor<2x4x8xf32>, %[[A:.*]]: tensor<1x4x1x2xf32>, %[[R:.*]]: tensor<1x4x1x4xf32>)
// FACTORS-NEXT: arith.constant
// FACTORS-NEXT: %[[N:.*]] = t6.rms_norm %[[X]]
// FACTORS-NEXT: %[[P:.*]] = tpa.einsum "bnc,hdc->bnhd"(%[[N]], %[[WQ]])
// FACTORS-NEXT: %[[Q:.*]] = tpa.rope %[[P]]
// FACTORS-NEXT: %[[K:.*]] = tpa.einsum "bnrh,bnrd->bnhd"(%[[A]], %[[R]])
// FACTORS-NEXT: %[[MEAN:.*]] = tpa.einsum "abc,abc->ab"(%[[X]], %[[X]])
// FACTORS-NEXT: return %[[N]], %[[Q]], %[[K]], %[[MEAN]]

// Within the bytes of `factors`, fewer operations: attention is so small here
// that it is computed again.
// BUDGET-LABEL: func.func private @layer.recompute.block
// BUDGET-SAME: (%[[X:.*]]: tensor<1x4x8xf32>, %[[Q:.*]]: tensor<1x4x2x4xf32>, %[[A:.*]]: tensor<1x4x1x2xf32>, %[[R:.*]]: tensor<1x4x1x4xf32>)
// BUDGET-NEXT: %[[N:.*]] = t6.rms_norm %[[X]]
// BUDGET-NEXT: %[[K:.*]] = tpa.einsum "bnrh,bnrd->bnhd"(%[[A]], %[[R]])
// BUDGET-NEXT: %[[S:.*]] = tpa.einsum "bnhd,bmhd->bhnm"(%[[Q]], %[[K]])
// BUDGET-NEXT: %[[W:.*]] = tpa.softmax %[[S]]
// BUDGET-NEXT: %[[LSE:.*]] = tpa.log_sum_exp %[[S]]
// BUDGET-NEXT: %[[Y:.*]] = tpa.einsum "bhnm,bmhd->bnhd"(%[[W]], %[[K]])
// BUDGET-NEXT: return %[[N]], %[[K]], %[[LSE]], %[[Y]]


// TABLE: What the reverse of train reads, with --recompute=768B
// TABLE: layer.forward.block, called 2 times
// TABLE-NEXT: value type from bytes a call in all FLOP a call in all why
// TABLE-NEXT: again t6.rms_norm 1x4x8xf32 recompute.mlir:[[#N:]] 0 0 192 384 not in the cheapest choice within the bytes
// TABLE-NEXT: saved tpa.rope 1x4x2x4xf32 recompute.mlir:[[#N+2]] 128 256 0 0 in the cheapest choice within the bytes
// TABLE-NEXT: saved tpa.einsum bnc,hrc->bnrh 1x4x1x2xf32
// TABLE-NEXT: saved tpa.rope 1x4x1x4xf32
// TABLE-NEXT: again tpa.einsum bnrh,bnrd->bnhd 1x4x2x4xf32
// TABLE-NEXT: again tpa.einsum bnhd,bmhd->bhnm 1x2x4x4xf32 recompute.mlir:[[#]] 0 0 256 512
// TABLE-NEXT: again tpa.softmax 1x2x4x4xf32
// TABLE-NEXT: again tpa.log_sum_exp 1x2x4xf32
// TABLE-NEXT: again tpa.einsum bhnm,bmhd->bnhd 1x4x2x4xf32
// TABLE-NEXT: saved tpa.einsum abc,abc->ab 1x4xf32
// TABLE-NEXT: sum 240 480 896 1,792
// TABLE: Saved beside, of arguments and outside of functions: 256 bytes.
// TABLE: policy bytes saved in all FLOP again in all
// TABLE-NEXT: none 1,568 0
// TABLE-NEXT: dots 1,312 768
// TABLE-NEXT: factors 768 1,928
// TABLE-NEXT: full 256 4,104
// TABLE-NEXT: 768B 736 1,792

// REMARK: recompute.mlir:[[#]]:8: remark: [Analysis] recompute | Category:tpa | Reason="follows from factors, or from the attention's output", again=t6.rms_norm, bytes=0, calls=2, flops=192, type=1x4x8xf32
// REMARK: remark: [Analysis] recompute | Category:tpa | Reason="stands for an operand of the attention", bytes=32, calls=2, flops=0, saved="tpa.einsum bnc,hrc->bnrh", type=1x4x1x2xf32
// REMARK: remark: [Analysis] recompute | Category:tpa | Reason="the attention yields it", bytes=32, calls=2, flops=0, saved=tpa.log_sum_exp, type=1x2x4xf32
// REMARK: remark: [Analysis] recompute | Category:tpa | bytesSaved=768, flopsAgain=1928, policy=factors

// LEAST: error: 'exec.entry' op cannot be reversed with 255 bytes saved: 256 is the least, with everything computed again that can be

func.func private @layer.block(%x: tensor<1x4x8xf32>, %wq: tensor<2x4x8xf32>, %wa: tensor<2x1x8xf32>, %wb: tensor<1x4x8xf32>, %wo: tensor<8x2x4xf32>) -> tensor<1x4x8xf32> {
  %start = arith.constant dense<0> : tensor<1xi32>
  %n = t6.rms_norm %x {eps = 1.0e-5 : f64} : tensor<1x4x8xf32>
  %p = tpa.einsum "bnc,hdc->bnhd"(%n, %wq) : tensor<1x4x8xf32>, tensor<2x4x8xf32>
  %q = tpa.rope %p at %start {rope = #tpa.rope<>} : tensor<1x4x2x4xf32>, tensor<1xi32>
  %a = tpa.einsum "bnc,hrc->bnrh"(%n, %wa) : tensor<1x4x8xf32>, tensor<2x1x8xf32>
  %b = tpa.einsum "bnc,rdc->bnrd"(%n, %wb) : tensor<1x4x8xf32>, tensor<1x4x8xf32>
  %r = tpa.rope %b at %start {rope = #tpa.rope<>} : tensor<1x4x1x4xf32>, tensor<1xi32>
  %k = tpa.einsum "bnrh,bnrd->bnhd"(%a, %r) : tensor<1x4x1x2xf32>, tensor<1x4x1x4xf32>
  %s = tpa.einsum "bnhd,bmhd->bhnm"(%q, %k) : tensor<1x4x2x4xf32>, tensor<1x4x2x4xf32>
  %w = tpa.softmax %s : tensor<1x2x4x4xf32>
  %y = tpa.einsum "bhnm,bmhd->bnhd"(%w, %k) : tensor<1x2x4x4xf32>, tensor<1x4x2x4xf32>
  %z = tpa.einsum "bnhd,chd->bnc"(%y, %wo) : tensor<1x4x2x4xf32>, tensor<8x2x4xf32>
  %o = arith.addf %x, %z : tensor<1x4x8xf32>
  return %o : tensor<1x4x8xf32>
}

exec.buffer param @wq : tensor<2x4x8xf32>
exec.buffer param @wa : tensor<2x1x8xf32>
exec.buffer param @wb : tensor<1x4x8xf32>
exec.buffer param @wo : tensor<8x2x4xf32>
exec.buffer param @table : tensor<5x8xf32>
exec.buffer input @train.tokens : tensor<1x4xi32>
exec.buffer output @train.loss : tensor<1xf32>

exec.entry @train scalars [] maxima [] {
  %t = exec.load @train.tokens : tensor<1x4xi32>
  %table = exec.load @table : tensor<5x8xf32>
  %x = t6.embedding %t, %table : tensor<1x4xi32>, tensor<5x8xf32>
  %wq = exec.load @wq : tensor<2x4x8xf32>
  %wa = exec.load @wa : tensor<2x1x8xf32>
  %wb = exec.load @wb : tensor<1x4x8xf32>
  %wo = exec.load @wo : tensor<8x2x4xf32>
  %h = func.call @layer.block(%x, %wq, %wa, %wb, %wo) : (tensor<1x4x8xf32>, tensor<2x4x8xf32>, tensor<2x1x8xf32>, tensor<1x4x8xf32>, tensor<8x2x4xf32>) -> tensor<1x4x8xf32>
  %y = func.call @layer.block(%h, %wq, %wa, %wb, %wo) : (tensor<1x4x8xf32>, tensor<2x4x8xf32>, tensor<2x1x8xf32>, tensor<1x4x8xf32>, tensor<8x2x4xf32>) -> tensor<1x4x8xf32>
  %one = arith.constant dense<1.0> : tensor<1xf32>
  %l = tpa.einsum "bnc,k->k"(%y, %one) : tensor<1x4x8xf32>, tensor<1xf32>
  exec.store %l, @train.loss : tensor<1xf32>
} {tpa.differentiate = "train.loss"}
