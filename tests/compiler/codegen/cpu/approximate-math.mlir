// RUN: tpa-opt %s --cpu-approximate-math | FileCheck %s

// No call of a library is left, multiply-adds take its place.
// CHECK-NOT: math.exp
// CHECK-NOT: math.log
// CHECK-NOT: math.tanh

// CHECK-LABEL: @vectors
// CHECK: math.fma {{.*}} : vector<16xf32>
// The hardware has square roots.
// CHECK: math.sqrt
func.func @vectors(%x: vector<16xf32>) -> (vector<16xf32>, vector<16xf32>, vector<16xf32>, vector<16xf32>) {
  %a = math.exp %x : vector<16xf32>
  %b = math.log %x : vector<16xf32>
  %c = math.tanh %x : vector<16xf32>
  %d = math.sqrt %x : vector<16xf32>
  return %a, %b, %c, %d : vector<16xf32>, vector<16xf32>, vector<16xf32>, vector<16xf32>
}

// CHECK-LABEL: @scalar
// CHECK: math.fma {{.*}} : f32
func.func @scalar(%x: f32) -> f32 {
  %a = math.exp %x : f32
  return %a : f32
}
