//===- Arena.h - Places of blocks in an arena -------------------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Places blocks with known lifetimes in one arena, first fit.
//
//===----------------------------------------------------------------------===//

#ifndef TPA_COMPILER_EXEC_ARENA_H
#define TPA_COMPILER_EXEC_ARENA_H

#include <cstdint>
#include <vector>

namespace tpa {

/// Blocks are placed in order of their first use. Two blocks share bytes only
/// if one is dead before the other is born; lifetimes are closed intervals.
class Arena {
public:
  static constexpr int64_t alignment = 64;

  /// Returns the offset of a new block that lives from `first` to `last`.
  int64_t place(int64_t bytes, int64_t first, int64_t last);
  /// Bytes of the arena: the highest end of any block.
  int64_t size() const { return end; }

private:
  struct Block {
    int64_t offset, bytes, last;
  };
  std::vector<Block> live; ///< sorted by offset
  int64_t end = 0;
};

} // namespace tpa

#endif // TPA_COMPILER_EXEC_ARENA_H
