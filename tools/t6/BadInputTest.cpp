//===- BadInputTest.cpp - What t6 says to bad input -----------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A table: whatever is wrong ends in one sentence with the file or the flag,
// the exit code of its kind, and no output.
//
//===----------------------------------------------------------------------===//

#include "runtime/api/testing/ToyModel.h"
#include "runtime/io/Safetensors.h"
#include "tools/t6/ProcessForTest.h"

#include <algorithm>
#include <cstring>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace t6 {
namespace {

using ::testing::HasSubstr;
using ::testing::StartsWith;
using Arguments = std::vector<std::string>;

enum Code { kRuntimeError = 1, kUsageError = 2, kBadFile = 3 };

std::string save(const std::string &name, const std::string &bytes) {
  return writeTemporary(name, bytes);
}

std::string artifact() { return save("toy.t6x", toyArtifact()); }

/// Runs t6 and expects one line of error that has all of `parts`.
void expectFailure(const Arguments &arguments, int code,
                   const std::vector<std::string> &parts,
                   const ProcessOptions &options = {}) {
  Outcome outcome = runT6(arguments, options);
  EXPECT_EQ(outcome.exitCode, code) << outcome.err;
  EXPECT_THAT(outcome.err, StartsWith("t6: error: "));
  EXPECT_EQ(std::count(outcome.err.begin(), outcome.err.end(), '\n'), 1)
      << outcome.err;
  for (const std::string &part : parts)
    EXPECT_THAT(outcome.err, HasSubstr(part));
  EXPECT_EQ(outcome.out, "");
}

TEST(BadInputTest, Usage) {
  struct Case {
    Arguments arguments;
    std::string part;
  } cases[] = {
      {{}, "HINT: t6 --help"},
      {{"generat"}, "there is no subcommand 'generat'. HINT: t6 --help"},
      {{"teach"}, "there is no subcommand 'teach'"},
      {{"generate"}, "artifact is required. HINT: t6 generate --help"},
      {{"generate", "m.t6x"}, "with --prompt or with --tokens"},
      {{"generate", "m.t6x", "--tokens", "1", "--prompt", "a"}, "either"},
      {{"generate", "m.t6x", "--tokens", "1,x"}, "--tokens: '1,x'"},
      {{"generate", "m.t6x", "--tokens", "1", "--stop-token", "-5"},
       "--stop-token: -5"},
      {{"generate", "m.t6x", "--threads", "many"}, "--threads = many"},
      {{"generate", "m.t6x", "--no-such-flag"}, "--no-such-flag"},
      {{"eval", "m.t6x"}, "--data is required. HINT: t6 eval --help"},
      {{"run", "m.t6x", "--entry", "loss"}, "--inputs is required"},
      {{"bench", "m.t6x", "-o", "xml"}, "--output: 'xml' is not a format"},
      {{"bench", "m.t6x", "-r", "0"}, "--repetitions"},
      {{"info"}, "artifact is required. HINT: t6 info --help"},
  };
  for (const Case &one : cases)
    expectFailure(one.arguments, kUsageError, {one.part});
}

TEST(BadInputTest, Configuration) {
  auto with = [](const std::string &contents) {
    return Arguments{"info", "m.t6x", "--config", save("c.json", contents)};
  };
  expectFailure(with("{"), kUsageError, {"c.json: is not a JSON object"});
  expectFailure(with(R"({"lenght": 1})"), kUsageError,
                {"c.json: no flag is called \"lenght\""});
  expectFailure(with(R"({"length": "far"})"), kUsageError,
                {"c.json: \"length\": ", "far"});
  expectFailure(with(R"({"length": {}})"), kUsageError, {"c.json: \"length\""});
  expectFailure(with(R"({"info": 1})"), kUsageError, {"c.json: \"info\""});
  expectFailure({"info", "m.t6x", "--config", "/nonexistent.json"},
                kRuntimeError, {"/nonexistent.json"});
  ProcessOptions options;
  options.environment = {{"T6_LENGTH", "far"}};
  expectFailure({"info", "m.t6x"}, kUsageError,
                {"the environment variable T6_LENGTH"}, options);
}

TEST(BadInputTest, Artifacts) {
  std::string good = toyArtifact();
  std::string cut = good.substr(0, good.size() / 2);
  std::string flipped = good;
  // A byte of the kernels, which come behind program.json.
  flipped[flipped.find("kernels.so", 200) + 200] ^= 1;
  Program schema = toyProgram();
  schema.schema = 2;
  Program beyond = toyProgram();
  beyond.entries[0].dispatches[0].bindings[0].offset = 1 << 20;
  Program feature = toyProgram();
  feature.cpu.features = {"avx9000"};
  FixtureFiles bomb = {{"program.json", std::string(1 << 20, ' ')}};
  struct Case {
    const char *name;
    std::string bytes;
    std::string part;
  } cases[] = {
      {"cut.t6x", cut, "cut.t6x"},
      {"empty.t6x", "", "empty.t6x"},
      {"flipped.t6x", flipped, "flipped.t6x"},
      {"schema.t6x", toyArtifact(schema), "schema"},
      {"beyond.t6x", toyArtifact(beyond),
       "entries[0].dispatches[0].bindings[0]"},
      {"bomb.t6x", zipFiles(bomb, true), "bomb.t6x"},
      {"nothing.t6x", zipFiles({{"other", "x"}}), "program.json"},
  };
  for (const Case &one : cases)
    expectFailure({"info", save(one.name, one.bytes)}, kBadFile, {one.part});
  expectFailure({"check", save("cpu.t6x", toyArtifact(feature))}, kBadFile,
                {"avx9000"});
  expectFailure({"info", "/nonexistent.t6x"}, kRuntimeError,
                {"/nonexistent.t6x"});
  expectFailure({"info", "/proc"}, kUsageError, {"/proc"});
  expectFailure({"check", artifact(), "--device", "cuda"}, kUsageError,
                {"no device 'cuda'"});
  expectFailure({"check", artifact(), "--threads", "-1"}, kUsageError,
                {"threads"});
}

/// A safetensors file of a header and so many zero bytes.
std::string safetensors(const std::string &header, size_t bytes) {
  uint64_t size = header.size();
  std::string length(8, '\0');
  std::memcpy(&length[0], &size, 8);
  return length + header + std::string(bytes, '\0');
}

TEST(BadInputTest, Weights) {
  auto tensor = [](const char *name, const char *dtype, const char *shape,
                   const char *offsets) {
    return std::string("\"") + name + "\":{\"dtype\":\"" + dtype +
           "\",\"shape\":" + shape + ",\"data_offsets\":" + offsets + "}";
  };
  std::string scale = tensor("scale", "F32", "[1]", "[0,4]");
  struct Case {
    const char *name;
    std::string bytes;
    std::string part;
  } cases[] = {
      {"overlap.safetensors",
       safetensors("{" + scale + "," + tensor("b", "F32", "[1]", "[2,6]") + "}",
                   6),
       "overlap.safetensors"},
      {"beyond.safetensors", safetensors("{" + scale + "}", 2),
       "beyond.safetensors"},
      {"missing.safetensors",
       safetensors("{" + tensor("other", "F32", "[1]", "[0,4]") + "}", 4),
       "scale"},
      {"shape.safetensors",
       safetensors("{" + tensor("scale", "F32", "[2]", "[0,8]") + "}", 8),
       "scale"},
      {"dtype.safetensors",
       safetensors("{" + tensor("scale", "I32", "[1]", "[0,4]") + "}", 4),
       "scale"},
      {"long.safetensors", std::string("\xff\xff\xff\xff\xff\0\0\0{", 9),
       "long.safetensors"},
      {"text.safetensors", "no tensors here", "text.safetensors"},
  };
  for (const Case &one : cases)
    expectFailure({"generate", artifact(), "--tokens", "1", "--weights",
                   save(one.name, one.bytes)},
                  kBadFile, {one.part});
  expectFailure({"generate", artifact(), "--tokens", "1", "-w", "/none.st"},
                kRuntimeError, {"/none.st"});
  expectFailure({"generate", artifact(), "--tokens", "1"}, kUsageError,
                {"no weights have been loaded. HINT: give them with "
                 "--weights"});
}

TEST(BadInputTest, Prompts) {
  std::string weights = toyWeights("toy.safetensors");
  auto generate = [&](Arguments more) {
    Arguments all = {"generate", artifact(), "--weights", weights};
    all.insert(all.end(), more.begin(), more.end());
    return all;
  };
  std::string seventeen = "1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1";
  expectFailure(generate({"--tokens", seventeen}), kUsageError,
                {"17 tokens", "maximum length 16", "HINT: tpa-opt"});
  expectFailure(generate({"--tokens", "1,260"}), kUsageError,
                {"the token 260 at index 1"});
  expectFailure(generate({"--tokens", "-1"}), kUsageError, {"the token -1"});
  expectFailure(generate({"--prompt", "a"}), kUsageError,
                {"HINT: give --tokenizer"});
  expectFailure(generate({"--prompt", "", "--tokenizer", "bytes"}), kUsageError,
                {"prompt 0 is empty"});
  expectFailure(generate({"--tokens", "1", "--tokens", "1", "--tokens", "1"}),
                kUsageError, {"3 prompts", "HINT: tpa-opt --batch=3"});
  expectFailure(generate({"--tokens", "1", "--top-p", "2"}), kUsageError,
                {"top-p"});
  expectFailure(generate({"--prompt", "a", "--tokenizer", "/none.json"}),
                kRuntimeError, {"/none.json"});
  expectFailure(generate({"--prompt", "a", "--tokenizer", save("t.json", "{")}),
                kBadFile, {"t.json"});
}

TEST(BadInputTest, TokenFilesAndTensors) {
  std::string weights = toyWeights("toy.safetensors");
  auto eval = [&](const std::string &data) {
    return Arguments{"eval", artifact(), "-w", weights, "--data", data};
  };
  std::string header(1024, '\0');
  const int32_t words[] = {20240520, 1, 3};
  std::memcpy(&header[0], words, sizeof(words));
  std::string ids("\x01\x00\x2c\x01\x02\x00", 6); // 1, 300, 2
  expectFailure(eval(save("far.bin", header + ids)), kBadFile,
                {"far.bin", "300"});
  expectFailure(eval(save("short.bin", header + ids.substr(2))), kBadFile,
                {"short.bin"});
  expectFailure(eval("/none.bin"), kRuntimeError, {"/none.bin"});
  expectFailure(eval(save("odd.bin", "odd")), kBadFile, {"odd.bin"});
  std::vector<int32_t> tokens = {1, 2, 3, 260};
  TensorView view = {DType::I32, {2, 2}, tokens.data(), 16};
  std::string in = save("in.safetensors", ""), out = freshPath("out.st");
  auto run = [&](const char *entry) {
    return Arguments{"run", artifact(), "-w", weights,     "--entry",
                     entry, "--inputs", in,   "--outputs", out};
  };
  ASSERT_TRUE(writeSafetensors(in, {{"tokens", view}, {"targets", view}}).ok());
  expectFailure(run("loss"), kUsageError,
                {"in.safetensors: entry 'loss': input 'tokens'", "260"});
  expectFailure(run("lose"), kUsageError, {"has no entry 'lose'"});
  ASSERT_TRUE(writeSafetensors(in, {{"tokens", view}}).ok());
  expectFailure(run("loss"), kUsageError, {"input 'targets' is missing"});
  EXPECT_FALSE(exists(out));
}

TEST(BadInputTest, Pickles) {
  std::string out = freshPath("out.safetensors");
  auto convert = [&](const std::string &pickle) {
    return Arguments{"convert",
                     save("model.bin", zipFiles({{"archive/data.pkl", pickle},
                                                 {"archive/version", "3\n"}})),
                     out};
  };
  const char system[] = "\x80\x02"
                        "cos\nsystem\nX\x02\0\0\0id\x85R.";
  expectFailure(convert(std::string(system, sizeof(system) - 1)), kBadFile,
                {"model.bin", "system"});
  expectFailure(convert("\x80\x02}."), kBadFile, {"model.bin"});
  expectFailure({"convert", save("model.bin", "not a zip"), out}, kBadFile,
                {"model.bin"});
  expectFailure({"convert", "/none.bin", out}, kRuntimeError, {"/none.bin"});
  EXPECT_FALSE(exists(out));
}

TEST(BadInputTest, FullDisks) {
  ProcessOptions options;
  options.maxFileBytes = 2000;
  std::string text = save("long.txt", std::string(5000, 'a'));
  std::string out = freshPath("out.bin");
  expectFailure({"tokenize", "bytes", text, out}, kRuntimeError, {"out.bin"},
                options);
  EXPECT_FALSE(exists(out));
  expectFailure({"tokenize", "bytes", text, "/no/such/folder/out.bin"},
                kRuntimeError, {"/no/such/folder"});
}

} // namespace
} // namespace t6
