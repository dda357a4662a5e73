//===- PickleWriter.h - A state_dict as a pickle ----------------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The opcodes of protocol 2 that a dict of tensors needs. Private to
// PytorchWriter.cpp.
//
//===----------------------------------------------------------------------===//

#ifndef T6_RUNTIME_CHECKPOINT_PICKLEWRITER_H
#define T6_RUNTIME_CHECKPOINT_PICKLEWRITER_H

#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "runtime/io/Tensor.h"

#include <cstdint>
#include <string>

namespace t6 {

/// Writes one OrderedDict of row-major tensors, each the whole of a storage.
class PickleWriter {
public:
  PickleWriter();

  /// The name under which PyTorch knows storages of this type; "" if it has
  /// none.
  static absl::string_view storageType(DType dtype);

  /// `tensor` must be of a type that has a storage. Two tensors of one key
  /// share their memory when loaded.
  void add(absl::string_view name, const TensorView &tensor,
           absl::string_view storageKey);

  /// The pickle. Nothing may be added afterwards.
  std::string finish();

private:
  void littleEndian(uint64_t value, size_t bytes);
  void string(absl::string_view value);
  void integer(int64_t value);
  void global(absl::string_view module, absl::string_view name);
  void integers(absl::Span<const int64_t> values);
  void emptyOrderedDict();

  std::string text;
};

} // namespace t6

#endif // T6_RUNTIME_CHECKPOINT_PICKLEWRITER_H
