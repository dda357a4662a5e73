//===- ConfigKeys.cpp - The config.json that describes a model ------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The inverse of compiler/import.
//
//===----------------------------------------------------------------------===//

#include "compiler/model/ConfigKeys.h"
#include "compiler/model/AttentionLibrary.h"
#include "dialects/tpa/TpaDialect.h"
#include "mlir/IR/Builders.h"
#include "mlir/IR/OperationSupport.h"
#include <cmath>

using namespace mlir;

namespace tpa {
namespace {

/// The base of the function's rotations; 10000 where it has none.
double thetaOf(func::FuncOp function) {
  double theta = 10000.0;
  function.walk(
      [&](RopeOp op) { theta = op.getRope().getTheta().getValueAsDouble(); });
  return theta;
}

/// Whether the two do the same; their names are not compared.
bool isSame(func::FuncOp left, func::FuncOp right) {
  return OperationEquivalence::isRegionEquivalentTo(
      &left.getBody(), &right.getBody(), OperationEquivalence::IgnoreLocations);
}

class Describer {
public:
  Describer(t6::ModelOp model, func::FuncOp attention)
      : model(model), attention(attention), builder(model.getContext()) {}

  DictionaryAttr describe() {
    theta = thetaOf(attention);
    if (model.getCheckpoint() == t6::Checkpoint::Llama)
      return describeLlama();
    return describeReference();
  }

private:
  /// A size that the model states; 0 where it does not.
  int64_t size(StringRef name) {
    auto value = model.getSizes().getAs<IntegerAttr>(name);
    return value ? value.getInt() : 0;
  }
  void integer(StringRef key, int64_t value) {
    keys.set(key, builder.getI64IntegerAttr(value));
  }
  void flag(StringRef key, bool value) {
    keys.set(key, builder.getBoolAttr(value));
  }
  void number(StringRef key, double value) {
    keys.set(key, builder.getF64FloatAttr(value));
  }
  void text(StringRef key, StringRef value) {
    keys.set(key, builder.getStringAttr(value));
  }

  /// Whether the attention is the library's `name`, with the model's theta,
  /// and where `subln` is not empty with its norm of that size.
  bool isLibrary(StringRef name, StringRef subln = {}) {
    OwningOpRef<ModuleOp> scratch = ModuleOp::create(model.getLoc());
    func::FuncOp function = importAttention(*scratch, name);
    if (!function)
      return false;
    setRopeTheta(function, theta);
    if (!subln.empty())
      insertSubln(function, subln);
    return isSame(attention, function);
  }

  DictionaryAttr describeLlama() {
    if (!isLibrary("llama"))
      return {};
    int64_t groups = size("G"), heads = groups * size("J");
    keys.set("architectures", builder.getStrArrayAttr({"LlamaForCausalLM"}));
    text("model_type", "llama");
    integer("vocab_size", model.getVocab());
    integer("hidden_size", model.getWidth());
    integer("intermediate_size", model.getFfn());
    integer("num_hidden_layers", model.getLayers());
    integer("num_attention_heads", heads);
    integer("num_key_value_heads", groups);
    integer("head_dim", size("D"));
    integer("max_position_embeddings", model.getContextLength());
    text("hidden_act", "silu");
    number("rms_norm_eps", model.getNormEps().convertToDouble());
    number("rope_theta", theta);
    flag("tie_word_embeddings", model.getTied());
    flag("attention_bias", false);
    flag("mlp_bias", false);
    return keys.getDictionary(model.getContext());
  }

  /// Adds the keys of the attention; false where the reference has none such.
  bool describeAttention(bool &normed) {
    auto matches = [&](StringRef name, StringRef subln) {
      normed = false;
      if (isLibrary(name))
        return true;
      normed = true;
      return isLibrary(name, subln);
    };
    if (matches("tpa", "D") || matches("tpa_kvonly", "D")) {
      if (size("R_K") != size("R_V"))
        return false;
      integer("n_head", size("H"));
      integer("head_dim", size("D"));
      integer("rank", size("R_K"));
      if (size("R_Q") != 0)
        integer("q_rank", size("R_Q"));
      return true;
    }
    if (matches("mha", "D")) {
      // The reference's divides the width, whatever head_dim is.
      integer("n_head", size("H"));
      return size("H") * size("D") == int64_t(model.getWidth());
    }
    if (matches("gqa", "D")) {
      integer("n_head", size("G") * size("J"));
      integer("head_dim", size("D"));
      integer("group_size", size("J"));
      return true;
    }
    if (matches("mla", "E")) {
      integer("n_head", size("H"));
      integer("head_dim", size("D"));
      integer("qk_rope_head_dim", size("P"));
      integer("v_head_dim", size("E"));
      integer("kv_lora_rank", size("L"));
      integer("q_lora_rank", size("L_Q"));
      // What the reference can build: see the importer.
      return !normed || size("E") == size("D") + size("P");
    }
    return false;
  }

  DictionaryAttr describeReference() {
    auto width = int64_t(model.getWidth());
    bool normed = false;
    if (theta != 10000.0 || !model.getTied() ||
        model.getNormEps().convertToDouble() != 0x1p-23 ||
        int64_t(model.getFfn()) !=
            int64_t(std::floor(8.0 / 3.0 * double(width))) ||
        !describeAttention(normed))
      return {};
    // So the reference calls all of its models.
    text("model_type", "gpt2");
    integer("vocab_size", model.getVocab());
    integer("n_layer", model.getLayers());
    integer("n_embd", width);
    integer("block_size", model.getContextLength());
    flag("using_groupnorm", normed);
    flag("bias", false);
    flag("scale_attn_by_inverse_layer_idx", false);
    number("dropout", 0.0);
    return keys.getDictionary(model.getContext());
  }

  t6::ModelOp model;
  func::FuncOp attention;
  Builder builder;
  double theta = 10000.0;
  NamedAttrList keys;
};

} // namespace

DictionaryAttr configKeys(t6::ModelOp model, func::FuncOp attention) {
  return Describer(model, attention).describe();
}

} // namespace tpa
