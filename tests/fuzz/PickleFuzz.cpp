//===- PickleFuzz.cpp - Any bytes as a pickle or pytorch_model.bin --------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "runtime/io/Pickle.h"
#include "runtime/io/PytorchFile.h"
#include "runtime/io/StateDict.h"

#include <cstdlib>

namespace {

void readPickle(absl::Span<const uint8_t> bytes) {
  absl::StatusOr<t6::Pickle> pickle = t6::Pickle::parse(bytes, "fuzz");
  if (!pickle.ok())
    return;
  absl::StatusOr<std::vector<t6::StateDictEntry>> entries =
      t6::readStateDict(*pickle, "fuzz");
  if (!entries.ok())
    return;
  for (const t6::StateDictEntry &entry : *entries)
    if (entry.tensor.storage >= pickle->storages().size() ||
        entry.tensor.shape.size() != entry.tensor.strides.size())
      abort();
}

void readFile(absl::Span<const uint8_t> bytes) {
  absl::StatusOr<std::unique_ptr<t6::PytorchFile>> file =
      t6::PytorchFile::parse(bytes, "fuzz");
  if (!file.ok())
    return;
  for (size_t i = 0; i < (*file)->tensors().size(); ++i) {
    absl::StatusOr<t6::TensorView> tensor = (*file)->read(i);
    if (!tensor.ok())
      continue;
    // Touches every byte, so that ASan sees a view that is too long.
    const volatile uint8_t *data = static_cast<const uint8_t *>(tensor->data);
    for (size_t k = 0; k < tensor->bytes; ++k)
      (void)data[k];
  }
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  if (size >= 2 && data[0] == 'P' && data[1] == 'K')
    readFile({data, size});
  else
    readPickle({data, size});
  return 0;
}
