//===- Arena.cpp - Places of blocks in an arena ---------------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Places blocks with known lifetimes in one arena, first fit.
//
//===----------------------------------------------------------------------===//

#include "compiler/exec/Arena.h"
#include <algorithm>

namespace tpa {

int64_t Arena::place(int64_t bytes, int64_t first, int64_t last) {
  bytes = (bytes + alignment - 1) / alignment * alignment;
  live.erase(
      std::remove_if(live.begin(), live.end(),
                     [&](const Block &block) { return block.last < first; }),
      live.end());
  int64_t offset = 0;
  auto at = live.begin();
  for (; at != live.end() && at->offset - offset < bytes; ++at)
    offset = at->offset + at->bytes;
  live.insert(at, {offset, bytes, last});
  end = std::max(end, offset + bytes);
  return offset;
}

} // namespace tpa
