//===- Passes.td - Passes from tensors to memory -----------*- tablegen -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Passes from dispatches on tensors to dispatches on memory.
//
//===----------------------------------------------------------------------===//

#ifndef TPA_COMPILER_EXEC_PASSES_TD
#define TPA_COMPILER_EXEC_PASSES_TD

include "mlir/Pass/PassBase.td"

def PlanBuffers : Pass<"exec-plan-buffers", "mlir::ModuleOp"> {
  let summary = "give every tensor of an entry a place in memory";
  let description = [{
    Calls are inlined, so that an entry is one list of dispatches. Loads become
    views of their buffers; a result that is stored is computed in its buffer;
    every other new tensor gets a place in the entry's arena, which it shares with
    tensors that are dead when it lives (first fit, by 64 bytes, at the scalars'
    maxima). In-place updates are checked: nothing may read the old value later, by
    this load or another, and only states and outputs are written.

    Example: tests/compiler/exec/plan-buffers.mlir
  }];
  let statistics = [
    Statistic<"arenaBytes", "arena-bytes", "Bytes of all arenas">,
    Statistic<"tensorBytes", "tensor-bytes", "Bytes that separate places would take">];
  let dependentDialects = ["::tpa::exec::ExecDialect"];
}

def BufferizeKernels : Pass<"exec-bufferize-kernels", "mlir::ModuleOp"> {
  let summary = "let kernels read and write memory";
  let description = [{
    A kernel over tensors becomes a function of its scalars that gets its operands
    by `exec.binding` and writes results into them (one-shot bufferization inside
    the kernel).

    Example: tests/compiler/exec/bufferize-kernels.mlir
  }];
  let statistics = [Statistic<"numKernels", "kernels", "Kernels bufferized">];
  let dependentDialects = ["::tpa::exec::ExecDialect",
                           "mlir::bufferization::BufferizationDialect",
                           "mlir::memref::MemRefDialect"];
}

#endif // TPA_COMPILER_EXEC_PASSES_TD
