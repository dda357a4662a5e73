// Which neighbours become one dispatch, and which may not.
// RUN: tpa-opt %s --exec-join-dispatches | FileCheck %s
// RUN: tpa-opt %s --exec-join-dispatches="most-bytes=31" | FileCheck %s --check-prefix=BYTES
// RUN: tpa-opt %s --exec-join-dispatches="most-flops=7" | FileCheck %s --check-prefix=FLOPS
// RUN: tpa-opt %s --exec-join-dispatches --remarks-filter=tpa --remark-format=emitRemark 2>&1 >/dev/null | FileCheck %s --check-prefix=REMARK
// RUN: tpa-opt %s --exec-join-dispatches --exec-plan-buffers --exec-bufferize-kernels --cpu-vectorize-kernels --canonicalize --cse | FileCheck %s --check-prefix=CODE

#id = affine_map<(n) -> (n)>
#map = {indexing_maps = [#id, #id], iterator_types = ["parallel"]}
#small = #exec.cost<read = () -> (32), write = () -> (32), flops = () -> (8)>
#large = #exec.cost<read = () -> (32), write = () -> (32), flops = () -> (20000)>

// Three in order are one; what the first makes the second reads inside of the kernel, and the last result alone leaves
// the function, but all are written. The large one stays, and so does what has no small neighbour. An equal run
// dispatches the same kernel.
// CHECK-LABEL: func.func private @runs
// CHECK-SAME: %[[X:.*]]: tensor<8xf32>, %[[CACHE:.*]]: tensor<16xf32>
// CHECK: %[[E:.*]] = tensor.empty()
// CHECK: %[[R:.*]]:3 = exec.dispatch @negate_joined reads(%[[X]] : tensor<8xf32>) writes(%[[E]], %[[E]], %[[CACHE]] : tensor<8xf32>, tensor<8xf32>, tensor<16xf32>)
// CHECK-SAME: cost = #exec.cost<read = () -> (96), write = () -> (96), flops = () -> (24)>, label = "norm+negate"
// CHECK: %[[L:.*]] = exec.dispatch @negate reads(%[[R]]#1 :
// CHECK: %[[A:.*]] = exec.dispatch @negate reads(%[[L]] :
// CHECK: %[[B:.*]] = exec.dispatch @negate reads(%[[A]] :
// CHECK: %[[S:.*]]:3 = exec.dispatch @negate_joined reads(%[[B]] : {{.*}}) writes(%[[E]], %[[E]], %[[R]]#2 :
// CHECK: return %[[S]]#1, %[[S]]#2
// BYTES-LABEL: func.func private @runs
// BYTES-NOT: joined
// BYTES: return
// FLOPS-LABEL: func.func private @runs
// FLOPS-NOT: joined
// FLOPS: return
// REMARK: [Passed] join-dispatches {{.*}} dispatches=3, label=norm+negate
// REMARK: [Missed] join-dispatches {{.*}} Reason="its neighbours are more than one workgroup's work", label=negate
// REMARK: [Passed] join-dispatches {{.*}} dispatches=3, label=norm+negate
func.func private @runs(%x: tensor<8xf32>, %cache: tensor<16xf32>) -> (tensor<8xf32>, tensor<16xf32>) {
  %e = tensor.empty() : tensor<8xf32>
  %0 = exec.dispatch @negate reads(%x : tensor<8xf32>) writes(%e : tensor<8xf32>) {cost = #small, label = "norm"} -> tensor<8xf32>
  %1 = exec.dispatch @negate reads(%0 : tensor<8xf32>) writes(%e : tensor<8xf32>) {cost = #small, label = "norm"} -> tensor<8xf32>
  %2 = exec.dispatch @append reads(%1 : tensor<8xf32>) writes(%cache : tensor<16xf32>) {cost = #small, label = "negate"} -> tensor<16xf32>
  %3 = exec.dispatch @negate reads(%1 : tensor<8xf32>) writes(%e : tensor<8xf32>) {cost = #large, label = "negate"} -> tensor<8xf32>
  %4 = exec.dispatch @negate reads(%3 : tensor<8xf32>) writes(%e : tensor<8xf32>) {cost = #small, label = "negate"} -> tensor<8xf32>
  %5 = exec.dispatch @negate reads(%4 : tensor<8xf32>) writes(%e : tensor<8xf32>) {cost = #large, label = "negate"} -> tensor<8xf32>
  %6 = exec.dispatch @negate reads(%5 : tensor<8xf32>) writes(%e : tensor<8xf32>) {cost = #small, label = "norm"} -> tensor<8xf32>
  %7 = exec.dispatch @negate reads(%6 : tensor<8xf32>) writes(%e : tensor<8xf32>) {cost = #small, label = "norm"} -> tensor<8xf32>
  %8 = exec.dispatch @append reads(%7 : tensor<8xf32>) writes(%2 : tensor<16xf32>) {cost = #small, label = "negate"} -> tensor<16xf32>
  return %7, %8 : tensor<8xf32>, tensor<16xf32>
}

// CHECK-LABEL: func.func private @pair
// CHECK: exec.dispatch @half_joined reads(
func.func private @pair(%x: tensor<8xf32>) -> tensor<8xf32> {
  %e = tensor.empty() : tensor<8xf32>
  %0 = exec.dispatch @half reads(%x : tensor<8xf32>) writes(%e : tensor<8xf32>) {cost = #small, label = "half"} -> tensor<8xf32>
  %1 = exec.dispatch @half reads(%x : tensor<8xf32>) writes(%e : tensor<8xf32>) {cost = #small, label = "half"} -> tensor<8xf32>
  return %1 : tensor<8xf32>
}

// Sizes that vary are not known to be small, nor is a dispatch without a cost.
// CHECK-LABEL: func.func private @unknown
// CHECK-NOT: joined
// CHECK: return
func.func private @unknown(%x: tensor<8xf32>, %m: index {exec.scalar = "m"}) -> tensor<8xf32> {
  %e = tensor.empty() : tensor<8xf32>
  %0 = exec.dispatch @scaled scalars(%m) reads(%x : tensor<8xf32>) writes(%e : tensor<8xf32>)
      {cost = #exec.cost<read = ()[s0] -> (s0), write = ()[s0] -> (s0), flops = ()[s0] -> (s0)>} -> tensor<8xf32>
  %1 = exec.dispatch @negate reads(%0 : tensor<8xf32>) writes(%e : tensor<8xf32>) {cost = #small} -> tensor<8xf32>
  %2 = exec.dispatch @negate reads(%1 : tensor<8xf32>) writes(%e : tensor<8xf32>) -> tensor<8xf32>
  return %2 : tensor<8xf32>
}

// What one updates in place, another must not read or update, as operands of a kernel do not overlap.
// CHECK-LABEL: func.func private @in_place
// CHECK-NOT: joined
// CHECK: return
// REMARK: [Missed] join-dispatches {{.*}} Reason="it updates in place what its neighbour reads", label=read
// REMARK: [Missed] join-dispatches {{.*}} Reason="it updates in place what its neighbour reads", label=append
// REMARK: [Missed] join-dispatches {{.*}} Reason="it updates in place what its neighbour writes", label="append again"
// REMARK: [Missed] join-dispatches {{.*}} Reason="it reads what its neighbour updates in place", label="read again"
func.func private @in_place(%x: tensor<8xf32>, %cache: tensor<16xf32>) -> (tensor<16xf32>, tensor<16xf32>) {
  %e = tensor.empty() : tensor<16xf32>
  %0 = exec.dispatch @negate16 reads(%cache : tensor<16xf32>) writes(%e : tensor<16xf32>) {cost = #small, label = "read"} -> tensor<16xf32>
  %1 = exec.dispatch @append reads(%x : tensor<8xf32>) writes(%cache : tensor<16xf32>) {cost = #small, label = "append"} -> tensor<16xf32>
  %2 = exec.dispatch @append reads(%x : tensor<8xf32>) writes(%1 : tensor<16xf32>) {cost = #small, label = "append again"} -> tensor<16xf32>
  %3 = exec.dispatch @negate16 reads(%2 : tensor<16xf32>) writes(%e : tensor<16xf32>) {cost = #small, label = "read again"} -> tensor<16xf32>
  return %2, %3 : tensor<16xf32>, tensor<16xf32>
}

// Nor may one update what another makes.
// CHECK-LABEL: func.func private @made
// CHECK-NOT: joined
// CHECK: return
// REMARK: [Missed] join-dispatches {{.*}} Reason="it updates in place what its neighbour writes", label=make
func.func private @made(%x: tensor<8xf32>) -> tensor<16xf32> {
  %e = tensor.empty() : tensor<8xf32>
  %f = tensor.empty() : tensor<16xf32>
  %0 = exec.dispatch @append reads(%x : tensor<8xf32>) writes(%f : tensor<16xf32>) {cost = #small, label = "make"} -> tensor<16xf32>
  %1 = exec.dispatch @append reads(%x : tensor<8xf32>) writes(%0 : tensor<16xf32>) {cost = #small, label = "update"} -> tensor<16xf32>
  return %1 : tensor<16xf32>
}

func.func private @negate(%x: tensor<8xf32>, %y: tensor<8xf32>) -> tensor<8xf32> attributes {exec.kernel} {
  %0 = linalg.generic #map ins(%x : tensor<8xf32>) outs(%y : tensor<8xf32>) {
  ^bb0(%a: f32, %o: f32):
    %1 = arith.negf %a : f32
    linalg.yield %1 : f32
  } -> tensor<8xf32>
  return %0 : tensor<8xf32>
}
func.func private @negate16(%x: tensor<16xf32>, %y: tensor<16xf32>) -> tensor<16xf32> attributes {exec.kernel} {
  %0 = linalg.generic #map ins(%x : tensor<16xf32>) outs(%y : tensor<16xf32>) {
  ^bb0(%a: f32, %o: f32):
    %1 = arith.negf %a : f32
    linalg.yield %1 : f32
  } -> tensor<16xf32>
  return %0 : tensor<16xf32>
}
func.func private @scaled(%x: tensor<8xf32>, %y: tensor<8xf32>, %m: index) -> tensor<8xf32> attributes {exec.kernel} {
  %0 = linalg.generic #map ins(%x : tensor<8xf32>) outs(%y : tensor<8xf32>) {
  ^bb0(%a: f32, %o: f32):
    linalg.yield %a : f32
  } -> tensor<8xf32>
  return %0 : tensor<8xf32>
}
func.func private @append(%x: tensor<8xf32>, %cache: tensor<16xf32>) -> tensor<16xf32> attributes {exec.kernel} {
  %0 = tensor.insert_slice %x into %cache[4] [8] [1] : tensor<8xf32> into tensor<16xf32>
  return %0 : tensor<16xf32>
}

// Of an entry, too: what is stored between two dispatches keeps them apart, and loads of one buffer are one memory.
// The kernels, of which only those that are still dispatched are left, follow.
// CHECK-LABEL: exec.entry @entry
// CHECK: exec.dispatch @negate reads(
// CHECK: exec.store
// CHECK: %[[P:.*]]:2 = exec.dispatch @negate_joined_0 reads(
// CHECK: exec.store %[[P]]#1, @b
// CHECK: exec.dispatch @negate reads(
// CHECK: exec.dispatch @double reads(
// CHECK-NOT: func.func private @half(
// CHECK: func.func private @negate_joined(
// CHECK: func.func private @half_joined(
// CHECK-NOT: func.func private @half(
// REMARK: [Missed] join-dispatches {{.*}} Reason="what one makes is needed before the other", label=stored
// REMARK: [Passed] join-dispatches {{.*}} dispatches=2, label=negate
// REMARK: [Missed] join-dispatches {{.*}} Reason="it updates in place what its neighbour reads", label=update

// One workgroup runs the bodies in order, through memory.
// CODE: #[[$ONE:.*]] = affine_map<() -> ()>
// CODE-LABEL: func.func private @negate_joined(
// CODE-SAME: exec.grid = #[[$ONE]], exec.kernel}
// CODE: %[[X:.*]] = exec.binding 0
// CODE: %[[Y:.*]] = exec.binding 1
// CODE: %[[Z:.*]] = exec.binding 2
// CODE: %[[CACHE:.*]] = exec.binding 3
// CODE: vector.load %[[X]]
// CODE: arith.negf
// CODE: vector.store %{{.*}}, %[[Y]]
// CODE: vector.load %[[Y]]
// CODE: arith.negf
// CODE: vector.store %{{.*}}, %[[Z]]
// CODE: %[[PART:.*]] = memref.subview %[[CACHE]][4] [8] [1]
// CODE: vector.load %[[Z]]
// CODE: vector.store %{{.*}}, %[[PART]]
// CODE: return
exec.buffer input @x : tensor<8xf32>
exec.buffer output @a : tensor<8xf32>
exec.buffer output @b : tensor<8xf32>
exec.buffer output @c : tensor<8xf32>
exec.buffer state @s : tensor<8xf32>
exec.entry @entry scalars [] maxima [] {
^bb0:
  %x = exec.load @x : tensor<8xf32>
  %e = tensor.empty() : tensor<8xf32>
  %0 = exec.dispatch @negate reads(%x : tensor<8xf32>) writes(%e : tensor<8xf32>) {cost = #small, label = "stored"} -> tensor<8xf32>
  exec.store %0, @a : tensor<8xf32>
  %1 = exec.dispatch @negate reads(%0 : tensor<8xf32>) writes(%e : tensor<8xf32>) {cost = #small} -> tensor<8xf32>
  %2 = exec.dispatch @negate reads(%1 : tensor<8xf32>) writes(%e : tensor<8xf32>) {cost = #small} -> tensor<8xf32>
  exec.store %2, @b : tensor<8xf32>
  %old = exec.load @s : tensor<8xf32>
  %3 = exec.dispatch @negate reads(%old : tensor<8xf32>) writes(%e : tensor<8xf32>) {cost = #small, label = "read"} -> tensor<8xf32>
  %s = exec.load @s : tensor<8xf32>
  %4 = exec.dispatch @double reads(%x : tensor<8xf32>) writes(%s : tensor<8xf32>) {cost = #small, label = "update"} -> tensor<8xf32>
  exec.store %3, @c : tensor<8xf32>
  exec.store %4, @s : tensor<8xf32>
}
// Nobody dispatches this one any more.
func.func private @half(%x: tensor<8xf32>, %y: tensor<8xf32>) -> tensor<8xf32> attributes {exec.kernel} {
  %0 = linalg.generic #map ins(%x : tensor<8xf32>) outs(%y : tensor<8xf32>) {
  ^bb0(%a: f32, %o: f32):
    linalg.yield %a : f32
  } -> tensor<8xf32>
  return %0 : tensor<8xf32>
}
func.func private @double(%x: tensor<8xf32>, %y: tensor<8xf32>) -> tensor<8xf32> attributes {exec.kernel} {
  %0 = linalg.generic #map ins(%x : tensor<8xf32>) outs(%y : tensor<8xf32>) {
  ^bb0(%a: f32, %o: f32):
    %1 = arith.addf %o, %a : f32
    linalg.yield %1 : f32
  } -> tensor<8xf32>
  return %0 : tensor<8xf32>
}
