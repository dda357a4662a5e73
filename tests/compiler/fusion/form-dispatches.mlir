// RUN: tpa-opt %s --exec-form-dispatches --split-input-file | FileCheck %s
// RUN: tpa-opt %s --exec-form-dispatches --split-input-file --remarks-filter=tpa --remark-format=emitRemark 2>&1 >/dev/null | FileCheck %s --check-prefix=REMARK

#x = affine_map<(n, o, c) -> (n, c)>
#w = affine_map<(n, o, c) -> (o, c)>
#y = affine_map<(n, o, c) -> (n, o)>
#id = affine_map<(n, o) -> (n, o)>
#linear = {indexing_maps = [#x, #w, #y], iterator_types = ["parallel", "parallel", "reduction"]}
#zip = {indexing_maps = [#id, #id, #id], iterator_types = ["parallel", "parallel"]}

// A projection and the residual after it are one kernel, twice dispatched. Its
// arguments are what it reads, what it writes, its scalars; exec.sizes says which
// scalar a dynamic size is. Bytes: x 8, w 4 * 8, residual 4 and result 4 a token;
// operations: 2 * 4 * 8 and 4 a token.
// CHECK-LABEL: exec.entry @entry
// CHECK: ^bb0(%[[N:.*]]: index):
// CHECK: %[[X:.*]] = exec.load @x[%[[N]]]
// CHECK: %[[W0:.*]] = exec.load @w0
// CHECK: %[[W1:.*]] = exec.load @w1
// CHECK: %[[R:.*]] = exec.load @residual[%[[N]]]
// CHECK: %[[NEW:.*]] = tensor.empty(%[[N]]) : tensor<?x4xf32>
// CHECK: %[[Y:.*]] = exec.dispatch @entry_down scalars(%[[N]]) reads(%[[X]], %[[W0]], %[[R]] : {{.*}}) writes(%[[NEW]] :
// CHECK-SAME: read = ()[s0] -> (s0 * 48 + 128), write = ()[s0] -> (s0 * 16), flops = ()[s0] -> (s0 * 68)>, label = "down"
// CHECK: %[[Z:.*]] = exec.dispatch @entry_down scalars(%[[N]]) reads(%[[X]], %[[W1]], %[[Y]] :
// CHECK: exec.store %[[Z]], @z
// CHECK-NOT: linalg
// CHECK: func.func private @entry_down(%[[KX:.*]]: tensor<?x8xf32> {exec.sizes = array<i64: 0>}, %[[KW:.*]]: tensor<4x8xf32>,
// CHECK-SAME: %[[KR:.*]]: tensor<?x4xf32> {exec.sizes = array<i64: 0>}, %[[KOUT:.*]]: tensor<?x4xf32> {exec.sizes = array<i64: 0>}, %[[KN:.*]]: index) -> tensor<?x4xf32> attributes {exec.kernel}
// The product has memory of its own in the kernel, apart from the result.
// CHECK: %[[E:.*]] = tensor.empty(%[[KN]])
// CHECK: %[[ZERO:.*]] = linalg.fill {{.*}} outs(%[[E]] :
// CHECK: %[[P:.*]] = linalg.generic {{.*}} ins(%[[KX]], %[[KW]] :{{.*}}) outs(%[[ZERO]] :
// CHECK: %[[S:.*]] = linalg.generic {{.*}} ins(%[[P]], %[[KR]] :{{.*}}) outs(%[[KOUT]] :
// CHECK: return %[[S]]
// CHECK-NOT: func.func
// REMARK: [Passed] epilogue {{.*}} work=down
exec.buffer input @x : tensor<?x8xf32> {dims = ["n", ""]}
exec.buffer param @w0 : tensor<4x8xf32>
exec.buffer param @w1 : tensor<4x8xf32>
exec.buffer input @residual : tensor<?x4xf32> {dims = ["n", ""]}
exec.buffer output @z : tensor<?x4xf32> {dims = ["n", ""]}
exec.entry @entry scalars ["n"] maxima [16] {
^bb0(%n: index):
  %x = exec.load @x[%n] : tensor<?x8xf32>
  %w0 = exec.load @w0 : tensor<4x8xf32>
  %w1 = exec.load @w1 : tensor<4x8xf32>
  %r = exec.load @residual[%n] : tensor<?x4xf32>
  %zero = arith.constant 0.0 : f32
  %e = tensor.empty(%n) : tensor<?x4xf32>
  %f = linalg.fill ins(%zero : f32) outs(%e : tensor<?x4xf32>) -> tensor<?x4xf32>
  %p = linalg.generic #linear ins(%x, %w0 : tensor<?x8xf32>, tensor<4x8xf32>) outs(%f : tensor<?x4xf32>) {
  ^bb0(%a: f32, %b: f32, %acc: f32):
    %0 = arith.mulf %a, %b : f32
    %1 = arith.addf %acc, %0 : f32
    linalg.yield %1 : f32
  } -> tensor<?x4xf32> loc("down")
  %y = linalg.generic #zip ins(%p, %r : tensor<?x4xf32>, tensor<?x4xf32>) outs(%e : tensor<?x4xf32>) {
  ^bb0(%a: f32, %b: f32, %acc: f32):
    %0 = arith.addf %a, %b : f32
    linalg.yield %0 : f32
  } -> tensor<?x4xf32>
  %q = linalg.generic #linear ins(%x, %w1 : tensor<?x8xf32>, tensor<4x8xf32>) outs(%f : tensor<?x4xf32>) {
  ^bb0(%a: f32, %b: f32, %acc: f32):
    %0 = arith.mulf %a, %b : f32
    %1 = arith.addf %acc, %0 : f32
    linalg.yield %1 : f32
  } -> tensor<?x4xf32> loc("down")
  %z = linalg.generic #zip ins(%q, %y : tensor<?x4xf32>, tensor<?x4xf32>) outs(%e : tensor<?x4xf32>) {
  ^bb0(%a: f32, %b: f32, %acc: f32):
    %0 = arith.addf %a, %b : f32
    linalg.yield %0 : f32
  } -> tensor<?x4xf32>
  exec.store %z, @z : tensor<?x4xf32>
}

// -----

// A layer's function: names of dimensions lead to scalars, also from what a call
// returns. A table is charged for the rows looked up, not for all of them.
// CHECK-LABEL: func.func private @e.block
// CHECK-SAME: %[[N:.*]]: index {exec.scalar = "n"}, %[[T:.*]]: tensor<?xi32> {exec.dims = ["n"]}, %[[TABLE:.*]]: tensor<1000x8xbf16>
// CHECK: exec.dispatch @e_embedding scalars(%[[N]]) reads(%[[T]], %[[TABLE]] :
// CHECK-SAME: read = ()[s0] -> (s0 * 20), write = ()[s0] -> (s0 * 32), flops = ()[s0] -> (0)>
// CHECK-LABEL: exec.entry @e
// CHECK: ^bb0(%[[M:.*]]: index):
// CHECK: %[[X:.*]] = func.call @e.block(%[[M]]
// CHECK: exec.dispatch @e_elementwise scalars(%[[M]]) reads(%[[X]] :
exec.buffer input @tokens : tensor<?xi32> {dims = ["n"]}
exec.buffer param @table : tensor<1000x8xbf16>
exec.buffer output @out : tensor<?x8xf32> {dims = ["n", ""]}
func.func private @e.block(%n: index {exec.scalar = "n"}, %t: tensor<?xi32> {exec.dims = ["n"]}, %table: tensor<1000x8xbf16>)
    -> (tensor<?x8xf32> {exec.dims = ["n", ""]}) {
  %c0 = arith.constant 0 : index
  %rows = tensor.dim %t, %c0 : tensor<?xi32>
  %e = tensor.empty(%rows) : tensor<?x8xf32>
  %x = linalg.generic {indexing_maps = [affine_map<(n, c) -> (n)>, affine_map<(n, c) -> (n, c)>], iterator_types = ["parallel", "parallel"]}
      ins(%t : tensor<?xi32>) outs(%e : tensor<?x8xf32>) {
  ^bb0(%token: i32, %o: f32):
    %row = arith.index_cast %token : i32 to index
    %c = linalg.index 1 : index
    %0 = tensor.extract %table[%row, %c] : tensor<1000x8xbf16>
    %1 = arith.extf %0 : bf16 to f32
    linalg.yield %1 : f32
  } -> tensor<?x8xf32> loc("embedding")
  return %x : tensor<?x8xf32>
}
exec.entry @e scalars ["n"] maxima [16] {
^bb0(%n: index):
  %t = exec.load @tokens[%n] : tensor<?xi32>
  %table = exec.load @table : tensor<1000x8xbf16>
  %x = func.call @e.block(%n, %t, %table) : (index, tensor<?xi32>, tensor<1000x8xbf16>) -> tensor<?x8xf32>
  %c0 = arith.constant 0 : index
  %rows = tensor.dim %x, %c0 : tensor<?x8xf32>
  %e = tensor.empty(%rows) : tensor<?x8xf32>
  %y = linalg.generic {indexing_maps = [affine_map<(n, c) -> (n, c)>, affine_map<(n, c) -> (n, c)>], iterator_types = ["parallel", "parallel"]}
      ins(%x : tensor<?x8xf32>) outs(%e : tensor<?x8xf32>) {
  ^bb0(%a: f32, %o: f32):
    %0 = arith.negf %a : f32
    linalg.yield %0 : f32
  } -> tensor<?x8xf32>
  exec.store %y, @out : tensor<?x8xf32>
}

// -----

// A slice belongs to the kernel that reads it, which is charged for the slice: of
// a cache of 64 rows, m.
// CHECK-LABEL: func.func private @slice(
// CHECK-SAME: %[[CACHE:.*]]: tensor<64x8xf32>, %[[M:.*]]: index
// CHECK-NOT: tensor.extract_slice
// CHECK: exec.dispatch @slice_elementwise scalars(%[[M]]) reads(%[[CACHE]] : tensor<64x8xf32>)
// CHECK-SAME: read = ()[s0] -> (s0 * 32)
// CHECK: func.func private @slice_elementwise(%[[K:.*]]: tensor<64x8xf32>, %{{.*}}: tensor<?x8xf32> {exec.sizes = array<i64: 0>}, %[[KM:.*]]: index)
// CHECK: tensor.extract_slice %[[K]][0, 0] [%[[KM]], 8] [1, 1]
func.func private @slice(%cache: tensor<64x8xf32>, %m: index {exec.scalar = "m"}) -> (tensor<?x8xf32> {exec.dims = ["m", ""]}) {
  %k = tensor.extract_slice %cache[0, 0] [%m, 8] [1, 1] : tensor<64x8xf32> to tensor<?x8xf32>
  %e = tensor.empty(%m) : tensor<?x8xf32>
  %y = linalg.generic {indexing_maps = [affine_map<(n, c) -> (n, c)>, affine_map<(n, c) -> (n, c)>], iterator_types = ["parallel", "parallel"]}
      ins(%k : tensor<?x8xf32>) outs(%e : tensor<?x8xf32>) {
  ^bb0(%a: f32, %o: f32):
    %0 = arith.negf %a : f32
    linalg.yield %0 : f32
  } -> tensor<?x8xf32>
  return %y : tensor<?x8xf32>
}

// -----

// Views of a kernel's result, and other buffers, are copied into the buffer that they are stored to.
exec.buffer input @stores.x : tensor<4x6xf32>
exec.buffer output @stores.flat : tensor<24xf32>
exec.buffer output @stores.same : tensor<4x6xf32>
// CHECK-LABEL: exec.entry @stores
// CHECK: %[[X:.*]] = exec.load @stores.x :
// CHECK: %[[FLAT:.*]] = exec.dispatch @{{.*}} reads(%[[X]] : tensor<4x6xf32>)
// CHECK: exec.store %[[FLAT]], @stores.flat : tensor<24xf32>
// CHECK: %[[SAME:.*]] = exec.dispatch @{{.*}} reads(%[[X]] : tensor<4x6xf32>)
// CHECK: exec.store %[[SAME]], @stores.same : tensor<4x6xf32>
exec.entry @stores scalars [] maxima [] {
^bb0:
  %x = exec.load @stores.x : tensor<4x6xf32>
  %flat = tensor.collapse_shape %x [[0, 1]] : tensor<4x6xf32> into tensor<24xf32>
  exec.store %flat, @stores.flat : tensor<24xf32>
  exec.store %x, @stores.same : tensor<4x6xf32>
}
