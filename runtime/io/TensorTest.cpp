//===- TensorTest.cpp - Tests of element types and shapes -----------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "runtime/io/Tensor.h"

#include "gtest/gtest.h"

namespace t6 {
namespace {

constexpr DType kAll[] = {DType::F64, DType::F32, DType::F16, DType::BF16,
                          DType::I64, DType::I32, DType::I16, DType::I8,
                          DType::U64, DType::U32, DType::U16, DType::U8,
                          DType::BOOL};

TEST(Tensor, NamesRoundTrip) {
  for (DType dtype : kAll) {
    absl::StatusOr<DType> parsed = parseDType(name(dtype));
    ASSERT_TRUE(parsed.ok()) << parsed.status();
    EXPECT_EQ(*parsed, dtype);
  }
  EXPECT_EQ(*parseDType("bf16"), DType::BF16);
}

TEST(Tensor, SizesFollowNames) {
  // The digits of a name are its bits.
  for (DType dtype : kAll) {
    if (dtype == DType::BOOL)
      continue;
    absl::string_view digits = name(dtype);
    while (digits.front() < '0' || digits.front() > '9')
      digits.remove_prefix(1);
    EXPECT_EQ(std::to_string(8 * byteSize(dtype)), digits);
  }
  EXPECT_EQ(byteSize(DType::BOOL), 1u);
}

TEST(Tensor, UnknownNameListsTheKnown) {
  absl::Status status = parseDType("F8_E4M3").status();
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_NE(status.message().find("HINT: use one of F64, F32"),
            absl::string_view::npos);
}

TEST(Tensor, ElementsAreChecked) {
  EXPECT_EQ(*checkedElements({}), 1);
  EXPECT_EQ(*checkedElements({2, 3, 4}), 24);
  EXPECT_EQ(*checkedElements({2, 0, 4}), 0);
  EXPECT_FALSE(checkedElements({2, -1}).ok());
  EXPECT_FALSE(checkedElements({int64_t{1} << 32, int64_t{1} << 31}).ok());
  // Refused although the product is 0: partial products must fit as well.
  EXPECT_FALSE(checkedElements({0, int64_t{1} << 32, int64_t{1} << 31}).ok());
}

TEST(Tensor, BytesAreChecked) {
  EXPECT_EQ(*checkedBytes(DType::F32, {3, 5}), 60u);
  EXPECT_TRUE(checkedBytes(DType::U8, {int64_t{1} << 62}).ok());
  EXPECT_FALSE(checkedBytes(DType::F32, {int64_t{1} << 61}).ok());
}

TEST(Tensor, LongShapesAreShortened) {
  EXPECT_EQ(shapeToString({}), "[]");
  EXPECT_EQ(shapeToString({2, 3}), "[2, 3]");
  std::vector<int64_t> shape(1000, 1);
  EXPECT_LT(shapeToString(shape).size(), 60u);
}

} // namespace
} // namespace t6
