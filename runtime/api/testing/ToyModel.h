//===- ToyModel.h - A whole artifact for tests ------------------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// An artifact with the standard entries, whose next token is easily computed
// by hand: see ToyKernels.c.
//
//===----------------------------------------------------------------------===//

#ifndef T6_RUNTIME_API_TESTING_TOYMODEL_H
#define T6_RUNTIME_API_TESTING_TOYMODEL_H

#include "runtime/artifact/testing/FixtureArtifact.h"
#include "runtime/schema/Program.h"

#include <cstdint>
#include <string>
#include <vector>

namespace t6 {

constexpr int kToyBatch = 2;
/// Three more than the byte tokenizer has: padding ids.
constexpr int kToyVocab = 260;
constexpr int kToyLength = 16;
constexpr int kToyChunk = 4;
/// The one parameter, "scale": the model is nearly certain of its next token.
constexpr float kToyScale = 20;

Program toyProgram();

/// The artifact of `program` with one of the kernels.
std::string toyArtifact(const Program &program = toyProgram(),
                        FixtureKernels kernels = FixtureKernels::Right);

/// Writes a safetensors file with the parameter and gives its path.
std::string toyWeights(const std::string &name, float scale = kToyScale);

/// The likeliest token after `tokens`, of those below `limit`.
int32_t toyNext(const std::vector<int32_t> &tokens, int limit = kToyVocab);

/// The `count` likeliest tokens after `tokens`, one after the other.
std::vector<int32_t> toyContinuation(std::vector<int32_t> tokens, int count,
                                     int limit = kToyVocab);

} // namespace t6

#endif // T6_RUNTIME_API_TESTING_TOYMODEL_H
