//===- Names.h - Tensor names in messages -----------------------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// What the readers need to talk about names that come from untrusted files.
//
//===----------------------------------------------------------------------===//

#ifndef T6_RUNTIME_IO_NAMES_H
#define T6_RUNTIME_IO_NAMES_H

#include "absl/strings/string_view.h"
#include "absl/types/span.h"

#include <string>
#include <vector>

namespace t6 {

/// Whether `text` is well-formed UTF-8 (no surrogates, no overlong forms).
bool isValidUtf8(absl::string_view text);

/// `text` in quotes, control and non-ASCII bytes escaped, shortened to a length
/// that fits a message.
std::string quoteName(absl::string_view text);

/// Up to `count` of `names` by edit distance to `name`, nearest first, ties by
/// name. Names that share nothing useful with `name` are left out.
std::vector<absl::string_view>
closestNames(absl::string_view name, absl::Span<const absl::string_view> names,
             size_t count = 3);

} // namespace t6

#endif // T6_RUNTIME_IO_NAMES_H
