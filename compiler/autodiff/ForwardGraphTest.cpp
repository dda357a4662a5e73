//===- ForwardGraphTest.cpp - What may be saved of a forward pass ---------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "compiler/autodiff/ForwardGraph.h"
#include "dialects/t6/T6Dialect.h"
#include "dialects/tpa/TpaDialect.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Parser/Parser.h"
#include "gtest/gtest.h"

using namespace mlir;
using tpa::ForwardGraph;
using tpa::RecomputePlan;

/// A layer whose reverse reads eleven values: large enough for choices that
/// are not obvious, small enough to try all of them.
constexpr llvm::StringLiteral source = R"mlir(
func.func @layer(%x: tensor<1x6x8xf32>, %wq: tensor<2x4x8xf32>,
                 %wa: tensor<2x3x8xf32>, %wb: tensor<3x4x8xf32>,
                 %wo: tensor<8x2x4xf32>, %up: tensor<20x8xf32>)
    -> (tensor<1x6x20xf32>, tensor<1x6x8xf32>, tensor<1x6x2x4xf32>,
        tensor<1x6x3x2xf32>, tensor<1x6x3x4xf32>, tensor<1x6x2x4xf32>,
        tensor<1x2x6xf32>, tensor<1x6x2x4xf32>, tensor<1x6x8xf32>,
        tensor<1x6x8xf32>, tensor<1x6x20xf32>, tensor<1x6x20xf32>) {
  %start = arith.constant dense<0> : tensor<1xi32>
  %n = t6.rms_norm %x {eps = 1.0e-5 : f64} : tensor<1x6x8xf32>
  %p = tpa.einsum "bnc,hdc->bnhd"(%n, %wq) : tensor<1x6x8xf32>, tensor<2x4x8xf32>
  %q = tpa.rope %p at %start {rope = #tpa.rope<>} : tensor<1x6x2x4xf32>, tensor<1xi32>
  %a = tpa.einsum "bnc,hrc->bnrh"(%n, %wa) : tensor<1x6x8xf32>, tensor<2x3x8xf32>
  %b = tpa.einsum "bnc,rdc->bnrd"(%n, %wb) : tensor<1x6x8xf32>, tensor<3x4x8xf32>
  %k = tpa.einsum "bnrh,bnrd->bnhd"(%a, %b) : tensor<1x6x3x2xf32>, tensor<1x6x3x4xf32>
  %s = tpa.einsum "bnhd,bmhd->bhnm"(%q, %k) : tensor<1x6x2x4xf32>, tensor<1x6x2x4xf32>
  %w = tpa.softmax %s : tensor<1x2x6x6xf32>
  %l = tpa.log_sum_exp %s : tensor<1x2x6x6xf32>
  %y = tpa.einsum "bhnm,bmhd->bnhd"(%w, %k) : tensor<1x2x6x6xf32>, tensor<1x6x2x4xf32>
  %z = tpa.einsum "bnhd,chd->bnc"(%y, %wo) : tensor<1x6x2x4xf32>, tensor<8x2x4xf32>
  %o = arith.addf %x, %z : tensor<1x6x8xf32>
  %m = t6.rms_norm %o {eps = 1.0e-5 : f64} : tensor<1x6x8xf32>
  %u = tpa.einsum "bnc,oc->bno"(%m, %up) : tensor<1x6x8xf32>, tensor<20x8xf32>
  %v = math.exp %u : tensor<1x6x20xf32>
  %r = arith.addf %u, %v : tensor<1x6x20xf32>
  return %r, %n, %q, %a, %b, %k, %l, %y, %o, %m, %u, %v : tensor<1x6x20xf32>,
      tensor<1x6x8xf32>, tensor<1x6x2x4xf32>, tensor<1x6x3x2xf32>,
      tensor<1x6x3x4xf32>, tensor<1x6x2x4xf32>, tensor<1x2x6xf32>,
      tensor<1x6x2x4xf32>, tensor<1x6x8xf32>, tensor<1x6x8xf32>,
      tensor<1x6x20xf32>, tensor<1x6x20xf32>
}
)mlir";
constexpr unsigned numRead = 11;
/// Of the reads: what the pass over scores yields.
constexpr unsigned logSumExp = 5, attended = 6;

class ForwardGraphTest : public ::testing::Test {
protected:
  ForwardGraphTest() {
    context
        .loadDialect<arith::ArithDialect, func::FuncDialect, math::MathDialect,
                     tpa::TpaDialect, tpa::t6::T6Dialect>();
    module = parseSourceString<ModuleOp>(source, &context);
  }
  /// Its first argument has tokens, the others are parameters.
  static ForwardGraph graphOf(ModuleOp module) {
    llvm::BitVector activations(6);
    activations.set(0);
    return ForwardGraph(*module.getOps<func::FuncOp>().begin(), numRead,
                        activations);
  }

  MLIRContext context;
  OwningOpRef<ModuleOp> module;
};

TEST_F(ForwardGraphTest, FrontierIsThatOfAllChoices) {
  ASSERT_TRUE(module);
  ForwardGraph graph = graphOf(*module);

  std::vector<std::pair<int64_t, int64_t>> all;
  for (unsigned set = 0; set < 1u << numRead; ++set) {
    if ((set >> logSumExp & 1) != (set >> attended & 1))
      continue;
    llvm::SetVector<Value> saved;
    for (unsigned i = 0; i < numRead; ++i)
      if (set >> i & 1)
        saved.insert(graph.read()[i]);
    RecomputePlan plan = graph.planOf(saved);
    all.emplace_back(plan.bytes, plan.flops);
  }
  llvm::sort(all);
  std::vector<std::pair<int64_t, int64_t>> expected, found;
  for (auto point : all)
    if (expected.empty() || point.second < expected.back().second)
      expected.push_back(point);

  bool isExact = true;
  for (const RecomputePlan &plan : graph.frontier(isExact))
    found.emplace_back(plan.bytes, plan.flops);
  EXPECT_TRUE(isExact);
  EXPECT_EQ(found, expected);
  // From nothing saved to nothing computed again, by more than a few steps.
  EXPECT_EQ(found.front().first, 0);
  EXPECT_EQ(found.back().second, 0);
  EXPECT_GT(found.size(), 10u);
}

TEST_F(ForwardGraphTest, OperationsAreThoseOfTheirLoops) {
  ASSERT_TRUE(module);
  ForwardGraph graph = graphOf(*module);
  // All but %u and %v: a multiplication and an addition for each of 8 values
  // under each of 20, for 6 tokens; an exponential each.
  llvm::SetVector<Value> saved;
  for (unsigned i = 0; i < numRead - 2; ++i)
    saved.insert(graph.read()[i]);
  RecomputePlan plan = graph.planOf(saved);
  EXPECT_EQ(plan.flops, 6 * 20 * 8 * 2 + 6 * 20);
  EXPECT_EQ(plan.arguments.count(), 1u);
  EXPECT_TRUE(plan.arguments.test(5));
  EXPECT_EQ(graph.plan(tpa::RecomputePolicy::None).flops, 0);
  EXPECT_EQ(graph.plan(tpa::RecomputePolicy::Full).bytes, 0);
}
