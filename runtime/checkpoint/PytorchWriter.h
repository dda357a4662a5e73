//===- PytorchWriter.h - pytorch_model.bin, written -------------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A state_dict as torch.save writes it, which torch.load reads on any version
// since 1.6, also with weights_only.
//
//===----------------------------------------------------------------------===//

#ifndef T6_RUNTIME_CHECKPOINT_PYTORCHWRITER_H
#define T6_RUNTIME_CHECKPOINT_PYTORCHWRITER_H

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "runtime/io/Safetensors.h"

#include <string>
#include <utility>

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

} // namespace t6

#endif // T6_RUNTIME_CHECKPOINT_PYTORCHWRITER_H
