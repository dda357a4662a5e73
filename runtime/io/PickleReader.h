//===- PickleReader.h - The machine that reads a pickle ---------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Private to Pickle.cpp (opcodes) and PickleObjects.cpp (globals, tensors and
// storages).
//
//===----------------------------------------------------------------------===//

#ifndef T6_RUNTIME_IO_PICKLEREADER_H
#define T6_RUNTIME_IO_PICKLEREADER_H

#include "absl/container/flat_hash_map.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "runtime/io/Pickle.h"

#include <cstdint>
#include <string>
#include <vector>

namespace t6 {

/// The stack machine. Every step checks what it takes; the first failure ends
/// the reading. Bytes of an operand are little-endian unless said otherwise.
class PickleReader {
public:
  PickleReader(absl::Span<const uint8_t> bytes, absl::string_view label)
      : input(reinterpret_cast<const char *>(bytes.data()), bytes.size()),
        label(label) {}

  absl::StatusOr<Pickle> read();

private:
  using Id = Pickle::Id;
  using Kind = Pickle::Kind;
  using Value = Pickle::Value;

  absl::Status step(uint8_t opcode);
  absl::Status stepScalar(uint8_t opcode);

  absl::Status readProtocol();
  absl::Status readString(size_t lengthBytes);
  absl::Status readLong();
  absl::Status readGlobal();
  absl::Status readFloat();
  absl::Status put(size_t indexBytes);
  absl::Status get(size_t indexBytes);

  absl::Status pushTuple(size_t count);
  absl::Status pushMarkedTuple();
  absl::Status appendItems(Kind container, size_t count);
  absl::Status appendMarkedItems(Kind container);
  absl::Status popMark(size_t &count);
  absl::Status build();

  absl::Status reduce();
  absl::Status rebuildTensor(absl::Span<const Id> arguments);
  absl::Status rebuildParameter(absl::Span<const Id> arguments);
  absl::Status persistentId();
  absl::Status pushStorage(DType dtype, absl::string_view key,
                           int64_t elements);
  absl::Status checkBounds(const PickledTensor &tensor);
  bool integers(Id tuple, std::vector<int64_t> &out) const;

  absl::Status fail(absl::string_view what) const;
  absl::Status take(size_t count, absl::string_view &bytes);
  absl::Status takeInteger(size_t bytes, uint64_t &value);
  absl::Status takeLine(absl::string_view &line);
  /// Values that the present frame may pop: those above the innermost mark.
  size_t available() const;
  absl::Status pop(Id &id);
  absl::Status push(Id id);
  absl::Status pushValue(Value value);
  absl::Status pushKind(Kind kind, int64_t integer = 0);
  absl::Status pushSequence(Kind kind, std::vector<Id> items = {});

  absl::string_view input;
  absl::string_view label;
  size_t position = 0;
  /// Where the present opcode is, for messages.
  size_t opcodeAt = 0;
  bool stopped = false;
  Pickle result;
  std::vector<Id> stack;
  std::vector<size_t> marks;
  absl::flat_hash_map<uint32_t, Id> memo;
  absl::flat_hash_map<std::string, uint32_t> storageOfKey;
};

} // namespace t6

#endif // T6_RUNTIME_IO_PICKLEREADER_H
