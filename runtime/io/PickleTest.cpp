//===- PickleTest.cpp - Tests of the restricted unpickler -----------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "runtime/io/Pickle.h"

#include "runtime/io/TestSupport.h"
#include "gmock/gmock.h"

#include <limits>

namespace t6 {
namespace {

using namespace testing::pickle;
using testing::asBytes;
using ::testing::ElementsAre;
using testing::isError;
using testing::littleEndian;

using Kind = Pickle::Kind;

constexpr absl::StatusCode kDamaged = absl::StatusCode::kDataLoss;
constexpr absl::StatusCode kUnfit = absl::StatusCode::kFailedPrecondition;
constexpr int64_t kHuge = std::numeric_limits<int64_t>::max();

/// Parses from a copy of exactly the size, so that ASan sees a read past it.
absl::Status statusOf(absl::string_view text) {
  std::vector<uint8_t> bytes(text.begin(), text.end());
  return Pickle::parse(bytes, "x.bin").status();
}

std::string floats(absl::string_view key, int64_t elements) {
  return storage("FloatStorage", key, elements);
}

TEST(Pickle, Scalars) {
  std::string text = program(
      tuple({"N", "\x88", "\x89", "K\xFF", std::string("M\x01\x02"),
             integer(-5), long1(-6), std::string("\x8a\0", 2),
             std::string("\x8a\x01\x80"), "\x8a\x09" + std::string(9, '\x01'),
             std::string("G\x3f\xf8\0\0\0\0\0\0", 9), utf8("\xC3\xA9"),
             "U\x02hi", ")", "]"}));
  absl::StatusOr<Pickle> pickle = Pickle::parse(asBytes(text), "x");
  ASSERT_TRUE(pickle.ok()) << pickle.status();
  absl::Span<const Pickle::Id> items = pickle->items(pickle->root());
  ASSERT_EQ(items.size(), 15u);
  Kind kinds[] = {Kind::None,   Kind::Bool,   Kind::Bool,  Kind::Int,
                  Kind::Int,    Kind::Int,    Kind::Int,   Kind::Int,
                  Kind::Int,    Kind::BigInt, Kind::Float, Kind::String,
                  Kind::String, Kind::Tuple,  Kind::List};
  int64_t integers[] = {0, 1, 0, 255, 0x201, -5, -6, 0, -128, 0, 0, 0, 0, 0, 0};
  for (size_t i = 0; i < items.size(); ++i) {
    EXPECT_EQ(pickle->kind(items[i]), kinds[i]) << i;
    EXPECT_EQ(pickle->integer(items[i]), integers[i]) << i;
  }
  EXPECT_EQ(pickle->real(items[10]), 1.5);
  EXPECT_EQ(pickle->text(items[11]), "\xC3\xA9");
  EXPECT_EQ(pickle->text(items[12]), "hi");
}

TEST(Pickle, ContainersAndMemo) {
  // d = {}; d["a"] = [1, (2,)]; d["b"] = d["a"]; d["d"] = d: shared and cyclic.
  std::string text = program("}q\x01" + utf8("a") + "](K\x01K\x02\x85" + "er" +
                             littleEndian(7, 4) + "s(" + utf8("b") + "j" +
                             littleEndian(7, 4) + utf8("d") + "h\x01u");
  absl::StatusOr<Pickle> pickle = Pickle::parse(asBytes(text), "x");
  ASSERT_TRUE(pickle.ok()) << pickle.status();
  absl::Span<const Pickle::Id> items = pickle->items(pickle->root());
  ASSERT_EQ(items.size(), 6u);
  EXPECT_EQ(pickle->text(items[0]), "a");
  EXPECT_EQ(items[1], items[3]);
  EXPECT_EQ(items[5], pickle->root());
  absl::Span<const Pickle::Id> list = pickle->items(items[1]);
  ASSERT_EQ(list.size(), 2u);
  EXPECT_EQ(pickle->integer(list[0]), 1);
  EXPECT_EQ(pickle->integer(pickle->items(list[1])[0]), 2);
}

TEST(Pickle, TensorsAndParameters) {
  std::string parameter = global("torch._utils", "_rebuild_parameter") +
                          tuple({tensor(floats("0", 6), 0, {2, 3}, {3, 1}),
                                 "\x88", emptyOrderedDict()}) +
                          "R";
  std::string text = program(
      emptyOrderedDict() + "(" + utf8("w") + parameter + utf8("v") +
      tensor(storage("BFloat16Storage", "1", 9), 2, {1, 2}, {kHuge, 3}) + "u" +
      dict({{"_metadata", "N"}}) + "b");
  absl::StatusOr<Pickle> pickle = Pickle::parse(asBytes(text), "x");
  ASSERT_TRUE(pickle.ok()) << pickle.status();
  ASSERT_EQ(pickle->storages().size(), 2u);
  EXPECT_EQ(pickle->storages()[1].dtype, DType::BF16);
  EXPECT_EQ(pickle->storages()[1].key, "1");
  EXPECT_EQ(pickle->storages()[1].elements, 9);
  absl::Span<const Pickle::Id> items = pickle->items(pickle->root());
  ASSERT_EQ(items.size(), 4u);
  ASSERT_EQ(pickle->kind(items[1]), Kind::Tensor);
  EXPECT_THAT(pickle->tensor(items[1]).shape, ElementsAre(2, 3));
  const PickledTensor &view = pickle->tensor(items[3]);
  EXPECT_EQ(view.storage, 1u);
  EXPECT_EQ(view.offset, 2);
  // The stride of the dimension of size 1 does not matter, and is huge.
  EXPECT_THAT(view.strides, ElementsAre(0, 3));
}

TEST(Pickle, EveryStorageType) {
  std::pair<const char *, DType> types[] = {
      {"FloatStorage", DType::F32},     {"HalfStorage", DType::F16},
      {"BFloat16Storage", DType::BF16}, {"DoubleStorage", DType::F64},
      {"LongStorage", DType::I64},      {"IntStorage", DType::I32},
      {"ShortStorage", DType::I16},     {"CharStorage", DType::I8},
      {"ByteStorage", DType::U8},       {"BoolStorage", DType::BOOL}};
  for (const auto &[name, dtype] : types) {
    std::string text = program(storage(name, "k", 1));
    absl::StatusOr<Pickle> pickle = Pickle::parse(asBytes(text), "x");
    ASSERT_TRUE(pickle.ok()) << pickle.status();
    EXPECT_EQ(pickle->storages()[0].dtype, dtype) << name;
  }
}

struct BadPickle {
  const char *what;
  std::string text;
  absl::string_view part;
  absl::StatusCode code = kDamaged;
};

void PrintTo(const BadPickle &bad, std::ostream *out) { *out << bad.what; }

std::vector<BadPickle> hostile() {
  auto call = [](absl::string_view module, absl::string_view name) {
    return program(global(module, name) + tuple({utf8("echo")}) + "R");
  };
  return {
      {"system", call("os", "system"), "GLOBAL \"os.system\"", kUnfit},
      {"posix", call("posix", "system"), "\"posix.system\"", kUnfit},
      {"eval", call("builtins", "eval"), "\"builtins.eval\"", kUnfit},
      {"python 2", call("__builtin__", "exec"), "__builtin__.exec", kUnfit},
      {"numpy", call("numpy.core.multiarray", "scalar"), "scalar", kUnfit},
      {"near miss", call("torch._utils", "_rebuild_tensor"),
       "torch._utils._rebuild_tensor\"", kUnfit},
      {"attribute", call("torch", "FloatStorage.from_file"), "refused", kUnfit},
      {"other module", call("torch.utils", "FloatStorage"), "refused", kUnfit},
      {"dict class", call("collections", "defaultdict"), "refused", kUnfit},
      {"escape", call("\x1b[2J", "x"), "\\x1b[2J", kUnfit},
      {"not called", program(global("os", "system")), "os.system", kUnfit},
      {"reduce a string", program(utf8("os") + ")R"), "not a function"},
      {"reduce a storage type", program(global("torch", "FloatStorage") + ")R"),
       "not a function"},
      {"reduce without tuple",
       program(global("collections", "OrderedDict") + "]R"), "no tuple"},
      {"OrderedDict with items",
       program(global("collections", "OrderedDict") + "]\x85R"),
       "with arguments"},
      {"build", program("](K\x01" + std::string("eNb")), "BUILD"},
      {"new object", program("N)\x81"), "opcode 0x81"},
      {"instance", program("(ios\nsystem\n"), "opcode 0x69"},
      {"extension", program("\x82\x01"), "opcode 0x82"},
      {"text persistent id", program("P0\n"), "opcode 0x50"},
      {"stack global", program("\x93"), "opcode 0x93"},
      {"protocol 4", "\x80\x04.", "protocol 4", kUnfit},
      {"protocol twice", program("\x80\x02N"), "PROTO"},
      {"no protocol", "N.", "no pickle of protocol 2"},
  };
}

std::vector<BadPickle> malformed() {
  return {
      {"empty", "", "no pickle"},
      {"only protocol", "\x80\x02", "cut off"},
      {"nothing", program(""), "more or less than one value"},
      {"two values", program("NN"), "more or less than one value"},
      {"open mark", program("(N"), "more or less than one value"},
      {"trailing bytes", program("N") + "N", "bytes follow"},
      {"memo out of range", program("h\x05"), "memo entry 5"},
      {"long memo", program("j\xff\xff\xff\xff"), "memo entry 4294967295"},
      {"put of nothing", program("q\x01"), "operand is missing"},
      {"put across a mark", program("N(q\x01"), "operand is missing"},
      {"pop of nothing", program("0"), "operand is missing"},
      {"tuple too short", program("N\x86"), "operand is missing"},
      {"tuple across a mark", program("N(\x85"), "operand is missing"},
      {"no mark", program("Nt"), "mark is missing"},
      {"append to a tuple", program(")Na"), "holds none"},
      {"set in a list", program("]NNs"), "holds none"},
      {"odd items", program("}(Nu"), "key comes without"},
      {"items of nothing", program("(NNu"), "operand is missing"},
      {"string too long",
       program("X\xff\xff\xff\xff"
               "abc"),
       "cut off"},
      {"string not UTF-8", program("X\x01" + std::string(3, '\0') + "\xff"),
       "UTF-8"},
      {"line without end",
       "\x80\x02"
       "cos",
       "cut off"},
      {"marks", program(std::string(5000, '(')), "too deeply"},
      {"values", program(std::string(3 << 20, 'N')), "too deep"},
      {"values dropped", program([] {
         std::string text;
         for (int i = 0; i < (3 << 20); ++i)
           text += "N0";
         return text;
       }()),
       "too many values"},
  };
}

std::vector<BadPickle> badTensors() {
  auto view = [](int64_t offset, std::initializer_list<int64_t> shape,
                 std::initializer_list<int64_t> strides) {
    return program(
        dict({{"w", tensor(floats("0", 6), offset, shape, strides)}}));
  };
  auto persistent = [](std::initializer_list<std::string> items) {
    return program(tuple(items) + "Q");
  };
  std::string type = global("torch", "FloatStorage");
  return {
      {"offset beyond", view(6, {1}, {1}), "outside of its storage of 6"},
      {"negative offset", view(-1, {1}, {1}), "outside"},
      {"empty beyond", view(7, {0}, {1}), "outside"},
      {"shape beyond", view(0, {7}, {1}), "shape [7] at offset 0"},
      {"stride beyond", view(0, {2, 3}, {4, 1}), "outside"},
      {"one beyond", view(1, {2, 3}, {3, 1}), "outside"},
      {"huge stride", view(0, {2}, {kHuge}), "outside"},
      {"huge strides", view(0, {3}, {kHuge / 2 + 1}), "outside"},
      {"huge size", view(0, {kHuge, 2}, {0, 0}), "invalid size"},
      {"negative size", view(0, {-1}, {1}), "invalid size"},
      {"two negatives", view(0, {-1, -1}, {1, 1}), "invalid size"},
      {"negative stride", view(5, {6}, {-1}), "negative stride -1"},
      {"rank of strides", view(0, {2, 3}, {1}), "wrong arguments"},
      {"no arguments",
       program(global("torch._utils", "_rebuild_tensor_v2") + ")R"),
       "wrong arguments"},
      {"parameter of nothing",
       program(global("torch._utils", "_rebuild_parameter") + "NNN\x87R"),
       "wrong arguments"},
      {"tensor of no storage", program(tensor("N", 0, {1}, {1})),
       "wrong arguments"},
      {"persistent id of a string", program(utf8("0") + "Q"), "persistent id"},
      {"short persistent id", persistent({utf8("storage"), type}),
       "persistent id"},
      {"unknown persistent id",
       persistent({utf8("module"), type, utf8("0"), utf8("cpu"), "K\x01"}),
       "persistent id"},
      {"storage of no type",
       persistent({utf8("storage"), global("collections", "OrderedDict"),
                   utf8("0"), utf8("cpu"), "K\x01"}),
       "persistent id"},
      {"negative storage", program(floats("0", -1)), "-1 elements"},
      {"huge storage", program(floats("0", kHuge)), "elements"},
      {"storage of two sizes", program(floats("0", 1) + floats("0", 2)),
       "two types or sizes"},
      {"storage of two types",
       program(floats("0", 1) + storage("IntStorage", "0", 1)),
       "two types or sizes"},
  };
}

class BadPickles : public ::testing::TestWithParam<BadPickle> {};

TEST_P(BadPickles, AreRefused) {
  EXPECT_TRUE(isError(statusOf(GetParam().text), GetParam().code,
                      {"x.bin: ", GetParam().part, "; HINT: "}))
      << GetParam().what;
}

INSTANTIATE_TEST_SUITE_P(Hostile, BadPickles, ::testing::ValuesIn(hostile()));
INSTANTIATE_TEST_SUITE_P(Malformed, BadPickles,
                         ::testing::ValuesIn(malformed()));
INSTANTIATE_TEST_SUITE_P(Tensors, BadPickles,
                         ::testing::ValuesIn(badTensors()));

TEST(Pickle, EveryTruncationIsRefused) {
  std::string text = program(emptyOrderedDict() + "(" + utf8("w") +
                             tensor(floats("0", 6), 0, {2, 3}, {3, 1}) + "uNb");
  ASSERT_TRUE(statusOf(text).ok()) << statusOf(text);
  for (size_t size = 0; size < text.size(); ++size)
    EXPECT_EQ(statusOf(text.substr(0, size)).code(), kDamaged) << size;
}

} // namespace
} // namespace t6
