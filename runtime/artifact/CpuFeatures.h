//===- CpuFeatures.h - What this machine's CPU can run ----------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef T6_RUNTIME_ARTIFACT_CPUFEATURES_H
#define T6_RUNTIME_ARTIFACT_CPUFEATURES_H

#include "absl/strings/string_view.h"

namespace t6 {

enum class FeatureSupport {
  Present, ///< The CPU has it and the operating system enabled it.
  Absent,
  Unknown, ///< Not a feature name that this runtime knows.
};

/// Looks up a feature by LLVM's name for it ("avx512f", "sse4.2").
FeatureSupport cpuFeature(absl::string_view name);

} // namespace t6

#endif // T6_RUNTIME_ARTIFACT_CPUFEATURES_H
