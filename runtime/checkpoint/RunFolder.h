//===- RunFolder.h - The checkpoints of a training run, written -*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A run folder as a run leaves it:
//
//   out/checkpoints/step-000100/model.safetensors      the parameters
//   out/checkpoints/step-000100/optimizer.safetensors  the optimizer's tensors
//   out/checkpoints/step-000100/state.json             see StateFile.h
//   out/checkpoints/step-000100/config.json            for other programs
//   out/latest -> checkpoints/step-000100
//   out/best   -> checkpoints/step-000050
//   out/checkpoint-0 -> checkpoints/step-000000        a milestone
//
// A checkpoint is written under another name, synced and renamed, then a link
// is moved to it: after a crash at any moment what the links name is whole. The
// links are symbolic so that every tool may follow them
// (`out/best/model.safetensors`) and a rename replaces them in one step; a file
// system without symbolic links is refused.
//
//===----------------------------------------------------------------------===//

#ifndef T6_RUNTIME_CHECKPOINT_RUNFOLDER_H
#define T6_RUNTIME_CHECKPOINT_RUNFOLDER_H

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "runtime/checkpoint/Folders.h"
#include "runtime/checkpoint/TrainingState.h"
#include "runtime/io/Safetensors.h"

#include <nlohmann/json.hpp>

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

namespace t6 {

/// What a checkpoint holds. The tensors need only live during the save.
struct CheckpointContents {
  TrainingState state;
  /// For the fingerprint: see ModelFingerprint.
  nlohmann::json config = nlohmann::json::object();
  /// What config.json says; `config` if it is empty.
  nlohmann::json description = nlohmann::json::object();
  absl::Span<const NamedTensor> parameters;
  /// Under names of the caller's choice: `adamw.m.<parameter>`, ...
  absl::Span<const NamedTensor> optimizer;
  /// Other names of parameters, {"lm_head.weight": "transformer.wte.weight"}.
  std::map<std::string, std::string> aliases;
};

/// What points at a checkpoint beside `latest`, and so keeps it.
struct CheckpointRole {
  bool isBest = false;
  /// `checkpoint-<step>`, which stays for good.
  bool isMilestone = false;
};

struct SaveReport {
  /// The checkpoint's folder.
  std::string path;
  uint64_t bytes = 0;
  /// Folders of older checkpoints that were deleted.
  std::vector<std::string> pruned;
  /// Why not all that should have been deleted was. The save itself stands.
  absl::Status pruning;
};

/// The only writer of a run folder: of several ranks, one. Not for use by two
/// threads at once.
class RunFolder {
public:
  /// Makes the folders if need be and deletes what a killed run left
  /// unfinished. Keeps the `keepLast` checkpoints saved last, all if 0, and
  /// those that a link names. FailedPrecondition if another process has the
  /// folder open.
  static absl::StatusOr<std::unique_ptr<RunFolder>> open(absl::string_view path,
                                                         int64_t keepLast);

  /// Writes the checkpoint of contents.state.step, replacing one of that step,
  /// and moves `latest` to it, and `best` and a milestone as its role says.
  /// After an error `latest` names what it named, the checkpoints before are
  /// intact and nothing unfinished stays; ResourceExhausted says that the disk,
  /// the quota or the file size limit was reached, with the file and the bytes
  /// that are needed and free.
  absl::StatusOr<SaveReport> save(const CheckpointContents &contents,
                                  CheckpointRole role);

  const std::string &path() const { return folder; }

private:
  RunFolder(std::string folder, int64_t keepLast, FolderLock lock)
      : folder(std::move(folder)), keepLast(keepLast), lock(std::move(lock)) {}
  std::string checkpoints() const { return folder + "/checkpoints"; }
  absl::Status removeLeftovers();
  absl::StatusOr<uint64_t> write(const CheckpointContents &contents,
                                 const std::string &path);
  absl::Status moveLinks(int64_t step, CheckpointRole role);
  absl::StatusOr<std::vector<std::string>> links() const;
  absl::Status prune(int64_t step, std::vector<std::string> &pruned);

  std::string folder;
  int64_t keepLast;
  FolderLock lock;
};

} // namespace t6

#endif // T6_RUNTIME_CHECKPOINT_RUNFOLDER_H
