// Every phase prints IR that parses again, holds what the phase promises and nothing that it must have removed.
// DEFINE: %{phase} = input
// DEFINE: %{to} = tpa-opt %s --cpu=x86-64-v3 --entries=decode --compile-to=%{phase} | tpa-opt --verify-roundtrip | FileCheck %s --check-prefix

// RUN: %{to}=INPUT
// REDEFINE: %{phase} = model
// RUN: %{to}=MODEL
// REDEFINE: %{phase} = entries
// RUN: %{to}=ENTRIES
// REDEFINE: %{phase} = einsum
// RUN: %{to}=EINSUM
// REDEFINE: %{phase} = pairwise
// RUN: %{to}=PAIRWISE
// REDEFINE: %{phase} = linalg
// RUN: %{to}=LINALG
// REDEFINE: %{phase} = dispatch
// RUN: %{to}=DISPATCH
// REDEFINE: %{phase} = memory
// RUN: %{to}=MEMORY
// REDEFINE: %{phase} = vector
// RUN: %{to}=VECTOR
// REDEFINE: %{phase} = llvm
// RUN: %{to}=LLVM

t6.model @small uses @tpa {
  vocab = 50, layers = 3, width = 24, ffn = 32, context_length = 64,
  sizes = {H = 4, D = 8, R_Q = 3, R_K = 2, R_V = 2}}

// INPUT: t6.model @small uses @tpa
// INPUT-NOT: func.func

// Sizes are numbers, rotation has moved onto factors, attention reads factors.
// MODEL: func.func private @tpa(%{{.*}}: tensor<1x?x24xf32>
// MODEL-NOT: tpa.materialize
// MODEL: tpa.rope %{{.*}} : tensor<1x?x2x8xf32>
// MODEL: tpa.attention ["bnrh,bnrd,bmsh,bmsd->bhnm"]
// MODEL-NOT: per_sqrt

// ENTRIES-NOT: t6.model
// ENTRIES-NOT: t6.param
// ENTRIES: func.func private @decode.block
// ENTRIES: t6.cache_append
// ENTRIES: tpa.attention
// One function for three layers.
// ENTRIES-NOT: tpa.attention
// ENTRIES: exec.entry @decode
// ENTRIES-COUNT-3: call @decode.block
// ENTRIES-NOT: exec.entry

// EINSUM-NOT: tpa.attention
// EINSUM-NOT: tpa.factorize
// EINSUM-NOT: tpa.materialize
// EINSUM-NOT: t6.linear
// EINSUM: tpa.einsum "bnrh,bnrd,bmsh,bmsd->bhnm"
// EINSUM: tpa.softmax
// EINSUM: tpa.einsum "bhnm,bmth,bmte->bnhe"

// No equation has three terms.
// PAIRWISE-NOT: tpa.einsum "{{[a-zA-Z]*,[a-zA-Z]*,}}
// PAIRWISE: exec.entry @decode

// LINALG: exec.buffer constant @rope.0 : tensor<64x2x4xf32>
// LINALG-NOT: {{ (tpa|t6)\.[a-z_]+ %}}
// LINALG-NOT: tpa.einsum
// LINALG: linalg.generic
// LINALG: exec.entry @decode

// Work is in kernels; entries and blocks only dispatch it, what is small in one piece.
// DISPATCH: func.func private @decode.block
// DISPATCH-NOT: linalg.
// DISPATCH: exec.dispatch @decode_rms_norm_joined {{.*}} {cost = #exec.cost<{{.*}}>, label = "rms_norm+{{.*}}cache_append{{.*}}"}
// DISPATCH: exec.entry @decode
// DISPATCH-COUNT-3: call @decode.block
// DISPATCH: func.func private @decode_rms_norm_joined({{.*}}) -> {{.*}} attributes {exec.kernel}
// DISPATCH: linalg.generic

// Tensors have places; labels say the layer; kernels take what is bound.
// MEMORY: exec.buffer arena @decode.arena : tensor<{{[0-9]+}}xi8>
// MEMORY: exec.entry @decode
// MEMORY-NOT: func.call
// MEMORY-NOT: exec.load
// MEMORY: exec.dispatch @decode_rms_norm_joined {{.*}} label = "layer.0/rms_norm+{{.*}}"
// MEMORY: exec.dispatch @decode_rms_norm_joined {{.*}} label = "layer.2/rms_norm+{{.*}}"
// MEMORY-NOT: -> tensor
// MEMORY: func.func private @decode_rms_norm_joined(
// MEMORY-NOT: memref.copy
// MEMORY: exec.binding 0
// MEMORY: linalg.generic {{.*}} : memref

// x86-64-v3 has vectors of 8.
// VECTOR: exec.entry @decode
// VECTOR: func.func private @decode_rms_norm_joined(%{{.*}}: index) attributes {exec.grid = #{{.*}}, exec.kernel}
// VECTOR-NOT: linalg.
// VECTOR-NOT: vector<16xf32>
// VECTOR: vector<8xf32>

// Entries stay for the artifact; kernels are in the LLVM dialect, and alone.
// LLVM: exec.entry @decode
// LLVM: exec.dispatch @decode_rms_norm
// LLVM: llvm.func @decode_rms_norm_joined(%{{.*}}: !llvm.ptr, %{{.*}}: i64)
// LLVM-NOT: {{ (scf|memref|vector|arith|cf|math)\.[a-z]+}}
// LLVM-NOT: unrealized_conversion_cast
// LLVM: llvm.return
