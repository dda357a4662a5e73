//===- Pickle.h - Restricted reader of Python pickles -----------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Reads the pickles that torch.save writes, as data. Nothing is ever executed:
// the only callables are the few below, each a case in the reader, and every
// other GLOBAL is refused by name. Where the storages' bytes lie is no concern
// of this file.
//
//===----------------------------------------------------------------------===//

#ifndef T6_RUNTIME_IO_PICKLE_H
#define T6_RUNTIME_IO_PICKLE_H

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "runtime/io/Tensor.h"

#include <cstdint>
#include <string>
#include <vector>

namespace t6 {

/// A persistent id ('storage', torch.<Type>Storage, key, location, elements).
struct PickledStorage {
  std::string key;
  DType dtype;
  int64_t elements;
};

/// torch._utils._rebuild_tensor_v2; a view into a storage. Offset and strides
/// count elements, are not negative, and stay inside of the storage; the stride
/// of a dimension of size 0 or 1 is 0.
struct PickledTensor {
  /// Index into Pickle::storages().
  uint32_t storage;
  int64_t offset;
  std::vector<int64_t> shape;
  std::vector<int64_t> strides;
};

/// The object graph of a pickle, as a table of values that refer to each other
/// by number (so cycles and shared values are harmless). Allowed are None,
/// bool, int, float, str, tuple, list, dict, collections.OrderedDict, tensors,
/// parameters (which are read as their tensors) and typed storages.
class Pickle {
public:
  using Id = uint32_t;

  enum class Kind : uint8_t {
    None,
    Bool,
    Int,
    /// An integer beyond 64 bits; its value is not kept.
    BigInt,
    Float,
    String,
    Tuple,
    List,
    Dict,
    /// One of the allowed globals itself.
    Global,
    Storage,
    Tensor,
  };

  /// Reads protocol 2. `bytes` must outlive the result; `label` opens messages.
  static absl::StatusOr<Pickle> parse(absl::Span<const uint8_t> bytes,
                                      absl::string_view label);

  Id root() const { return rootId; }
  Kind kind(Id id) const { return values[id].kind; }

  /// Of a Bool or Int; otherwise 0.
  int64_t integer(Id id) const { return values[id].integer; }

  /// Of a Float; otherwise 0.
  double real(Id id) const { return values[id].real; }

  /// Of a String, valid UTF-8; otherwise "".
  absl::string_view text(Id id) const { return values[id].text; }

  /// The items of a Tuple or List; key, value, key, value, ... of a Dict in
  /// insertion order (a key that was set twice is there twice).
  absl::Span<const Id> items(Id id) const;

  /// Of a Tensor.
  const PickledTensor &tensor(Id id) const { return tensors[values[id].index]; }

  absl::Span<const PickledStorage> storages() const { return storageTable; }

private:
  friend class PickleReader;

  struct Value {
    Kind kind = Kind::None;
    /// Into the table of its kind; of a Global, which one.
    uint32_t index = 0;
    int64_t integer = 0;
    double real = 0;
    absl::string_view text;
  };

  Id rootId = 0;
  std::vector<Value> values;
  std::vector<std::vector<Id>> sequences;
  std::vector<PickledTensor> tensors;
  std::vector<PickledStorage> storageTable;
};

} // namespace t6

#endif // T6_RUNTIME_IO_PICKLE_H
