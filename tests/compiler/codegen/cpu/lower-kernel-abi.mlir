// RUN: tpa-opt %s --cpu-lower-kernel-abi | FileCheck %s

// void kernel(const t6_bindings *, int64_t workgroup): the bindings are a pointer to
// buffers and a pointer to scalars.
// CHECK-LABEL: func.func @kernel
// CHECK-SAME: (%[[BINDINGS:.*]]: !llvm.ptr, %[[WORKGROUP:.*]]: i64) attributes {exec.grid = #{{.*}}, exec.kernel}
// CHECK: %[[BUFFERS_AT:.*]] = llvm.getelementptr %[[BINDINGS]][0] : (!llvm.ptr) -> !llvm.ptr, !llvm.ptr
// CHECK: %[[BUFFERS:.*]] = llvm.load %[[BUFFERS_AT]]
// CHECK: %[[SCALARS_AT:.*]] = llvm.getelementptr %[[BINDINGS]][1] : (!llvm.ptr) -> !llvm.ptr, !llvm.ptr
// CHECK: %[[SCALARS:.*]] = llvm.load %[[SCALARS_AT]]
// CHECK: %[[N_AT:.*]] = llvm.getelementptr %[[SCALARS]][0] : (!llvm.ptr) -> !llvm.ptr, i64
// CHECK: %[[N64:.*]] = llvm.load %[[N_AT]] : !llvm.ptr -> i64
// CHECK: %[[N:.*]] = arith.index_cast %[[N64]]
// CHECK: %[[M_AT:.*]] = llvm.getelementptr %[[SCALARS]][1]
// CHECK: %[[M64:.*]] = llvm.load %[[M_AT]] : !llvm.ptr -> i64
// CHECK: %[[M:.*]] = arith.index_cast %[[M64]]
// CHECK: %[[W:.*]] = arith.index_cast %[[WORKGROUP]]

// A row-major descriptor: sizes 2, n, 8 and strides n * 8, 8, 1.
// CHECK: %[[X_AT:.*]] = llvm.getelementptr %[[BUFFERS]][0] : (!llvm.ptr) -> !llvm.ptr, !llvm.ptr
// CHECK: %[[X:.*]] = llvm.load %[[X_AT]] : !llvm.ptr -> !llvm.ptr
// CHECK: llvm.insertvalue %[[X]], %{{.*}}[0]
// CHECK: llvm.insertvalue %[[X]], %{{.*}}[1]
// CHECK: %[[OFFSET:.*]] = llvm.mlir.constant(0 : i64)
// CHECK: llvm.insertvalue %[[OFFSET]], %{{.*}}[2]
// CHECK: %[[STRIDE2:.*]] = llvm.mlir.constant(1 : i64)
// CHECK: %[[SIZE1:.*]] = arith.index_cast %[[N]] : index to i64
// CHECK: llvm.insertvalue %[[STRIDE2]], %{{.*}}[4, 2]
// CHECK: %[[STRIDE1:.*]] = llvm.mlir.constant(8 : i64)
// CHECK: llvm.insertvalue %[[SIZE1]], %{{.*}}[3, 1]
// CHECK: llvm.insertvalue %[[STRIDE1]], %{{.*}}[4, 1]
// CHECK: %[[STRIDE0:.*]] = llvm.mul %[[STRIDE1]], %[[SIZE1]]
// CHECK: %[[D:.*]] = llvm.insertvalue %[[STRIDE0]], %{{.*}}[4, 0]
// CHECK: %[[XM:.*]] = builtin.unrealized_conversion_cast %{{.*}} to memref<2x?x8xf32>

// Static sizes have constant strides. The number of a binding is its index.
// CHECK: %[[Y_AT:.*]] = llvm.getelementptr %[[BUFFERS]][3]
// CHECK: %[[S0:.*]] = llvm.mlir.constant(8 : i64)
// CHECK: llvm.insertvalue %{{.*}}, %{{.*}}[4, 0]
// CHECK: %[[YM:.*]] = builtin.unrealized_conversion_cast %{{.*}} to memref<4x8xf32>
// CHECK: memref.load %[[XM]][%{{.*}}, %[[W]], %[[M]]]
// CHECK: memref.store %{{.*}}, %[[YM]]
// CHECK-NOT: exec.binding
func.func private @kernel(%n: index, %m: index, %workgroup: index) attributes {exec.kernel, exec.grid = affine_map<()[s0, s1] -> ()>} {
  %x = exec.binding 0[%n] : memref<2x?x8xf32>
  %y = exec.binding 3 : memref<4x8xf32>
  %c0 = arith.constant 0 : index
  %v = memref.load %x[%c0, %workgroup, %m] : memref<2x?x8xf32>
  memref.store %v, %y[%c0, %c0] : memref<4x8xf32>
  return
}

// CHECK-LABEL: func.func @no_scalars(%{{.*}}: !llvm.ptr, %{{.*}}: i64)
// CHECK: return
func.func private @no_scalars(%workgroup: index) attributes {exec.kernel, exec.grid = affine_map<() -> ()>} {
  return
}

// CHECK-LABEL: func.func @other(%{{.*}}: index)
func.func @other(%x: index) {
  return
}
