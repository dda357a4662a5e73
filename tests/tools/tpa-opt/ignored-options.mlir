// Options of a compilation are refused where they would do nothing.
// RUN: not tpa-opt %s --compile-from=linalg 2>&1 | FileCheck %s --check-prefix=FROM
// RUN: not tpa-opt %s --batch=2 -o %t.artifact 2>&1 | FileCheck %s --check-prefix=BATCH
// RUN: not ls %t.artifact
// RUN: not tpa-opt %s --tpa-contract-pairwise --check-kernels 2>&1 | FileCheck %s --check-prefix=CHECK-KERNELS
// RUN: tpa-opt %s --batch=2 --compile-to=input | FileCheck %s --check-prefix=KEPT

// FROM: tpa-opt: error: --compile-from has no effect where nothing is compiled. HINT: write an artifact with -o model.t6x
// BATCH: tpa-opt: error: --batch has no effect
// CHECK-KERNELS: tpa-opt: error: --check-kernels has no effect
// KEPT: func.func private @nothing
func.func private @nothing()
