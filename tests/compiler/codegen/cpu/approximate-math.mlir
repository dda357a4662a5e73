// RUN: tpa-opt %s --cpu-approximate-math | FileCheck %s
// RUN: tpa-opt %s --cpu-approximate-math=scalef=true | FileCheck %s --check-prefix=SCALEF

// On AVX-512 a polynomial of degree 6 and one scaling by 2^n; others stay.
// SCALEF-LABEL: @vectors
// SCALEF: math.roundeven
// SCALEF-COUNT-8: math.fma
// SCALEF-NEXT: llvm.call_intrinsic "llvm.x86.avx512.mask.scalef.ps.512"
// SCALEF-NOT: math.exp

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
