//===- PytorchWriterTest.cpp - Tests of writing pytorch_model.bin ---------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "runtime/checkpoint/PytorchWriter.h"

#include "runtime/checkpoint/OptimizerFile.h"
#include "runtime/io/PytorchFile.h"
#include "runtime/io/TestSupport.h"
#include "gmock/gmock.h"

#include <csignal>
#include <cstring>
#include <sys/resource.h>

namespace t6 {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using testing::isError;
using testing::readFile;
using testing::TemporaryFolder;

constexpr absl::StatusCode kInvalid = absl::StatusCode::kInvalidArgument;

const float kFloats[] = {0, 1, 2, 3, 4, 5};

NamedTensor named(std::string name, DType dtype, std::vector<int64_t> shape) {
  NamedTensor entry{std::move(name), {dtype, std::move(shape), kFloats, 0}};
  entry.tensor.bytes = byteSize(dtype) * entry.tensor.elements();
  return entry;
}

std::vector<NamedTensor> weights() {
  return {named("wte.weight", DType::F32, {3, 2}),
          named("h.0.norm", DType::BF16, {5}),
          named("scale", DType::F64, {}),
          named("empty", DType::F32, {0, 300}),
          named("h\u00e9", DType::U8, {1, 2, 4}),
          named("flags", DType::BOOL, {1})};
}

TEST(PytorchWriter, IsReadBack) {
  TemporaryFolder folder;
  std::string path = folder.file("pytorch_model.bin");
  ASSERT_TRUE(
      writePytorchFile(path, weights(), {{"lm_head.weight", "wte.weight"}})
          .ok());
  auto file = PytorchFile::open(path);
  ASSERT_TRUE(file.ok()) << file.status();
  std::vector<NamedTensor> saved = weights();
  ASSERT_EQ((*file)->tensors().size(), saved.size() + 1);
  for (size_t i = 0; i < saved.size(); ++i) {
    const PytorchFile::Tensor &found = (*file)->tensors()[i];
    EXPECT_EQ(found.spec.name, saved[i].name);
    EXPECT_EQ(found.spec.dtype, saved[i].tensor.dtype);
    EXPECT_EQ(found.spec.shape, saved[i].tensor.shape);
    EXPECT_EQ(found.aliasOf, "");
    auto tensor = (*file)->read(i);
    ASSERT_TRUE(tensor.ok()) << tensor.status();
    ASSERT_EQ(tensor->bytes, saved[i].tensor.bytes);
    EXPECT_EQ(memcmp(tensor->data, kFloats, tensor->bytes), 0);
  }
  EXPECT_EQ((*file)->tensors().back().spec.name, "lm_head.weight");
  EXPECT_EQ((*file)->tensors().back().aliasOf, "wte.weight");
  EXPECT_THAT(folder.list(), ElementsAre("pytorch_model.bin"));
}

TEST(PytorchWriter, EqualWeightsMakeEqualFiles) {
  TemporaryFolder folder;
  ASSERT_TRUE(writePytorchFile(folder.file("a"), weights()).ok());
  ASSERT_TRUE(writePytorchFile(folder.file("b"), weights()).ok());
  EXPECT_EQ(readFile(folder.file("a")), readFile(folder.file("b")));
  EXPECT_FALSE(readFile(folder.file("a")).empty());
}

TEST(PytorchWriter, RefusesWhatPytorchCannotHold) {
  TemporaryFolder folder;
  auto statusOf = [&](const std::vector<NamedTensor> &tensors,
                      std::vector<TensorAlias> aliases = {}) {
    return writePytorchFile(folder.file("out"), tensors, aliases);
  };
  NamedTensor good = named("a", DType::F32, {1});
  EXPECT_TRUE(isError(statusOf({good, named("b", DType::U16, {1})}), kInvalid,
                      {"no storage", "\"b\"", "U16"}));
  EXPECT_TRUE(isError(statusOf({good, good}), kInvalid, {"\"a\""}));
  EXPECT_TRUE(
      isError(statusOf({named("\xFF", DType::F32, {1})}), kInvalid, {"UTF-8"}));
  EXPECT_TRUE(isError(statusOf({good}, {{"b", "c"}}), kInvalid,
                      {"no tensor \"c\"", "\"b\""}));
  EXPECT_TRUE(isError(statusOf({good}, {{"a", "a"}}), kInvalid, {"\"a\""}));
  EXPECT_THAT(folder.list(), IsEmpty());
}

TEST(PytorchWriter, AFailureKeepsTheOldFile) {
  TemporaryFolder folder;
  std::string path = folder.write("out", "old");
  rlimit before;
  getrlimit(RLIMIT_FSIZE, &before);
  rlimit limit = before;
  limit.rlim_cur = 100;
  void (*handler)(int) = signal(SIGXFSZ, SIG_IGN);
  setrlimit(RLIMIT_FSIZE, &limit);
  absl::Status status = writePytorchFile(path, weights());
  setrlimit(RLIMIT_FSIZE, &before);
  signal(SIGXFSZ, handler);
  EXPECT_TRUE(isError(status, absl::StatusCode::kResourceExhausted,
                      {path, "File too large", "HINT"}));
  EXPECT_EQ(readFile(path), "old");
  EXPECT_THAT(folder.list(), ElementsAre("out"));
  EXPECT_FALSE(writePytorchFile("/dev/null", weights()).ok());
  EXPECT_FALSE(writePytorchFile(folder.path, weights()).ok());
}

AdamwState adamw(int64_t updates) {
  AdamwState state;
  state.updates = updates;
  state.iterations = 1000;
  state.bestLoss = 2.5;
  state.learningRate = 1e-3;
  state.beta1 = 0.9;
  state.beta2 = 0.95;
  state.epsilon = 1e-8;
  state.weightDecay = 0.1;
  state.moments = {named("", DType::F32, {3, 2}).tensor,
                   named("", DType::F32, {2}).tensor};
  state.secondMoments = {named("", DType::F32, {3, 2}).tensor,
                         named("", DType::F32, {2}).tensor};
  return state;
}

std::vector<TensorSpec> adamwParameters() {
  return {{"wte", DType::F32, {3, 2}}, {"norm", DType::F32, {2}}};
}

TEST(OptimizerWriter, IsReadBack) {
  TemporaryFolder folder;
  std::string path = folder.file("optimizer.pt");
  ASSERT_TRUE(writeOptimizerFile(path, adamw(300)).ok());
  auto file = OptimizerFile::open(path, adamwParameters());
  ASSERT_TRUE(file.ok()) << file.status();
  EXPECT_EQ((*file)->step(), 300);
  EXPECT_EQ((*file)->iteration(), 1000);
  EXPECT_EQ((*file)->bestLoss(), 2.5);
  ASSERT_EQ((*file)->groups().size(), 1u);
  const AdamwGroup &group = (*file)->groups()[0];
  EXPECT_EQ(group.learningRate, 1e-3);
  EXPECT_EQ(group.beta1, 0.9);
  EXPECT_EQ(group.beta2, 0.95);
  EXPECT_EQ(group.epsilon, 1e-8);
  EXPECT_EQ(group.weightDecay, 0.1);
  EXPECT_THAT(group.parameters, ElementsAre("wte", "norm"));
  ASSERT_EQ((*file)->tensors().size(), 4u);
  for (size_t i = 0; i < 4; ++i) {
    auto tensor = (*file)->read(i);
    ASSERT_TRUE(tensor.ok()) << tensor.status();
    EXPECT_EQ(std::memcmp(tensor->data, kFloats, tensor->bytes), 0);
  }
}

TEST(OptimizerWriter, HasNoStateBeforeTheFirstUpdate) {
  TemporaryFolder folder;
  std::string path = folder.file("optimizer.pt");
  ASSERT_TRUE(writeOptimizerFile(path, adamw(0)).ok());
  auto file = OptimizerFile::open(path, adamwParameters());
  ASSERT_TRUE(file.ok()) << file.status();
  EXPECT_EQ((*file)->step(), 0);
  EXPECT_THAT((*file)->tensors(), IsEmpty());
  EXPECT_EQ((*file)->groups()[0].parameters.size(), 2u);
}

// PyTorch counts each step up in place: shared, they would count each other.
TEST(OptimizerWriter, SharesNoStorage) {
  TemporaryFolder folder;
  std::string path = folder.file("optimizer.pt");
  ASSERT_TRUE(writeOptimizerFile(path, adamw(5)).ok());
  auto archive = PytorchArchive::open(path);
  ASSERT_TRUE(archive.ok()) << archive.status();
  EXPECT_EQ((*archive)->pickle().storages().size(), 6u);
}

} // namespace
} // namespace t6
