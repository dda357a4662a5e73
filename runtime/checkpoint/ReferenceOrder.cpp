//===- ReferenceOrder.cpp - The reference's order of parameters -----------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "runtime/checkpoint/ReferenceOrder.h"

#include "absl/status/status.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "runtime/io/Names.h"

#include <algorithm>
#include <iterator>
#include <optional>
#include <utility>

namespace t6 {
namespace {

/// Of all attentions together: a model has some of them, in this order.
constexpr absl::string_view kOfLayer[] = {
    // MHA, MQA and GQA.
    "attn.c_q", "attn.c_k", "attn.c_v",
    // T6 and T6-KVonly: all A before all B.
    "attn.c_qkv.c_q", "attn.c_qkv.W_A_q", "attn.c_qkv.W_A_k",
    "attn.c_qkv.W_A_v", "attn.c_qkv.W_B_q", "attn.c_qkv.W_B_k",
    "attn.c_qkv.W_B_v",
    // MLA: the norm before the projection that it follows.
    "attn.q_a_proj", "attn.q_a_layernorm", "attn.q_b_proj",
    "attn.kv_a_layernorm", "attn.kv_a_proj_with_mqa", "attn.kv_b_proj",
    // All.
    "attn.c_proj", "attn.subln", "mlp.c_fc1", "mlp.c_fc2", "mlp.c_proj"};

/// The layer, -1 for what is before all, and the place in it.
using Place = std::pair<int64_t, size_t>;

std::optional<Place> placeOf(absl::string_view name) {
  if (name == "transformer.wte.weight")
    return Place{-1, 0};
  int64_t layer;
  size_t dot;
  if (!absl::ConsumePrefix(&name, "transformer.h.") ||
      !absl::ConsumeSuffix(&name, ".weight") ||
      (dot = name.find('.')) == absl::string_view::npos ||
      !absl::SimpleAtoi(name.substr(0, dot), &layer) || layer < 0)
    return std::nullopt;
  auto found =
      std::find(std::begin(kOfLayer), std::end(kOfLayer), name.substr(dot + 1));
  if (found == std::end(kOfLayer))
    return std::nullopt;
  return Place{layer, static_cast<size_t>(found - std::begin(kOfLayer))};
}

} // namespace

absl::StatusOr<std::vector<NamedTensor>>
inReferenceOrder(absl::Span<const NamedTensor> parameters) {
  std::vector<std::pair<Place, const NamedTensor *>> placed;
  for (const NamedTensor &parameter : parameters) {
    std::optional<Place> place = placeOf(parameter.name);
    if (!place)
      return absl::FailedPreconditionError(absl::StrCat(
          "no model of the T6 reference has a parameter ",
          quoteName(parameter.name),
          "; HINT: only its own models (t6, t6_kvonly, mha, mqa, gqa, mla) are "
          "exchanged with it"));
    placed.emplace_back(*place, &parameter);
  }
  std::sort(placed.begin(), placed.end());
  std::vector<NamedTensor> ordered;
  for (const auto &[place, parameter] : placed)
    ordered.push_back(*parameter);
  return ordered;
}

} // namespace t6
