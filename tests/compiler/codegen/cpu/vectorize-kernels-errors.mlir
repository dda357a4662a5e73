// RUN: tpa-opt %s --cpu-vectorize-kernels --split-input-file --verify-diagnostics

#id = affine_map<(n, o) -> (n, o)>
#row = affine_map<(n, o) -> (n)>
#column = affine_map<(n, o) -> (o)>

func.func private @column_sums() attributes {exec.kernel} {
  %x = exec.binding 0 : memref<8x32xf32>
  %y = exec.binding 1 : memref<8x32xf32>
  %z = exec.binding 2 : memref<32xf32>
  // expected-error@+1 {{has several results, and a reduction before a parallel loop}}
  linalg.generic {indexing_maps = [#id, #id, #column], iterator_types = ["reduction", "parallel"]} ins(%x : memref<8x32xf32>) outs(%y, %z : memref<8x32xf32>, memref<32xf32>) {
  ^bb0(%a: f32, %o: f32, %p: f32):
    %s = arith.addf %p, %a : f32
    linalg.yield %a, %s : f32, f32
  }
  return
}

// -----

#id = affine_map<(n, o) -> (n, o)>
#row = affine_map<(n, o) -> (n)>
#column = affine_map<(n, o) -> (o)>

func.func private @transposed_rows() attributes {exec.kernel} {
  %x = exec.binding 0 : memref<8x32xf32>
  %y = exec.binding 1 : memref<8x32xf32>
  %z = exec.binding 2 : memref<32xf32>
  // expected-error@+1 {{has several results, and one is indexed otherwise than by all or by the parallel loops, in order}}
  linalg.generic {indexing_maps = [#id, #id, #column], iterator_types = ["parallel", "parallel"]} ins(%x : memref<8x32xf32>) outs(%y, %z : memref<8x32xf32>, memref<32xf32>) {
  ^bb0(%a: f32, %o: f32, %p: f32):
    %s = arith.addf %a, %a : f32
    linalg.yield %a, %s : f32, f32
  }
  return
}

// -----

#id = affine_map<(n, o) -> (n, o)>
#row = affine_map<(n, o) -> (n)>
#column = affine_map<(n, o) -> (o)>

func.func private @row_product() attributes {exec.kernel} {
  %x = exec.binding 0 : memref<8x32xf32>
  %y = exec.binding 1 : memref<8x32xf32>
  %z = exec.binding 2 : memref<8xf32>
  %zero = arith.constant 0.0 : f32
  linalg.fill ins(%zero : f32) outs(%z : memref<8xf32>)
  // expected-error@+1 {{has several results, and one that lacks loops is not a sum}}
  linalg.generic {indexing_maps = [#id, #id, #row], iterator_types = ["parallel", "reduction"]} ins(%x : memref<8x32xf32>) outs(%y, %z : memref<8x32xf32>, memref<8xf32>) {
  ^bb0(%a: f32, %o: f32, %p: f32):
    %s = arith.mulf %p, %a : f32
    linalg.yield %a, %s : f32, f32
  }
  return
}

// -----

#id = affine_map<(n, o) -> (n, o)>
#row = affine_map<(n, o) -> (n)>
#column = affine_map<(n, o) -> (o)>

func.func private @sum_of_what_was_there() attributes {exec.kernel} {
  %x = exec.binding 0 : memref<8x32xf32>
  %y = exec.binding 1 : memref<8x32xf32>
  %z = exec.binding 2 : memref<8xf32>
  // expected-error@+1 {{has several results, and one that lacks loops does not start from zero}}
  linalg.generic {indexing_maps = [#id, #id, #row], iterator_types = ["parallel", "reduction"]} ins(%x : memref<8x32xf32>) outs(%y, %z : memref<8x32xf32>, memref<8xf32>) {
  ^bb0(%a: f32, %o: f32, %p: f32):
    %s = arith.addf %p, %a : f32
    linalg.yield %a, %s : f32, f32
  }
  return
}

// -----

#id = affine_map<(n) -> (n)>

// An intermediate result that two operations read.
func.func private @intermediate() attributes {exec.kernel} {
  %x = exec.binding 0 : memref<32xf32>
  %y = exec.binding 1 : memref<32xf32>
  %z = exec.binding 2 : memref<32xf32>
  %p = memref.alloc() : memref<32xf32>
  // expected-error@+1 {{leaves an intermediate result in memory: kernels have none}}
  linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel"]} ins(%x : memref<32xf32>) outs(%p : memref<32xf32>) {
  ^bb0(%a: f32, %o: f32):
    linalg.yield %a : f32
  }
  linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel"]} ins(%p : memref<32xf32>) outs(%y : memref<32xf32>) {
  ^bb0(%a: f32, %o: f32):
    linalg.yield %a : f32
  }
  linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel"]} ins(%p : memref<32xf32>) outs(%z : memref<32xf32>) {
  ^bb0(%a: f32, %o: f32):
    linalg.yield %a : f32
  }
  return
}

// -----

#id = affine_map<(n) -> (n)>

// The first operation's consumer has a consumer of its own: nothing would free
// what it leaves.
func.func private @chain() attributes {exec.kernel} {
  %x = exec.binding 0 : memref<32xf32>
  %y = exec.binding 1 : memref<32xf32>
  %p = memref.alloc() : memref<32xf32>
  linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel"]} ins(%x : memref<32xf32>) outs(%p : memref<32xf32>) {
  ^bb0(%a: f32, %o: f32):
    linalg.yield %a : f32
  }
  // expected-error@+1 {{leaves an intermediate result in memory: kernels have none}}
  %q = memref.alloc() : memref<32xf32>
  linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel"]} ins(%p : memref<32xf32>) outs(%q : memref<32xf32>) {
  ^bb0(%a: f32, %o: f32):
    linalg.yield %a : f32
  }
  linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel"]} ins(%q : memref<32xf32>) outs(%y : memref<32xf32>) {
  ^bb0(%a: f32, %o: f32):
    linalg.yield %a : f32
  }
  return
}

// -----

#id = affine_map<(n, o) -> (n, o)>

// A difference has no order in which lanes may be combined.
func.func private @difference() attributes {exec.kernel} {
  %x = exec.binding 0 : memref<4x32xf32>
  %y = exec.binding 1 : memref<4xf32>
  // expected-error@+1 {{reduces by arith.subf, for which there is no vector reduction}}
  linalg.generic {indexing_maps = [#id, affine_map<(n, o) -> (n)>], iterator_types = ["parallel", "reduction"]} ins(%x : memref<4x32xf32>) outs(%y : memref<4xf32>) {
  ^bb0(%a: f32, %acc: f32):
    %0 = arith.subf %acc, %a : f32
    linalg.yield %0 : f32
  }
  return
}

// -----

#id = affine_map<(n, o) -> (n, o)>

func.func private @two_combiners() attributes {exec.kernel} {
  %x = exec.binding 0 : memref<4x32xf32>
  %y = exec.binding 1 : memref<4xf32>
  // expected-error@+1 {{reduces by more than one operation}}
  linalg.generic {indexing_maps = [#id, affine_map<(n, o) -> (n)>], iterator_types = ["parallel", "reduction"]} ins(%x : memref<4x32xf32>) outs(%y : memref<4xf32>) {
  ^bb0(%a: f32, %acc: f32):
    %0 = arith.addf %acc, %a : f32
    %1 = arith.maximumf %0, %a : f32
    linalg.yield %1 : f32
  }
  return
}

// -----

#id = affine_map<(n) -> (n)>

func.func private @unknown_extent(%n: index) attributes {exec.kernel} {
  %x = exec.binding 0[%n] : memref<?xf32>
  %y = exec.binding 1[%n] : memref<?xf32>
  %from = memref.reinterpret_cast %x to offset: [0], sizes: [%n], strides: [1] : memref<?xf32> to memref<?xf32>
  %to = memref.reinterpret_cast %y to offset: [0], sizes: [%n], strides: [1] : memref<?xf32> to memref<?xf32>
  // expected-error@+1 {{has a loop whose extent is no scalar: loop 0}}
  linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel"]} ins(%from : memref<?xf32>) outs(%to : memref<?xf32>) {
  ^bb0(%a: f32, %o: f32):
    linalg.yield %a : f32
  }
  return
}

// -----

#id = affine_map<(n, c) -> (n, c)>
#row = affine_map<(n, c) -> (n)>
#point = affine_map<(n) -> (n)>

// Two sums of different length have no common loops, whatever follows them.
func.func private @unlike_twins() attributes {exec.kernel} {
  %zero = arith.constant 0.0 : f32
  %x = exec.binding 0 : memref<32x16xf32>
  %y = exec.binding 1 : memref<32x24xf32>
  %z = exec.binding 2 : memref<32xf32>
  %p = memref.alloc() : memref<32xf32>
  %q = memref.alloc() : memref<32xf32>
  linalg.fill ins(%zero : f32) outs(%p : memref<32xf32>)
  linalg.generic {indexing_maps = [#id, #row], iterator_types = ["parallel", "reduction"]} ins(%x : memref<32x16xf32>) outs(%p : memref<32xf32>) {
  ^bb0(%a: f32, %acc: f32):
    %0 = arith.addf %acc, %a : f32
    linalg.yield %0 : f32
  }
  linalg.fill ins(%zero : f32) outs(%q : memref<32xf32>)
  // expected-error@+1 {{does not run through the loops of other work that the same operation follows}}
  linalg.generic {indexing_maps = [#id, #row], iterator_types = ["parallel", "reduction"]} ins(%y : memref<32x24xf32>) outs(%q : memref<32xf32>) {
  ^bb0(%a: f32, %acc: f32):
    %0 = arith.addf %acc, %a : f32
    linalg.yield %0 : f32
  }
  linalg.generic {indexing_maps = [#point, #point, #point], iterator_types = ["parallel"]} ins(%p, %q : memref<32xf32>, memref<32xf32>) outs(%z : memref<32xf32>) {
  ^bb0(%a: f32, %b: f32, %o: f32):
    %0 = arith.addf %a, %b : f32
    linalg.yield %0 : f32
  }
  return
}

// -----

// expected-error@+1 {{is a kernel over tensors: run exec-bufferize-kernels first}}
func.func private @tensors(%x: tensor<32xf32>, %y: tensor<32xf32>) -> tensor<32xf32> attributes {exec.kernel} {
  %r = linalg.copy ins(%x : tensor<32xf32>) outs(%y : tensor<32xf32>) -> tensor<32xf32>
  return %r : tensor<32xf32>
}
