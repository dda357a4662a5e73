//===- ReferenceCheckpoint.h - Checkpoints of the reference -----*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The folders that the T6 reference's trainer writes, read and written:
// config.json, pytorch_model.bin (or its shards with their index) and
// optimizer.pt, which may be missing. They hold no position in the data, no
// tokens trained and no counters. Runs no code of them.
//
//===----------------------------------------------------------------------===//

#ifndef T6_RUNTIME_CHECKPOINT_REFERENCECHECKPOINT_H
#define T6_RUNTIME_CHECKPOINT_REFERENCECHECKPOINT_H

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "runtime/checkpoint/OptimizerFile.h"
#include "runtime/checkpoint/TrainingCheckpoint.h"
#include "runtime/io/PytorchFile.h"
#include "runtime/io/Safetensors.h"

#include <nlohmann/json.hpp>

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace t6 {

class ReferenceCheckpoint {
public:
  /// Whether `folder` has the reference's weights, right or wrong, and not a
  /// checkpoint of ours.
  static bool isOne(const std::string &folder);

  /// Reads headers alone. `config` has the keys that describe the model,
  /// `parameters` are its own and `aliases` other names of them.
  /// FailedPrecondition, with the first difference, for a checkpoint of another
  /// model: a key, a tensor that is missing, too many or of another shape or
  /// type, weights in another order than the reference's, by which the
  /// optimizer's state is numbered. DataLoss for a damaged file.
  static absl::StatusOr<std::unique_ptr<ReferenceCheckpoint>>
  open(const std::string &folder, const nlohmann::json &config,
       absl::Span<const NamedTensor> parameters,
       const std::map<std::string, std::string> &aliases);

  const std::string &path() const { return folder; }
  /// Null where there is no optimizer.pt.
  const OptimizerFile *optimizer() const { return moments.get(); }

  /// Copies weights into `parameters`, and moments into `optimizer`
  /// (`adamw.m.<parameter>`, `adamw.v.<parameter>`), which are zero where the
  /// checkpoint has none. DataLoss if something cannot be read; then some are
  /// overwritten.
  absl::Status restore(absl::Span<const NamedTensor> parameters,
                       absl::Span<const NamedTensor> optimizer);

private:
  ReferenceCheckpoint() = default;
  absl::Status openWeights(absl::Span<const NamedTensor> parameters,
                           const std::map<std::string, std::string> &aliases);
  absl::Status openOptimizer(absl::Span<const NamedTensor> ordered);

  std::string folder;
  std::vector<std::unique_ptr<PytorchFile>> files;
  /// Of each parameter, its file and its number there.
  std::map<std::string, std::pair<PytorchFile *, size_t>> weights;
  std::unique_ptr<OptimizerFile> moments;
};

struct ReferenceExport {
  size_t tensors = 0, aliases = 0;
  uint64_t bytes = 0;
  int64_t iteration = 0;
  /// What the reference cannot be told, as a sentence; empty: nothing.
  std::string note;
};

/// Writes a checkpoint of training as such a folder, which must not exist or
/// be empty. Parameters and their other names are the reference's: see
/// inReferenceOrder(). FailedPrecondition where the checkpoint's config.json
/// does not describe a model of the reference.
absl::StatusOr<ReferenceExport>
writeReferenceCheckpoint(const TrainingCheckpoint &checkpoint,
                         const std::string &folder);

} // namespace t6

#endif // T6_RUNTIME_CHECKPOINT_REFERENCECHECKPOINT_H
