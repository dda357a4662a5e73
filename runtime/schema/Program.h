//===- Program.h - What an artifact says is to be run -----------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The structs of an artifact's program.json: buffers, kernels and entries, each
// a list of dispatches. A Program that parseProgram returned is valid: every
// index, offset and product in it has been checked. No I/O, no execution.
//
//===----------------------------------------------------------------------===//

#ifndef T6_RUNTIME_SCHEMA_PROGRAM_H
#define T6_RUNTIME_SCHEMA_PROGRAM_H

#include "runtime/io/Tensor.h"

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace t6 {

/// The version this runtime reads and this compiler writes.
constexpr int64_t kSchemaVersion = 1;

/// The most bytes that all buffers of a program may add up to (1 TiB). A file
/// that asks for more is refused before anything is allocated.
constexpr int64_t kMaxProgramBytes = int64_t{1} << 40;

/// The most workgroups that one dispatch may have.
constexpr int64_t kMaxWorkgroups = int64_t{1} << 31;

/// A size that is known, or the name of a scalar of the entry it belongs to.
struct Extent {
  int64_t value = 0;  ///< The size when `scalar` is empty.
  std::string scalar; ///< The scalar that gives the size.
  /// Index of `scalar` in its entry, or -1 when the size is known. Filled by
  /// the parser.
  int scalarIndex = -1;

  Extent() = default;
  Extent(int64_t value) : value(value) {}
  Extent(std::string scalar) : scalar(std::move(scalar)) {}
  bool isStatic() const { return scalar.empty(); }
  /// The size for the entry's scalar values.
  int64_t at(absl::Span<const int64_t> scalars) const {
    return scalarIndex < 0 ? value : scalars[scalarIndex];
  }
};

enum class BufferKind { Param, State, Constant, Input, Output, Arena };

/// "param", "state", ...
absl::string_view name(BufferKind kind);

/// The values that a param has before training.
struct Init {
  enum class Kind {
    Constant, ///< Every element is `value`.
    Uniform,  ///< Evenly from [-value, value).
    Normal,   ///< With mean zero and the deviation `value`.
  };
  Kind kind = Kind::Constant;
  double value = 0; ///< In the range of f32; a bound or deviation is positive.
};

/// "constant", "uniform", "normal".
absl::string_view name(Init::Kind kind);

struct Buffer {
  std::string name;
  BufferKind kind = BufferKind::Arena;
  DType dtype = DType::U8;
  std::vector<Extent> shape;
  /// Params: the shape in the checkpoint, the same elements in the same order.
  std::vector<int64_t> storedShape;
  /// Params: another checkpoint name that may hold the same tensor, or empty.
  std::string tiedTo;
  /// Params: the i8 param whose scales these are, one for each row that the
  /// checkpoint stores, or empty: the pair is made of one checkpoint tensor.
  std::string scales;
  /// The other of an i8 param and its scales, else -1. Filled by the parser.
  int partner = -1;
  /// States: the param whose gradient or moment this is, or empty: then it is
  /// what a sequence of tokens leaves behind.
  std::string param;
  /// Params: what training starts from, where the program says so.
  std::optional<Init> init;
  /// Constants: where the data begins in constants.bin, in bytes.
  int64_t offset = 0;
  /// I32 inputs: every element lies in [rangeLow, rangeHigh) when hasRange.
  bool hasRange = false;
  int64_t rangeLow = 0;
  Extent rangeHigh;
  /// The entry whose input or output this is, else -1. Filled by the parser.
  int entry = -1;
  /// Bytes with every scalar at its maximum. Filled by the parser.
  int64_t maxBytes = 0;
};

/// A scalar of an entry: a size or a length derived from the inputs of a run.
struct Scalar {
  enum class Source {
    Dim, ///< The size of `axis` of `input`.
    End, ///< The greatest element of `input`, plus `plus`.
  };
  std::string name;
  int64_t max = 1; ///< 1 <= value <= max.
  Source source = Source::Dim;
  int input = 0; ///< Index into the entry's inputs.
  int axis = 0;
  Extent plus;
};

/// A named input or output of an entry and the buffer that carries it.
struct Port {
  std::string name;
  int buffer = 0;
};

/// One grid dimension: ceil(extent / tile) workgroups.
struct GridDim {
  Extent extent;
  int64_t tile = 1;
};

struct Binding {
  int buffer = 0;
  int64_t offset = 0; ///< In bytes.
  /// What the kernel sees there, when the program says so: `bytes` 0 means "to
  /// the end of the buffer", and `dtype` is the buffer's own unless given. Only
  /// checking and inspection use them.
  int64_t bytes = 0;
  DType dtype = DType::U8;
};

/// coefficient × the product of scalars (indices into the entry's scalars).
struct CostTerm {
  int64_t coefficient = 0;
  std::vector<int> scalars;
};
using CostPolynomial = std::vector<CostTerm>;

struct Cost {
  CostPolynomial read;  ///< Bytes.
  CostPolynomial write; ///< Bytes.
  CostPolynomial flops;
};

struct Kernel {
  std::string symbol; ///< Of kernels.so.
  /// Factors of its products are rounded to bf16.
  bool roundsToBf16 = false;
};

struct Dispatch {
  int kernel = 0;
  std::string label;
  std::vector<GridDim> grid;
  std::vector<Binding> bindings;
  std::vector<int> scalars; ///< Indices into the entry's scalars.
  std::vector<int> writes;  ///< Indices into `bindings`.
  Cost cost;
};

struct Entry {
  std::string name;
  std::vector<Scalar> scalars;
  std::vector<Port> inputs;
  std::vector<Port> outputs;
  std::vector<Dispatch> dispatches;

  /// Whether it changes parameters, as a step of training does: they must be
  /// memory of the caller's or of the executor's, not a file's.
  bool updatesParams(const std::vector<Buffer> &buffers) const;
};

struct ModelInfo {
  std::string name;
  std::string attention;
  int64_t vocabSize = 0;
  int64_t layers = 0;
  int64_t width = 0;
  int64_t context = 0;
  int64_t parameters = 0;
  int64_t cacheBytesPerToken = 0;
  int64_t stateBytes = 0; ///< Of a row, whatever its number of tokens.
  /// The config.json that describes the model, a JSON object; empty where the
  /// keys of no other program do.
  std::string config;
};

struct CompileOptions {
  std::string target;
  int64_t batch = 1;
  int64_t maxLength = 0;
  int64_t prefillChunk = 0;
  int64_t pageTokens = 0;   ///< Of the cache; 0: each row is one piece.
  DType dtype = DType::F32; ///< Of parameters and of the cache.
  /// What products of a training step multiply, where it is less than dtype.
  DType compute = DType::F32;
};

struct CpuTarget {
  std::string name;
  std::vector<std::string> features; ///< LLVM's names, "avx512f".
  int64_t vectorBits = 0;
};

/// The size and XXH3_64 of one file of the artifact.
struct FileRecord {
  std::string name;
  int64_t bytes = 0;
  uint64_t xxh3 = 0;
};

struct Program {
  int64_t schema = kSchemaVersion;
  std::string producer;
  ModelInfo model;
  CompileOptions options;
  CpuTarget cpu;
  std::vector<FileRecord> files;
  std::vector<Buffer> buffers;
  std::vector<Kernel> kernels;
  std::vector<Entry> entries;

  /// The index of the entry called `name`, or -1.
  int findEntry(absl::string_view name) const;
  /// The index of the buffer called `name`, or -1.
  int findBuffer(absl::string_view name) const;
  /// The record of the file called `name`, or null.
  const FileRecord *findFile(absl::string_view name) const;
};

/// Reads and validates program.json. FailedPrecondition: a schema version that
/// this runtime does not read. DataLoss: anything that is not a valid program;
/// the message names the place, "program.json: buffers[3].shape[1] ...".
absl::StatusOr<Program> parseProgram(absl::string_view json);

/// The JSON text of `program`; parseProgram reads it back.
std::string serializeProgram(const Program &program);

/// The value of `polynomial` for an entry's scalar values. Saturates at the
/// greatest int64 instead of overflowing.
int64_t costAt(const CostPolynomial &polynomial,
               absl::Span<const int64_t> scalars);

/// The number of workgroups of `dispatch` for an entry's scalar values. At most
/// kMaxWorkgroups when the scalars are within their maxima.
int64_t workgroupsAt(const Dispatch &dispatch,
                     absl::Span<const int64_t> scalars);

/// The scalars of `entry`, each at its maximum.
std::vector<int64_t> maxScalars(const Entry &entry);

} // namespace t6

#endif // T6_RUNTIME_SCHEMA_PROGRAM_H
