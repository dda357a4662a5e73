// RUN: tpa-opt %s --tpa-lower-to-linalg | FileCheck %s

// x[n - j], or zero before the first token: then the element read is another, that exists.
// CHECK-LABEL: @recent(
// CHECK-SAME: %[[X:.*]]: tensor<2x?x5xf32>, %[[POS:.*]]: tensor<2xi32>)
// CHECK: linalg.generic {{.*}} iterator_types = ["parallel", "parallel", "parallel", "parallel"]} ins(%[[POS]] :{{.*}}) outs(%{{.*}} : tensor<2x?x3x5xf32>)
// CHECK: %[[N:.*]] = linalg.index 1
// CHECK: %[[J:.*]] = linalg.index 2
// CHECK: %[[AT:.*]] = arith.subi %[[N]], %[[J]]
// CHECK: %[[TOKEN:.*]] = arith.maxsi %[[AT]], %{{.*}}
// CHECK: %[[OWN:.*]] = tensor.extract %[[X]][%{{.*}}, %[[TOKEN]], %{{.*}}]
// CHECK: %[[BEFORE:.*]] = arith.cmpi slt, %[[AT]], %{{.*}}
// CHECK: %[[ZERO:.*]] = arith.constant 0.000000e+00 : f32
// CHECK: %[[Y:.*]] = arith.select %[[BEFORE]], %[[ZERO]], %[[OWN]]
// CHECK-NEXT: linalg.yield %[[Y]]
func.func @recent(%x: tensor<2x?x5xf32>, %pos: tensor<2xi32>) -> tensor<2x?x3x5xf32> {
  %y = tpa.recent %x at %pos tokens 3 : tensor<2x?x5xf32>, tensor<2xi32>
  return %y : tensor<2x?x3x5xf32>
}

// With a ring, the token before x stands at its position modulo 3, and zeros are before position 0.
// CHECK-LABEL: @recent_with_ring(
// CHECK-SAME: %[[X:.*]]: tensor<2x?x5xbf16>, %[[POS:.*]]: tensor<2xi32>, %[[RING:.*]]: tensor<2x3x5xbf16>)
// CHECK: %[[AT:.*]] = arith.subi
// CHECK: %[[E:.*]] = tensor.extract %[[X]]
// CHECK: %[[OWN:.*]] = arith.extf %[[E]] : bf16 to f32
// CHECK: %[[BEFORE:.*]] = arith.cmpi slt, %[[AT]], %{{.*}}
// CHECK: %[[FIRST:.*]] = tensor.extract %[[POS]][%{{.*}}]
// CHECK: %[[FIRST_INDEX:.*]] = arith.index_cast %[[FIRST]]
// CHECK: %[[POSITION:.*]] = arith.addi %[[FIRST_INDEX]], %[[AT]]
// CHECK: %[[SAFE:.*]] = arith.maxsi %[[POSITION]], %{{.*}}
// CHECK: %[[THREE:.*]] = arith.constant 3 : index
// CHECK: %[[PLACE:.*]] = arith.remsi %[[SAFE]], %[[THREE]]
// CHECK: %[[R:.*]] = tensor.extract %[[RING]][%{{.*}}, %[[PLACE]], %{{.*}}]
// CHECK: %[[WIDE:.*]] = arith.extf %[[R]] : bf16 to f32
// CHECK: %[[NONE:.*]] = arith.cmpi slt, %[[POSITION]], %{{.*}}
// CHECK: %[[KEPT:.*]] = arith.select %[[NONE]], %{{.*}}, %[[WIDE]]
// CHECK: arith.select %[[BEFORE]], %[[KEPT]], %[[OWN]]
func.func @recent_with_ring(%x: tensor<2x?x5xbf16>, %pos: tensor<2xi32>, %r: tensor<2x3x5xbf16>) -> tensor<2x?x3x5xf32> {
  %y = tpa.recent %x at %pos ring %r tokens 3 : tensor<2x?x5xbf16>, tensor<2xi32>, tensor<2x3x5xbf16>
  return %y : tensor<2x?x3x5xf32>
}

// Each place of the ring takes the newest valid token that belongs there, (positions + last - place) mod 3
// behind the last, or keeps what it has. Nothing but the ring is read where it is written.
// CHECK-LABEL: @ring_append(
// CHECK-SAME: %[[RING:.*]]: tensor<2x3x5xbf16>, %[[X:.*]]: tensor<2x?x5xf32>, %[[POS:.*]]: tensor<2xi32>, %[[LAST:.*]]: tensor<2xi32>)
// CHECK: linalg.generic {{.*}} iterator_types = ["parallel", "parallel", "parallel"]} outs(%[[RING]] : tensor<2x3x5xbf16>)
// CHECK: ^bb0(%[[OLD:.*]]: bf16):
// CHECK: %[[PLACE:.*]] = linalg.index 1
// CHECK: %[[L:.*]] = tensor.extract %[[LAST]][%{{.*}}]
// CHECK: %[[LAST_INDEX:.*]] = arith.index_cast %[[L]]
// CHECK: %[[END:.*]] = arith.addi %{{.*}}, %[[LAST_INDEX]]
// CHECK: %[[END_PLACE:.*]] = arith.remsi %[[END]], %{{.*}}
// CHECK: %[[DISTANCE:.*]] = arith.subi %[[END_PLACE]], %[[PLACE]]
// CHECK: %[[POSITIVE:.*]] = arith.addi %[[DISTANCE]], %{{.*}}
// CHECK: %[[BEHIND:.*]] = arith.remsi %[[POSITIVE]], %{{.*}}
// CHECK: %[[TOKEN:.*]] = arith.subi %[[LAST_INDEX]], %[[BEHIND]]
// CHECK: %[[SAFE:.*]] = arith.maxsi %[[TOKEN]], %{{.*}}
// CHECK: %[[E:.*]] = tensor.extract %[[X]][%{{.*}}, %[[SAFE]], %{{.*}}]
// CHECK: %[[NEW:.*]] = arith.truncf %[[E]] : f32 to bf16
// CHECK: %[[OLDER:.*]] = arith.cmpi slt, %[[TOKEN]], %{{.*}}
// CHECK: arith.select %[[OLDER]], %[[OLD]], %[[NEW]]
func.func @ring_append(%r: tensor<2x3x5xbf16>, %x: tensor<2x?x5xf32>, %pos: tensor<2xi32>, %last: tensor<2xi32>) -> tensor<2x3x5xbf16> {
  %y = t6.ring_append %r, %x at %pos last %last : tensor<2x3x5xbf16>, tensor<2x?x5xf32>, tensor<2xi32>, tensor<2xi32>
  return %y : tensor<2x3x5xbf16>
}

// Without padding the last token is that of x.
// CHECK-LABEL: @ring_append_all(
// CHECK-SAME: %{{.*}}: tensor<2x3x5xf32>, %[[X:.*]]: tensor<2x?x5xf32>, %[[POS:.*]]: tensor<2xi32>)
// CHECK: %[[COUNT:.*]] = tensor.dim %[[X]]
// CHECK: %[[ONE:.*]] = arith.constant 1 : index
// CHECK: %[[LAST:.*]] = arith.subi %[[COUNT]], %[[ONE]]
// CHECK: arith.addi %{{.*}}, %[[LAST]]
func.func @ring_append_all(%r: tensor<2x3x5xf32>, %x: tensor<2x?x5xf32>, %pos: tensor<2xi32>) -> tensor<2x3x5xf32> {
  %y = t6.ring_append %r, %x at %pos : tensor<2x3x5xf32>, tensor<2x?x5xf32>, tensor<2xi32>
  return %y : tensor<2x3x5xf32>
}

// A row that begins has nothing of the old value, which may be no number: a select, not a product.
// CHECK-LABEL: @accumulate(
// CHECK-SAME: %[[S:.*]]: tensor<2x3x5xf32>, %[[X:.*]]: tensor<2x3x5xf32>, %[[POS:.*]]: tensor<2xi32>)
// CHECK: linalg.generic {{.*}} iterator_types = ["parallel", "parallel", "parallel"]} ins(%[[X]] : tensor<2x3x5xf32>) outs(%[[S]] : tensor<2x3x5xf32>)
// CHECK: ^bb0(%[[NEW:.*]]: f32, %[[OLD:.*]]: f32):
// CHECK: %[[ROW:.*]] = linalg.index 0
// CHECK: %[[P:.*]] = tensor.extract %[[POS]][%[[ROW]]]
// CHECK: %[[AT:.*]] = arith.index_cast %[[P]]
// CHECK: %[[FIRST:.*]] = arith.cmpi eq, %[[AT]], %{{.*}}
// CHECK: %[[SUM:.*]] = arith.addf %[[OLD]], %[[NEW]]
// CHECK: arith.select %[[FIRST]], %[[NEW]], %[[SUM]]
func.func @accumulate(%s: tensor<2x3x5xf32>, %x: tensor<2x3x5xf32>, %pos: tensor<2xi32>) -> tensor<2x3x5xf32> {
  %y = t6.accumulate %s, %x at %pos : tensor<2x3x5xf32>, tensor<2x3x5xf32>, tensor<2xi32>
  return %y : tensor<2x3x5xf32>
}
