//===- ReferenceOrderTest.cpp - Tests of the reference's order ------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "runtime/checkpoint/ReferenceOrder.h"

#include "runtime/io/TestSupport.h"
#include "gmock/gmock.h"

namespace t6 {
namespace {

using ::testing::ElementsAreArray;
using testing::isError;

/// Names in the reference's order, given in another.
std::vector<std::string> ordered(std::vector<std::string> names) {
  std::vector<NamedTensor> tensors;
  for (const std::string &name : names)
    tensors.push_back({name, {}});
  absl::StatusOr<std::vector<NamedTensor>> result = inReferenceOrder(tensors);
  EXPECT_TRUE(result.ok()) << result.status();
  std::vector<std::string> found;
  for (const NamedTensor &tensor : *result)
    found.push_back(tensor.name);
  return found;
}

std::vector<std::string> backwards(std::vector<std::string> names) {
  std::reverse(names.begin(), names.end());
  return names;
}

std::vector<std::string> layer(int number,
                               std::initializer_list<const char *> names) {
  std::vector<std::string> all;
  for (const char *name : names)
    all.push_back(absl::StrCat("transformer.h.", number, ".", name, ".weight"));
  return all;
}

// As the constructors of the reference's classes register them.
TEST(ReferenceOrder, IsThatOfItsModels) {
  for (auto names :
       {layer(0, {"attn.c_qkv.W_A_q", "attn.c_qkv.W_A_k", "attn.c_qkv.W_A_v",
                  "attn.c_qkv.W_B_q", "attn.c_qkv.W_B_k", "attn.c_qkv.W_B_v",
                  "attn.c_proj", "attn.subln", "mlp.c_fc1", "mlp.c_fc2",
                  "mlp.c_proj"}),
        layer(3, {"attn.c_qkv.c_q", "attn.c_qkv.W_A_k", "attn.c_qkv.W_A_v",
                  "attn.c_qkv.W_B_k", "attn.c_qkv.W_B_v", "attn.c_proj"}),
        layer(1, {"attn.c_q", "attn.c_k", "attn.c_v", "attn.c_proj"}),
        layer(1, {"attn.q_a_proj", "attn.q_a_layernorm", "attn.q_b_proj",
                  "attn.kv_a_layernorm", "attn.kv_a_proj_with_mqa",
                  "attn.kv_b_proj", "attn.c_proj"})})
    EXPECT_THAT(ordered(backwards(names)), ElementsAreArray(names));
}

TEST(ReferenceOrder, CountsLayersAfterTheEmbedding) {
  std::vector<std::string> names = {"transformer.wte.weight",
                                    "transformer.h.2.mlp.c_proj.weight",
                                    "transformer.h.10.attn.c_q.weight"};
  EXPECT_THAT(ordered(backwards(names)), ElementsAreArray(names));
}

TEST(ReferenceOrder, RefusesWhatNoModelHas) {
  for (const char *name :
       {"model.embed_tokens.weight", "transformer.h.0.attn.gate.weight",
        "transformer.h.x.attn.c_q.weight", "transformer.h.-1.attn.c_q.weight",
        "transformer.h.0.attn.c_q", "transformer.h.0"}) {
    std::vector<NamedTensor> tensors = {{name, {}}};
    EXPECT_TRUE(isError(inReferenceOrder(tensors).status(),
                        absl::StatusCode::kFailedPrecondition, {name, "HINT"}));
  }
}

} // namespace
} // namespace t6
