// Who has a carry: rows of a batch, whatever letter it has, and queries; or queries alone.
// RUN: tpa-opt %s --tpa-fuse-stream --split-input-file | FileCheck %s

// What sums over the batch, the queries and the keys keeps a row for each of the first two.
// CHECK-LABEL: func.func @sum_of_all
// CHECK: tpa.stream "bnhd,bmhd->bnh"
// CHECK: tpa.einsum "bnh->h"
func.func @sum_of_all(%q: tensor<2x5x4x8xf32>, %k: tensor<2x7x4x8xf32>) -> tensor<4xf32> {
  %l = tpa.einsum "bnhd,bmhd->bhnm"(%q, %k) : tensor<2x5x4x8xf32>, tensor<2x7x4x8xf32>
  %o = tpa.einsum "bhnm->h"(%l) : tensor<2x4x5x7xf32>
  return %o : tensor<4xf32>
}

// -----

// A batch that the scores do not call b is a dimension like the heads.
// CHECK-LABEL: func.func @other_batch
// CHECK: tpa.stream "[[B:[^b]]]nhd,[[B]]mhd->nh"
func.func @other_batch(%q: tensor<2x5x4x8xf32>, %k: tensor<2x7x4x8xf32>) -> tensor<4xf32> {
  %l = tpa.einsum "xnhd,xmhd->xhnm"(%q, %k) : tensor<2x5x4x8xf32>, tensor<2x7x4x8xf32>
  %o = tpa.einsum "bhnm->h"(%l) : tensor<2x4x5x7xf32>
  return %o : tensor<4xf32>
}

// -----

// Neither does a letter b make a batch: not summed within the chain, not in its result.
// CHECK-LABEL: func.func @features
// CHECK: tpa.stream "n[[D:[^b]]],m[[D]],m[[E:[^b]]]->n,n,n[[E]]"
func.func @features(%q: tensor<5x8xf32>, %k: tensor<7x8xf32>, %v: tensor<7x4xf32>) -> tensor<5x4xf32> {
  %l = tpa.einsum "nb,mb->nm"(%q, %k) : tensor<5x8xf32>, tensor<7x8xf32>
  %w = tpa.softmax %l : tensor<5x7xf32>
  %o = tpa.einsum "nm,mb->nb"(%w, %v) : tensor<5x7xf32>, tensor<7x4xf32>
  return %o : tensor<5x4xf32>
}

// -----

// The batch is in front of what the body computes, also where it is last in the operands.
// CHECK-LABEL: func.func @batch_last
// CHECK: tpa.einsum "ndb,mdb->bnm"
func.func @batch_last(%q: tensor<5x8x2xf32>, %k: tensor<7x8x2xf32>, %v: tensor<7x4x2xf32>) -> tensor<5x4x2xf32> {
  %l = tpa.einsum "ndb,mdb->bnm"(%q, %k) : tensor<5x8x2xf32>, tensor<7x8x2xf32>
  %w = tpa.softmax %l : tensor<2x5x7xf32>
  %o = tpa.einsum "bnm,meb->neb"(%w, %v) : tensor<2x5x7xf32>, tensor<7x4x2xf32>
  return %o : tensor<5x4x2xf32>
}
