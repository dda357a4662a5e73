// A compilation starts at any phase; flags that make no sense end with one sentence and exit code 2.
// RUN: tpa-opt %s --compile-from=einsum --compile-to=einsum | FileCheck %s --check-prefix=SAME
// RUN: tpa-opt %s --compile-from=einsum --compile-to=pairwise | FileCheck %s --check-prefix=PAIRWISE
// RUN: tpa-opt %s --compile-from=einsum --compile-to=dispatch | FileCheck %s --check-prefix=DISPATCH
// RUN: tpa-opt %s --compile-from=einsum --compile-to=pairwise | tpa-opt --compile-from=pairwise --compile-to=dispatch | FileCheck %s --check-prefix=DISPATCH
// RUN: tpa-opt %s --compile-from=einsum --compile-to=vector --cpu=x86-64-v3 | FileCheck %s --check-prefix=V3
// RUN: tpa-opt %s --compile-from=einsum --compile-to=vector --cpu=x86-64-v4 | FileCheck %s --check-prefix=V4

// RUN: not tpa-opt %s --compile-to=fusion 2>&1 | FileCheck %s --check-prefix=UNKNOWN
// RUN: not tpa-opt %s --compile-from=linalg --compile-to=einsum 2>&1 | FileCheck %s --check-prefix=ORDER
// RUN: not tpa-opt %s --compile-to=llvm -o %t.t6x 2>&1 | FileCheck %s --check-prefix=ARTIFACT
// RUN: not tpa-opt %s --compile-to=llvm --target=cuda 2>&1 | FileCheck %s --check-prefix=TARGET
// RUN: not tpa-opt %s --compile-to=llvm --cpu=z80 2>&1 | FileCheck %s --check-prefix=CPU
// RUN: not tpa-opt %s --compile-to=llvm --cpu=x86-64 2>&1 | FileCheck %s --check-prefix=BASELINE
// RUN: not tpa-opt %s --compile-to=llvm --dtype=f16 2>&1 | FileCheck %s --check-prefix=DTYPE

// SAME: tpa.einsum "ab,bc,cd->ad"
// PAIRWISE: tpa.einsum "bc,cd->bd"
// PAIRWISE: tpa.einsum "ab,bd->ad"
// DISPATCH-COUNT-2: exec.dispatch
// DISPATCH: exec.store %{{.*}}, @y
// V3: vector<8xf32>
// V3-NOT: vector<16xf32>
// V4: vector<16xf32>

// UNKNOWN: error: --compile-to=fusion is no phase. HINT: the phases are input, model, entries, einsum, gradient, fused, pairwise, linalg, dispatch, memory, vector, llvm{{$}}
// ORDER: error: --compile-to=einsum comes before --compile-from=linalg
// ARTIFACT: error: --compile-to prints IR, but the output is an artifact. HINT: name it .mlir, or drop --compile-to
// TARGET: error: --target=cuda is not supported. HINT: use --target=cpu
// CPU: error: unknown CPU 'z80'. HINT: use native, x86-64-v3,
// BASELINE: error: CPU 'x86-64' has no AVX2 with FMA
// DTYPE: error: --dtype=f16 is not supported. HINT: use f32 or bf16

exec.buffer input @x : tensor<?x64xf32> {dims = ["n", ""]}
exec.buffer param @a : tensor<64x64xf32>
exec.buffer param @b : tensor<64x64xf32>
exec.buffer output @y : tensor<?x64xf32> {dims = ["n", ""]}
exec.entry @e scalars ["n"] maxima [16] {
^bb0(%n: index):
  %x = exec.load @x[%n] : tensor<?x64xf32>
  %a = exec.load @a : tensor<64x64xf32>
  %b = exec.load @b : tensor<64x64xf32>
  %y = tpa.einsum "ab,bc,cd->ad"(%x, %a, %b) : tensor<?x64xf32>, tensor<64x64xf32>, tensor<64x64xf32>
  exec.store %y, @y : tensor<?x64xf32>
}
