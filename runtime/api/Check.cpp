//===- Check.cpp - Checking kernels, converting checkpoints ---------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "runtime/api/Model.h"
#include "runtime/api/Status.h"
#include "runtime/checkpoint/ReferenceCheckpoint.h"
#include "runtime/engine/Checker.h"
#include "runtime/io/PytorchFile.h"

#include "absl/strings/str_join.h"

#include <algorithm>
#include <cstring>
#include <filesystem>

using namespace t6;

void t6_check_options_init(t6_check_options *options) {
  *options = {};
  options->struct_size = sizeof(*options);
  options->seed = 1;
}

t6_status *t6_check(const t6_model *model, const t6_check_options *given,
                    t6_check_result *result) {
  if (!model)
    return nullArgument("model");
  absl::StatusOr<t6_check_options> read =
      readOptions(given, t6_check_options_init);
  T6_RETURN_IF_ERROR(read.status());
  if (read->length < 0)
    return toC(absl::InvalidArgumentError(
        "the length to check is negative. HINT: 0 stands for the longest"));
  CheckOptions options;
  options.entry = read->entry ? read->entry : "";
  options.seed = read->seed;
  options.length = read->length;
  options.threads = model->threads;
  absl::StatusOr<CheckReport> report = check(model->artifact, options);
  T6_RETURN_IF_ERROR(report.status());
  t6_check_result value = {};
  value.dispatches = report->dispatches;
  value.worst_nmse = report->worstNmse;
  size_t size =
      std::min(report->worstLabel.size(), sizeof(value.worst_label) - 1);
  std::copy_n(report->worstLabel.begin(), size, value.worst_label);
  writeResult(value, result);
  if (report->passed())
    return nullptr;
  return new t6_status{
      T6_CHECK_FAILED,
      absl::StrJoin(report->divergences, "; ",
                    [](std::string *out, const Divergence &divergence) {
                      out->append(divergence.toString());
                    })};
}

/// A training checkpoint to a folder of the reference's.
static absl::Status exportCheckpoint(const char *input, const char *output,
                                     t6_convert_result &value) {
  absl::StatusOr<std::unique_ptr<TrainingCheckpoint>> checkpoint =
      TrainingCheckpoint::open(input);
  if (!checkpoint.ok())
    return checkpoint.status();
  absl::StatusOr<ReferenceExport> report =
      writeReferenceCheckpoint(**checkpoint, output);
  if (!report.ok())
    return report.status();
  value.tensors = static_cast<int64_t>(report->tensors);
  value.aliases = static_cast<int64_t>(report->aliases);
  value.bytes = static_cast<int64_t>(report->bytes);
  value.iteration = report->iteration;
  std::strncpy(value.note, report->note.c_str(), sizeof(value.note) - 1);
  return absl::OkStatus();
}

t6_status *t6_convert(const char *input, const char *output,
                      t6_convert_result *result) {
  if (!input || !output)
    return nullArgument(input ? "output" : "input");
  t6_convert_result value = {};
  value.iteration = -1;
  std::error_code error;
  if (std::filesystem::is_directory(input, error)) {
    T6_RETURN_IF_ERROR(exportCheckpoint(input, output, value));
    writeResult(value, result);
    return nullptr;
  }
  absl::StatusOr<ConvertReport> report = convertPytorch(input, output);
  T6_RETURN_IF_ERROR(report.status());
  value.tensors = static_cast<int64_t>(report->tensors);
  value.aliases = static_cast<int64_t>(report->aliases);
  value.bytes = static_cast<int64_t>(report->bytes);
  writeResult(value, result);
  return nullptr;
}
