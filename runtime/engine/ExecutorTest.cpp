//===- ExecutorTest.cpp ---------------------------------------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "runtime/engine/Executor.h"

#include "runtime/artifact/testing/FixtureArtifact.h"
#include "runtime/io/Safetensors.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <cstdlib>
#include <cstring>
#include <new>

// Every allocation of the process is counted, for the promise of none.
static std::atomic<int64_t> allocations{0};

void *operator new(size_t bytes) {
  allocations.fetch_add(1);
  void *memory = std::malloc(bytes ? bytes : 1);
  if (!memory)
    std::abort();
  return memory;
}
void operator delete(void *memory) noexcept { std::free(memory); }
void operator delete(void *memory, size_t) noexcept { std::free(memory); }

using testing::ElementsAre;
using testing::HasSubstr;

namespace t6 {
namespace {

TensorView view(DType dtype, std::vector<int64_t> shape, const void *data) {
  TensorView result;
  result.dtype = dtype;
  result.shape = std::move(shape);
  result.data = data;
  result.bytes = result.elements() * byteSize(dtype);
  return result;
}

// embedding.weight[v][j] = 10 v + j; bias = {0.5, 0, 1}, exact in bf16.
constexpr int kWeightCount = kFixtureVocab * kFixtureWidth;
const std::vector<float> &weightValues() {
  static const std::vector<float> values = [] {
    std::vector<float> result;
    for (int i = 0; i < kWeightCount; ++i)
      result.push_back(10 * (i / kFixtureWidth) + i % kFixtureWidth);
    return result;
  }();
  return values;
}
const float kBias[] = {0.5f, 0, 1};
const uint16_t kBiasBf16[] = {0x3f00, 0, 0x3f80};

/// What the fixture computes for a token.
float expectedY(int token, int j) {
  return (10 * token + j) * kFixtureScale[j] + kBias[j];
}

std::vector<NamedTensor> goodWeights() {
  return {{"embedding.weight",
           view(DType::F32, {kWeightCount}, weightValues().data())},
          {"bias", view(DType::BF16, {kFixtureWidth}, kBiasBf16)}};
}

std::shared_ptr<const Checkpoint>
makeCheckpoint(const std::vector<NamedTensor> &tensors) {
  const char *folder = std::getenv("TEST_TMPDIR");
  std::string path =
      std::string(folder ? folder : "/tmp") + "/executor_test.safetensors";
  absl::Status status = writeSafetensors(path, tensors);
  EXPECT_TRUE(status.ok()) << status;
  absl::StatusOr<std::unique_ptr<Checkpoint>> checkpoint =
      Checkpoint::open({path});
  EXPECT_TRUE(checkpoint.ok()) << checkpoint.status();
  return *std::move(checkpoint);
}

class ExecutorTest : public testing::Test {
protected:
  /// An executor without weights.
  std::unique_ptr<Executor> make(int threads = 2) {
    bytes = fixtureArtifact();
    auto artifact = Artifact::fromMemory(bytes, "m.t6x");
    EXPECT_TRUE(artifact.ok()) << artifact.status();
    auto executor =
        Executor::create(*artifact, {threads, KernelSet::Optimized});
    EXPECT_TRUE(executor.ok()) << executor.status();
    return *std::move(executor);
  }
  std::unique_ptr<Executor> makeBound(int threads = 2) {
    std::unique_ptr<Executor> executor = make(threads);
    absl::Status status = executor->bindParams(makeCheckpoint(goodWeights()));
    EXPECT_TRUE(status.ok()) << status;
    return executor;
  }
  /// Runs on tokens [2, n] at the same position in both rows.
  absl::Status step(Executor &executor, std::vector<int32_t> tokens,
                    std::vector<int32_t> positions) {
    std::map<std::string, TensorView> inputs = {
        {"tokens",
         view(DType::I32, {2, int64_t(tokens.size()) / 2}, tokens.data())},
        {"positions", view(DType::I32, {2}, positions.data())}};
    return executor.run("step", inputs, &outputs);
  }
  float floatOutput(const std::string &name, int64_t i) {
    return static_cast<const float *>(outputs[name].data)[i];
  }
  void expectRefused(Executor &executor,
                     const std::map<std::string, TensorView> &inputs,
                     const char *message) {
    absl::Status status = executor.run("step", inputs, &outputs);
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << status;
    EXPECT_THAT(std::string(status.message()), HasSubstr(message));
  }

  std::string bytes;
  std::map<std::string, TensorView> outputs;
};

TEST_F(ExecutorTest, Runs) {
  for (int threads : {1, 2, 5}) {
    std::unique_ptr<Executor> executor = makeBound(threads);
    std::vector<int32_t> tokens = {1, 4, 0, 2, 2, 3};
    absl::Status status = step(*executor, tokens, {0, 0});
    ASSERT_TRUE(status.ok()) << status;
    EXPECT_THAT(outputs["y"].shape, ElementsAre(2, 3, 3));
    EXPECT_EQ(outputs["y"].bytes, 2u * 3 * 3 * 4);
    float sum = 0;
    for (int i = 0; i < 6; ++i)
      for (int j = 0; j < 3; ++j) {
        EXPECT_EQ(floatOutput("y", i * 3 + j), expectedY(tokens[i], j));
        sum += expectedY(tokens[i], j);
      }
    EXPECT_NEAR(floatOutput("sum", 0), sum, 1e-3);
  }
}

TEST_F(ExecutorTest, CoversTheGrid) {
  std::unique_ptr<Executor> executor = makeBound();
  for (int run = 1; run <= 20; ++run) {
    ASSERT_TRUE(step(*executor, {0, 0}, {0, 0}).ok());
    for (int i = 0; i < kFixtureCounts; ++i)
      ASSERT_EQ(static_cast<const int32_t *>(outputs["counts"].data)[i], run);
  }
}

TEST_F(ExecutorTest, KeepsAndResetsState) {
  std::unique_ptr<Executor> executor = makeBound();
  EXPECT_EQ(executor->stateBytes(), 2 * 8 * 3 * 4);
  ASSERT_TRUE(step(*executor, {1, 1, 2, 2}, {0, 0}).ok());
  float first = floatOutput("sum", 0);
  ASSERT_TRUE(step(*executor, {3, 4}, {2, 2}).ok());
  EXPECT_THAT(outputs["y"].shape, ElementsAre(2, 1, 3));
  float more = 0;
  for (int j = 0; j < 3; ++j)
    more += expectedY(3, j) + expectedY(4, j);
  EXPECT_NEAR(floatOutput("sum", 0), first + more, 1e-3);
  executor->resetState();
  ASSERT_TRUE(step(*executor, {3, 4}, {2, 2}).ok());
  EXPECT_NEAR(floatOutput("sum", 0), more, 1e-3);
}

TEST_F(ExecutorTest, AllocatesNothingOnceWarm) {
  std::unique_ptr<Executor> executor = makeBound();
  std::vector<int32_t> tokens = {1, 2}, positions = {0, 0};
  std::vector<TensorView> inputs = {view(DType::I32, {2, 1}, tokens.data()),
                                    view(DType::I32, {2}, positions.data())};
  ASSERT_TRUE(executor->run(0, inputs).ok());
  int64_t before = allocations.load();
  for (int i = 0; i < 100; ++i) {
    positions[0] = positions[1] = i % kFixtureLength;
    ASSERT_TRUE(executor->run(0, inputs).ok());
  }
  EXPECT_EQ(allocations.load(), before);
}

TEST_F(ExecutorTest, AcceptsWideIntegers) {
  std::unique_ptr<Executor> executor = makeBound();
  std::vector<int64_t> tokens = {1, 4}, positions = {7, 7};
  std::map<std::string, TensorView> inputs = {
      {"tokens", view(DType::I64, {2, 1}, tokens.data())},
      {"positions", view(DType::I64, {2}, positions.data())}};
  absl::Status status = executor->run("step", inputs, &outputs);
  ASSERT_TRUE(status.ok()) << status;
  EXPECT_EQ(floatOutput("y", 3), expectedY(4, 0));
  tokens[1] = (int64_t{1} << 32) + 1;
  expectRefused(*executor, inputs, "does not fit 32 bits");
}

TEST_F(ExecutorTest, RefusesBadInputs) {
  std::unique_ptr<Executor> executor = makeBound();
  std::vector<int32_t> data(64, 0);
  TensorView tokens = view(DType::I32, {2, 1}, data.data());
  TensorView positions = view(DType::I32, {2}, data.data());
  expectRefused(*executor, {{"tokens", tokens}},
                "input 'positions' is missing. HINT: its inputs are 'tokens', "
                "'positions'");
  expectRefused(*executor,
                {{"tokens", tokens}, {"positions", positions}, {"x", tokens}},
                "no input 'x'");
  expectRefused(*executor,
                {{"tokens", view(DType::F32, {2, 1}, data.data())},
                 {"positions", positions}},
                "input 'tokens' has the type F32 and not I32");
  expectRefused(*executor,
                {{"tokens", view(DType::I32, {2}, data.data())},
                 {"positions", positions}},
                "has the shape [2] and not 2 dimensions");
  expectRefused(*executor,
                {{"tokens", view(DType::I32, {2, 5}, data.data())},
                 {"positions", positions}},
                "dimension 1 must be in [1, 4]");
  expectRefused(*executor,
                {{"tokens", view(DType::I32, {2, 0}, data.data())},
                 {"positions", positions}},
                "dimension 1 must be in [1, 4]");
  expectRefused(*executor,
                {{"tokens", view(DType::I32, {1, 1}, data.data())},
                 {"positions", positions}},
                "dimension 0 must be 2");
  expectRefused(
      *executor,
      {{"tokens", tokens}, {"positions", view(DType::I32, {60}, data.data())}},
      "larger than the entry allows");
  tokens.bytes = 4;
  expectRefused(*executor, {{"tokens", tokens}, {"positions", positions}},
                "another number of bytes");
  EXPECT_THAT(std::string(executor->run("nope", {}, &outputs).message()),
              HasSubstr("no entry 'nope'. HINT: its entries are 'step'"));
}

TEST_F(ExecutorTest, RefusesValuesOutOfRange) {
  std::unique_ptr<Executor> executor = makeBound();
  ASSERT_TRUE(step(*executor, {1, 1}, {0, 0}).ok());
  float before = floatOutput("sum", 0);
  absl::Status token = step(*executor, {1, 5}, {1, 1});
  EXPECT_EQ(token.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(token.message()),
              HasSubstr("input 'tokens' has the value 5 at index 1, not in "
                        "[0, 5)"));
  EXPECT_FALSE(step(*executor, {-1, 0}, {1, 1}).ok());
  absl::Status length = step(*executor, {0, 0, 0, 0}, {0, 7});
  EXPECT_EQ(length.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(length.message()),
              HasSubstr("longer than the maximum length, 8"));
  EXPECT_FALSE(step(*executor, {0, 0}, {0, -1}).ok());
  EXPECT_FALSE(step(*executor, {0, 0}, {0, 2147483647}).ok());
  // None of them touched the state.
  ASSERT_TRUE(step(*executor, {1, 1}, {0, 0}).ok());
  EXPECT_EQ(floatOutput("sum", 0), before);
}

TEST_F(ExecutorTest, NeedsWeights) {
  std::unique_ptr<Executor> executor = make();
  absl::Status status = step(*executor, {1, 1}, {0, 0});
  EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(std::string(status.message()),
              HasSubstr("'embedding.weight', which has no value. HINT: "));
}

TEST_F(ExecutorTest, MapsWhatFitsAndConvertsTheRest) {
  std::unique_ptr<Executor> executor = makeBound();
  EXPECT_EQ(executor->mappedParamBytes(), kWeightCount * 4 + 3 * 2);
  EXPECT_EQ(executor->ownedParamBytes(), 0);
  std::vector<NamedTensor> weights = goodWeights();
  weights[1].tensor = view(DType::F32, {3}, kBias);
  absl::Status status = executor->bindParams(makeCheckpoint(weights));
  ASSERT_TRUE(status.ok()) << status;
  EXPECT_EQ(executor->ownedParamBytes(), kBufferAlignment);
  ASSERT_TRUE(step(*executor, {1, 4}, {0, 0}).ok());
  for (int j = 0; j < 3; ++j)
    EXPECT_EQ(floatOutput("y", j), expectedY(1, j));
}

TEST(ParamBinder, CopiesAllWhereAsked) {
  Program program;
  program.buffers.resize(1);
  Buffer &buffer = program.buffers[0];
  buffer.kind = BufferKind::Param;
  buffer.name = "a";
  buffer.storedShape = {3};
  buffer.dtype = DType::F32;
  buffer.maxBytes = 12;
  float a[3] = {1.5f, -2.0f, 1e-40f};
  std::shared_ptr<const Checkpoint> checkpoint =
      makeCheckpoint({{"a", view(DType::F32, {3}, a)}});
  std::unique_ptr<ThreadPool> pool = *ThreadPool::create(2);
  for (ParamMemory memory : {ParamMemory::Mapped, ParamMemory::Copied}) {
    bool isCopied = memory == ParamMemory::Copied;
    absl::StatusOr<BoundParams> bound =
        bindCheckpoint(program, *checkpoint, *pool, memory);
    ASSERT_TRUE(bound.ok()) << bound.status();
    EXPECT_EQ(bound->mappedBytes, isCopied ? 0 : 12);
    EXPECT_EQ(bound->params[0].data == checkpoint->find("a")->data, !isCopied);
    EXPECT_EQ(std::memcmp(bound->params[0].data, a, sizeof(a)), 0);
  }
}

TEST(ParamBinder, ConvertsLargeTensorsInBlocks) {
  constexpr int kElements = 700001; // Several blocks and a bit.
  Program program;
  program.buffers.resize(2);
  for (Buffer &buffer : program.buffers) {
    buffer.kind = BufferKind::Param;
    buffer.storedShape = {kElements};
  }
  program.buffers[0].name = "a";
  program.buffers[0].dtype = DType::BF16;
  program.buffers[0].maxBytes = kElements * 2;
  program.buffers[1].name = "b";
  program.buffers[1].dtype = DType::F32;
  program.buffers[1].maxBytes = kElements * 4;
  std::vector<float> a(kElements);
  std::vector<uint16_t> b(kElements); // BF16.
  for (int i = 0; i < kElements; ++i) {
    uint32_t bits = uint32_t(0x3f80 + i % 977) << 16;
    std::memcpy(&a[i], &bits, sizeof(bits)); // Exact in bf16.
    b[i] = 0x3f80 + i % 983;
  }
  std::shared_ptr<const Checkpoint> checkpoint =
      makeCheckpoint({{"a", view(DType::F32, {kElements}, a.data())},
                      {"b", view(DType::BF16, {kElements}, b.data())}});
  std::unique_ptr<ThreadPool> pool = *ThreadPool::create(3);
  absl::StatusOr<BoundParams> bound =
      bindCheckpoint(program, *checkpoint, *pool, ParamMemory::Mapped);
  ASSERT_TRUE(bound.ok()) << bound.status();
  auto *narrow = static_cast<const uint16_t *>(bound->params[0].data);
  auto *wide = static_cast<const uint32_t *>(bound->params[1].data);
  for (int i = 0; i < kElements; ++i) {
    ASSERT_EQ(narrow[i], 0x3f80 + i % 977) << i;
    ASSERT_EQ(wide[i], uint32_t(0x3f80 + i % 983) << 16) << i;
  }
}

TEST_F(ExecutorTest, AcceptsTiedNamesAndWarnsOfExtras) {
  std::vector<NamedTensor> weights = goodWeights();
  weights[0].name = "head.weight";
  std::unique_ptr<Executor> executor = make();
  ASSERT_TRUE(executor->bindParams(makeCheckpoint(weights)).ok());
  EXPECT_TRUE(executor->warnings().empty());
  weights = goodWeights();
  weights.push_back({"head.weight", weights[0].tensor});
  weights.push_back({"odd", weights[1].tensor});
  ASSERT_TRUE(executor->bindParams(makeCheckpoint(weights)).ok());
  ASSERT_EQ(executor->warnings().size(), 1u);
  EXPECT_THAT(executor->warnings()[0], HasSubstr("odd"));
  EXPECT_THAT(executor->warnings()[0], Not(HasSubstr("head.weight")));
}

TEST_F(ExecutorTest, NamesEveryParameterThatDoesNotFit) {
  std::unique_ptr<Executor> executor = makeBound();
  std::vector<NamedTensor> weights = goodWeights();
  weights[0].tensor.shape = {kFixtureVocab, kFixtureWidth};
  weights.erase(weights.begin() + 1);
  absl::Status status = executor->bindParams(makeCheckpoint(weights));
  EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition);
  std::string message(status.message());
  EXPECT_THAT(message, HasSubstr("2 of the 2 parameters of 'fixture'"));
  EXPECT_THAT(message, HasSubstr("has the shape [5, 3] and not [15]"));
  EXPECT_THAT(message, HasSubstr("bias"));
  EXPECT_THAT(message, HasSubstr("is missing"));
  EXPECT_THAT(message, HasSubstr("executor_test.safetensors"));
  // What was bound before still is.
  EXPECT_TRUE(step(*executor, {1, 4}, {0, 0}).ok());
  std::vector<int32_t> integers(3);
  weights = goodWeights();
  weights[1].tensor = view(DType::I32, {3}, integers.data());
  EXPECT_THAT(
      std::string(executor->bindParams(makeCheckpoint(weights)).message()),
      HasSubstr("has the type I32, which does not convert to BF16"));
}

TEST_F(ExecutorTest, ProfilesDispatches) {
  std::unique_ptr<Executor> executor = makeBound();
  std::vector<std::string> symbols;
  std::vector<int64_t> workgroups, reads;
  executor->setProfiler([&](const DispatchEvent &event) {
    symbols.push_back(std::string(event.symbol));
    workgroups.push_back(event.workgroups);
    reads.push_back(event.bytesRead);
    EXPECT_GE(event.seconds, 0);
    EXPECT_EQ(event.entry.name, "step");
  });
  ASSERT_TRUE(step(*executor, {1, 1, 2, 2, 3, 3}, {0, 0}).ok());
  EXPECT_THAT(symbols,
              ElementsAre("fixture_gather", "fixture_affine", "fixture_append",
                          "fixture_sum", "fixture_count"));
  EXPECT_THAT(workgroups, ElementsAre(6, 2, 2, 1, 24));
  EXPECT_EQ(reads[0], 3 * 4 + 3 * 12);
  executor->setProfiler(nullptr);
  ASSERT_TRUE(step(*executor, {1, 1}, {0, 0}).ok());
  EXPECT_EQ(symbols.size(), 5u);
}

TEST(HostMemory, RefusesMoreThanTheMachineHas) {
  absl::StatusOr<HostMemory> memory =
      HostMemory::allocate(kMaxProgramBytes * 64, "the test");
  EXPECT_EQ(memory.status().code(), absl::StatusCode::kResourceExhausted);
  EXPECT_THAT(std::string(memory.status().message()), HasSubstr("HINT: "));
}

TEST(HostMemory, IsZeroedAlignedAndClears) {
  absl::StatusOr<HostMemory> memory = HostMemory::allocate(100000, "the test");
  ASSERT_TRUE(memory.ok()) << memory.status();
  EXPECT_EQ(reinterpret_cast<uintptr_t>(memory->data()) % kBufferAlignment, 0u);
  EXPECT_EQ(memory->data()[99999], 0);
  std::memset(memory->data(), 1, 100000);
  memory->clear();
  EXPECT_EQ(memory->data()[0], 0);
  EXPECT_EQ(memory->data()[99999], 0);
}

} // namespace
} // namespace t6
