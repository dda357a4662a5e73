//===- PytorchFileTest.cpp - Tests of pytorch_model.bin -------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "runtime/io/PytorchFile.h"

#include "runtime/io/Checkpoint.h"
#include "runtime/io/TestSupport.h"
#include "gmock/gmock.h"

namespace t6 {
namespace {

using namespace testing::pickle;
using testing::asBytes;
using testing::bytesOf;
using ::testing::ElementsAre;
using ::testing::IsEmpty;
using testing::isError;
using testing::TemporaryFolder;
using testing::zipOf;

constexpr absl::StatusCode kDamaged = absl::StatusCode::kDataLoss;
constexpr absl::StatusCode kUnfit = absl::StatusCode::kFailedPrecondition;

/// Written by PyTorch 1.13: torch.save of {wte.weight: arange(12) as [4, 3],
/// fc.weight: arange(6) as [2, 3], transposed; ln.weight: a bf16 parameter of
/// three ones; steps: 7; lm_head.weight: the same tensor as wte.weight}.
constexpr char kRealFile[] = "runtime/io/testdata/state_dict.bin";
/// The same under "model", beside optimizer state, a config and a loss.
constexpr char kRealCheckpoint[] = "runtime/io/testdata/checkpoint.pt";

using Entries = std::vector<std::pair<std::string, std::string>>;

/// One tensor "w" of shape [2] over storage "0" of two floats.
std::string smallPickle() {
  return program(
      dict({{"w", tensor(storage("FloatStorage", "0", 2), 0, {2}, {1})}}));
}

Entries smallEntries() {
  return {{"m/data.pkl", smallPickle()},
          {"m/byteorder", "little"},
          {"m/data/0", bytesOf<float>({1, 2})},
          {"m/version", "3\n"}};
}

std::vector<float> floatsOf(const TensorView &tensor) {
  std::vector<float> values(tensor.bytes / 4);
  memcpy(values.data(), tensor.data, tensor.bytes);
  return values;
}

absl::Status statusOf(absl::string_view text) {
  std::vector<uint8_t> bytes(text.begin(), text.end());
  absl::StatusOr<std::unique_ptr<PytorchFile>> file =
      PytorchFile::parse(bytes, "x.bin");
  if (!file.ok())
    return file.status();
  for (size_t i = 0; i < (*file)->tensors().size(); ++i) {
    absl::Status status = (*file)->read(i).status();
    if (!status.ok())
      return status;
  }
  return absl::OkStatus();
}

TEST(PytorchFile, ReadsWhatPytorchWrites) {
  for (const char *path : {kRealFile, kRealCheckpoint}) {
    auto file = PytorchFile::open(path);
    ASSERT_TRUE(file.ok()) << file.status();
    std::vector<std::string> seen;
    for (const PytorchFile::Tensor &tensor : (*file)->tensors())
      seen.push_back(
          absl::StrCat(tensor.spec.name, " ", name(tensor.spec.dtype), " ",
                       shapeToString(tensor.spec.shape), " ", tensor.aliasOf));
    EXPECT_THAT(seen,
                ElementsAre("wte.weight F32 [4, 3] ", "fc.weight F32 [3, 2] ",
                            "ln.weight BF16 [3] ", "steps I64 [] ",
                            "lm_head.weight F32 [4, 3] wte.weight"));
    EXPECT_THAT(floatsOf(*(*file)->read(0)),
                ElementsAre(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11));
    EXPECT_THAT(floatsOf(*(*file)->read(1)), ElementsAre(0, 3, 1, 4, 2, 5));
    EXPECT_EQ(*static_cast<const int64_t *>((*file)->read(3)->data), 7);
  }
}

TEST(PytorchFile, HonoursStrides) {
  std::string floats = storage("FloatStorage", "0", 24);
  std::string body = dict({
      {"permuted", tensor(floats, 0, {4, 2, 3}, {1, 12, 4})},
      {"sliced", tensor(floats, 13, {2, 2}, {8, 2})},
      {"wide", tensor(floats, 3, {1, 3}, {99, 1})},
      {"column", tensor(floats, 1, {3, 1}, {4, 7})},
      {"empty", tensor(floats, 24, {0, 3}, {3, 1})},
  });
  float values[24];
  for (int i = 0; i < 24; ++i)
    values[i] = static_cast<float>(i);
  std::string data(reinterpret_cast<char *>(values), sizeof values);
  std::string bytes = zipOf({{"data.pkl", program(body)}, {"data/0", data}});
  auto file = PytorchFile::parse(asBytes(bytes), "x");
  ASSERT_TRUE(file.ok()) << file.status();
  EXPECT_THAT(floatsOf(*(*file)->read(0)),
              ElementsAre(0, 4, 8, 12, 16, 20, 1, 5, 9, 13, 17, 21, 2, 6, 10,
                          14, 18, 22, 3, 7, 11, 15, 19, 23));
  EXPECT_THAT(floatsOf(*(*file)->read(1)), ElementsAre(13, 15, 21, 23));
  EXPECT_THAT(floatsOf(*(*file)->read(2)), ElementsAre(3, 4, 5));
  EXPECT_THAT(floatsOf(*(*file)->read(3)), ElementsAre(1, 5, 9));
  EXPECT_EQ((*file)->read(4)->bytes, 0u);
}

TEST(PytorchFile, GathersEveryElementSize) {
  for (const char *type : {"ByteStorage", "ShortStorage", "LongStorage"}) {
    std::string body =
        dict({{"t", tensor(storage(type, "0", 4), 0, {2, 2}, {1, 2})}});
    std::string data = type[0] == 'B'   ? bytesOf<uint8_t>({1, 2, 3, 4})
                       : type[0] == 'S' ? bytesOf<int16_t>({1, 2, 3, 4})
                                        : bytesOf<int64_t>({1, 2, 3, 4});
    std::string want = type[0] == 'B'   ? bytesOf<uint8_t>({1, 3, 2, 4})
                       : type[0] == 'S' ? bytesOf<int16_t>({1, 3, 2, 4})
                                        : bytesOf<int64_t>({1, 3, 2, 4});
    std::string bytes = zipOf({{"data.pkl", program(body)}, {"data/0", data}});
    auto file = PytorchFile::parse(asBytes(bytes), "x");
    ASSERT_TRUE(file.ok()) << file.status();
    auto tensor = (*file)->read(0);
    ASSERT_TRUE(tensor.ok()) << tensor.status();
    EXPECT_EQ(
        std::string(static_cast<const char *>(tensor->data), tensor->bytes),
        want)
        << type;
  }
}

TEST(PytorchFile, RefusesOtherFormats) {
  EXPECT_TRUE(isError(statusOf("\x80\x02\x8a\x0al\xfc\x9c"), kUnfit,
                      {"x.bin", "PyTorch before 1.6", "HINT"}));
  EXPECT_TRUE(isError(statusOf(""), kUnfit, {"not a file that torch.save"}));
  EXPECT_TRUE(isError(statusOf("GGUF"), kUnfit, {"not a file that"}));
  EXPECT_TRUE(
      isError(statusOf("PK\x03\x04"), kDamaged, {"not a readable zip"}));
  EXPECT_TRUE(isError(statusOf(zipOf({{"a/b/data.pkl", ""}, {"x", "y"}})),
                      kUnfit, {"no data.pkl"}));
  EXPECT_TRUE(isError(PytorchFile::open("no/such.bin").status(),
                      absl::StatusCode::kNotFound, {"no/such.bin"}));
}

TEST(PytorchFile, RefusesBadContainers) {
  ASSERT_TRUE(statusOf(zipOf(smallEntries())).ok());
  auto with = [](size_t index, absl::string_view bytes) {
    Entries entries = smallEntries();
    entries[index].second = std::string(bytes);
    return statusOf(zipOf(entries));
  };
  EXPECT_TRUE(isError(with(1, "big"), kUnfit, {"byte order is \"big\""}));
  EXPECT_TRUE(isError(with(2, "1234567"), kDamaged,
                      {"m/data/0", "7 bytes instead of 8"}));
  EXPECT_TRUE(isError(with(2, "123456789"), kDamaged, {"instead of 8"}));
  EXPECT_TRUE(
      isError(with(0, program(global("os", "system"))), kUnfit, {"os.system"}));
  Entries entries = smallEntries();
  entries[2].first = "m/data/1";
  EXPECT_TRUE(isError(statusOf(zipOf(entries)), kDamaged,
                      {"m/data/0", "not in the zip"}));
  entries = smallEntries();
  entries.push_back({"n/data.pkl", smallPickle()});
  EXPECT_TRUE(isError(statusOf(zipOf(entries)), kDamaged, {"more than one"}));
}

/// Overwrites a field of the central directory's entry for `name`.
std::string patched(std::string zip, absl::string_view name, size_t field,
                    absl::string_view bytes) {
  constexpr size_t kFixedBytes = 46;
  size_t at = zip.rfind(std::string(name)) - kFixedBytes;
  EXPECT_EQ(zip.substr(at, 4), "PK\x01\x02");
  return zip.replace(at + field, bytes.size(), std::string(bytes));
}

TEST(PytorchFile, RefusesZipBombs) {
  Entries entries = smallEntries();
  entries[2].second = std::string(100000, '\0');
  EXPECT_TRUE(isError(statusOf(zipOf(entries, /*compressed=*/true)), kDamaged,
                      {"is compressed"}));
  constexpr size_t kCrc = 16, kStored = 20, kSize = 24;
  std::string zip = zipOf(smallEntries());
  std::string large = testing::littleEndian(0x7fffffff, 4);
  EXPECT_TRUE(isError(statusOf(patched(zip, "m/data/0", kSize, large)),
                      kDamaged, {"m/data/0"}));
  // Sizes that disagree although both fit the file.
  EXPECT_TRUE(isError(
      statusOf(patched(zip, "m/data/0", kStored, testing::littleEndian(4, 4))),
      kDamaged, {"m/data/0", "claims 8 bytes (4 stored)"}));
  EXPECT_TRUE(
      isError(statusOf(patched(zip, "m/data/0", kStored, large + large)),
              kDamaged, {"x.bin"}));
  EXPECT_TRUE(isError(statusOf(patched(zip, "m/data.pkl", kSize, large)),
                      kDamaged, {"m/data.pkl"}));
  EXPECT_TRUE(isError(statusOf(patched(zip, "m/data/0", kCrc, "abcd")),
                      kDamaged, {"m/data/0", "is damaged"}));
}

TEST(PytorchFile, RefusesStoragesThatOverlapInTheFile) {
  // Two directory entries for the same 4000 bytes of a file of about 5000.
  std::string data(4000, '\0');
  std::string body =
      dict({{"a", tensor(storage("FloatStorage", "0", 1000), 0, {1000}, {1})},
            {"b", tensor(storage("FloatStorage", "1", 1000), 0, {1000}, {1})}});
  std::string zip =
      zipOf({{"data.pkl", program(body)}, {"data/0", data}, {"data/1", data}});
  ASSERT_TRUE(statusOf(zip).ok()) << statusOf(zip);
  // Drops the second copy's bytes and moves what follows.
  size_t second = zip.rfind("data/1", zip.find("PK\x01\x02")) - 30;
  size_t directory = zip.find("PK\x01\x02");
  size_t removed = directory - second;
  constexpr size_t kOffset = 42;
  size_t first = zip.find("data/0") - 30;
  zip = patched(zip, "data/1", kOffset, testing::littleEndian(first, 4));
  zip.erase(second, removed);
  size_t end = zip.rfind("PK\x05\x06");
  zip.replace(end + 16, 4, testing::littleEndian(directory - removed, 4));
  EXPECT_TRUE(isError(statusOf(zip), kDamaged, {"x.bin"}));
}

TEST(PytorchFile, EveryTruncationIsRefused) {
  std::string zip = zipOf(smallEntries());
  for (size_t size = 0; size < zip.size(); ++size)
    EXPECT_FALSE(statusOf(zip.substr(0, size)).ok()) << size;
}

TEST(ConvertPytorch, WritesTensorsAndAliases) {
  TemporaryFolder folder;
  std::string out = folder.file("out.safetensors");
  auto report = convertPytorch(kRealFile, out);
  ASSERT_TRUE(report.ok()) << report.status();
  EXPECT_EQ(report->tensors, 4u);
  EXPECT_EQ(report->aliases, 1u);
  EXPECT_EQ(report->bytes, 12u * 4 + 6 * 4 + 3 * 2 + 8);
  auto checkpoint = Checkpoint::open({out});
  ASSERT_TRUE(checkpoint.ok()) << checkpoint.status();
  EXPECT_THAT((*checkpoint)->names(),
              ElementsAre("fc.weight", "ln.weight", "steps", "wte.weight"));
  EXPECT_EQ((*checkpoint)->find("lm_head.weight"),
            (*checkpoint)->find("wte.weight"));
  EXPECT_THAT(floatsOf(*(*checkpoint)->find("fc.weight")),
              ElementsAre(0, 3, 1, 4, 2, 5));
}

TEST(ConvertPytorch, Shards) {
  TemporaryFolder folder;
  folder.write("1.bin", zipOf(smallEntries()));
  std::string other = program(
      dict({{"v", tensor(storage("FloatStorage", "0", 1), 0, {1}, {1})}}));
  folder.write("2.bin", zipOf({{"n/data.pkl", other},
                               {"n/data/0", bytesOf<float>({5})}}));
  std::string index =
      folder.write("pytorch_model.bin.index.json",
                   R"({"weight_map":{"w":"1.bin","v":"2.bin"}})");
  std::string out = folder.file("out.safetensors");
  auto report = convertPytorch(index, out);
  ASSERT_TRUE(report.ok()) << report.status();
  auto file = SafetensorsFile::open(out);
  ASSERT_TRUE(file.ok()) << file.status();
  EXPECT_THAT(floatsOf(*(*file)->find("w")), ElementsAre(1, 2));
  EXPECT_THAT(floatsOf(*(*file)->find("v")), ElementsAre(5));
}

TEST(ConvertPytorch, AFailureLeavesNothing) {
  TemporaryFolder folder;
  // The damage is seen only when the data is read, after writing has begun.
  std::string zip = zipOf(smallEntries());
  zip[zip.find(bytesOf<float>({1, 2}))] ^= 1;
  std::string in = folder.write("in.bin", zip);
  EXPECT_TRUE(isError(convertPytorch(in, folder.file("out")).status(), kDamaged,
                      {"in.bin", "m/data/0", "HINT"}));
  EXPECT_THAT(folder.list(), ElementsAre("in.bin"));
}

} // namespace
} // namespace t6
