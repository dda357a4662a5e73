//===- OptimizerFileTest.cpp - Tests of importing optimizer.pt ------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "runtime/checkpoint/OptimizerFile.h"

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
using testing::zipOf;

constexpr absl::StatusCode kUnfit = absl::StatusCode::kFailedPrecondition;
constexpr char kRealFile[] = "runtime/checkpoint/testdata/optimizer.pt";

/// Those of testdata/make_optimizer.py.
std::vector<TensorSpec> realParameters() {
  return {{"wte.weight", DType::F32, {4, 3}},
          {"c_qkv.weight", DType::F32, {2, 3}},
          {"norm", DType::F32, {3}}};
}

TEST(OptimizerFile, ReadsWhatTheReferenceWrites) {
  auto file = OptimizerFile::open(kRealFile, realParameters());
  ASSERT_TRUE(file.ok()) << file.status();
  EXPECT_EQ((*file)->step(), 2);
  EXPECT_EQ((*file)->iteration(), 1000);
  EXPECT_EQ((*file)->bestLoss(), 3.25);
  ASSERT_EQ((*file)->groups().size(), 1u);
  const AdamwGroup &group = (*file)->groups()[0];
  EXPECT_EQ(group.learningRate, 6e-4);
  EXPECT_EQ(group.beta1, 0.9);
  EXPECT_EQ(group.beta2, 0.95);
  EXPECT_EQ(group.epsilon, 1e-8);
  EXPECT_EQ(group.weightDecay, 0.1);
  EXPECT_THAT(group.parameters,
              ElementsAre("wte.weight", "c_qkv.weight", "norm"));
}

TEST(OptimizerFile, GivesTheMomentsTheirNames) {
  std::vector<TensorSpec> parameters = realParameters();
  auto file = OptimizerFile::open(kRealFile, parameters);
  ASSERT_TRUE(file.ok()) << file.status();
  absl::Span<const TensorSpec> specs = (*file)->tensors();
  ASSERT_EQ(specs.size(), 6u);
  for (size_t i = 0; i < specs.size(); ++i) {
    bool isFirst = i % 2 == 0;
    EXPECT_EQ(specs[i].name,
              (isFirst ? "adamw.m." : "adamw.v.") + parameters[i / 2].name);
    auto tensor = (*file)->read(i);
    ASSERT_TRUE(tensor.ok()) << tensor.status();
    EXPECT_EQ(tensor->shape, parameters[i / 2].shape);
    for (int64_t j = 0; j < tensor->elements(); ++j) {
      // The gradients were j + 1, then j + 2.
      double a = j + 1, b = j + 2;
      double wanted = isFirst ? 0.9 * (0.1 * a) + 0.1 * b
                              : 0.95 * (0.05 * a * a) + 0.05 * b * b;
      float found = static_cast<const float *>(tensor->data)[j];
      EXPECT_NEAR(found, wanted, 1e-6 * wanted) << specs[i].name << " " << j;
    }
  }
}

TEST(OptimizerFile, RefusesOtherParameters) {
  auto statusOf = [](std::vector<TensorSpec> parameters) {
    return OptimizerFile::open(kRealFile, parameters).status();
  };
  std::vector<TensorSpec> parameters = realParameters();
  std::swap(parameters[1], parameters[2]);
  EXPECT_TRUE(isError(statusOf(parameters), kUnfit,
                      {kRealFile, "parameter 1, \"norm\"", "exp_avg",
                       "[2, 3] instead of F32 [3]", "HINT"}));
  parameters = realParameters();
  parameters.pop_back();
  EXPECT_TRUE(isError(statusOf(parameters), kUnfit,
                      {"has a parameter 2", "this model has 2"}));
  parameters = realParameters();
  parameters.push_back({"more", DType::F32, {1}});
  EXPECT_TRUE(
      isError(statusOf(parameters), kUnfit, {"no parameter 3", "\"more\""}));
}

/// The float 1.5.
std::string real() { return std::string("G\x3f\xf8\0\0\0\0\0\0", 9); }

std::string list(std::initializer_list<std::string> items) {
  std::string text = "](";
  for (const std::string &item : items)
    text += item;
  return text + "e";
}

std::string floats(absl::string_view key, int64_t elements,
                   absl::string_view type = "FloatStorage") {
  return tensor(storage(type, key, elements), 0, {elements}, {1});
}

/// A file of one parameter of two elements, in pieces for a test to change.
struct SmallFile {
  std::string step = integer(7);
  std::string first = floats("0", 2);
  std::string second = floats("1", 2);
  std::string betas = tuple({real(), real()});
  std::string flag = "\x89"; // False
  std::string members = list({integer(0)});
  std::string indices = integer(0);
  std::string iterations = integer(70);
  std::string loss = real();
  /// The whole pickle if not empty, or the whole state.
  std::string root, state;

  absl::StatusOr<std::unique_ptr<OptimizerFile>> open() {
    std::string entry =
        dict({{"step", step}, {"exp_avg", first}, {"exp_avg_sq", second}});
    std::string group = dict({{"lr", real()},
                              {"betas", betas},
                              {"eps", real()},
                              {"weight_decay", real()},
                              {"amsgrad", flag},
                              {"maximize", "\x89"},
                              {"params", members}});
    std::string states = state.empty() ? "}(" + indices + entry + "u" : state;
    std::string body =
        dict({{"optimizer",
               dict({{"state", states}, {"param_groups", list({group})}})},
              {"iter_num", iterations},
              {"best_val_loss", loss}});
    bytes = zipOf({{"o/data.pkl", program(root.empty() ? body : root)},
                   {"o/data/0", bytesOf<float>({1, 2})},
                   {"o/data/1", bytesOf<float>({3, 4})},
                   {"o/data/2", bytesOf<int64_t>({9})},
                   {"o/data/3", bytesOf<double>({0.25})},
                   {"o/data/4", bytesOf<int32_t>({8})},
                   {"o/data/5", bytesOf<double>({1, 2})}});
    std::vector<TensorSpec> parameters = {{"p", DType::F32, {2}}};
    return OptimizerFile::parse(asBytes(bytes), "x.pt", parameters);
  }

  std::string bytes;
};

TEST(OptimizerFile, ReadsOlderFiles) {
  // Before PyTorch 1.12 the step was an integer.
  SmallFile small;
  auto file = small.open();
  ASSERT_TRUE(file.ok()) << file.status();
  EXPECT_EQ((*file)->step(), 7);
  EXPECT_EQ((*file)->iteration(), 70);
  EXPECT_EQ((*file)->bestLoss(), 1.5);
  auto second = (*file)->read(1);
  ASSERT_TRUE(second.ok()) << second.status();
  EXPECT_EQ(static_cast<const float *>(second->data)[1], 4);
}

TEST(OptimizerFile, ReadsScalarTensors) {
  SmallFile small;
  small.step = floats("2", 1, "LongStorage");
  small.loss = floats("3", 1, "DoubleStorage");
  small.iterations = floats("4", 1, "IntStorage");
  auto file = small.open();
  ASSERT_TRUE(file.ok()) << file.status();
  EXPECT_EQ((*file)->step(), 9);
  EXPECT_EQ((*file)->bestLoss(), 0.25);
  EXPECT_EQ((*file)->iteration(), 8);
}

TEST(OptimizerFile, BeforeTheFirstUpdate) {
  SmallFile small;
  small.state = "}";
  auto file = small.open();
  ASSERT_TRUE(file.ok()) << file.status();
  EXPECT_EQ((*file)->step(), 0);
  EXPECT_THAT((*file)->tensors(), IsEmpty());
  EXPECT_EQ((*file)->groups().size(), 1u);
}

TEST(OptimizerFile, RefusesWhatDoesNotFit) {
  auto expect = [](auto change, absl::string_view message) {
    SmallFile small;
    change(small);
    EXPECT_TRUE(
        isError(small.open().status(), kUnfit, {"x.pt: ", message, "HINT"}));
  };
  using File = SmallFile &;
  expect([](File f) { f.root = "]"; }, "the file has no \"optimizer\"");
  expect(
      [](File f) {
        f.root = dict({{"optimizer", "}"}});
      },
      "the optimizer has no \"param_groups\"");
  expect([](File f) { f.state = "]"; }, "state is not a dict");
  expect([](File f) { f.state = "}(" + integer(3) + "}u"; },
         "nothing of parameter 0, \"p\"");
  expect([](File f) { f.state = "}(" + integer(0) + "}u"; }, "has no \"step\"");
  expect([](File f) { f.step = integer(-1); }, "is -1, not a count");
  expect([](File f) { f.step = real(); }, "is 1.5, not a count");
  expect([](File f) { f.step = "N"; }, "is not a number");
  expect([](File f) { f.step = floats("0", 2); }, "is a tensor of shape [2]");
  expect([](File f) { f.first = "N"; }, "exp_avg that is not a tensor");
  expect([](File f) { f.first = floats("5", 2, "DoubleStorage"); },
         "exp_avg of F64 [2] instead of F32 [2]");
  expect(
      [](File f) {
        f.second = tensor(storage("FloatStorage", "1", 2), 0, {1}, {1});
      },
      "exp_avg_sq of F32 [1] instead of F32 [2]");
  expect([](File f) { f.betas = list({real(), real()}); }, "is not a pair");
  expect([](File f) { f.betas = tuple({real()}); }, "is not a pair");
  expect([](File f) { f.flag = "\x88"; }, "has amsgrad");
  expect([](File f) { f.members = list({}); }, "has no parameter 0");
  expect(
      [](File f) {
        f.members = list({integer(0), integer(0)});
      },
      "parameter 0 is there twice");
  expect(
      [](File f) {
        f.members = list({integer(0), integer(1)});
      },
      "has a parameter 1, but this model has 1");
  expect([](File f) { f.loss = "N"; }, "best_val_loss is not a number");
  expect([](File f) { f.iterations = real(); }, "iter_num is 1.5");
}

TEST(OptimizerFile, RunsNoCode) {
  SmallFile small;
  small.root = global("os", "system") + tuple({utf8("true")}) + "R";
  EXPECT_TRUE(isError(small.open().status(), kUnfit, {"os.system", "refused"}));
}

TEST(OptimizerFile, EveryTruncationIsRefused) {
  std::string whole = testing::readFile(kRealFile);
  ASSERT_FALSE(whole.empty());
  for (size_t size = 0; size < whole.size(); size += 7) {
    std::vector<uint8_t> bytes(whole.begin(), whole.begin() + size);
    EXPECT_FALSE(OptimizerFile::parse(bytes, "x.pt", realParameters()).ok())
        << size;
  }
}

} // namespace
} // namespace t6
