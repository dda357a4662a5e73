//===- ReferenceOrder.h - The reference's order of parameters ---*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// PyTorch numbers the parameters of an optimizer in the order in which the
// model registers them. This is that of the T6 reference's models, told from
// the names alone.
//
//===----------------------------------------------------------------------===//

#ifndef T6_RUNTIME_CHECKPOINT_REFERENCEORDER_H
#define T6_RUNTIME_CHECKPOINT_REFERENCEORDER_H

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "runtime/io/Safetensors.h"

#include <vector>

namespace t6 {

/// `parameters`, without other names of tied ones, in the order of the
/// reference's model.parameters(). FailedPrecondition for a name that no model
/// of the reference has.
absl::StatusOr<std::vector<NamedTensor>>
inReferenceOrder(absl::Span<const NamedTensor> parameters);

} // namespace t6

#endif // T6_RUNTIME_CHECKPOINT_REFERENCEORDER_H
