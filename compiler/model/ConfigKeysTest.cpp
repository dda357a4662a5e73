//===- ConfigKeysTest.cpp - Tests of describing models by keys ------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "compiler/model/ConfigKeys.h"
#include "compiler/import/ConfigImport.h"
#include "compiler/model/Passes.h"
#include "dialects/t6/T6Dialect.h"
#include "dialects/tpa/TpaDialect.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/Parser/Parser.h"
#include "mlir/Pass/PassManager.h"
#include "llvm/Support/FormatVariadic.h"
#include "llvm/Support/JSON.h"
#include "llvm/Support/MemoryBuffer.h"
#include <gmock/gmock.h>
#include <gtest/gtest.h>

using namespace mlir;

namespace {

class ConfigKeys : public testing::Test {
protected:
  ConfigKeys() : context(MLIRContext::Threading::DISABLED) {
    context.loadDialect<tpa::TpaDialect, tpa::t6::T6Dialect, func::FuncDialect,
                        arith::ArithDialect, math::MathDialect,
                        tensor::TensorDialect>();
  }

  /// The keys that the model of a module has once it is instantiated.
  DictionaryAttr keysOf(ModuleOp module) {
    PassManager passes(&context);
    passes.addPass(tpa::createInstantiateModel());
    EXPECT_TRUE(succeeded(passes.run(module)));
    auto model = *module.getOps<tpa::t6::ModelOp>().begin();
    return model->getAttrOfType<DictionaryAttr>(tpa::configAttrName);
  }

  DictionaryAttr keysOfConfig(StringRef json, StringRef arch = "") {
    auto module = tpa::importConfig(json, "m/config.json", arch, context);
    EXPECT_TRUE(module);
    return module ? keysOf(*module) : DictionaryAttr();
  }

  DictionaryAttr keysOfText(StringRef text) {
    auto module = parseSourceString<ModuleOp>(text, &context);
    EXPECT_TRUE(module);
    return module ? keysOf(*module) : DictionaryAttr();
  }

  static std::string jsonOf(DictionaryAttr keys) {
    llvm::json::Object object;
    for (NamedAttribute entry : keys) {
      llvm::json::Value value = nullptr;
      if (auto flag = dyn_cast<BoolAttr>(entry.getValue()))
        value = flag.getValue();
      else if (auto integer = dyn_cast<IntegerAttr>(entry.getValue()))
        value = integer.getInt();
      else if (auto number = dyn_cast<FloatAttr>(entry.getValue()))
        value = number.getValueAsDouble();
      else if (auto text = dyn_cast<StringAttr>(entry.getValue()))
        value = text.getValue();
      if (value.kind() != llvm::json::Value::Null)
        object[entry.getName().strref()] = std::move(value);
    }
    return llvm::formatv("{0}", llvm::json::Value(std::move(object)));
  }

  MLIRContext context;
};

/// A model definition, `uses` included.
std::string definition(const std::string &uses, const std::string &sizes,
                       const std::string &more = "") {
  return "t6.model @m uses " + uses +
         " {vocab = 96, layers = 2, width = 48, ffn = 128, "
         "context_length = 64, sizes = {" +
         sizes + "}" + more + "}";
}

TEST_F(ConfigKeys, AreThoseOfTheRecordedConfigs) {
  for (std::string name : {"t6_tiny", "t6_rank1_norm", "t6_kvonly_tiny",
                           "mha_tiny", "gqa_tiny", "mla_tiny", "llama_tiny"}) {
    SCOPED_TRACE(name);
    auto file =
        llvm::MemoryBuffer::getFile("tests/data/" + name + "/config.json");
    ASSERT_TRUE(bool(file));
    DictionaryAttr keys = keysOfConfig((*file)->getBuffer());
    ASSERT_TRUE(keys);
    auto recorded = llvm::json::parse((*file)->getBuffer());
    ASSERT_TRUE(bool(recorded));
    auto written = llvm::json::parse(jsonOf(keys));
    ASSERT_TRUE(bool(written));
    for (const auto &[key, value] : *recorded->getAsObject())
      if (const llvm::json::Value *ours = written->getAsObject()->get(key))
        EXPECT_EQ(*ours, value) << key.str();
    // Read again, they describe the same model.
    EXPECT_EQ(keysOfConfig(jsonOf(keys)), keys);
  }
}

TEST_F(ConfigKeys, AreOfAllSizes) {
  DictionaryAttr keys = keysOfText(
      definition("@tpa", "H = 7, D = 10, R_Q = 5, R_K = 3, R_V = 3"));
  ASSERT_TRUE(keys);
  for (auto [key, value] :
       {std::pair("n_head", 7), std::pair("head_dim", 10),
        std::pair("q_rank", 5), std::pair("rank", 3),
        std::pair("vocab_size", 96), std::pair("n_layer", 2),
        std::pair("n_embd", 48), std::pair("block_size", 64)}) {
    auto found = keys.getAs<IntegerAttr>(key);
    ASSERT_TRUE(found) << key;
    EXPECT_EQ(found.getInt(), value) << key;
  }
}

TEST_F(ConfigKeys, AreAbsentWhereTheReferenceHasNoSuchModel) {
  std::string sizes = "H = 6, D = 16, R_Q = 3, R_K = 2, R_V = 2";
  EXPECT_TRUE(keysOfText(definition("@tpa", sizes)));
  EXPECT_FALSE(keysOfText(definition("@tpa_gate", sizes)));
  EXPECT_FALSE(keysOfText(
      definition("@tpa", "H = 6, D = 16, R_Q = 3, R_K = 2, R_V = 3")));
  EXPECT_FALSE(keysOfText(definition("@tpa", sizes, ", tied = false")));
  EXPECT_FALSE(
      keysOfText(definition("@tpa", sizes, ", norm_eps = 1.0e-5 : f64")));
  EXPECT_TRUE(keysOfText(definition("@mha", "H = 4, D = 12")));
  // Its MHA divides the width.
  EXPECT_FALSE(keysOfText(definition("@mha", "H = 4, D = 16")));
  std::string wide = definition("@tpa", sizes);
  wide.replace(wide.find("ffn = 128"), 9, "ffn = 129");
  EXPECT_FALSE(keysOfText(wide));
}

// A function of the library's name is not the library's function.
TEST_F(ConfigKeys, AreAbsentForAnEditedAttention) {
  auto file = llvm::MemoryBuffer::getFile("models/attention/tpa.mlir");
  ASSERT_TRUE(bool(file));
  std::string text = (*file)->getBuffer().str();
  std::string model =
      definition("@tpa", "H = 6, D = 16, R_Q = 3, R_K = 2, R_V = 2");
  EXPECT_TRUE(keysOfText(text + model)) << "a copy is the same";
  for (auto [was, is] : {std::pair("table = bf16", "table = f32"),
                         std::pair("per_sqrt = \"D\"", "per_sqrt = \"H\"")}) {
    size_t at = text.find(was);
    ASSERT_NE(at, std::string::npos) << was;
    std::string edited = text;
    edited.replace(at, std::string(was).size(), is);
    EXPECT_FALSE(keysOfText(edited + model)) << is;
  }
}

} // namespace
