//===- ExecDialect.td - The exec dialect -------------------*- tablegen -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The exec dialect: what the runtime sees.
//
//===----------------------------------------------------------------------===//

#ifndef TPA_DIALECTS_EXEC_EXECDIALECT_TD
#define TPA_DIALECTS_EXEC_EXECDIALECT_TD

include "mlir/IR/DialectBase.td"

def Exec_Dialect : Dialect {
  let name = "exec";
  let summary = "Buffers, kernels and static lists of dispatches";
  let description = [{
    A program is a set of named buffers, a set of kernels, and entries. An entry
    is a list of dispatches, each one kernel run over a grid of workgroups.
    Before buffers are planned, dispatches work on tensors; afterwards on memrefs
    that are buffers or places in the entry's arena. `artifact/program.json` is
    this dialect's planned form, one to one.

    Scalars of an entry (the tokens of this run `n`, the length of the cache
    afterwards `m`) are the only values known at run time alone. They bound loops
    and grids; each has a maximum, by which memory is planned.
  }];
  let cppNamespace = "::tpa::exec";
  let useDefaultAttributePrinterParser = 1;
}

#endif // TPA_DIALECTS_EXEC_EXECDIALECT_TD
