//===- Passes.td - Passes from kernels to CPU code ---------*- tablegen -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Passes from kernels over memory to code for the CPU.
//
//===----------------------------------------------------------------------===//

#ifndef TPA_COMPILER_CODEGEN_CPU_PASSES_TD
#define TPA_COMPILER_CODEGEN_CPU_PASSES_TD

include "mlir/Pass/PassBase.td"

def LowerStream : Pass<"cpu-lower-stream", "mlir::ModuleOp"> {
  let summary = "turn streams into loops over blocks of keys";
  let description = [{
    A workgroup takes a batch row, a block of queries and a split of the keys:
    `exec.grid` says how many, and the kernel's last argument is the workgroup.
    Inside, a loop over blocks of keys runs the body as linalg on memory, whole
    blocks with constant extents and a rest with what is left. Keys that a mask
    hides from every query of the block are never read, also where m is the query
    and n the key. Contractions of the block of queries alone happen once.

    Sums of outer products, most of a stream's arithmetic, become register tiles
    that ask for the next block's memory as they go.

    Example: tests/compiler/codegen/cpu/lower-stream.mlir
  }];
  let options = [
    Option<"queryBlock", "query-block", "int64_t", "16",
           "Queries of a workgroup, where their number varies">,
    Option<"lanes", "lanes", "int64_t", "16", "f32 elements of a vector register">,
    Option<"registers", "registers", "int64_t", "32", "Vector registers">,
    Option<"bf16Dot", "bf16-dot", "bool", "false",
           "Multiply values in bf16 by weights rounded to bf16, two products at "
           "a time (AVX512-BF16)">];
  let statistics = [Statistic<"numStreams", "streams", "Streams lowered">];
  let dependentDialects = ["mlir::arith::ArithDialect", "mlir::linalg::LinalgDialect",
                           "mlir::math::MathDialect", "mlir::memref::MemRefDialect",
                           "mlir::scf::SCFDialect", "mlir::vector::VectorDialect",
                           "mlir::x86vector::X86VectorDialect"];
}

def VectorizeKernels : Pass<"cpu-vectorize-kernels", "mlir::ModuleOp"> {
  let summary = "turn kernels into loops around vector operations";
  let description = [{
    Each linalg operation of a kernel becomes a loop nest: one loop runs over the
    lanes of a vector (the one whose operands are contiguous along it), parallel
    loops of a reduction are unrolled into a register tile, remainders run under
    a mask, and a pointwise epilogue is applied to accumulators before they are
    stored. A large matrix product, sum of left times right in f32, is computed
    in blocks instead, of which the right factor (where its rows are neighbours,
    the left one too) is packed into scratch memory; a remark says how, or why
    not. The parallel loops of a kernel are cut into workgroups; `exec.grid`
    on the kernel says how many, and its last argument is the workgroup.

    Example: tests/compiler/codegen/cpu/vectorize-kernels.mlir
  }];
  let options = [
    Option<"lanes", "lanes", "int64_t", "16", "f32 elements of a vector register">,
    Option<"registers", "registers", "int64_t", "32", "Vector registers">,
    Option<"prefetchBytes", "prefetch-bytes", "int64_t", "2048",
           "How far ahead a matrix-vector product asks for its matrix; 0: the hardware does">,
    Option<"bf16Dot", "bf16-dot", "bool", "false",
           "The CPU has a dot product of two bf16 pairs: large products with a factor in "
           "bf16 take it, and contractions of a block in the cache with two">,
    Option<"pack", "pack", "bool", "true", "Pack the factors of large matrix products">];
  let statistics = [
    Statistic<"numPacked", "packed", "Nests that are packed matrix products">,
    Statistic<"numVector", "vector", "Nests with a vector loop">,
    Statistic<"numScalar", "scalar", "Nests without one">];
  let dependentDialects = ["mlir::affine::AffineDialect", "mlir::arith::ArithDialect",
                           "mlir::linalg::LinalgDialect",
                           "mlir::memref::MemRefDialect", "mlir::scf::SCFDialect",
                           "mlir::vector::VectorDialect",
                           "mlir::x86vector::X86VectorDialect"];
}

def AddReferenceKernels : Pass<"cpu-add-reference-kernels", "mlir::ModuleOp"> {
  let summary = "keep a plain copy of every kernel to check against";
  let description = [{
    The nested module `@reference` gets each kernel as the scalar loops that
    define its linalg operations, with elementary functions from the C library.
    It shares nothing with the generated code but the order of its operands, so
    `t6 check` compares the two dispatch by dispatch.

    Example: tests/compiler/codegen/cpu/add-reference-kernels.mlir
  }];
  let statistics = [Statistic<"numKernels", "kernels", "Kernels copied">];
  let dependentDialects = ["mlir::affine::AffineDialect", "mlir::arith::ArithDialect",
                           "mlir::func::FuncDialect", "mlir::linalg::LinalgDialect",
                           "mlir::math::MathDialect", "mlir::memref::MemRefDialect",
                           "mlir::scf::SCFDialect", "mlir::vector::VectorDialect"];
}

def LowerKernelAbi : Pass<"cpu-lower-kernel-abi", "mlir::ModuleOp"> {
  let summary = "give kernels the signature that the runtime calls";
  let description = [{
    A kernel becomes `void kernel(const t6_bindings *, int64_t workgroup)`
    (runtime/schema/KernelAbi.h): scalars and operands are loaded from the
    bindings.

    Example: tests/compiler/codegen/cpu/lower-kernel-abi.mlir
  }];
  let dependentDialects = ["mlir::LLVM::LLVMDialect", "mlir::arith::ArithDialect"];
}

def ApproximateMath : Pass<"cpu-approximate-math", "mlir::ModuleOp"> {
  let summary = "compute exp, log and tanh by polynomials";
  let description = [{
    Vector code has no library calls: elementary functions in f32 become
    polynomials (within about an ulp).

    Example: tests/compiler/codegen/cpu/approximate-math.mlir
  }];
  let options = [Option<"scalef", "scalef", "bool", "false",
                        "Scale by powers of two in one instruction (AVX-512)">];
  let dependentDialects = ["mlir::arith::ArithDialect", "mlir::math::MathDialect",
                           "mlir::vector::VectorDialect", "mlir::LLVM::LLVMDialect"];
}

def StoreAsIntegers : Pass<"cpu-store-as-integers", "mlir::ModuleOp"> {
  let summary = "store vectors of bf16 under a mask as integers";
  let description = [{
    Where the CPU has no such store, LLVM stores element by element, and converts
    each through f32 by a function of the compiler's library, which kernels have
    not. Integers of 16 bits are stored as they are.

    Example: tests/compiler/codegen/cpu/store-as-integers.mlir
  }];
  let dependentDialects = ["mlir::LLVM::LLVMDialect"];
}

#endif // TPA_COMPILER_CODEGEN_CPU_PASSES_TD
