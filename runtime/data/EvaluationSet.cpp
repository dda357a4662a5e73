//===- EvaluationSet.cpp - Fixed windows to evaluate on -------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "runtime/data/EvaluationSet.h"

#include "absl/strings/str_cat.h"

#include <utility>

namespace t6 {

absl::StatusOr<EvaluationSet>
EvaluationSet::create(TokenDataset dataset, const EvaluationOptions &options) {
  constexpr int64_t kMaxElements = int64_t(1) << 31;
  if (options.batch < 1 || options.length < 1 ||
      options.batch > kMaxElements / options.length)
    return absl::InvalidArgumentError(absl::StrCat(
        "a batch of ", options.batch, " windows of length ", options.length,
        " cannot be made; HINT: choose both from 1 on, with at most 2^31 "
        "tokens"));
  if (options.maxWindows < 0)
    return absl::InvalidArgumentError(
        absl::StrCat("the number of windows to evaluate is ",
                     options.maxWindows, "; HINT: 0 stands for all"));
  if (absl::Status status = dataset.checkWindows(options.length); !status.ok())
    return status;
  return EvaluationSet(std::move(dataset), options);
}

EvaluationSet::EvaluationSet(TokenDataset dataset,
                             const EvaluationOptions &options)
    : data(std::move(dataset)), given(options), all(data, options.length),
      count(options.maxWindows == 0
                ? all.size()
                : std::min(options.maxWindows, all.size())) {}

absl::Status EvaluationSet::fill(int64_t batch, absl::Span<int32_t> inputs,
                                 absl::Span<int32_t> targets) const {
  size_t size = size_t(given.batch * given.length);
  if (inputs.size() != size || targets.size() != size)
    return absl::InternalError(absl::StrCat(
        "a batch of ", size, " tokens does not fit arrays of ", inputs.size(),
        " and ", targets.size(), "; HINT: make them batch times length long"));
  if (batch < 0 || batch >= batches())
    return absl::InvalidArgumentError(
        absl::StrCat("there is no evaluation batch ", batch,
                     "; HINT: they are 0 to ", batches() - 1));
  size_t length = size_t(given.length), filled = size_t(rows(batch)) * length;
  for (size_t begin = 0; begin < filled; begin += length) {
    int64_t i = batch * given.batch + int64_t(begin / length);
    // floor(i W / k); i W may take more than 64 bits.
    auto product = static_cast<unsigned __int128>(i) * uint64_t(all.size());
    int64_t number = int64_t(product / uint64_t(count));
    if (absl::Status status =
            data.read(all[number], inputs.subspan(begin, length),
                      targets.subspan(begin, length));
        !status.ok())
      return status;
  }
  std::fill(inputs.begin() + filled, inputs.end(), 0);
  std::fill(targets.begin() + filled, targets.end(), -1);
  return absl::OkStatus();
}

} // namespace t6
