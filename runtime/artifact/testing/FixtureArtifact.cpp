//===- FixtureArtifact.cpp - A tiny artifact for tests --------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "runtime/artifact/testing/FixtureArtifact.h"

#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <xxhash.h>
#include <zip.h>

namespace t6 {

// constants.bin holds a little something before the scale, so that an offset
// that is not applied shows.
static constexpr int64_t kScaleOffset = 64;

[[noreturn]] static void die(const std::string &what) {
  std::fprintf(stderr, "fixture: %s\n", what.c_str());
  std::exit(1);
}

static void addBuffers(Program &program) {
  auto add = [&](Buffer buffer) { program.buffers.push_back(buffer); };
  auto make = [](std::string name, BufferKind kind, DType dtype,
                 std::vector<Extent> shape) {
    Buffer buffer;
    buffer.name = std::move(name);
    buffer.kind = kind;
    buffer.dtype = dtype;
    buffer.shape = std::move(shape);
    return buffer;
  };
  Extent n(std::string("n"));
  Buffer weight = make("embedding.weight", BufferKind::Param, DType::F32,
                       {kFixtureVocab, kFixtureWidth});
  weight.storedShape = {kFixtureVocab * kFixtureWidth};
  weight.tiedTo = "head.weight";
  weight.init = Init{Init::Kind::Uniform, 0.125};
  add(weight);
  add(make("bias", BufferKind::Param, DType::BF16, {kFixtureWidth}));
  add(make("cache", BufferKind::State, DType::F32,
           {kFixtureBatch, kFixtureLength, kFixtureWidth}));
  Buffer scale =
      make("scale", BufferKind::Constant, DType::F32, {kFixtureWidth + 1});
  scale.offset = kScaleOffset - sizeof(float);
  add(scale);
  Buffer tokens =
      make("step.tokens", BufferKind::Input, DType::I32, {kFixtureBatch, n});
  tokens.hasRange = true;
  tokens.rangeHigh = kFixtureVocab;
  add(tokens);
  Buffer positions =
      make("step.positions", BufferKind::Input, DType::I32, {kFixtureBatch});
  positions.hasRange = true;
  positions.rangeHigh = kFixtureLength;
  add(positions);
  add(make("step.y", BufferKind::Output, DType::F32,
           {kFixtureBatch, n, kFixtureWidth}));
  add(make("step.sum", BufferKind::Output, DType::F32, {1}));
  add(make("step.counts", BufferKind::Output, DType::I32, {kFixtureCounts}));
  add(make("step.arena", BufferKind::Arena, DType::U8, {4096}));
}

static Dispatch makeDispatch(const Program &program, int kernel,
                             std::vector<GridDim> grid,
                             std::vector<std::string> buffers,
                             std::vector<int> scalars) {
  Dispatch dispatch;
  dispatch.kernel = kernel;
  dispatch.label = "test/" + program.kernels[kernel].symbol;
  dispatch.grid = std::move(grid);
  dispatch.scalars = std::move(scalars);
  for (const std::string &name : buffers) {
    Binding binding;
    binding.buffer = fixtureBuffer(program, name);
    binding.dtype = program.buffers[binding.buffer].dtype;
    if (name == "step.arena")
      binding.offset = 128;
    // The scale proper comes after one element that nobody should see.
    if (name == "scale")
      binding.offset = sizeof(float);
    dispatch.bindings.push_back(binding);
  }
  // Every kernel of the fixture writes its last operand.
  dispatch.writes = {static_cast<int>(buffers.size()) - 1};
  return dispatch;
}

Program fixtureProgram() {
  Program program;
  program.producer = "fixture";
  program.model.name = "fixture";
  program.model.vocabSize = kFixtureVocab;
  program.options.target = "cpu";
  program.options.batch = kFixtureBatch;
  program.options.maxLength = kFixtureLength;
  program.options.prefillChunk = kFixtureChunk;
  program.cpu.name = "x86-64";
  program.cpu.features = {"sse2"};
  program.kernels = {{"fixture_gather"},
                     {"fixture_affine"},
                     {"fixture_append"},
                     {"fixture_sum"},
                     {"fixture_count"}};
  addBuffers(program);
  Entry entry;
  entry.name = "step";
  entry.inputs = {{"tokens", fixtureBuffer(program, "step.tokens")},
                  {"positions", fixtureBuffer(program, "step.positions")}};
  entry.outputs = {{"y", fixtureBuffer(program, "step.y")},
                   {"sum", fixtureBuffer(program, "step.sum")},
                   {"counts", fixtureBuffer(program, "step.counts")}};
  Scalar n, m;
  n.name = "n";
  n.max = kFixtureChunk;
  n.axis = 1;
  m.name = "m";
  m.max = kFixtureLength;
  m.source = Scalar::Source::End;
  m.input = 1;
  m.plus = std::string("n");
  entry.scalars = {n, m};
  Extent length(std::string("n"));
  entry.dispatches = {
      makeDispatch(program, 0, {{kFixtureBatch, 1}, {length, 1}},
                   {"step.tokens", "embedding.weight", "step.arena"}, {0}),
      makeDispatch(program, 1, {{length, 2}},
                   {"step.arena", "scale", "bias", "step.y"}, {0}),
      makeDispatch(program, 2, {{kFixtureBatch, 1}},
                   {"step.positions", "step.y", "cache"}, {0}),
      makeDispatch(program, 3, {}, {"cache", "step.sum"}, {1}),
      makeDispatch(program, 4, {{4, 1}, {11, 2}}, {"step.counts"}, {})};
  entry.dispatches[0].cost.read = {{4, {0}}, {kFixtureWidth * 4, {0}}};
  entry.dispatches[0].cost.write = {{kFixtureWidth * 4, {0}}};
  entry.dispatches[3].cost.flops = {{kFixtureBatch * kFixtureWidth, {1}}};
  program.entries = {entry};
  return program;
}

int fixtureBuffer(const Program &program, const std::string &name) {
  int index = program.findBuffer(name);
  if (index < 0)
    die("no buffer " + name);
  return index;
}

std::string fixtureLibrary(FixtureKernels which) {
  const char *folder = std::getenv("T6_FIXTURE_DIR");
  std::string path = folder ? folder : "runtime/artifact/testing";
  path += which == FixtureKernels::Right   ? "/fixture_kernels.so"
          : which == FixtureKernels::Wrong ? "/fixture_kernels_wrong.so"
                                           : "/fixture_kernels_nan.so";
  std::ifstream stream(path, std::ios::binary);
  if (!stream)
    die("cannot open " + path);
  return std::string(std::istreambuf_iterator<char>(stream), {});
}

FixtureFiles fixtureFiles(Program program, FixtureKernels kernels) {
  std::string constants(kScaleOffset + sizeof(kFixtureScale), '\xee');
  constants.replace(kScaleOffset, sizeof(kFixtureScale),
                    reinterpret_cast<const char *>(kFixtureScale),
                    sizeof(kFixtureScale));
  FixtureFiles files = {{"kernels.so", fixtureLibrary(kernels)},
                        {"constants.bin", constants},
                        {"check.so", fixtureLibrary(FixtureKernels::Right)}};
  program.files.clear();
  for (const auto &[name, bytes] : files)
    program.files.push_back({name, static_cast<int64_t>(bytes.size()),
                             XXH3_64bits(bytes.data(), bytes.size())});
  files.insert(files.begin(), {"program.json", serializeProgram(program)});
  files.push_back({"ir/fused.mlir", "module {}\n"});
  return files;
}

std::string zipFiles(const FixtureFiles &files, bool compress) {
  zip_error_t error;
  zip_error_init(&error);
  zip_source_t *buffer = zip_source_buffer_create(nullptr, 0, 0, &error);
  zip_source_keep(buffer);
  zip_t *archive = zip_open_from_source(buffer, ZIP_TRUNCATE, &error);
  if (!archive)
    die(zip_error_strerror(&error));
  for (const auto &[name, bytes] : files) {
    zip_source_t *source =
        zip_source_buffer(archive, bytes.data(), bytes.size(), 0);
    zip_int64_t index = zip_file_add(archive, name.c_str(), source, 0);
    if (index < 0 ||
        zip_set_file_compression(archive, index,
                                 compress ? ZIP_CM_DEFLATE : ZIP_CM_STORE, 0))
      die(zip_strerror(archive));
  }
  if (zip_close(archive))
    die(zip_strerror(archive));
  zip_stat_t info;
  zip_source_stat(buffer, &info);
  std::string result(info.size, '\0');
  zip_source_open(buffer);
  zip_source_read(buffer, &result[0], info.size);
  zip_source_close(buffer);
  zip_source_free(buffer);
  return result;
}

std::string fixtureArtifact(FixtureKernels kernels) {
  return zipFiles(fixtureFiles(fixtureProgram(), kernels));
}

std::string writeTemporary(const std::string &name, const std::string &bytes) {
  const char *folder = std::getenv("TEST_TMPDIR");
  std::string path = std::string(folder ? folder : "/tmp") + "/" + name;
  std::ofstream(path, std::ios::binary) << bytes;
  return path;
}

} // namespace t6
