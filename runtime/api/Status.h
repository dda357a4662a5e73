//===- Status.h - Statuses and structs across the C boundary ----*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef T6_RUNTIME_API_STATUS_H
#define T6_RUNTIME_API_STATUS_H

#include "runtime/api/t6.h"

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"

#include <algorithm>
#include <cstring>
#include <string>

struct t6_status {
  t6_code code;
  std::string message;
};

namespace t6 {

/// Null when `status` is OK.
t6_status *toC(const absl::Status &status);

/// A copy of `text`, with a zero behind it, for t6_free().
char *copyString(absl::string_view text);

/// The usage error for a required argument that is null.
t6_status *nullArgument(absl::string_view name);

/// `given` with the fields that its writer knew, the rest as `initialize` sets
/// them. Null gives all defaults.
template <typename T>
absl::StatusOr<T> readOptions(const T *given, void (*initialize)(T *)) {
  T options;
  initialize(&options);
  if (!given)
    return options;
  if (given->struct_size < sizeof(size_t) || given->struct_size > (1u << 16))
    return absl::InvalidArgumentError(
        "the options have no valid struct_size. HINT: begin with their "
        "t6_*_init() function");
  std::memcpy(&options, given, std::min(sizeof(T), given->struct_size));
  options.struct_size = sizeof(T);
  return options;
}

/// Fills the fields of `*out` that its reader knows; null is accepted.
template <typename T> void writeResult(T value, T *out) {
  if (!out)
    return;
  value.struct_size = out->struct_size;
  std::memcpy(out, &value, std::min(sizeof(T), out->struct_size));
}

/// For functions that return t6_status *: passes a failure on.
#define T6_RETURN_IF_ERROR(expression)                                         \
  do {                                                                         \
    if (absl::Status returned = (expression); !returned.ok())                  \
      return ::t6::toC(returned);                                              \
  } while (false)

} // namespace t6

#endif // T6_RUNTIME_API_STATUS_H
