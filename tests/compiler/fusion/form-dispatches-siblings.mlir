// RUN: tpa-opt %s --exec-form-dispatches | FileCheck %s
// RUN: tpa-opt %s --exec-form-dispatches --remarks-filter=tpa --remark-format=emitRemark 2>&1 >/dev/null | FileCheck %s --check-prefix=REMARK

#x = affine_map<(n, o, c) -> (n, c)>
#w = affine_map<(n, o, c) -> (o, c)>
#y = affine_map<(n, o, c) -> (n, o)>
#id = affine_map<(n, o) -> (n, o)>
#linear = {indexing_maps = [#x, #w, #y], iterator_types = ["parallel", "parallel", "reduction"]}
#map = {indexing_maps = [#id, #id], iterator_types = ["parallel", "parallel"]}

// The projections of one token, with the maps after them, are one kernel, where the first of them was. It reads the
// token once: 8 numbers and matrices of 4 and of 5 rows. A contraction of what another yields cannot join them.
// CHECK-LABEL: exec.entry @few
// CHECK: %[[X:.*]] = exec.load @x
// CHECK: %[[YZ:.*]]:2 = exec.dispatch @few_contraction reads(%[[X]], %{{.*}}, %{{.*}} : {{.*}}) writes(
// CHECK-SAME: read = () -> (320), write = () -> (36)
// CHECK: exec.store %[[YZ]]#0, @y
// CHECK: exec.dispatch @few_contraction_{{[0-9]+}} reads(%[[X]], %[[YZ]]#1 :
// CHECK: exec.store %[[YZ]]#1, @z
// Many tokens are work enough for a kernel each.
// CHECK-LABEL: exec.entry @many
// CHECK: exec.dispatch @many_contraction scalars
// CHECK: exec.dispatch @many_contraction_{{[0-9]+}} scalars
// CHECK: func.func private @few_contraction({{.*}}) -> (tensor<1x4xf32>, tensor<1x5xf32>)
// CHECK: linalg.generic
// CHECK: %[[P:.*]] = linalg.generic
// CHECK: linalg.generic {{.*}} ins(%[[P]] :
// CHECK: math.exp
// CHECK: return
// REMARK: [Passed] siblings {{.*}} with=contraction
// REMARK-NOT: siblings
exec.buffer input @x : tensor<1x8xf32>
exec.buffer input @xs : tensor<?x8xf32> {dims = ["n", ""]}
exec.buffer param @w0 : tensor<4x8xf32>
exec.buffer param @w1 : tensor<5x8xf32>
exec.buffer output @y : tensor<1x4xf32>
exec.buffer output @z : tensor<1x5xf32>
exec.buffer output @q : tensor<8x5xf32>
exec.buffer output @ys : tensor<?x4xf32> {dims = ["n", ""]}
exec.buffer output @zs : tensor<?x5xf32> {dims = ["n", ""]}
exec.entry @few scalars [] maxima [] {
^bb0:
  %x = exec.load @x : tensor<1x8xf32>
  %w0 = exec.load @w0 : tensor<4x8xf32>
  %w1 = exec.load @w1 : tensor<5x8xf32>
  %zero = arith.constant 0.0 : f32
  %e0 = tensor.empty() : tensor<1x4xf32>
  %f0 = linalg.fill ins(%zero : f32) outs(%e0 : tensor<1x4xf32>) -> tensor<1x4xf32>
  %y = linalg.generic #linear ins(%x, %w0 : tensor<1x8xf32>, tensor<4x8xf32>) outs(%f0 : tensor<1x4xf32>) {
  ^bb0(%a: f32, %b: f32, %acc: f32):
    %0 = arith.mulf %a, %b : f32
    %1 = arith.addf %acc, %0 : f32
    linalg.yield %1 : f32
  } -> tensor<1x4xf32>
  exec.store %y, @y : tensor<1x4xf32>
  %e1 = tensor.empty() : tensor<1x5xf32>
  %f1 = linalg.fill ins(%zero : f32) outs(%e1 : tensor<1x5xf32>) -> tensor<1x5xf32>
  %p = linalg.generic #linear ins(%x, %w1 : tensor<1x8xf32>, tensor<5x8xf32>) outs(%f1 : tensor<1x5xf32>) {
  ^bb0(%a: f32, %b: f32, %acc: f32):
    %0 = arith.mulf %a, %b : f32
    %1 = arith.addf %acc, %0 : f32
    linalg.yield %1 : f32
  } -> tensor<1x5xf32>
  %z = linalg.generic #map ins(%p : tensor<1x5xf32>) outs(%e1 : tensor<1x5xf32>) {
  ^bb0(%a: f32, %o: f32):
    %0 = math.exp %a : f32
    linalg.yield %0 : f32
  } -> tensor<1x5xf32>
  %e2 = tensor.empty() : tensor<8x5xf32>
  %f2 = linalg.fill ins(%zero : f32) outs(%e2 : tensor<8x5xf32>) -> tensor<8x5xf32>
  %q = linalg.generic {indexing_maps = [affine_map<(c, o, n) -> (n, c)>, affine_map<(c, o, n) -> (n, o)>, affine_map<(c, o, n) -> (c, o)>],
                       iterator_types = ["parallel", "parallel", "reduction"]}
      ins(%x, %z : tensor<1x8xf32>, tensor<1x5xf32>) outs(%f2 : tensor<8x5xf32>) {
  ^bb0(%a: f32, %b: f32, %acc: f32):
    %0 = arith.mulf %a, %b : f32
    %1 = arith.addf %acc, %0 : f32
    linalg.yield %1 : f32
  } -> tensor<8x5xf32>
  exec.store %z, @z : tensor<1x5xf32>
  exec.store %q, @q : tensor<8x5xf32>
}

exec.entry @many scalars ["n"] maxima [16] {
^bb0(%n: index):
  %x = exec.load @xs[%n] : tensor<?x8xf32>
  %w0 = exec.load @w0 : tensor<4x8xf32>
  %w1 = exec.load @w1 : tensor<5x8xf32>
  %zero = arith.constant 0.0 : f32
  %e0 = tensor.empty(%n) : tensor<?x4xf32>
  %f0 = linalg.fill ins(%zero : f32) outs(%e0 : tensor<?x4xf32>) -> tensor<?x4xf32>
  %y = linalg.generic #linear ins(%x, %w0 : tensor<?x8xf32>, tensor<4x8xf32>) outs(%f0 : tensor<?x4xf32>) {
  ^bb0(%a: f32, %b: f32, %acc: f32):
    %0 = arith.mulf %a, %b : f32
    %1 = arith.addf %acc, %0 : f32
    linalg.yield %1 : f32
  } -> tensor<?x4xf32>
  %e1 = tensor.empty(%n) : tensor<?x5xf32>
  %f1 = linalg.fill ins(%zero : f32) outs(%e1 : tensor<?x5xf32>) -> tensor<?x5xf32>
  %z = linalg.generic #linear ins(%x, %w1 : tensor<?x8xf32>, tensor<5x8xf32>) outs(%f1 : tensor<?x5xf32>) {
  ^bb0(%a: f32, %b: f32, %acc: f32):
    %0 = arith.mulf %a, %b : f32
    %1 = arith.addf %acc, %0 : f32
    linalg.yield %1 : f32
  } -> tensor<?x5xf32>
  exec.store %y, @ys : tensor<?x4xf32>
  exec.store %z, @zs : tensor<?x5xf32>
}
