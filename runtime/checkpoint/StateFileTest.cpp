//===- StateFileTest.cpp - Tests of state.json ----------------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "runtime/checkpoint/StateFile.h"

#include "absl/strings/str_replace.h"
#include "runtime/io/TestSupport.h"
#include "gmock/gmock.h"

#include <limits>

namespace t6 {
namespace {

using nlohmann::json;
using testing::asBytes;
using testing::isError;

constexpr absl::StatusCode kDamaged = absl::StatusCode::kDataLoss;
constexpr absl::StatusCode kUnfit = absl::StatusCode::kFailedPrecondition;
constexpr absl::StatusCode kInvalid = absl::StatusCode::kInvalidArgument;

StateFile example() {
  StateFile file;
  file.state.step = 100;
  file.state.tokensTrained = 49'152'000;
  file.state.seed = std::numeric_limits<uint64_t>::max();
  file.state.samplerPosition = 0x123456789abcdef0;
  file.state.bestLoss = 0.1 + 0.2;
  file.state.options = {{"lr", 6e-4}, {"out", "r\xC3\xA9sultats"}};
  file.state.counters = {{"clipped", 7}, {"mfu", 1.0 / 3}};
  file.model.config = {{"n_head", 4}};
  file.model.parameters = {{"a", DType::F32, {2, 3}}, {"s", DType::BF16, {}}};
  file.files = {{"model.safetensors", 1234, std::string(32, 'a')}};
  return file;
}

std::string printed(const StateFile &file) {
  absl::StatusOr<std::string> text = printStateFile(file);
  EXPECT_TRUE(text.ok()) << text.status();
  return text.value_or("");
}

absl::Status statusOf(absl::string_view text) {
  return parseStateFile(text, "x/state.json").status();
}

/// `text` with one piece replaced and the checksum made right again.
std::string resealed(std::string text, absl::string_view from,
                     absl::string_view to) {
  EXPECT_THAT(text, ::testing::HasSubstr(std::string(from)));
  json document =
      json::parse(absl::StrReplaceAll(text, {{from, to}}), nullptr, false);
  EXPECT_FALSE(document.is_discarded());
  document.erase("checksum");
  document["checksum"] = contentChecksum(asBytes(document.dump()));
  return document.dump();
}

TEST(StateFile, ComesBackAsItWas) {
  absl::StatusOr<StateFile> file = parseStateFile(printed(example()), "x");
  ASSERT_TRUE(file.ok()) << file.status();
  EXPECT_EQ(file->state.step, 100);
  EXPECT_EQ(file->state.tokensTrained, 49'152'000);
  EXPECT_EQ(file->state.seed, std::numeric_limits<uint64_t>::max());
  EXPECT_EQ(file->state.samplerPosition, 0x123456789abcdef0u);
  EXPECT_EQ(file->state.bestLoss, 0.1 + 0.2);
  EXPECT_EQ(file->state.options, example().state.options);
  EXPECT_EQ(file->state.counters, example().state.counters);
  EXPECT_TRUE(checkSameModel(example().model, file->model, "x").ok());
  ASSERT_EQ(file->files.size(), 1u);
  EXPECT_EQ(file->files[0].name, "model.safetensors");
  EXPECT_EQ(file->files[0].bytes, 1234u);
  EXPECT_EQ(file->files[0].checksum, std::string(32, 'a'));
  EXPECT_EQ(printed(*file), printed(example()));
}

TEST(StateFile, NoLossYet) {
  StateFile file = example();
  file.state.bestLoss.reset();
  absl::StatusOr<StateFile> back = parseStateFile(printed(file), "x");
  ASSERT_TRUE(back.ok()) << back.status();
  EXPECT_EQ(back->state.bestLoss, std::nullopt);
}

TEST(StateFile, NoChangedByteIsAnotherState) {
  std::string text = printed(example());
  for (size_t i = 0; i < text.size(); ++i) {
    std::string changed = text;
    changed[i] ^= 1;
    absl::StatusOr<StateFile> other = parseStateFile(changed, "x");
    // Two texts of 17 digits may be the same number.
    EXPECT_TRUE(!other.ok() || printed(*other) == text)
        << "byte " << i << ": " << changed;
  }
  EXPECT_TRUE(isError(statusOf(absl::StrReplaceAll(text, {{"100", "101"}})),
                      kDamaged, {"x/state.json", "checksum", "HINT"}));
  for (size_t size = 0; size + 1 < text.size(); ++size)
    EXPECT_TRUE(
        isError(statusOf(text.substr(0, size)), kDamaged, {"x/state.json"}))
        << size;
}

TEST(StateFile, RefusesWhatIsNoState) {
  EXPECT_TRUE(isError(statusOf("[]"), kDamaged, {"not a JSON object"}));
  EXPECT_TRUE(isError(statusOf("{}"), kDamaged, {"not the state"}));
  EXPECT_TRUE(isError(statusOf(std::string(100'000, '[')), kDamaged, {"JSON"}));
  std::string deep = R"({"schema":)" + std::string(100'000, '[') +
                     std::string(100'000, ']') + "}";
  EXPECT_TRUE(isError(statusOf(deep), kDamaged, {"JSON"}));
}

/// Read in pieces of a MiB: the last one is short, or there is none.
TEST(StateFile, RecordsAFile) {
  testing::TemporaryFolder folder;
  for (size_t size : {size_t(0), size_t(1) << 20, (size_t(5) << 19) + 3}) {
    std::string bytes(size, 'x');
    for (size_t i = 0; i < size; i += 1000)
      bytes[i] = static_cast<char>(i / 1000);
    folder.write("model.safetensors", bytes);
    absl::StatusOr<TensorFileRecord> record =
        recordOf(folder.path, "model.safetensors");
    ASSERT_TRUE(record.ok()) << record.status();
    EXPECT_EQ(record->name, "model.safetensors");
    EXPECT_EQ(record->bytes, size);
    EXPECT_EQ(record->checksum, contentChecksum(asBytes(bytes)));
  }
  EXPECT_TRUE(isError(recordOf(folder.path, "none").status(),
                      absl::StatusCode::kNotFound, {"none"}));
}

TEST(StateFile, RefusesAnotherVersion) {
  std::string text = printed(example());
  EXPECT_TRUE(
      isError(statusOf(resealed(text, "\"version\": 1", "\"version\": 2")),
              kUnfit, {"version", "HINT"}));
}

TEST(StateFile, RefusesWrongMembers) {
  std::string text = printed(example());
  struct Case {
    const char *from, *to, *message;
  };
  for (const Case &c : {
           Case{"\"step\": 100", "\"step\": -1", "step is not a natural"},
           Case{"\"step\": 100", "\"step\": 18446744073709551615",
                "step is too large"},
           Case{"\"step\"", "\"stop\"", "step is missing"},
           Case{"49152000", "\"many\"", "tokens_trained is not a natural"},
           Case{"0.30000000000000004", "\"x\"", "best_loss is not a number"},
           Case{"\"options\": {", "\"o\": {", "options is missing"},
           Case{"\"BF16\"", "\"B16\"", "tensor \"s\" has no dtype"},
           Case{"\"shape\": []", "\"shape\": 1", "tensor \"s\" has no shape"},
           Case{"\"shape\": []", "\"shape\": [1.5]", "\"s\" has no shape"},
           Case{"\"bytes\": 1234", "\"bytes\": null", "bytes is not a natural"},
       })
    EXPECT_TRUE(isError(statusOf(resealed(text, c.from, c.to)), kDamaged,
                        {"x/state.json", c.message}))
        << c.from << " -> " << c.to;
}

TEST(StateFile, RefusesToWriteWhatWouldNotComeBack) {
  double nan = std::numeric_limits<double>::quiet_NaN();
  StateFile file = example();
  file.state.bestLoss = std::numeric_limits<double>::infinity();
  EXPECT_TRUE(isError(printStateFile(file).status(), kInvalid, {"best loss"}));
  file = example();
  file.state.counters["ema"] = nan;
  EXPECT_TRUE(isError(printStateFile(file).status(), kInvalid, {"counters"}));
  file = example();
  file.state.options["name"] = "\xFF";
  EXPECT_TRUE(isError(printStateFile(file).status(), kInvalid, {"options"}));
  file = example();
  file.model.config = json::array();
  EXPECT_TRUE(isError(printStateFile(file).status(), kInvalid, {"config"}));
  file = example();
  file.state.step = -1;
  EXPECT_TRUE(isError(printStateFile(file).status(), kInvalid, {"negative"}));
}

} // namespace
} // namespace t6
