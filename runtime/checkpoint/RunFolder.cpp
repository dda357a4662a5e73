//===- RunFolder.cpp - The checkpoints of a training run, written ---------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "runtime/checkpoint/RunFolder.h"

#include "absl/container/flat_hash_set.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "runtime/checkpoint/StateFile.h"
#include "runtime/checkpoint/StepNames.h"
#include "runtime/io/AtomicFile.h"

#include <cstdio>
#include <filesystem>
#include <unistd.h>

namespace t6 {
namespace {

/// The name under which a checkpoint comes to be and passes away.
std::string temporaryName(absl::string_view name) {
  return absl::StrCat(".", name, ".tmp");
}

bool isTemporaryName(absl::string_view name) {
  return absl::StartsWith(name, ".") && absl::EndsWith(name, ".tmp");
}

uint64_t tensorBytes(const CheckpointContents &contents) {
  uint64_t bytes = 0;
  for (absl::Span<const NamedTensor> tensors :
       {contents.parameters, contents.optimizer})
    for (const NamedTensor &entry : tensors)
      bytes += entry.tensor.bytes;
  return bytes;
}

absl::Status withContext(const absl::Status &status,
                         const std::string &context) {
  return absl::Status(status.code(),
                      absl::StrCat(context, ": ", status.message()));
}

/// The last part of what a link says.
std::string baseName(const std::string &target) {
  return std::filesystem::path(target).filename().string();
}

} // namespace

absl::StatusOr<std::unique_ptr<RunFolder>>
RunFolder::open(absl::string_view path, int64_t keepLast) {
  std::string folder = withoutSlash(path);
  if (folder.empty() || keepLast < 0)
    return absl::InvalidArgumentError(
        "a run folder needs a name and a number of checkpoints to keep that is "
        "not negative");
  absl::Status made =
      makeFolders(absl::StrCat(folder, "/", kCheckpointsFolder));
  if (!made.ok())
    return made;
  absl::StatusOr<FolderLock> lock = FolderLock::acquire(folder);
  if (!lock.ok())
    return lock.status();
  std::unique_ptr<RunFolder> run(
      new RunFolder(std::move(folder), keepLast, *std::move(lock)));
  absl::Status removed = run->removeLeftovers();
  if (!removed.ok())
    return removed;
  return run;
}

absl::Status RunFolder::removeLeftovers() {
  for (absl::string_view link : {kLatestLink, kBestLink})
    unlink(absl::StrCat(folder, "/", temporaryName(link)).c_str());
  absl::StatusOr<std::vector<std::string>> links = listFolder(folder);
  if (!links.ok())
    return links.status();
  for (const std::string &name : *links)
    if (isTemporaryName(name) &&
        absl::StartsWith(name, absl::StrCat(".", kMilestonePrefix)))
      unlink(absl::StrCat(folder, "/", name).c_str());
  absl::StatusOr<std::vector<std::string>> names = listFolder(checkpoints());
  if (!names.ok())
    return names.status();
  for (const std::string &name : *names) {
    absl::Status removed =
        isTemporaryName(name)
            ? removeFolder(absl::StrCat(checkpoints(), "/", name))
            : absl::OkStatus();
    if (!removed.ok())
      return removed;
  }
  return absl::OkStatus();
}

absl::StatusOr<SaveReport> RunFolder::save(const CheckpointContents &contents,
                                           CheckpointRole role) {
  std::string name = stepName(contents.state.step);
  std::string finished = absl::StrCat(checkpoints(), "/", name);
  std::string temporary = absl::StrCat(checkpoints(), "/", temporaryName(name));
  uint64_t free = freeBytes(checkpoints());
  absl::StatusOr<uint64_t> bytes = write(contents, temporary);
  absl::Status status = bytes.status();
  if (status.ok())
    status = replaceFolder(temporary, finished);
  if (!status.ok()) {
    // Frees what was written; if this fails too, the next open() tries again.
    removeFolder(temporary).IgnoreError();
    std::string context =
        absl::StrCat("step ", contents.state.step, " is not saved");
    if (status.code() == absl::StatusCode::kResourceExhausted)
      absl::StrAppend(&context, " (", tensorBytes(contents),
                      " bytes are needed, ", free, " were free)");
    return withContext(status, context);
  }
  status = moveLinks(contents.state.step, role);
  if (!status.ok())
    return withContext(status, absl::StrCat(finished, " is whole, but not ",
                                            "what the links name"));
  SaveReport report{std::move(finished), *bytes, {}, absl::OkStatus()};
  report.pruning = prune(contents.state.step, report.pruned);
  return report;
}

absl::StatusOr<uint64_t> RunFolder::write(const CheckpointContents &contents,
                                          const std::string &path) {
  StateFile file{
      contents.state, fingerprintOf(contents.config, contents.parameters), {}};
  // What cannot be printed is found before the tensors take their time.
  absl::Status status = printStateFile(file).status();
  if (status.ok())
    status = removeFolder(path);
  if (status.ok())
    status = makeFolders(path);
  SafetensorsMetadata metadata = contents.aliases;
  metadata["format"] = "pt";
  if (status.ok())
    status = writeSafetensors(absl::StrCat(path, "/", kModelFile),
                              contents.parameters, metadata);
  if (status.ok())
    status = writeSafetensors(absl::StrCat(path, "/", kOptimizerFile),
                              contents.optimizer);
  if (!status.ok())
    return status;
  uint64_t bytes = 0;
  for (absl::string_view name : {kModelFile, kOptimizerFile}) {
    absl::StatusOr<TensorFileRecord> record = recordOf(path, name);
    if (!record.ok())
      return record.status();
    bytes += record->bytes;
    file.files.push_back(*std::move(record));
  }
  absl::StatusOr<std::string> text = printStateFile(file);
  if (!text.ok())
    return text.status();
  const nlohmann::json &description =
      contents.description.empty() ? contents.config : contents.description;
  std::string config =
      description.dump(2, ' ', /*ensure_ascii=*/true,
                       nlohmann::json::error_handler_t::replace) +
      "\n";
  status = writeFileAtomically(absl::StrCat(path, "/", kStateFile), *text);
  if (status.ok())
    status = writeFileAtomically(absl::StrCat(path, "/", kConfigFile), config);
  if (status.ok())
    status = syncFolder(path);
  if (!status.ok())
    return status;
  return bytes + text->size() + config.size();
}

absl::Status RunFolder::moveLinks(int64_t step, CheckpointRole role) {
  std::string target = absl::StrCat(kCheckpointsFolder, "/", stepName(step));
  // `latest` last: a run that is killed in between comes to this step again
  // from the checkpoint before, and moves all.
  absl::Status status;
  if (role.isBest)
    status = replaceLink(folder, kBestLink, target);
  if (status.ok() && role.isMilestone)
    status = replaceLink(folder, absl::StrCat(kMilestonePrefix, step), target);
  if (status.ok())
    status = replaceLink(folder, kLatestLink, target);
  return status;
}

/// Names of the links that keep a checkpoint.
absl::StatusOr<std::vector<std::string>> RunFolder::links() const {
  absl::StatusOr<std::vector<std::string>> names = listFolder(folder);
  if (!names.ok())
    return names.status();
  std::vector<std::string> kept = {std::string(kLatestLink),
                                   std::string(kBestLink)};
  for (const std::string &name : *names)
    if (absl::StartsWith(name, kMilestonePrefix))
      kept.push_back(name);
  return kept;
}

absl::Status RunFolder::prune(int64_t step, std::vector<std::string> &pruned) {
  if (keepLast == 0)
    return absl::OkStatus();
  absl::flat_hash_set<std::string> linked;
  absl::StatusOr<std::vector<std::string>> keeping = links();
  if (!keeping.ok())
    return keeping.status();
  for (const std::string &link : *keeping) {
    absl::StatusOr<std::string> target =
        readLink(absl::StrCat(folder, "/", link));
    if (!target.ok())
      return target.status();
    linked.insert(baseName(*target));
  }
  absl::StatusOr<std::vector<int64_t>> steps = stepsIn(checkpoints(), step);
  if (!steps.ok())
    return steps.status();
  for (size_t i = static_cast<size_t>(keepLast); i < steps->size(); ++i) {
    std::string name = stepName((*steps)[i]);
    if (linked.contains(name))
      continue;
    std::string path = absl::StrCat(checkpoints(), "/", name);
    std::string doomed = absl::StrCat(checkpoints(), "/", temporaryName(name));
    // Renamed first, so that a crash leaves no half of a checkpoint.
    absl::Status status = replaceFolder(path, doomed);
    if (status.ok())
      status = removeFolder(doomed);
    if (!status.ok())
      return status;
    pruned.push_back(path);
  }
  return absl::OkStatus();
}

} // namespace t6
