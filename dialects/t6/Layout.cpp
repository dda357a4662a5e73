//===- Layout.cpp - Layouts of parameters ---------------------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Parameter layouts such as "(H R_Q) C": named sizes, grouped as stored.
//
//===----------------------------------------------------------------------===//

#include "dialects/t6/Layout.h"
#include "llvm/ADT/StringExtras.h"

using namespace mlir;

namespace tpa::t6 {

static bool isSizeExpression(StringRef text) {
  SmallVector<StringRef> names;
  text.split(names, '+');
  return llvm::all_of(names, [](StringRef name) {
    return !name.empty() && !llvm::isDigit(name.front()) &&
           llvm::all_of(name,
                        [](char c) { return llvm::isAlnum(c) || c == '_'; });
  });
}

FailureOr<Layout> Layout::parse(StringRef text, std::string &error) {
  Layout layout;
  bool inGroup = false;
  while (!(text = text.ltrim(' ')).empty()) {
    if (text.consume_front("(")) {
      if (inGroup) {
        error = "groups do not nest";
        return failure();
      }
      inGroup = true;
      layout.groups.push_back(0);
      continue;
    }
    if (text.consume_front(")")) {
      if (!inGroup || layout.groups.back() == 0) {
        error = "a group is empty or closes twice";
        return failure();
      }
      inGroup = false;
      continue;
    }
    StringRef name = text.take_until(
        [](char c) { return c == ' ' || c == '(' || c == ')'; });
    text = text.drop_front(name.size());
    if (!isSizeExpression(name)) {
      error = ("'" + name + "' is not a size name or a sum of names").str();
      return failure();
    }
    layout.dims.push_back(name.str());
    if (inGroup)
      ++layout.groups.back();
    else
      layout.groups.push_back(1);
  }
  if (inGroup || layout.dims.empty()) {
    error = inGroup ? "a group is not closed" : "it names no dimension";
    return failure();
  }
  return layout;
}

SmallVector<int64_t> Layout::storedShape(ArrayRef<int64_t> shape) const {
  SmallVector<int64_t> stored;
  for (unsigned count : groups) {
    int64_t size = 1;
    for (int64_t dim : shape.take_front(count))
      size *= dim;
    shape = shape.drop_front(count);
    stored.push_back(size);
  }
  return stored;
}

FailureOr<int64_t> evaluateSize(StringRef expression, DictionaryAttr sizes,
                                std::string &error) {
  int64_t total = 0;
  SmallVector<StringRef> names;
  expression.split(names, '+');
  for (StringRef name : names) {
    auto size = sizes.getAs<IntegerAttr>(name);
    if (!size) {
      error = name.str();
      return failure();
    }
    total += size.getInt();
  }
  return total;
}

} // namespace tpa::t6
