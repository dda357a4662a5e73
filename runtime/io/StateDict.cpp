//===- StateDict.cpp - The named tensors of a pickle ----------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "runtime/io/StateDict.h"

#include "absl/container/flat_hash_set.h"
#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "runtime/io/Names.h"

#include <map>
#include <tuple>

namespace t6 {
namespace {

/// Views of a storage may overlap in a state_dict, but a file that asks for
/// many times its own size is out to fill the disk.
constexpr uint64_t kMaxExpansion = 4;

bool holdsTensors(const Pickle &pickle, Pickle::Id id) {
  if (pickle.kind(id) != Pickle::Kind::Dict)
    return false;
  absl::Span<const Pickle::Id> items = pickle.items(id);
  for (size_t i = 1; i < items.size(); i += 2)
    if (pickle.kind(items[i]) == Pickle::Kind::Tensor)
      return true;
  return false;
}

/// The dict to export, or the root if none holds tensors.
Pickle::Id stateDictOf(const Pickle &pickle) {
  if (pickle.kind(pickle.root()) != Pickle::Kind::Dict)
    return pickle.root();
  absl::Span<const Pickle::Id> items = pickle.items(pickle.root());
  for (absl::string_view wanted : {"model", "state_dict"})
    for (size_t i = 0; i + 1 < items.size(); i += 2)
      if (pickle.text(items[i]) == wanted && holdsTensors(pickle, items[i + 1]))
        return items[i + 1];
  return pickle.root();
}

/// What makes two tensors the same memory seen the same way.
using ViewKey =
    std::tuple<uint32_t, int64_t, std::vector<int64_t>, std::vector<int64_t>>;

ViewKey keyOf(const PickledTensor &tensor) {
  return {tensor.storage, tensor.offset, tensor.shape, tensor.strides};
}

/// Bytes of all storages times kMaxExpansion, or the largest number.
uint64_t exportLimit(const Pickle &pickle) {
  uint64_t bytes = 0;
  for (const PickledStorage &storage : pickle.storages()) {
    uint64_t size =
        static_cast<uint64_t>(storage.elements) * byteSize(storage.dtype);
    if (__builtin_add_overflow(bytes, size, &bytes))
      return ~uint64_t{0};
  }
  return __builtin_mul_overflow(bytes, kMaxExpansion, &bytes) ? ~uint64_t{0}
                                                              : bytes;
}

} // namespace

absl::StatusOr<std::vector<StateDictEntry>>
readStateDict(const Pickle &pickle, absl::string_view label) {
  Pickle::Id dict = stateDictOf(pickle);
  if (!holdsTensors(pickle, dict))
    return absl::FailedPreconditionError(absl::StrCat(
        label, ": there is no dict of tensors in this file; HINT: save it with "
               "torch.save(model.state_dict(), path)"));
  absl::Span<const Pickle::Id> items = pickle.items(dict);
  std::vector<StateDictEntry> entries;
  absl::flat_hash_set<std::string> names;
  std::map<ViewKey, std::string> firstName;
  uint64_t budget = exportLimit(pickle);
  for (size_t i = 0; i + 1 < items.size(); i += 2) {
    if (pickle.kind(items[i + 1]) != Pickle::Kind::Tensor)
      continue;
    if (pickle.kind(items[i]) != Pickle::Kind::String)
      return absl::FailedPreconditionError(
          absl::StrCat(label, ": a tensor's key is not a string; HINT: save "
                              "model.state_dict()"));
    StateDictEntry entry{std::string(pickle.text(items[i])),
                         pickle.tensor(items[i + 1]), ""};
    if (!names.insert(entry.name).second)
      return absl::DataLossError(
          absl::StrCat(label, ": tensor ", quoteName(entry.name),
                       " is there twice; HINT: save it again with torch.save"));
    const PickledStorage &storage = pickle.storages()[entry.tensor.storage];
    absl::StatusOr<int64_t> elements = checkedElements(entry.tensor.shape);
    if (!elements.ok())
      return elements.status();
    if (*elements > storage.elements)
      return absl::FailedPreconditionError(absl::StrCat(
          label, ": tensor ", quoteName(entry.name), " of shape ",
          shapeToString(entry.tensor.shape), " repeats a storage of ",
          storage.elements, " elements; HINT: save it after .contiguous()"));
    if (*elements != 0) {
      auto [first, isNew] =
          firstName.try_emplace(keyOf(entry.tensor), entry.name);
      if (!isNew)
        entry.aliasOf = first->second;
    }
    uint64_t bytes = static_cast<uint64_t>(*elements) * byteSize(storage.dtype);
    if (entry.aliasOf.empty() && bytes > budget)
      return absl::DataLossError(absl::StrCat(
          label, ": the tensors are more than ", kMaxExpansion,
          " times as large as the file; HINT: save them after .contiguous()"));
    if (entry.aliasOf.empty())
      budget -= bytes;
    entries.push_back(std::move(entry));
  }
  return entries;
}

} // namespace t6
