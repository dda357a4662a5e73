//===- ProgramParser.cpp - program.json to a valid Program ----------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The first half of the reader: everything but the entries, which need all of
// it and are in EntryParser.cpp.
//
//===----------------------------------------------------------------------===//

#include "runtime/schema/ProgramParser.h"

#include "absl/container/flat_hash_set.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"

#include <limits>

namespace t6 {

using nlohmann::json;

// Far above what a compiler writes, and low enough that a hostile file cannot
// make the tables below large. A file of kMaxJsonBytes is refused by its size.
static constexpr size_t kMaxJsonBytes = size_t{256} << 20;
static constexpr size_t kMaxFiles = 4096;
static constexpr size_t kMaxBuffers = size_t{1} << 18;
static constexpr size_t kMaxKernels = size_t{1} << 16;
static constexpr size_t kMaxFeatures = 1024;
static constexpr int64_t kMaxInt = std::numeric_limits<int64_t>::max();
static constexpr int64_t kMaxCount = int64_t{1} << 31;

ProgramParser::ProgramParser(const json &root, JsonErrors &errors)
    : root(root, errors) {}

DType ProgramParser::parseElementType(const JsonPlace &place) {
  std::string text = place.string();
  for (DType dtype : {DType::F32, DType::BF16, DType::F16, DType::I32,
                      DType::I64, DType::U8, DType::I8}) {
    absl::StatusOr<DType> parsed = parseDType(text);
    if (parsed.ok() && *parsed == dtype)
      return dtype;
  }
  place.fail(absl::StrCat("is \"", text.substr(0, 32),
                          "\", not one of f32, bf16, f16, i32, i64, u8, i8"));
  return DType::U8;
}

Extent ProgramParser::parseExtent(const JsonPlace &place) {
  if (place.isString())
    return Extent(place.name());
  return Extent(place.integer(1, kMaxProgramBytes));
}

void ProgramParser::parseModel(const JsonPlace &place) {
  place.object();
  ModelInfo &model = program.model;
  model.name = place["name"].name();
  if (place.has("attention"))
    model.attention = place["attention"].string();
  struct Field {
    const char *key;
    int64_t *value;
    int64_t most;
  };
  for (const Field &field :
       {Field{"vocab_size", &model.vocabSize, kMaxCount},
        Field{"layers", &model.layers, kMaxCount},
        Field{"width", &model.width, kMaxCount},
        Field{"context", &model.context, kMaxCount},
        Field{"parameters", &model.parameters, kMaxInt},
        Field{"cache_bytes_per_token", &model.cacheBytesPerToken, kMaxInt},
        Field{"state_bytes", &model.stateBytes, kMaxInt}})
    if (place.has(field.key))
      *field.value = place[field.key].integer(0, field.most);
  if (place.has("config"))
    model.config = place["config"].object().dump(
        -1, ' ', /*ensure_ascii=*/true, json::error_handler_t::replace);
}

void ProgramParser::parseOptions(const JsonPlace &place) {
  place.object();
  CompileOptions &options = program.options;
  options.target = place["target"].name();
  options.batch = place["batch"].integer(1, kMaxCount);
  options.maxLength = place["max_length"].integer(0, kMaxCount);
  options.prefillChunk = place["prefill_chunk"].integer(0, kMaxCount);
  if (place.has("page_tokens"))
    options.pageTokens = place["page_tokens"].integer(0, kMaxCount);
  options.dtype = parseElementType(place["dtype"]);
  options.compute =
      place.has("compute") ? parseElementType(place["compute"]) : options.dtype;
}

void ProgramParser::parseCpu(const JsonPlace &place) {
  place.object();
  program.cpu.name = place["name"].string();
  if (place.has("vector_bits"))
    program.cpu.vectorBits = place["vector_bits"].integer(0, 65536);
  JsonPlace features = place["features"];
  size_t count = features.arraySize(kMaxFeatures);
  for (size_t i = 0; i < count && root.ok(); ++i)
    program.cpu.features.push_back(features[i].name());
}

void ProgramParser::parseFiles(const JsonPlace &place) {
  const json &object = place.object();
  if (object.size() > kMaxFiles)
    return place.fail(absl::StrCat("lists ", object.size(), " files"));
  for (auto it = object.begin(); it != object.end() && root.ok(); ++it) {
    JsonPlace record = place[it.key().c_str()];
    FileRecord file;
    file.name = it.key();
    file.bytes = record["bytes"].integer(0, kMaxProgramBytes);
    std::string digest = record["xxh3"].string();
    if (digest.size() != 16 || !absl::SimpleHexAtoi(digest, &file.xxh3))
      record["xxh3"].fail("is not 16 hexadecimal digits");
    program.files.push_back(std::move(file));
  }
}

void ProgramParser::parseKernels(const JsonPlace &place) {
  absl::flat_hash_set<std::string> seen;
  size_t count = place.arraySize(kMaxKernels);
  for (size_t i = 0; i < count && root.ok(); ++i) {
    JsonPlace kernel = place[i];
    std::string symbol = kernel["symbol"].name();
    if (!seen.insert(symbol).second)
      kernel.fail(absl::StrCat("repeats the symbol '", symbol, "'"));
    bool rounds = kernel.has("rounds");
    if (rounds && parseElementType(kernel["rounds"]) != DType::BF16)
      kernel["rounds"].fail("is not bf16");
    program.kernels.push_back({std::move(symbol), rounds});
  }
}

bool ProgramParser::computeMaxBytes(Buffer &buffer,
                                    absl::Span<const int64_t> maxima,
                                    const JsonPlace &place) {
  std::vector<int64_t> shape;
  for (const Extent &extent : buffer.shape)
    shape.push_back(extent.at(maxima));
  absl::StatusOr<size_t> bytes = checkedBytes(buffer.dtype, shape);
  if (!bytes.ok() || *bytes > size_t(kMaxProgramBytes - totalBytes)) {
    place.fail(absl::StrCat("asks for more than ", kMaxProgramBytes >> 30,
                            " GiB together with the buffers before it"));
    return false;
  }
  buffer.maxBytes = *bytes;
  totalBytes += buffer.maxBytes;
  return true;
}

Init ProgramParser::parseInit(const JsonPlace &place) {
  constexpr double kMost = std::numeric_limits<float>::max();
  Init init;
  init.value = place["value"].number(-kMost, kMost);
  std::string kind = place["kind"].string();
  for (Init::Kind candidate :
       {Init::Kind::Constant, Init::Kind::Uniform, Init::Kind::Normal}) {
    if (kind != name(candidate))
      continue;
    init.kind = candidate;
    if (candidate != Init::Kind::Constant && !(init.value > 0))
      place["value"].fail(absl::StrCat("is ", init.value, ", but a ", kind,
                                       " distribution needs a positive one"));
    return init;
  }
  place["kind"].fail(absl::StrCat("is \"", kind.substr(0, 32),
                                  "\", not one of constant, uniform, normal"));
  return init;
}

void ProgramParser::parseParam(Buffer &buffer, const JsonPlace &place) {
  if (place.has("tied_to"))
    buffer.tiedTo = place["tied_to"].name();

  for (const Extent &extent : buffer.shape)
    buffer.storedShape.push_back(extent.value);
  if (place.has("scales"))
    buffer.scales = place["scales"].name();
  if (buffer.dtype != DType::F32 && buffer.dtype != DType::BF16 &&
      buffer.dtype != DType::I8)
    place["dtype"].fail("of a param is none of f32, bf16 and i8");
  if (!place.has("stored_shape"))
    return;
  JsonPlace stored = place["stored_shape"];
  absl::StatusOr<int64_t> logical = checkedElements(buffer.storedShape);
  buffer.storedShape.clear();
  size_t rank = stored.arraySize(kMaxRank);
  for (size_t i = 0; i < rank; ++i)
    buffer.storedShape.push_back(stored[i].integer(1, kMaxProgramBytes));
  absl::StatusOr<int64_t> elements = checkedElements(buffer.storedShape);
  if (!logical.ok() || !elements.ok() || *elements != *logical)
    stored.fail(absl::StrCat("is ", shapeToString(buffer.storedShape),
                             ", which has another number of elements than "
                             "the buffer's shape"));
}

void ProgramParser::parseConstant(Buffer &buffer, const JsonPlace &place) {
  buffer.offset = place["offset"].integer(0, kMaxProgramBytes);
  const FileRecord *file = program.findFile("constants.bin");
  int64_t available = file ? file->bytes : 0;
  if (buffer.offset > available || buffer.maxBytes > available - buffer.offset)
    place["offset"].fail(absl::StrCat(
        "is ", buffer.offset, ": ", buffer.maxBytes,
        " bytes from there are not inside constants.bin, which has ", available,
        " bytes"));
  else if (buffer.offset % byteSize(buffer.dtype) != 0)
    place["offset"].fail("is not aligned to the element type");
}

void ProgramParser::parseRange(Buffer &buffer, const JsonPlace &place) {
  if (buffer.kind != BufferKind::Input || buffer.dtype != DType::I32)
    return place.fail("is only for i32 inputs");
  if (place.arraySize(2) != 2)
    return place.fail("is not [low, high]");
  buffer.hasRange = true;
  buffer.rangeLow = place[size_t{0}].integer(-kMaxCount, kMaxCount);
  if (place[1].isString())
    buffer.rangeHigh = Extent(place[1].name());
  else
    buffer.rangeHigh = Extent(place[1].integer(buffer.rangeLow + 1, kMaxCount));
}

static bool parseKind(const std::string &text, BufferKind &kind) {
  for (BufferKind candidate :
       {BufferKind::Param, BufferKind::State, BufferKind::Constant,
        BufferKind::Input, BufferKind::Output, BufferKind::Arena})
    if (text == name(candidate)) {
      kind = candidate;
      return true;
    }
  return false;
}

void ProgramParser::parseBuffer(const JsonPlace &place) {
  Buffer buffer;
  buffer.name = place["name"].name();
  std::string kind = place["kind"].string();
  if (!parseKind(kind, buffer.kind))
    place["kind"].fail(absl::StrCat("is \"", kind.substr(0, 32),
                                    "\", not one of param, state, constant, "
                                    "input, output, arena"));
  buffer.dtype = parseElementType(place["dtype"]);
  bool isPort =
      buffer.kind == BufferKind::Input || buffer.kind == BufferKind::Output;
  JsonPlace shape = place["shape"];
  size_t rank = shape.arraySize(kMaxRank);
  for (size_t i = 0; i < rank; ++i) {
    buffer.shape.push_back(parseExtent(shape[i]));
    if (!isPort && !buffer.shape.back().isStatic())
      shape[i].fail("names a scalar, but only inputs and outputs may");
  }
  if (place.has("range"))
    parseRange(buffer, place["range"]);
  if (place.has("param")) {
    if (buffer.kind != BufferKind::State)
      place["param"].fail("is only for states");
    buffer.param = place["param"].name();
  }
  if (place.has("init")) {
    if (buffer.kind != BufferKind::Param)
      place["init"].fail("is only for params");
    buffer.init = parseInit(place["init"]);
  }
  // The size of a port is known once its entry's scalars are.
  if (root.ok() && !isPort && computeMaxBytes(buffer, {}, place)) {
    if (buffer.kind == BufferKind::Param)
      parseParam(buffer, place);
    if (buffer.kind == BufferKind::Constant)
      parseConstant(buffer, place);
  }
  if (!bufferNames.insert(buffer.name).second)
    place.fail(absl::StrCat("repeats the name '", buffer.name, "'"));
  program.buffers.push_back(std::move(buffer));
}

/// Every i8 param has one param of scales, and those scale nothing else.
void ProgramParser::pairScales(const JsonPlace &buffers) {
  for (size_t i = 0; i < program.buffers.size(); ++i) {
    Buffer &scales = program.buffers[i];
    if (scales.scales.empty())
      continue;
    JsonPlace place = buffers[i]["scales"];
    int at = program.findBuffer(scales.scales);
    if (at < 0 || program.buffers[at].kind != BufferKind::Param ||
        program.buffers[at].dtype != DType::I8)
      return place.fail("names no i8 param");
    Buffer &matrix = program.buffers[at];
    if (matrix.partner >= 0)
      return place.fail("names a param that has scales already");
    int64_t rows = matrix.storedShape.empty() ? 0 : matrix.storedShape[0];
    if (scales.dtype != DType::F32 ||
        scales.maxBytes != rows * int64_t{sizeof(float)})
      return place.fail(absl::StrCat("names a param of ", rows,
                                     " rows, which are not as many f32"));
    matrix.partner = static_cast<int>(i);
    scales.partner = at;
  }
  for (size_t i = 0; i < program.buffers.size(); ++i)
    if (program.buffers[i].kind == BufferKind::Param &&
        program.buffers[i].dtype == DType::I8 && program.buffers[i].partner < 0)
      return buffers[i].fail("is an i8 param without scales");
}

void ProgramParser::parse() {
  program.producer = root["producer"].string();
  parseModel(root["model"]);
  parseOptions(root["options"]);
  parseCpu(root["cpu"]);
  parseFiles(root["files"]);
  JsonPlace buffers = root["buffers"];
  size_t count = buffers.arraySize(kMaxBuffers);
  program.buffers.reserve(count);
  for (size_t i = 0; i < count && root.ok(); ++i)
    parseBuffer(buffers[i]);
  if (root.ok())
    pairScales(buffers);
  parseKernels(root["kernels"]);
  if (root.ok())
    parseEntries();
  if (root.ok())
    checkUnownedPorts();
}

void ProgramParser::checkUnownedPorts() {
  for (size_t i = 0; i < program.buffers.size(); ++i) {
    Buffer &buffer = program.buffers[i];
    bool isPort =
        buffer.kind == BufferKind::Input || buffer.kind == BufferKind::Output;
    if (isPort && buffer.entry < 0)
      return root["buffers"][i].fail(absl::StrCat("is an ", name(buffer.kind),
                                                  " that no entry lists ('",
                                                  buffer.name, "')"));
  }
}

absl::StatusOr<Program> parseProgram(absl::string_view text) {
  JsonErrors errors("program.json");
  if (text.size() > kMaxJsonBytes) {
    errors.fail(
        absl::StrCat("has ", text.size(), " bytes, more than ", kMaxJsonBytes));
    return errors.status();
  }
  json root = json::parse(text.begin(), text.end(), nullptr,
                          /*allow_exceptions=*/false);
  if (root.is_discarded() || !root.is_object()) {
    errors.fail("is not a JSON object");
    return errors.status();
  }
  JsonPlace place(root, errors);
  int64_t schema = place["schema"].integer(0, kMaxInt);
  if (!errors.ok())
    return errors.status();
  if (schema != kSchemaVersion)
    return absl::FailedPreconditionError(
        absl::StrCat("program.json: schema ", schema,
                     " is not supported (this runtime reads ", kSchemaVersion,
                     "). HINT: recompile with a matching tpa-opt"));
  ProgramParser parser(root, errors);
  parser.parse();
  if (!errors.ok())
    return errors.status();
  return std::move(parser.program);
}

} // namespace t6
