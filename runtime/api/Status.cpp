//===- Status.cpp - Statuses and structs across the C boundary ------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "runtime/api/Status.h"

#include <cstdlib>

namespace t6 {

static t6_code codeOf(absl::StatusCode code) {
  switch (code) {
  case absl::StatusCode::kOk:
    return T6_OK;
  case absl::StatusCode::kInvalidArgument:
  case absl::StatusCode::kOutOfRange:
    return T6_USAGE_ERROR;
  case absl::StatusCode::kFailedPrecondition:
  case absl::StatusCode::kDataLoss:
    return T6_ARTIFACT_ERROR;
  default:
    return T6_RUNTIME_ERROR;
  }
}

t6_status *toC(const absl::Status &status) {
  if (status.ok())
    return nullptr;
  return new t6_status{codeOf(status.code()), std::string(status.message())};
}

char *copyString(absl::string_view text) {
  char *copy = static_cast<char *>(std::malloc(text.size() + 1));
  // As operator new does without exceptions: there is no way on.
  if (!copy)
    std::abort();
  std::copy(text.begin(), text.end(), copy);
  copy[text.size()] = 0;
  return copy;
}

t6_status *nullArgument(absl::string_view name) {
  return toC(absl::InvalidArgumentError(
      absl::StrCat("the argument '", name, "' is null")));
}

} // namespace t6

t6_code t6_status_code(const t6_status *status) {
  return status ? status->code : T6_OK;
}

const char *t6_status_message(const t6_status *status) {
  return status ? status->message.c_str() : "";
}

void t6_status_free(t6_status *status) { delete status; }

void t6_free(void *memory) { std::free(memory); }

const char *t6_version(void) { return "0.1.0"; }
