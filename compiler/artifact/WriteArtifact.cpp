//===- WriteArtifact.cpp - Writes a compiled module as a .t6x artifact ----===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "compiler/artifact/WriteArtifact.h"
#include "compiler/artifact/ProgramBuilder.h"
#include "compiler/artifact/ZipWriter.h"
#include "compiler/codegen/cpu/EmitObject.h"
#include "dialects/exec/ExecDialect.h"
#include "runtime/io/AtomicFile.h"
#include "llvm/ADT/SmallVector.h"
#include "llvm/Support/xxhash.h"

using namespace mlir;

namespace tpa {

static constexpr llvm::StringLiteral producer =
    "tpa-opt 0.1.0 (LLVM " LLVM_VERSION_STRING ")";

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
  if (module.getOps<exec::EntryOp>().empty())
    return module.emitError(
        "has nothing to run: no t6.model, or no entries in the phase "
        "that it is said to be in. HINT: see --compile-from");
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
  program->cpu = {options.cpu.name, options.cpu.features,
                  options.cpu.vectorBits};
  ZipWriter files;
  addFile(*program, files, "kernels.so", *kernels);
  addFile(*program, files, "constants.bin", *constants);
  if (!reference.empty())
    addFile(*program, files, "check.so", reference);
  for (const auto &[name, text] : options.ir)
    files.add("ir/" + name, text);
  files.add("program.json", ::t6::serializeProgram(*program));

  // No operation is to blame: the location stays out of the sentence.
  absl::Status written =
      ::t6::writeFileAtomically(options.path, files.finish());
  if (!written.ok())
    return emitError(UnknownLoc::get(module.getContext()))
           << std::string(written.message());
  return success();
}

} // namespace tpa
