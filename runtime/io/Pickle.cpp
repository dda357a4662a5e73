//===- Pickle.cpp - Restricted reader of Python pickles -------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "runtime/io/Pickle.h"

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "runtime/io/Names.h"
#include "runtime/io/PickleReader.h"

#include <cstring>
#include <utility>

namespace t6 {
namespace {

// Far above what a checkpoint of thousands of tensors needs, and low enough
// that the tables of a hostile file stay below a few hundred megabytes.
constexpr size_t kMaxPickleBytes = 64 << 20;
constexpr size_t kMaxValues = 1 << 21;
constexpr size_t kMaxStack = 1 << 20;
constexpr size_t kMaxMarks = 1 << 10;
constexpr size_t kMaxMemo = 1 << 21;

} // namespace

absl::Status PickleReader::fail(absl::string_view what) const {
  return absl::DataLossError(
      absl::StrCat(label, ": ", what, " at byte ", opcodeAt,
                   " of the pickle; HINT: save it again with torch.save"));
}

absl::Status PickleReader::take(size_t count, absl::string_view &bytes) {
  if (count > input.size() - position)
    return fail("the pickle is cut off");
  bytes = input.substr(position, count);
  position += count;
  return absl::OkStatus();
}

absl::Status PickleReader::takeInteger(size_t count, uint64_t &value) {
  absl::string_view bytes;
  value = 0;
  absl::Status status = take(count, bytes);
  for (size_t i = 0; i < bytes.size(); ++i)
    value |= static_cast<uint64_t>(static_cast<uint8_t>(bytes[i])) << (8 * i);
  return status;
}

absl::Status PickleReader::takeLine(absl::string_view &line) {
  size_t end = input.find('\n', position);
  if (end == absl::string_view::npos)
    return fail("the pickle is cut off");
  line = input.substr(position, end - position);
  position = end + 1;
  return absl::OkStatus();
}

size_t PickleReader::available() const {
  return stack.size() - (marks.empty() ? 0 : marks.back());
}

absl::Status PickleReader::pop(Id &id) {
  if (available() == 0)
    return fail("an operand is missing");
  id = stack.back();
  stack.pop_back();
  return absl::OkStatus();
}

absl::Status PickleReader::push(Id id) {
  if (stack.size() >= kMaxStack)
    return fail("the stack is too deep");
  stack.push_back(id);
  return absl::OkStatus();
}

absl::Status PickleReader::pushValue(Value value) {
  if (result.values.size() >= kMaxValues)
    return fail("there are too many values");
  result.values.push_back(value);
  return push(static_cast<Id>(result.values.size() - 1));
}

absl::Status PickleReader::pushKind(Kind kind, int64_t integer) {
  Value value;
  value.kind = kind;
  value.integer = integer;
  return pushValue(value);
}

absl::Status PickleReader::pushSequence(Kind kind, std::vector<Id> items) {
  Value value;
  value.kind = kind;
  value.index = static_cast<uint32_t>(result.sequences.size());
  result.sequences.push_back(std::move(items));
  return pushValue(value);
}

absl::Status PickleReader::readProtocol() {
  uint64_t version;
  absl::Status status = takeInteger(1, version);
  if (!status.ok())
    return status;
  if (opcodeAt != 0)
    return fail("PROTO comes twice");
  if (version != 2)
    return absl::FailedPreconditionError(
        absl::StrCat(label, ": pickle protocol ", version,
                     " is not supported; HINT: save with "
                     "torch.save(..., pickle_protocol=2), the default"));
  return absl::OkStatus();
}

absl::Status PickleReader::readString(size_t lengthBytes) {
  uint64_t length;
  Value value;
  value.kind = Kind::String;
  absl::Status status = takeInteger(lengthBytes, length);
  if (status.ok())
    status = take(length, value.text);
  if (!status.ok())
    return status;
  if (!isValidUtf8(value.text))
    return fail("a string is not valid UTF-8");
  return pushValue(value);
}

absl::Status PickleReader::readLong() {
  uint64_t length;
  absl::string_view bytes;
  absl::Status status = takeInteger(1, length);
  if (status.ok())
    status = take(length, bytes);
  if (!status.ok())
    return status;
  if (bytes.size() > 8)
    return pushKind(Kind::BigInt);
  // Two's complement: starts from all ones if the sign bit is set.
  bool negative = !bytes.empty() && (bytes.back() & 0x80) != 0;
  uint64_t value = negative ? ~uint64_t{0} : 0;
  for (size_t i = bytes.size(); i-- > 0;)
    value = (value << 8) | static_cast<uint8_t>(bytes[i]);
  return pushKind(Kind::Int, static_cast<int64_t>(value));
}

absl::Status PickleReader::readFloat() {
  absl::string_view bytes;
  absl::Status status = take(8, bytes);
  if (!status.ok())
    return status;
  uint64_t bits = 0;
  for (char byte : bytes) // Big-endian.
    bits = (bits << 8) | static_cast<uint8_t>(byte);
  Value value;
  value.kind = Kind::Float;
  std::memcpy(&value.real, &bits, sizeof bits);
  return pushValue(value);
}

absl::Status PickleReader::put(size_t indexBytes) {
  uint64_t index;
  absl::Status status = takeInteger(indexBytes, index);
  if (!status.ok())
    return status;
  if (available() == 0)
    return fail("an operand is missing");
  if (memo.size() >= kMaxMemo)
    return fail("there are too many memo entries");
  memo[static_cast<uint32_t>(index)] = stack.back();
  return absl::OkStatus();
}

absl::Status PickleReader::get(size_t indexBytes) {
  uint64_t index;
  absl::Status status = takeInteger(indexBytes, index);
  if (!status.ok())
    return status;
  auto entry = memo.find(static_cast<uint32_t>(index));
  if (entry == memo.end())
    return fail(absl::StrCat("memo entry ", index, " does not exist"));
  return push(entry->second);
}

absl::Status PickleReader::popMark(size_t &count) {
  if (marks.empty())
    return fail("a mark is missing");
  count = stack.size() - marks.back();
  marks.pop_back();
  return absl::OkStatus();
}

absl::Status PickleReader::pushTuple(size_t count) {
  if (available() < count)
    return fail("an operand is missing");
  std::vector<Id> items(stack.end() - count, stack.end());
  stack.resize(stack.size() - count);
  return pushSequence(Kind::Tuple, std::move(items));
}

absl::Status PickleReader::pushMarkedTuple() {
  size_t count;
  absl::Status status = popMark(count);
  return status.ok() ? pushTuple(count) : status;
}

absl::Status PickleReader::appendItems(Kind container, size_t count) {
  if (available() < count + 1)
    return fail("an operand is missing");
  const Value &target = result.values[stack[stack.size() - count - 1]];
  if (target.kind != container)
    return fail("items are added to a value that holds none");
  if (container == Kind::Dict && count % 2 != 0)
    return fail("a key comes without a value");
  std::vector<Id> &items = result.sequences[target.index];
  items.insert(items.end(), stack.end() - count, stack.end());
  stack.resize(stack.size() - count);
  return absl::OkStatus();
}

absl::Status PickleReader::appendMarkedItems(Kind container) {
  size_t count;
  absl::Status status = popMark(count);
  return status.ok() ? appendItems(container, count) : status;
}

absl::Status PickleReader::stepScalar(uint8_t opcode) {
  uint64_t value = 0;
  switch (opcode) {
  case 'N':
    return pushKind(Kind::None);
  case 0x88: // NEWTRUE
  case 0x89: // NEWFALSE
    return pushKind(Kind::Bool, opcode == 0x88);
  case 'K': // BININT1
  case 'M': // BININT2
  case 'J': // BININT, signed
  {
    absl::Status status = takeInteger(opcode == 'K'   ? 1
                                      : opcode == 'M' ? 2
                                                      : 4,
                                      value);
    if (!status.ok())
      return status;
    return pushKind(Kind::Int, opcode == 'J' ? static_cast<int32_t>(value)
                                             : static_cast<int64_t>(value));
  }
  case 0x8A: // LONG1
    return readLong();
  case 'G': // BINFLOAT
    return readFloat();
  case 'X': // BINUNICODE
  case 'T': // BINSTRING, from Python 2
    return readString(4);
  case 'U': // SHORT_BINSTRING, from Python 2
    return readString(1);
  case 'c':
    return readGlobal();
  default:
    return fail(absl::StrFormat("the opcode 0x%02x is not one of protocol 2 "
                                "that tensors need",
                                opcode));
  }
}

absl::Status PickleReader::step(uint8_t opcode) {
  Id ignored;
  size_t count;
  switch (opcode) {
  case 0x80:
    return readProtocol();
  case '.': // STOP
    stopped = true;
    return absl::OkStatus();
  case '(': // MARK
    if (marks.size() >= kMaxMarks)
      return fail("marks are nested too deeply");
    marks.push_back(stack.size());
    return absl::OkStatus();
  case '0': // POP
    return pop(ignored);
  case '1': { // POP_MARK
    absl::Status status = popMark(count);
    if (status.ok())
      stack.resize(stack.size() - count);
    return status;
  }
  case ')': // EMPTY_TUPLE
    return pushTuple(0);
  case 0x85: // TUPLE1
  case 0x86: // TUPLE2
  case 0x87: // TUPLE3
    return pushTuple(opcode - 0x84u);
  case 't': // TUPLE
    return pushMarkedTuple();
  case ']': // EMPTY_LIST
    return pushSequence(Kind::List);
  case 'a': // APPEND
    return appendItems(Kind::List, 1);
  case 'e': // APPENDS
    return appendMarkedItems(Kind::List);
  case '}': // EMPTY_DICT
    return pushSequence(Kind::Dict);
  case 's': // SETITEM
    return appendItems(Kind::Dict, 2);
  case 'u': // SETITEMS
    return appendMarkedItems(Kind::Dict);
  case 'q': // BINPUT
    return put(1);
  case 'r': // LONG_BINPUT
    return put(4);
  case 'h': // BINGET
    return get(1);
  case 'j': // LONG_BINGET
    return get(4);
  case 'Q': // BINPERSID
    return persistentId();
  case 'R':
    return reduce();
  case 'b':
    return build();
  default:
    return stepScalar(opcode);
  }
}

absl::StatusOr<Pickle> PickleReader::read() {
  if (input.size() > kMaxPickleBytes)
    return fail(absl::StrCat("the pickle has ", input.size(),
                             " bytes, beyond the limit of ", kMaxPickleBytes));
  if (input.empty() || static_cast<uint8_t>(input[0]) != 0x80)
    return fail("this is no pickle of protocol 2");
  while (!stopped) {
    opcodeAt = position;
    absl::string_view opcode;
    absl::Status status = take(1, opcode);
    if (status.ok())
      status = step(static_cast<uint8_t>(opcode[0]));
    if (!status.ok())
      return status;
  }
  if (stack.size() != 1 || !marks.empty())
    return fail("the pickle ends with more or less than one value");
  if (position != input.size())
    return fail("bytes follow the end of the pickle");
  result.rootId = stack.back();
  return std::move(result);
}

absl::StatusOr<Pickle> Pickle::parse(absl::Span<const uint8_t> bytes,
                                     absl::string_view label) {
  return PickleReader(bytes, label).read();
}

absl::Span<const Pickle::Id> Pickle::items(Id id) const {
  switch (values[id].kind) {
  case Kind::Tuple:
  case Kind::List:
  case Kind::Dict:
    return sequences[values[id].index];
  default:
    return {};
  }
}

} // namespace t6
