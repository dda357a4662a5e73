// RUN: tpa-opt %s --tpa-expand-attention --tpa-fuse-stream --split-input-file | FileCheck %s

// A stream looks pages up itself: it reads the pools, and no keys are gathered.
// CHECK-LABEL: @decode
// CHECK-SAME: (%[[Q:.*]]: tensor<2x1x3x8xf32>, %[[K:.*]]: tensor<9x64x3x8xf32>, %[[V:.*]]: tensor<9x64x3x8xf32>, %[[T:.*]]: tensor<2x4xi32>, %[[M:.*]]: index, %[[AT:.*]]: tensor<2xi32>)
// CHECK-NOT: t6.cache_read
// CHECK: tpa.stream "bnhd,bmhd,b,bmhe->{{.*}}"(%[[Q]], %[[K]], %[[AT]], %[[V]]) pages(%[[T]] : tensor<2x4xi32>) length %[[M]] of [1, 3]
// CHECK-SAME: block 32 splits 8
// CHECK-NEXT: tensor<2x?x3x8xf32>
func.func @decode(%q: tensor<2x1x3x8xf32>, %k: tensor<9x64x3x8xf32>, %v: tensor<9x64x3x8xf32>, %t: tensor<2x4xi32>,
                  %m: index, %at: tensor<2xi32>) -> tensor<2x1x3x8xf32> {
  %keys = t6.cache_read %k[%m] pages %t : tensor<9x64x3x8xf32>, tensor<2x4xi32>
  %values = t6.cache_read %v[%m] pages %t : tensor<9x64x3x8xf32>, tensor<2x4xi32>
  %o = tpa.attention ["bnhd,bmhd->bhnm"](%q, %keys) value "bhnm,bmhe->bnhe"(%values) at %at {causal}
      : (tensor<2x1x3x8xf32>, tensor<2x?x3x8xf32>), (tensor<2x?x3x8xf32>), tensor<2xi32>
  return %o : tensor<2x1x3x8xf32>
}

// -----

// A block lies on one page. What has other uses is gathered for them.
// CHECK-LABEL: @small_pages
// CHECK: %[[KEYS:.*]] = t6.cache_read
// CHECK: tpa.stream {{.*}} of [1, 2]
// CHECK-SAME: block 16 splits 8
// CHECK: return %{{.*}}, %[[KEYS]]
func.func @small_pages(%q: tensor<2x1x3x8xf32>, %k: tensor<9x16x3x8xf32>, %t: tensor<2x4xi32>,
                       %m: index) -> (tensor<2x1x3x8xf32>, tensor<2x?x3x8xf32>) {
  %keys = t6.cache_read %k[%m] pages %t : tensor<9x16x3x8xf32>, tensor<2x4xi32>
  %o = tpa.attention ["bnhd,bmhd->bhnm"](%q, %keys) value "bhnm,bmhd->bnhd"(%keys)
      : (tensor<2x1x3x8xf32>, tensor<2x?x3x8xf32>), (tensor<2x?x3x8xf32>)
  return %o, %keys : tensor<2x1x3x8xf32>, tensor<2x?x3x8xf32>
}

// -----

// One table: a stream has no second.
// CHECK-LABEL: @two_tables
// CHECK-SAME: %[[T:[a-z0-9]+]]: tensor<2x4xi32>, %[[U:[a-z0-9]+]]: tensor<2x4xi32>
// CHECK: %[[VALUES:.*]] = t6.cache_read %{{.*}} pages %[[U]]
// CHECK: tpa.stream {{.*}}(%{{.*}}, %{{.*}}, %[[VALUES]]) pages(%[[T]] : tensor<2x4xi32>) length %{{.*}} of [1]
func.func @two_tables(%q: tensor<2x1x3x8xf32>, %k: tensor<9x64x3x8xf32>, %v: tensor<9x64x3x8xf32>, %t: tensor<2x4xi32>,
                      %u: tensor<2x4xi32>, %m: index) -> tensor<2x1x3x8xf32> {
  %keys = t6.cache_read %k[%m] pages %t : tensor<9x64x3x8xf32>, tensor<2x4xi32>
  %values = t6.cache_read %v[%m] pages %u : tensor<9x64x3x8xf32>, tensor<2x4xi32>
  %o = tpa.attention ["bnhd,bmhd->bhnm"](%q, %keys) value "bhnm,bmhe->bnhe"(%values)
      : (tensor<2x1x3x8xf32>, tensor<2x?x3x8xf32>), (tensor<2x?x3x8xf32>)
  return %o : tensor<2x1x3x8xf32>
}
