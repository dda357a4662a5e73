//===- PytorchWriter.h - What torch.load reads, written ---------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A state_dict, and the state of an optimizer, as torch.save writes them, which
// torch.load reads on any version since 1.6, also with weights_only.
//
//===----------------------------------------------------------------------===//

#ifndef T6_RUNTIME_CHECKPOINT_PYTORCHWRITER_H
#define T6_RUNTIME_CHECKPOINT_PYTORCHWRITER_H

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "runtime/io/Safetensors.h"

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

namespace t6 {

/// Another name of a tensor.
struct TensorAlias {
  std::string name;
  std::string target;
};

/// Writes an OrderedDict of the tensors in their order, then the aliases: views
/// of their targets' storages, as PyTorch has tied weights. The file appears
/// whole or not at all. InvalidArgument if a name is there twice or is not
/// UTF-8, an alias has no target, or PyTorch has no storage of a tensor's type
/// (U16, U32, U64).
absl::Status writePytorchFile(absl::string_view path,
                              absl::Span<const NamedTensor> tensors,
                              absl::Span<const TensorAlias> aliases = {});

/// What the reference's trainer saves beside its weights.
struct AdamwState {
  int64_t updates = 0;    ///< That the moments have seen.
  int64_t iterations = 0; ///< `iter_num`.
  double bestLoss = 0;    ///< `best_val_loss`.
  double learningRate = 0, beta1 = 0, beta2 = 0, epsilon = 0, weightDecay = 0;
  /// Of each parameter, in the order of model.parameters(), which is how
  /// PyTorch numbers them. Their elements are not read if there were no
  /// updates.
  std::vector<TensorView> moments, secondMoments;
};

/// Writes {"optimizer": AdamW.state_dict(), "iter_num", "best_val_loss"}, with
/// all parameters in one group. The file appears whole or not at all.
absl::Status writeOptimizerFile(absl::string_view path,
                                const AdamwState &state);

} // namespace t6

#endif // T6_RUNTIME_CHECKPOINT_PYTORCHWRITER_H
