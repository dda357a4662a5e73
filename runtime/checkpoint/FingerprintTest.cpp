//===- FingerprintTest.cpp - Tests of telling models apart ----------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "runtime/checkpoint/Fingerprint.h"

#include "runtime/io/TestSupport.h"
#include "gmock/gmock.h"

namespace t6 {
namespace {

using nlohmann::json;
using testing::isError;

constexpr absl::StatusCode kUnfit = absl::StatusCode::kFailedPrecondition;

ModelFingerprint model() {
  ModelFingerprint result;
  result.config = json::parse(
      R"({"n_head": 4, "rope": {"base": 10000.0, "scale": null}, "tied": true})");
  result.parameters = {{"a", DType::F32, {2, 3}}, {"b", DType::F32, {3}}};
  return result;
}

absl::Status compare(const ModelFingerprint &found) {
  return checkSameModel(model(), found, "out/x");
}

TEST(Fingerprint, TheSameModel) {
  EXPECT_TRUE(compare(model()).ok());
  std::vector<NamedTensor> tensors = {{"b", {DType::F32, {3}, nullptr, 12}},
                                      {"a", {DType::F32, {2, 3}, nullptr, 24}}};
  EXPECT_TRUE(compare(fingerprintOf(model().config, tensors)).ok());
}

TEST(Fingerprint, NamesTheFirstKeyThatDiffers) {
  ModelFingerprint other = model();
  other.config["n_head"] = 6;
  other.config["tied"] = false;
  other.parameters.clear();
  EXPECT_TRUE(isError(compare(other), kUnfit,
                      {"out/x", "config \"n_head\" is 6 in the checkpoint and "
                                "4 in the model; HINT"}));
  other = model();
  other.config["rope"]["base"] = 50000.0;
  EXPECT_TRUE(isError(compare(other), kUnfit,
                      {"\"rope.base\" is 50000.0 in the checkpoint"}));
  other = model();
  other.config["rope"] = "none";
  EXPECT_TRUE(isError(compare(other), kUnfit, {"\"rope\" is \"none\" in"}));
  other = model();
  other.config.erase("n_head");
  EXPECT_TRUE(isError(compare(other), kUnfit,
                      {"\"n_head\" is 4 in the model and absent from"}));
  other = model();
  other.config["n_layer"] = std::string(1000, 'x');
  absl::Status status = compare(other);
  EXPECT_TRUE(
      isError(status, kUnfit, {"\"n_layer\"", "absent from the model"}));
  EXPECT_LT(status.message().size(), 300u);
}

TEST(Fingerprint, NamesTheFirstTensorThatDiffers) {
  ModelFingerprint other = model();
  other.parameters[1].shape = {4};
  EXPECT_TRUE(isError(compare(other), kUnfit,
                      {"tensor \"b\" is F32 [4] in the checkpoint and F32 [3] "
                       "in the model"}));
  other = model();
  other.parameters[0].dtype = DType::BF16;
  EXPECT_TRUE(isError(compare(other), kUnfit,
                      {"tensor \"a\" is BF16 [2, 3] in the checkpoint"}));
  other = model();
  other.parameters.pop_back();
  EXPECT_TRUE(
      isError(compare(other), kUnfit, {"tensor \"b\" of the model is not in"}));
  other = model();
  other.parameters.insert(other.parameters.begin() + 1,
                          {"aa", DType::F32, {1}});
  EXPECT_TRUE(isError(compare(other), kUnfit,
                      {"tensor \"aa\" of the checkpoint is not in"}));
  other = model();
  other.parameters[0].name = "0";
  EXPECT_TRUE(isError(compare(other), kUnfit,
                      {"tensor \"0\" of the checkpoint is not in"}));
}

} // namespace
} // namespace t6
