//===- CpuTarget.h - The CPU that code is generated for ---------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef TPA_COMPILER_CODEGEN_CPU_CPUTARGET_H
#define TPA_COMPILER_CODEGEN_CPU_CPUTARGET_H

#include "mlir/Support/LLVM.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/StringRef.h"
#include <string>
#include <vector>

namespace tpa::cpu {

struct CpuTarget {
  std::string name;                  ///< LLVM's name, "sapphirerapids"
  std::vector<std::string> features; ///< instruction sets that the code may use
  int64_t vectorBits = 256;
  int64_t registers = 16;

  int64_t lanes() const { return vectorBits / 32; }
  bool has(llvm::StringRef feature) const {
    return llvm::is_contained(features, feature);
  }
  /// How far ahead a single stream of memory is worth asking for. Measured: on
  /// Sapphire Rapids it doubles the speed of a stream of bf16; a Zen core loses
  /// up to a third, as its own prefetcher then sees no misses to follow.
  int64_t prefetchBytes() const {
    return llvm::StringRef(name).starts_with("znver") ? 0 : 2048;
  }
};

/// `native` is this machine; else a name that LLVM knows for x86-64, such as
/// `x86-64-v3` (AVX2 and FMA, the least that is supported) or `sapphirerapids`.
/// Fails with a sentence in `error`.
mlir::FailureOr<CpuTarget> resolveCpu(llvm::StringRef name, std::string &error);

} // namespace tpa::cpu

#endif // TPA_COMPILER_CODEGEN_CPU_CPUTARGET_H
