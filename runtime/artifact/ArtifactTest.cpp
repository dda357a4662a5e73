//===- ArtifactTest.cpp ---------------------------------------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "runtime/artifact/Artifact.h"

#include "runtime/artifact/CpuFeatures.h"
#include "runtime/artifact/testing/FixtureArtifact.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstring>

using testing::HasSubstr;

namespace t6 {
namespace {

absl::Status openStatus(const std::string &bytes) {
  return Artifact::fromMemory(bytes, "m.t6x").status();
}

void expectDamaged(const std::string &bytes, const char *message) {
  absl::Status status = openStatus(bytes);
  EXPECT_EQ(status.code(), absl::StatusCode::kDataLoss) << status;
  EXPECT_THAT(std::string(status.message()), HasSubstr(message));
  EXPECT_THAT(std::string(status.message()), HasSubstr("m.t6x: "));
  EXPECT_THAT(std::string(status.message()), HasSubstr("HINT: "));
}

std::string &fileNamed(FixtureFiles &files, const std::string &name) {
  for (auto &file : files)
    if (file.first == name)
      return file.second;
  ADD_FAILURE() << "no file " << name;
  return files[0].second;
}

TEST(Artifact, OpensAFile) {
  std::string path = writeTemporary("good.t6x", fixtureArtifact());
  absl::StatusOr<std::shared_ptr<const Artifact>> artifact =
      Artifact::open(path);
  ASSERT_TRUE(artifact.ok()) << artifact.status();
  EXPECT_EQ((*artifact)->program().model.name, "fixture");
  EXPECT_EQ((*artifact)->files().size(), 5u);
  EXPECT_TRUE((*artifact)->hasReference());
  EXPECT_EQ(*(*artifact)->readFile("ir/fused.mlir"), "module {}\n");
  EXPECT_EQ((*artifact)->readFile("ir/none.mlir").status().code(),
            absl::StatusCode::kNotFound);
  std::string constants((*artifact)->constantsBytes(), '\0');
  ASSERT_TRUE((*artifact)->readConstants(&constants[0], constants.size()).ok());
  EXPECT_EQ(std::memcmp(&constants[64], kFixtureScale, sizeof(kFixtureScale)),
            0);
}

TEST(Artifact, LoadsBothSetsOfKernels) {
  std::string bytes = fixtureArtifact(FixtureKernels::Wrong);
  auto artifact = Artifact::fromMemory(bytes, "m.t6x");
  ASSERT_TRUE(artifact.ok()) << artifact.status();
  absl::StatusOr<KernelLibrary> kernels =
      (*artifact)->loadKernels(KernelSet::Optimized);
  ASSERT_TRUE(kernels.ok()) << kernels.status();
  absl::StatusOr<KernelLibrary> reference =
      (*artifact)->loadKernels(KernelSet::Reference);
  ASSERT_TRUE(reference.ok()) << reference.status();
  ASSERT_EQ(kernels->kernels().size(), 5u);
  // Two libraries, not one found twice under a reused name.
  for (size_t i = 0; i < 5; ++i)
    EXPECT_NE(kernels->kernels()[i], reference->kernels()[i]);
}

TEST(Artifact, UnreadableFilesAreNamed) {
  absl::Status missing = Artifact::open("/nonexistent/x.t6x").status();
  EXPECT_EQ(missing.code(), absl::StatusCode::kNotFound);
  EXPECT_THAT(std::string(missing.message()), HasSubstr("/nonexistent/x.t6x"));
  EXPECT_EQ(Artifact::open("/tmp").status().code(),
            absl::StatusCode::kInvalidArgument);
}

TEST(Artifact, RefusesEveryTruncation) {
  std::string bytes = fixtureArtifact();
  for (size_t size = 0; size < bytes.size(); size += 1 + bytes.size() / 200)
    EXPECT_EQ(openStatus(bytes.substr(0, size)).code(),
              absl::StatusCode::kDataLoss)
        << size;
  std::string path = writeTemporary("cut.t6x", bytes.substr(0, 1000));
  EXPECT_EQ(Artifact::open(path).status().code(), absl::StatusCode::kDataLoss);
}

TEST(Artifact, RefusesWhatIsNotAZip) {
  expectDamaged("", "no program.json");
  expectDamaged(std::string(4096, 'x'), "is not a zip");
  expectDamaged(zipFiles({{"a", "b"}}), "no program.json");
}

TEST(Artifact, RefusesAnotherSchema) {
  Program program = fixtureProgram();
  program.schema = 7;
  absl::Status status = openStatus(zipFiles(fixtureFiles(program)));
  EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(std::string(status.message()),
              HasSubstr("m.t6x: program.json: schema 7 is not supported"));
}

TEST(Artifact, RefusesAWrongHash) {
  FixtureFiles files = fixtureFiles(fixtureProgram());
  fileNamed(files, "kernels.so").back() ^= 1;
  expectDamaged(zipFiles(files), "kernels.so has the hash");
  files = fixtureFiles(fixtureProgram());
  fileNamed(files, "constants.bin")[70] ^= 1;
  expectDamaged(zipFiles(files), "constants.bin has the hash");
}

TEST(Artifact, RefusesAWrongSize) {
  FixtureFiles files = fixtureFiles(fixtureProgram());
  fileNamed(files, "check.so") += "x";
  expectDamaged(zipFiles(files), "check.so has ");
}

TEST(Artifact, RefusesAFlippedByteInAnUnlistedFile) {
  std::string bytes = fixtureArtifact();
  size_t at = bytes.find("module {}");
  ASSERT_NE(at, std::string::npos);
  bytes[at] = 'M';
  auto artifact = Artifact::fromMemory(bytes, "m.t6x");
  ASSERT_TRUE(artifact.ok()) << artifact.status();
  EXPECT_EQ((*artifact)->readFile("ir/fused.mlir").status().code(),
            absl::StatusCode::kDataLoss); // By the zip's CRC.
}

TEST(Artifact, RefusesOffsetsOutOfRange) {
  Program program = fixtureProgram();
  program.entries[0].dispatches[0].bindings[2].offset = 1 << 20;
  expectDamaged(zipFiles(fixtureFiles(program)),
                "bindings[2] reaches from byte 1048576 outside of buffer");
}

TEST(Artifact, RefusesMissingAndUnlistedFiles) {
  FixtureFiles files = fixtureFiles(fixtureProgram());
  FixtureFiles without = files;
  without.erase(without.begin() + 1);
  expectDamaged(zipFiles(without), "lacks 'kernels.so'");
  files.push_back({"extra.so", "x"});
  expectDamaged(zipFiles(files), "does not list 'extra.so'");
}

TEST(Artifact, RefusesCompressedEntries) {
  FixtureFiles files = fixtureFiles(fixtureProgram());
  files.push_back({"ir/bomb.mlir", std::string(1 << 20, '0')});
  std::string bytes = zipFiles(files, /*compress=*/true);
  expectDamaged(bytes, "is compressed, not stored");
}

/// Replaces every occurrence of `from`, which has the length of `to`.
std::string replaceAll(std::string text, const std::string &from,
                       const std::string &to) {
  for (size_t at = text.find(from); at != std::string::npos;
       at = text.find(from, at + to.size()))
    text.replace(at, from.size(), to);
  return text;
}

TEST(Artifact, RefusesDuplicateEntries) {
  FixtureFiles files = fixtureFiles(fixtureProgram());
  files.push_back({"kernelz.so", "other"});
  expectDamaged(replaceAll(zipFiles(files), "kernelz.so", "kernels.so"),
                "exists");
}

/// The position of the central directory record of the entry called `name`.
size_t centralRecord(const std::string &bytes, const std::string &name) {
  size_t at = bytes.rfind(name) - 46;
  EXPECT_EQ(bytes.substr(at, 4), "PK\1\2");
  return at;
}

TEST(Artifact, RefusesEncryptedEntries) {
  std::string bytes = fixtureArtifact();
  size_t central = centralRecord(bytes, "ir/fused.mlir");
  size_t local = bytes.find("ir/fused.mlir") - 30;
  bytes[central + 8] |= 1; // General purpose flag, bit 0.
  bytes[local + 6] |= 1;
  expectDamaged(bytes, "");
}

TEST(Artifact, RefusesEntriesThatClaimMoreThanTheFile) {
  std::string bytes = fixtureArtifact();
  size_t central = centralRecord(bytes, "ir/fused.mlir");
  size_t local = bytes.find("ir/fused.mlir") - 30;
  for (size_t field : {central + 20, central + 24, local + 18, local + 22})
    bytes.replace(field, 4, std::string("\xf0\xff\xff\x7f", 4));
  expectDamaged(bytes, "");
}

TEST(KernelLibrary, NamesAMissingKernel) {
  Program program = fixtureProgram();
  program.kernels[3].symbol = "fixture_absent";
  std::string bytes = zipFiles(fixtureFiles(program));
  auto artifact = Artifact::fromMemory(bytes, "m.t6x");
  ASSERT_TRUE(artifact.ok()) << artifact.status();
  absl::Status status = (*artifact)->loadKernels(KernelSet::Optimized).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kDataLoss);
  EXPECT_THAT(std::string(status.message()),
              HasSubstr("kernels.so: lacks the kernel 'fixture_absent'"));
}

TEST(KernelLibrary, RefusesWhatIsNoLibrary) {
  Program program = fixtureProgram();
  std::string elf = fixtureLibrary(FixtureKernels::Right);
  auto load = [&](const std::string &bytes) {
    return KernelLibrary::load(bytes, program, "kernels.so").status();
  };
  EXPECT_TRUE(load(elf).ok());
  EXPECT_EQ(load("").code(), absl::StatusCode::kDataLoss);
  EXPECT_EQ(load(std::string(500, 'x')).code(), absl::StatusCode::kDataLoss);
  EXPECT_EQ(load(elf.substr(0, 300)).code(), absl::StatusCode::kDataLoss);
  std::string arm = elf;
  arm[18] = '\xb7'; // e_machine: AArch64.
  EXPECT_THAT(std::string(load(arm).message()), HasSubstr("not for x86-64"));
}

TEST(KernelLibrary, ChecksTheCpu) {
  CpuTarget cpu;
  cpu.name = "someday";
  cpu.features = {"sse2", "avx1024"};
  absl::Status status = checkCpu(cpu, "m.t6x");
  EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(std::string(status.message()), HasSubstr("avx1024"));
  EXPECT_THAT(std::string(status.message()),
              HasSubstr("HINT: recompile with --cpu=x86-64-v3"));
  // No CPU has both of these: one is AMD's and the other Intel's.
  cpu.features = {"fma4", "amx-tile"};
  EXPECT_THAT(std::string(checkCpu(cpu, "m.t6x").message()),
              HasSubstr("this CPU lacks "));
  cpu.features = {"sse2", "cx8"};
  EXPECT_TRUE(checkCpu(cpu, "m.t6x").ok());
}

TEST(CpuFeatures, AgreesWithTheCompilersTable) {
  auto expectFeature = [](const char *name, bool present) {
    EXPECT_EQ(cpuFeature(name),
              present ? FeatureSupport::Present : FeatureSupport::Absent)
        << name;
  };
  __builtin_cpu_init();
  expectFeature("sse4.2", __builtin_cpu_supports("sse4.2"));
  expectFeature("avx", __builtin_cpu_supports("avx"));
  expectFeature("avx2", __builtin_cpu_supports("avx2"));
  expectFeature("fma", __builtin_cpu_supports("fma"));
  expectFeature("bmi2", __builtin_cpu_supports("bmi2"));
  expectFeature("avx512f", __builtin_cpu_supports("avx512f"));
  expectFeature("avx512bw", __builtin_cpu_supports("avx512bw"));
  expectFeature("avx512vl", __builtin_cpu_supports("avx512vl"));
  expectFeature("avx512vnni", __builtin_cpu_supports("avx512vnni"));
  expectFeature("avx512bf16", __builtin_cpu_supports("avx512bf16"));
  expectFeature("fma4", __builtin_cpu_supports("fma4"));
  EXPECT_EQ(cpuFeature("flux"), FeatureSupport::Unknown);
}

} // namespace
} // namespace t6
