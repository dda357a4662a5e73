// RUN: tpa-opt %s --cpu-store-as-integers | FileCheck %s

// CHECK-LABEL: llvm.func @store
// CHECK-SAME: (%[[P:.*]]: !llvm.ptr, %[[X:.*]]: vector<8xbf16>, %[[Y:.*]]: vector<8xf32>, %[[M:.*]]: vector<8xi1>)
// CHECK: %[[BITS:.*]] = llvm.bitcast %[[X]] : vector<8xbf16> to vector<8xi16>
// CHECK: llvm.intr.masked.store %[[BITS]], %[[P]], %[[M]] {alignment = 2 : i32} : vector<8xi16>
// CHECK: llvm.intr.masked.store %[[Y]], %[[P]], %[[M]] {alignment = 4 : i32} : vector<8xf32>
llvm.func @store(%p: !llvm.ptr, %x: vector<8xbf16>, %y: vector<8xf32>, %m: vector<8xi1>) {
  llvm.intr.masked.store %x, %p, %m {alignment = 2 : i32} : vector<8xbf16>, vector<8xi1> into !llvm.ptr
  llvm.intr.masked.store %y, %p, %m {alignment = 4 : i32} : vector<8xf32>, vector<8xi1> into !llvm.ptr
  llvm.return
}
