//===- RandomTest.cpp - The counter-based generator -----------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "runtime/sampling/Random.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"

#include <set>

namespace t6 {
namespace {

using ::testing::ElementsAre;

// The known answers published with the generator (philox4x32, 10 rounds).
TEST(Philox, KnownAnswers) {
  EXPECT_THAT(philox4x32({0, 0, 0, 0}, {0, 0}),
              ElementsAre(0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8));
  EXPECT_THAT(philox4x32({~0u, ~0u, ~0u, ~0u}, {~0u, ~0u}),
              ElementsAre(0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd));
  EXPECT_THAT(philox4x32({0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344},
                         {0xa4093822, 0x299f31d0}),
              ElementsAre(0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1));
}

TEST(Random, CounterAndKeyAreLaidOutAsDocumented) {
  Random random(0x299f31d0a4093822, 0x0370734413198a2e);
  EXPECT_THAT(random.bits(0x85a308d3243f6a88),
              ElementsAre(0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1));
  // (0x94fdcceb << 32 | 0xd16cfe09) / 2^64, to 53 bits.
  EXPECT_EQ(random.uniform(0x85a308d3243f6a88),
            double(0x94fdccebd16cfe09 >> 11) / 9007199254740992.0);
}

TEST(Random, SeedStreamAndPositionAllMatter) {
  std::set<double> values;
  for (uint64_t seed : {uint64_t(0), uint64_t(1), uint64_t(1) << 32})
    for (uint64_t stream : {uint64_t(0), uint64_t(1), uint64_t(1) << 32})
      for (uint64_t position : {uint64_t(0), uint64_t(1), uint64_t(1) << 32})
        values.insert(Random(seed, stream).uniform(position));
  EXPECT_EQ(values.size(), 27u);
}

TEST(Random, UniformHasTheRightMoments) {
  Random random(1, 2);
  double sum = 0, squares = 0;
  const int n = 100000;
  for (int i = 0; i < n; ++i) {
    double u = random.uniform(uint64_t(i));
    ASSERT_GE(u, 0);
    ASSERT_LT(u, 1);
    sum += u;
    squares += u * u;
  }
  // Six standard errors of the mean and of the mean square.
  EXPECT_NEAR(sum / n, 1.0 / 2, 6 * 0.2887 / 316);
  EXPECT_NEAR(squares / n, 1.0 / 3, 6 * 0.2981 / 316);
}

} // namespace
} // namespace t6
