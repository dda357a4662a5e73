//===- SafetensorsFuzz.cpp - Any bytes as a .safetensors file -------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "runtime/io/Half.h"
#include "runtime/io/Safetensors.h"

#include <cstdlib>
#include <vector>

extern "C" int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  absl::StatusOr<std::unique_ptr<t6::SafetensorsFile>> file =
      t6::parseSafetensors({data, size});
  if (!file.ok())
    return 0;
  // What was accepted lies in the input, in full, and is found by its name.
  const uint8_t *end = data + size;
  for (const t6::NamedTensor &entry : (*file)->tensors()) {
    const t6::TensorView &tensor = entry.tensor;
    const uint8_t *begin = static_cast<const uint8_t *>(tensor.data);
    if ((*file)->find(entry.name) != &tensor || begin < data || begin > end ||
        tensor.bytes > static_cast<size_t>(end - begin) ||
        tensor.bytes != tensor.elements() * t6::byteSize(tensor.dtype))
      abort();
    std::vector<float> converted(tensor.elements());
    if (t6::isConvertible(tensor.dtype, t6::DType::F32) &&
        !t6::convert(tensor, t6::DType::F32, converted.data()).ok())
      abort();
  }
  return 0;
}
