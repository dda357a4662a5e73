//===- Pipeline.cpp - The phases of compilation ---------------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The phases of compilation, from a model definition to kernels.
//
//===----------------------------------------------------------------------===//

#include "compiler/pipeline/Pipeline.h"
#include "compiler/autodiff/Passes.h"
#include "compiler/codegen/cpu/Passes.h"
#include "compiler/einsum/Passes.h"
#include "compiler/exec/Passes.h"
#include "compiler/fusion/Passes.h"
#include "compiler/model/Passes.h"
#include "mlir/Conversion/Passes.h"
#include "mlir/Dialect/Arith/Transforms/Passes.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/Math/Transforms/Passes.h"
#include "mlir/Dialect/MemRef/Transforms/Passes.h"
#include "mlir/IR/Verifier.h"
#include "mlir/Transforms/Passes.h"

using namespace mlir;

namespace tpa {

static constexpr PhaseInfo phaseTable[] = {
    {Phase::Input, "input", "a t6.model and its attention function"},
    {Phase::Model, "model",
     "the attention function with sizes, over what is cached"},
    {Phase::Entries, "entries", "tensor functions of each entry"},
    {Phase::Einsum, "einsum", "attention as einsums, mask and softmax"},
    {Phase::Gradient, "gradient", "training entries with their gradients"},
    {Phase::Fused, "fused", "attention as one pass over blocks of keys"},
    {Phase::Pairwise, "pairwise", "einsums of at most two operands"},
    {Phase::Linalg, "linalg", "linalg on tensors, pointwise operations fused"},
    {Phase::Dispatch, "dispatch", "kernels, and entries that dispatch them"},
    {Phase::Memory, "memory", "buffers planned, kernels over memory"},
    {Phase::Vector, "vector", "kernels as loops around vector operations"},
    {Phase::Llvm, "llvm", "kernels in the LLVM dialect"}};

ArrayRef<PhaseInfo> phases() { return phaseTable; }

std::optional<Phase> phaseNamed(StringRef name) {
  for (const PhaseInfo &info : phaseTable)
    if (info.name == name)
      return info.phase;
  return std::nullopt;
}

static void cleanUp(OpPassManager &passes) {
  passes.addPass(createCanonicalizerPass());
  passes.addPass(createCSEPass());
}

/// The same for kernels alone: entries are lists that grow with depth, and
/// nothing in them changes any more.
static void cleanUpKernels(OpPassManager &passes) {
  passes.addNestedPass<func::FuncOp>(createCanonicalizerPass());
  passes.addNestedPass<func::FuncOp>(createCSEPass());
}

static void buildModel(OpPassManager &passes, const PipelineOptions &options) {
  InstantiateModelOptions instantiate;
  instantiate.batch = options.batch;
  // What trains keeps its parameters in f32, whatever it computes in.
  instantiate.dtype = options.train ? "f32" : options.dtype;
  instantiate.train = options.train;
  passes.addPass(createInstantiateModel(instantiate));
  // Canonicalization moves rotations onto factors, so that the cut lies there.
  passes.addPass(createCanonicalizerPass());
  passes.addPass(createComposeAttention());
  passes.addPass(createCanonicalizerPass());
}

static void buildEntries(OpPassManager &passes,
                         const PipelineOptions &options) {
  BuildEntriesOptions entries;
  entries.maxLength = options.maxLength;
  entries.prefillChunk = options.prefillChunk;
  entries.verifyTokens = options.verifyTokens;
  entries.weights = options.weights;
  entries.pageTokens = options.pageTokens;
  entries.linearState = options.linearState;
  entries.cacheTokens = options.cacheTokens;
  entries.train = options.train;
  if (options.train)
    entries.compute = options.dtype;
  entries.vocabularyBlock = options.vocabularyBlock;
  for (const std::string &name : options.entries)
    entries.entries.push_back(name);
  passes.addPass(createBuildEntries(entries));
}

static void buildGradient(OpPassManager &passes,
                          const PipelineOptions &options) {
  passes.addPass(createAutocast());
  DifferentiateOptions differentiate;
  differentiate.recompute = options.recompute;
  differentiate.recomputeTable = options.recomputeTable;
  passes.addPass(createDifferentiate(differentiate));
  // Not canonicalized: projections would be composed into the attentions that
  // alone read them in a pass.
  passes.addPass(createCSEPass());
}

static void buildLinalg(OpPassManager &passes) {
  passes.addPass(createLowerToLinalg());
  cleanUp(passes);
  passes.addPass(createFuseElementwise());
  cleanUp(passes);
}

static void buildMemory(OpPassManager &passes) {
  passes.addPass(createPlanBuffers());
  passes.addPass(createBufferizeKernels());
  cleanUpKernels(passes);
}

static void buildVector(OpPassManager &passes, const PipelineOptions &options) {
  // Before vectorization: the reference starts from the same linalg.
  if (options.checkKernels)
    passes.addPass(cpu::createAddReferenceKernels());
  cpu::LowerStreamOptions stream;
  stream.lanes = options.cpu.lanes();
  stream.registers = options.cpu.registers;
  stream.bf16Dot = options.cpu.has("avx512bf16");
  passes.addPass(cpu::createLowerStream(stream));
  cleanUpKernels(passes);
  cpu::VectorizeKernelsOptions vectorize;
  vectorize.lanes = options.cpu.lanes();
  vectorize.registers = options.cpu.registers;
  vectorize.prefetchBytes = options.cpu.prefetchBytes();
  vectorize.bf16Dot = options.cpu.has("avx512bf16");
  passes.addPass(cpu::createVectorizeKernels(vectorize));
  cleanUpKernels(passes);
  passes.addNestedPass<func::FuncOp>(createLoopInvariantCodeMotionPass());
  // Hoisting out of an unrolled tile makes more values equal.
  passes.addNestedPass<func::FuncOp>(createCSEPass());
}

static void buildLlvm(OpPassManager &passes, const PipelineOptions &options) {
  cpu::ApproximateMathOptions math;
  math.scalef = options.cpu.has("avx512f");
  passes.addPass(cpu::createApproximateMath(math));
  passes.addPass(cpu::createLowerKernelAbi());
  passes.addPass(createConvertVectorToSCFPass());
  passes.addPass(memref::createExpandStridedMetadataPass());
  passes.addPass(createLowerAffinePass());
  passes.addPass(createSCFToControlFlowPass());
  ConvertVectorToLLVMPassOptions toLlvm;
  toLlvm.x86Vector = true;
  passes.addPass(createConvertVectorToLLVMPass(toLlvm));
  passes.addPass(createFinalizeMemRefToLLVMConversionPass());
  passes.addPass(createConvertMathToLLVMPass());
  // bf16 arithmetic is conversion only. Where the CPU has no instruction for
  // it, LLVM would call a function of the compiler's library, which kernels
  // have not.
  arith::ArithExpandOpsPassOptions expand;
  expand.includeBf16 = !llvm::is_contained(options.cpu.features, "avx512bf16");
  passes.addPass(arith::createArithExpandOpsPass(expand));
  passes.addPass(createArithToLLVMConversionPass());
  passes.addPass(createConvertIndexToLLVMPass());
  passes.addPass(createConvertControlFlowToLLVMPass());
  passes.addPass(createUBToLLVMConversionPass());
  passes.addPass(createConvertFuncToLLVMPass());
  passes.addPass(createReconcileUnrealizedCastsPass());
  passes.addPass(cpu::createStoreAsIntegers());
  passes.addNestedPass<LLVM::LLVMFuncOp>(createCanonicalizerPass());
  passes.addNestedPass<LLVM::LLVMFuncOp>(createCSEPass());
}

namespace {

/// Verifies what a phase has made, at the one place where that is worth its
/// time for a large model.
struct VerifyPhase : PassWrapper<VerifyPhase, OperationPass<ModuleOp>> {
  MLIR_DEFINE_EXPLICIT_INTERNAL_INLINE_TYPE_ID(VerifyPhase)
  StringRef getName() const override { return "VerifyPhase"; }
  void runOnOperation() override {
    if (failed(verify(getOperation())))
      return signalPassFailure();
    markAllAnalysesPreserved();
  }
};

} // namespace

void buildPipeline(OpPassManager &passes, Phase from, Phase to,
                   const PipelineOptions &options) {
  auto runs = [&](Phase phase) { return from < phase && phase <= to; };
  auto verified = [&] { passes.addPass(std::make_unique<VerifyPhase>()); };
  if (runs(Phase::Model))
    buildModel(passes, options);
  if (runs(Phase::Entries)) {
    buildEntries(passes, options);
    verified();
  }
  if (runs(Phase::Einsum))
    passes.addPass(createExpandAttention());
  if (runs(Phase::Gradient) && options.train)
    buildGradient(passes, options);
  if (runs(Phase::Fused) && options.fuse) {
    passes.addPass(createFuseStream());
    verified();
  }
  if (runs(Phase::Pairwise))
    passes.addPass(createContractPairwise());
  if (runs(Phase::Linalg)) {
    buildLinalg(passes);
    verified();
  }
  if (runs(Phase::Dispatch)) {
    passes.addPass(createFormDispatches());
    passes.addPass(createJoinDispatches());
    cleanUp(passes);
  }
  if (runs(Phase::Memory)) {
    buildMemory(passes);
    verified();
  }
  if (runs(Phase::Vector))
    buildVector(passes, options);
  if (runs(Phase::Llvm)) {
    buildLlvm(passes, options);
    verified();
  }
}

} // namespace tpa
