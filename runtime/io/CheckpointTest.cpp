//===- CheckpointTest.cpp - Tests of checkpoints --------------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "runtime/io/Checkpoint.h"

#include "runtime/io/TestSupport.h"
#include "gmock/gmock.h"

namespace t6 {
namespace {

using ::testing::ElementsAre;
using testing::isError;
using testing::safetensors;
using testing::TemporaryFolder;

constexpr absl::StatusCode kUnfit = absl::StatusCode::kFailedPrecondition;
constexpr absl::StatusCode kDamaged = absl::StatusCode::kDataLoss;

/// A file with one U8 tensor of one element.
std::string fileOf(absl::string_view name, absl::string_view data,
                   absl::string_view metadata = "{}") {
  return safetensors(
      absl::StrCat(R"({"__metadata__":)", metadata, ",\"", name,
                   R"(":{"dtype":"U8","shape":[1],"data_offsets":[0,1]}})"),
      data);
}

absl::StatusOr<std::unique_ptr<Checkpoint>>
openAll(const std::vector<std::string> &paths) {
  return Checkpoint::open(paths);
}

char firstByte(const Checkpoint &checkpoint, absl::string_view name) {
  const TensorView *tensor = checkpoint.find(name);
  return tensor ? *static_cast<const char *>(tensor->data) : '?';
}

TEST(Checkpoint, OneFile) {
  TemporaryFolder folder;
  std::string path = folder.write("a.safetensors", fileOf("a", "1"));
  auto checkpoint = openAll({path});
  ASSERT_TRUE(checkpoint.ok()) << checkpoint.status();
  EXPECT_EQ(firstByte(**checkpoint, "a"), '1');
  EXPECT_EQ((*checkpoint)->fileOf("a"), path);
  EXPECT_EQ((*checkpoint)->fileOf("b"), "");
}

TEST(Checkpoint, SeveralFilesAndFolders) {
  TemporaryFolder folder;
  std::string a = folder.write("a.safetensors", fileOf("a", "1"));
  std::string b = folder.write("b.safetensors", fileOf("b", "2"));
  folder.write("config.json", "{}");
  for (const auto &paths : {std::vector<std::string>{a, b}, {folder.path}}) {
    auto checkpoint = openAll(paths);
    ASSERT_TRUE(checkpoint.ok()) << checkpoint.status();
    EXPECT_THAT((*checkpoint)->names(), ElementsAre("a", "b"));
    EXPECT_EQ((*checkpoint)->files().size(), 2u);
    EXPECT_EQ(firstByte(**checkpoint, "b"), '2');
  }
}

TEST(Checkpoint, Index) {
  TemporaryFolder folder;
  folder.write("1.safetensors", fileOf("a", "1"));
  folder.write("2.safetensors", fileOf("b", "2"));
  folder.write("stray.safetensors", fileOf("c", "3"));
  std::string index = folder.write(
      "model.safetensors.index.json",
      R"({"metadata":{"total_size":2},)"
      R"("weight_map":{"a":"1.safetensors","b":"2.safetensors"}})");
  for (const std::string &path : {index, folder.path}) {
    auto checkpoint = openAll({path});
    ASSERT_TRUE(checkpoint.ok()) << checkpoint.status();
    EXPECT_THAT((*checkpoint)->names(), ElementsAre("a", "b"));
  }
}

TEST(Checkpoint, MissingTensorNamesTheNearest) {
  TemporaryFolder folder;
  folder.write("a.safetensors", fileOf("transformer.wte.weight", "1"));
  auto checkpoint = openAll({folder.path});
  ASSERT_TRUE(checkpoint.ok()) << checkpoint.status();
  EXPECT_TRUE(isError((*checkpoint)->tensor("transformer.wte.bias").status(),
                      kUnfit,
                      {"no tensor \"transformer.wte.bias\"", "a.safetensors",
                       "HINT: the nearest names are "
                       "\"transformer.wte.weight\""}));
  EXPECT_TRUE(isError((*checkpoint)->tensor("x").status(), kUnfit,
                      {"HINT: is this the checkpoint of another model?"}));
}

TEST(Checkpoint, AliasesOfTheMetadata) {
  TemporaryFolder folder;
  std::string path = folder.write(
      "a.safetensors", fileOf("a", "1", R"({"tied":"a","broken":"none"})"));
  auto checkpoint = openAll({path});
  ASSERT_TRUE(checkpoint.ok()) << checkpoint.status();
  EXPECT_EQ(firstByte(**checkpoint, "tied"), '1');
  EXPECT_EQ((*checkpoint)->fileOf("tied"), path);
  EXPECT_EQ((*checkpoint)->find("broken"), nullptr);
  EXPECT_THAT((*checkpoint)->names(), ElementsAre("a"));
}

TEST(Checkpoint, ANameTwiceIsAnError) {
  TemporaryFolder folder;
  std::string a = folder.write("a.safetensors", fileOf("x", "1"));
  std::string b = folder.write("b.safetensors", fileOf("x", "2"));
  EXPECT_TRUE(isError(openAll({a, b}).status(), kUnfit,
                      {"\"x\"", "a.safetensors", "b.safetensors", "HINT"}));
}

TEST(Checkpoint, NothingToOpen) {
  TemporaryFolder folder;
  EXPECT_TRUE(isError(openAll({}).status(), absl::StatusCode::kInvalidArgument,
                      {"no weights", "HINT"}));
  EXPECT_TRUE(isError(openAll({folder.path}).status(),
                      absl::StatusCode::kNotFound, {"no .safetensors"}));
  std::string bin = folder.write("pytorch_model.bin", "PK");
  for (const std::string &path : {bin, folder.path})
    EXPECT_TRUE(isError(openAll({path}).status(), kUnfit,
                        {"HINT: run `t6 convert " + bin}));
}

TEST(Checkpoint, BadIndices) {
  TemporaryFolder folder;
  folder.write("1.safetensors", fileOf("a", "1"));
  folder.write("2.safetensors", fileOf("b", "2"));
  struct {
    const char *text;
    const char *part;
  } cases[] = {
      {"", "not valid JSON"},
      {"{", "not valid JSON"},
      {"[]", "no object \"weight_map\""},
      {R"({"weight_map":1})", "no object \"weight_map\""},
      {R"({"weight_map":{}})", "empty"},
      {R"({"weight_map":{"a":1}})", "\"a\" is not a string"},
      {R"({"weight_map":{"a":"../1.safetensors"}})", "not a plain file name"},
      {R"({"weight_map":{"a":"/1.safetensors"}})", "not a plain file name"},
      {R"({"weight_map":{"a":".."}})", "not a plain file name"},
      {R"({"weight_map":{"a":"1.safetensors\u0000"}})", "not a plain file"},
      {R"({"weight_map":{"a":"1.safetensors","a":"2"}})", "more than once"},
      {R"({"weight_map":{"b":"1.safetensors"}})", "\"b\" should be in"},
      {R"({"weight_map":{"a":"2.safetensors","b":"1.safetensors"}})",
       "\"a\" should be in"},
  };
  for (const auto &bad : cases) {
    std::string path = folder.write("x.index.json", bad.text);
    EXPECT_TRUE(isError(openAll({path}).status(), kDamaged,
                        {path, bad.part, "; HINT: "}))
        << bad.text;
  }
  std::string path = folder.write("x.index.json",
                                  R"({"weight_map":{"a":"none.safetensors"}})");
  EXPECT_TRUE(isError(openAll({path}).status(), absl::StatusCode::kNotFound,
                      {"none.safetensors"}));
  folder.write("y.safetensors.index.json", "{}");
  folder.write("z.safetensors.index.json", "{}");
  EXPECT_TRUE(isError(openAll({folder.path}).status(), kUnfit,
                      {"more than one index"}));
}

} // namespace
} // namespace t6
