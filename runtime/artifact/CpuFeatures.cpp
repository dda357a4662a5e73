//===- CpuFeatures.cpp - What this machine's CPU can run ------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A table from LLVM's feature names to CPUID bits (Intel SDM volume 2A, CPUID;
// AMD APM volume 3, appendix E). Register state that the operating system must
// save is checked in XCR0 as well.
//
//===----------------------------------------------------------------------===//

#include "runtime/artifact/CpuFeatures.h"

#include <cpuid.h>
#include <cstdint>

namespace t6 {
namespace {

enum Register { EAX, EBX, ECX, EDX };

// Parts of XCR0.
constexpr uint64_t kNoState = 0;
constexpr uint64_t kYmm = 0x6;       // SSE and AVX state.
constexpr uint64_t kZmm = 0xe6;      // And opmask, upper ZMM, ZMM16-31.
constexpr uint64_t kTiles = 0x60000; // AMX configuration and data.

struct Feature {
  const char *name;
  uint32_t leaf;
  uint32_t subleaf;
  Register reg;
  int bit;
  uint64_t state;
};

constexpr uint32_t kExtended1 = 0x80000001;
constexpr uint32_t kExtended8 = 0x80000008;

constexpr Feature kFeatures[] = {
    {"cx8", 1, 0, EDX, 8, kNoState},
    {"cmov", 1, 0, EDX, 15, kNoState},
    {"mmx", 1, 0, EDX, 23, kNoState},
    {"fxsr", 1, 0, EDX, 24, kNoState},
    {"sse", 1, 0, EDX, 25, kNoState},
    {"sse2", 1, 0, EDX, 26, kNoState},
    {"x87", 1, 0, EDX, 0, kNoState},
    {"sse3", 1, 0, ECX, 0, kNoState},
    {"pclmul", 1, 0, ECX, 1, kNoState},
    {"ssse3", 1, 0, ECX, 9, kNoState},
    {"fma", 1, 0, ECX, 12, kYmm},
    {"cx16", 1, 0, ECX, 13, kNoState},
    {"sse4.1", 1, 0, ECX, 19, kNoState},
    {"sse4.2", 1, 0, ECX, 20, kNoState},
    {"crc32", 1, 0, ECX, 20, kNoState},
    {"movbe", 1, 0, ECX, 22, kNoState},
    {"popcnt", 1, 0, ECX, 23, kNoState},
    {"aes", 1, 0, ECX, 25, kNoState},
    {"xsave", 1, 0, ECX, 26, kNoState},
    {"avx", 1, 0, ECX, 28, kYmm},
    {"f16c", 1, 0, ECX, 29, kYmm},
    {"rdrnd", 1, 0, ECX, 30, kNoState},
    {"fsgsbase", 7, 0, EBX, 0, kNoState},
    {"sgx", 7, 0, EBX, 2, kNoState},
    {"bmi", 7, 0, EBX, 3, kNoState},
    {"avx2", 7, 0, EBX, 5, kYmm},
    {"bmi2", 7, 0, EBX, 8, kNoState},
    {"invpcid", 7, 0, EBX, 10, kNoState},
    {"rtm", 7, 0, EBX, 11, kNoState},
    {"avx512f", 7, 0, EBX, 16, kZmm},
    {"avx512dq", 7, 0, EBX, 17, kZmm},
    {"rdseed", 7, 0, EBX, 18, kNoState},
    {"adx", 7, 0, EBX, 19, kNoState},
    {"avx512ifma", 7, 0, EBX, 21, kZmm},
    {"clflushopt", 7, 0, EBX, 23, kNoState},
    {"clwb", 7, 0, EBX, 24, kNoState},
    {"avx512cd", 7, 0, EBX, 28, kZmm},
    {"sha", 7, 0, EBX, 29, kNoState},
    {"avx512bw", 7, 0, EBX, 30, kZmm},
    {"avx512vl", 7, 0, EBX, 31, kZmm},
    {"avx512vbmi", 7, 0, ECX, 1, kZmm},
    {"pku", 7, 0, ECX, 4, kNoState},
    {"waitpkg", 7, 0, ECX, 5, kNoState},
    {"avx512vbmi2", 7, 0, ECX, 6, kZmm},
    {"shstk", 7, 0, ECX, 7, kNoState},
    {"gfni", 7, 0, ECX, 8, kNoState},
    {"vaes", 7, 0, ECX, 9, kYmm},
    {"vpclmulqdq", 7, 0, ECX, 10, kYmm},
    {"avx512vnni", 7, 0, ECX, 11, kZmm},
    {"avx512bitalg", 7, 0, ECX, 12, kZmm},
    {"avx512vpopcntdq", 7, 0, ECX, 14, kZmm},
    {"rdpid", 7, 0, ECX, 22, kNoState},
    {"kl", 7, 0, ECX, 23, kNoState},
    {"cldemote", 7, 0, ECX, 25, kNoState},
    {"movdiri", 7, 0, ECX, 27, kNoState},
    {"movdir64b", 7, 0, ECX, 28, kNoState},
    {"enqcmd", 7, 0, ECX, 29, kNoState},
    {"uintr", 7, 0, EDX, 5, kNoState},
    {"avx512vp2intersect", 7, 0, EDX, 8, kZmm},
    {"serialize", 7, 0, EDX, 14, kNoState},
    {"tsxldtrk", 7, 0, EDX, 16, kNoState},
    {"pconfig", 7, 0, EDX, 18, kNoState},
    {"amx-bf16", 7, 0, EDX, 22, kTiles},
    {"avx512fp16", 7, 0, EDX, 23, kZmm},
    {"amx-tile", 7, 0, EDX, 24, kTiles},
    {"amx-int8", 7, 0, EDX, 25, kTiles},
    {"sha512", 7, 1, EAX, 0, kYmm},
    {"sm3", 7, 1, EAX, 1, kYmm},
    {"sm4", 7, 1, EAX, 2, kYmm},
    {"raoint", 7, 1, EAX, 3, kNoState},
    {"avxvnni", 7, 1, EAX, 4, kYmm},
    {"avx512bf16", 7, 1, EAX, 5, kZmm},
    {"cmpccxadd", 7, 1, EAX, 7, kNoState},
    {"amx-fp16", 7, 1, EAX, 21, kTiles},
    {"hreset", 7, 1, EAX, 22, kNoState},
    {"avxifma", 7, 1, EAX, 23, kYmm},
    {"avxvnniint8", 7, 1, EDX, 4, kYmm},
    {"avxneconvert", 7, 1, EDX, 5, kYmm},
    {"amx-complex", 7, 1, EDX, 8, kTiles},
    {"avxvnniint16", 7, 1, EDX, 10, kYmm},
    {"prefetchi", 7, 1, EDX, 14, kNoState},
    {"usermsr", 7, 1, EDX, 15, kNoState},
    {"xsaveopt", 0xd, 1, EAX, 0, kNoState},
    {"xsavec", 0xd, 1, EAX, 1, kNoState},
    {"xsaves", 0xd, 1, EAX, 3, kNoState},
    {"ptwrite", 0x14, 0, EBX, 4, kNoState},
    {"widekl", 0x19, 0, EBX, 2, kNoState},
    {"sahf", kExtended1, 0, ECX, 0, kNoState},
    {"lzcnt", kExtended1, 0, ECX, 5, kNoState},
    {"sse4a", kExtended1, 0, ECX, 6, kNoState},
    {"prfchw", kExtended1, 0, ECX, 8, kNoState},
    {"xop", kExtended1, 0, ECX, 11, kYmm},
    {"lwp", kExtended1, 0, ECX, 15, kNoState},
    {"fma4", kExtended1, 0, ECX, 16, kYmm},
    {"tbm", kExtended1, 0, ECX, 21, kNoState},
    {"mwaitx", kExtended1, 0, ECX, 29, kNoState},
    {"64bit", kExtended1, 0, EDX, 29, kNoState},
    {"clzero", kExtended8, 0, EBX, 0, kNoState},
    {"rdpru", kExtended8, 0, EBX, 4, kNoState},
    {"wbnoinvd", kExtended8, 0, EBX, 9, kNoState},
};

bool cpuidBit(uint32_t leaf, uint32_t subleaf, Register reg, int bit) {
  uint32_t values[4] = {0, 0, 0, 0};
  if (!__get_cpuid_count(leaf, subleaf, &values[EAX], &values[EBX],
                         &values[ECX], &values[EDX]))
    return false;
  return (values[reg] >> bit) & 1;
}

/// The register state that the operating system saves, or 0.
uint64_t enabledState() {
  constexpr int kOsXsave = 27;
  if (!cpuidBit(1, 0, ECX, kOsXsave))
    return 0;
  uint32_t low = 0, high = 0;
  __asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
  return (uint64_t{high} << 32) | low;
}

} // namespace

FeatureSupport cpuFeature(absl::string_view name) {
  for (const Feature &feature : kFeatures) {
    if (name != feature.name)
      continue;
    bool present =
        cpuidBit(feature.leaf, feature.subleaf, feature.reg, feature.bit) &&
        (enabledState() & feature.state) == feature.state;
    return present ? FeatureSupport::Present : FeatureSupport::Absent;
  }
  return FeatureSupport::Unknown;
}

} // namespace t6
