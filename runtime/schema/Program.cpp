//===- Program.cpp - What an artifact says is to be run -------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "runtime/schema/Program.h"

#include <limits>

namespace t6 {

absl::string_view name(BufferKind kind) {
  switch (kind) {
  case BufferKind::Param:
    return "param";
  case BufferKind::State:
    return "state";
  case BufferKind::Constant:
    return "constant";
  case BufferKind::Input:
    return "input";
  case BufferKind::Output:
    return "output";
  case BufferKind::Arena:
    return "arena";
  }
  return "";
}

absl::string_view name(Init::Kind kind) {
  switch (kind) {
  case Init::Kind::Constant:
    return "constant";
  case Init::Kind::Uniform:
    return "uniform";
  case Init::Kind::Normal:
    return "normal";
  }
  return "";
}

template <typename Range>
static int indexOf(const Range &range, absl::string_view name) {
  for (size_t i = 0; i < range.size(); ++i)
    if (range[i].name == name)
      return static_cast<int>(i);
  return -1;
}

int Program::findEntry(absl::string_view name) const {
  return indexOf(entries, name);
}

int Program::findBuffer(absl::string_view name) const {
  return indexOf(buffers, name);
}

const FileRecord *Program::findFile(absl::string_view name) const {
  int index = indexOf(files, name);
  return index < 0 ? nullptr : &files[index];
}

int64_t costAt(const CostPolynomial &polynomial,
               absl::Span<const int64_t> scalars) {
  constexpr int64_t kMost = std::numeric_limits<int64_t>::max();
  int64_t sum = 0;
  for (const CostTerm &term : polynomial) {
    int64_t product = term.coefficient;
    for (int scalar : term.scalars)
      if (__builtin_mul_overflow(product, scalars[scalar], &product))
        return kMost;
    if (__builtin_add_overflow(sum, product, &sum))
      return kMost;
  }
  return sum;
}

int64_t workgroupsAt(const Dispatch &dispatch,
                     absl::Span<const int64_t> scalars) {
  int64_t count = 1;
  for (const GridDim &dim : dispatch.grid)
    count *= (dim.extent.at(scalars) - 1) / dim.tile + 1;
  return count;
}

std::vector<int64_t> maxScalars(const Entry &entry) {
  std::vector<int64_t> values;
  values.reserve(entry.scalars.size());
  for (const Scalar &scalar : entry.scalars)
    values.push_back(scalar.max);
  return values;
}

bool Entry::updatesParams(const std::vector<Buffer> &buffers) const {
  for (const Dispatch &dispatch : dispatches)
    for (int write : dispatch.writes)
      if (buffers[dispatch.bindings[write].buffer].kind == BufferKind::Param)
        return true;
  return false;
}

} // namespace t6
