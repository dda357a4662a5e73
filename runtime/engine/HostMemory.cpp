//===- HostMemory.cpp - Large zeroed blocks of memory ---------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "runtime/engine/HostMemory.h"

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"

#include <cerrno>
#include <cstring>
#include <sys/mman.h>
#include <unistd.h>
#include <utility>

namespace t6 {

static constexpr absl::string_view kHint =
    ". HINT: recompile with a smaller --max-length, --batch or "
    "--prefill-chunk, "
    "or with --dtype=bf16";

/// The machine's memory in bytes. Blocks are touched lazily, so a larger one
/// would be granted now and kill the process later.
static int64_t physicalBytes() {
  return int64_t{sysconf(_SC_PHYS_PAGES)} * sysconf(_SC_PAGESIZE);
}

absl::StatusOr<HostMemory> HostMemory::allocate(int64_t bytes,
                                                absl::string_view what) {
  HostMemory memory;
  if (bytes == 0)
    return memory;
  int64_t available = physicalBytes();
  if (bytes > available)
    return absl::ResourceExhaustedError(absl::StrCat(
        what, " needs ", bytes >> 20, " MiB, and this machine has ",
        available >> 20, " MiB", kHint));
  void *base = mmap(nullptr, bytes, PROT_READ | PROT_WRITE,
                    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (base == MAP_FAILED)
    return absl::ResourceExhaustedError(
        absl::StrCat(what, " needs ", bytes >> 20,
                     " MiB, which the system "
                     "refused (",
                     std::strerror(errno), ")", kHint));
  // Fewer page-table walks where large pages are to be had; only advice, so a
  // kernel without them may decline.
  madvise(base, bytes, MADV_HUGEPAGE);
  memory.base = static_cast<char *>(base);
  memory.length = bytes;
  return memory;
}

HostMemory::HostMemory(HostMemory &&other) noexcept
    : base(std::exchange(other.base, nullptr)),
      length(std::exchange(other.length, 0)) {}

HostMemory &HostMemory::operator=(HostMemory &&other) noexcept {
  std::swap(base, other.base);
  std::swap(length, other.length);
  return *this;
}

HostMemory::~HostMemory() {
  if (base)
    munmap(base, length);
}

void HostMemory::clear() {
  if (base && madvise(base, length, MADV_DONTNEED) != 0)
    std::memset(base, 0, length);
}

} // namespace t6
