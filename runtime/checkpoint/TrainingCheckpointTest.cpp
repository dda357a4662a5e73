//===- TrainingCheckpointTest.cpp - Tests of reading checkpoints ----------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "runtime/checkpoint/TrainingCheckpoint.h"

#include "runtime/checkpoint/TestSupport.h"
#include "runtime/io/Checkpoint.h"
#include "gmock/gmock.h"

namespace t6 {
namespace {

using ::testing::ElementsAre;
using testing::isError;
using testing::isWhole;
using testing::readFile;
using testing::StepContents;
using testing::TemporaryTree;

constexpr absl::StatusCode kDamaged = absl::StatusCode::kDataLoss;
constexpr absl::StatusCode kUnfit = absl::StatusCode::kFailedPrecondition;
constexpr absl::StatusCode kAbsent = absl::StatusCode::kNotFound;

/// A run with checkpoints of these steps.
class ReadTest : public ::testing::Test {
protected:
  void saveSteps(std::initializer_list<int64_t> steps) {
    absl::StatusOr<std::unique_ptr<RunFolder>> run =
        RunFolder::open(folder.path, 0);
    ASSERT_TRUE(run.ok()) << run.status();
    for (int64_t step : steps)
      ASSERT_TRUE((*run)->save(StepContents(step), {}).ok());
  }

  std::string file(int64_t step, absl::string_view name) const {
    return folder.file(absl::StrCat("checkpoints/step-00000", step, "/", name));
  }

  /// Changes one bit of the last byte.
  void damage(const std::string &path) {
    std::string bytes = readFile(path);
    ASSERT_FALSE(bytes.empty());
    bytes.back() ^= 1;
    std::ofstream(path, std::ios::binary) << bytes;
  }

  absl::Status statusOf(int64_t step, const ModelFingerprint *model = nullptr) {
    return TrainingCheckpoint::open(file(step, ""), model).status();
  }

  TemporaryTree folder;
};

TEST_F(ReadTest, GivesBackWhatWasSaved) {
  saveSteps({1, 2});
  StepContents saved(2);
  ModelFingerprint model = saved.fingerprint();
  absl::StatusOr<LatestCheckpoint> latest = openLatest(folder.path, &model);
  ASSERT_TRUE(latest.ok()) << latest.status();
  EXPECT_TRUE(latest->skipped.ok());
  const TrainingCheckpoint &checkpoint = *latest->checkpoint;
  EXPECT_TRUE(isWhole(checkpoint));
  EXPECT_EQ(checkpoint.path(), folder.file("checkpoints/step-000002"));
  EXPECT_EQ(checkpoint.state().step, 2);
  EXPECT_EQ(checkpoint.state().samplerPosition, uint64_t{2} << 40);
  std::vector<std::string> names;
  for (const NamedTensor &entry : checkpoint.optimizer())
    names.push_back(entry.name);
  EXPECT_THAT(names, ElementsAre("adamw.m.wte.weight", "adamw.m.b",
                                 "adamw.v.wte.weight", "adamw.v.b"));
}

TEST_F(ReadTest, TheWeightsAreAnOrdinaryFile) {
  saveSteps({3});
  absl::StatusOr<std::unique_ptr<Checkpoint>> weights =
      Checkpoint::open({folder.file("latest/model.safetensors")});
  ASSERT_TRUE(weights.ok()) << weights.status();
  EXPECT_EQ((*weights)->find("lm_head.weight"), (*weights)->find("wte.weight"));
}

TEST_F(ReadTest, FindsTensorsByWhatTheyShouldBe) {
  saveSteps({1});
  auto checkpoint = TrainingCheckpoint::open(file(1, ""));
  ASSERT_TRUE(checkpoint.ok()) << checkpoint.status();
  auto tensor = [&](TensorSpec spec) { return (*checkpoint)->tensor(spec); };
  EXPECT_TRUE(tensor({"b", DType::F32, {3}}).ok());
  EXPECT_TRUE(tensor({"adamw.v.b", DType::F32, {3}}).ok());
  EXPECT_TRUE(isError(tensor({"sgd.b", DType::F32, {3}}).status(), kUnfit,
                      {"\"sgd.b\" is missing", "HINT"}));
  EXPECT_TRUE(isError(tensor({"adamw.v.b", DType::BF16, {3}}).status(), kUnfit,
                      {"\"adamw.v.b\" is F32 [3] and should be BF16 [3]"}));
}

TEST_F(ReadTest, RefusesAnotherModelBeforeAnythingElse) {
  saveSteps({1});
  damage(file(1, "model.safetensors"));
  StepContents other(1);
  other->config["n_head"] = 6;
  ModelFingerprint model = other.fingerprint();
  EXPECT_TRUE(isError(statusOf(1, &model), kUnfit,
                      {"another model", "\"n_head\" is 4", "6 in the model"}));
  EXPECT_TRUE(
      isError(openLatest(folder.path, &model, OnDamage::FallBack).status(),
              kUnfit, {"n_head"}));
  model = StepContents(1, 2).fingerprint();
  EXPECT_TRUE(isError(statusOf(1, &model), kUnfit,
                      {"tensor \"wte.weight\" is F32 [1, 256] in the "
                       "checkpoint and F32 [2, 256] in the model"}));
}

TEST_F(ReadTest, RefusesEveryDamagedFileByName) {
  saveSteps({1});
  for (const char *name :
       {"model.safetensors", "optimizer.safetensors", "state.json"}) {
    std::string path = file(1, name);
    std::string whole = readFile(path);
    for (size_t at = 0; at + 1 < whole.size(); at += 101) {
      std::string bytes = whole;
      bytes[at] = static_cast<char>(~bytes[at]);
      std::ofstream(path, std::ios::binary) << bytes;
      absl::Status status = statusOf(1);
      EXPECT_TRUE(isError(status, kDamaged, {path, "HINT"})) << at;
    }
    std::ofstream(path, std::ios::binary) << whole.substr(0, whole.size() / 2);
    EXPECT_TRUE(isError(statusOf(1), kDamaged, {path}));
    unlink(path.c_str());
    EXPECT_TRUE(isError(statusOf(1), kDamaged, {path, "missing", "HINT"}));
    std::ofstream(path, std::ios::binary) << whole;
    EXPECT_TRUE(statusOf(1).ok());
  }
}

TEST_F(ReadTest, RefusesTheTensorsOfAnotherCheckpoint) {
  saveSteps({1, 2});
  std::filesystem::copy(file(1, "optimizer.safetensors"),
                        file(2, "optimizer.safetensors"),
                        std::filesystem::copy_options::overwrite_existing);
  EXPECT_TRUE(isError(statusOf(2), kDamaged,
                      {file(2, "optimizer.safetensors"), "checksum"}));
}

TEST_F(ReadTest, SaysWhereThereIsNothing) {
  EXPECT_TRUE(isError(TrainingCheckpoint::open(folder.file("no")).status(),
                      kAbsent, {"no such folder", "HINT"}));
  EXPECT_TRUE(isError(openLatest(folder.file("no")).status(), kAbsent,
                      {"no checkpoint", "HINT"}));
  saveSteps({});
  EXPECT_TRUE(isError(openLatest(folder.path).status(), kAbsent,
                      {"no checkpoint", "HINT"}));
}

TEST_F(ReadTest, ADamagedLatestIsNotPassedOver) {
  saveSteps({1, 2, 3});
  damage(file(3, "model.safetensors"));
  damage(file(2, "optimizer.safetensors"));
  EXPECT_TRUE(
      isError(openLatest(folder.path).status(), kDamaged,
              {"step-000003/model.safetensors", "checksum",
               "HINT: the newest checkpoint that is whole is", "step-000001"}));
  auto latest = openLatest(folder.path, nullptr, OnDamage::FallBack);
  ASSERT_TRUE(latest.ok()) << latest.status();
  EXPECT_EQ(latest->checkpoint->state().step, 1);
  EXPECT_TRUE(isError(latest->skipped, kDamaged, {"step-000003"}));
  damage(file(1, "state.json"));
  for (OnDamage onDamage : {OnDamage::Refuse, OnDamage::FallBack})
    EXPECT_TRUE(isError(openLatest(folder.path, nullptr, onDamage).status(),
                        kDamaged,
                        {"step-000003", "no other checkpoint", "HINT"}));
}

TEST_F(ReadTest, TheLatestIsNotTheGivenUpFuture) {
  saveSteps({1, 3, 2});
  auto latest = openLatest(folder.path);
  ASSERT_TRUE(latest.ok()) << latest.status();
  EXPECT_EQ(latest->checkpoint->state().step, 2);
  damage(file(2, "model.safetensors"));
  latest = openLatest(folder.path, nullptr, OnDamage::FallBack);
  ASSERT_TRUE(latest.ok()) << latest.status();
  EXPECT_EQ(latest->checkpoint->state().step, 1);
}

TEST_F(ReadTest, AMissingLatestIsDamage) {
  saveSteps({1, 2});
  std::filesystem::remove_all(file(2, ""));
  EXPECT_TRUE(isError(openLatest(folder.path).status(), kDamaged,
                      {"latest", "step-000002", "not there", "step-000001"}));
  unlink(folder.file("latest").c_str());
  EXPECT_TRUE(isError(openLatest(folder.path).status(), kDamaged,
                      {"latest", "no such link", "step-000001"}));
  auto latest = openLatest(folder.path, nullptr, OnDamage::FallBack);
  ASSERT_TRUE(latest.ok()) << latest.status();
  EXPECT_EQ(latest->checkpoint->state().step, 1);
}

TEST_F(ReadTest, ACopyWithoutLinksIsRead) {
  saveSteps({1, 2});
  unlink(folder.file("latest").c_str());
  std::filesystem::copy(file(2, ""), folder.file("latest"),
                        std::filesystem::copy_options::recursive);
  auto latest = openLatest(folder.path);
  ASSERT_TRUE(latest.ok()) << latest.status();
  EXPECT_EQ(latest->checkpoint->state().step, 2);
}

TEST_F(ReadTest, OutlivesItsFolder) {
  saveSteps({1});
  auto checkpoint = TrainingCheckpoint::open(file(1, ""));
  ASSERT_TRUE(checkpoint.ok()) << checkpoint.status();
  std::filesystem::remove_all(file(1, ""));
  EXPECT_TRUE(isWhole(**checkpoint));
}

} // namespace
} // namespace t6
