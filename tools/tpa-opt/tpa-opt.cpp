// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The compiler's command line: mlir-opt's whole surface, and compilation of
// model definitions to artifacts. Holds no logic.

#include "compiler/artifact/WriteArtifact.h"
#include "compiler/import/ConfigImport.h"
#include "compiler/pipeline/Pipeline.h"
#include "compiler/pipeline/Registration.h"
#include "mlir/IR/MLIRContext.h"
#include "mlir/Pass/Pass.h"
#include "mlir/Pass/PassManager.h"
#include "mlir/Support/FileUtilities.h"
#include "mlir/Tools/mlir-opt/MlirOptMain.h"
#include "llvm/Support/CommandLine.h"
#include "llvm/Support/InitLLVM.h"
#include "llvm/Support/SourceMgr.h"
#include "llvm/Support/ToolOutputFile.h"

using namespace mlir;
namespace cl = llvm::cl;

static cl::OptionCategory category("Compilation");
static cl::opt<std::string> target("target", cl::desc("Device to compile for: cpu"),
                                   cl::init("cpu"), cl::cat(category));
static cl::opt<std::string>
    cpuName("cpu", cl::desc("CPU to compile for: native, x86-64-v3, or a name LLVM knows"),
            cl::init("native"), cl::cat(category));
static cl::opt<int64_t> batch("batch", cl::desc("Rows decoded together"), cl::init(1),
                              cl::cat(category));
static cl::opt<int64_t>
    maxLength("max-length", cl::desc("Longest sequence (default: the model's context)"),
              cl::init(0), cl::cat(category));
static cl::opt<int64_t> prefillChunk("prefill-chunk",
                                     cl::desc("Most tokens of a row in one prefill run"),
                                     cl::init(128), cl::cat(category));
static cl::opt<std::string> dtype("dtype", cl::desc("Weights and cache: f32 or bf16"),
                                  cl::init("f32"), cl::cat(category));
static cl::list<std::string> entries("entries",
                                     cl::desc("Entries: of prefill, decode, loss (default: all)"),
                                     cl::CommaSeparated, cl::cat(category));
static cl::opt<std::string> arch("arch",
                                 cl::desc("Architecture of a config.json (default: by its keys)"),
                                 cl::cat(category));
static cl::opt<std::string> compileFrom("compile-from",
                                        cl::desc("Phase that the input is in (default: input)"),
                                        cl::cat(category));
static cl::opt<std::string> compileTo("compile-to",
                                      cl::desc("Phase to stop after, printing the IR"),
                                      cl::cat(category));
static cl::opt<bool> checkKernels("check-kernels",
                                  cl::desc("Keep plain reference kernels for t6 check"),
                                  cl::cat(category));
static cl::opt<bool> strip("strip", cl::desc("Leave the IR out of the artifact"),
                           cl::cat(category));

static int fail(const llvm::Twine &message) {
  llvm::errs() << "tpa-opt: error: " << message << "\n";
  return 2;
}

/// The phase called `name`; null with a message if there is none.
static std::optional<tpa::Phase> parsePhase(StringRef flag, StringRef name) {
  std::optional<tpa::Phase> phase = tpa::phaseNamed(name);
  if (!phase) {
    std::string names;
    for (const tpa::PhaseInfo &info : tpa::phases())
      names += (names.empty() ? "" : ", ") + info.name.str();
    fail("--" + flag + "=" + name + " is no phase. HINT: the phases are " + names);
  }
  return phase;
}

/// A config.json becomes the text of the model definition that it describes.
static std::unique_ptr<llvm::MemoryBuffer>
importConfig(const llvm::MemoryBuffer &file, DialectRegistry &registry) {
  MLIRContext context(registry);
  context.loadAllAvailableDialects();
  OwningOpRef<ModuleOp> module = tpa::importConfig(
      file.getBuffer(), file.getBufferIdentifier(), arch, context);
  if (!module)
    return nullptr;
  std::string text;
  llvm::raw_string_ostream stream(text);
  module->print(stream);
  return llvm::MemoryBuffer::getMemBufferCopy(text, file.getBufferIdentifier());
}

namespace {

/// The last pass of a compilation to an artifact.
struct WriteArtifactPass
    : PassWrapper<WriteArtifactPass, OperationPass<ModuleOp>> {
  MLIR_DEFINE_EXPLICIT_INTERNAL_INLINE_TYPE_ID(WriteArtifactPass)
  explicit WriteArtifactPass(tpa::ArtifactOptions options) : options(std::move(options)) {}
  StringRef getName() const override { return "WriteArtifact"; }
  void runOnOperation() override {
    if (failed(tpa::writeArtifact(getOperation(), options)))
      signalPassFailure();
  }
  tpa::ArtifactOptions options;
};

/// Whether, and how far, to compile.
struct Compilation {
  bool toArtifact = false;
  tpa::Phase from = tpa::Phase::Input, to = tpa::Phase::Llvm;
  tpa::PipelineOptions options;
};

} // namespace

static FailureOr<std::optional<Compilation>> parseCompilation(StringRef output) {
  Compilation compilation;
  compilation.toArtifact = output.ends_with(".t6x");
  if (!compilation.toArtifact && compileTo.empty())
    return std::optional<Compilation>();
  if (compilation.toArtifact && !compileTo.empty()) {
    fail("--compile-to prints IR, but the output is an artifact. HINT: name it .mlir, "
         "or drop --compile-to");
    return failure();
  }
  for (auto [flag, name, phase] :
       {std::tuple("compile-from", StringRef(compileFrom), &compilation.from),
        std::tuple("compile-to", StringRef(compileTo), &compilation.to)}) {
    if (name.empty())
      continue;
    std::optional<tpa::Phase> parsed = parsePhase(flag, name);
    if (!parsed)
      return failure();
    *phase = *parsed;
  }
  if (compilation.to < compilation.from) {
    fail("--compile-to=" + compileTo + " comes before --compile-from=" + compileFrom);
    return failure();
  }
  if (target != "cpu") {
    fail("--target=" + target + " is not supported. HINT: use --target=cpu");
    return failure();
  }
  std::string error;
  FailureOr<tpa::cpu::CpuTarget> cpu = tpa::cpu::resolveCpu(cpuName, error);
  if (failed(cpu)) {
    fail(error);
    return failure();
  }
  compilation.options = {batch, maxLength, prefillChunk, dtype, entries, checkKernels, *cpu};
  return std::optional<Compilation>(compilation);
}

int main(int argc, char **argv) {
  llvm::InitLLVM init(argc, argv);
  DialectRegistry registry;
  tpa::registerAllDialects(registry);
  tpa::registerAllPasses();
  auto [input, output] = registerAndParseCLIOptions(
      argc, argv, "Compiler for Tensor Product Attention and T6 models", registry);
  MlirOptMainConfig config = MlirOptMainConfig::createFromCLOptions();

  auto compilation = parseCompilation(output);
  if (failed(compilation))
    return 2;
  std::string error;
  std::unique_ptr<llvm::MemoryBuffer> file = openInputFile(input, &error);
  if (!file)
    return fail(error);
  if (StringRef(input).ends_with(".json"))
    file = importConfig(*file, registry);
  if (!file)
    return 1;

  bool toArtifact = *compilation && (*compilation)->toArtifact;
  if (*compilation) {
    tpa::ArtifactOptions artifact;
    artifact.path = output;
    artifact.cpu = (*compilation)->options.cpu;
    if (!strip)
      artifact.ir["input.mlir"] = file->getBuffer().str();
    config.setPassPipelineSetupFn([&, artifact](PassManager &passes) {
      tpa::buildPipeline(passes, (*compilation)->from, (*compilation)->to,
                         (*compilation)->options);
      if (toArtifact)
        passes.addPass(std::make_unique<WriteArtifactPass>(artifact));
      return success();
    });
  }
  if (toArtifact)
    return asMainReturnCode(MlirOptMain(llvm::nulls(), std::move(file), registry, config));

  std::unique_ptr<llvm::ToolOutputFile> stream = openOutputFile(output, &error);
  if (!stream)
    return fail(error);
  if (failed(MlirOptMain(stream->os(), std::move(file), registry, config)))
    return 1;
  stream->keep();
  return 0;
}
