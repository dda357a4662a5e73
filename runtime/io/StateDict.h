//===- StateDict.h - The named tensors of a pickle --------------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Finds the state_dict in what torch.save wrote, and the tied weights in it.
//
//===----------------------------------------------------------------------===//

#ifndef T6_RUNTIME_IO_STATEDICT_H
#define T6_RUNTIME_IO_STATEDICT_H

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "runtime/io/Pickle.h"

#include <string>
#include <vector>

namespace t6 {

struct StateDictEntry {
  std::string name;
  PickledTensor tensor;
  /// Empty, or the name of an earlier entry that is the very same view of the
  /// very same storage. The first name in the state_dict is the one that is
  /// not an alias.
  std::string aliasOf;
};

/// The tensors in insertion order. The state_dict is the dict under the key
/// "model" or else "state_dict" if that holds tensors, otherwise the pickled
/// dict itself; its other values are passed over. Refused: no tensor at all, a
/// name twice, a tensor with more elements than its storage has (one that was
/// saved expanded), and more data than four times all storages.
absl::StatusOr<std::vector<StateDictEntry>>
readStateDict(const Pickle &pickle, absl::string_view label);

} // namespace t6

#endif // T6_RUNTIME_IO_STATEDICT_H
