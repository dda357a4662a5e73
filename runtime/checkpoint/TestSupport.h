//===- TestSupport.h - Runs made in tests -----------------------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A tiny model whose every number tells the step of its checkpoint.
//
//===----------------------------------------------------------------------===//

#ifndef T6_RUNTIME_CHECKPOINT_TESTSUPPORT_H
#define T6_RUNTIME_CHECKPOINT_TESTSUPPORT_H

#include "runtime/checkpoint/RunFolder.h"
#include "runtime/checkpoint/TrainingCheckpoint.h"
#include "runtime/io/TestSupport.h"

#include <algorithm>
#include <filesystem>
#include <string>
#include <vector>

namespace t6 {
namespace testing {

/// A folder that goes away with the object, with everything in it.
class TemporaryTree : public TemporaryFolder {
public:
  ~TemporaryTree() {
    std::error_code ignored;
    for (const auto &entry : std::filesystem::directory_iterator(path, ignored))
      std::filesystem::remove_all(entry.path(), ignored);
  }
};

/// Names of all entries of a folder but the lock, sorted.
inline std::vector<std::string> entriesOf(const std::string &path) {
  std::vector<std::string> names;
  std::error_code ignored;
  for (const auto &entry : std::filesystem::directory_iterator(path, ignored))
    if (entry.path().filename() != ".lock")
      names.push_back(entry.path().filename().string());
  std::sort(names.begin(), names.end());
  return names;
}

inline std::string linkOf(const std::string &path) {
  std::error_code ignored;
  return std::filesystem::read_symlink(path, ignored).string();
}

/// The contents of step `step`: two parameters and the moments of both, every
/// element the step, one number of them per KiB of `size`.
class StepContents {
public:
  explicit StepContents(int64_t step, int64_t size = 1)
      : floats(static_cast<size_t>(256 * size), static_cast<float>(step)) {
    parameters = {named("wte.weight", {size, 256}), named("b", {3})};
    for (const char *prefix : {"adamw.m.", "adamw.v."}) {
      optimizer.push_back(
          named(absl::StrCat(prefix, "wte.weight"), {size, 256}));
      optimizer.push_back(named(absl::StrCat(prefix, "b"), {3}));
    }
    contents.state.step = step;
    contents.state.tokensTrained = 1000 * step;
    contents.state.samplerPosition = static_cast<uint64_t>(step) << 40;
    contents.config["n_head"] = 4;
    contents.parameters = parameters;
    contents.optimizer = optimizer;
    contents.aliases = {{"lm_head.weight", "wte.weight"}};
  }
  StepContents(const StepContents &) = delete;

  CheckpointContents *operator->() { return &contents; }
  operator const CheckpointContents &() const { return contents; }
  ModelFingerprint fingerprint() const {
    return fingerprintOf(contents.config, contents.parameters);
  }

private:
  NamedTensor named(std::string name, std::vector<int64_t> shape) {
    TensorView view{DType::F32, std::move(shape), floats.data(), 0};
    view.bytes = 4 * static_cast<size_t>(view.elements());
    return {std::move(name), std::move(view)};
  }

  std::vector<float> floats;
  std::vector<NamedTensor> parameters, optimizer;
  CheckpointContents contents;
};

/// Whether state and tensors are all of the same step.
inline ::testing::AssertionResult
isWhole(const TrainingCheckpoint &checkpoint) {
  int64_t step = checkpoint.state().step;
  if (checkpoint.state().tokensTrained != 1000 * step ||
      checkpoint.parameters().size() != 2 || checkpoint.optimizer().size() != 4)
    return ::testing::AssertionFailure() << "state of another step";
  for (absl::Span<const NamedTensor> tensors :
       {checkpoint.parameters(), checkpoint.optimizer()})
    for (const NamedTensor &entry : tensors)
      for (int64_t i = 0; i < entry.tensor.elements(); ++i)
        if (static_cast<const float *>(entry.tensor.data)[i] != step)
          return ::testing::AssertionFailure()
                 << entry.name << " is of another step than " << step;
  return ::testing::AssertionSuccess();
}

} // namespace testing
} // namespace t6

#endif // T6_RUNTIME_CHECKPOINT_TESTSUPPORT_H
