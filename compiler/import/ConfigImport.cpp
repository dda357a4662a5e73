//===- ConfigImport.cpp - Models from config.json -------------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Model definitions from a checkpoint's config.json.
//
//===----------------------------------------------------------------------===//

#include "compiler/import/ConfigImport.h"
#include "compiler/import/ConfigReader.h"
#include "compiler/model/AttentionLibrary.h"
#include "dialects/t6/T6Dialect.h"
#include "dialects/tpa/TpaDialect.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/Builders.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/FormatVariadic.h"
#include "llvm/Support/Path.h"
#include <cmath>

using namespace mlir;

namespace tpa {

namespace {

/// A model before it is IR.
struct Description {
  StringRef attention; ///< a function of models/attention
  int64_t vocab = 0, layers = 0, width = 0, ffn = 0, context = 0;
  SmallVector<std::pair<StringRef, int64_t>, 6> sizes;
  /// The width that rotates, and the key to name where it is odd.
  int64_t rotary = 0;
  StringRef rotaryKey;
  /// The size of a head's result, where a norm with weights follows attention.
  StringRef sublnSize;
  double theta = 10000.0;
  /// The reference's norms add f32's machine epsilon.
  double normEps = 0x1p-23;
  bool tied = true;
  t6::Checkpoint checkpoint = t6::Checkpoint::Reference;

  int64_t sizeOf(StringRef name) const {
    for (auto [known, value] : sizes)
      if (known == name)
        return value;
    return 0;
  }
};

} // namespace

static constexpr StringLiteral architectures[] = {
    "t6", "t6-kvonly", "mha", "gqa", "mqa", "mla", "llama"};

llvm::ArrayRef<StringLiteral> configArchitectures() { return architectures; }

//===----------------------------------------------------------------------===//
// Which architecture
//===----------------------------------------------------------------------===//

static StringRef detect(ConfigReader &config) {
  if (config.has("hidden_size")) {
    std::string type = config.text("model_type", "llama");
    if (type != "llama")
      config.error("model_type",
                   "is \"" + type + "\", an architecture that is not known",
                   "if its weights have LLaMA's names and shapes, pass "
                   "--arch=llama");
    return "llama";
  }
  if (config.has("kv_lora_rank"))
    return "mla";
  if (config.has("group_size"))
    return "gqa";
  if (config.has("q_rank"))
    return "t6";
  if (config.has("rank"))
    return "t6-kvonly";
  if (config.has("n_embd") && config.has("block_size"))
    return "mha";
  config.fileError("tells no architecture: neither Hugging Face LLaMA's keys "
                   "(hidden_size) nor the T6 reference's (n_embd, block_size, "
                   "rank) are in it",
                   "pass --arch=t6 or another of the architectures");
  return "";
}

/// `whole / part`, complaining under `key` where it is not an integer.
static int64_t divided(ConfigReader &config, StringRef key, int64_t whole,
                       StringRef partKey, int64_t part) {
  if (whole % part != 0)
    config.error(key,
                 "is " + Twine(whole) + ", which is not a multiple of " +
                     partKey + " = " + Twine(part),
                 "give the values that the model was trained with");
  return whole / part;
}

//===----------------------------------------------------------------------===//
// Keys of the T6 reference
//===----------------------------------------------------------------------===//

static int64_t defaultHeads(StringRef arch) {
  if (arch == "mha")
    return 6;
  if (arch == "gqa" || arch == "mqa")
    return 24;
  return arch == "mla" ? 13 : 22;
}

static void readTpa(ConfigReader &config, Description &model, int64_t heads,
                    bool factorQuery) {
  int64_t rank = config.size("rank", 2);
  model.rotaryKey = "head_dim";
  model.rotary = config.size("head_dim", 64);
  model.attention = factorQuery ? "tpa" : "tpa_kvonly";
  model.sizes = {
      {"H", heads}, {"D", model.rotary}, {"R_K", rank}, {"R_V", rank}};
  if (factorQuery)
    model.sizes.push_back({"R_Q", config.size("q_rank", 6)});
}

/// The reference's MHA ignores head_dim.
static void readMha(ConfigReader &config, Description &model, int64_t heads) {
  model.attention = "mha";
  model.rotaryKey = "n_embd";
  model.rotary = divided(config, "n_embd", model.width, "n_head", heads);
  model.sizes = {{"H", heads}, {"D", model.rotary}};
}

static void readGqa(ConfigReader &config, Description &model, int64_t heads,
                    bool single) {
  int64_t group =
      single ? config.size("group_size", heads) : config.size("group_size", 4);
  if (single && group != heads)
    config.error("group_size",
                 "is " + Twine(group) + ", but one group of n_head = " +
                     Twine(heads) + " makes multi-query attention",
                 "pass --arch=gqa");
  int64_t groups = divided(config, "n_head", heads, "group_size", group);
  model.attention = "gqa";
  model.rotaryKey = "head_dim";
  model.rotary = config.size("head_dim", 64);
  model.sizes = {{"G", groups}, {"J", group}, {"D", model.rotary}};
}

static void readMla(ConfigReader &config, Description &model, int64_t heads) {
  int64_t nope = config.size("head_dim", 64);
  model.attention = "mla";
  model.rotaryKey = "qk_rope_head_dim";
  model.rotary = config.size("qk_rope_head_dim", 32);
  model.sizes = {{"H", heads},
                 {"D", nope},
                 {"P", model.rotary},
                 {"E", config.size("v_head_dim", 64)},
                 {"L", config.size("kv_lora_rank", 256)},
                 {"L_Q", config.size("q_lora_rank", 512)}};
}

static Description readReference(ConfigReader &config, StringRef arch) {
  Description model;
  if (config.has("hidden_size"))
    config.error("hidden_size",
                 "is a key of Hugging Face LLaMA, where the T6 reference has "
                 "n_embd",
                 "pass --arch=llama");
  model.vocab = config.size("vocab_size", 50304);
  model.layers = config.size("n_layer", 12);
  model.width = config.size("n_embd", 768);
  model.context = config.size("block_size", 1024);
  // In double, as the reference computes it.
  model.ffn = int64_t(std::floor(8.0 / 3.0 * double(model.width)));
  int64_t heads = config.size("n_head", defaultHeads(arch));
  if (config.has("rope_partial_factor") &&
      config.positive("rope_partial_factor", 1.0) != 1.0)
    config.error("rope_partial_factor",
                 "asks to rotate a part of each head, but only whole heads "
                 "can be rotated",
                 "use a checkpoint that was trained without it");
  if (arch == "mha")
    readMha(config, model, heads);
  else if (arch == "mla")
    readMla(config, model, heads);
  else if (arch == "gqa" || arch == "mqa")
    readGqa(config, model, heads, arch == "mqa");
  else
    readTpa(config, model, heads, arch == "t6");

  if (config.flag("using_groupnorm", false)) {
    model.sublnSize = arch == "mla" ? "E" : "D";
    // The reference sizes this norm for query heads and applies it to values.
    if (arch == "mla" && model.sizeOf("E") != model.sizeOf("D") + model.rotary)
      config.error("v_head_dim",
                   "is " + Twine(model.sizeOf("E")) +
                       ", but using_groupnorm needs head_dim + "
                       "qk_rope_head_dim = " +
                       Twine(model.sizeOf("D") + model.rotary),
                   "turn using_groupnorm off or make them equal");
  }
  return model;
}

//===----------------------------------------------------------------------===//
// Keys of Hugging Face LLaMA
//===----------------------------------------------------------------------===//

/// transformers 5 has rope_parameters; before, rope_theta and rope_scaling.
static double readTheta(ConfigReader &config) {
  double theta = config.positive("rope_theta", 10000.0);
  for (StringRef key : {"rope_scaling", "rope_parameters"}) {
    const llvm::json::Object *rope = config.object(key);
    if (!rope)
      continue;
    for (StringRef typeKey : {"rope_type", "type"}) {
      const llvm::json::Value *type = rope->get(typeKey);
      std::optional<StringRef> name = type ? type->getAsString() : "default";
      if (!name || (*name != "default" && *name != "none"))
        config.error(key,
                     "asks for rotations of type \"" + name.value_or("?") +
                         "\", but only unscaled ones can be compiled",
                     "use a checkpoint without RoPE scaling");
    }
    const llvm::json::Value *inner = rope->get("rope_theta");
    if (inner)
      theta = config.positive(key, *inner);
    const llvm::json::Value *part = rope->get("partial_rotary_factor");
    if (part && config.positive(key, *part) != 1.0)
      config.error(key, "asks to rotate a part of each head",
                   "use a checkpoint that rotates whole heads");
  }
  return theta;
}

/// Keys that change the computation in ways that no op here states.
static void refuseVariants(ConfigReader &config) {
  for (StringRef key : {"attention_bias", "mlp_bias"})
    if (config.flag(key, false))
      config.error(key, "is true, but linear layers have no bias here",
                   "use a checkpoint without biases");
  std::string activation = config.text("hidden_act", "silu");
  if (activation != "silu")
    config.error("hidden_act",
                 "is \"" + activation +
                     "\", but the feed-forward layer is "
                     "gated by silu",
                 "use a checkpoint that was trained with silu");
  if (config.has("sliding_window"))
    config.error("sliding_window", "limits attention, which LLaMA does not",
                 "use a checkpoint with full attention");
  if (config.positive("partial_rotary_factor", 1.0) != 1.0)
    config.error("partial_rotary_factor", "asks to rotate a part of each head",
                 "use a checkpoint that rotates whole heads");
}

static Description readLlama(ConfigReader &config) {
  Description model;
  model.vocab = config.size("vocab_size");
  model.layers = config.size("num_hidden_layers");
  model.width = config.size("hidden_size");
  model.ffn = config.size("intermediate_size");
  model.context = config.size("max_position_embeddings", 2048);
  int64_t heads = config.size("num_attention_heads");
  int64_t groups = config.size("num_key_value_heads", heads);
  int64_t group = divided(config, "num_attention_heads", heads,
                          "num_key_value_heads", groups);
  bool stated = config.has("head_dim");
  model.rotaryKey = stated ? "head_dim" : "hidden_size";
  model.rotary = stated ? config.size("head_dim")
                        : divided(config, "hidden_size", model.width,
                                  "num_attention_heads", heads);
  model.attention = "llama";
  model.sizes = {{"G", groups}, {"J", group}, {"D", model.rotary}};
  model.theta = readTheta(config);
  model.normEps = config.positive("rms_norm_eps", 1e-6);
  model.tied = config.flag("tie_word_embeddings", false);
  model.checkpoint = t6::Checkpoint::Llama;
  refuseVariants(config);
  return model;
}

//===----------------------------------------------------------------------===//
// Checks that span keys
//===----------------------------------------------------------------------===//

/// Upper bounds, within a small factor, in double: they cannot overflow.
struct Bounds {
  double parameters, cacheNumbers;
};

static Bounds bounds(const Description &model) {
  auto size = [&](StringRef name) { return double(model.sizeOf(name)); };
  double width = model.width, layers = model.layers;
  double heads = std::max(size("H"), size("G") * size("J"));
  double head = std::max(size("D") + size("P"), size("E"));
  double latent = size("L") + size("L_Q");
  double ranks = size("R_Q") + size("R_K") + size("R_V");
  double attention = 4 * width * heads * head + ranks * (heads + head) * width +
                     latent * (width + 2 * heads * head);
  double ffn = 3 * width * double(model.ffn);
  double perToken = 2 * heads * head + ranks * (heads + head) + latent;
  return {2 * double(model.vocab) * width + layers * (attention + ffn),
          layers * double(model.context) * perToken};
}

static void check(ConfigReader &config, const Description &model,
                  StringRef layersKey, StringRef contextKey) {
  constexpr int64_t maxLayers = 4096;
  constexpr double maxParameters = double(int64_t(1) << 40);
  constexpr double maxCacheNumbers = double(int64_t(1) << 50);
  if (model.rotary % 2 != 0)
    config.error(model.rotaryKey,
                 "makes the rotary width " + Twine(model.rotary) +
                     ", but rotations need pairs of features",
                 "give an even width, as the model was trained with");
  if (model.layers > maxLayers)
    config.error(layersKey,
                 "is " + Twine(model.layers) + ", but at most " +
                     Twine(maxLayers) + " layers can be compiled",
                 "give the value that the model was trained with");
  auto [parameters, cacheNumbers] = bounds(model);
  if (parameters > maxParameters)
    config.fileError("describes a model of about " +
                         llvm::formatv("{0:e1}", parameters).str() +
                         " parameters, more than can be compiled",
                     "check vocabulary, widths and layers");
  if (cacheNumbers > maxCacheNumbers)
    config.error(contextKey,
                 "is " + Twine(model.context) +
                     ", for which the cache could not be addressed",
                 "give the value that the model was trained with");
}

//===----------------------------------------------------------------------===//
// IR
//===----------------------------------------------------------------------===//

/// The file's stem, or its folder's name for config.json; letters, digits, '_',
/// '-' and '.' only, and no name that the program itself uses.
static std::string symbolName(StringRef fileName) {
  StringRef stem = llvm::sys::path::stem(fileName);
  if (stem == "config")
    stem = llvm::sys::path::filename(llvm::sys::path::parent_path(fileName));
  std::string name;
  for (char c : stem.take_front(64))
    name += llvm::isAlnum(c) || c == '-' || c == '.' ? c : '_';
  if (name.empty() || name.find_first_not_of("._-") == std::string::npos)
    name = "model";
  bool taken = name == "prefill" || name == "decode" || name == "loss" ||
               llvm::is_contained(attentionLibraryNames(), StringRef(name));
  return taken ? "model_" + name : name;
}

static OwningOpRef<ModuleOp> build(const Description &model, Location loc,
                                   StringRef name) {
  OwningOpRef<ModuleOp> module = ModuleOp::create(loc);
  OpBuilder builder = OpBuilder::atBlockEnd(module->getBody());
  SmallVector<NamedAttribute> sizes;
  for (auto [size, value] : model.sizes)
    sizes.push_back(
        builder.getNamedAttr(size, builder.getI64IntegerAttr(value)));
  t6::ModelOp::create(
      builder, loc, name, model.attention, model.vocab, model.layers,
      model.width, model.ffn, model.context, builder.getDictionaryAttr(sizes),
      llvm::APFloat(model.normEps), model.tied, model.checkpoint);
  if (model.sublnSize.empty() && model.theta == 10000.0)
    return module;
  func::FuncOp function = importAttention(*module, model.attention);
  assert(function && "the library has what the importer names");
  function.setPrivate();
  if (!model.sublnSize.empty())
    insertSubln(function, model.sublnSize);
  setRopeTheta(function, model.theta);
  return module;
}

OwningOpRef<ModuleOp> importConfig(StringRef json, StringRef fileName,
                                   StringRef arch, MLIRContext &context) {
  context.loadDialect<TpaDialect, t6::T6Dialect, func::FuncDialect>();
  ConfigReader config(json, fileName, context);
  if (!arch.empty() && !llvm::is_contained(architectures, arch))
    config.fileError("cannot be read as architecture '" + arch +
                         "', which is not known",
                     "the architectures are t6, t6-kvonly, mha, gqa, mqa, mla "
                     "and llama");
  if (arch.empty() && !config.failed())
    arch = detect(config);
  if (config.failed())
    return nullptr;
  bool llama = arch == "llama";
  Description model = llama ? readLlama(config) : readReference(config, arch);
  check(config, model, llama ? "num_hidden_layers" : "n_layer",
        llama ? "max_position_embeddings" : "block_size");
  if (config.failed())
    return nullptr;
  return build(model, config.place(), symbolName(fileName));
}

} // namespace tpa
