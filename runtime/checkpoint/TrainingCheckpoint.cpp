//===- TrainingCheckpoint.cpp - A checkpoint of a training run, read ------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "runtime/checkpoint/TrainingCheckpoint.h"

#include "absl/strings/str_cat.h"
#include "runtime/checkpoint/Folders.h"
#include "runtime/checkpoint/StepNames.h"
#include "runtime/io/Names.h"

#include <filesystem>
#include <limits>
#include <system_error>
#include <vector>

namespace t6 {
namespace {

namespace fs = std::filesystem;

absl::Status damaged(absl::string_view path, absl::string_view what) {
  return absl::DataLossError(absl::StrCat(
      path, ": ", what,
      "; HINT: the checkpoint is damaged or incomplete; use another one"));
}

/// MappedFile::open, but a file that should be there and is not is damage.
absl::StatusOr<std::unique_ptr<MappedFile>> openPart(const std::string &path) {
  absl::StatusOr<std::unique_ptr<MappedFile>> file = MappedFile::open(path);
  if (absl::IsNotFound(file.status()))
    return damaged(path, "the file is missing");
  return file;
}

bool isFolder(const std::string &path) {
  std::error_code error;
  return fs::is_directory(path, error);
}

} // namespace

absl::StatusOr<std::unique_ptr<TrainingCheckpoint>>
TrainingCheckpoint::open(absl::string_view path,
                         const ModelFingerprint *expected) {
  std::unique_ptr<TrainingCheckpoint> checkpoint(new TrainingCheckpoint);
  checkpoint->folder = withoutSlash(path);
  if (!isFolder(checkpoint->folder))
    return absl::NotFoundError(absl::StrCat(
        path, ": there is no such folder; HINT: name the folder "
              "of a checkpoint, as in out/checkpoints/step-000100"));
  absl::Status status = checkpoint->readState();
  // Before the tensors are read: another model is the more telling answer.
  if (status.ok() && expected)
    status = checkSameModel(*expected, checkpoint->model(), path);
  if (status.ok())
    status = checkpoint->openTensors(kModelFile, checkpoint->modelMapping,
                                     checkpoint->modelTensors);
  if (status.ok())
    status =
        checkpoint->openTensors(kOptimizerFile, checkpoint->optimizerMapping,
                                checkpoint->optimizerTensors);
  if (status.ok())
    status = checkpoint->checkParameters();
  if (!status.ok())
    return status;
  return checkpoint;
}

absl::Status TrainingCheckpoint::readState() {
  std::string path = absl::StrCat(folder, "/", kStateFile);
  absl::StatusOr<std::unique_ptr<MappedFile>> file = openPart(path);
  if (!file.ok())
    return file.status();
  absl::Span<const uint8_t> bytes = (*file)->bytes();
  absl::StatusOr<StateFile> parsed = parseStateFile(
      {reinterpret_cast<const char *>(bytes.data()), bytes.size()}, path);
  if (!parsed.ok())
    return parsed.status();
  contents = *std::move(parsed);
  return absl::OkStatus();
}

absl::Status TrainingCheckpoint::openTensors(
    absl::string_view name, std::unique_ptr<MappedFile> &mapping,
    std::unique_ptr<SafetensorsFile> &tensors) const {
  std::string path = absl::StrCat(folder, "/", name);
  const TensorFileRecord *record = nullptr;
  for (const TensorFileRecord &candidate : contents.files)
    if (candidate.name == name)
      record = &candidate;
  if (!record)
    return damaged(absl::StrCat(folder, "/", kStateFile),
                   absl::StrCat(name, " is not listed"));
  absl::StatusOr<std::unique_ptr<MappedFile>> file = openPart(path);
  if (!file.ok())
    return file.status();
  mapping = *std::move(file);
  if (mapping->bytes().size() != record->bytes)
    return damaged(path, absl::StrCat("the file has ", mapping->bytes().size(),
                                      " bytes instead of ", record->bytes));
  if (contentChecksum(mapping->bytes()) != record->checksum)
    return damaged(path, "the contents do not have the checksum written");
  absl::StatusOr<std::unique_ptr<SafetensorsFile>> parsed =
      SafetensorsFile::parse(mapping->bytes(), path);
  if (!parsed.ok())
    return parsed.status();
  tensors = *std::move(parsed);
  return absl::OkStatus();
}

absl::Status TrainingCheckpoint::checkParameters() const {
  std::string path = absl::StrCat(folder, "/", kModelFile);
  if (modelTensors->tensors().size() != contents.model.parameters.size())
    return damaged(path,
                   absl::StrCat("the file has ", modelTensors->tensors().size(),
                                " tensors instead of ",
                                contents.model.parameters.size()));
  for (const TensorSpec &spec : contents.model.parameters) {
    const TensorView *found = modelTensors->find(spec.name);
    if (!found || found->dtype != spec.dtype || found->shape != spec.shape)
      return damaged(path, absl::StrCat("tensor ", quoteName(spec.name),
                                        " is missing or of another shape"));
  }
  return absl::OkStatus();
}

std::map<std::string, std::string> TrainingCheckpoint::aliases() const {
  std::map<std::string, std::string> names = modelTensors->metadata();
  names.erase("format");
  return names;
}

absl::StatusOr<TensorView>
TrainingCheckpoint::tensor(const TensorSpec &spec) const {
  const TensorView *found = modelTensors->find(spec.name);
  if (!found)
    found = optimizerTensors->find(spec.name);
  if (!found)
    return absl::FailedPreconditionError(absl::StrCat(
        folder, ": tensor ", quoteName(spec.name),
        " is missing; HINT: resume with the optimizer that saved it"));
  if (found->dtype != spec.dtype || found->shape != spec.shape)
    return absl::FailedPreconditionError(absl::StrCat(
        folder, ": tensor ", quoteName(spec.name), " is ", name(found->dtype),
        " ", shapeToString(found->shape), " and should be ", name(spec.dtype),
        " ", shapeToString(spec.shape),
        "; HINT: resume with the model and optimizer that saved it"));
  return *found;
}

namespace {

/// The first of the checkpoints in the order of stepsIn() that is whole, or
/// null.
absl::StatusOr<std::unique_ptr<TrainingCheckpoint>>
newestWhole(const std::string &checkpoints, int64_t now,
            const ModelFingerprint *expected) {
  absl::StatusOr<std::vector<int64_t>> steps = stepsIn(checkpoints, now);
  if (!steps.ok())
    return steps.status();
  for (int64_t step : *steps) {
    absl::StatusOr<std::unique_ptr<TrainingCheckpoint>> checkpoint =
        TrainingCheckpoint::open(absl::StrCat(checkpoints, "/", stepName(step)),
                                 expected);
    if (checkpoint.ok() || !(absl::IsDataLoss(checkpoint.status()) ||
                             absl::IsNotFound(checkpoint.status())))
      return checkpoint;
  }
  return nullptr;
}

absl::string_view withoutHint(absl::string_view message) {
  return message.substr(0, message.find("; HINT:"));
}

/// The folder that `latest` names, there or not; a DataLoss without a link.
absl::StatusOr<std::string> latestFolder(const std::string &runFolder) {
  std::string link = absl::StrCat(runFolder, "/", kLatestLink);
  absl::StatusOr<std::string> target = readLink(link);
  if (!target.ok())
    return target.status();
  if (!target->empty())
    return (fs::path(runFolder) / *target).string();
  // A copy of a run folder may have a folder in the place of the link.
  if (isFolder(link))
    return link;
  return damaged(link, "there is no such link");
}

} // namespace

absl::StatusOr<LatestCheckpoint> openLatest(absl::string_view runFolder,
                                            const ModelFingerprint *expected,
                                            OnDamage onDamage) {
  std::string run = withoutSlash(runFolder);
  std::string checkpoints = absl::StrCat(run, "/", kCheckpointsFolder);
  if (isFolder(checkpoints)) {
    absl::StatusOr<std::vector<int64_t>> steps = stepsIn(checkpoints, 0);
    if (!steps.ok())
      return steps.status();
    if (steps->empty())
      checkpoints.clear();
  }
  if (!isFolder(checkpoints))
    return absl::NotFoundError(
        absl::StrCat(run, ": there is no checkpoint in this folder; HINT: name "
                          "the output folder of a run that has saved one"));
  absl::StatusOr<std::string> latest = latestFolder(run);
  absl::Status status = latest.status();
  while (latest.ok()) {
    absl::StatusOr<std::unique_ptr<TrainingCheckpoint>> checkpoint =
        TrainingCheckpoint::open(*latest, expected);
    if (checkpoint.ok())
      return LatestCheckpoint{*std::move(checkpoint), absl::OkStatus()};
    status = checkpoint.status();
    // A run that goes on meanwhile may have moved the link and deleted what it
    // named.
    absl::StatusOr<std::string> again = latestFolder(run);
    if (!again.ok() || *again == *latest)
      break;
    latest = *std::move(again);
  }
  if (absl::IsNotFound(status))
    status =
        damaged(absl::StrCat(run, "/", kLatestLink),
                absl::StrCat("it names ", *latest, ", which is not there"));
  if (!absl::IsDataLoss(status))
    return status;
  // Where `latest` says nothing, every step is of the past.
  int64_t now = std::numeric_limits<int64_t>::max();
  if (latest.ok())
    now = stepOfName(fs::path(*latest).filename().string()).value_or(now);
  absl::StatusOr<std::unique_ptr<TrainingCheckpoint>> whole =
      newestWhole(checkpoints, now, expected);
  if (!whole.ok())
    return whole.status();
  if (!*whole)
    return absl::DataLossError(absl::StrCat(
        withoutHint(status.message()), ", and no other checkpoint in ", run,
        " is whole; HINT: begin afresh in another folder"));
  if (onDamage == OnDamage::FallBack)
    return LatestCheckpoint{*std::move(whole), status};
  return absl::DataLossError(
      absl::StrCat(withoutHint(status.message()),
                   "; HINT: the newest checkpoint that is "
                   "whole is ",
                   (*whole)->path(), ", resume from it by name"));
}

} // namespace t6
