//===- EquationTest.cpp - Tests of einsum equations -----------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Parsing of einsum equations and what follows from them.
//
//===----------------------------------------------------------------------===//

#include "dialects/tpa/Equation.h"
#include "mlir/IR/Builders.h"
#include "mlir/IR/Diagnostics.h"
#include "mlir/IR/MLIRContext.h"
#include <gtest/gtest.h>
#include <random>

using namespace mlir;

namespace {

using tpa::Equation;
using tpa::LabelSizes;

class EquationTest : public ::testing::Test {
protected:
  EquationTest()
      : handler(&context, [this](Diagnostic &diagnostic) {
          message = diagnostic.str();
          return success();
        }) {}

  FailureOr<Equation> parse(StringRef text) {
    return Equation::parse(text, [&] { return fail(); });
  }
  /// What is wrong with the text; empty if nothing is.
  std::string errorOf(StringRef text) {
    message.clear();
    return failed(parse(text)) ? message : "";
  }
  InFlightDiagnostic fail() { return emitError(UnknownLoc::get(&context)); }
  RankedTensorType tensor(ArrayRef<int64_t> shape, Type element = {}) {
    return RankedTensorType::get(
        shape, element ? element : Type(Float32Type::get(&context)));
  }

  MLIRContext context;
  std::string message;
  ScopedDiagnosticHandler handler;
};

TEST_F(EquationTest, SplitsTerms) {
  FailureOr<Equation> equation = parse("bnrd,bmsd->bnmrs");
  ASSERT_TRUE(succeeded(equation));
  EXPECT_EQ(equation->terms, (SmallVector<std::string>{"bnrd", "bmsd"}));
  EXPECT_EQ(equation->output, "bnmrs");
  EXPECT_EQ(equation->labels(), "bnrdms");
  EXPECT_EQ(equation->str(), "bnrd,bmsd->bnmrs");
}

TEST_F(EquationTest, TellsCaseApart) {
  FailureOr<Equation> equation = parse("aA->Aa");
  ASSERT_TRUE(succeeded(equation));
  EXPECT_EQ(equation->labels(), "aA");
}

TEST_F(EquationTest, HasNumbersAsTermsAndOutput) {
  FailureOr<Equation> equation = parse("a,->");
  ASSERT_TRUE(succeeded(equation));
  EXPECT_EQ(equation->terms, (SmallVector<std::string>{"a", ""}));
  EXPECT_EQ(equation->output, "");
}

TEST_F(EquationTest, RefusesBadForm) {
  EXPECT_EQ(errorOf("ab,bc"),
            "equation \"ab,bc\" has no output: expected \"terms->output\"");
  EXPECT_EQ(errorOf(""),
            "equation \"\" has no output: expected \"terms->output\"");
  EXPECT_EQ(errorOf("->"),
            "term \"\" of equation \"->\" is not made of letters");
  EXPECT_EQ(errorOf("a b->a"),
            "term \"a b\" of equation \"a b->a\" is not made of letters");
  EXPECT_EQ(errorOf("a,b1->a"),
            "term \"b1\" of equation \"a,b1->a\" is not made of letters");
  EXPECT_EQ(errorOf("a->a->a"),
            "output \"a->a\" of equation \"a->a->a\" is not made of letters");
  EXPECT_EQ(errorOf("ab->a..."),
            "output \"a...\" of equation \"ab->a...\" is not made of letters");
  EXPECT_EQ(errorOf("aba->b"),
            "term \"aba\" of equation \"aba->b\" has a label twice");
  EXPECT_EQ(errorOf("ab->aa"),
            "output \"aa\" of equation \"ab->aa\" has a label twice");
  EXPECT_EQ(errorOf("ab->ac"),
            "output label 'c' of equation \"ab->ac\" occurs in no term");
}

// Whatever parses prints as itself and is parsed alike without checks.
TEST_F(EquationTest, RoundTripsWhatItAccepts) {
  std::mt19937 random(7);
  constexpr StringLiteral letters = "abcA,,->1";
  int accepted = 0;
  for (int i = 0; i < 20000; ++i) {
    std::string text;
    for (unsigned length = random() % 9; length > 0; --length)
      text += letters[random() % letters.size()];
    FailureOr<Equation> equation = parse(text);
    if (failed(equation))
      continue;
    ++accepted;
    EXPECT_EQ(equation->str(), text);
    Equation again = Equation::parseVerified(text);
    EXPECT_EQ(again.terms, equation->terms);
    EXPECT_EQ(again.output, equation->output);
  }
  EXPECT_GT(accepted, 10);
}

TEST_F(EquationTest, RenamesToAnOutput) {
  // h is taken by the reader, r and d are summed: d is free, r is not.
  std::string used = "bnmhr";
  Equation renamed =
      Equation::parseVerified("bnrd,hrd->bnh").renamed("bmx", used);
  EXPECT_EQ(renamed.str(), "bmsd,xsd->bmx");
  EXPECT_EQ(used, "bnmhrsd");
}

TEST_F(EquationTest, FindsFreshLabels) {
  EXPECT_EQ(Equation::freshLabel("", 'r'), 'r');
  EXPECT_EQ(Equation::freshLabel("r", 'r'), 's');
  EXPECT_EQ(Equation::freshLabel("z", 'z'), 'A');
  EXPECT_EQ(Equation::freshLabel("YZ", 'Y'), 'a'); // after Z comes a
  std::string used;
  for (size_t i = 0; i < Equation::maxLabels; ++i) {
    char label = Equation::freshLabel(used, 'q');
    EXPECT_EQ(StringRef(used).count(label), 0u);
    used += label;
  }
}

TEST_F(EquationTest, CollectsSizes) {
  LabelSizes sizes;
  auto add = [&](StringRef term, Type type) {
    message.clear();
    return succeeded(
        tpa::addLabelSizes(term, type, sizes, [&] { return fail(); }));
  };
  EXPECT_TRUE(add("bnd", tensor({1, ShapedType::kDynamic, 64})));
  EXPECT_TRUE(ShapedType::isDynamic(sizes.lookup('n')));
  EXPECT_TRUE(
      add("nd", tensor({5, 64}))); // a known size refines an unknown one
  EXPECT_EQ(sizes.lookup('n'), 5);
  EXPECT_TRUE(add("n", tensor({ShapedType::kDynamic})));
  EXPECT_EQ(sizes.lookup('n'), 5);
  EXPECT_FALSE(add("bd", tensor({1, 32})));
  EXPECT_EQ(message, "label 'd' has size 64 in one operand and 32 in another");
  EXPECT_FALSE(add("b", tensor({1, 1})));
  EXPECT_EQ(message,
            "term \"b\" has 1 labels, but its operand is 'tensor<1x1xf32>'");
  EXPECT_FALSE(add("b", Float32Type::get(&context)));
}

TEST_F(EquationTest, InfersTypes) {
  Type f32 = Float32Type::get(&context), f64 = Float64Type::get(&context),
       bf16 = BFloat16Type::get(&context);
  LabelSizes sizes;
  sizes['a'] = 3;
  sizes['b'] = ShapedType::kDynamic;
  // Sums of bf16 are f32: the accumulator's type.
  SmallVector<Type> operands = {tensor({3}, bf16)};
  EXPECT_EQ(tpa::inferredType("ba", sizes, operands),
            tensor({ShapedType::kDynamic, 3}, f32));
  operands.push_back(tensor({3}, f64));
  EXPECT_EQ(tpa::accumulatorType(operands), f64);
  EXPECT_EQ(tpa::inferredType("", sizes, operands), tensor({}, f64));
}

} // namespace
