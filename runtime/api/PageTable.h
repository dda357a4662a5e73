//===- PageTable.h - Which page holds which tokens --------------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Lends the pages of a cache to the rows of a batch. Knows numbers only: all
// layers and factors keep a token on the page of the same number.
//
//===----------------------------------------------------------------------===//

#ifndef T6_RUNTIME_API_PAGETABLE_H
#define T6_RUNTIME_API_PAGETABLE_H

#include "absl/status/status.h"
#include "absl/types/span.h"

#include <cstdint>
#include <vector>

namespace t6 {

/// Rows take pages as they grow and give them back when they end. The pool's
/// last page is lent to nobody: entries without a page name it, so that what a
/// run writes behind a row's end harms no other row.
class PageTable {
public:
  /// Every number is positive, and there are at least two pages.
  PageTable(int64_t rows, int64_t slots, int64_t pageTokens, int64_t pages);

  /// Gives `row` the pages of `length` tokens, beyond those that it has.
  /// ResourceExhausted, and nothing changed, if the pool has too few;
  /// InvalidArgument if the row has too few slots.
  absl::Status grow(int64_t row, int64_t length);

  /// Takes back all pages of `row`.
  void release(int64_t row);

  /// [rows, slots], each entry a page of the pool.
  absl::Span<const int32_t> entries() const { return table; }
  /// Pages that `length` tokens of a row take.
  int64_t pagesFor(int64_t length) const {
    return length / pageTokens + (length % pageTokens != 0);
  }
  /// Pages that rows share.
  int64_t pageCount() const { return spare; }
  int64_t tokensOfPage() const { return pageTokens; }
  int64_t freePages() const { return static_cast<int64_t>(unused.size()); }

private:
  int64_t slots;
  int64_t pageTokens;
  int32_t spare;
  std::vector<int32_t> table;
  std::vector<int64_t> taken;  ///< Pages of each row.
  std::vector<int32_t> unused; ///< The next one to lend is the last.
};

} // namespace t6

#endif // T6_RUNTIME_API_PAGETABLE_H
