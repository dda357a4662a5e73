//===- OptimizerFile.h - optimizer.pt of the reference ----------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The optimizer's state that the upstream trainer saves beside its weights: a
// torch.save of {"optimizer": AdamW.state_dict(), "iter_num": int,
// "best_val_loss": float}. PyTorch numbers the parameters; here their moments
// have names again. Runs no code from the file.
//
//===----------------------------------------------------------------------===//

#ifndef T6_RUNTIME_CHECKPOINT_OPTIMIZERFILE_H
#define T6_RUNTIME_CHECKPOINT_OPTIMIZERFILE_H

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "runtime/io/PytorchArchive.h"
#include "runtime/io/Safetensors.h"

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace t6 {

/// One of the optimizer's param_groups.
struct AdamwGroup {
  double learningRate = 0;
  double beta1 = 0;
  double beta2 = 0;
  double epsilon = 0;
  double weightDecay = 0;
  std::vector<std::string> parameters;
};

class OptimizerFile {
public:
  /// `parameters` are the model's in the order in which the optimizer got them:
  /// that of model.parameters(), which is the order of the state_dict without
  /// the second names of tied weights. FailedPrecondition if the file is of
  /// another optimizer (or AdamW with amsgrad or maximize) or does not fit the
  /// parameters: their number, their shapes, or a moment that only some have.
  static absl::StatusOr<std::unique_ptr<OptimizerFile>>
  open(absl::string_view path, absl::Span<const TensorSpec> parameters);

  /// Reads `bytes`, which must outlive the result; `label` opens messages.
  static absl::StatusOr<std::unique_ptr<OptimizerFile>>
  parse(absl::Span<const uint8_t> bytes, absl::string_view label,
        absl::Span<const TensorSpec> parameters);

  /// Updates that the moments have seen, the step of the bias correction; 0
  /// with a file from before the first update, which holds no moments.
  int64_t step() const { return updates; }

  /// The trainer's own count, `iter_num`.
  int64_t iteration() const { return iterations; }

  /// `best_val_loss`; 1e9 before the reference's first evaluation.
  double bestLoss() const { return best; }

  absl::Span<const AdamwGroup> groups() const { return paramGroups; }

  /// `adamw.m.<parameter>`, `adamw.v.<parameter>` of each parameter in turn,
  /// all F32; none if step() is 0, where both are zero.
  absl::Span<const TensorSpec> tensors() const { return specs; }

  /// Reads tensors()[index], row-major. The view is valid until the next call.
  absl::StatusOr<TensorView> read(size_t index);

private:
  friend class OptimizerReader;
  OptimizerFile() = default;
  static absl::StatusOr<std::unique_ptr<OptimizerFile>>
  fromArchive(absl::StatusOr<std::unique_ptr<PytorchArchive>> archive,
              absl::string_view label, absl::Span<const TensorSpec> parameters);

  std::unique_ptr<PytorchArchive> archive;
  int64_t updates = 0;
  int64_t iterations = 0;
  double best = 0;
  std::vector<AdamwGroup> paramGroups;
  std::vector<TensorSpec> specs;
  /// Beside `specs`: where the elements are.
  std::vector<PickledTensor> views;
};

} // namespace t6

#endif // T6_RUNTIME_CHECKPOINT_OPTIMIZERFILE_H
