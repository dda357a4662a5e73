// What is wrong on the command line ends with one error, a hint and exit code 2.
// DEFINE: %{flags} =
// DEFINE: %{run} = bash -c 'tpa-opt "$@"; exit $(( $? != 2 ))' -- %s %{flags} 2>&1
// REDEFINE: %{flags} = --batc=3
// RUN: %{run} | FileCheck %s --check-prefix=UNKNOWN
// REDEFINE: %{flags} = --page-token=64
// RUN: %{run} | FileCheck %s --check-prefix=PREFIX
// REDEFINE: %{flags} = another.mlir
// RUN: %{run} | FileCheck %s --check-prefix=SURPLUS
// REDEFINE: %{flags} = --batch=many
// RUN: %{run} | FileCheck %s --check-prefix=VALUE
// REDEFINE: %{flags} = --mlir-timing=perhaps
// RUN: %{run} | FileCheck %s --check-prefix=VALUE
// REDEFINE: %{flags} = --t6-build-entries=length=3
// RUN: %{run} | FileCheck %s --check-prefix=OPTION
// REDEFINE: %{flags} = --t6-build-entries=max-length=long
// RUN: %{run} | FileCheck %s --check-prefix=VALUE
// REDEFINE: %{flags} = --pass-pipeline="builtin.module(nothing)"
// RUN: %{run} | FileCheck %s --check-prefix=PIPELINE
// REDEFINE: %{flags} = --pass-pipeline="cse,"
// RUN: %{run} | FileCheck %s --check-prefix=ANCHOR

// RUN: tpa-opt %s --pass-pipeline="builtin.module(cse)" | FileCheck %s --check-prefix=FINE

// UNKNOWN-NOT: error:
// UNKNOWN: tpa-opt: error: Unknown command line argument '--batc=3'. HINT: did you mean --batch=3? tpa-opt --help lists all flags
// UNKNOWN-NOT: {{.}}
// Its first letter is a flag of its own.
// PREFIX-NOT: {{.}}
// PREFIX: tpa-opt: error: Unknown command line argument '--page-token=64'. HINT: did you mean --page-tokens=64? tpa-opt --help lists all flags
// PREFIX-NOT: {{.}}
// SURPLUS: tpa-opt: error: Too many positional arguments specified. HINT: tpa-opt --help lists all flags
// SURPLUS-NOT: {{.}}
// VALUE-NOT: error:
// VALUE: tpa-opt: for the --{{batch|mlir-timing|max-length}} option: '{{many|perhaps|long}}'
// VALUE-NEXT: tpa-opt: error: a flag has no valid value. HINT: tpa-opt --help lists all flags
// VALUE-NOT: {{.}}
// OPTION: tpa-opt: error: <Pass-Options-Parser>: no such option length. HINT: tpa-opt --help lists all flags
// OPTION-NOT: {{.}}
// PIPELINE: tpa-opt: error: 'nothing' does not refer to a registered pass or pass pipeline. HINT: tpa-opt --help lists all flags
// PIPELINE-NOT: {{.}}
// ANCHOR: tpa-opt: error: expected pass pipeline to be wrapped with the anchor operation type, e.g. 'builtin.module(...)'. HINT: tpa-opt
// FINE: func.func private @nothing
func.func private @nothing()
