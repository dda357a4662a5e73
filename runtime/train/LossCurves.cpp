//===- LossCurves.cpp - What metrics.jsonl says of the losses -------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "runtime/train/LossCurves.h"

#include "runtime/io/MappedFile.h"

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"

#include <cmath>
#include <limits>
#include <nlohmann/json.hpp>

namespace t6 {

using nlohmann::json;

/// Appends the member `key` of `record`, if there is one. NaN stands for what
/// JSON has no number for.
static bool append(Curve &curve, double step, const json &record,
                   const char *key) {
  auto member = record.find(key);
  if (member == record.end())
    return false;
  double value = member->is_number() ? member->get<double>()
                                     : std::numeric_limits<double>::quiet_NaN();
  curve.push_back({step, value});
  return true;
}

static void appendRecord(LossCurves &curves, double step, const json &record) {
  // The training loss of an evaluation is another quantity than a step's.
  if (append(curves.validation, step, record, "val/loss"))
    return;
  if (!append(curves.training, step, record, "loss_mean"))
    append(curves.training, step, record, "train/loss");
  append(curves.learningRate, step, record, "lr");
}

absl::StatusOr<LossCurves> readLossCurves(const std::string &path) {
  absl::StatusOr<std::unique_ptr<MappedFile>> file = MappedFile::open(path);
  if (!file.ok())
    return file.status();
  absl::string_view text(
      reinterpret_cast<const char *>((*file)->bytes().data()),
      (*file)->bytes().size());
  LossCurves curves;
  for (int64_t number = 1; !text.empty(); ++number) {
    size_t end = text.find('\n');
    bool whole = end != absl::string_view::npos;
    json record = json::parse(text.substr(0, end), nullptr, false);
    text.remove_prefix(whole ? end + 1 : text.size());
    auto step = record.is_object() ? record.find("iter") : record.end();
    if (!record.is_object() || step == record.end() || !step->is_number()) {
      if (!whole)
        break;
      return absl::DataLossError(
          absl::StrCat(path, ":", number,
                       ": is not a record of a step; HINT: name the "
                       "metrics.jsonl of a run"));
    }
    appendRecord(curves, step->get<double>(), record);
  }
  if (curves.training.empty() && curves.validation.empty())
    return absl::NotFoundError(absl::StrCat(
        path, " has no losses; HINT: wait for the first line of the log"));
  return curves;
}

} // namespace t6
