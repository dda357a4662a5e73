//===- LayoutTest.cpp - Parsing and evaluation of parameter layouts -------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "dialects/t6/Layout.h"
#include "mlir/IR/Builders.h"
#include "mlir/IR/MLIRContext.h"
#include <gtest/gtest.h>

using namespace mlir;

namespace {

using tpa::t6::Layout;

std::string errorOf(StringRef text) {
  std::string error;
  return failed(Layout::parse(text, error)) ? error : "";
}

Layout parsed(StringRef text) {
  std::string error;
  FailureOr<Layout> layout = Layout::parse(text, error);
  EXPECT_TRUE(succeeded(layout)) << error;
  return succeeded(layout) ? *layout : Layout();
}

TEST(Layout, NamesDimensionsAndGroups) {
  Layout layout = parsed("(H R_Q) C");
  EXPECT_EQ(layout.dims, (SmallVector<std::string>{"H", "R_Q", "C"}));
  EXPECT_EQ(layout.groups, (SmallVector<unsigned>{2, 1}));
}

TEST(Layout, StoresGroupsAsOneDimension) {
  EXPECT_EQ(parsed("(H R_Q) C").storedShape({34, 6, 768}),
            (SmallVector<int64_t>{204, 768}));
  EXPECT_EQ(parsed("C (G J D)").storedShape({24, 2, 3, 8}),
            (SmallVector<int64_t>{24, 48}));
  EXPECT_EQ(parsed("L").storedShape({10}), (SmallVector<int64_t>{10}));
  EXPECT_EQ(parsed("(A B) (C D)").storedShape({2, 3, 4, 5}),
            (SmallVector<int64_t>{6, 20}));
}

TEST(Layout, TakesSumsAndSpaces) {
  Layout layout = parsed("  ( H   D+P )L_Q  ");
  EXPECT_EQ(layout.dims, (SmallVector<std::string>{"H", "D+P", "L_Q"}));
  EXPECT_EQ(layout.groups, (SmallVector<unsigned>{2, 1}));
  EXPECT_EQ(parsed("(H)C").groups, (SmallVector<unsigned>{1, 1}));
}

TEST(Layout, RefusesBadForm) {
  EXPECT_EQ(errorOf(""), "it names no dimension");
  EXPECT_EQ(errorOf("   "), "it names no dimension");
  EXPECT_EQ(errorOf("((H) D)"), "groups do not nest");
  EXPECT_EQ(errorOf("(H D"), "a group is not closed");
  EXPECT_EQ(errorOf("("), "a group is not closed");
  EXPECT_EQ(errorOf("H)"), "a group is empty or closes twice");
  EXPECT_EQ(errorOf("(H))"), "a group is empty or closes twice");
  EXPECT_EQ(errorOf("() C"), "a group is empty or closes twice");
  EXPECT_EQ(errorOf("8 C"), "'8' is not a size name or a sum of names");
  EXPECT_EQ(errorOf("D+ C"), "'D+' is not a size name or a sum of names");
  EXPECT_EQ(errorOf("D*P C"), "'D*P' is not a size name or a sum of names");
}

class EvaluateSize : public ::testing::Test {
protected:
  EvaluateSize() {
    Builder builder(&context);
    sizes = builder.getDictionaryAttr(
        {builder.getNamedAttr("D", builder.getI64IntegerAttr(8)),
         builder.getNamedAttr("P", builder.getI64IntegerAttr(4)),
         builder.getNamedAttr("S", builder.getStringAttr("8"))});
  }
  MLIRContext context;
  DictionaryAttr sizes;
  std::string error;
};

TEST_F(EvaluateSize, AddsNames) {
  EXPECT_EQ(*tpa::t6::evaluateSize("D", sizes, error), 8);
  EXPECT_EQ(*tpa::t6::evaluateSize("D+P+D", sizes, error), 20);
}

TEST_F(EvaluateSize, NamesWhatIsUnknown) {
  EXPECT_TRUE(failed(tpa::t6::evaluateSize("D+R_Q", sizes, error)));
  EXPECT_EQ(error, "R_Q");
  EXPECT_TRUE(failed(tpa::t6::evaluateSize("S", sizes, error)));
  EXPECT_EQ(error, "S");
}

} // namespace
