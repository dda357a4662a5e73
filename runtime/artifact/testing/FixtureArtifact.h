//===- FixtureArtifact.h - A tiny artifact for tests ------------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Builds artifacts as the compiler does, so that a test can break one thing in
// them. The program embeds tokens, scales them, appends them to a cache and
// sums the cache: it has every kind of buffer and of scalar.
//
//===----------------------------------------------------------------------===//

#ifndef T6_RUNTIME_ARTIFACT_TESTING_FIXTUREARTIFACT_H
#define T6_RUNTIME_ARTIFACT_TESTING_FIXTUREARTIFACT_H

#include "runtime/schema/Program.h"

#include <string>
#include <utility>
#include <vector>

namespace t6 {

/// Sizes of the fixture, as in FixtureKernels.c.
constexpr int kFixtureBatch = 2;
constexpr int kFixtureVocab = 5;
constexpr int kFixtureWidth = 3;
constexpr int kFixtureChunk = 4;
constexpr int kFixtureLength = 8;
/// Workgroups of the counting dispatch.
constexpr int kFixtureCounts = 24;
/// The scale constant.
constexpr float kFixtureScale[kFixtureWidth] = {1, 2, -0.5f};

/// A valid program, without its "files".
Program fixtureProgram();

/// Index of the buffer called `name`, which exists.
int fixtureBuffer(const Program &program, const std::string &name);

enum class FixtureKernels { Right, Wrong, Nan };

/// The bytes of a built FixtureKernels.c.
std::string fixtureLibrary(FixtureKernels which);

/// The contents of a zip: names and bytes, in order.
using FixtureFiles = std::vector<std::pair<std::string, std::string>>;

/// The files of an artifact with `program`, whose "files" this fills in:
/// program.json, kernels.so, constants.bin, check.so and ir/fused.mlir.
FixtureFiles fixtureFiles(Program program,
                          FixtureKernels kernels = FixtureKernels::Right);

/// A zip of stored entries, or of deflated ones.
std::string zipFiles(const FixtureFiles &files, bool compress = false);

/// zipFiles(fixtureFiles(program)).
std::string fixtureArtifact(FixtureKernels kernels = FixtureKernels::Right);

/// Writes a file into the test's temporary folder and gives its path.
std::string writeTemporary(const std::string &name, const std::string &bytes);

} // namespace t6

#endif // T6_RUNTIME_ARTIFACT_TESTING_FIXTUREARTIFACT_H
