//===- CachePages.cpp - How many pages a cache has ------------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Decides whether the cache of a program is in pages, and how many there are.
//
//===----------------------------------------------------------------------===//

#include "compiler/model/EntryBuilder.h"
#include "llvm/Support/CheckedArithmetic.h"

using namespace mlir;

namespace tpa {

LogicalResult EntryBuilder::planPages() {
  auto refuse = [&] {
    return model.emitOpError("cannot be compiled for a cache of ")
           << options.cacheTokens << " tokens: ";
  };
  if (options.cacheTokens < 0)
    return refuse() << "a number of tokens is not negative";
  // A table would look up the same page for every token of a row.
  if (options.maxLength <= options.pageTokens)
    options.pageTokens = 0;
  if (!isPaged()) {
    if (options.cacheTokens > 0 && state)
      return refuse() << "a state stands for all tokens, and none is cached";
    if (options.cacheTokens > 0)
      return refuse() << "each row is in one piece, of " << options.maxLength
                      << " tokens, and pages alone can be shared";
    return success();
  }
  if (options.cacheTokens > 0 && options.cacheTokens < options.pageTokens)
    return refuse() << "a page has " << options.pageTokens;

  // Page numbers are 32 bits, and one page belongs to no row.
  constexpr int64_t mostPages = std::numeric_limits<int32_t>::max() - 1;
  std::optional<int64_t> needed = llvm::checkedMul(batch, pagesOfRow());
  sharedPages = options.cacheTokens > 0
                    ? llvm::divideCeil(options.cacheTokens, options.pageTokens)
                    : needed.value_or(std::numeric_limits<int64_t>::max());
  if (needed && sharedPages > *needed)
    return refuse() << "all rows at their longest take "
                    << *needed * options.pageTokens;
  if (sharedPages > mostPages)
    return model.emitOpError("cannot be compiled for a cache of more than ")
           << mostPages << " pages, as " << batch << " rows of "
           << options.maxLength << " tokens in pages of " << options.pageTokens
           << " need: make pages larger, or state the tokens that all rows "
              "have "
              "together as cache-tokens";
  return success();
}

} // namespace tpa
