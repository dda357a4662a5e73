//===- ArenaTest.cpp - Places of blocks in an arena -----------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "compiler/exec/Arena.h"
#include <algorithm>
#include <gtest/gtest.h>
#include <random>

namespace {

using tpa::Arena;

struct Block {
  int64_t offset, bytes, first, last;
};

bool overlapInTime(const Block &a, const Block &b) {
  return a.first <= b.last && b.first <= a.last;
}

bool overlapInSpace(const Block &a, const Block &b) {
  return a.offset < b.offset + b.bytes && b.offset < a.offset + a.bytes;
}

TEST(Arena, IsEmptyAtFirst) { EXPECT_EQ(Arena().size(), 0); }

TEST(Arena, AlignsOffsetsAndSize) {
  Arena arena;
  EXPECT_EQ(arena.place(1, 0, 9), 0);
  EXPECT_EQ(arena.place(65, 1, 9), 64);
  EXPECT_EQ(arena.place(64, 2, 9), 192);
  EXPECT_EQ(arena.size(), 256);
}

TEST(Arena, ReusesWhatIsDead) {
  Arena arena;
  EXPECT_EQ(arena.place(128, 0, 1), 0);
  EXPECT_EQ(arena.place(128, 1, 2), 128); // the first is read at time 1
  EXPECT_EQ(arena.place(128, 2, 3), 0);
  EXPECT_EQ(arena.size(), 256);
}

TEST(Arena, TakesTheFirstGapThatFits) {
  Arena arena;
  arena.place(64, 0, 0);                  // [0, 64), dead at 1
  arena.place(64, 0, 9);                  // [64, 128)
  arena.place(128, 0, 0);                 // [128, 256), dead at 1
  arena.place(64, 0, 9);                  // [256, 320)
  EXPECT_EQ(arena.place(128, 1, 2), 128); // not the 64 bytes at 0
  EXPECT_EQ(arena.place(64, 1, 2), 0);
  EXPECT_EQ(arena.place(64, 1, 2), 320);
}

// A block without bytes needs no place, and takes none from others.
TEST(Arena, PlacesNothing) {
  Arena arena;
  arena.place(0, 0, 9);
  EXPECT_EQ(arena.place(64, 1, 2), 0);
  EXPECT_EQ(arena.size(), 64);
}

TEST(Arena, NeverSharesBetweenLiveBlocks) {
  std::mt19937 random(20250607);
  auto upTo = [&](int64_t most) {
    return std::uniform_int_distribution<int64_t>(0, most)(random);
  };
  for (int round = 0; round < 200; ++round) {
    Arena arena;
    std::vector<Block> blocks;
    int64_t now = 0, sum = 0;
    for (int i = 0; i < 60; ++i) {
      now += upTo(2); // several blocks may be born at once
      Block block{0, 1 + upTo(1000), now, now + upTo(8)};
      block.offset = arena.place(block.bytes, block.first, block.last);
      EXPECT_EQ(block.offset % Arena::alignment, 0);
      EXPECT_GE(block.offset, 0);
      EXPECT_LE(block.offset + block.bytes, arena.size());
      for (const Block &other : blocks)
        ASSERT_FALSE(overlapInTime(block, other) &&
                     overlapInSpace(block, other))
            << "round " << round << ": [" << block.offset << ", +"
            << block.bytes << ") and [" << other.offset << ", +" << other.bytes
            << ")";
      blocks.push_back(block);
      sum += block.bytes;
    }
    // About five of sixty live at a time: places are shared.
    EXPECT_LT(arena.size(), sum / 2);
  }
}

} // namespace
