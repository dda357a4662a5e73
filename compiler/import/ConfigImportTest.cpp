//===- ConfigImportTest.cpp - Tests of model definitions from config.json -===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "compiler/import/ConfigImport.h"
#include "compiler/einsum/Passes.h"
#include "compiler/model/Passes.h"
#include "dialects/exec/ExecDialect.h"
#include "dialects/t6/T6Dialect.h"
#include "dialects/tpa/TpaDialect.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/Verifier.h"
#include "mlir/Pass/PassManager.h"
#include "mlir/Transforms/Passes.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/Endian.h"
#include "llvm/Support/JSON.h"
#include "llvm/Support/MemoryBuffer.h"
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <map>

using namespace mlir;
using testing::HasSubstr;

namespace {

using Shapes = std::map<std::string, std::vector<int64_t>>;

/// Shapes of the tensors in a safetensors file of ours.
Shapes storedShapes(const std::string &path) {
  auto file = llvm::MemoryBuffer::getFile(path, false, false);
  if (!file) {
    ADD_FAILURE() << path << ": " << file.getError().message();
    return {};
  }
  StringRef bytes = (*file)->getBuffer();
  auto length = llvm::support::endian::read64le(bytes.data());
  auto header = llvm::json::parse(bytes.substr(8, length));
  EXPECT_TRUE(bool(header));
  Shapes shapes;
  for (auto &[name, value] : *header->getAsObject()) {
    if (name == "__metadata__")
      continue;
    for (auto &size : *value.getAsObject()->getArray("shape"))
      shapes[name.str()].push_back(*size.getAsInteger());
  }
  return shapes;
}

class ConfigImport : public testing::Test {
protected:
  ConfigImport() : context(MLIRContext::Threading::DISABLED) {
    context.loadDialect<tpa::exec::ExecDialect, arith::ArithDialect,
                        tensor::TensorDialect>();
  }

  /// Imports; `messages` receives what was emitted, with its place.
  OwningOpRef<ModuleOp> import(StringRef json, StringRef arch = "",
                               StringRef file = "some/model/config.json") {
    messages.clear();
    ScopedDiagnosticHandler handler(&context, [&](Diagnostic &diagnostic) {
      std::string text;
      llvm::raw_string_ostream stream(text);
      if (auto place = dyn_cast<FileLineColLoc>(diagnostic.getLocation()))
        stream << place.getFilename().getValue() << ":" << place.getLine()
               << ":" << place.getColumn() << ": ";
      stream << diagnostic;
      messages.push_back(text);
    });
    auto module = tpa::importConfig(json, file, arch, context);
    if (module)
      EXPECT_TRUE(succeeded(verify(*module)));
    return module;
  }

  tpa::t6::ModelOp modelOf(ModuleOp module) {
    return *module.getOps<tpa::t6::ModelOp>().begin();
  }

  int64_t size(ModuleOp module, StringRef name) {
    auto value = modelOf(module).getSizes().getAs<IntegerAttr>(name);
    return value ? value.getInt() : -1;
  }

  /// Parameter buffers after the model is instantiated, as in the checkpoint.
  Shapes paramShapes(ModuleOp module) {
    PassManager passes(&context);
    passes.addPass(tpa::createInstantiateModel());
    passes.addPass(createCanonicalizerPass());
    passes.addPass(tpa::createComposeAttention());
    passes.addPass(tpa::createBuildEntries());
    EXPECT_TRUE(succeeded(passes.run(module)));
    Shapes shapes;
    for (auto buffer : module.getOps<tpa::exec::BufferOp>()) {
      if (buffer.getKind() != tpa::exec::BufferKind::Param)
        continue;
      ArrayRef<int64_t> shape =
          buffer.getStored() ? *buffer.getStored()
                             : cast<ShapedType>(buffer.getType()).getShape();
      shapes[buffer.getSymName().str()] = shape.vec();
    }
    return shapes;
  }

  void expectWeightsFit(const std::string &name, StringRef attention) {
    SCOPED_TRACE(name);
    std::string folder = "tests/data/" + name;
    auto config = llvm::MemoryBuffer::getFile(folder + "/config.json");
    ASSERT_TRUE(bool(config));
    auto module = import((*config)->getBuffer(), "", folder + "/config.json");
    ASSERT_TRUE(module) << (messages.empty() ? "" : messages.front());
    EXPECT_EQ(modelOf(*module).getSymName(), name);
    EXPECT_EQ(modelOf(*module).getAttention(), attention);
    EXPECT_EQ(paramShapes(*module),
              storedShapes(folder + "/weights.safetensors"));
  }

  MLIRContext context;
  std::vector<std::string> messages;
};

TEST_F(ConfigImport, DetectsReferenceCheckpoints) {
  expectWeightsFit("t6_tiny", "tpa");
  expectWeightsFit("t6_rank1_norm", "tpa");
  expectWeightsFit("t6_kvonly_tiny", "tpa_kvonly");
  expectWeightsFit("mha_tiny", "mha");
  expectWeightsFit("gqa_tiny", "gqa");
  expectWeightsFit("mla_tiny", "mla");
}

TEST_F(ConfigImport, DetectsLlamaCheckpoints) {
  expectWeightsFit("llama_tiny", "llama");
}

TEST_F(ConfigImport, HasTheReferencesDefaults) {
  struct Case {
    StringRef arch;
    std::map<std::string, int64_t> sizes;
  };
  const Case cases[] = {
      {"t6", {{"H", 22}, {"D", 64}, {"R_Q", 6}, {"R_K", 2}, {"R_V", 2}}},
      {"t6-kvonly",
       {{"H", 22}, {"D", 64}, {"R_K", 2}, {"R_V", 2}, {"R_Q", -1}}},
      {"mha", {{"H", 6}, {"D", 128}}},
      {"gqa", {{"G", 6}, {"J", 4}, {"D", 64}}},
      {"mqa", {{"G", 1}, {"J", 24}, {"D", 64}}},
      {"mla",
       {{"H", 13}, {"D", 64}, {"P", 32}, {"E", 64}, {"L", 256}, {"L_Q", 512}}},
  };
  for (const Case &expected : cases) {
    SCOPED_TRACE(expected.arch.str());
    auto module = import("{}", expected.arch);
    ASSERT_TRUE(module);
    auto model = modelOf(*module);
    EXPECT_EQ(model.getVocab(), 50304u);
    EXPECT_EQ(model.getLayers(), 12u);
    EXPECT_EQ(model.getWidth(), 768u);
    EXPECT_EQ(model.getFfn(), 2048u);
    EXPECT_EQ(model.getContextLength(), 1024u);
    EXPECT_TRUE(model.getTied());
    EXPECT_EQ(model.getNormEps().convertToDouble(), 0x1p-23);
    for (auto &[name, value] : expected.sizes)
      EXPECT_EQ(size(*module, name), value) << name;
    EXPECT_TRUE(module->getOps<func::FuncOp>().empty());
  }
}

TEST_F(ConfigImport, ArchitectureOverridesDetection) {
  // What the reference's training script writes for its MHA baseline.
  StringRef json =
      R"({"n_layer": 12, "n_head": 12, "n_embd": 768, "head_dim": 64,
      "rank": 2, "q_rank": 6, "block_size": 1024, "model_type": "gpt2"})";
  EXPECT_EQ(modelOf(*import(json)).getAttention(), "tpa");
  auto module = import(json, "mha");
  EXPECT_EQ(modelOf(*module).getAttention(), "mha");
  EXPECT_EQ(size(*module, "D"), 64);
  EXPECT_EQ(modelOf(*import(json, "t6-kvonly")).getAttention(), "tpa_kvonly");
}

TEST_F(ConfigImport, NamesTheModelAfterItsFile) {
  auto name = [&](StringRef file) {
    auto module = import("{}", "t6", file);
    return modelOf(*module).getSymName().str();
  };
  EXPECT_EQ(name("a/b c/config.json"), "b_c");
  EXPECT_EQ(name("a/t6-small.json"), "t6-small");
  EXPECT_EQ(name("config.json"), "model");
  EXPECT_EQ(name("../config.json"), "model");
  EXPECT_EQ(name("llama/config.json"), "model_llama");
  EXPECT_EQ(name("decode/config.json"), "model_decode");
}

constexpr StringLiteral llama = R"({"vocab_size": 80, "hidden_size": 48,
  "intermediate_size": 112, "num_hidden_layers": 2, "num_attention_heads": 6%s})";

std::string llamaWith(StringRef more) {
  auto [before, after] = StringRef(llama).split("%s");
  return (before + (more.empty() ? "" : ", ") + more + after).str();
}

/// The base of each rotation, in order.
std::vector<double> thetas(ModuleOp module) {
  std::vector<double> found;
  module.walk([&](tpa::RopeOp op) {
    found.push_back(op.getRope().getTheta().getValueAsDouble());
    EXPECT_FALSE(op.getRope().getTransposed());
    EXPECT_TRUE(op.getRope().getTable().isF32());
  });
  return found;
}

TEST_F(ConfigImport, ReadsLlamaKeys) {
  auto module = import(llamaWith(""));
  auto model = modelOf(*module);
  EXPECT_EQ(model.getCheckpoint(), tpa::t6::Checkpoint::Llama);
  EXPECT_FALSE(model.getTied());
  EXPECT_EQ(model.getContextLength(), 2048u);
  EXPECT_EQ(model.getNormEps().convertToDouble(), 1e-6);
  EXPECT_EQ(size(*module, "G"), 6);
  EXPECT_EQ(size(*module, "D"), 8);
  EXPECT_TRUE(thetas(*module).empty()) << "the library's function fits";

  module = import(llamaWith(R"("num_key_value_heads": 2, "head_dim": 10,
      "tie_word_embeddings": true, "rms_norm_eps": 1e-5, "model_type": "llama",
      "rope_scaling": null, "max_position_embeddings": 4096)"));
  EXPECT_TRUE(modelOf(*module).getTied());
  EXPECT_EQ(modelOf(*module).getNormEps().convertToDouble(), 1e-5);
  EXPECT_EQ(modelOf(*module).getContextLength(), 4096u);
  EXPECT_EQ(size(*module, "J"), 3);
  EXPECT_EQ(size(*module, "D"), 10);
}

TEST_F(ConfigImport, ReadsEitherFormOfRotations) {
  using testing::ElementsAre;
  auto module = import(llamaWith(R"("rope_theta": 500000)"));
  EXPECT_THAT(thetas(*module), ElementsAre(500000.0, 500000.0));
  module = import(llamaWith(
      R"("rope_parameters": {"rope_type": "default", "rope_theta": 20000.0})"));
  EXPECT_THAT(thetas(*module), ElementsAre(20000.0, 20000.0));
  module = import(llamaWith(R"("rope_scaling": {"type": "default"})"));
  EXPECT_TRUE(thetas(*module).empty());
}

TEST_F(ConfigImport, NormalisesHeadsWhereAsked) {
  for (StringRef arch : {"t6", "gqa", "mla"}) {
    SCOPED_TRACE(arch.str());
    auto module = import(
        R"({"using_groupnorm": true, "v_head_dim": 96, "n_layer": 1})", arch);
    ASSERT_TRUE(module);
    unsigned norms = 0;
    module->walk([&](tpa::t6::RmsNormOp op) {
      if (!op.getX().getDefiningOp<tpa::AttentionOp>())
        return;
      ++norms;
      EXPECT_EQ(op.getEps().convertToDouble(), 1e-5);
      auto weight = op.getWeight().getDefiningOp<tpa::t6::ParamOp>();
      EXPECT_EQ(weight.getName(), "attn.subln.weight");
      EXPECT_EQ(weight.getLayout(), arch == "mla" ? "E" : "D");
      EXPECT_TRUE(op.getX().hasOneUse()) << "all else reads the norm";
    });
    EXPECT_EQ(norms, 1u);
    Shapes shapes = paramShapes(*module);
    EXPECT_EQ(shapes["transformer.h.0.attn.subln.weight"],
              std::vector<int64_t>{arch == "mla" ? 96 : 64});
  }
}

TEST_F(ConfigImport, SurvivesCutAndFlippedFiles) {
  std::string whole = llamaWith(R"("rope_parameters": {"rope_theta": 1e4},
      "model_type": "llama", "eos_token_id": [2, 3])");
  for (size_t i = 0; i < whole.size(); ++i) {
    EXPECT_FALSE(import(StringRef(whole).take_front(i)));
    EXPECT_EQ(messages.size(), 1u) << i;
    for (char c : {'"', '{', ']', ',', '9', '-', '\\', '\0'}) {
      std::string flipped = whole;
      flipped[i] = c;
      bool good = bool(import(flipped));
      EXPECT_EQ(messages.size(), good ? 0u : 1u) << flipped;
    }
  }
}

struct BadConfig {
  std::string json;
  StringRef arch;
  /// Place within the file, and a part of the message.
  StringRef place, message;
};

void PrintTo(const BadConfig &bad, std::ostream *out) {
  *out << bad.json.substr(0, 80);
}

class BadConfigs : public ConfigImport,
                   public testing::WithParamInterface<BadConfig> {};

TEST_P(BadConfigs, AreOneSentenceWithAHint) {
  const BadConfig &bad = GetParam();
  EXPECT_FALSE(import(bad.json, bad.arch));
  ASSERT_EQ(messages.size(), 1u) << testing::PrintToString(messages);
  EXPECT_THAT(messages[0],
              testing::StartsWith(
                  ("some/model/config.json:" + bad.place + ": ").str()));
  EXPECT_THAT(messages[0], HasSubstr(bad.message.str()));
  EXPECT_THAT(messages[0], HasSubstr("; HINT: "));
  EXPECT_LT(messages[0].size(), 400u);
}

std::vector<BadConfig> badConfigs() {
  auto key = [](StringRef pair, StringRef arch = "t6") {
    return std::pair("{\n  " + pair.str() + "}", arch);
  };
  std::vector<BadConfig> cases;
  auto add = [&](std::pair<std::string, StringRef> config, StringRef message,
                 StringRef place = "2:3") {
    cases.push_back({config.first, config.second, place, message});
  };
  // Values.
  add(key(R"("rank": 0)"), "\"rank\" is 0, but must be an integer from 1");
  add(key(R"("q_rank": 0)"), "\"q_rank\" is 0");
  add(key(R"("n_head": -4)"), "\"n_head\" is -4");
  add(key(R"("n_layer": "12")"),
      "\"n_layer\" is \"12\", but must be an integer");
  add(key(R"("n_embd": 768.5)"), "\"n_embd\" is 768.5");
  add(key(R"("vocab_size": true)"), "\"vocab_size\" is true");
  add(key(R"("vocab_size": [50304])"), "\"vocab_size\" is [50304]");
  add(key(R"("block_size": 1e300)"), "\"block_size\" is 1");
  add(key(R"("block_size": 99999999999999999999)"), "\"block_size\" is");
  add(key(R"("head_dim": 16777217)"), "an integer from 1 to 16777216");
  add(key(R"("n_layer": 100000)"), "\"n_layer\" is 100000, but at most 4096");
  add(key(R"("using_groupnorm": 1)"), "must be true or false");
  add(key(R"("rope_partial_factor": 0.5)"), "rotate a part of each head");
  add(key(R"("vocab_size": 16777216, "n_embd": 16777216)"),
      "more than can be compiled", "1:1");
  add(key(R"("block_size": 16777216, "n_layer": 4000, "n_embd": 8, "n_head": 30000)"),
      "could not be addressed");
  // Keys that must agree.
  add(key(R"("head_dim": 63)"), "makes the rotary width 63");
  add(key(R"("n_embd": 60, "n_head": 4)", "mha"), "makes the rotary width 15");
  add(key(R"("n_embd": 50, "n_head": 4)", "mha"),
      "\"n_embd\" is 50, which is not a multiple of n_head = 4");
  add(key(R"("n_head": 7, "group_size": 3)", "gqa"),
      "\"n_head\" is 7, which is not a multiple of group_size = 3");
  add(key(R"("group_size": 3, "n_head": 6)", "mqa"), "multi-query attention");
  add(key(R"("qk_rope_head_dim": 31)", "mla"), "makes the rotary width 31");
  add(key(R"("v_head_dim": 64, "using_groupnorm": true)", "mla"),
      "needs head_dim + qk_rope_head_dim = 96");
  // LLaMA.
  auto hf = [](StringRef more, StringRef arch = "") {
    return std::pair(llamaWith("\n" + more.str()), arch);
  };
  add(hf(R"("num_key_value_heads": 4)"),
      "not a multiple of num_key_value_heads = 4", "2:53");
  add(hf(R"("head_dim": 7)"), "\"head_dim\" makes the rotary width 7", "3:1");
  add(hf(R"("rope_scaling": {"type": "yarn"})"), "of type \"yarn\"", "3:1");
  add(hf(R"("rope_parameters": {"rope_type": "llama3"})"), "of type \"llama3\"",
      "3:1");
  add(hf(R"("rope_parameters": {"rope_theta": -1})"),
      "is -1, but must be a number", "3:1");
  add(hf(R"("rope_scaling": 2.0)"), "must be an object", "3:1");
  add(hf(R"("rope_theta": "1e4")"), "must be a number above zero", "3:1");
  add(hf(R"("rms_norm_eps": 0)"), "must be a number above zero", "3:1");
  add(hf(R"("attention_bias": true)"), "linear layers have no bias", "3:1");
  add(hf(R"("mlp_bias": true)"), "linear layers have no bias", "3:1");
  add(hf(R"("hidden_act": "gelu")"), "is \"gelu\"", "3:1");
  add(hf(R"("hidden_act": 3)"), "must be a string", "3:1");
  add(hf(R"("tie_word_embeddings": "no")"), "must be true or false", "3:1");
  add(hf(R"("model_type": "mistral")"), "is \"mistral\"", "3:1");
  add(hf(R"("model_type": "mistral", "sliding_window": 4096)", "llama"),
      "\"sliding_window\" limits attention", "3:26");
  add(hf(R"("partial_rotary_factor": 0.5)"), "rotate a part", "3:1");
  add(key(R"("hidden_size": 48)", ""), "\"vocab_size\" is missing", "1:1");
  // Text.
  add(key(R"("n_head": 6, "n_head": 8)"), "key \"n_head\" is given twice",
      "2:16");
  add(key(R"("n_head": 6, "n_\u0068ead": 8)"), "key \"n_head\" is given twice",
      "2:16");
  add(key(R"("a": {"b": 1, "b": 2})"), "key \"b\" is given twice", "2:17");
  add(key(R"("n_head": )"), "the file is not JSON", "2:13");
  add({"", "t6"}, "the file is not JSON", "1:0");
  add({"{\"n_head\": 6", "t6"}, "the file is not JSON", "1:12");
  add({"{\"\xff\": 6}", "t6"}, "the file is not JSON", "1:2");
  add({"[]", "t6"}, "the file is not a JSON object", "1:1");
  add({std::string(1 << 20, '['), "t6"}, "nests deeper", "1:33");
  add({std::string((1 << 20) + 1, ' '), "t6"}, "is larger than any config",
      "1:1");
  add({"{}", ""}, "tells no architecture", "1:1");
  add({R"({"n_embd": 768, "n_positions": 1024, "model_type": "gpt2"})", ""},
      "tells no architecture", "1:1");
  add(key(R"("hidden_size": 48)", "t6"),
      "\"hidden_size\" is a key of Hugging Face");
  add({"{}", "rwkv"}, "architecture 'rwkv', which is not known", "1:1");
  return cases;
}

INSTANTIATE_TEST_SUITE_P(All, BadConfigs, testing::ValuesIn(badConfigs()));

} // namespace
