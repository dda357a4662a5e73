//===- Fingerprint.h - Which model a checkpoint is of -----------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The config and the parameters of a model, written into each of its
// checkpoints, so that a checkpoint of another model is told by the first thing
// that differs.
//
//===----------------------------------------------------------------------===//

#ifndef T6_RUNTIME_CHECKPOINT_FINGERPRINT_H
#define T6_RUNTIME_CHECKPOINT_FINGERPRINT_H

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "runtime/io/Safetensors.h"

#include <nlohmann/json.hpp>

#include <vector>

namespace t6 {

struct ModelFingerprint {
  /// An object; whatever makes two models with equal parameters differ.
  nlohmann::json config = nlohmann::json::object();
  /// Sorted by name, each name once.
  std::vector<TensorSpec> parameters;
};

/// `config` and the names, types and shapes of `parameters`, sorted.
ModelFingerprint fingerprintOf(const nlohmann::json &config,
                               absl::Span<const NamedTensor> parameters);

/// FailedPrecondition if `found`, the fingerprint of the checkpoint called
/// `label`, is not `expected`. Names the first key of the config that differs,
/// or else the first tensor in the order of names.
absl::Status checkSameModel(const ModelFingerprint &expected,
                            const ModelFingerprint &found,
                            absl::string_view label);

} // namespace t6

#endif // T6_RUNTIME_CHECKPOINT_FINGERPRINT_H
