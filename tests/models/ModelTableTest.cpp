//===- ModelTableTest.cpp - Tests of models/ against the paper ------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Parameters and cache of every model in models/, against the paper (Tables 1,
// 9, 10).
//
//===----------------------------------------------------------------------===//

#include "compiler/einsum/Passes.h"
#include "compiler/model/Passes.h"
#include "dialects/exec/ExecDialect.h"
#include "dialects/t6/T6Dialect.h"
#include "dialects/tpa/TpaDialect.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/Parser/Parser.h"
#include "mlir/Pass/PassManager.h"
#include "mlir/Transforms/Passes.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/Format.h"
#include "llvm/Support/Path.h"
#include <gtest/gtest.h>
#include <map>

using namespace mlir;

namespace {

constexpr StringLiteral sizeNames[] = {"nano", "small", "medium", "large",
                                       "xl"};
/// Table 9, in millions; nano is ours: every family within 2 % of 0.82M.
constexpr double paperMillions[] = {0.823, 124, 353, 772, 1550};
constexpr int64_t layerCounts[] = {4, 12, 24, 36, 48};
constexpr int64_t widths[] = {128, 768, 1024, 1280, 1600};

/// Heads of a family, nano and Table 10.
struct Family {
  StringLiteral name;
  int64_t heads[5];
};
constexpr Family families[] = {
    {"mha", {4, 12, 16, 20, 25}},       {"mqa", {7, 23, 31, 39, 49}},
    {"gqa", {6, 22, 30, 38, 48}},       {"mla", {4, 12, 23, 34, 49}},
    {"t6_kvonly", {6, 22, 29, 37, 47}}, {"t6", {8, 34, 47, 61, 78}},
};

/// What a model has: parameters in all and in the attention of one layer, and
/// numbers cached per token and layer.
struct Counts {
  int64_t parameters = 0, attention = 0, cache = 0;
};

/// The formulas of Table 1, with MLA's two norm weights, which it leaves out.
Counts expected(const Family &family, unsigned size) {
  bool nano = size == 0;
  int64_t h = family.heads[size], C = widths[size], d = nano ? 32 : 64;
  int64_t RQ = nano ? 3 : 6, RK = 2, RV = 2, G = family.name == "mqa" ? 1 : 2;
  int64_t dR = nano ? 16 : 32, dc = nano ? 48 : 256, dcQ = 2 * dc;
  Counts counts;
  if (family.name == "mha") {
    counts = {0, 4 * C * h * d, 2 * h * d};
  } else if (family.name == "mqa" || family.name == "gqa") {
    counts = {0, 2 * C * d * (h + G), 2 * G * d};
  } else if (family.name == "mla") {
    counts = {0,
              dcQ * (C + h * d + dR * h) + dc * (C + 2 * h * d) +
                  C * (h * d + dR) + dcQ + dc,
              dc + dR};
  } else if (family.name == "t6_kvonly") {
    counts = {0, C * (RK + RV) * (h + d) + 2 * C * h * d, (RK + RV) * (h + d)};
  } else {
    counts = {0, C * (RQ + RK + RV) * (h + d) + C * h * d, (RK + RV) * (h + d)};
  }
  int64_t vocab = nano ? 257 : 50304, ffn = 8 * C / 3;
  counts.parameters =
      vocab * C + layerCounts[size] * (counts.attention + 3 * ffn * C);
  return counts;
}

int64_t elements(tpa::exec::BufferOp buffer, unsigned skip) {
  auto type = cast<RankedTensorType>(buffer.getType());
  int64_t product = 1;
  for (int64_t size : type.getShape().drop_front(skip))
    product *= size;
  return product;
}

/// Compiles the definition until its buffers are known and adds them up.
FailureOr<Counts> measure(StringRef path, MLIRContext &context) {
  auto module = parseSourceFile<ModuleOp>(path, &context);
  if (!module)
    return failure();
  PassManager passes(&context);
  passes.addPass(tpa::createInstantiateModel());
  passes.addPass(createCanonicalizerPass());
  passes.addPass(tpa::createComposeAttention());
  passes.addPass(tpa::createBuildEntries());
  if (failed(passes.run(*module)))
    return failure();
  Counts counts;
  for (auto buffer : module->getOps<tpa::exec::BufferOp>()) {
    StringRef name = buffer.getSymName();
    if (buffer.getKind() == tpa::exec::BufferKind::Param) {
      counts.parameters += elements(buffer, 0);
      if (name.starts_with("transformer.h.0.attn."))
        counts.attention += elements(buffer, 0);
    } else if (name.starts_with("cache.0.")) {
      counts.cache += elements(buffer, 2);
    }
  }
  return counts;
}

TEST(ModelTable, AgreesWithThePaper) {
  MLIRContext context(MLIRContext::Threading::DISABLED);
  context.loadDialect<tpa::TpaDialect, tpa::t6::T6Dialect,
                      tpa::exec::ExecDialect, func::FuncDialect,
                      arith::ArithDialect, tensor::TensorDialect>();
  llvm::outs()
      << "model              parameters   attention  cached/token/layer  "
         "f32 bytes/token  of MHA\n";
  for (const Family &family : families) {
    for (unsigned size = 0; size < std::size(sizeNames); ++size) {
      std::string name = (family.name + "_" + sizeNames[size]).str();
      SCOPED_TRACE(name);
      FailureOr<Counts> counts = measure("models/" + name + ".mlir", context);
      ASSERT_TRUE(succeeded(counts));
      Counts formula = expected(family, size);
      EXPECT_EQ(counts->parameters, formula.parameters);
      EXPECT_EQ(counts->attention, formula.attention);
      EXPECT_EQ(counts->cache, formula.cache);
      // The paper gives three digits and fits heads to MHA's size; MLA small
      // has 12 heads in its Table 10, one too few for that.
      double tolerance = name == "mla_small" ? 0.021 : size == 0 ? 0.02 : 0.007;
      EXPECT_NEAR(double(counts->parameters) / (paperMillions[size] * 1e6), 1.0,
                  tolerance);
      Counts mha = expected(families[0], size);
      llvm::outs() << llvm::format(
          "%-17s %11lld %11lld %19lld %16lld %6.1f%%\n", name.c_str(),
          (long long)counts->parameters, (long long)counts->attention,
          (long long)counts->cache,
          (long long)(counts->cache * layerCounts[size] * 4),
          100.0 * counts->cache / mha.cache);
    }
  }
  llvm::outs().flush();
}

TEST(ModelTable, NamesEveryModel) {
  std::map<std::string, bool> known;
  for (const Family &family : families)
    for (StringRef size : sizeNames)
      known[(family.name + "_" + size + ".mlir").str()] = true;
  std::error_code error;
  unsigned found = 0;
  for (llvm::sys::fs::directory_iterator it("models", error), end;
       it != end && !error; it.increment(error)) {
    StringRef name = llvm::sys::path::filename(it->path());
    if (!name.ends_with(".mlir"))
      continue;
    EXPECT_TRUE(known.count(name.str()))
        << name.str() << " is not in the table";
    ++found;
  }
  EXPECT_FALSE(error) << error.message();
  EXPECT_EQ(found, known.size());
}

} // namespace
