// What is wrong about what a training step saves ends with one error, a hint and exit code 2.
// DEFINE: %{flags} =
// DEFINE: %{run} = bash -c 'tpa-opt "$@"; exit $(( $? != 2 ))' -- %s --compile-to=gradient %{flags} 2>&1
// REDEFINE: %{flags} = --train --recompute=most
// RUN: %{run} | FileCheck %s --check-prefix=POLICY
// REDEFINE: %{flags} = --train --recompute=64XB
// RUN: %{run} | FileCheck %s --check-prefix=BYTES
// REDEFINE: %{flags} = --train --recompute=-1
// RUN: %{run} | FileCheck %s --check-prefix=BYTES
// REDEFINE: %{flags} = --train --recompute=1.2.3MB
// RUN: %{run} | FileCheck %s --check-prefix=BYTES
// REDEFINE: %{flags} = --train --recompute=9999999TB
// RUN: %{run} | FileCheck %s --check-prefix=BYTES
// REDEFINE: %{flags} = --recompute=64MB
// RUN: %{run} | FileCheck %s --check-prefix=ALONE
// REDEFINE: %{flags} = --recompute-table
// RUN: %{run} | FileCheck %s --check-prefix=TABLE
// RUN: not tpa-opt %s --recompute-table 2>&1 | FileCheck %s --check-prefix=NOTHING

// Every unit, and none.
// RUN: tpa-opt %s --compile-to=gradient --train --recompute=1000 | FileCheck %s --check-prefix=FINE
// RUN: tpa-opt %s --compile-to=gradient --train --recompute=1.5kB | FileCheck %s --check-prefix=FINE
// RUN: tpa-opt %s --compile-to=gradient --train --recompute=.5GiB | FileCheck %s --check-prefix=FINE

// POLICY-NOT: {{.}}
// POLICY: tpa-opt: error: --recompute=most is no policy. HINT: use none, full, dots, factors, or the bytes that may be saved, as 64MB
// POLICY-NOT: {{.}}
// BYTES-NOT: {{.}}
// BYTES: tpa-opt: error: --recompute={{64XB|-1|1.2.3MB|9999999TB}} is no number of bytes. HINT: write it as 64MB or 1.5GiB: a number and B, kB, MB, GB, TB, KiB, MiB, GiB or TiB
// BYTES-NOT: {{.}}
// ALONE: tpa-opt: error: --recompute has no effect where nothing trains. HINT: add --train
// TABLE: tpa-opt: error: --recompute-table has no effect where nothing trains. HINT: add --train
// NOTHING: tpa-opt: error: --recompute-table has no effect where nothing is compiled. HINT: write an artifact with -o model.t6x
// FINE: module
