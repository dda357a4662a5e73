//===- ParamBinder.cpp - A checkpoint's tensors for a program -------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "runtime/engine/ParamBinder.h"

#include "runtime/engine/Quantize.h"
#include "runtime/io/Half.h"
#include "runtime/io/Names.h"

#include "absl/container/flat_hash_set.h"
#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"

#include <algorithm>

namespace t6 {
namespace {

constexpr size_t kNamedProblems = 4;
constexpr size_t kNamedExtras = 4;
/// Elements that one thread converts at a time: large enough to hide the call,
/// small enough that a few tensors keep every thread busy.
constexpr int64_t kConvertBlock = 1 << 18;

/// One parameter that is copied: its source and its place in the copy.
struct Conversion {
  size_t param;
  const TensorView *from;
  DType to;
  int64_t offset;
};

/// Two parameters that are made of one tensor.
struct Quantization {
  size_t matrix, scales; ///< Indices into the bound params.
  const TensorView *from;
  int64_t offset, scaleOffset;
};

/// A run of elements of one conversion.
struct Block {
  size_t conversion;
  int64_t begin;
  int64_t count;
};

class Binder {
public:
  Binder(const Program &program, const Checkpoint &checkpoint, ThreadPool &pool,
         ParamMemory memory)
      : program(program), checkpoint(checkpoint), pool(pool), memory(memory) {}

  absl::StatusOr<BoundParams> run();

private:
  void bind(int index);
  void bindQuantized(int index, const TensorView &tensor);
  absl::Status convertAll();
  absl::Status quantizeAll();
  void warnAboutExtras();

  const Program &program;
  const Checkpoint &checkpoint;
  ThreadPool &pool;
  ParamMemory memory;
  BoundParams bound;
  std::vector<std::string> problems;
  std::vector<Conversion> conversions;
  std::vector<Quantization> quantizations;
  int64_t convertedBytes = 0;
  absl::flat_hash_set<const TensorView *> used;
};

void Binder::bind(int index) {
  const Buffer &buffer = program.buffers[index];
  const TensorView *tensor = checkpoint.find(buffer.name);
  if (!tensor && !buffer.tiedTo.empty())
    tensor = checkpoint.find(buffer.tiedTo);
  if (!tensor) {
    problems.push_back(absl::StrCat(quoteName(buffer.name), " is missing"));
    return;
  }
  used.insert(tensor);
  // The other half of a tied pair is the same tensor, not an extra one.
  if (const TensorView *tied =
          buffer.tiedTo.empty() ? nullptr : checkpoint.find(buffer.tiedTo))
    used.insert(tied);
  if (tensor->shape != buffer.storedShape) {
    problems.push_back(absl::StrCat(quoteName(buffer.name), " has the shape ",
                                    shapeToString(tensor->shape), " and not ",
                                    shapeToString(buffer.storedShape)));
    return;
  }
  bool isQuantized = buffer.dtype == DType::I8;
  if (!isConvertible(tensor->dtype, isQuantized ? DType::F32 : buffer.dtype)) {
    problems.push_back(absl::StrCat(
        quoteName(buffer.name), " has the type ", name(tensor->dtype),
        ", which does not convert to ", name(buffer.dtype)));
    return;
  }
  if (isQuantized)
    return bindQuantized(index, *tensor);
  bool aligned =
      reinterpret_cast<uintptr_t>(tensor->data) % byteSize(buffer.dtype) == 0;
  if (memory == ParamMemory::Mapped && tensor->dtype == buffer.dtype &&
      aligned) {
    bound.params.push_back({index, tensor->data});
    bound.mappedBytes += buffer.maxBytes;
    return;
  }
  conversions.push_back(
      {bound.params.size(), tensor, buffer.dtype, convertedBytes});
  bound.params.push_back({index, nullptr});
  convertedBytes += alignBuffer(buffer.maxBytes);
}

void Binder::bindQuantized(int index, const TensorView &tensor) {
  const Buffer &buffer = program.buffers[index];
  const Buffer &scales = program.buffers[buffer.partner];
  int64_t scaleOffset = convertedBytes + alignBuffer(buffer.maxBytes);
  quantizations.push_back({bound.params.size(), bound.params.size() + 1,
                           &tensor, convertedBytes, scaleOffset});
  bound.params.push_back({index, nullptr});
  bound.params.push_back({buffer.partner, nullptr});
  convertedBytes = scaleOffset + alignBuffer(scales.maxBytes);
}

absl::Status Binder::quantizeAll() {
  for (const Quantization &pair : quantizations) {
    auto *values =
        reinterpret_cast<int8_t *>(bound.converted.data() + pair.offset);
    auto *scales =
        reinterpret_cast<float *>(bound.converted.data() + pair.scaleOffset);
    bound.params[pair.matrix].data = values;
    bound.params[pair.scales].data = scales;
    absl::Status status = quantizeRows(pool, *pair.from, values, scales);
    // The weights are what is wrong, as where they do not fit.
    if (!status.ok())
      return absl::FailedPreconditionError(absl::StrCat(
          quoteName(program.buffers[bound.params[pair.matrix].buffer].name),
          " ", status.message()));
  }
  return absl::OkStatus();
}

absl::Status Binder::convertAll() {
  absl::StatusOr<HostMemory> memory =
      HostMemory::allocate(convertedBytes, "the copied weights");
  if (!memory.ok())
    return memory.status();
  bound.converted = *std::move(memory);
  std::vector<Block> blocks;
  for (size_t i = 0; i < conversions.size(); ++i) {
    const Conversion &conversion = conversions[i];
    bound.params[conversion.param].data =
        bound.converted.data() + conversion.offset;
    int64_t elements = conversion.from->elements();
    for (int64_t begin = 0; begin < elements; begin += kConvertBlock)
      blocks.push_back({i, begin, std::min(kConvertBlock, elements - begin)});
  }
  std::vector<absl::Status> statuses(blocks.size());
  pool.parallelFor(blocks.size(), [&](int64_t i) {
    const Block &block = blocks[i];
    const Conversion &conversion = conversions[block.conversion];
    size_t fromSize = byteSize(conversion.from->dtype);
    TensorView part;
    part.dtype = conversion.from->dtype;
    part.shape = {block.count};
    part.data = static_cast<const char *>(conversion.from->data) +
                block.begin * fromSize;
    part.bytes = block.count * fromSize;
    statuses[i] = convert(part, conversion.to,
                          bound.converted.data() + conversion.offset +
                              block.begin * byteSize(conversion.to));
  });
  for (const absl::Status &status : statuses)
    if (!status.ok())
      return status;
  return quantizeAll();
}

void Binder::warnAboutExtras() {
  std::vector<std::string> extras;
  for (absl::string_view name : checkpoint.names())
    if (!used.contains(checkpoint.find(name)))
      extras.push_back(quoteName(name));
  if (extras.empty())
    return;
  size_t shown = std::min(extras.size(), kNamedExtras);
  std::string text =
      absl::StrJoin(extras.begin(), extras.begin() + shown, ", ");
  if (shown < extras.size())
    absl::StrAppend(&text, " and ", extras.size() - shown, " more");
  bound.warnings.push_back(absl::StrCat(
      "the weights have tensors that the model does not use: ", text));
}

absl::StatusOr<BoundParams> Binder::run() {
  size_t params = 0;
  for (size_t i = 0; i < program.buffers.size(); ++i)
    if (program.buffers[i].kind == BufferKind::Param &&
        program.buffers[i].scales.empty()) {
      ++params;
      bind(static_cast<int>(i));
    }
  if (!problems.empty()) {
    size_t shown = std::min(problems.size(), kNamedProblems);
    std::string place =
        checkpoint.files().empty() ? "" : checkpoint.files()[0]->path();
    if (checkpoint.files().size() > 1)
      absl::StrAppend(&place, " and ", checkpoint.files().size() - 1,
                      " more files");
    return absl::FailedPreconditionError(absl::StrCat(
        place, ": ", problems.size(), " of the ", params, " parameters of '",
        program.model.name, "' do not fit: ",
        absl::StrJoin(problems.begin(), problems.begin() + shown, ", "),
        shown < problems.size()
            ? absl::StrCat(", and ", problems.size() - shown, " more")
            : "",
        ". HINT: `t6 info` lists what the artifact expects"));
  }
  absl::Status status = convertAll();
  if (!status.ok())
    return status;
  warnAboutExtras();
  return std::move(bound);
}

} // namespace

absl::StatusOr<BoundParams> bindCheckpoint(const Program &program,
                                           const Checkpoint &checkpoint,
                                           ThreadPool &pool,
                                           ParamMemory memory) {
  return Binder(program, checkpoint, pool, memory).run();
}

} // namespace t6
