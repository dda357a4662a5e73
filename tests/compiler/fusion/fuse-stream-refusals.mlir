// Every reason not to fuse, with what stands against it and what would help.
// RUN: tpa-opt %s --tpa-fuse-stream --split-input-file --remarks-filter=tpa --remark-format=emitRemark 2>&1 >/dev/null | FileCheck %s
// RUN: tpa-opt %s --tpa-fuse-stream --split-input-file | FileCheck %s --check-prefix=IR

// IR-NOT: tpa.stream

// CHECK: [Missed] stream {{.*}}Reason="the weights are read by more than the sum over m"{{.*}}code=weights-escape
func.func @weights_escape(%q: tensor<1x1x4x8xf32>, %k: tensor<1x?x4x8xf32>) -> (tensor<1x1x4x8xf32>, tensor<1x4x1x?xf32>) {
  %l = tpa.einsum "bnhd,bmhd->bhnm"(%q, %k) : tensor<1x1x4x8xf32>, tensor<1x?x4x8xf32>
  %w = tpa.softmax %l : tensor<1x4x1x?xf32>
  %o = tpa.einsum "bhnm,bmhe->bnhe"(%w, %k) : tensor<1x4x1x?xf32>, tensor<1x?x4x8xf32>
  return %o, %w : tensor<1x1x4x8xf32>, tensor<1x4x1x?xf32>
}

// -----

// CHECK: [Missed] stream {{.*}}Reason="a map between softmax and sum is not linear in the weights"{{.*}}code=not-linear
func.func @not_linear(%q: tensor<1x1x4x8xf32>, %k: tensor<1x?x4x8xf32>) -> tensor<1x1x4x8xf32> {
  %l = tpa.einsum "bnhd,bmhd->bhnm"(%q, %k) : tensor<1x1x4x8xf32>, tensor<1x?x4x8xf32>
  %w = tpa.softmax %l : tensor<1x4x1x?xf32>
  %c = tpa.map "bhnm->bhnm"(%w) {
  ^bb0(%e: f32):
    %0 = arith.mulf %e, %e : f32
    tpa.yield %0 : f32
  } : tensor<1x4x1x?xf32>
  %o = tpa.einsum "bhnm,bmhe->bnhe"(%c, %k) : tensor<1x4x1x?xf32>, tensor<1x?x4x8xf32>
  return %o : tensor<1x1x4x8xf32>
}

// -----

// CHECK: [Missed] stream {{.*}}Reason="a softmax is over another index than m"{{.*}}code=not-pointwise
func.func @not_pointwise_other(%q: tensor<1x1x4x8xf32>, %k: tensor<1x?x4x8xf32>) -> tensor<1x1x4x8xf32> {
  %l = tpa.einsum "bnhd,bmhd->bnmh"(%q, %k) : tensor<1x1x4x8xf32>, tensor<1x?x4x8xf32>
  %w = tpa.softmax %l : tensor<1x1x?x4xf32>
  %o = tpa.einsum "bnmh,bmhe->bnhe"(%w, %k) : tensor<1x1x?x4xf32>, tensor<1x?x4x8xf32>
  return %o : tensor<1x1x4x8xf32>
}

// -----

// CHECK: [Missed] stream {{.*}}Reason="a softmax precedes the softmax over the keys"{{.*}}code=not-pointwise
func.func @not_pointwise_twice(%q: tensor<1x1x4x8xf32>, %k: tensor<1x?x4x8xf32>) -> tensor<1x1x4x8xf32> {
  %l = tpa.einsum "bnhd,bmhd->bhnm"(%q, %k) : tensor<1x1x4x8xf32>, tensor<1x?x4x8xf32>
  %v = tpa.softmax %l : tensor<1x4x1x?xf32>
  %w = tpa.softmax %v : tensor<1x4x1x?xf32>
  %o = tpa.einsum "bhnm,bmhe->bnhe"(%w, %k) : tensor<1x4x1x?xf32>, tensor<1x?x4x8xf32>
  return %o : tensor<1x1x4x8xf32>
}

// -----

// CHECK: [Missed] stream {{.*}}Reason="a dimension other than n and m is dynamic"{{.*}}code=sizes-unknown
func.func @sizes_unknown(%q: tensor<1x1x?x8xf32>, %k: tensor<1x?x?x8xf32>) -> tensor<1x1x?x8xf32> {
  %l = tpa.einsum "bnhd,bmhd->bhnm"(%q, %k) : tensor<1x1x?x8xf32>, tensor<1x?x?x8xf32>
  %w = tpa.softmax %l : tensor<1x?x1x?xf32>
  %o = tpa.einsum "bhnm,bmhe->bnhe"(%w, %k) : tensor<1x?x1x?xf32>, tensor<1x?x?x8xf32>
  return %o : tensor<1x1x?x8xf32>
}

// -----

// CHECK: [Missed] stream {{.*}}Reason="a map captures more than elements at its own indices"{{.*}}code=captured
func.func @captured(%q: tensor<1x1x4x8xf32>, %k: tensor<1x?x4x8xf32>, %bias: tensor<8xf32>) -> tensor<1x1x4x8xf32> {
  %l = tpa.einsum "bnhd,bmhd->bhnm"(%q, %k) : tensor<1x1x4x8xf32>, tensor<1x?x4x8xf32>
  %c = tpa.map "bhnm->bhnm"(%l) {
  ^bb0(%e: f32):
    %h = tpa.index "h"
    %one = arith.constant 1 : index
    %next = arith.addi %h, %one : index
    %0 = tensor.extract %bias[%next] : tensor<8xf32>
    %1 = arith.addf %e, %0 : f32
    tpa.yield %1 : f32
  } : tensor<1x4x1x?xf32>
  %w = tpa.softmax %c : tensor<1x4x1x?xf32>
  %o = tpa.einsum "bhnm,bmhe->bnhe"(%w, %k) : tensor<1x4x1x?xf32>, tensor<1x?x4x8xf32>
  return %o : tensor<1x1x4x8xf32>
}

// -----

// CHECK: [Missed] stream {{.*}}Reason="an einsum has more operands than the search for its order takes"{{.*}}code=too-many-operands
func.func @too_many_operands(%q: tensor<1x1x8xf32>, %k: tensor<1x?x8xf32>) -> tensor<1x1x8xf32> {
  %l = tpa.einsum "bnd,bmd,bmd,bmd,bmd,bmd,bmd,bmd,bmd,bmd,bmd,bmd,bmd->bnm"(%q, %k, %k, %k, %k, %k, %k, %k, %k, %k, %k, %k, %k) : tensor<1x1x8xf32>,
      tensor<1x?x8xf32>, tensor<1x?x8xf32>, tensor<1x?x8xf32>, tensor<1x?x8xf32>, tensor<1x?x8xf32>, tensor<1x?x8xf32>, tensor<1x?x8xf32>, tensor<1x?x8xf32>, tensor<1x?x8xf32>, tensor<1x?x8xf32>, tensor<1x?x8xf32>, tensor<1x?x8xf32>
  %w = tpa.softmax %l : tensor<1x1x?xf32>
  %o = tpa.einsum "bnm,bme->bne"(%w, %k) : tensor<1x1x?xf32>, tensor<1x?x8xf32>
  return %o : tensor<1x1x8xf32>
}

// -----

// CHECK: [Missed] stream {{.*}}Reason="an operation between softmax and sum reads weights twice"{{.*}}code=not-linear
func.func @not_linear_square(%q: tensor<1x1x4x8xf32>, %k: tensor<1x?x4x8xf32>) -> tensor<1x1x4x8xf32> {
  %l = tpa.einsum "bnhd,bmhd->bhnm"(%q, %k) : tensor<1x1x4x8xf32>, tensor<1x?x4x8xf32>
  %w = tpa.softmax %l : tensor<1x4x1x?xf32>
  %o = tpa.einsum "bhnm,bhnm,bmhe->bnhe"(%w, %w, %k) : tensor<1x4x1x?xf32>, tensor<1x4x1x?xf32>, tensor<1x?x4x8xf32>
  return %o : tensor<1x1x4x8xf32>
}

// -----

// Each row of the batch would write the maximum and the sum of all.
// CHECK: [Missed] stream {{.*}}Reason="a softmax lacks the batch that other operands have", Suggestion="give its scores the dimension of the batch"{{.*}}code=shared-rows
func.func @shared_rows_batch(%q: tensor<5x8xf32>, %k: tensor<?x8xf32>, %r: tensor<2x5x8xf32>, %s: tensor<2x?x8xf32>) -> tensor<2x5x8xf32> {
  %l = tpa.einsum "nd,md->nm"(%q, %k) : tensor<5x8xf32>, tensor<?x8xf32>
  %w = tpa.softmax %l : tensor<5x?xf32>
  %g = tpa.einsum "bnd,bmd->bnm"(%r, %s) : tensor<2x5x8xf32>, tensor<2x?x8xf32>
  %o = tpa.einsum "bnm,nm,bme->bne"(%g, %w, %s) : tensor<2x5x?xf32>, tensor<5x?xf32>, tensor<2x?x8xf32>
  return %o : tensor<2x5x8xf32>
}

// -----

// CHECK: [Missed] stream {{.*}}Reason="the sum over m is also over rows of the softmax, each of which is divided by a sum of its own"{{.*}}code=shared-rows
func.func @shared_rows_heads(%q: tensor<1x1x4x8xf32>, %k: tensor<1x?x4x8xf32>, %v: tensor<1x?x8xf32>) -> tensor<1x1x8xf32> {
  %l = tpa.einsum "bnhd,bmhd->bhnm"(%q, %k) : tensor<1x1x4x8xf32>, tensor<1x?x4x8xf32>
  %w = tpa.softmax %l : tensor<1x4x1x?xf32>
  %o = tpa.einsum "bhnm,bme->bne"(%w, %v) : tensor<1x4x1x?xf32>, tensor<1x?x8xf32>
  return %o : tensor<1x1x8xf32>
}

// -----

// CHECK: [Missed] stream {{.*}}Reason="the chain has more dimensions than there are letters"{{.*}}code=too-many-labels
func.func @too_many_labels(%q: tensor<5x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1xf32>, %k: tensor<?x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1xf32>) -> tensor<5xf32> {
  %l = tpa.einsum "nabcdefgijklopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ,mabcdefgijklopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ->nm"(%q, %k) : tensor<5x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1xf32>, tensor<?x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1xf32>
  %o = tpa.einsum "nm->n"(%l) : tensor<5x?xf32>
  return %o : tensor<5xf32>
}
