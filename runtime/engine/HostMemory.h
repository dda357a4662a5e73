//===- HostMemory.h - Large zeroed blocks of memory -------------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef T6_RUNTIME_ENGINE_HOSTMEMORY_H
#define T6_RUNTIME_ENGINE_HOSTMEMORY_H

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

#include <cstdint>

namespace t6 {

/// Every buffer inside a block starts at a multiple of this many bytes: a cache
/// line, and the widest vector.
constexpr int64_t kBufferAlignment = 64;

/// `bytes` rounded up to kBufferAlignment; at most 2^62.
constexpr int64_t alignBuffer(int64_t bytes) {
  return (bytes + kBufferAlignment - 1) & ~(kBufferAlignment - 1);
}

/// An anonymous mapping: zeroed, page-aligned, and resident only where it has
/// been touched.
class HostMemory {
public:
  HostMemory() = default;
  /// ResourceExhausted when `bytes` is more than this machine's memory or the
  /// mapping fails; `what` names the block in the message.
  static absl::StatusOr<HostMemory> allocate(int64_t bytes,
                                             absl::string_view what);
  HostMemory(HostMemory &&other) noexcept;
  HostMemory &operator=(HostMemory &&other) noexcept;
  ~HostMemory();

  char *data() const { return base; }
  int64_t size() const { return length; }
  /// Makes every byte zero again and gives the pages back.
  void clear();

private:
  char *base = nullptr;
  int64_t length = 0;
};

} // namespace t6

#endif // T6_RUNTIME_ENGINE_HOSTMEMORY_H
