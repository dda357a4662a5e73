// Which loop of a contraction is the vector's, its register tile and its workgroups.
// RUN: tpa-opt %s --cpu-vectorize-kernels="pack=false" --canonicalize --cse | FileCheck %s
// RUN: tpa-opt %s --cpu-vectorize-kernels="lanes=8 registers=16 pack=false" --canonicalize --cse | FileCheck %s --check-prefix=NARROW
// RUN: tpa-opt %s --cpu-vectorize-kernels="pack=false" --remarks-filter=tpa --remark-format=emitRemark 2>&1 >/dev/null | FileCheck %s --check-prefix=REMARK

// Rows of weights are contiguous along what is summed: partial sums in vectors,
// several rows of x by several of w at a time so that loads are shared. The grid
// counts tiles of tokens (the scalar) and of outputs; a workgroup gets its share
// of both, the tokens' cut off at the extent.
// CHECK: #[[$GRID:.*]] = affine_map<()[s0] -> (s0 ceildiv [[#$TOKENS:]], [[#]])>
// CHECK-LABEL: func.func private @rows
// CHECK-SAME: (%[[N:.*]]: index, %[[WORKGROUP:.*]]: index) attributes {exec.grid = #[[$GRID]], exec.kernel}
// CHECK: %[[OUTPUT_TILE:.*]] = arith.remui %[[WORKGROUP]], %{{.*}}
// CHECK: %[[REST:.*]] = arith.divui %[[WORKGROUP]], %{{.*}}
// CHECK: %[[TILES:.*]] = arith.ceildivui %[[N]], %c[[#$TOKENS]]
// CHECK: %[[TOKEN_TILE:.*]] = arith.remui %[[REST]], %[[TILES]]
// CHECK: %[[FROM:.*]] = arith.muli %[[TOKEN_TILE]], %c[[#$TOKENS]]
// CHECK: %[[END:.*]] = arith.addi %[[FROM]], %c[[#$TOKENS]]
// CHECK: arith.minui %[[END]], %[[N]]
// CHECK: scf.for {{.*}} iter_args({{.*}}) -> (vector<16xf32>, vector<16xf32>
// CHECK: vector.load %{{.*}} : memref<?x768xf32>, vector<16xf32>
// CHECK: vector.load %{{.*}} : memref<512x768xf32>, vector<16xf32>
// CHECK: arith.mulf {{.*}} fastmath<nsz,contract> : vector<16xf32>
// CHECK: vector.reduction <add>, {{.*}} fastmath<reassoc>
// NARROW-LABEL: func.func private @rows
// NARROW: -> (vector<8xf32>, vector<8xf32>
// REMARK: [Passed] vector-loop {{.*}} iterator=reduction, loop=2, registerTile={{[0-9]+}}
// REMARK: [Passed] workgroups {{.*}} grid="affine_map<()[s0] -> (s0 ceildiv
func.func private @rows(%n: index) attributes {exec.kernel} {
  %zero = arith.constant 0.0 : f32
  %x = exec.binding 0[%n] : memref<?x768xf32>
  %w = exec.binding 1 : memref<512x768xf32>
  %y = exec.binding 2[%n] : memref<?x512xf32>
  linalg.fill ins(%zero : f32) outs(%y : memref<?x512xf32>)
  linalg.generic {indexing_maps = [affine_map<(n, o, c) -> (n, c)>, affine_map<(n, o, c) -> (o, c)>, affine_map<(n, o, c) -> (n, o)>],
                  iterator_types = ["parallel", "parallel", "reduction"]}
      ins(%x, %w : memref<?x768xf32>, memref<512x768xf32>) outs(%y : memref<?x512xf32>) {
  ^bb0(%a: f32, %b: f32, %acc: f32):
    %0 = arith.mulf %a, %b : f32
    %1 = arith.addf %acc, %0 : f32
    linalg.yield %1 : f32
  }
  return
}

// Weights that are contiguous along the outputs: lanes are outputs, x is broadcast,
// and nothing is left to combine.
// CHECK-LABEL: func.func private @columns
// CHECK: %[[X:.*]] = exec.binding 0
// CHECK: scf.for %[[C:.*]] = %c0 to %c64 step %c1 iter_args
// CHECK: %[[A:.*]] = memref.load %[[X]][%{{.*}}, %[[C]]]
// CHECK: %[[B:.*]] = vector.load %{{.*}}[%[[C]], %{{.*}}] : memref<64x48xf32>, vector<16xf32>
// CHECK: %[[A16:.*]] = vector.broadcast %[[A]]
// CHECK: arith.mulf %[[A16]], %[[B]]
// CHECK-NOT: vector.reduction
// CHECK: vector.store
// REMARK: [Passed] vector-loop {{.*}} iterator=parallel, loop=1
func.func private @columns() attributes {exec.kernel} {
  %zero = arith.constant 0.0 : f32
  %x = exec.binding 0 : memref<1x64xf32>
  %w = exec.binding 1 : memref<64x48xf32>
  %y = exec.binding 2 : memref<1x48xf32>
  linalg.fill ins(%zero : f32) outs(%y : memref<1x48xf32>)
  linalg.generic {indexing_maps = [affine_map<(n, o, c) -> (n, c)>, affine_map<(n, o, c) -> (c, o)>, affine_map<(n, o, c) -> (n, o)>],
                  iterator_types = ["parallel", "parallel", "reduction"]}
      ins(%x, %w : memref<1x64xf32>, memref<64x48xf32>) outs(%y : memref<1x48xf32>) {
  ^bb0(%a: f32, %b: f32, %acc: f32):
    %0 = arith.mulf %a, %b : f32
    %1 = arith.addf %acc, %0 : f32
    linalg.yield %1 : f32
  }
  return
}

// Without a fill the sum goes on from what the result holds.
// CHECK-LABEL: func.func private @accumulate
// CHECK: %[[Y:.*]] = exec.binding 1
// CHECK: %[[OLD:.*]] = memref.load %[[Y]]
// CHECK: %[[NEW:.*]] = arith.addf %{{.*}}, %[[OLD]]
// CHECK: memref.store %[[NEW]], %[[Y]]
func.func private @accumulate() attributes {exec.kernel} {
  %x = exec.binding 0 : memref<4x32xf32>
  %y = exec.binding 1 : memref<4xf32>
  linalg.generic {indexing_maps = [affine_map<(n, o) -> (n, o)>, affine_map<(n, o) -> (n)>], iterator_types = ["parallel", "reduction"]}
      ins(%x : memref<4x32xf32>) outs(%y : memref<4xf32>) {
  ^bb0(%a: f32, %acc: f32):
    %0 = arith.addf %acc, %a : f32
    linalg.yield %0 : f32
  }
  return
}

#vector = affine_map<(o, c) -> (c)>
#matrix = affine_map<(o, c) -> (o, c)>
#result = affine_map<(o, c) -> (o)>
#point = affine_map<(o) -> (o)>

// One operation makes its result of two products: of a row both sums are formed, one after the other, and only what is
// made of them is stored. A workgroup is worth as much as one of a single product, so there are twice as many.
// REMARK: [Passed] workgroups {{.*}} grid="affine_map<() -> (24)>"
// CHECK-LABEL: func.func private @twins
// CHECK: %[[G:.*]] = exec.binding 1
// CHECK: %[[U:.*]] = exec.binding 2
// CHECK-NOT: memref.alloc
// CHECK: scf.for %[[ROW:.*]] = %{{.*}} to %{{.*}} step %c1
// CHECK: scf.for
// CHECK: vector.load %[[G]][%[[ROW]],
// CHECK: %[[GATE:.*]] = vector.reduction <add>
// CHECK: scf.for
// CHECK: vector.load %[[U]][%[[ROW]],
// CHECK: %[[UP:.*]] = vector.reduction <add>
// CHECK: %[[E:.*]] = math.exp %{{.*}} : f32
// CHECK: %[[Y:.*]] = arith.mulf %{{.*}}, %{{.*}} : f32
// CHECK: memref.store %[[Y]], %{{.*}}[%[[ROW]]]
// CHECK-NOT: memref.store
// CHECK: return
func.func private @twins() attributes {exec.kernel} {
  %zero = arith.constant 0.0 : f32
  %x = exec.binding 0 : memref<768xf32>
  %g = exec.binding 1 : memref<256x768xf32>
  %u = exec.binding 2 : memref<256x768xf32>
  %y = exec.binding 3 : memref<256xf32>
  %a0 = memref.alloc() : memref<256xf32>
  %a1 = memref.alloc() : memref<256xf32>
  linalg.fill ins(%zero : f32) outs(%a0 : memref<256xf32>)
  linalg.generic {indexing_maps = [#vector, #matrix, #result], iterator_types = ["parallel", "reduction"]}
      ins(%x, %g : memref<768xf32>, memref<256x768xf32>) outs(%a0 : memref<256xf32>) {
  ^bb0(%a: f32, %b: f32, %acc: f32):
    %0 = arith.mulf %a, %b : f32
    %1 = arith.addf %acc, %0 : f32
    linalg.yield %1 : f32
  }
  linalg.fill ins(%zero : f32) outs(%a1 : memref<256xf32>)
  linalg.generic {indexing_maps = [#vector, #matrix, #result], iterator_types = ["parallel", "reduction"]}
      ins(%x, %u : memref<768xf32>, memref<256x768xf32>) outs(%a1 : memref<256xf32>) {
  ^bb0(%a: f32, %b: f32, %acc: f32):
    %0 = arith.mulf %a, %b : f32
    %1 = arith.addf %acc, %0 : f32
    linalg.yield %1 : f32
  }
  linalg.generic {indexing_maps = [#point, #point, #point], iterator_types = ["parallel"]}
      ins(%a0, %a1 : memref<256xf32>, memref<256xf32>) outs(%y : memref<256xf32>) {
  ^bb0(%a: f32, %b: f32, %o: f32):
    %0 = math.exp %a : f32
    %1 = arith.mulf %0, %b : f32
    linalg.yield %1 : f32
  }
  return
}

// Of several rows, a register tile of each product.
// CHECK-LABEL: func.func private @twin_tiles
// CHECK: %[[G:.*]] = exec.binding 1
// CHECK: %[[U:.*]] = exec.binding 2
// CHECK: %{{.*}}:12 = scf.for
// CHECK-COUNT-4: vector.load %[[G]][
// CHECK: %{{.*}}:12 = scf.for
// CHECK-COUNT-4: vector.load %[[U]][
// CHECK-COUNT-12: math.exp
// CHECK-NOT: math.exp
// CHECK: return
func.func private @twin_tiles() attributes {exec.kernel} {
  %zero = arith.constant 0.0 : f32
  %x = exec.binding 0 : memref<3x64xf32>
  %g = exec.binding 1 : memref<48x64xf32>
  %u = exec.binding 2 : memref<48x64xf32>
  %y = exec.binding 3 : memref<3x48xf32>
  %a0 = memref.alloc() : memref<3x48xf32>
  %a1 = memref.alloc() : memref<3x48xf32>
  linalg.fill ins(%zero : f32) outs(%a0 : memref<3x48xf32>)
  linalg.generic {indexing_maps = [affine_map<(n, o, c) -> (n, c)>, affine_map<(n, o, c) -> (o, c)>, affine_map<(n, o, c) -> (n, o)>],
                  iterator_types = ["parallel", "parallel", "reduction"]}
      ins(%x, %g : memref<3x64xf32>, memref<48x64xf32>) outs(%a0 : memref<3x48xf32>) {
  ^bb0(%a: f32, %b: f32, %acc: f32):
    %0 = arith.mulf %a, %b : f32
    %1 = arith.addf %acc, %0 : f32
    linalg.yield %1 : f32
  }
  linalg.fill ins(%zero : f32) outs(%a1 : memref<3x48xf32>)
  linalg.generic {indexing_maps = [affine_map<(n, o, c) -> (n, c)>, affine_map<(n, o, c) -> (o, c)>, affine_map<(n, o, c) -> (n, o)>],
                  iterator_types = ["parallel", "parallel", "reduction"]}
      ins(%x, %u : memref<3x64xf32>, memref<48x64xf32>) outs(%a1 : memref<3x48xf32>) {
  ^bb0(%a: f32, %b: f32, %acc: f32):
    %0 = arith.mulf %a, %b : f32
    %1 = arith.addf %acc, %0 : f32
    linalg.yield %1 : f32
  }
  linalg.generic {indexing_maps = [affine_map<(n, o) -> (n, o)>, affine_map<(n, o) -> (n, o)>, affine_map<(n, o) -> (n, o)>],
                  iterator_types = ["parallel", "parallel"]}
      ins(%a0, %a1 : memref<3x48xf32>, memref<3x48xf32>) outs(%y : memref<3x48xf32>) {
  ^bb0(%a: f32, %b: f32, %o: f32):
    %0 = math.exp %a : f32
    %1 = arith.mulf %0, %b : f32
    linalg.yield %1 : f32
  }
  return
}

// A sum of products that each operand has loops of its own in: the second one's stays, around the stream of the first.
// CHECK-LABEL: func.func private @sums_apart
// CHECK: %[[E:.*]] = exec.binding 1
// CHECK: scf.for
// CHECK: scf.for %[[I:.*]] = %c0 to %c16 step %c1 iter_args
// CHECK: vector.load %{{.*}} : memref<2x128xf32>
// CHECK: memref.load %[[E]][%[[I]]]
// CHECK: return
func.func private @sums_apart() attributes {exec.kernel} {
  %x = exec.binding 0 : memref<2x2x64xf32>
  %e = exec.binding 1 : memref<16xf32>
  %y = exec.binding 2 : memref<2xf32>
  %zero = arith.constant 0.0 : f32
  linalg.fill ins(%zero : f32) outs(%y : memref<2xf32>)
  linalg.generic {indexing_maps = [affine_map<(h, n, m, e) -> (h, n, m)>, affine_map<(h, n, m, e) -> (e)>, affine_map<(h, n, m, e) -> (h)>],
                  iterator_types = ["parallel", "reduction", "reduction", "reduction"]}
      ins(%x, %e : memref<2x2x64xf32>, memref<16xf32>) outs(%y : memref<2xf32>) {
  ^bb0(%a: f32, %b: f32, %acc: f32):
    %0 = arith.mulf %a, %b : f32
    %1 = arith.addf %acc, %0 : f32
    linalg.yield %1 : f32
  }
  return
}
