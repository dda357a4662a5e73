//===- EmitObject.cpp - Machine code of kernels ---------------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "compiler/codegen/cpu/EmitObject.h"
#include "dialects/exec/ExecDialect.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Target/LLVMIR/Export.h"
#include "llvm/IR/LegacyPassManager.h"
#include "llvm/IR/Module.h"
#include "llvm/MC/TargetRegistry.h"
#include "llvm/Passes/PassBuilder.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/FileUtilities.h"
#include "llvm/Support/MemoryBuffer.h"
#include "llvm/Support/Program.h"
#include "llvm/Target/TargetMachine.h"

using namespace mlir;

namespace tpa::cpu {

static std::unique_ptr<llvm::TargetMachine>
createMachine(const CpuTarget &cpu) {
  llvm::Triple triple("x86_64-unknown-linux-gnu");
  std::string error;
  const llvm::Target *target =
      llvm::TargetRegistry::lookupTarget(triple, error);
  if (!target)
    return nullptr;
  std::string features;
  for (StringRef feature : cpu.features)
    features += (features.empty() ? "+" : ",+") + feature.str();
  llvm::TargetOptions options;
  options.AllowFPOpFusion = llvm::FPOpFusion::Standard;
  // The features listed are all that code may use, since the runtime looks for
  // them and for nothing else; the CPU's name only tunes.
  return std::unique_ptr<llvm::TargetMachine>(target->createTargetMachine(
      triple, "x86-64", features, options, llvm::Reloc::PIC_, std::nullopt,
      llvm::CodeGenOptLevel::Aggressive));
}

/// Addresses are recomputed at every access; the kernels' loops are otherwise
/// as they should be, so only redundancy is removed.
static void optimize(llvm::Module &module, llvm::TargetMachine &machine) {
  llvm::PipelineTuningOptions tuning;
  tuning.LoopVectorization = false;
  tuning.SLPVectorization = false;
  tuning.LoopUnrolling = false;
  tuning.LoopInterleaving = false;
  llvm::PassBuilder builder(&machine, tuning);
  llvm::LoopAnalysisManager loops;
  llvm::FunctionAnalysisManager functions;
  llvm::CGSCCAnalysisManager components;
  llvm::ModuleAnalysisManager modules;
  builder.registerModuleAnalyses(modules);
  builder.registerCGSCCAnalyses(components);
  builder.registerFunctionAnalyses(functions);
  builder.registerLoopAnalyses(loops);
  builder.crossRegisterProxies(loops, functions, components, modules);
  builder.buildPerModuleDefaultPipeline(llvm::OptimizationLevel::O1)
      .run(module, modules);
}

/// Copies the kernels alone, with the constants that they read, into a module
/// of their own.
static OwningOpRef<ModuleOp> kernelsOf(ModuleOp module) {
  OwningOpRef<ModuleOp> kernels(ModuleOp::create(module.getLoc()));
  OpBuilder builder(kernels->getBodyRegion());
  for (Operation &op : *module.getBody())
    if (isa<LLVM::LLVMFuncOp, LLVM::GlobalOp>(op))
      builder.clone(op);
  return kernels;
}

static LogicalResult link(ModuleOp module, StringRef object, StringRef shared) {
  // Beside the LLVM that this tool was built with, else on the PATH.
  llvm::ErrorOr<std::string> linker =
      llvm::sys::findProgramByName("ld.lld", {TPA_LLVM_BINDIR});
  for (StringRef name : {"ld.lld-22", "ld.lld", "ld"})
    if (!linker)
      linker = llvm::sys::findProgramByName(name);
  if (!linker)
    return emitError(module.getLoc(), "no linker found; HINT: install lld-22");
  std::string error;
  int status = llvm::sys::ExecuteAndWait(
      *linker, {*linker, "-shared", "-z", "noexecstack", "-o", shared, object},
      std::nullopt, {}, /*SecondsToWait=*/0, /*MemoryLimit=*/0, &error);
  if (status != 0)
    return emitError(module.getLoc(), "linking the kernels failed: ")
           << *linker << " exited with " << status << ": " << error;
  return success();
}

FailureOr<std::string> emitSharedObject(ModuleOp module, const CpuTarget &cpu) {
  std::unique_ptr<llvm::TargetMachine> machine = createMachine(cpu);
  if (!machine)
    return emitError(module.getLoc(),
                     "this build of LLVM cannot generate x86-64 code");
  llvm::LLVMContext context;
  OwningOpRef<ModuleOp> kernels = kernelsOf(module);
  std::unique_ptr<llvm::Module> code =
      translateModuleToLLVMIR(*kernels, context, "kernels");
  if (!code)
    return emitError(
        module.getLoc(),
        "kernels are not in the LLVM dialect: run the phases up to llvm");
  code->setTargetTriple(machine->getTargetTriple());
  code->setDataLayout(machine->createDataLayout());
  for (llvm::Function &function : *code) {
    function.addFnAttr("tune-cpu", cpu.name);
    function.addFnAttr("prefer-vector-width", std::to_string(cpu.vectorBits));
  }
  optimize(*code, *machine);

  llvm::SmallString<128> object, shared;
  int descriptor;
  if (std::error_code error = llvm::sys::fs::createTemporaryFile(
          "tpa-kernels", "o", descriptor, object))
    return emitError(module.getLoc(), "cannot create a temporary file: ")
           << error.message();
  llvm::sys::fs::createTemporaryFile("tpa-kernels", "so", shared);
  llvm::FileRemover removeObject(object), removeShared(shared);
  {
    llvm::raw_fd_ostream stream(descriptor, /*shouldClose=*/true);
    llvm::legacy::PassManager passes;
    if (machine->addPassesToEmitFile(passes, stream, nullptr,
                                     llvm::CodeGenFileType::ObjectFile))
      return emitError(module.getLoc(), "the target cannot emit object files");
    passes.run(*code);
    stream.flush();
    if (std::error_code error = stream.error()) {
      stream.clear_error();
      return emitError(module.getLoc(), "cannot write ")
             << object << ": " << error.message();
    }
  }
  if (failed(link(module, object, shared)))
    return failure();
  auto linked = llvm::MemoryBuffer::getFile(shared);
  if (!linked)
    return emitError(module.getLoc(), "cannot read ")
           << shared << ": " << linked.getError().message();
  return (*linked)->getBuffer().str();
}

} // namespace tpa::cpu
