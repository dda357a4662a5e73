//===- StateDictTest.cpp - Tests of finding tensors in pickles ------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "runtime/io/StateDict.h"

#include "runtime/io/TestSupport.h"
#include "gmock/gmock.h"

namespace t6 {
namespace {

using namespace testing::pickle;
using testing::asBytes;
using ::testing::ElementsAre;
using testing::isError;

constexpr absl::StatusCode kDamaged = absl::StatusCode::kDataLoss;
constexpr absl::StatusCode kUnfit = absl::StatusCode::kFailedPrecondition;

std::string floats(absl::string_view key, int64_t elements) {
  return storage("FloatStorage", key, elements);
}

TEST(StateDict, FindsTheTensors) {
  std::string weights =
      dict({{"w", tensor(floats("0", 2), 0, {2}, {1})}, {"n", "K\x01"}});
  for (const std::string &body :
       {weights,
        dict({{"model", weights}, {"loss", tensor(floats("9", 1), 0, {}, {})}}),
        dict({{"epoch", "K\x01"}, {"state_dict", weights}}),
        dict({{"model", "}"}, {"state_dict", weights}})}) {
    std::string text = program(body);
    absl::StatusOr<Pickle> pickle = Pickle::parse(asBytes(text), "x");
    ASSERT_TRUE(pickle.ok()) << pickle.status();
    auto entries = readStateDict(*pickle, "x");
    ASSERT_TRUE(entries.ok()) << entries.status();
    ASSERT_EQ(entries->size(), 1u);
    EXPECT_EQ((*entries)[0].name, "w");
  }
}

TEST(StateDict, TiedWeights) {
  std::string text =
      program(dict({{"wte", tensor(floats("0", 6), 0, {2, 3}, {3, 1})},
                    {"transposed", tensor(floats("0", 6), 0, {3, 2}, {1, 3})},
                    {"part", tensor(floats("0", 6), 3, {1, 3}, {3, 1})},
                    {"other", tensor(floats("1", 6), 0, {2, 3}, {3, 1})},
                    {"head", tensor(floats("0", 6), 0, {2, 3}, {3, 1})},
                    {"part2", tensor(floats("0", 6), 3, {1, 3}, {99, 1})},
                    {"empty", tensor(floats("0", 6), 0, {0}, {1})},
                    {"empty2", tensor(floats("0", 6), 0, {0}, {1})}}));
  absl::StatusOr<Pickle> pickle = Pickle::parse(asBytes(text), "x");
  ASSERT_TRUE(pickle.ok()) << pickle.status();
  auto entries = readStateDict(*pickle, "x");
  ASSERT_TRUE(entries.ok()) << entries.status();
  std::vector<std::string> aliases;
  for (const StateDictEntry &entry : *entries)
    aliases.push_back(entry.aliasOf);
  EXPECT_THAT(aliases, ElementsAre("", "", "", "", "wte", "part", "", ""));
}

struct BadDict {
  const char *what;
  std::string text;
  absl::string_view part;
  absl::StatusCode code = kDamaged;
};

TEST(StateDict, RefusesWhatIsNone) {
  const BadDict cases[] = {
      {"expanded",
       program(dict({{"w", tensor(floats("0", 6), 0, {1000}, {0})}})),
       "repeats a storage", kUnfit},
      {"no tensors", program(dict({{"a", "K\x01"}})), "no dict of tensors",
       kUnfit},
      {"a lone tensor", program(tensor(floats("0", 6), 0, {6}, {1})),
       "no dict of tensors", kUnfit},
      {"numbered tensor",
       program("}K\x01" + tensor(floats("0", 6), 0, {6}, {1}) + "s"),
       "key is not a string", kUnfit},
      {"name twice",
       program(dict({{"w", tensor(floats("0", 6), 0, {6}, {1})},
                     {"w", tensor(floats("0", 6), 0, {6}, {1})}})),
       "\"w\" is there twice"},
      {"many views of one storage",
       program(dict({{"a", tensor(floats("0", 6), 0, {6}, {1})},
                     {"b", tensor(floats("0", 6), 0, {2, 3}, {3, 1})},
                     {"c", tensor(floats("0", 6), 0, {3, 2}, {2, 1})},
                     {"d", tensor(floats("0", 6), 0, {3, 2}, {1, 3})},
                     {"e", tensor(floats("0", 6), 0, {2, 3}, {1, 2})}})),
       "more than 4 times"},
  };
  for (const BadDict &bad : cases) {
    absl::StatusOr<Pickle> pickle = Pickle::parse(asBytes(bad.text), "x.bin");
    ASSERT_TRUE(pickle.ok()) << bad.what << ": " << pickle.status();
    EXPECT_TRUE(isError(readStateDict(*pickle, "x.bin").status(), bad.code,
                        {"x.bin: ", bad.part, "; HINT: "}))
        << bad.what;
  }
}

} // namespace
} // namespace t6
