//===- PageTableTest.cpp - Tests of PageTable -----------------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "runtime/api/PageTable.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>

namespace t6 {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

TEST(PageTable, BeginsWithTheSparePageEverywhere) {
  PageTable table(2, 3, 16, 5);
  EXPECT_THAT(table.entries(), ElementsAre(4, 4, 4, 4, 4, 4));
  EXPECT_EQ(table.freePages(), 4);
}

TEST(PageTable, LendsAPageWhenATokenNeedsIt) {
  PageTable table(1, 3, 16, 4);
  ASSERT_TRUE(table.grow(0, 0).ok());
  EXPECT_EQ(table.freePages(), 3);
  ASSERT_TRUE(table.grow(0, 1).ok());
  ASSERT_TRUE(table.grow(0, 16).ok());
  EXPECT_THAT(table.entries(), ElementsAre(0, 3, 3));
  ASSERT_TRUE(table.grow(0, 17).ok());
  EXPECT_THAT(table.entries(), ElementsAre(0, 1, 3));
}

TEST(PageTable, KeepsPagesOfALongerRow) {
  PageTable table(1, 3, 16, 4);
  ASSERT_TRUE(table.grow(0, 40).ok());
  ASSERT_TRUE(table.grow(0, 5).ok());
  EXPECT_THAT(table.entries(), ElementsAre(0, 1, 2));
  EXPECT_EQ(table.freePages(), 0);
}

TEST(PageTable, InterleavesRowsThatGrowTogether) {
  PageTable table(2, 2, 16, 5);
  for (int64_t length : {16, 32})
    for (int64_t row : {0, 1})
      ASSERT_TRUE(table.grow(row, length).ok());
  EXPECT_THAT(table.entries(), ElementsAre(0, 2, 1, 3));
}

TEST(PageTable, LendsReleasedPagesAgainInTheirOrder) {
  PageTable table(2, 3, 16, 7);
  ASSERT_TRUE(table.grow(0, 48).ok());
  ASSERT_TRUE(table.grow(1, 16).ok());
  table.release(0);
  EXPECT_THAT(table.entries(), ElementsAre(6, 6, 6, 3, 6, 6));
  EXPECT_EQ(table.freePages(), 5);
  ASSERT_TRUE(table.grow(1, 33).ok());
  EXPECT_THAT(table.entries(), ElementsAre(6, 6, 6, 3, 0, 1));
  table.release(0);
  EXPECT_EQ(table.freePages(), 3);
}

TEST(PageTable, ChangesNothingWhenThePoolIsExhausted) {
  PageTable table(2, 4, 16, 5);
  ASSERT_TRUE(table.grow(0, 33).ok());
  absl::Status status = table.grow(1, 17);
  EXPECT_EQ(status.code(), absl::StatusCode::kResourceExhausted);
  EXPECT_THAT(status.message(),
              HasSubstr("row 1 needs 2 more pages of 16 tokens to hold 17, "
                        "and 1 of 4 are free"));
  EXPECT_THAT(table.entries(), ElementsAre(0, 1, 2, 4, 4, 4, 4, 4));
  EXPECT_EQ(table.freePages(), 1);
  EXPECT_TRUE(table.grow(1, 16).ok());
}

TEST(PageTable, RefusesMoreThanARowHolds) {
  PageTable table(1, 2, 16, 9);
  EXPECT_EQ(table.grow(0, 33).code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(table.grow(0, std::numeric_limits<int64_t>::max()).code(),
            absl::StatusCode::kInvalidArgument);
  EXPECT_TRUE(table.grow(0, 32).ok());
}

} // namespace
} // namespace t6
