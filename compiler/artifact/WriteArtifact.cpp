// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Writes a compiled module as a .t6x artifact.

#include "compiler/artifact/WriteArtifact.h"
#include "compiler/artifact/ProgramBuilder.h"
#include "compiler/artifact/ZipWriter.h"
#include "compiler/codegen/cpu/EmitObject.h"
#include "dialects/exec/ExecDialect.h"
#include "llvm/ADT/SmallVector.h"
#include "llvm/Support/Error.h"
#include "llvm/Support/FileUtilities.h"
#include "llvm/Support/raw_ostream.h"
#include "llvm/Support/xxhash.h"

using namespace mlir;

namespace tpa {

static constexpr llvm::StringLiteral producer = "tpa-opt 0.1.0 (LLVM " LLVM_VERSION_STRING ")";

static void addFile(::t6::Program &program, ZipWriter &zip, StringRef name,
                    StringRef contents) {
  ::t6::FileRecord record;
  record.name = name.str();
  record.bytes = contents.size();
  record.xxh3 = llvm::xxh3_64bits(contents);
  program.files.push_back(record);
  zip.add(name, contents);
}

LogicalResult writeArtifact(ModuleOp module, const ArtifactOptions &options) {
  FailureOr<::t6::Program> program = buildProgram(module);
  if (failed(program))
    return failure();
  FailureOr<std::string> constants = buildConstants(module);
  if (failed(constants))
    return failure();
  FailureOr<std::string> kernels = cpu::emitSharedObject(module, options.cpu);
  if (failed(kernels))
    return failure();

  std::string reference;
  if (auto plain = module.lookupSymbol<ModuleOp>(exec::referenceModuleName)) {
    FailureOr<std::string> object = cpu::emitSharedObject(plain, options.cpu);
    if (failed(object))
      return failure();
    reference = *object;
  }

  program->producer = producer.str();
  program->options.target = "cpu";
  program->cpu = {options.cpu.name, options.cpu.features, options.cpu.vectorBits};
  ZipWriter files;
  addFile(*program, files, "kernels.so", *kernels);
  addFile(*program, files, "constants.bin", *constants);
  if (!reference.empty())
    addFile(*program, files, "check.so", reference);
  for (const auto &[name, text] : options.ir)
    files.add("ir/" + name, text);
  files.add("program.json", ::t6::serializeProgram(*program));

  llvm::Error error = llvm::writeToOutput(options.path, [&](llvm::raw_ostream &stream) {
    stream << files.finish();
    return llvm::Error::success();
  });
  if (error)
    return module.emitError("cannot write ")
           << options.path << ": " << llvm::toString(std::move(error));
  return success();
}

} // namespace tpa
