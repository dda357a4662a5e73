//===- PickleWriter.h - Dicts of tensors as a pickle ------------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The opcodes of protocol 2 that dicts of tensors and numbers need. Private to
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

/// Writes one value. A dict is beginDict(), then keys and values in turn, then
/// endDict(); lists and tuples likewise.
class PickleWriter {
public:
  PickleWriter();

  /// The name under which PyTorch knows storages of this type; "" if it has
  /// none.
  static absl::string_view storageType(DType dtype);

  void beginDict();
  void beginOrderedDict();
  void endDict();
  void beginList();
  void endList();
  void beginTuple();
  void endTuple();

  void string(absl::string_view value);
  void integer(int64_t value);
  void real(double value);
  void boolean(bool value);
  void none();

  /// A row-major tensor, the whole of a storage; `tensor` must be of a type
  /// that has one. Two tensors of one key share their memory when loaded.
  void tensor(const TensorView &tensor, absl::string_view storageKey);

  /// The pickle. Nothing may be added afterwards.
  std::string finish();

private:
  void littleEndian(uint64_t value, size_t bytes);
  void global(absl::string_view module, absl::string_view name);
  void integers(absl::Span<const int64_t> values);
  void emptyOrderedDict();

  std::string text;
};

} // namespace t6

#endif // T6_RUNTIME_CHECKPOINT_PICKLEWRITER_H
