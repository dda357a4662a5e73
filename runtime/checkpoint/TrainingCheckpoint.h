//===- TrainingCheckpoint.h - A checkpoint of a training run, read *- C++
//-*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// One folder that RunFolder wrote, verified and mapped, and the search for the
// one to resume from.
//
//===----------------------------------------------------------------------===//

#ifndef T6_RUNTIME_CHECKPOINT_TRAININGCHECKPOINT_H
#define T6_RUNTIME_CHECKPOINT_TRAININGCHECKPOINT_H

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "runtime/checkpoint/Fingerprint.h"
#include "runtime/checkpoint/StateFile.h"
#include "runtime/checkpoint/TrainingState.h"
#include "runtime/io/MappedFile.h"
#include "runtime/io/Safetensors.h"

#include <map>
#include <memory>
#include <string>

namespace t6 {

/// The tensors live as long as the checkpoint, also if its folder is deleted.
class TrainingCheckpoint {
public:
  /// `path` is a checkpoint's folder or a link to it. Reads every byte once.
  /// NotFound if there is no such folder; DataLoss, naming the file, if one of
  /// its files is missing or has not the contents that were written;
  /// FailedPrecondition if it is of another schema version or not of the model
  /// `expected`, where null is any.
  static absl::StatusOr<std::unique_ptr<TrainingCheckpoint>>
  open(absl::string_view path, const ModelFingerprint *expected = nullptr);

  const std::string &path() const { return folder; }
  const TrainingState &state() const { return contents.state; }
  const ModelFingerprint &model() const { return contents.model; }

  /// In the order of their bytes in the file.
  absl::Span<const NamedTensor> parameters() const {
    return modelTensors->tensors();
  }
  absl::Span<const NamedTensor> optimizer() const {
    return optimizerTensors->tensors();
  }

  /// Other names of parameters.
  std::map<std::string, std::string> aliases() const;

  /// The parameter or optimizer tensor of that name; FailedPrecondition if
  /// there is none or it is of another type or shape.
  absl::StatusOr<TensorView> tensor(const TensorSpec &spec) const;

private:
  TrainingCheckpoint() = default;
  absl::Status readState();
  absl::Status openTensors(absl::string_view name,
                           std::unique_ptr<MappedFile> &mapping,
                           std::unique_ptr<SafetensorsFile> &tensors) const;
  absl::Status checkParameters() const;

  std::string folder;
  StateFile contents;
  std::unique_ptr<MappedFile> modelMapping, optimizerMapping;
  std::unique_ptr<SafetensorsFile> modelTensors, optimizerTensors;
};

/// What to do where `latest` is missing or damaged.
enum class OnDamage {
  /// An error that names the newest checkpoint that is whole.
  Refuse,
  /// That checkpoint.
  FallBack,
};

struct LatestCheckpoint {
  std::unique_ptr<TrainingCheckpoint> checkpoint;
  /// With OnDamage::FallBack, what is wrong with `latest`; otherwise ok.
  absl::Status skipped;
};

/// Opens what `latest` in a run folder names. NotFound only if the folder holds
/// no checkpoint at all, so that a caller may begin afresh; DataLoss if
/// `latest` is missing or damaged; a checkpoint of another model is refused as
/// by open(), whatever `onDamage`.
absl::StatusOr<LatestCheckpoint>
openLatest(absl::string_view runFolder,
           const ModelFingerprint *expected = nullptr,
           OnDamage onDamage = OnDamage::Refuse);

} // namespace t6

#endif // T6_RUNTIME_CHECKPOINT_TRAININGCHECKPOINT_H
