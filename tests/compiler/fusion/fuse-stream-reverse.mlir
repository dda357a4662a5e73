// The reverse of an attention: weights are exp(score - log-sum-exp) of scores computed again, and everything streams.
// RUN: tpa-opt %s --tpa-fuse-stream --split-input-file | FileCheck %s
// RUN: tpa-opt %s --tpa-fuse-stream=splits=1 --split-input-file | FileCheck %s --check-prefix=WHOLE

// What the softmax divides by is in the carry of its stream, whose rows have another order: maximum + log(sum) of each
// split, and over splits the logarithm of the sum of their exponentials. Who reads it earlier comes after the stream.
// CHECK-LABEL: @log_sum_exp
// CHECK: %[[S:.*]]:3 = tpa.stream "bnhd,bmhd,bmhe->bnh,bnh,bnhe"
// CHECK-SAME: splits 8
// CHECK-NOT: tpa.log_sum_exp %{{.*}} : tensor<2x4x1x?xf32>
// CHECK: %[[P:.*]] = tpa.map "sbnh,sbnh->sbnh"(%[[S]]#0, %[[S]]#1)
// CHECK: ^bb0(%[[MAX:.*]]: f32, %[[SUM:.*]]: f32):
// CHECK: %[[LOG:.*]] = math.log %[[SUM]]
// CHECK: arith.addf %[[MAX]], %[[LOG]]
// CHECK: %[[T:.*]] = tpa.einsum "sbnh->bhns"(%[[P]]) : tensor<8x2x1x4xf32>
// CHECK: %[[L:.*]] = tpa.log_sum_exp %[[T]] : tensor<2x4x1x8xf32>
// CHECK: %[[D:.*]] = math.exp %[[L]] : tensor<2x4x1xf32>
// CHECK: %[[O:.*]] = tpa.merge "bnh,bnh,bnhe->bnhe"
// CHECK: return %[[O]], %[[L]], %[[D]]
// WHOLE-LABEL: @log_sum_exp
// WHOLE: tpa.stream
// WHOLE-SAME: splits 1
// WHOLE: %[[P:.*]] = tpa.map "sbnh,sbnh->sbnh"
// WHOLE: %[[L:.*]] = tpa.einsum "sbnh->bhn"(%[[P]]) : tensor<1x2x1x4xf32>
// WHOLE-NOT: tpa.log_sum_exp
// WHOLE: return %{{.*}}, %[[L]]
func.func @log_sum_exp(%q: tensor<2x1x4x8xf32>, %k: tensor<2x?x4x8xf32>, %v: tensor<2x?x4x8xf32>)
    -> (tensor<2x1x4x8xf32>, tensor<2x4x1xf32>, tensor<2x4x1xf32>) {
  %l = tpa.einsum "bnhd,bmhd->bhnm"(%q, %k) : tensor<2x1x4x8xf32>, tensor<2x?x4x8xf32>
  %w = tpa.softmax %l : tensor<2x4x1x?xf32>
  %z = tpa.log_sum_exp %l : tensor<2x4x1x?xf32>
  %e = math.exp %z : tensor<2x4x1xf32>
  %o = tpa.einsum "bhnm,bmhe->bnhe"(%w, %v) : tensor<2x4x1x?xf32>, tensor<2x?x4x8xf32>
  return %o, %z, %e : tensor<2x1x4x8xf32>, tensor<2x4x1xf32>, tensor<2x4x1xf32>
}

// -----

// A sink joins once, where splits are merged. Another sum than the softmax's own stays.
// CHECK-LABEL: @sinks
// CHECK-SAME: %[[SINKS:[a-z0-9]+]]: tensor<4xf32>)
// CHECK: tpa.log_sum_exp %[[SCORES:.*]] : tensor<2x4x1x?xf32>
// CHECK: tpa.stream
// CHECK: %[[T:.*]] = tpa.einsum "sbnh->bhns"
// CHECK: tpa.log_sum_exp %[[T]] sinks %[[SINKS]] along [1] : tensor<2x4x1x8xf32>, tensor<4xf32>
func.func @sinks(%q: tensor<2x1x4x8xf32>, %k: tensor<2x?x4x8xf32>, %s: tensor<4xf32>)
    -> (tensor<2x1x4x8xf32>, tensor<2x4x1xf32>, tensor<2x4x1xf32>) {
  %l = tpa.einsum "bnhd,bmhd->bhnm"(%q, %k) : tensor<2x1x4x8xf32>, tensor<2x?x4x8xf32>
  %w = tpa.softmax %l sinks %s along [1] : tensor<2x4x1x?xf32>, tensor<4xf32>
  %z = tpa.log_sum_exp %l sinks %s along [1] : tensor<2x4x1x?xf32>, tensor<4xf32>
  %y = tpa.log_sum_exp %l : tensor<2x4x1x?xf32>
  %o = tpa.einsum "bhnm,bmhe->bnhe"(%w, %k) : tensor<2x4x1x?xf32>, tensor<2x?x4x8xf32>
  return %o, %z, %y : tensor<2x1x4x8xf32>, tensor<2x4x1xf32>, tensor<2x4x1xf32>
}

// -----

// Queries and keys of one number: many, so that they are not split. dQ streams over keys; dK and dV over queries, which
// have the letter m there, as keys have n: the mask's indices and the label of each row change places with them.
// A block of queries is transposed once: its scores lie side by side, for each key.
// CHECK-LABEL: @reverse
// CHECK-SAME: (%[[Q:.*]]: tensor<2x96x4x8xf32>, %[[K:.*]]: tensor<2x96x4x8xf32>, %[[V:.*]]: tensor<2x96x4x8xf32>, %[[DO:.*]]: tensor<2x96x4x8xf32>, %[[LSE:.*]]: tensor<2x4x96xf32>, %[[D:.*]]: tensor<2x4x96xf32>)
// CHECK-NOT: tensor<2x4x96x96xf32>
// CHECK: tpa.stream "bmhd,bnhd,bhm,bmhe->bnhe"(%[[Q]], %[[K]], %[[LSE]], %[[DO]])
// CHECK-SAME: splits 1
// CHECK: %[[KT:.*]] = tpa.einsum "bnhd->bhdn"
// CHECK: %[[S:.*]] = tpa.einsum "bmhd,bhdn->bmhn"(%{{.*}}, %[[KT]])
// CHECK: %[[X:.*]] = tpa.map "bmhn->bmhn"(%[[S]])
// CHECK: %[[QUERY:.*]] = tpa.index "m"
// CHECK: %[[KEY:.*]] = tpa.index "n"
// CHECK: %[[AT:.*]] = arith.addi %{{.*}}, %[[QUERY]]
// CHECK: arith.cmpi sle, %[[KEY]], %[[AT]]
// CHECK: %[[W:.*]] = tpa.map "bmhn,bhm->bmhn"(%[[X]]
// CHECK: %[[Y:.*]] = tpa.einsum "bmhe,bmhn->bnhe"(%{{.*}}, %[[W]])
// CHECK: tpa.yield %[[Y]]
// CHECK: tpa.stream "bnhe,bmhe,bhn,bnhf,bmhf,bhn,bmhd->bnhd"(%[[Q]], %[[K]], %[[LSE]], %[[DO]], %[[V]], %[[D]], %[[K]])
// CHECK: %[[W2:.*]] = tpa.map "bmhn,bhn->bmhn"
// CHECK: %[[DP:.*]] = tpa.einsum "bhfn,bmhf->bmhn"
// CHECK: %[[DS:.*]] = tpa.map "bmhn,bmhn,bhn->bmhn"(%[[W2]], %[[DP]]
// CHECK: tpa.einsum "bmhn,bmhd->bnhd"(%[[DS]]
// CHECK: tpa.stream "bmhe,bnhe,bhm,bmhf,bnhf,bhm,bmhd->bnhd"(%[[Q]], %[[K]], %[[LSE]], %[[DO]], %[[V]], %[[D]], %[[Q]])
// CHECK: tpa.einsum "bmhn,bmhd->bnhd"
func.func @reverse(%q: tensor<2x96x4x8xf32>, %k: tensor<2x96x4x8xf32>, %v: tensor<2x96x4x8xf32>, %do: tensor<2x96x4x8xf32>,
                   %lse: tensor<2x4x96xf32>, %d: tensor<2x4x96xf32>) -> (tensor<2x96x4x8xf32>, tensor<2x96x4x8xf32>, tensor<2x96x4x8xf32>) {
  %at = arith.constant dense<0> : tensor<2xi32>
  %l = tpa.einsum "bnhd,bmhd->bhnm"(%q, %k) : tensor<2x96x4x8xf32>, tensor<2x96x4x8xf32>
  %x = tpa.map "bhnm->bhnm"(%l) {
  ^bb0(%e: f32):
    %hidden = arith.constant 0xFF800000 : f32
    %b = tpa.index "b"
    %p = tensor.extract %at[%b] : tensor<2xi32>
    %first = arith.index_cast %p : i32 to index
    %n = tpa.index "n"
    %m = tpa.index "m"
    %query = arith.addi %first, %n : index
    %visible = arith.cmpi sle, %m, %query : index
    %0 = arith.select %visible, %e, %hidden : f32
    tpa.yield %0 : f32
  } : tensor<2x4x96x96xf32>
  // Maps may name their labels as they like.
  %w = tpa.map "abcd,abc->abcd"(%x, %lse) {
  ^bb0(%e: f32, %z: f32):
    %0 = arith.subf %e, %z : f32
    %1 = math.exp %0 : f32
    tpa.yield %1 : f32
  } : tensor<2x4x96x96xf32>, tensor<2x4x96xf32>
  %dv = tpa.einsum "bnhe,bhnm->bmhe"(%do, %w) : tensor<2x96x4x8xf32>, tensor<2x4x96x96xf32>
  %dp = tpa.einsum "bnhe,bmhe->bhnm"(%do, %v) : tensor<2x96x4x8xf32>, tensor<2x96x4x8xf32>
  %ds = tpa.map "abcd,abcd,abc->abcd"(%w, %dp, %d) {
  ^bb0(%e: f32, %g: f32, %mean: f32):
    %0 = arith.subf %g, %mean : f32
    %1 = arith.mulf %e, %0 : f32
    tpa.yield %1 : f32
  } : tensor<2x4x96x96xf32>, tensor<2x4x96x96xf32>, tensor<2x4x96xf32>
  %dq = tpa.einsum "bhnm,bmhd->bnhd"(%ds, %k) : tensor<2x4x96x96xf32>, tensor<2x96x4x8xf32>
  %dk = tpa.einsum "bhnm,bnhd->bmhd"(%ds, %q) : tensor<2x4x96x96xf32>, tensor<2x96x4x8xf32>
  return %dq, %dk, %dv : tensor<2x96x4x8xf32>, tensor<2x96x4x8xf32>, tensor<2x96x4x8xf32>
}

// -----

// The gradient of a slope is a sum over all queries and keys, and over the batch: the stream has a row for each query.
// CHECK-LABEL: @slope
// CHECK: %[[S:.*]] = tpa.stream "bned,bmed->bne"
// CHECK: tpa.einsum "bmen->bne"
// CHECK: %[[R:.*]] = tensor.collapse_shape %[[S]] {{.*}} : tensor<1x2x96x4xf32> into tensor<2x96x4xf32>
// CHECK: %[[T:.*]] = tpa.einsum "acb->b"(%[[R]])
// CHECK: return %[[T]]
func.func @slope(%q: tensor<2x96x4x8xf32>, %k: tensor<2x96x4x8xf32>) -> tensor<4xf32> {
  %l = tpa.einsum "bnhd,bmhd->bhnm"(%q, %k) : tensor<2x96x4x8xf32>, tensor<2x96x4x8xf32>
  %x = tpa.map "abcd->abcd"(%l) {
  ^bb0(%e: f32):
    %m = tpa.index "d"
    %0 = arith.index_cast %m : index to i32
    %1 = arith.sitofp %0 : i32 to f32
    %2 = arith.mulf %e, %1 : f32
    tpa.yield %2 : f32
  } : tensor<2x4x96x96xf32>
  %s = tpa.einsum "abcd->b"(%x) : tensor<2x4x96x96xf32>
  return %s : tensor<4xf32>
}
