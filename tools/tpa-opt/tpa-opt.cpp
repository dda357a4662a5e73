//===- tpa-opt.cpp - The compiler's command line --------------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The compiler's command line: mlir-opt's whole surface, and compilation of
// model definitions to artifacts. Holds no logic.
//
//===----------------------------------------------------------------------===//

#include "compiler/artifact/WriteArtifact.h"
#include "compiler/autodiff/RecomputePolicy.h"
#include "compiler/import/ConfigImport.h"
#include "compiler/pipeline/Pipeline.h"
#include "compiler/pipeline/Registration.h"
#include "mlir/IR/MLIRContext.h"
#include "mlir/Pass/Pass.h"
#include "mlir/Pass/PassManager.h"
#include "mlir/Support/FileUtilities.h"
#include "mlir/Tools/mlir-opt/MlirOptMain.h"
#include "runtime/io/AtomicFile.h"
#include "llvm/Support/CommandLine.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/InitLLVM.h"
#include "llvm/Support/SourceMgr.h"
#include "llvm/Support/ToolOutputFile.h"
#include <csignal>

using namespace mlir;
namespace cl = llvm::cl;

static cl::OptionCategory category("Compilation");
static cl::opt<std::string> target("target",
                                   cl::desc("Device to compile for: cpu"),
                                   cl::init("cpu"), cl::cat(category));
static cl::opt<std::string> cpuName(
    "cpu",
    cl::desc("CPU to compile for: native, x86-64-v3, or a name LLVM knows"),
    cl::init("native"), cl::cat(category));
static cl::opt<int64_t> batch("batch", cl::desc("Rows decoded together"),
                              cl::init(1), cl::cat(category));
static cl::opt<int64_t>
    maxLength("max-length",
              cl::desc("Longest sequence (default: the model's context)"),
              cl::init(0), cl::cat(category));
static cl::opt<int64_t>
    prefillChunk("prefill-chunk",
                 cl::desc("Most tokens of a row in one prefill run"),
                 cl::init(128), cl::cat(category));
static cl::opt<int64_t> verifyTokens(
    "verify-tokens",
    cl::desc(
        "Tokens of a row in one verify run, which scores a tree of guesses "
        "(default: no such entry)"),
    cl::init(0), cl::cat(category));
static cl::opt<int64_t> pageTokens(
    "page-tokens",
    cl::desc("Tokens of a page of the cache (default: 64). Where a row has no "
             "more than a page, or with 0, it is in one piece"),
    cl::init(64), cl::cat(category));
static cl::opt<int64_t> cacheTokens(
    "cache-tokens",
    cl::desc("Tokens that the cache's pages hold for all rows together "
             "(default: every row at its longest)"),
    cl::init(0), cl::cat(category));
static cl::opt<std::string> linearState(
    "linear-state",
    cl::desc("Attention without a normaliser: on keeps a state of constant "
             "size, off a cache, auto what moves fewer bytes (default)"),
    cl::init("auto"), cl::cat(category));
static cl::opt<std::string>
    dtype("dtype",
          cl::desc("Weights and cache: f32 or bf16; with "
                   "--train what products of a step "
                   "multiply, all else being f32"),
          cl::init("f32"), cl::cat(category));
static cl::opt<std::string>
    weights("weights",
            cl::desc("Matrices: int8, with a scale per output channel "
                     "(default: the dtype)"),
            cl::cat(category));
static cl::opt<int64_t> vocabularyBlock(
    "vocabulary-block",
    cl::desc("Most tokens of the vocabulary whose logits a training step has "
             "at once"),
    cl::init(8192), cl::cat(category));
static cl::list<std::string> entries(
    "entries",
    cl::desc("Entries: of prefill, decode, verify, loss, accumulate_gradients, "
             "apply_adamw (default: all; the last two with --train)"),
    cl::CommaSeparated, cl::cat(category));
static cl::opt<bool>
    train("train",
          cl::desc("Also compile a training step on --batch windows of "
                   "--max-length tokens"),
          cl::cat(category));
static cl::opt<std::string>
    recompute("recompute",
              cl::desc("What the reverse of a training step computes again: "
                       "none, full (each block, from its input), dots (all but "
                       "contractions), factors (all but what attentions read "
                       "and yield), or as little as the bytes allow that may "
                       "be saved, as 64MB"),
              cl::init("none"), cl::cat(category));
static cl::opt<bool> recomputeTable(
    "recompute-table",
    cl::desc("Print what a training step saves and computes again to stderr"),
    cl::cat(category));
static cl::opt<std::string>
    arch("arch",
         cl::desc("Architecture of a config.json (default: by its keys)"),
         cl::cat(category));
static cl::opt<std::string>
    compileFrom("compile-from",
                cl::desc("Phase that the input is in (default: input)"),
                cl::cat(category));
static cl::opt<std::string>
    compileTo("compile-to", cl::desc("Phase to stop after, printing the IR"),
              cl::cat(category));
static cl::opt<bool>
    checkKernels("check-kernels",
                 cl::desc("Keep plain reference kernels for t6 check"),
                 cl::cat(category));
enum class Switch { Off, On };
static cl::opt<Switch>
    fuse("fuse",
         cl::desc("Make one pass over blocks of keys of each attention"),
         cl::values(clEnumValN(Switch::On, "on", "default"),
                    clEnumValN(Switch::Off, "off",
                               "each einsum is a kernel of its own")),
         cl::init(Switch::On), cl::cat(category));
static cl::opt<bool> strip("strip",
                           cl::desc("Leave the IR out of the artifact"),
                           cl::cat(category));

enum ExitCode { kRuntimeError = 1, kUsageError = 2 };

static int fail(const llvm::Twine &message, ExitCode code = kUsageError) {
  llvm::errs() << "tpa-opt: error: " << message << "\n";
  return code;
}

/// The phase called `name`; null with a message if there is none.
static std::optional<tpa::Phase> parsePhase(StringRef flag, StringRef name) {
  std::optional<tpa::Phase> phase = tpa::phaseNamed(name);
  if (!phase) {
    std::string names;
    for (const tpa::PhaseInfo &info : tpa::phases())
      names += (names.empty() ? "" : ", ") + info.name.str();
    fail("--" + flag + "=" + name + " is no phase. HINT: the phases are " +
         names);
  }
  return phase;
}

/// A config.json becomes the text of the model definition that it describes.
static std::unique_ptr<llvm::MemoryBuffer>
importConfig(const llvm::MemoryBuffer &file, DialectRegistry &registry) {
  MLIRContext context(registry);
  context.loadAllAvailableDialects();
  llvm::SourceMgr sources;
  sources.AddNewSourceBuffer(
      llvm::MemoryBuffer::getMemBuffer(file.getMemBufferRef()), llvm::SMLoc());
  SourceMgrDiagnosticHandler diagnostics(sources, &context);
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
  explicit WriteArtifactPass(tpa::ArtifactOptions options)
      : options(std::move(options)) {}
  StringRef getName() const override { return "WriteArtifact"; }
  void runOnOperation() override {
    if (failed(tpa::writeArtifact(getOperation(), options)))
      return signalPassFailure();
    // It would be printed into the void.
    getOperation().getBody()->clear();
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

static bool isTrainingEntry(StringRef name) {
  return name == "accumulate_gradients" || name == "apply_adamw";
}

static bool trains() { return train || llvm::any_of(entries, isTrainingEntry); }

/// Refuses values of options that no model can be compiled with.
static LogicalResult checkOptions() {
  constexpr int64_t most = 1 << 24;
  for (auto [flag, value, least] :
       {std::tuple("batch", int64_t(batch), 1),
        std::tuple("max-length", int64_t(maxLength), 0),
        std::tuple("prefill-chunk", int64_t(prefillChunk), 1)})
    if (value < least || value > most) {
      fail(llvm::Twine("--") + flag + "=" + llvm::Twine(value) +
           " is not from " + llvm::Twine(least) + " to " + llvm::Twine(most));
      return failure();
    }
  if (target != "cpu") {
    fail("--target=" + target + " is not supported. HINT: use --target=cpu");
    return failure();
  }
  if (dtype != "f32" && dtype != "bf16") {
    fail("--dtype=" + dtype + " is not supported. HINT: use f32 or bf16");
    return failure();
  }
  if (trains() && !weights.empty() && weights != "f32") {
    fail("--weights=" + weights +
         " is not supported with --train, which keeps "
         "weights in f32. HINT: leave it out; --dtype=bf16 computes in bf16");
    return failure();
  }
  if (!weights.empty() && weights != "int8" && weights != dtype && !trains()) {
    fail("--weights=" + weights + " is not supported with --dtype=" + dtype +
         ". HINT: use int8, or " + dtype + " by leaving it out");
    return failure();
  }
  for (const std::string &entry : entries)
    if (entry != "prefill" && entry != "decode" && entry != "verify" &&
        entry != "loss" && !isTrainingEntry(entry)) {
      fail("--entries=" + entry +
           " is no entry. HINT: use prefill, decode, verify, loss, "
           "accumulate_gradients or apply_adamw");
      return failure();
    }
  if (std::string error; !tpa::RecomputePolicy::parse(recompute, error)) {
    fail("--recompute=" + recompute + " " + error);
    return failure();
  }
  if (recomputeTable && !trains()) {
    fail("--recompute-table has no effect where nothing trains. HINT: add "
         "--train");
    return failure();
  }
  if (recompute.getNumOccurrences() > 0 && !trains()) {
    fail("--recompute has no effect where nothing trains. HINT: add --train");
    return failure();
  }
  if (vocabularyBlock <= 0) {
    fail("--vocabulary-block=" + llvm::Twine(vocabularyBlock) +
         " is not positive. HINT: leave it out");
    return failure();
  }
  if (vocabularyBlock.getNumOccurrences() > 0 && !trains()) {
    fail("--vocabulary-block has no effect where nothing trains. HINT: add "
         "--train");
    return failure();
  }
  if (verifyTokens < 0 || verifyTokens > 64) {
    fail("--verify-tokens=" + llvm::Twine(verifyTokens) +
         " is not from 0 to 64: a token's ancestors are 64 bits");
    return failure();
  }
  if (pageTokens != 0 && (pageTokens < 16 || pageTokens > most ||
                          !llvm::isPowerOf2_64(pageTokens))) {
    fail("--page-tokens=" + llvm::Twine(pageTokens) +
         " is no power of two from 16 to " + llvm::Twine(most) +
         ". HINT: use --page-tokens=64, or 0 to keep each row in one piece");
    return failure();
  }
  if (linearState != "auto" && linearState != "on" && linearState != "off") {
    fail("--linear-state=" + linearState +
         " is not supported. HINT: use auto, on or off");
    return failure();
  }
  if (cacheTokens < 0) {
    fail("--cache-tokens=" + llvm::Twine(cacheTokens) +
         " is negative. HINT: leave it out for a cache of every row at its "
         "longest");
    return failure();
  }
  if (cacheTokens > 0 && pageTokens == 0) {
    fail("--cache-tokens=" + llvm::Twine(cacheTokens) +
         " needs pages: with --page-tokens=0 each row is in one piece. HINT: "
         "leave one of the two out");
    return failure();
  }
  if (llvm::is_contained(entries, "verify") && verifyTokens == 0) {
    fail("--entries=verify needs the number of tokens. HINT: add "
         "--verify-tokens=8");
    return failure();
  }
  return success();
}

/// Refuses options of a compilation where none was asked for.
static LogicalResult checkNothingIgnored() {
  const cl::Option *options[] = {&target,
                                 &cpuName,
                                 &batch,
                                 &maxLength,
                                 &prefillChunk,
                                 &verifyTokens,
                                 &pageTokens,
                                 &cacheTokens,
                                 &linearState,
                                 &dtype,
                                 &weights,
                                 &compileFrom,
                                 std::addressof(entries),
                                 &train,
                                 &recompute,
                                 &recomputeTable,
                                 &vocabularyBlock,
                                 &fuse,
                                 &checkKernels,
                                 &strip};
  for (const cl::Option *option : options)
    if (option->getNumOccurrences() > 0) {
      fail("--" + option->ArgStr +
           " has no effect where nothing is compiled. HINT: write an artifact "
           "with -o model.t6x, or stop after a phase with --compile-to");
      return failure();
    }
  return success();
}

static FailureOr<std::optional<Compilation>>
parseCompilation(StringRef output) {
  Compilation compilation;
  compilation.toArtifact = output.ends_with(".t6x");
  if (!compilation.toArtifact && compileTo.empty()) {
    if (failed(checkNothingIgnored()))
      return failure();
    return std::optional<Compilation>();
  }
  if (compilation.toArtifact && !compileTo.empty()) {
    fail("--compile-to prints IR, but the output is an artifact. HINT: name it "
         ".mlir, "
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
    fail("--compile-to=" + compileTo +
         " comes before --compile-from=" + compileFrom);
    return failure();
  }
  if (failed(checkOptions()))
    return failure();
  std::string error;
  FailureOr<tpa::cpu::CpuTarget> cpu = tpa::cpu::resolveCpu(cpuName, error);
  if (failed(cpu)) {
    fail(error);
    return failure();
  }
  compilation.options = {batch,
                         maxLength,
                         prefillChunk,
                         verifyTokens,
                         pageTokens,
                         cacheTokens,
                         linearState,
                         dtype,
                         weights == "int8" ? "int8" : "",
                         entries,
                         trains(),
                         recompute,
                         recomputeTable,
                         vocabularyBlock,
                         fuse == Switch::On,
                         checkKernels,
                         *cpu};
  return std::optional<Compilation>(compilation);
}

/// LLVM's parsers of values say themselves, on stderr, which flag is wrong.
constexpr StringRef badValue = "a flag has no valid value";
constexpr StringRef seeHelp = "tpa-opt --help lists all flags";

/// Refuses a long flag that there is none of, by the one with the nearest name.
/// LLVM takes some for groups of short ones first, and means the short one.
static LogicalResult checkFlagNames(int argc, char **argv) {
  const auto &known = cl::getRegisteredOptions();
  for (StringRef argument : ArrayRef(argv, argc).drop_front()) {
    if (argument == "--")
      break;
    if (!argument.starts_with("--"))
      continue;
    auto [name, value] = argument.drop_front(2).split('=');
    if (known.contains(name))
      continue;
    std::string nearest;
    unsigned best = std::numeric_limits<unsigned>::max();
    for (const auto &entry : known)
      if (unsigned distance = name.edit_distance(entry.first);
          distance < best ||
          (distance == best && entry.first < StringRef(nearest))) {
        best = distance;
        nearest = entry.first.str();
      }
    std::string rest = argument.contains('=') ? "=" + value.str() : "";
    fail("Unknown command line argument '" + argument +
         "'. HINT: did you mean --" + nearest + rest + "? " + seeHelp);
    return failure();
  }
  return success();
}

/// Parses the command line; where LLVM would exit with 1, the result is
/// failure.
static LogicalResult parseFlags(int argc, char **argv, StringRef help) {
  if (failed(checkFlagNames(argc, argv)))
    return failure();
  std::string text;
  llvm::raw_string_ostream errors(text);
  if (cl::ParseCommandLineOptions(argc, argv, help, &errors))
    return success();
  auto [first, second] = StringRef(text).split('\n');
  StringRef what = first.split(": ").second.split(".  Try: ").first.rtrim('!');
  StringRef nearest = second.split("Did you mean '").second.split('\'').first;
  fail((what.empty() ? badValue : what) + ". HINT: " +
       (nearest.empty() ? "" : "did you mean " + nearest + "? ") + seeHelp);
  return failure();
}

/// Adds the passes that the flags ask for.
static LogicalResult addPasses(const MlirOptMainConfig &flags,
                               PassManager &passes) {
  std::string text;
  ScopedDiagnosticHandler errors(
      passes.getContext(),
      [&](Diagnostic &diagnostic) { text = diagnostic.str(); });
  if (succeeded(flags.setupPassPipeline(passes)))
    return success();
  // Text of a pipeline is quoted on the lines after the message.
  auto [place, message] = StringRef(text).split(": error: ");
  StringRef what = (message.empty() ? place : message).split('\n').first;
  fail((what.empty() ? badValue : what) + ". HINT: " + seeHelp);
  return failure();
}

/// Without the operation that an error is about, which can be a whole program;
/// --mlir-print-op-on-diagnostic brings it back.
static void shortenDiagnostics() {
  auto option = cl::getRegisteredOptions().find("mlir-print-op-on-diagnostic");
  if (option != cl::getRegisteredOptions().end())
    static_cast<cl::opt<bool> *>(option->second)->setInitialValue(false);
}

/// Prints the result to `output`, which appears whole or not at all unless it
/// is no regular file.
static int printTo(StringRef output, std::unique_ptr<llvm::MemoryBuffer> file,
                   DialectRegistry &registry, const MlirOptMainConfig &config) {
  bool replaces =
      !llvm::sys::fs::exists(output) || llvm::sys::fs::is_regular_file(output);
  if (output != "-" && replaces) {
    std::string text;
    llvm::raw_string_ostream stream(text);
    if (failed(MlirOptMain(stream, std::move(file), registry, config)))
      return kRuntimeError;
    absl::Status status = ::t6::writeFileAtomically(output.str(), text);
    return status.ok() ? 0 : fail(std::string(status.message()), kRuntimeError);
  }
  std::string error;
  std::unique_ptr<llvm::ToolOutputFile> stream = openOutputFile(output, &error);
  if (!stream)
    return fail(error, kRuntimeError);
  LogicalResult done =
      MlirOptMain(stream->os(), std::move(file), registry, config);
  stream->keep();
  stream->os().flush();
  if (std::error_code lost = stream->os().error()) {
    stream->os().clear_error();
    return fail("cannot write " + output + ": " + lost.message(),
                kRuntimeError);
  }
  return failed(done) ? kRuntimeError : 0;
}

int main(int argc, char **argv) {
  llvm::InitLLVM init(argc, argv);
  // A file that may not grow is an error like a full disk, not a crash.
  std::signal(SIGXFSZ, SIG_IGN);
  DialectRegistry registry;
  tpa::registerAllDialects(registry);
  tpa::registerAllPasses();
  constexpr StringRef name =
      "Compiler for Tensor Product Attention and T6 models";
  std::string help = registerCLIOptions(name, registry);
  shortenDiagnostics();
  cl::opt<std::string> input(cl::Positional, cl::desc("<input file>"),
                             cl::init("-"));
  cl::opt<std::string> output("o", cl::desc("Output filename"),
                              cl::value_desc("filename"), cl::init("-"));
  if (failed(parseFlags(argc, argv, help)))
    return kUsageError;
  const MlirOptMainConfig flags = MlirOptMainConfig::createFromCLOptions();
  MlirOptMainConfig config = flags;
  bool passesExist = true;
  config.setPassPipelineSetupFn([&](PassManager &passes) {
    passesExist = succeeded(addPasses(flags, passes));
    return success(passesExist);
  });

  auto compilation = parseCompilation(output);
  if (failed(compilation))
    return kUsageError;
  std::string error;
  std::unique_ptr<llvm::MemoryBuffer> file = openInputFile(input, &error);
  if (!file)
    return fail(error, kRuntimeError);
  if (StringRef(input).ends_with(".json"))
    file = importConfig(*file, registry);
  if (!file)
    return kRuntimeError;

  bool toArtifact = *compilation && (*compilation)->toArtifact;
  // The pipeline verifies its phases; every pass on request.
  auto verifyEach = cl::getRegisteredOptions().find("verify-each");
  if (toArtifact && verifyEach != cl::getRegisteredOptions().end() &&
      verifyEach->second->getNumOccurrences() == 0)
    config.verifyPasses(false);
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
    return asMainReturnCode(
        MlirOptMain(llvm::nulls(), std::move(file), registry, config));
  int code = printTo(output, std::move(file), registry, config);
  return passesExist ? code : kUsageError;
}
