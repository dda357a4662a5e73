//===- SafetensorsTest.cpp - Tests of the reader and writer ---------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "runtime/io/Safetensors.h"

#include "runtime/io/TestSupport.h"
#include "gmock/gmock.h"

namespace t6 {
namespace {

using testing::asBytes;
using testing::bytesOf;
using ::testing::ElementsAre;
using ::testing::IsEmpty;
using testing::isError;
using testing::littleEndian;
using ::testing::Pair;
using testing::readFile;
using testing::safetensors;
using testing::TemporaryFolder;

constexpr absl::StatusCode kDamaged = absl::StatusCode::kDataLoss;

TEST(Safetensors, ReadsByNameAndInFileOrder) {
  std::string file = safetensors(
      R"({"b":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},)"
      R"("__metadata__":{"format":"pt"},)"
      R"("a":{"data_offsets":[8,10],"shape":[1,2],"dtype":"I8"}}   )",
      bytesOf<float>({1, -2}) + "\x05\x06");
  auto parsed = SafetensorsFile::parse(asBytes(file), "x.safetensors");
  ASSERT_TRUE(parsed.ok()) << parsed.status();
  const SafetensorsFile &tensors = **parsed;
  EXPECT_EQ(tensors.path(), "x.safetensors");
  EXPECT_THAT(tensors.names(), ElementsAre("a", "b"));
  ASSERT_EQ(tensors.tensors().size(), 2u);
  EXPECT_EQ(tensors.tensors()[0].name, "b");
  EXPECT_THAT(tensors.metadata(), ElementsAre(Pair("format", "pt")));
  const TensorView *a = tensors.find("a");
  ASSERT_NE(a, nullptr);
  EXPECT_EQ(a->dtype, DType::I8);
  EXPECT_THAT(a->shape, ElementsAre(1, 2));
  EXPECT_EQ(a->bytes, 2u);
  EXPECT_EQ(static_cast<const char *>(a->data)[1], 6);
  EXPECT_EQ(tensors.find("c"), nullptr);
  EXPECT_EQ(tensors.find(""), nullptr);
}

TEST(Safetensors, EmptyAndScalarTensors) {
  std::string file =
      safetensors(R"({"z":{"dtype":"F32","shape":[0,3],"data_offsets":[1,1]},)"
                  R"("s":{"dtype":"U8","shape":[],"data_offsets":[0,1]},)"
                  R"("y":{"dtype":"F32","shape":[0],"data_offsets":[0,0]}})",
                  "\x07");
  auto parsed = parseSafetensors(asBytes(file));
  ASSERT_TRUE(parsed.ok()) << parsed.status();
  EXPECT_EQ((*parsed)->find("s")->elements(), 1);
  EXPECT_EQ((*parsed)->find("z")->elements(), 0);
  std::string none = safetensors("{}");
  EXPECT_TRUE(parseSafetensors(asBytes(none)).ok());
}

struct BadFile {
  const char *what;
  std::string bytes;
  /// Of the message.
  std::vector<absl::string_view> parts;
};

void PrintTo(const BadFile &bad, std::ostream *out) { *out << bad.what; }

std::string oneTensor(absl::string_view members, absl::string_view data = "") {
  return safetensors(absl::StrCat(R"({"a":{)", members, "}}"), data);
}

std::string twoTensors(absl::string_view first, absl::string_view second,
                       size_t dataBytes) {
  return safetensors(
      absl::StrCat(R"({"a":{"dtype":"U8","shape":[4],"data_offsets":)", first,
                   R"(},"b":{"dtype":"U8","shape":[4],"data_offsets":)", second,
                   "}}"),
      std::string(dataBytes, 'x'));
}

std::vector<BadFile> badContainers() {
  return {
      {"empty", "", {"at least 8 bytes"}},
      {"length cut off", "\x01\0\0", {"at least 8 bytes"}},
      {"header too long", littleEndian(100'000'001, 8) + "{}", {"100000001"}},
      {"hostile length", littleEndian(~uint64_t{0}, 8) + "{}", {"limit"}},
      {"header cut off", littleEndian(100, 8) + "{}", {"cut off"}},
      {"no header", littleEndian(0, 8), {"start with '{'"}},
      {"space first", safetensors(" {}"), {"start with '{'"}},
      {"array", safetensors("[]"), {"start with '{'"}},
      {"not JSON", safetensors("{'a'}"), {"not valid JSON at byte"}},
      {"text after", safetensors("{} {}"), {"not valid JSON"}},
      {"bad UTF-8", safetensors("{\"\xFF\":{}}"), {"not valid JSON"}},
      {"unclosed", safetensors("{\"a\":{"), {"not valid JSON"}},
      {"nested deeply",
       safetensors("{\"a\":" + std::string(99999, '[')),
       {"\"a\" is an array"}},
      {"data without tensors", safetensors("{}", "x"), {"ends at byte 0"}},
  };
}

std::vector<BadFile> badHeaders() {
  const char *rest = R"(,"shape":[1],"data_offsets":[0,1])";
  auto dtype = [&](absl::string_view value) {
    return oneTensor(absl::StrCat(R"("dtype":)", value, rest), "x");
  };
  auto shape = [&](absl::string_view value) {
    return oneTensor(absl::StrCat(R"("dtype":"U8","data_offsets":[0,1],)",
                                  R"("shape":)", value),
                     "x");
  };
  auto offsets = [&](absl::string_view value) {
    return oneTensor(absl::StrCat(R"("dtype":"U8","shape":[1],)",
                                  R"("data_offsets":)", value),
                     "x");
  };
  return {
      {"wrong dtype", dtype(R"("F33")"), {"\"a\"", "unknown dtype \"F33\""}},
      {"lower-case dtype", dtype(R"("u8")"), {"unknown dtype"}},
      {"dtype a number", dtype("8"), {"has a number in its dtype"}},
      {"dtype twice", dtype(R"("U8","dtype":"U8")"), {"dtype more than once"}},
      {"unknown member", dtype(R"("U8","x":1)"), {"unknown member \"x\""}},
      {"no dtype",
       oneTensor(R"("shape":[1],"data_offsets":[0,1])", "x"),
       {"has no dtype"}},
      {"no shape",
       oneTensor(R"("dtype":"U8","data_offsets":[0,1])", "x"),
       {"has no shape"}},
      {"no offsets",
       oneTensor(R"("dtype":"U8","shape":[1])", "x"),
       {"has no data_offsets"}},
      {"negative shape", shape("[-1]"), {"a negative number in its shape"}},
      {"fractional shape", shape("[1.0]"), {"in its shape"}},
      {"huge shape", shape("[18446744073709551616]"), {"in its shape"}},
      {"shape beyond int64", shape("[9223372036854775808]"), {"too large"}},
      {"shape of shapes", shape("[[1]]"), {"an array in its shape"}},
      {"shape null", shape("null"), {"null in its shape"}},
      {"overflowing shape", shape("[4294967296,4294967296]"), {"64 bits"}},
      {"wrong shape", shape("[2]"), {"should have 2 bytes", "[2] of U8"}},
      {"one offset", offsets("[0]"), {"fewer than two numbers"}},
      {"three offsets", offsets("[0,1,2]"), {"more than two numbers"}},
      {"offsets backwards", offsets("[1,0]"), {"ends before it begins"}},
      {"out of range", offsets("[0,2]"), {"[0, 2)", "outside"}},
      {"hostile offsets",
       offsets("[18446744073709551615,18446744073709551615]"),
       {"outside"}},
      {"tensor a string", safetensors(R"({"a":"b"})"), {"\"a\" is a string"}},
      {"metadata a number",
       safetensors(R"({"__metadata__":{"k":1}})"),
       {"__metadata__ \"k\" is a number"}},
      {"metadata nested",
       safetensors(R"({"__metadata__":{"k":{}}})"),
       {"__metadata__ \"k\" is an object"}},
      {"metadata key twice",
       safetensors(R"({"__metadata__":{"k":"1","k":"1"}})"),
       {"\"k\" more than once"}},
      {"metadata twice",
       safetensors(R"({"__metadata__":{},"__metadata__":{}})"),
       {"\"__metadata__\" is in the header more than once"}},
      {"duplicate key",
       safetensors(R"({"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]},)"
                   R"("a":{"dtype":"U8","shape":[1],"data_offsets":[1,2]}})",
                   "xx"),
       {"the key \"a\" is in the header more than once"}},
  };
}

std::vector<BadFile> badLayouts() {
  return {
      {"overlap", twoTensors("[0,4]", "[2,6]", 6), {"\"b\"", "overlaps"}},
      {"same bytes", twoTensors("[0,4]", "[0,4]", 4), {"overlaps"}},
      {"hole", twoTensors("[0,4]", "[5,9]", 9), {"\"b\"", "hole after byte 4"}},
      {"hole at the start", twoTensors("[1,5]", "[5,9]", 9), {"hole"}},
      {"data cut off", twoTensors("[0,4]", "[4,8]", 7), {"\"b\"", "outside"}},
      {"data too long", twoTensors("[0,4]", "[4,8]", 9), {"has 9 bytes"}},
  };
}

class BadSafetensors : public ::testing::TestWithParam<BadFile> {};

TEST_P(BadSafetensors, IsRefused) {
  // A heap copy of exactly the size lets ASan see a read past the end.
  std::vector<uint8_t> bytes(GetParam().bytes.begin(), GetParam().bytes.end());
  absl::Status status = SafetensorsFile::parse(bytes, "bad.file").status();
  EXPECT_TRUE(isError(status, kDamaged, {"bad.file: ", "; HINT: "}))
      << GetParam().what;
  for (absl::string_view part : GetParam().parts)
    EXPECT_TRUE(isError(status, kDamaged, {part})) << GetParam().what;
}

INSTANTIATE_TEST_SUITE_P(Containers, BadSafetensors,
                         ::testing::ValuesIn(badContainers()));
INSTANTIATE_TEST_SUITE_P(Headers, BadSafetensors,
                         ::testing::ValuesIn(badHeaders()));
INSTANTIATE_TEST_SUITE_P(Layouts, BadSafetensors,
                         ::testing::ValuesIn(badLayouts()));

TEST(Safetensors, EveryTruncationIsRefused) {
  std::string file = twoTensors("[0,4]", "[4,8]", 8);
  ASSERT_TRUE(parseSafetensors(asBytes(file)).ok());
  for (size_t size = 0; size < file.size(); ++size) {
    std::vector<uint8_t> cut(file.begin(), file.begin() + size);
    EXPECT_EQ(parseSafetensors(cut).status().code(), kDamaged) << size;
  }
}

TEST(Safetensors, WritesWhatItReads) {
  TemporaryFolder folder;
  std::string path = folder.file("out.safetensors");
  uint8_t bytes[3] = {1, 2, 3};
  double reals[2] = {0.5, -1};
  float scalar = 7;
  std::vector<NamedTensor> tensors = {
      {"bytes", {DType::U8, {3}, bytes, 3}},
      {"a \"quoted\"\n\xE2\x82\xAC name", {DType::F64, {2, 1}, reals, 16}},
      {"scalar", {DType::F32, {}, &scalar, 4}},
      {"none", {DType::F32, {0, 5}, nullptr, 0}},
  };
  ASSERT_TRUE(writeSafetensors(path, tensors, {{"alias", "bytes"}}).ok());
  auto file = SafetensorsFile::open(path);
  ASSERT_TRUE(file.ok()) << file.status();
  EXPECT_THAT((*file)->metadata(), ElementsAre(Pair("alias", "bytes")));
  ASSERT_EQ((*file)->tensors().size(), tensors.size());
  for (const NamedTensor &entry : tensors) {
    const TensorView *read = (*file)->find(entry.name);
    ASSERT_NE(read, nullptr) << entry.name;
    EXPECT_EQ(read->dtype, entry.tensor.dtype);
    EXPECT_EQ(read->shape, entry.tensor.shape);
    ASSERT_EQ(read->bytes, entry.tensor.bytes);
    EXPECT_TRUE(read->bytes == 0 ||
                !memcmp(read->data, entry.tensor.data, read->bytes));
    EXPECT_EQ(reinterpret_cast<uintptr_t>(read->data) % byteSize(read->dtype),
              0u);
  }
}

TEST(Safetensors, DataIsAligned) {
  TemporaryFolder folder;
  std::string path = folder.file("out.safetensors");
  // Names of all lengths bring the header to every length modulo 64.
  for (size_t length = 0; length < 64; ++length) {
    std::vector<NamedTensor> tensors = {
        {std::string(length, 'n'), {DType::U8, {4}, "abcd", 4}}};
    ASSERT_TRUE(writeSafetensors(path, tensors).ok());
    EXPECT_EQ(readFile(path).size() % 64, 4u) << length;
    EXPECT_TRUE(SafetensorsFile::open(path).ok()) << length;
  }
}

TEST(Safetensors, RefusesToWriteWhatItCouldNotRead) {
  TemporaryFolder folder;
  std::string path = folder.file("out.safetensors");
  TensorView one{DType::U8, {1}, "x", 1};
  absl::StatusCode usage = absl::StatusCode::kInvalidArgument;
  EXPECT_TRUE(isError(writeSafetensors(path, {{"a", one}, {"a", one}}), usage,
                      {"two tensors are named \"a\""}));
  EXPECT_TRUE(isError(writeSafetensors(path, {{"__metadata__", one}}), usage,
                      {"__metadata__"}));
  EXPECT_TRUE(isError(writeSafetensors(path, {{"\xFF", one}}), usage, {"xff"}));
  EXPECT_TRUE(isError(writeSafetensors(path, {{"a", one}}, {{"k", "\xFF"}}),
                      usage, {"\"k\"", "UTF-8"}));
  EXPECT_TRUE(isError(writeSafetensors(path, {{"a", {DType::U8, {2}, "x", 1}}}),
                      usage, {"\"a\"", "announced"}));
  EXPECT_TRUE(
      isError(writeSafetensors(path, {{"a", {DType::U8, {-1}, "x", 1}}}), usage,
              {"negative"}));
  EXPECT_THAT(folder.list(), IsEmpty());
}

TEST(Safetensors, AFailingSourceLeavesNothing) {
  TemporaryFolder folder;
  std::vector<TensorSpec> specs = {{"a", DType::U8, {1}},
                                   {"b", DType::U8, {1}}};
  auto data = [](size_t index) -> absl::StatusOr<TensorView> {
    if (index == 1)
      return absl::DataLossError("b is gone");
    return TensorView{DType::U8, {1}, "x", 1};
  };
  EXPECT_TRUE(isError(writeSafetensors(folder.file("out"), specs, data),
                      kDamaged, {"b is gone"}));
  EXPECT_THAT(folder.list(), IsEmpty());
}

TEST(Safetensors, NamesTheFileThatCannotBeOpened) {
  EXPECT_TRUE(isError(SafetensorsFile::open("no/such.safetensors").status(),
                      absl::StatusCode::kNotFound,
                      {"no/such.safetensors", "HINT"}));
}

} // namespace
} // namespace t6
