//===- PageTable.cpp - Which page holds which tokens ----------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "runtime/api/PageTable.h"

#include "absl/strings/str_cat.h"

namespace t6 {

PageTable::PageTable(int64_t rows, int64_t slots, int64_t pageTokens,
                     int64_t pages)
    : slots(slots), pageTokens(pageTokens),
      spare(static_cast<int32_t>(pages - 1)), table(rows * slots, spare),
      taken(rows) {
  for (int32_t page = spare - 1; page >= 0; --page)
    unused.push_back(page);
}

absl::Status PageTable::grow(int64_t row, int64_t length) {
  int64_t wanted = pagesFor(length);
  if (wanted > slots)
    return absl::InvalidArgumentError(
        absl::StrCat("row ", row, " needs ", wanted, " pages for ", length,
                     " tokens, and the page table has ", slots, " a row"));
  int64_t missing = wanted - taken[row];
  if (missing > freePages())
    return absl::ResourceExhaustedError(absl::StrCat(
        "the cache is full: row ", row, " needs ", missing,
        missing == 1 ? " more page of " : " more pages of ", pageTokens,
        " tokens to hold ", length, ", and ", freePages(), " of ", spare,
        " are free. HINT: run fewer or shorter sequences at once, "
        "or compile with a greater tpa-opt --cache-tokens than ",
        spare * pageTokens));
  for (; taken[row] < wanted; ++taken[row]) {
    table[row * slots + taken[row]] = unused.back();
    unused.pop_back();
  }
  return absl::OkStatus();
}

void PageTable::release(int64_t row) {
  // The first page is lent first again.
  for (; taken[row] > 0; --taken[row]) {
    int32_t &entry = table[row * slots + taken[row] - 1];
    unused.push_back(entry);
    entry = spare;
  }
}

} // namespace t6
