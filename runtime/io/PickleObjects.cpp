//===- PickleObjects.cpp - Globals, tensors and storages ------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "runtime/io/Names.h"
#include "runtime/io/PickleReader.h"

#include <iterator>
#include <utility>

namespace t6 {
namespace {

constexpr size_t kMaxRank = 64;

enum GlobalId : uint32_t {
  OrderedDictGlobal,
  RebuildTensorGlobal,
  RebuildParameterGlobal,
  /// Storage types follow, in the order of kStorages.
  FirstStorageGlobal,
};

struct StorageType {
  absl::string_view name;
  DType dtype;
};

constexpr StorageType kStorages[] = {
    {"FloatStorage", DType::F32},     {"HalfStorage", DType::F16},
    {"BFloat16Storage", DType::BF16}, {"DoubleStorage", DType::F64},
    {"LongStorage", DType::I64},      {"IntStorage", DType::I32},
    {"ShortStorage", DType::I16},     {"CharStorage", DType::I8},
    {"ByteStorage", DType::U8},       {"BoolStorage", DType::BOOL},
};

/// The allow-list. False if (module, name) is not on it.
bool lookUpGlobal(absl::string_view module, absl::string_view name,
                  uint32_t &id) {
  if (module == "collections" && name == "OrderedDict") {
    id = OrderedDictGlobal;
    return true;
  }
  if (module == "torch._utils" &&
      (name == "_rebuild_tensor_v2" || name == "_rebuild_parameter")) {
    id = name == "_rebuild_tensor_v2" ? RebuildTensorGlobal
                                      : RebuildParameterGlobal;
    return true;
  }
  if (module != "torch")
    return false;
  for (size_t i = 0; i < std::size(kStorages); ++i) {
    if (name == kStorages[i].name) {
      id = FirstStorageGlobal + static_cast<uint32_t>(i);
      return true;
    }
  }
  return false;
}

} // namespace

absl::Status PickleReader::readGlobal() {
  absl::string_view module, name;
  absl::Status status = takeLine(module);
  if (status.ok())
    status = takeLine(name);
  if (!status.ok())
    return status;
  Value value;
  value.kind = Kind::Global;
  if (!lookUpGlobal(module, name, value.index))
    return absl::FailedPreconditionError(absl::StrCat(
        label, ": refused the GLOBAL ",
        quoteName(absl::StrCat(module, ".", name)), " at byte ", opcodeAt,
        " of the pickle, for only tensors are read and no code is run; HINT: "
        "save tensors alone, torch.save(model.state_dict(), path)"));
  return pushValue(value);
}

absl::Status PickleReader::build() {
  Id state;
  absl::Status status = pop(state);
  if (!status.ok())
    return status;
  // A state_dict carries its modules' versions as an attribute, of no use here.
  if (available() == 0 || result.values[stack.back()].kind != Kind::Dict)
    return fail("BUILD sets the attributes of something other than a dict");
  return absl::OkStatus();
}

absl::Status PickleReader::reduce() {
  Id arguments, callable;
  absl::Status status = pop(arguments);
  if (status.ok())
    status = pop(callable);
  if (!status.ok())
    return status;
  if (result.values[arguments].kind != Kind::Tuple)
    return fail("REDUCE has no tuple of arguments");
  uint32_t function = result.values[callable].kind == Kind::Global
                          ? result.values[callable].index
                          : uint32_t{FirstStorageGlobal};
  absl::Span<const Id> items = result.items(arguments);
  switch (function) {
  case OrderedDictGlobal:
    return items.empty() ? pushSequence(Kind::Dict)
                         : fail("OrderedDict is called with arguments");
  case RebuildTensorGlobal:
    return rebuildTensor(items);
  case RebuildParameterGlobal:
    return rebuildParameter(items);
  default:
    return fail("REDUCE calls a value that is not a function");
  }
}

bool PickleReader::integers(Id tuple, std::vector<int64_t> &out) const {
  if (result.values[tuple].kind != Kind::Tuple)
    return false;
  absl::Span<const Id> items = result.items(tuple);
  if (items.size() > kMaxRank)
    return false;
  for (Id item : items) {
    if (result.values[item].kind != Kind::Int)
      return false;
    out.push_back(result.values[item].integer);
  }
  return true;
}

/// Arguments: storage, offset, size, stride, requires_grad, backward_hooks and
/// maybe metadata; the last three have no bearing on the data.
absl::Status PickleReader::rebuildTensor(absl::Span<const Id> arguments) {
  if (arguments.size() < 6 || arguments.size() > 7)
    return fail("_rebuild_tensor_v2 is called with the wrong arguments");
  const Value &storage = result.values[arguments[0]];
  const Value &offset = result.values[arguments[1]];
  PickledTensor tensor;
  if (storage.kind != Kind::Storage || offset.kind != Kind::Int ||
      !integers(arguments[2], tensor.shape) ||
      !integers(arguments[3], tensor.strides) ||
      tensor.shape.size() != tensor.strides.size())
    return fail("_rebuild_tensor_v2 is called with the wrong arguments");
  tensor.storage = storage.index;
  tensor.offset = offset.integer;
  absl::Status inside = checkBounds(tensor);
  if (!inside.ok())
    return inside;
  // The stride of a dimension that is never stepped along says nothing and may
  // be any number.
  for (size_t i = 0; i < tensor.shape.size(); ++i)
    if (tensor.shape[i] <= 1)
      tensor.strides[i] = 0;
  Value value;
  value.kind = Kind::Tensor;
  value.index = static_cast<uint32_t>(result.tensors.size());
  result.tensors.push_back(std::move(tensor));
  return pushValue(value);
}

absl::Status PickleReader::checkBounds(const PickledTensor &tensor) {
  int64_t elements = result.storageTable[tensor.storage].elements;
  absl::StatusOr<int64_t> count = checkedElements(tensor.shape);
  if (!count.ok())
    return fail(absl::StrCat("a tensor has an invalid size (",
                             count.status().message(), ")"));
  // The index of the last element; overflow counts as beyond every storage.
  int64_t last = tensor.offset;
  bool inside = tensor.offset >= 0 && tensor.offset <= elements;
  for (size_t i = 0; i < tensor.shape.size(); ++i) {
    int64_t reach;
    if (tensor.strides[i] < 0)
      return fail(
          absl::StrCat("a tensor has the negative stride ", tensor.strides[i]));
    inside = inside && (*count == 0 ||
                        (!__builtin_mul_overflow(tensor.shape[i] - 1,
                                                 tensor.strides[i], &reach) &&
                         !__builtin_add_overflow(last, reach, &last)));
  }
  if (!inside || (*count != 0 && last >= elements))
    return fail(absl::StrCat("a tensor of shape ", shapeToString(tensor.shape),
                             " at offset ", tensor.offset,
                             " reaches outside of its storage of ", elements,
                             " elements"));
  return absl::OkStatus();
}

/// Arguments: data, requires_grad, backward_hooks.
absl::Status PickleReader::rebuildParameter(absl::Span<const Id> arguments) {
  if (arguments.size() != 3 || result.values[arguments[0]].kind != Kind::Tensor)
    return fail("_rebuild_parameter is called with the wrong arguments");
  return push(arguments[0]);
}

absl::Status PickleReader::persistentId() {
  Id id;
  absl::Status status = pop(id);
  if (!status.ok())
    return status;
  absl::Span<const Id> items;
  if (result.values[id].kind == Kind::Tuple)
    items = result.items(id);
  if (items.size() != 5 || result.text(items[0]) != "storage")
    return fail("a persistent id is not that of a storage");
  const Value &type = result.values[items[1]];
  const Value &key = result.values[items[2]];
  const Value &elements = result.values[items[4]];
  if (type.kind != Kind::Global || type.index < FirstStorageGlobal ||
      key.kind != Kind::String || elements.kind != Kind::Int)
    return fail("a persistent id is not that of a storage");
  return pushStorage(kStorages[type.index - FirstStorageGlobal].dtype, key.text,
                     elements.integer);
}

absl::Status PickleReader::pushStorage(DType dtype, absl::string_view key,
                                       int64_t elements) {
  if (!checkedBytes(dtype, {elements}).ok())
    return fail(absl::StrCat("storage ", quoteName(key), " has ", elements,
                             " elements"));
  auto [entry, isNew] = storageOfKey.try_emplace(
      std::string(key), static_cast<uint32_t>(result.storageTable.size()));
  if (isNew)
    result.storageTable.push_back({std::string(key), dtype, elements});
  const PickledStorage &known = result.storageTable[entry->second];
  if (known.dtype != dtype || known.elements != elements)
    return fail(
        absl::StrCat("storage ", quoteName(key), " is of two types or sizes"));
  Value value;
  value.kind = Kind::Storage;
  value.index = entry->second;
  return pushValue(value);
}

} // namespace t6
