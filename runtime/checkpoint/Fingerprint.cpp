//===- Fingerprint.cpp - Which model a checkpoint is of -------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "runtime/checkpoint/Fingerprint.h"

#include "absl/strings/str_cat.h"
#include "runtime/io/Names.h"

#include <algorithm>
#include <string>

namespace t6 {
namespace {

using nlohmann::json;

/// A value as a message can hold it.
std::string shown(const json &value) {
  constexpr size_t maxShown = 60;
  std::string text = value.dump(-1, ' ', true, json::error_handler_t::replace);
  return text.size() <= maxShown
             ? text
             : absl::StrCat(text.substr(0, maxShown), "...");
}

/// "key: x in the checkpoint, y in the model" of the first difference in the
/// order of keys, or "".
std::string firstDifference(const json &expected, const json &found,
                            const std::string &path) {
  if (expected == found)
    return "";
  if (!expected.is_object() || !found.is_object())
    return absl::StrCat(quoteName(path), " is ", shown(found),
                        " in the checkpoint and ", shown(expected),
                        " in the model");
  // Objects iterate in the order of their keys, so this is a merge.
  auto left = expected.begin(), right = found.begin();
  while (left != expected.end() || right != found.end()) {
    bool onlyLeft = right == found.end() ||
                    (left != expected.end() && left.key() < right.key());
    bool onlyRight = left == expected.end() ||
                     (right != found.end() && right.key() < left.key());
    const std::string &key = onlyRight ? right.key() : left.key();
    std::string member = path.empty() ? key : absl::StrCat(path, ".", key);
    if (onlyLeft)
      return absl::StrCat(quoteName(member), " is ", shown(left.value()),
                          " in the model and absent from the checkpoint");
    if (onlyRight)
      return absl::StrCat(quoteName(member), " is ", shown(right.value()),
                          " in the checkpoint and absent from the model");
    std::string inner = firstDifference(left.value(), right.value(), member);
    if (!inner.empty())
      return inner;
    ++left;
    ++right;
  }
  return "";
}

std::string describe(const TensorSpec &spec) {
  return absl::StrCat(name(spec.dtype), " ", shapeToString(spec.shape));
}

std::string firstDifference(absl::Span<const TensorSpec> expected,
                            absl::Span<const TensorSpec> found) {
  size_t left = 0, right = 0;
  while (left < expected.size() || right < found.size()) {
    if (right == found.size() ||
        (left < expected.size() && expected[left].name < found[right].name))
      return absl::StrCat("tensor ", quoteName(expected[left].name),
                          " of the model is not in the checkpoint");
    if (left == expected.size() || found[right].name < expected[left].name)
      return absl::StrCat("tensor ", quoteName(found[right].name),
                          " of the checkpoint is not in the model");
    const TensorSpec &ours = expected[left++], &theirs = found[right++];
    if (ours.dtype != theirs.dtype || ours.shape != theirs.shape)
      return absl::StrCat("tensor ", quoteName(ours.name), " is ",
                          describe(theirs), " in the checkpoint and ",
                          describe(ours), " in the model");
  }
  return "";
}

} // namespace

ModelFingerprint fingerprintOf(const json &config,
                               absl::Span<const NamedTensor> parameters) {
  ModelFingerprint fingerprint;
  fingerprint.config = config;
  for (const NamedTensor &parameter : parameters)
    fingerprint.parameters.push_back(
        {parameter.name, parameter.tensor.dtype, parameter.tensor.shape});
  std::sort(
      fingerprint.parameters.begin(), fingerprint.parameters.end(),
      [](const TensorSpec &a, const TensorSpec &b) { return a.name < b.name; });
  return fingerprint;
}

absl::Status checkSameModel(const ModelFingerprint &expected,
                            const ModelFingerprint &found,
                            absl::string_view label) {
  std::string difference = firstDifference(expected.config, found.config, "");
  if (!difference.empty())
    difference = absl::StrCat("config ", difference);
  else
    difference = firstDifference(expected.parameters, found.parameters);
  if (difference.empty())
    return absl::OkStatus();
  return absl::FailedPreconditionError(absl::StrCat(
      label, ": this is a checkpoint of another model: ", difference,
      "; HINT: resume with the model that it was saved from"));
}

} // namespace t6
