// Matrices that contractions read become integers; vectors stay, and a remark says why.
// RUN: tpa-opt %S/../../../models/t6_nano.mlir --compile-to=entries --weights=int8 --entries=decode | FileCheck %s
// RUN: tpa-opt %S/../../../models/t6_nano.mlir --compile-to=entries --weights=int8 --entries=decode --remarks-filter=tpa --remark-format=emitRemark 2>&1 >%t.mlir | FileCheck %s --check-prefix=REMARK
// RUN: tpa-opt %S/../../../models/t6_nano.mlir --compile-to=linalg --weights=int8 --entries=decode | FileCheck %s --check-prefix=LINALG
// RUN: not tpa-opt %S/../../../models/t6_nano.mlir --compile-to=entries --weights=int4 2>&1 | FileCheck %s --check-prefix=BAD

// One scale per stored row: the leading dimensions of the matrix.
// CHECK: exec.buffer param @transformer.wte.weight : tensor<257x128xi8>
// CHECK: exec.buffer param @transformer.wte.weight.scale : tensor<257xf32> {scales = "transformer.wte.weight"}
// CHECK: exec.buffer param @transformer.h.0.attn.c_qkv.W_A_q.weight : tensor<8x3x128xi8>
// CHECK: exec.buffer param @transformer.h.0.attn.c_qkv.W_A_q.weight.scale : tensor<8x3xf32>
// CHECK: exec.buffer param @transformer.h.0.attn.c_proj.weight.scale : tensor<128xf32>
// CHECK: t6.dequantize %{{.*}}, %{{.*}} : tensor<8x3x128xi8>, tensor<8x3xf32>

// REMARK: quantize{{.*}}parameter=attn.c_qkv.W_A_q.weight

// The matrix is read as integers and never formed in f32.
// LINALG-NOT: t6.dequantize
// LINALG-NOT: tensor<341x128xf32>
// LINALG: arith.sitofp %{{.*}} : i8 to f32
// LINALG-NOT: tensor<341x128xf32>

// BAD: --weights=int4 is not supported with --dtype=f32. HINT: use int8
