//===- ReferenceCheckpointTest.cpp - Tests of the reference's folders -----===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "runtime/checkpoint/ReferenceCheckpoint.h"

#include "runtime/checkpoint/PytorchWriter.h"
#include "runtime/checkpoint/RunFolder.h"
#include "runtime/checkpoint/TestSupport.h"
#include "gmock/gmock.h"

#include <fstream>

namespace t6 {
namespace {

using ::testing::ElementsAre;
using testing::entriesOf;
using ::testing::HasSubstr;
using testing::isError;
using testing::readFile;
using testing::TemporaryTree;

constexpr absl::StatusCode kUnfit = absl::StatusCode::kFailedPrecondition;

const char kTable[] = "transformer.wte.weight";
const char kKeys[] = "transformer.h.0.attn.c_k.weight";
const char kNorm[] = "transformer.h.0.attn.subln.weight";

/// A model of three parameters, of which `first` begins the numbers.
class Model {
public:
  explicit Model(float first) {
    add(kTable, {3, 2}, first);
    // Not in the reference's order.
    add(kNorm, {2}, first + 20);
    add(kKeys, {2, 2}, first + 10);
    config = {{"n_layer", 1},  {"n_head", 2},      {"n_embd", 2},
              {"bias", false}, {"block_size", 16}, {"model_type", "gpt2"}};
  }
  Model(const Model &) = delete;

  std::vector<NamedTensor> parameters, moments;
  nlohmann::json config;
  std::map<std::string, std::string> aliases = {{"lm_head.weight", kTable}};

  float value(const NamedTensor &tensor, int64_t i = 0) const {
    return static_cast<const float *>(tensor.tensor.data)[i];
  }

private:
  void add(const std::string &name, std::vector<int64_t> shape, float first) {
    parameters.push_back(make(name, shape, first));
    moments.push_back(make("adamw.m." + name, shape, first + 100));
    moments.push_back(make("adamw.v." + name, shape, first + 200));
  }
  NamedTensor make(const std::string &name, std::vector<int64_t> shape,
                   float first) {
    TensorView view{DType::F32, std::move(shape), nullptr, 0};
    auto &values = memory.emplace_back(
        new std::vector<float>(static_cast<size_t>(view.elements())));
    for (float &value : *values)
      value = first++;
    view.data = values->data();
    view.bytes = 4 * values->size();
    return {name, view};
  }
  std::vector<std::unique_ptr<std::vector<float>>> memory;
};

class ReferenceCheckpointTest : public ::testing::Test {
protected:
  /// A checkpoint of ours after `step` updates, exported to `exported`.
  absl::StatusOr<ReferenceExport> exportStep(const Model &model, int64_t step,
                                             const std::string &decay = "all") {
    CheckpointContents contents;
    contents.state.step = step;
    if (step > 0)
      contents.state.bestLoss = 3.5;
    contents.state.options = {{"learning-rate", 6e-4}, {"beta1", 0.9},
                              {"beta2", 0.95},         {"epsilon", 1e-8},
                              {"weight-decay", 0.1},   {"decay", decay}};
    contents.config = {{"name", "m"}};
    contents.description = model.config;
    contents.parameters = model.parameters;
    contents.optimizer = model.moments;
    contents.aliases = model.aliases;
    auto run = RunFolder::open(folder.file("run"), 0);
    if (!run.ok())
      return run.status();
    auto report = (*run)->save(contents, {});
    if (!report.ok())
      return report.status();
    auto checkpoint = TrainingCheckpoint::open(report->path);
    if (!checkpoint.ok())
      return checkpoint.status();
    return writeReferenceCheckpoint(**checkpoint, exported);
  }

  absl::StatusOr<std::unique_ptr<ReferenceCheckpoint>>
  open(const Model &model) {
    return ReferenceCheckpoint::open(exported, model.config, model.parameters,
                                     model.aliases);
  }

  void write(const std::string &name, const std::string &bytes) {
    std::ofstream(exported + "/" + name, std::ios::binary) << bytes;
  }

  TemporaryTree folder;
  std::string exported = folder.file("exported");
};

TEST_F(ReferenceCheckpointTest, ComesBack) {
  Model saved(1), restored(500);
  auto report = exportStep(saved, 7);
  ASSERT_TRUE(report.ok()) << report.status();
  EXPECT_EQ(report->tensors, 3u);
  EXPECT_EQ(report->aliases, 1u);
  EXPECT_EQ(report->iteration, 7);
  EXPECT_EQ(report->note, "");
  EXPECT_THAT(entriesOf(exported),
              ElementsAre("config.json", "optimizer.pt", "pytorch_model.bin"));
  EXPECT_TRUE(ReferenceCheckpoint::isOne(exported));

  auto checkpoint = open(restored);
  ASSERT_TRUE(checkpoint.ok()) << checkpoint.status();
  const OptimizerFile *optimizer = (*checkpoint)->optimizer();
  ASSERT_NE(optimizer, nullptr);
  EXPECT_EQ(optimizer->step(), 7);
  EXPECT_EQ(optimizer->iteration(), 7);
  EXPECT_EQ(optimizer->bestLoss(), 3.5);
  ASSERT_EQ(optimizer->groups().size(), 1u);
  EXPECT_EQ(optimizer->groups()[0].learningRate, 6e-4);
  EXPECT_EQ(optimizer->groups()[0].beta1, 0.9);
  EXPECT_EQ(optimizer->groups()[0].beta2, 0.95);
  EXPECT_EQ(optimizer->groups()[0].epsilon, 1e-8);
  EXPECT_EQ(optimizer->groups()[0].weightDecay, 0.1);
  // The reference's order: c_k before subln.
  EXPECT_THAT(optimizer->groups()[0].parameters,
              ElementsAre(kTable, kKeys, kNorm));
  ASSERT_TRUE(
      (*checkpoint)->restore(restored.parameters, restored.moments).ok());
  for (auto member : {&Model::parameters, &Model::moments})
    for (size_t i = 0; i < (saved.*member).size(); ++i)
      for (int64_t j = 0; j < (saved.*member)[i].tensor.elements(); ++j)
        EXPECT_EQ(restored.value((restored.*member)[i], j),
                  saved.value((saved.*member)[i], j))
            << (saved.*member)[i].name << " " << j;
}

TEST_F(ReferenceCheckpointTest, HasNoMomentsBeforeTheFirstUpdate) {
  Model saved(1), restored(500);
  ASSERT_TRUE(exportStep(saved, 0).ok());
  auto checkpoint = open(restored);
  ASSERT_TRUE(checkpoint.ok()) << checkpoint.status();
  EXPECT_EQ((*checkpoint)->optimizer()->step(), 0);
  EXPECT_EQ((*checkpoint)->optimizer()->bestLoss(), 1e9);
  ASSERT_TRUE(
      (*checkpoint)->restore(restored.parameters, restored.moments).ok());
  EXPECT_EQ(restored.value(restored.parameters[0]), 1);
  EXPECT_EQ(restored.value(restored.moments[0]), 0);
}

TEST_F(ReferenceCheckpointTest, MayLackTheOptimizer) {
  Model saved(1), restored(500);
  ASSERT_TRUE(exportStep(saved, 7).ok());
  std::filesystem::remove(exported + "/optimizer.pt");
  auto checkpoint = open(restored);
  ASSERT_TRUE(checkpoint.ok()) << checkpoint.status();
  EXPECT_EQ((*checkpoint)->optimizer(), nullptr);
  ASSERT_TRUE(
      (*checkpoint)->restore(restored.parameters, restored.moments).ok());
  EXPECT_EQ(restored.value(restored.parameters[2]), 11);
  EXPECT_EQ(restored.value(restored.moments[3]), 0);
}

TEST_F(ReferenceCheckpointTest, ReadsShardsByTheirIndex) {
  Model saved(1), restored(500);
  ASSERT_TRUE(exportStep(saved, 7).ok());
  std::filesystem::remove(exported + "/pytorch_model.bin");
  const auto &all = saved.parameters;
  ASSERT_TRUE(writePytorchFile(exported + "/pytorch_model-00001-of-00002.bin",
                               {all[0], all[2]}, {{"lm_head.weight", kTable}})
                  .ok());
  ASSERT_TRUE(
      writePytorchFile(exported + "/pytorch_model-00002-of-00002.bin", {all[1]})
          .ok());
  nlohmann::json index;
  for (const auto &[name, number] :
       {std::pair(kTable, 1), std::pair(kKeys, 1), std::pair(kNorm, 2)})
    index["weight_map"][name] =
        absl::StrCat("pytorch_model-0000", number, "-of-00002.bin");
  write("pytorch_model.bin.index.json", index.dump());
  EXPECT_TRUE(ReferenceCheckpoint::isOne(exported));
  auto checkpoint = open(restored);
  ASSERT_TRUE(checkpoint.ok()) << checkpoint.status();
  ASSERT_TRUE(
      (*checkpoint)->restore(restored.parameters, restored.moments).ok());
  EXPECT_EQ(restored.value(restored.parameters[1]), 21);
}

TEST_F(ReferenceCheckpointTest, RefusesAnotherModelByName) {
  Model saved(1), other(500);
  ASSERT_TRUE(exportStep(saved, 7).ok());
  other.config["n_head"] = 4;
  EXPECT_TRUE(isError(open(other).status(), kUnfit,
                      {"config.json", "another model",
                       "\"n_head\" is 2 there and 4 in the model", "HINT"}));
  other.config = {{"hidden_size", 2}};
  EXPECT_TRUE(isError(open(other).status(), kUnfit, {"none of its models"}));
  // Keys that change nothing may differ.
  other.config = saved.config;
  other.config["block_size"] = 8;
  EXPECT_TRUE(open(other).ok());

  other.parameters[2].tensor.shape = {4, 1};
  EXPECT_TRUE(isError(open(other).status(), kUnfit,
                      {"pytorch_model.bin", kKeys,
                       "F32 [2, 2] in the checkpoint and F32 [4, 1]"}));
  other.parameters.pop_back();
  EXPECT_TRUE(
      isError(open(other).status(), kUnfit, {kKeys, "is not in the model"}));
  Model more(1);
  more.parameters.push_back(more.parameters[0]);
  more.parameters.back().name = "transformer.h.0.attn.c_v.weight";
  EXPECT_TRUE(isError(open(more).status(), kUnfit,
                      {"c_v.weight", "is not in the checkpoint"}));
  Model untied(1);
  untied.aliases.clear();
  EXPECT_TRUE(isError(open(untied).status(), kUnfit,
                      {"\"lm_head.weight\" is tied to", kTable}));
}

TEST_F(ReferenceCheckpointTest, RefusesAnotherOrderAndAnotherCount) {
  Model saved(1);
  ASSERT_TRUE(exportStep(saved, 7).ok());
  std::string weights = exported + "/pytorch_model.bin";
  std::vector<NamedTensor> swapped = {saved.parameters[0], saved.parameters[1],
                                      saved.parameters[2]};
  ASSERT_TRUE(writePytorchFile(weights, swapped).ok());
  EXPECT_TRUE(isError(open(saved).status(), kUnfit,
                      {"pytorch_model.bin", "parameter 1 is", kNorm, kKeys,
                       "optimizer.pt", "HINT"}));
  std::swap(swapped[1], swapped[2]);
  ASSERT_TRUE(writePytorchFile(weights, swapped).ok());
  ASSERT_TRUE(open(saved).ok());
  AdamwState fewer;
  fewer.moments = fewer.secondMoments = {saved.parameters[0].tensor};
  ASSERT_TRUE(writeOptimizerFile(exported + "/optimizer.pt", fewer).ok());
  EXPECT_TRUE(isError(open(saved).status(), kUnfit,
                      {"optimizer.pt", "no parameter 1", kKeys}));
}

TEST_F(ReferenceCheckpointTest, RefusesDamage) {
  Model saved(1);
  ASSERT_TRUE(exportStep(saved, 7).ok());
  for (const char *name :
       {"config.json", "pytorch_model.bin", "optimizer.pt"}) {
    std::string bytes = readFile(exported + "/" + name);
    write(name, bytes.substr(0, bytes.size() / 2));
    EXPECT_TRUE(
        isError(open(saved).status(), absl::StatusCode::kDataLoss, {name}));
    write(name, bytes);
  }
  EXPECT_TRUE(open(saved).ok());
  std::filesystem::remove(exported + "/config.json");
  EXPECT_TRUE(isError(open(saved).status(), absl::StatusCode::kNotFound,
                      {"config.json"}));
}

TEST_F(ReferenceCheckpointTest, IsNotWrittenOverAnother) {
  Model saved(1);
  ASSERT_TRUE(exportStep(saved, 7).ok());
  std::string before = readFile(exported + "/optimizer.pt");
  EXPECT_TRUE(isError(exportStep(saved, 8).status(),
                      absl::StatusCode::kAlreadyExists,
                      {exported, "not empty", "HINT"}));
  EXPECT_EQ(readFile(exported + "/optimizer.pt"), before);
}

TEST_F(ReferenceCheckpointTest, SaysWhatDecaysOtherwise) {
  auto report = exportStep(Model(1), 7, "matrices");
  ASSERT_TRUE(report.ok()) << report.status();
  EXPECT_THAT(report->note, HasSubstr(kNorm));
}

TEST_F(ReferenceCheckpointTest, IsOfTheReferencesModelsAlone) {
  Model saved(1);
  saved.config = {{"name", "mine"}};
  EXPECT_TRUE(isError(exportStep(saved, 7).status(), kUnfit, {"mine"}));
  saved.parameters[1].name = "transformer.h.0.attn.gate.weight";
  saved.moments.clear();
  EXPECT_TRUE(isError(exportStep(saved, 8).status(), kUnfit, {"attn.gate"}));
  EXPECT_FALSE(ReferenceCheckpoint::isOne(folder.file("run/latest")));
  EXPECT_FALSE(ReferenceCheckpoint::isOne("never"));
}

} // namespace
} // namespace t6
