//===- CpuTarget.cpp - The CPU that code is generated for -----------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "compiler/codegen/cpu/CpuTarget.h"
#include "llvm/ADT/StringMap.h"
#include "llvm/MC/MCSubtargetInfo.h"
#include "llvm/MC/TargetRegistry.h"
#include "llvm/Support/TargetSelect.h"
#include "llvm/TargetParser/Host.h"
#include "llvm/TargetParser/Triple.h"

using namespace mlir;

namespace tpa::cpu {

/// The instruction sets that generated code can come to use; the runtime looks
/// for each before it loads kernels.
static constexpr llvm::StringLiteral knownFeatures[] = {
    "avx",        "avx2",     "fma",      "f16c",       "bmi",
    "bmi2",       "lzcnt",    "movbe",    "avx512f",    "avx512bw",
    "avx512cd",   "avx512dq", "avx512vl", "avx512bf16", "avx512fp16",
    "avx512vnni", "amx-tile", "amx-bf16"};

FailureOr<CpuTarget> resolveCpu(StringRef name, std::string &error) {
  LLVMInitializeX86TargetInfo();
  LLVMInitializeX86Target();
  LLVMInitializeX86TargetMC();
  LLVMInitializeX86AsmPrinter();
  CpuTarget cpu;
  bool isNative = name == "native" || name.empty();
  cpu.name = isNative ? llvm::sys::getHostCPUName().str() : name.str();
  llvm::Triple triple("x86_64-unknown-linux-gnu");
  std::string unknownTarget;
  const llvm::Target *target =
      llvm::TargetRegistry::lookupTarget(triple, unknownTarget);
  if (!target) {
    error = "this build of LLVM cannot generate x86-64 code: " + unknownTarget;
    return failure();
  }
  std::unique_ptr<llvm::MCSubtargetInfo> subtarget(
      target->createMCSubtargetInfo(triple, "", ""));
  if (!subtarget->isCPUStringValid(cpu.name)) {
    error = "unknown CPU '" + cpu.name +
            "'. HINT: use native, x86-64-v3, x86-64-v4 or a name from llc "
            "-mcpu=help";
    return failure();
  }
  subtarget.reset(target->createMCSubtargetInfo(triple, cpu.name, ""));
  llvm::StringMap<bool> host = llvm::sys::getHostCPUFeatures();
  for (StringRef feature : knownFeatures) {
    // A name can promise more than a virtual machine passes through.
    bool has = subtarget->checkFeatures("+" + feature.str());
    if (has && (!isNative || host.lookup(feature)))
      cpu.features.push_back(feature.str());
  }
  if (!llvm::is_contained(cpu.features, "avx2") ||
      !llvm::is_contained(cpu.features, "fma")) {
    error = "CPU '" + cpu.name +
            "' has no AVX2 with FMA, which generated code needs"
            ". HINT: use --cpu=x86-64-v3 on a machine that has";
    return failure();
  }
  if (llvm::is_contained(cpu.features, "avx512f")) {
    cpu.vectorBits = 512;
    cpu.registers = 32;
  }
  return cpu;
}

} // namespace tpa::cpu
