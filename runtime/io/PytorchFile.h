//===- PytorchFile.h - pytorch_model.bin ------------------------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The tensors of a file that torch.save wrote (the zip format, PyTorch 1.6 and
// later), and their conversion to safetensors. Runs no code from the file.
//
//===----------------------------------------------------------------------===//

#ifndef T6_RUNTIME_IO_PYTORCHFILE_H
#define T6_RUNTIME_IO_PYTORCHFILE_H

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "runtime/io/PytorchArchive.h"
#include "runtime/io/Safetensors.h"
#include "runtime/io/StateDict.h"

#include <memory>
#include <string>
#include <vector>

namespace t6 {

class PytorchFile {
public:
  static absl::StatusOr<std::unique_ptr<PytorchFile>>
  open(absl::string_view path);

  /// Reads `bytes`, which must outlive the result; `label` opens messages.
  static absl::StatusOr<std::unique_ptr<PytorchFile>>
  parse(absl::Span<const uint8_t> bytes, absl::string_view label);

  struct Tensor {
    TensorSpec spec;
    /// Of tied weights, the name of the first one; empty for all others.
    std::string aliasOf;
  };

  /// In the order of the state_dict; see readStateDict for what is exported.
  absl::Span<const Tensor> tensors() const { return specs; }

  /// Reads tensors()[index], row-major whatever its strides are. The view is
  /// valid until the next call.
  absl::StatusOr<TensorView> read(size_t index);

private:
  PytorchFile() = default;
  static absl::StatusOr<std::unique_ptr<PytorchFile>>
  fromArchive(absl::StatusOr<std::unique_ptr<PytorchArchive>> archive,
              absl::string_view label);

  std::unique_ptr<PytorchArchive> archive;
  std::vector<Tensor> specs;
  /// Beside `specs`: where the elements are.
  std::vector<PickledTensor> views;
};

struct ConvertReport {
  /// Written, not counting aliases.
  size_t tensors = 0;
  /// Names recorded in the metadata alone.
  size_t aliases = 0;
  uint64_t bytes = 0;
};

/// Converts `in`, a pytorch_model.bin or a `*.index.json` of several, into one
/// safetensors file. Of tied weights, the name that comes first in the
/// state_dict is written; each other name goes to the metadata as
/// {"other name": "first name"}, which Checkpoint follows.
absl::StatusOr<ConvertReport> convertPytorch(absl::string_view in,
                                             absl::string_view out);

} // namespace t6

#endif // T6_RUNTIME_IO_PYTORCHFILE_H
