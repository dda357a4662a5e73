// Whose rates decide is named, or refused, in each pass that has a choice.
// RUN: not tpa-opt %s --tpa-compose-attention=target=abacus 2>&1 | FileCheck %s
// RUN: not tpa-opt %s --tpa-contract-pairwise=target=abacus 2>&1 | FileCheck %s
// RUN: not tpa-opt %s --tpa-fuse-stream=target=abacus 2>&1 | FileCheck %s

// CHECK: error: there is no target 'abacus', only cpu, sm_80
module {}
